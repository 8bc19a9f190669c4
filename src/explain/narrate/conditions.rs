//! A rule's conditions in words: what it asks, and what the packet shows.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::explain::Phrase;
use crate::model::{Header, IfName, Protocol, TcpFlags};
use crate::rulebook::{AddressKind, DevicePattern, Dialect, MacPattern, Match, Sight, Test};

use super::names::{device, mac, protocol_word, socket};

/// The condition as it is written in a rule: `--dport 6379`, `! -o docker0`, and for nft `tcp dport 22`.
pub(crate) fn written(condition: &Match, dialect: Dialect) -> String {
    if dialect == Dialect::Nft {
        return written_for_nft(condition);
    }
    let text = match &condition.test {
        Test::Input(pattern) => format!("-i {}", pattern_text(pattern)),
        Test::Output(pattern) => format!("-o {}", pattern_text(pattern)),
        Test::PhysIn(pattern) => format!("--physdev-in {}", pattern_text(pattern)),
        Test::PhysOut(pattern) => format!("--physdev-out {}", pattern_text(pattern)),
        Test::Bridge(pattern) => format!("--logical-in {}", pattern_text(pattern)),
        Test::Source(ranges) => format!("-s {}", addresses(ranges)),
        Test::Destination(ranges) => format!("-d {}", addresses(ranges)),
        Test::Protocol(number) => format!("-p {}", Protocol(*number).name()),
        Test::SourcePort(ranges) => format!("--sport {}", ports(ranges)),
        Test::DestinationPort(ranges) => format!("--dport {}", ports(ranges)),
        Test::AnyPort(ranges) => format!("--ports {}", ports(ranges)),
        Test::TcpFlags { mask, set } => format!("--tcp-flags {} {}", flags(*mask), flags(*set)),
        Test::IcmpType { kind: None, .. } => "--icmp-type any".into(),
        Test::IcmpType { kind: Some(kind), codes } if *codes == (0..=u8::MAX) => {
            format!("--icmp-type {kind}")
        }
        Test::IcmpType { kind: Some(kind), codes } => {
            format!("--icmp-type {kind}/{}", numbers(codes))
        }
        Test::Mark { value, mask: u32::MAX } => format!("--mark 0x{value:x}"),
        Test::Mark { value, mask } => format!("--mark 0x{value:x}/0x{mask:x}"),
        Test::SourceMac(pattern) => format!("--mac-source {}", mac_text(pattern)),
        Test::DestinationMac(pattern) => format!("-d {}", mac_text(pattern)),
        Test::EtherType(number) => format!("-p 0x{number:04x}"),
        Test::Length(range) => format!("--length {}", numbers(range)),
        Test::Ttl(range) => format!("--ttl {}", numbers(range)),
        Test::LaterFragment => "-f".into(),
        Test::ConnectionState(states) => format!("--ctstate {}", states.join(",")),
        Test::AddressType { of_source, kinds } => {
            let side = if *of_source { "src" } else { "dst" };
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind_word(*kind)).collect();
            format!("--{side}-type {}", kinds.join(","))
        }
        Test::Comment(text) => format!("--comment \"{text}\""),
        Test::Other(text) => text.to_string(),
    };
    if condition.negated { format!("! {text}") } else { text }
}

fn written_for_nft(condition: &Match) -> String {
    let (words, value) = match &condition.test {
        Test::Input(pattern) => ("iifname", pattern_text(pattern).replace('+', "*")),
        Test::Output(pattern) => ("oifname", pattern_text(pattern).replace('+', "*")),
        Test::Source(ranges) => (family_word(ranges, "ip saddr", "ip6 saddr"), addresses(ranges)),
        Test::Destination(ranges) => {
            (family_word(ranges, "ip daddr", "ip6 daddr"), addresses(ranges))
        }
        Test::Protocol(number) => ("meta l4proto", Protocol(*number).name()),
        Test::SourcePort(ranges) => ("sport", ports(ranges).replace(':', "-")),
        Test::DestinationPort(ranges) => ("dport", ports(ranges).replace(':', "-")),
        Test::Mark { value, .. } => ("meta mark", format!("0x{value:x}")),
        Test::SourceMac(pattern) => ("ether saddr", mac_text(pattern)),
        Test::DestinationMac(pattern) => ("ether daddr", mac_text(pattern)),
        Test::EtherType(number) => ("ether type", format!("0x{number:04x}")),
        Test::ConnectionState(states) => ("ct state", states.join(",").to_lowercase()),
        _ => return written(condition, Dialect::IptablesSave),
    };
    let not = if condition.negated { "!= " } else { "" };
    format!("{words} {not}{value}")
}

fn family_word(
    ranges: &[RangeInclusive<IpAddr>],
    four: &'static str,
    six: &'static str,
) -> &'static str {
    if ranges.first().is_some_and(|range| range.start().is_ipv6()) { six } else { four }
}

/// What the packet shows of what the condition asks: `its destination port is 6380`.
pub(crate) fn shown(condition: &Match, sight: &Sight<'_>) -> Option<Phrase> {
    let ip = || sight.header.and_then(Header::ip);
    let named = |words: &str, name: Option<IfName>, without: &str| {
        Some(match name {
            Some(name) => Phrase::text(format!("{words} ")).device(device(name)),
            None => Phrase::text(without),
        })
    };
    let number = |words: &str, value: Option<u64>| {
        value.map(|value| Phrase::text(format!("{words} {value}")))
    };
    match &condition.test {
        Test::Input(_) => named("it comes in on", sight.devices.input, "it comes in on no device"),
        Test::Output(_) => named("it leaves by", sight.devices.output, "it leaves by no device"),
        Test::PhysIn(_) => named(
            "it comes in through the bridge port",
            sight.devices.physin,
            "it comes in through no bridge port",
        ),
        Test::PhysOut(_) => named(
            "it leaves through the bridge port",
            sight.devices.physout,
            "it leaves through no bridge port",
        ),
        Test::Source(_) => Some(Phrase::text("it comes from ").address(ip()?.src.to_string())),
        Test::Destination(_) => Some(Phrase::text("it goes to ").address(ip()?.dst.to_string())),
        Test::Protocol(_) => {
            Some(Phrase::text(format!("it is {}", protocol_word(ip()?.protocol?))))
        }
        Test::SourcePort(_) => number("its source port is", Some(ip()?.ports()?.0.into())),
        Test::DestinationPort(_) => {
            number("its destination port is", Some(ip()?.ports()?.1.into()))
        }
        Test::AnyPort(_) => {
            let (from, to) = ip()?.ports()?;
            Some(Phrase::text(format!("its ports are {from} and {to}")))
        }
        Test::TcpFlags { .. } => {
            let set = ip()?.tcp()?.flags.0;
            Some(Phrase::text(format!("it has the flags {}", flags(set))))
        }
        Test::IcmpType { .. } => {
            let icmp = ip()?.icmp()?;
            Some(Phrase::text(format!("it is of ICMP type {} code {}", icmp.kind, icmp.code)))
        }
        Test::Mark { .. } => {
            let mark = sight.header?.mark.unwrap_or(0);
            Some(Phrase::text(format!("its mark is 0x{mark:x}")))
        }
        Test::SourceMac(_) => {
            let (src, _) = sight.header?.link.addresses()?;
            Some(Phrase::text("it comes from ").address(mac(src)))
        }
        Test::DestinationMac(_) => {
            let (_, dst) = sight.header?.link.addresses()?;
            Some(Phrase::text("it goes to ").address(mac(dst)))
        }
        Test::EtherType(_) => {
            let ethertype = sight.header?.link.ethertype()?;
            Some(Phrase::text(format!("its EtherType is 0x{ethertype:04x}")))
        }
        Test::Length(_) => number("its length is", ip()?.length.map(u64::from)),
        Test::Ttl(_) => number("its time to live is", ip()?.ttl.map(u64::from)),
        Test::LaterFragment => Some(Phrase::text(if ip()?.is_later_fragment() {
            "it is a later fragment"
        } else {
            "it is not a later fragment"
        })),
        Test::AddressType { of_source, .. } => {
            let (side, addr) =
                if *of_source { ("source", ip()?.src) } else { ("destination", ip()?.dst) };
            Some(Phrase::text(format!("its {side} is ")).address(socket(addr, None)))
        }
        Test::Bridge(_) | Test::ConnectionState(_) | Test::Comment(_) | Test::Other(_) => None,
    }
}

pub(crate) fn pattern_text(pattern: &DevicePattern) -> String {
    let end = if pattern.is_prefix { "+" } else { "" };
    format!("{}{end}", String::from_utf8_lossy(&pattern.name))
}

fn mac_text(pattern: &MacPattern) -> String {
    if pattern.mask.0 == [0xff; 6] {
        mac(pattern.mac)
    } else {
        format!("{}/{}", mac(pattern.mac), mac(pattern.mask))
    }
}

fn numbers<T: std::fmt::Display + PartialEq>(range: &RangeInclusive<T>) -> String {
    if range.start() == range.end() {
        range.start().to_string()
    } else {
        format!("{}:{}", range.start(), range.end())
    }
}

fn ports(ranges: &[RangeInclusive<u16>]) -> String {
    ranges.iter().map(numbers).collect::<Vec<_>>().join(",")
}

/// `10.0.0.0/8`, `10.0.0.5`, `10.0.0.1-10.0.0.9`.
fn addresses(ranges: &[RangeInclusive<IpAddr>]) -> String {
    ranges.iter().map(address_range).collect::<Vec<_>>().join(",")
}

fn address_range(range: &RangeInclusive<IpAddr>) -> String {
    let (first, last) = (*range.start(), *range.end());
    if first == last {
        return first.to_string();
    }
    let most = if first.is_ipv4() { 32 } else { 128 };
    let nets = (0..most).filter_map(|length| IpNet::new(first, length).ok());
    let net = nets.into_iter().find(|net| net.network() == first && net.broadcast() == last);
    net.map_or_else(|| format!("{first}-{last}"), |net| net.to_string())
}

/// Flags as iptables writes them: `SYN,ACK`, `NONE`.
fn flags(set: u16) -> String {
    let names = TcpFlags::NAMES.iter().rev().filter(|(bit, _)| set & bit != 0);
    let names: Vec<&str> = names.map(|(_, name)| *name).collect();
    if names.is_empty() { "NONE".into() } else { names.join(",") }
}

fn kind_word(kind: AddressKind) -> &'static str {
    match kind {
        AddressKind::Local => "LOCAL",
        AddressKind::Broadcast => "BROADCAST",
        AddressKind::Multicast => "MULTICAST",
        AddressKind::Unicast => "UNICAST",
        AddressKind::Other => "another kind",
    }
}
