//! Whether a condition holds for what a line shows. Three answers: it does, it does not, the line does not tell.

use std::net::IpAddr;

use ipnet::IpNet;

use super::matches::{AddressKind, DevicePattern, MacPattern, Match, Sight, Test};
use crate::model::{Header, IfName, Ip, LinkHeader, Mac, Network, Protocol};

impl Match {
    /// Whether it holds for what a line shows. `None`: the line does not tell.
    pub fn holds(&self, sight: &Sight<'_>) -> Option<bool> {
        self.test.holds(sight).map(|holds| holds != self.negated)
    }
}

impl Test {
    fn holds(&self, sight: &Sight<'_>) -> Option<bool> {
        let devices = sight.devices;
        match self {
            Self::Input(pattern) => Some(pattern.fits(devices.input)),
            Self::Output(pattern) => Some(pattern.fits(devices.output)),
            Self::PhysIn(pattern) => Some(pattern.fits(devices.physin)),
            Self::PhysOut(pattern) => Some(pattern.fits(devices.physout)),
            Self::Comment(_) => Some(true),
            Self::ConnectionState(names) => {
                let state = sight.state?;
                let is_named = names.iter().any(|name| name.eq_ignore_ascii_case(state));
                // These stand beside the state proper, which does not tell them.
                let may_be = names.iter().any(|name| ["SNAT", "DNAT"].contains(&&**name));
                if is_named { Some(true) } else { (!may_be).then_some(false) }
            }
            Self::Bridge(_) | Self::Other(_) => None,
            _ => self.holds_in(sight.header?, sight.own),
        }
    }

    /// The tests of header fields.
    fn holds_in(&self, header: &Header, own: Option<&[IpNet]>) -> Option<bool> {
        let ip = header.ip();
        let contains = |ranges: &[std::ops::RangeInclusive<u16>], port: u16| {
            ranges.iter().any(|range| range.contains(&port))
        };
        match self {
            Self::Source(ranges) => {
                let (source, _) = addresses(header)?;
                Some(ranges.iter().any(|range| range.contains(&source)))
            }
            Self::Destination(ranges) => {
                let (_, destination) = addresses(header)?;
                Some(ranges.iter().any(|range| range.contains(&destination)))
            }
            Self::Protocol(number) => Some(protocol(ip?)? == Protocol(*number)),
            Self::SourcePort(ranges) => Some(contains(ranges, ports(ip?)?.0)),
            Self::DestinationPort(ranges) => Some(contains(ranges, ports(ip?)?.1)),
            Self::AnyPort(ranges) => {
                let (source, destination) = ports(ip?)?;
                Some(contains(ranges, source) || contains(ranges, destination))
            }
            // A line that ends early may end before its flags.
            Self::TcpFlags { .. } if header.cut => None,
            Self::TcpFlags { mask, set } => Some(ip?.tcp()?.flags.0 & mask == *set),
            Self::IcmpType { kind, codes } => {
                let icmp = ip?.icmp()?;
                Some(kind.is_none_or(|kind| kind == icmp.kind) && codes.contains(&icmp.code))
            }
            Self::Mark { value, mask } => Some(mark(header)? & mask == *value),
            Self::SourceMac(pattern) => Some(pattern.fits(header.link.addresses()?.0)),
            Self::DestinationMac(pattern) => Some(pattern.fits(header.link.addresses()?.1)),
            Self::EtherType(number) => Some(ethertype(header)? == *number),
            Self::Length(range) => Some(range.contains(&ip?.length?)),
            Self::Ttl(range) => Some(range.contains(&ip?.ttl?)),
            Self::LaterFragment => {
                let ip = ip?;
                (has_fragment_part(header, ip)).then(|| ip.is_later_fragment())
            }
            Self::AddressType { of_source, kinds } => {
                let (source, destination) = addresses(header)?;
                is_any(if *of_source { source } else { destination }, kinds, own)
            }
            _ => None,
        }
    }
}

impl DevicePattern {
    /// Whether a device has this name. A packet without the device fits only what every device fits.
    pub fn fits(&self, device: Option<IfName>) -> bool {
        let name = device.as_ref().map_or(&b""[..], IfName::as_bytes);
        if self.is_prefix {
            name.starts_with(&self.name)
        } else {
            !name.is_empty() && *name == *self.name
        }
    }
}

impl MacPattern {
    /// Whether an address has these bits.
    pub fn fits(&self, mac: Mac) -> bool {
        let pairs = self.mac.0.iter().zip(self.mask.0).zip(mac.0);
        pairs.into_iter().all(|((own, mask), seen)| own & mask == seen & mask)
    }
}

/// Source and destination: of IP, or of the ARP body.
fn addresses(header: &Header) -> Option<(IpAddr, IpAddr)> {
    match &header.network {
        Network::Ip(ip) => Some((ip.src, ip.dst)),
        Network::Arp(arp) => {
            let body = arp.addresses?;
            Some((body.sender_ip.into(), body.target_ip.into()))
        }
        Network::Absent | Network::Truncated | Network::Incomplete => None,
    }
}

/// The protocol. ebtables prints the first next header of IPv6, behind which the real one may be hidden.
fn protocol(ip: &Ip) -> Option<Protocol> {
    let protocol = ip.protocol?;
    let is_hidden = ip.src.is_ipv6() && matches!(protocol.0, 0 | 43 | 44 | 51 | 60);
    (!is_hidden).then_some(protocol)
}

/// Ports, unless the packet is a fragment that has none.
fn ports(ip: &Ip) -> Option<(u16, u16)> {
    if ip.is_later_fragment() { None } else { ip.ports() }
}

/// The mark. IP lines leave out a mark of 0; ebtables lines and those of ARP never have it.
fn mark(header: &Header) -> Option<u32> {
    let is_printed = header.ip().is_some() && !matches!(header.link, LinkHeader::Frame { .. });
    match header.mark {
        Some(mark) => Some(mark),
        None if is_printed && !header.cut => Some(0),
        None => None,
    }
}

fn ethertype(header: &Header) -> Option<u16> {
    let carried = || match &header.network {
        Network::Ip(ip) => Some(if ip.src.is_ipv4() { 0x0800 } else { 0x86dd }),
        Network::Arp(_) => Some(0x0806),
        Network::Absent | Network::Truncated | Network::Incomplete => None,
    };
    header.link.ethertype().or_else(carried)
}

/// Whether the line would have said that the packet is a fragment.
fn has_fragment_part(header: &Header, ip: &Ip) -> bool {
    !ip.truncated && !header.cut && !matches!(header.link, LinkHeader::Frame { .. })
}

/// Whether an address is of one of these kinds.
fn is_any(addr: IpAddr, kinds: &[AddressKind], own: Option<&[IpNet]>) -> Option<bool> {
    // For IPv6 the kernel asks for several kinds at once in another way.
    if addr.is_ipv6() && kinds.len() > 1 {
        return None;
    }
    let mut any = Some(false);
    for kind in kinds {
        match is_of_kind(addr, *kind, own) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => any = None,
        }
    }
    any
}

fn is_of_kind(addr: IpAddr, kind: AddressKind, own: Option<&[IpNet]>) -> Option<bool> {
    match kind {
        AddressKind::Local => is_local(addr, own),
        AddressKind::Broadcast => is_broadcast(addr, own),
        AddressKind::Multicast => Some(addr.is_multicast()),
        AddressKind::Unicast => match addr {
            IpAddr::V4(_) => {
                let others = [AddressKind::Local, AddressKind::Broadcast, AddressKind::Multicast];
                is_any(addr, &others, own).map(|is_other| !is_other)
            }
            IpAddr::V6(_) => Some(!addr.is_multicast() && !addr.is_unspecified()),
        },
        AddressKind::Other => None,
    }
}

/// Whether the host has the address. Known only when its addresses of that family are.
fn is_local(addr: IpAddr, own: Option<&[IpNet]>) -> Option<bool> {
    if addr.is_loopback() {
        return Some(true);
    }
    let own = own?;
    if own.iter().any(|net| net.addr() == addr) {
        return Some(true);
    }
    if addr.is_multicast() {
        return Some(false);
    }
    has_family(own, addr).then_some(false)
}

fn is_broadcast(addr: IpAddr, own: Option<&[IpNet]>) -> Option<bool> {
    let IpAddr::V4(v4) = addr else { return Some(false) };
    if v4.is_broadcast() || v4.octets()[0] == 0 {
        return Some(true);
    }
    if addr.is_multicast() || addr.is_loopback() {
        return Some(false);
    }
    let own = own?;
    let wide = own.iter().filter(|net| net.addr().is_ipv4() && net.prefix_len() < 31);
    for net in wide {
        if net.broadcast() == addr {
            return Some(true);
        }
        // A net's first address was a broadcast address once; whether it is depends on the kernel.
        if net.network() == addr && net.addr() != addr {
            return None;
        }
    }
    has_family(own, addr).then_some(false)
}

fn has_family(own: &[IpNet], addr: IpAddr) -> bool {
    own.iter().any(|net| net.addr().is_ipv4() == addr.is_ipv4())
}
