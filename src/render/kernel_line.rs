//! A line's payload as the kernel would print it: the way back from fields to bytes.
//!
//! ```text
//! TRACE: raw:PREROUTING:policy:3 IN=eth0 OUT= MAC=…:08:00 SRC=10.0.0.1 DST=10.0.0.2 LEN=60 TOS=0x00 PREC=0x00 TTL=64 …
//! TRACE: eb:nat:OUTPUT IN= OUT=veth0 MAC source = … MAC dest = … proto = 0x0800 IP SRC=10.0.0.1 IP DST=10.0.0.2, …
//! ```
//!
//! For a line the kernel printed this is the inverse of the parser, byte for
//! byte, trailing blank included. Words the parser did not know come last.

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr};

use crate::model::{
    Arp, Devices, Fragment, Header, Icmp, IcmpExtra, IfName, Ip, IpFlags, LinkHeader, Mac, Network,
    Protocol, Site, SiteKind, Tcp, TcpFlags, TcpOptions, Transport,
};

/// Prints a line's payload.
pub fn kernel_line(site: &Site, header: &Header) -> Vec<u8> {
    let mut line = Line(Vec::with_capacity(320));
    line.prefix(site);
    line.devices(&header.devices);
    if let LinkHeader::Frame { src, dst, ethertype } = &header.link {
        line.frame(*src, *dst, *ethertype);
        line.ebt_network(&header.network, *ethertype);
    } else {
        line.bytes(b" ");
        line.bridge_ports(&header.devices);
        line.link(header);
        line.network(&header.network);
        line.owner_and_mark(header);
    }
    line.unknown(header);
    line.0
}

/// A line under construction. Writing to it cannot fail.
struct Line(Vec<u8>);

macro_rules! put {
    ($line:expr, $($format:tt)*) => {
        // A `Vec` takes everything.
        let _ = write!($line.0, $($format)*);
    };
}

impl Line {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn prefix(&mut self, site: &Site) {
        match site {
            Site::Trace { table, chain, kind } => {
                self.bytes(b"TRACE: ");
                self.bytes(table);
                self.bytes(b":");
                self.bytes(chain);
                let (word, number) = match kind {
                    SiteKind::Rule(number) => ("rule", number),
                    SiteKind::Return(number) => ("return", number),
                    SiteKind::Policy(number) => ("policy", number),
                };
                put!(self, ":{word}:{number} ");
            }
            Site::Log { prefix } => self.bytes(prefix),
            Site::Bridge { prefix, .. } | Site::BridgeLog { prefix } => {
                self.bytes(prefix);
                self.bytes(b" ");
            }
        }
    }

    fn devices(&mut self, devices: &Devices) {
        self.bytes(b"IN=");
        self.device(devices.input);
        self.bytes(b" OUT=");
        self.device(devices.output);
    }

    fn device(&mut self, name: Option<IfName>) {
        if let Some(name) = name {
            self.bytes(name.as_bytes());
        }
    }

    fn bridge_ports(&mut self, devices: &Devices) {
        for (key, name) in [(b"PHYSIN=".as_slice(), devices.physin), (b"PHYSOUT=", devices.physout)]
        {
            if let Some(name) = name {
                self.bytes(key);
                self.bytes(name.as_bytes());
                self.bytes(b" ");
            }
        }
    }

    fn link(&mut self, header: &Header) {
        match &header.link {
            LinkHeader::Ethernet { dst, src, ethertype } => {
                let [high, low] = ethertype.to_be_bytes();
                put!(self, "MAC={}:{}:{high:02x}:{low:02x}", Octets(dst), Octets(src));
                self.tunnel(header);
                self.bytes(b" ");
            }
            LinkHeader::Octets(octets) => {
                put!(self, "MAC={}", Colons(octets));
                self.tunnel(header);
                self.bytes(b" ");
            }
            LinkHeader::Decoded { src, dst, vlan, ethertype } => {
                put!(self, "MACSRC={} MACDST={} ", Octets(src), Octets(dst));
                if let Some(vlan) = vlan {
                    put!(self, "VPROTO={:04x} VID={} ", vlan.protocol, vlan.tci);
                }
                if let Some(ethertype) = ethertype {
                    put!(self, "MACPROTO={ethertype:04x} ");
                }
            }
            LinkHeader::Absent | LinkHeader::Frame { .. } => {}
        }
    }

    fn tunnel(&mut self, header: &Header) {
        if let Some((from, to)) = header.tunnel {
            put!(self, " TUNNEL={from}->{to}");
        }
    }

    fn network(&mut self, network: &Network) {
        match network {
            Network::Absent | Network::Incomplete => {}
            Network::Truncated => self.bytes(b"TRUNCATED"),
            Network::Ip(ip) => self.ip(ip),
            Network::Arp(arp) => self.arp(arp),
        }
    }

    fn ip(&mut self, ip: &Ip) {
        if ip.src.is_ipv6() {
            self.ip6(ip);
        } else {
            self.ip4(ip);
        }
    }

    fn ip4(&mut self, ip: &Ip) {
        put!(self, "SRC={} DST={} ", Address(ip.src), Address(ip.dst));
        self.number("LEN", ip.length);
        if let Some(tos) = ip.tos {
            put!(self, "TOS=0x{:02X} PREC=0x{:02X} ", tos & 0x1f, tos & 0xe0);
        }
        self.number("TTL", ip.ttl);
        self.number("ID", ip.id);
        for (bit, word) in [(IpFlags::CE, "CE "), (IpFlags::DF, "DF "), (IpFlags::MF, "MF ")] {
            if ip.flags.has(bit) {
                self.bytes(word.as_bytes());
            }
        }
        if let Some(Fragment { offset: offset @ 1.., .. }) = ip.fragment {
            put!(self, "FRAG:{} ", offset / 8);
        }
        self.options(ip.options.as_deref());
        if ip.truncated {
            self.bytes(b"TRUNCATED");
            return;
        }
        let name = match ip.protocol {
            None => return,
            Some(Protocol::ICMP) => "ICMP",
            Some(Protocol::AH) => "AH",
            Some(Protocol::ESP) => "ESP",
            Some(protocol) => return self.protocol(protocol, &ip.transport),
        };
        put!(self, "PROTO={name} ");
        self.transport(&ip.transport);
    }

    fn ip6(&mut self, ip: &Ip) {
        put!(self, "SRC={} DST={} ", Address(ip.src), Address(ip.dst));
        self.number("LEN", ip.length);
        self.number("TC", ip.tos);
        self.number("HOPLIMIT", ip.ttl);
        self.number("FLOWLBL", ip.flow_label);
        if self.extension_headers(ip) {
            return;
        }
        match ip.protocol {
            None => {}
            Some(protocol) if ip.truncated => {
                put!(self, "Unknown Ext Hdr {}", protocol.0);
            }
            Some(Protocol::ICMPV6) => {
                self.bytes(b"PROTO=ICMPv6 ");
                self.transport(&ip.transport);
            }
            Some(protocol) => self.protocol(protocol, &ip.transport),
        }
    }

    /// The groups `OPT ( … ) ` in the order of RFC 8200; `true` when the kernel stops behind them.
    fn extension_headers(&mut self, ip: &Ip) -> bool {
        let ends_with = match ip.protocol {
            Some(protocol @ (Protocol::AH | Protocol::ESP)) if ip.extension_headers > 0 => {
                Some(protocol)
            }
            _ => None,
        };
        let mut groups = ip.extension_headers;
        let cut_fragment = ip.truncated && ip.protocol.is_none();
        let mut named = u8::from(ends_with.is_some()) + u8::from(ip.ah_spi.is_some());
        let fragment_in_group = (ip.fragment.is_some() || cut_fragment) && groups > named;
        named += u8::from(fragment_in_group);
        // A later fragment's option header cannot be followed; its group is the last one.
        let blind_end = ip.is_later_fragment() && ip.protocol.is_none() && groups > named;
        while groups > named + u8::from(blind_end) {
            self.bytes(b"OPT ( ) ");
            groups -= 1;
        }
        if cut_fragment {
            self.bytes(if fragment_in_group {
                b"OPT ( FRAG:TRUNCATED "
            } else {
                b"FRAG:TRUNCATED "
            });
            return true;
        }
        if let Some(fragment) = ip.fragment {
            self.fragment(fragment, fragment_in_group);
        }
        if let Some(spi) = ip.ah_spi {
            put!(self, "OPT ( AH SPI=0x{spi:x} ) ");
        }
        if blind_end {
            self.bytes(b"OPT ( )");
            return true;
        }
        if let Some(protocol) = ends_with {
            self.bytes(if protocol == Protocol::AH { b"OPT ( AH " } else { b"OPT ( ESP " });
            self.transport(&ip.transport);
            self.bytes(b")");
        }
        ends_with.is_some()
    }

    fn fragment(&mut self, fragment: Fragment, in_group: bool) {
        if in_group {
            self.bytes(b"OPT ( ");
        }
        put!(self, "FRAG:{} ", fragment.offset);
        if fragment.more {
            self.bytes(b"INCOMPLETE ");
        }
        if let Some(id) = fragment.id {
            put!(self, "ID:{id:08x} ");
        }
        if in_group {
            self.bytes(b") ");
        }
    }

    /// The protocols that are printed alike in both families.
    fn protocol(&mut self, protocol: Protocol, transport: &Transport) {
        match protocol {
            Protocol::TCP => self.bytes(b"PROTO=TCP "),
            Protocol::UDP => self.bytes(b"PROTO=UDP "),
            Protocol::UDPLITE => self.bytes(b"PROTO=UDPLITE "),
            Protocol(number) => {
                put!(self, "PROTO={number} ");
            }
        }
        self.transport(transport);
    }

    fn transport(&mut self, transport: &Transport) {
        match transport {
            Transport::Absent => {}
            Transport::Incomplete(bytes) => {
                put!(self, "INCOMPLETE [{} bytes] ", bytes.unwrap_or(0));
            }
            Transport::Tcp(tcp) => self.tcp(tcp),
            Transport::Udp { sport, dport, length } => {
                put!(self, "SPT={sport} DPT={dport} ");
                self.number("LEN", *length);
            }
            Transport::Ports { sport, dport } => {
                put!(self, "SPT={sport} DPT={dport} ");
            }
            Transport::Icmp(icmp) => self.icmp(icmp),
            Transport::Spi(spi) => {
                put!(self, "SPI=0x{spi:x} ");
            }
        }
    }

    fn tcp(&mut self, tcp: &Tcp) {
        put!(self, "SPT={} DPT={} ", tcp.sport, tcp.dport);
        if let Some((seq, ack)) = tcp.seq_ack {
            put!(self, "SEQ={seq} ACK={ack} ");
        }
        put!(self, "WINDOW={} RES=0x{:02x} ", tcp.window, tcp.reserved);
        for (bit, name) in TcpFlags::NAMES {
            if tcp.flags.has(bit) {
                put!(self, "{name} ");
            }
        }
        put!(self, "URGP={} ", tcp.urgent);
        match &tcp.options {
            TcpOptions::Absent => {}
            TcpOptions::Bytes(options) => self.options(Some(options)),
            TcpOptions::Truncated => self.bytes(b"OPT (TRUNCATED)"),
        }
    }

    fn icmp(&mut self, icmp: &Icmp) {
        put!(self, "TYPE={} CODE={} ", icmp.kind, icmp.code);
        if let Some(bytes) = icmp.incomplete {
            put!(self, "INCOMPLETE [{bytes} bytes] ");
        }
        if let Some((id, seq)) = icmp.echo {
            put!(self, "ID={id} SEQ={seq} ");
        }
        match icmp.extra {
            None => {}
            Some(IcmpExtra::Parameter(value)) => {
                put!(self, "PARAMETER={value} ");
            }
            Some(IcmpExtra::Gateway(address)) => {
                put!(self, "GATEWAY={} ", Address(address));
            }
            Some(IcmpExtra::Pointer(value)) => {
                put!(self, "POINTER={value:08x} ");
            }
        }
        if let Some(inner) = &icmp.inner {
            self.bytes(b"[");
            self.ip(inner);
            self.bytes(b"] ");
        }
        self.number("MTU", icmp.mtu);
    }

    fn arp(&mut self, arp: &Arp) {
        let Arp { hardware, protocol, operation, .. } = arp;
        put!(self, "ARP HTYPE={hardware} PTYPE=0x{protocol:04x} OPCODE={operation}");
        if let Some(addresses) = &arp.addresses {
            put!(self, " MACSRC={}", Octets(&addresses.sender_mac));
            put!(self, " IPSRC={}", addresses.sender_ip);
            put!(self, " MACDST={}", Octets(&addresses.target_mac));
            put!(self, " IPDST={}", addresses.target_ip);
        } else if arp.incomplete {
            put!(self, " INCOMPLETE [{} bytes]", arp.incomplete_bytes.unwrap_or(0));
        }
    }

    fn owner_and_mark(&mut self, header: &Header) {
        if let Some((user, group)) = header.owner {
            put!(self, "UID={user} GID={group} ");
        }
        if let Some(mark) = header.mark {
            put!(self, "MARK=0x{mark:x} ");
        }
    }

    fn unknown(&mut self, header: &Header) {
        if let Some(unknown) = &header.unknown {
            if self.0.last().is_some_and(|byte| *byte != b' ') {
                self.bytes(b" ");
            }
            self.bytes(unknown);
        }
    }

    fn frame(&mut self, src: Mac, dst: Mac, ethertype: u16) {
        put!(self, " MAC source = {} MAC dest = {}", Octets(&src), Octets(&dst));
        put!(self, " proto = 0x{ethertype:04x}");
    }

    fn ebt_network(&mut self, network: &Network, ethertype: u16) {
        match network {
            Network::Absent | Network::Truncated => {}
            Network::Incomplete => {
                let name = match ethertype {
                    0x0800 => "IP",
                    0x86dd => "IPv6",
                    _ => "ARP",
                };
                put!(self, " INCOMPLETE {name} header");
            }
            Network::Ip(ip) => self.ebt_ip(ip),
            Network::Arp(arp) => self.ebt_arp(arp),
        }
    }

    fn ebt_ip(&mut self, ip: &Ip) {
        let tos = ip.tos.unwrap_or(0);
        let protocol = ip.protocol.map_or(0, |protocol| protocol.0);
        if ip.src.is_ipv6() {
            put!(self, " IPv6 SRC={} IPv6 DST={}", Address(ip.src), Address(ip.dst));
            put!(self, ", IPv6 priority=0x{:01X}, Next Header={protocol}", tos >> 4);
        } else {
            put!(self, " IP SRC={} IP DST={}", Address(ip.src), Address(ip.dst));
            put!(self, ", IP tos=0x{tos:02X}, IP proto={protocol}");
        }
        match &ip.transport {
            Transport::Ports { sport, dport } => {
                put!(self, " SPT={sport} DPT={dport}");
            }
            Transport::Incomplete(_) => self.bytes(b" INCOMPLETE TCP/UDP header"),
            _ => {}
        }
    }

    fn ebt_arp(&mut self, arp: &Arp) {
        let Arp { hardware, protocol, operation, .. } = arp;
        put!(self, " ARP HTYPE={hardware}, PTYPE=0x{protocol:04x}, OPCODE={operation}");
        if let Some(addresses) = &arp.addresses {
            put!(self, " ARP MAC SRC={}", Octets(&addresses.sender_mac));
            put!(self, " ARP IP SRC={}", addresses.sender_ip);
            put!(self, " ARP MAC DST={}", Octets(&addresses.target_mac));
            put!(self, " ARP IP DST={}", addresses.target_ip);
        } else if arp.incomplete {
            self.bytes(b" INCOMPLETE ARP payload");
        }
    }

    fn number(&mut self, key: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            put!(self, "{key}={value} ");
        }
    }

    fn options(&mut self, options: Option<&[u8]>) {
        if let Some(options) = options {
            self.bytes(b"OPT (");
            for octet in options {
                put!(self, "{octet:02X}");
            }
            self.bytes(b") ");
        }
    }
}

/// A hardware address with colons.
struct Octets<'a>(&'a Mac);

impl std::fmt::Display for Octets<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        octets(&self.0.0, f)
    }
}

/// Octets with colons between them.
struct Colons<'a>(&'a [u8]);

impl std::fmt::Display for Colons<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        octets(self.0, f)
    }
}

fn octets(octets: &[u8], f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    for (place, octet) in octets.iter().enumerate() {
        write!(f, "{}{octet:02x}", if place == 0 { "" } else { ":" })?;
    }
    Ok(())
}

/// An address as the kernel's log has it: IPv6 in eight full groups.
struct Address(IpAddr);

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => full_groups(address, f),
        }
    }
}

fn full_groups(address: Ipv6Addr, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    for (place, group) in address.segments().into_iter().enumerate() {
        write!(f, "{}{group:04x}", if place == 0 { "" } else { ":" })?;
    }
    Ok(())
}
