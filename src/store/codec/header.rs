//! Between a model header and its flat list of fields.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{
    Arp, ArpAddresses, Devices, Fragment, Header, Icmp, IcmpExtra, IfName, Ip, IpFlags, LinkHeader,
    Mac, Network, Protocol, Tcp, TcpFlags, TcpOptions, Transport,
};
use crate::store::codec::Damaged;
use crate::store::codec::bytes::{Input, narrow, put_bytes, put_fixed, put_varint};
use crate::store::codec::difference::{Parts, Sources};
use crate::store::codec::flat::{Field, Flat};

/// How deep a quoted packet may quote another. The kernel prints one level.
const MAX_DEPTH: u8 = 8;

const NETWORK_TRUNCATED: u64 = 1;
const NETWORK_INCOMPLETE: u64 = 2;
const NETWORK_IP: u64 = 3;
const NETWORK_ARP: u64 = 4;

const TRANSPORT_INCOMPLETE: u64 = 1;
const TRANSPORT_TCP: u64 = 2;
const TRANSPORT_UDP: u64 = 3;
pub(super) const TRANSPORT_PORTS: u64 = 4;
const TRANSPORT_ICMP: u64 = 5;
const TRANSPORT_SPI: u64 = 6;

/// Flattens a header into `flat`. `hop_devices` are those of the step's hop; `link` is the place of its
/// link-layer header in the packet's list of frames.
pub(super) fn flatten(header: &Header, hop_devices: &Devices, link: Option<u64>, flat: &mut Flat) {
    flat.reset();
    flat.set_some(Field::Link, link);
    if header.devices != *hop_devices {
        flat.set_string(Field::Devices, put_devices(&header.devices));
    }
    if let Some((from, to)) = header.tunnel {
        let mut bytes = Vec::new();
        put_address(&mut bytes, from);
        put_address(&mut bytes, to);
        flat.set_string(Field::Tunnel, bytes);
    }
    match &header.network {
        Network::Absent => {}
        Network::Truncated => flat.set(Field::Network, NETWORK_TRUNCATED),
        Network::Incomplete => flat.set(Field::Network, NETWORK_INCOMPLETE),
        Network::Ip(ip) => {
            flat.set(Field::Network, NETWORK_IP);
            flatten_ip(ip, flat);
        }
        Network::Arp(arp) => {
            flat.set(Field::Network, NETWORK_ARP);
            flat.set_string(Field::Arp, put_arp(arp));
        }
    }
    flat.set_some(
        Field::Owner,
        header.owner.map(|(uid, gid)| u64::from(uid) << 32 | u64::from(gid)),
    );
    flat.set_some(Field::Mark, header.mark);
    if let Some(unknown) = &header.unknown {
        flat.set_string(Field::Unknown, unknown.to_vec());
    }
    flat.flag(Field::Cut, header.cut);
}

/// Undoes [`flatten`].
pub(super) fn unflatten(
    flat: &Flat,
    hop_devices: &Devices,
    frames: &[LinkHeader],
) -> Result<Header, Damaged> {
    let link = match flat.number(Field::Link) {
        None => LinkHeader::Absent,
        Some(index) => {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            frames.get(index).ok_or(Damaged("no such frame"))?.clone()
        }
    };
    Ok(Header {
        devices: match flat.string(Field::Devices) {
            None => *hop_devices,
            Some(bytes) => read_devices(bytes)?,
        },
        link,
        tunnel: flat.string(Field::Tunnel).map(read_tunnel).transpose()?,
        network: match flat.number(Field::Network) {
            None => Network::Absent,
            Some(NETWORK_TRUNCATED) => Network::Truncated,
            Some(NETWORK_INCOMPLETE) => Network::Incomplete,
            Some(NETWORK_IP) => Network::Ip(Box::new(unflatten_ip(flat, 0)?)),
            Some(NETWORK_ARP) => {
                Network::Arp(read_arp(flat.string(Field::Arp).ok_or(Damaged("no ARP body"))?)?)
            }
            Some(_) => return Err(Damaged("unknown network header")),
        },
        owner: flat.number(Field::Owner).map(halves),
        mark: narrow_some(flat, Field::Mark)?,
        unknown: flat.string(Field::Unknown).map(Into::into),
        cut: flat.has(Field::Cut),
    })
}

fn halves(value: u64) -> (u32, u32) {
    let half = |value: u64| u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default();
    (half(value >> 32), half(value))
}

fn narrow_some<T: TryFrom<u64>>(flat: &Flat, field: Field) -> Result<Option<T>, Damaged> {
    flat.number(field).map(narrow).transpose()
}

fn needed<T: TryFrom<u64>>(flat: &Flat, field: Field) -> Result<T, Damaged> {
    narrow(flat.number(field).ok_or(Damaged("a field is missing"))?)
}

fn or_zero<T: TryFrom<u64>>(flat: &Flat, field: Field) -> Result<T, Damaged> {
    narrow(flat.number(field).unwrap_or_default())
}

fn flatten_ip(ip: &Ip, flat: &mut Flat) {
    set_address(flat, ip.src, Field::Src4, Field::Src6High, Field::Src6Low);
    set_address(flat, ip.dst, Field::Dst4, Field::Dst6High, Field::Dst6Low);
    flat.set_some(Field::Length, ip.length);
    flat.set_some(Field::Tos, ip.tos);
    flat.set_some(Field::Ttl, ip.ttl);
    flat.set_some(Field::Id, ip.id);
    flat.set_some(Field::FlowLabel, ip.flow_label);
    flat.set_nonzero(Field::Flags, ip.flags.0);
    if let Some(fragment) = ip.fragment {
        flat.set(Field::FragmentOffset, u64::from(fragment.offset));
        flat.flag(Field::FragmentMore, fragment.more);
        flat.set_some(Field::FragmentId, fragment.id);
    }
    if let Some(options) = &ip.options {
        flat.set_string(Field::IpOptions, options.to_vec());
    }
    flat.set_nonzero(Field::ExtensionHeaders, ip.extension_headers);
    flat.set_some(Field::AhSpi, ip.ah_spi);
    flat.flag(Field::IpTruncated, ip.truncated);
    flat.set_some(Field::Protocol, ip.protocol.map(|protocol| protocol.0));
    flatten_transport(&ip.transport, flat);
}

fn unflatten_ip(flat: &Flat, depth: u8) -> Result<Ip, Damaged> {
    if depth > MAX_DEPTH {
        return Err(Damaged("quoted packets are nested too deep"));
    }
    Ok(Ip {
        src: address(flat, Field::Src4, Field::Src6High, Field::Src6Low)?,
        dst: address(flat, Field::Dst4, Field::Dst6High, Field::Dst6Low)?,
        length: narrow_some(flat, Field::Length)?,
        tos: narrow_some(flat, Field::Tos)?,
        ttl: narrow_some(flat, Field::Ttl)?,
        id: narrow_some(flat, Field::Id)?,
        flow_label: narrow_some(flat, Field::FlowLabel)?,
        flags: IpFlags(or_zero(flat, Field::Flags)?),
        fragment: match narrow_some(flat, Field::FragmentOffset)? {
            None => None,
            Some(offset) => Some(Fragment {
                offset,
                more: flat.has(Field::FragmentMore),
                id: narrow_some(flat, Field::FragmentId)?,
            }),
        },
        options: flat.string(Field::IpOptions).map(Into::into),
        extension_headers: or_zero(flat, Field::ExtensionHeaders)?,
        ah_spi: narrow_some(flat, Field::AhSpi)?,
        truncated: flat.has(Field::IpTruncated),
        protocol: narrow_some(flat, Field::Protocol)?.map(Protocol),
        transport: unflatten_transport(flat, depth)?,
    })
}

fn flatten_transport(transport: &Transport, flat: &mut Flat) {
    let ports = |flat: &mut Flat, kind, sport: u16, dport: u16| {
        flat.set(Field::Transport, kind);
        flat.set(Field::Sport, u64::from(sport));
        flat.set(Field::Dport, u64::from(dport));
    };
    match transport {
        Transport::Absent => {}
        Transport::Incomplete(bytes) => {
            flat.set(Field::Transport, TRANSPORT_INCOMPLETE);
            flat.set_some(Field::TransportNumber, *bytes);
        }
        Transport::Tcp(tcp) => {
            ports(flat, TRANSPORT_TCP, tcp.sport, tcp.dport);
            flatten_tcp(tcp, flat);
        }
        Transport::Udp { sport, dport, length } => {
            ports(flat, TRANSPORT_UDP, *sport, *dport);
            flat.set_some(Field::UdpLength, *length);
        }
        Transport::Ports { sport, dport } => ports(flat, TRANSPORT_PORTS, *sport, *dport),
        Transport::Icmp(icmp) => {
            flat.set(Field::Transport, TRANSPORT_ICMP);
            flatten_icmp(icmp, flat);
        }
        Transport::Spi(spi) => {
            flat.set(Field::Transport, TRANSPORT_SPI);
            flat.set(Field::TransportNumber, u64::from(*spi));
        }
    }
}

fn unflatten_transport(flat: &Flat, depth: u8) -> Result<Transport, Damaged> {
    Ok(match flat.number(Field::Transport) {
        None => Transport::Absent,
        Some(TRANSPORT_INCOMPLETE) => {
            Transport::Incomplete(narrow_some(flat, Field::TransportNumber)?)
        }
        Some(TRANSPORT_TCP) => Transport::Tcp(unflatten_tcp(flat)?),
        Some(TRANSPORT_UDP) => Transport::Udp {
            sport: needed(flat, Field::Sport)?,
            dport: needed(flat, Field::Dport)?,
            length: narrow_some(flat, Field::UdpLength)?,
        },
        Some(TRANSPORT_PORTS) => Transport::Ports {
            sport: needed(flat, Field::Sport)?,
            dport: needed(flat, Field::Dport)?,
        },
        Some(TRANSPORT_ICMP) => Transport::Icmp(Box::new(unflatten_icmp(flat, depth)?)),
        Some(TRANSPORT_SPI) => Transport::Spi(needed(flat, Field::TransportNumber)?),
        Some(_) => return Err(Damaged("unknown transport header")),
    })
}

fn flatten_tcp(tcp: &Tcp, flat: &mut Flat) {
    if let Some((seq, ack)) = tcp.seq_ack {
        flat.set(Field::Seq, u64::from(seq));
        flat.set(Field::Ack, u64::from(ack));
    }
    flat.set(Field::Window, u64::from(tcp.window));
    flat.set_nonzero(Field::Reserved, tcp.reserved);
    flat.set(Field::TcpFlags, u64::from(tcp.flags.0));
    flat.set_nonzero(Field::Urgent, tcp.urgent);
    match &tcp.options {
        TcpOptions::Absent => {}
        TcpOptions::Bytes(bytes) => match stamps(bytes) {
            Some(stamps) => flat.set(Field::TcpStamps, stamps),
            None => flat.set_string(Field::TcpOptions, bytes.to_vec()),
        },
        TcpOptions::Truncated => flat.flag(Field::TcpOptionsTruncated, true),
    }
}

/// `NOP NOP Timestamp`, the options of nearly every TCP segment; eight bytes follow.
const STAMPS: [u8; 4] = [1, 1, 8, 10];

fn stamps(options: &[u8]) -> Option<u64> {
    let stamps: [u8; 8] = options.strip_prefix(&STAMPS)?.try_into().ok()?;
    Some(u64::from_be_bytes(stamps))
}

fn unflatten_tcp(flat: &Flat) -> Result<Tcp, Damaged> {
    let seq_ack = match (narrow_some(flat, Field::Seq)?, narrow_some(flat, Field::Ack)?) {
        (Some(seq), Some(ack)) => Some((seq, ack)),
        _ => None,
    };
    let options = if flat.has(Field::TcpOptionsTruncated) {
        TcpOptions::Truncated
    } else if let Some(stamps) = flat.number(Field::TcpStamps) {
        TcpOptions::Bytes([&STAMPS[..], &stamps.to_be_bytes()].concat().into())
    } else {
        let bytes = flat.string(Field::TcpOptions);
        bytes.map_or(TcpOptions::Absent, |bytes| TcpOptions::Bytes(bytes.into()))
    };
    Ok(Tcp {
        sport: needed(flat, Field::Sport)?,
        dport: needed(flat, Field::Dport)?,
        seq_ack,
        window: needed(flat, Field::Window)?,
        reserved: or_zero(flat, Field::Reserved)?,
        flags: TcpFlags(needed(flat, Field::TcpFlags)?),
        urgent: or_zero(flat, Field::Urgent)?,
        options,
    })
}

fn flatten_icmp(icmp: &Icmp, flat: &mut Flat) {
    flat.set(Field::IcmpType, u64::from(icmp.kind));
    flat.set(Field::IcmpCode, u64::from(icmp.code));
    flat.set_some(Field::IcmpIncomplete, icmp.incomplete);
    if let Some((id, seq)) = icmp.echo {
        flat.set(Field::EchoId, u64::from(id));
        flat.set(Field::EchoSeq, u64::from(seq));
    }
    if let Some(extra) = icmp.extra {
        flat.set_string(Field::IcmpExtra, put_extra(extra));
    }
    flat.set_some(Field::Mtu, icmp.mtu);
    if let Some(inner) = &icmp.inner {
        let mut quoted = Flat::default();
        flatten_ip(inner, &mut quoted);
        let mut parts = Parts::default();
        parts.put(&Flat::default(), &quoted, quoted.present());
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, &parts.shared);
        bytes.append(&mut parts.own);
        flat.set_string(Field::Inner, bytes);
    }
}

fn unflatten_icmp(flat: &Flat, depth: u8) -> Result<Icmp, Damaged> {
    let inner = match flat.string(Field::Inner) {
        None => None,
        Some(bytes) => {
            let mut own = Input::new(bytes);
            let shared = Input::new(own.bytes()?);
            let mut sources = Sources { shared, own, elsewhere: Flat::default(), expected: None };
            let quoted = sources.change(&Flat::default(), false)?;
            Some(Box::new(unflatten_ip(&quoted, depth + 1)?))
        }
    };
    Ok(Icmp {
        kind: needed(flat, Field::IcmpType)?,
        code: needed(flat, Field::IcmpCode)?,
        incomplete: narrow_some(flat, Field::IcmpIncomplete)?,
        echo: match (narrow_some(flat, Field::EchoId)?, narrow_some(flat, Field::EchoSeq)?) {
            (Some(id), Some(seq)) => Some((id, seq)),
            _ => None,
        },
        extra: flat.string(Field::IcmpExtra).map(read_extra).transpose()?,
        mtu: narrow_some(flat, Field::Mtu)?,
        inner,
    })
}

pub(super) fn set_address(flat: &mut Flat, address: IpAddr, v4: Field, high: Field, low: Field) {
    match address {
        IpAddr::V4(address) => flat.set(v4, u64::from(address.to_bits())),
        IpAddr::V6(address) => {
            let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
            flat.set(high, half(address.to_bits() >> 64));
            flat.set(low, half(address.to_bits()));
        }
    }
}

fn address(flat: &Flat, v4: Field, high: Field, low: Field) -> Result<IpAddr, Damaged> {
    if let Some(bits) = narrow_some(flat, v4)? {
        return Ok(IpAddr::V4(Ipv4Addr::from_bits(bits)));
    }
    match (flat.number(high), flat.number(low)) {
        (Some(high), Some(low)) => {
            Ok(IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low))))
        }
        _ => Err(Damaged("an address is missing")),
    }
}

fn put_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            out.push(4);
            out.extend_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            out.push(6);
            out.extend_from_slice(&address.octets());
        }
    }
}

fn read_address(input: &mut Input<'_>) -> Result<IpAddr, Damaged> {
    match input.byte()? {
        4 => Ok(IpAddr::V4(Ipv4Addr::from(input.array::<4>()?))),
        6 => Ok(IpAddr::V6(Ipv6Addr::from(input.array::<16>()?))),
        _ => Err(Damaged("unknown address family")),
    }
}

fn read_tunnel(bytes: &[u8]) -> Result<(IpAddr, IpAddr), Damaged> {
    let mut input = Input::new(bytes);
    Ok((read_address(&mut input)?, read_address(&mut input)?))
}

fn put_devices(devices: &Devices) -> Vec<u8> {
    let mut out = Vec::new();
    for name in [devices.input, devices.output, devices.physin, devices.physout] {
        let bytes = name.as_ref().map_or(&[][..], IfName::as_bytes);
        put_varint(&mut out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
    out
}

fn read_devices(bytes: &[u8]) -> Result<Devices, Damaged> {
    let mut input = Input::new(bytes);
    let mut next = || Ok(IfName::new(input.bytes()?));
    Ok(Devices { input: next()?, output: next()?, physin: next()?, physout: next()? })
}

fn put_extra(extra: IcmpExtra) -> Vec<u8> {
    let mut out = Vec::new();
    match extra {
        IcmpExtra::Parameter(value) => {
            out.push(0);
            put_varint(&mut out, u64::from(value));
        }
        IcmpExtra::Gateway(address) => {
            out.push(1);
            put_address(&mut out, address);
        }
        IcmpExtra::Pointer(value) => {
            out.push(2);
            put_varint(&mut out, u64::from(value));
        }
    }
    out
}

fn read_extra(bytes: &[u8]) -> Result<IcmpExtra, Damaged> {
    let mut input = Input::new(bytes);
    match input.byte()? {
        0 => Ok(IcmpExtra::Parameter(input.narrow()?)),
        1 => Ok(IcmpExtra::Gateway(read_address(&mut input)?)),
        2 => Ok(IcmpExtra::Pointer(input.narrow()?)),
        _ => Err(Damaged("unknown ICMP field")),
    }
}

fn put_arp(arp: &Arp) -> Vec<u8> {
    let flags = u8::from(arp.incomplete_bytes.is_some()) << 2
        | u8::from(arp.incomplete) << 1
        | u8::from(arp.addresses.is_some());
    let mut out = vec![flags];
    for number in [arp.hardware, arp.protocol, arp.operation] {
        put_fixed(&mut out, u64::from(number), 2);
    }
    if let Some(addresses) = arp.addresses {
        out.extend_from_slice(&addresses.sender_mac.0);
        out.extend_from_slice(&addresses.sender_ip.octets());
        out.extend_from_slice(&addresses.target_mac.0);
        out.extend_from_slice(&addresses.target_ip.octets());
    }
    if let Some(bytes) = arp.incomplete_bytes {
        put_varint(&mut out, u64::from(bytes));
    }
    out
}

fn read_arp(bytes: &[u8]) -> Result<Arp, Damaged> {
    let mut input = Input::new(bytes);
    let flags = input.byte()?;
    let mut number = || input.array().map(u16::from_be_bytes);
    let (hardware, protocol, operation) = (number()?, number()?, number()?);
    let addresses = if flags & 1 == 0 {
        None
    } else {
        Some(ArpAddresses {
            sender_mac: Mac(input.array()?),
            sender_ip: input.array::<4>()?.into(),
            target_mac: Mac(input.array()?),
            target_ip: input.array::<4>()?.into(),
        })
    };
    let incomplete_bytes = if flags & 4 == 0 { None } else { Some(input.narrow()?) };
    Ok(Arp {
        hardware,
        protocol,
        operation,
        addresses,
        incomplete: flags & 2 != 0,
        incomplete_bytes,
    })
}
