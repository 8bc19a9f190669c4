//! Short names for people: sites, endpoints, packets, states, verdicts, durations.

use crate::model::{
    Arp, Endpoint, Header, Icmp, Mac, NatKind, Network, Packet, Protocol, Site, SiteKind, TcpFlags,
    Transport,
};
use crate::render::escape;

/// A site as the log would write it, escaped: `filter:FORWARD:rule:2`, `eb:nat:OUTPUT`, `log:"prefix"`.
pub fn site_name(site: &Site) -> String {
    match site {
        Site::Trace { table, chain, kind } => {
            let (word, number) = kind_words(*kind);
            format!("{}:{}:{word}:{number}", escape(table), escape(chain))
        }
        Site::Bridge { table, chain, .. } => format!("eb:{}:{}", escape(table), escape(chain)),
        Site::Log { prefix } => format!("log:\"{}\"", escape(prefix)),
        Site::BridgeLog { prefix } => format!("eb:?:\"{}\"", escape(prefix)),
    }
}

/// `rule`, `return` or `policy`, and the number.
pub(super) fn kind_words(kind: SiteKind) -> (&'static str, u32) {
    match kind {
        SiteKind::Rule(number) => ("rule", number),
        SiteKind::Return(number) => ("return", number),
        SiteKind::Policy(number) => ("policy", number),
    }
}

/// `10.1.2.3:80`, `[2001:db8::1]:80`, `10.1.2.3`, `?:80`, `?`.
pub fn endpoint(endpoint: &Endpoint) -> String {
    match (endpoint.addr, endpoint.port) {
        (Some(addr), Some(port)) => std::net::SocketAddr::new(addr, port).to_string(),
        (Some(addr), None) => addr.to_string(),
        (None, Some(port)) => format!("?:{port}"),
        (None, None) => "?".into(),
    }
}

/// The kind of a translation, in capitals as in the rules.
pub fn nat_name(kind: NatKind) -> &'static str {
    match kind {
        NatKind::Dnat => "DNAT",
        NatKind::Snat => "SNAT",
        NatKind::Masquerade => "MASQUERADE",
        NatKind::Redirect => "REDIRECT",
        NatKind::Netmap => "NETMAP",
    }
}

/// `SYN·ACK 60 B`, `UDP 73 B`, `ICMP echo request 84 B`, `ARP 10.0.0.1 is-at`.
pub fn packet_title(packet: &Packet) -> String {
    let headers = packet.steps.iter().map(|step| &*step.header);
    // ebtables prints neither flags nor length: an IP line says more, wherever it comes.
    let detailed = headers.clone().find(|header| header.ip().is_some_and(|ip| ip.length.is_some()));
    detailed.or_else(|| headers.clone().next()).map_or_else(String::new, header_title)
}

fn header_title(header: &Header) -> String {
    let ip = match &header.network {
        Network::Ip(ip) => ip,
        Network::Arp(arp) => return arp_title(arp),
        Network::Truncated | Network::Incomplete => return "header unreadable".into(),
        Network::Absent => return frame_title(header),
    };
    let mut title = match &ip.transport {
        Transport::Tcp(tcp) => tcp_flags(tcp.flags),
        Transport::Icmp(icmp) => icmp_title(icmp, ip.protocol == Some(Protocol::ICMPV6)),
        _ => ip.protocol.map_or_else(
            || "IP".into(),
            |protocol| match protocol.name().parse::<u8>() {
                Ok(number) => format!("protocol {number}"),
                Err(_) => protocol.name().to_uppercase(),
            },
        ),
    };
    if ip.is_later_fragment() {
        title.push_str(" fragment");
    }
    match ip.length {
        Some(length) => format!("{title} {} B", grouped(u64::from(length))),
        None => title,
    }
}

/// Flags from the handshake on, `ACK` last: `SYN·ACK`, `FIN·ACK`, `PSH·ACK`.
fn tcp_flags(flags: TcpFlags) -> String {
    let name = |bit: u16, name: &'static str| flags.has(bit).then_some(name);
    let others = TcpFlags::NAMES.iter().rev().filter(|(bit, _)| *bit != TcpFlags::ACK);
    let names: Vec<&str> = others
        .filter_map(|(bit, text)| name(*bit, text))
        .chain(name(TcpFlags::ACK, "ACK"))
        .collect();
    if names.is_empty() { "TCP no flags".into() } else { names.join("·") }
}

fn icmp_title(icmp: &Icmp, v6: bool) -> String {
    let family = if v6 { "ICMPv6" } else { "ICMP" };
    let name = match (v6, icmp.kind) {
        (false, 0) | (true, 129) => "echo reply",
        (false, 8) | (true, 128) => "echo request",
        (false, 3) | (true, 1) => "unreachable",
        (false, 5) | (true, 137) => "redirect",
        (false, 11) | (true, 3) => "time exceeded",
        (true, 2) => "too big",
        (true, 135) => "neighbour?",
        (true, 136) => "neighbour!",
        _ => return format!("{family} {}/{}", icmp.kind, icmp.code),
    };
    format!("{family} {name}")
}

/// `ARP who-has`, `ARP is-at`: without addresses.
pub(super) fn arp_word(arp: &Arp) -> String {
    match arp.operation {
        1 => "ARP who-has".into(),
        2 => "ARP is-at".into(),
        operation => format!("ARP operation {operation}"),
    }
}

/// `who has 172.17.0.5? tell 172.17.42.1`, `172.17.0.5 is at 9e:93:85:3f:24:b5`.
pub(super) fn arp_sentence(arp: &Arp) -> Option<String> {
    let addresses = arp.addresses?;
    match arp.operation {
        1 => Some(format!("who has {}? tell {}", addresses.target_ip, addresses.sender_ip)),
        2 => Some(format!("{} is at {}", addresses.sender_ip, mac(addresses.sender_mac))),
        _ => None,
    }
}

fn mac(mac: Mac) -> String {
    mac.0.map(|octet| format!("{octet:02x}")).join(":")
}

fn arp_title(arp: &Arp) -> String {
    match (arp.operation, arp.addresses) {
        (1, Some(addresses)) => format!("ARP who-has {}", addresses.target_ip),
        (2, Some(addresses)) => format!("ARP {} is-at", addresses.sender_ip),
        (operation, _) => format!("ARP operation {operation}"),
    }
}

fn frame_title(header: &Header) -> String {
    match header.link.ethertype() {
        Some(0x86dd) => "IPv6 frame".into(),
        Some(0x0800) => "IPv4 frame".into(),
        Some(length) if length < 0x0600 => "802.3 frame".into(),
        Some(ethertype) => format!("frame 0x{ethertype:04x}"),
        None => "frame".into(),
    }
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Microseconds for people: `79 µs`, `417,123 µs`, `12.345678 s`. Nothing is rounded away.
pub fn duration(us: u64) -> String {
    if us < 10_000_000 {
        format!("{} µs", grouped(us))
    } else {
        format!("{}.{:06} s", grouped(us / 1_000_000), us % 1_000_000)
    }
}

/// An offset: `+21`, `−3`, `+12.345678 s`.
pub(super) fn offset(us: i64) -> String {
    let sign = if us < 0 { '-' } else { '+' };
    let us = us.unsigned_abs();
    if us < 10_000_000 {
        format!("{sign}{}", grouped(us))
    } else {
        format!("{sign}{}", duration(us))
    }
}
