//! How values are written by producers that do not write them as the kernel does.

use std::net::IpAddr;

use crate::model::{LinkHeader, Mac, Protocol};
use crate::parse::cursor::{decimal, hex_bytes, hex_value, ipv4};
use crate::parse::ordered;

/// An address of either family, shortened or not.
pub(super) fn address(value: &[u8]) -> Option<IpAddr> {
    match ipv4(value) {
        Some(address) => Some(address.into()),
        None => std::str::from_utf8(value).ok()?.parse().ok(),
    }
}

/// Hexadecimal digits with or without `0x`.
pub(super) fn hex32(value: &[u8]) -> Option<u32> {
    let digits = value.strip_prefix(b"0x").or_else(|| value.strip_prefix(b"0X"));
    hex_value(digits.unwrap_or(value))
}

/// The same for 16 bits.
pub(super) fn hex16(value: &[u8]) -> Option<u16> {
    u16::try_from(hex32(value)?).ok()
}

/// The same for 8 bits.
pub(super) fn hex8(value: &[u8]) -> Option<u8> {
    u8::try_from(hex32(value)?).ok()
}

/// `0x10`, or two hexadecimal digits (ulogd), or decimal in any other width.
pub(super) fn tos(value: &[u8]) -> Option<u8> {
    if value.len() == 2 || value.starts_with(b"0x") { hex8(value) } else { decimal(value) }
}

/// The octets after `MAC=`, joined by colons or dashes.
pub(super) fn octets(text: &[u8]) -> Option<LinkHeader> {
    if text.is_empty() {
        return Some(LinkHeader::Octets(Box::default()));
    }
    if text.len() > ordered::LONGEST_OCTETS {
        return None;
    }
    let octets: Option<Box<[u8]>> = groups(text).map(two_digits).collect();
    let octets = octets?;
    match <&[u8; 14]>::try_from(&*octets) {
        Ok(header) => Some(ordered::ethernet(*header)),
        Err(_) => Some(LinkHeader::Octets(octets)),
    }
}

/// A hardware address of six octets; a leading zero may be missing.
pub(super) fn mac(text: &[u8]) -> Option<Mac> {
    let octets: Option<Vec<u8>> = groups(text)
        .take(7)
        .map(|group| if group.len() == 1 { hex8(group) } else { two_digits(group) })
        .collect();
    Some(Mac(<[u8; 6]>::try_from(octets?).ok()?))
}

fn groups(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b':' || byte == b'-')
}

fn two_digits(group: &[u8]) -> Option<u8> {
    let octet = hex_bytes(group)?;
    octet.first().copied().filter(|_| octet.len() == 1)
}

/// A protocol by number or by name.
pub(super) fn protocol(value: &[u8]) -> Option<Protocol> {
    if let Some(number) = decimal(value) {
        return Some(Protocol(number));
    }
    let named = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(value));
    named.map(|&(_, number)| Protocol(number))
}

/// Names from the protocol numbers registry that firewalls are known to print.
const NAMES: &[(&[u8], u8)] = &[
    (b"TCP", 6),
    (b"UDP", 17),
    (b"ICMP", 1),
    (b"ICMPv6", 58),
    (b"IPv6-ICMP", 58),
    (b"ICMP6", 58),
    (b"UDPLITE", 136),
    (b"AH", 51),
    (b"ESP", 50),
    (b"IGMP", 2),
    (b"IPIP", 4),
    (b"IPENCAP", 4),
    (b"EGP", 8),
    (b"DCCP", 33),
    (b"IPv6", 41),
    (b"RSVP", 46),
    (b"GRE", 47),
    (b"EIGRP", 88),
    (b"OSPF", 89),
    (b"OSPFIGP", 89),
    (b"PIM", 103),
    (b"IPCOMP", 108),
    (b"VRRP", 112),
    (b"L2TP", 115),
    (b"SCTP", 132),
    (b"MH", 135),
];
