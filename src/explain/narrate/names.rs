//! Short names for what a story speaks of. The texts are raw: they are escaped where they are shown.

use std::net::{IpAddr, SocketAddr};

use crate::context::HostContext;
use crate::explain::{Phrase, RunKind, ToldStep};
use crate::model::{
    Arp, Endpoint, Header, Icmp, IfName, Ip, Mac, NatKind, Network, Packet, Protocol, Site,
    SiteKind, TcpFlags, Transport,
};
use crate::rulebook::Family;

pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn device(name: IfName) -> String {
    lossy(name.as_bytes())
}

pub(crate) fn mac(mac: Mac) -> String {
    mac.0.map(|octet| format!("{octet:02x}")).join(":")
}

/// `10.1.2.3:80`, `[2001:db8::1]:80`, `10.1.2.3`.
pub(crate) fn socket(addr: IpAddr, port: Option<u16>) -> String {
    port.map_or_else(|| addr.to_string(), |port| SocketAddr::new(addr, port).to_string())
}

/// `10.1.2.3:80`, `10.1.2.3`, `port 80`; nothing when neither is known.
pub(crate) fn endpoint(endpoint: Endpoint) -> Option<String> {
    match (endpoint.addr, endpoint.port) {
        (Some(addr), port) => Some(socket(addr, port)),
        (None, Some(port)) => Some(format!("port {port}")),
        (None, None) => None,
    }
}

/// The address with who is behind it, when that is known: `172.17.0.5:6379 (container myredis)`.
pub(crate) fn somebody(addr: IpAddr, port: Option<u16>, context: Option<&HostContext>) -> Phrase {
    let phrase = Phrase::default().address(socket(addr, port));
    match context.and_then(|context| context.container_at(addr)) {
        Some(container) => phrase.say(format!(" (container {})", container.name)),
        None => phrase,
    }
}

/// Whether the packet is a fragment other than the first, by any of its lines.
pub(crate) fn is_later_fragment(packet: &Packet) -> bool {
    packet.steps.iter().any(|step| step.header.ip().is_some_and(Ip::is_later_fragment))
}

/// Who speaks to whom: `172.17.0.2 → 172.17.0.4:6379`. The source's port says nothing to people.
pub(crate) fn flow(header: &Header, is_fragment: bool) -> Phrase {
    let ip = match &header.network {
        Network::Ip(ip) => ip,
        Network::Arp(arp) => return arp_words(arp).unwrap_or_else(|| Phrase::text("the frame")),
        Network::Absent | Network::Truncated | Network::Incomplete => {
            return Phrase::text("the frame");
        }
    };
    let port = ip.ports().filter(|_| !is_fragment).map(|(_, port)| port);
    Phrase::default().address(format!("{} → {}", ip.src, socket(ip.dst, port)))
}

/// The header that says most of a packet: ebtables prints neither flags nor length.
pub(crate) fn telling_header(packet: &Packet) -> Option<&Header> {
    let headers = || packet.steps.iter().map(|step| &*step.header);
    let is_whole = |header: &&Header| header.ip().is_some_and(|ip| ip.length.is_some());
    headers().find(is_whole).or_else(|| headers().find(|header| header.ip().is_some())).or_else(
        || headers().find(|header| !matches!(header.network, Network::Absent)).or(headers().next()),
    )
}

/// `who has 172.17.0.5? tell 172.17.42.1`, `172.17.0.5 is at 9e:93:85:3f:24:b5`.
pub(crate) fn arp_words(arp: &Arp) -> Option<Phrase> {
    let known = arp.addresses?;
    match arp.operation {
        1 => Some(
            Phrase::text("who has ")
                .address(known.target_ip.to_string())
                .say("? tell ")
                .address(known.sender_ip.to_string()),
        ),
        2 => Some(
            Phrase::default()
                .address(known.sender_ip.to_string())
                .say(" is at ")
                .address(mac(known.sender_mac)),
        ),
        _ => None,
    }
}

/// What a packet is, in a word or two: `SYN`, `SYN-ACK`, `UDP`, `ping`, `ARP question`.
pub(crate) fn packet_word(packet: &Packet) -> String {
    let Some(header) = telling_header(packet) else { return "packet".into() };
    let ip = match &header.network {
        Network::Ip(ip) => ip,
        Network::Arp(arp) => {
            return match arp.operation {
                1 => "ARP question".into(),
                2 => "ARP answer".into(),
                operation => format!("ARP operation {operation}"),
            };
        }
        Network::Absent | Network::Truncated | Network::Incomplete => return "frame".into(),
    };
    if ip.is_later_fragment() {
        return "fragment".into();
    }
    match (&ip.transport, ip.protocol) {
        (Transport::Tcp(tcp), _) => tcp_word(tcp.flags),
        (Transport::Icmp(icmp), protocol) => icmp_word(icmp, protocol == Some(Protocol::ICMPV6)),
        (_, Some(protocol)) => protocol_word(protocol),
        (_, None) => "IP".into(),
    }
}

/// `TCP`, `UDP`, `protocol 132`.
pub(crate) fn protocol_word(protocol: Protocol) -> String {
    let name = protocol.name();
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("protocol {name}")
    } else {
        name.to_uppercase()
    }
}

/// `SYN`, `SYN-ACK`, `FIN-ACK`, `data` for what carries on.
fn tcp_word(flags: TcpFlags) -> String {
    let order = [TcpFlags::SYN, TcpFlags::FIN, TcpFlags::RST, TcpFlags::PSH, TcpFlags::ACK];
    let name = |bit: u16| TcpFlags::NAMES.iter().find(|(known, _)| *known == bit);
    let set = order.into_iter().filter(|bit| flags.has(*bit)).filter_map(name);
    let names: Vec<&str> = set.map(|(_, name)| *name).collect();
    if names.is_empty() { "TCP".into() } else { names.join("-") }
}

fn icmp_word(icmp: &Icmp, is_v6: bool) -> String {
    let name = match (is_v6, icmp.kind) {
        (false, 0) | (true, 129) => "ping reply",
        (false, 8) | (true, 128) => "ping",
        (false, 3) | (true, 1) => "ICMP unreachable",
        (false, 11) | (true, 3) => "ICMP time exceeded",
        (true, 2) => "ICMPv6 packet too big",
        (true, 135) => "neighbour question",
        (true, 136) => "neighbour answer",
        _ => return format!("ICMP type {} code {}", icmp.kind, icmp.code),
    };
    name.into()
}

/// `DNAT`, as in the rules.
pub(crate) fn nat_word(kind: NatKind) -> &'static str {
    match kind {
        NatKind::Dnat => "DNAT",
        NatKind::Snat => "SNAT",
        NatKind::Masquerade => "MASQUERADE",
        NatKind::Redirect => "REDIRECT",
        NatKind::Netmap => "NETMAP",
    }
}

/// Where a step is: `filter:FORWARD rule 5`, `filter:FORWARD policy`, `bridge nat:OUTPUT rule 1`; what the rule book does
/// not tell is called as the line calls it.
pub(crate) fn place(told: &ToldStep<'_>) -> String {
    if let Some(place) = &told.place {
        return rule_place(place.family, &place.table, &place.chain, place.number);
    }
    match &*told.step.hop.site {
        Site::Trace { table, chain, kind } => {
            let chain = format!("{}:{}", lossy(table), lossy(chain));
            match kind {
                SiteKind::Rule(number) => format!("{chain} rule {number}"),
                _ if told.is_chain_end => format!("{chain} end"),
                SiteKind::Return(number) => format!("{chain} return:{number}"),
                SiteKind::Policy(number) => format!("{chain} policy:{number}"),
            }
        }
        Site::Log { prefix } if prefix.trim_ascii().is_empty() => "LOG without a prefix".into(),
        Site::Log { prefix } => format!("LOG \"{}\"", lossy(prefix.trim_ascii())),
        Site::Bridge { table, chain, .. } => format!("bridge {}:{}", lossy(table), lossy(chain)),
        Site::BridgeLog { prefix } => format!("bridge LOG \"{}\"", lossy(prefix.trim_ascii())),
    }
}

/// `filter:FORWARD rule 5`; number 0 is the policy.
pub(crate) fn rule_place(family: Family, table: &str, chain: &str, number: u32) -> String {
    let layer = if family == Family::Bridge { "bridge " } else { "" };
    match number {
        0 => format!("{layer}{table}:{chain} policy"),
        _ => format!("{layer}{table}:{chain} rule {number}"),
    }
}

/// `1 packet`, `4 packets`.
pub(crate) fn count(number: u64, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

/// Microseconds as people say them: `34 µs`, `417 ms`, `3 s`, `2 minutes`, `5 hours`, `3 days`.
pub(crate) fn lasting(us: u64) -> String {
    const SECOND: u64 = 1_000_000;
    const MINUTE: u64 = 60 * SECOND;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..SECOND => format!("{} ms", us / 1_000),
        SECOND..MINUTE => count(us / SECOND, "second"),
        MINUTE..HOUR => count(us / MINUTE, "minute"),
        HOUR..DAY => count(us / HOUR, "hour"),
        _ => count(us / DAY, "day"),
    }
}

/// Phrases as a list in words: `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(parts: Vec<Phrase>, word: &str) -> Phrase {
    let count = parts.len();
    parts.into_iter().enumerate().fold(Phrase::default(), |said, (at, part)| {
        let said = match at {
            0 => said,
            _ if at + 1 == count => said.say(format!(" {word} ")),
            _ => said.say(", "),
        };
        said.append(part)
    })
}

/// A rule's text between backquotes, as it is quoted inside of sentences.
pub(crate) fn quoted(phrase: Phrase, rule: &str) -> Phrase {
    phrase.say("`").rule(rule).say("`")
}

/// The sentence with a capital at its beginning and a full stop at its end.
pub(crate) fn sentence(mut phrase: Phrase) -> Phrase {
    if let Some(first) = phrase.0.first_mut().filter(|run| run.kind == RunKind::Text) {
        let mut rest = first.text.chars();
        if let Some(letter) = rest.next() {
            first.text = letter.to_uppercase().chain(rest).collect();
        }
    }
    match phrase.0.last() {
        Some(last) if last.text.ends_with(['.', '?', '!']) => phrase,
        Some(_) => phrase.say("."),
        None => phrase,
    }
}
