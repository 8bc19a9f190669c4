//! The words of a line, and what they mean.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::model::{IfName, Mac};

/// The word after a key: `after(words, "dev")`.
pub(super) fn after<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    let place = words.iter().position(|word| *word == key)?;
    words.get(place + 1).copied()
}

/// The device named after a key.
pub(super) fn device_after(words: &[&str], key: &str) -> Option<IfName> {
    after(words, key).and_then(device)
}

/// The number after a key, 0 when there is none.
pub(super) fn number_after<T: FromStr + Default>(words: &[&str], key: &str) -> T {
    after(words, key).and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// A device's name; `@if2` and the colon of a heading are no part of it.
pub(super) fn device(word: &str) -> Option<IfName> {
    let word = word.strip_suffix(':').unwrap_or(word);
    let word = word.split_once('@').map_or(word, |(name, _)| name);
    if word.contains(['/', ':']) { None } else { IfName::new(word.as_bytes()) }
}

/// An Ethernet address, with colons or dashes.
pub(super) fn mac(word: &str) -> Option<Mac> {
    let bytes = word.as_bytes();
    if bytes.len() != 17 {
        return None;
    }
    let mut octets = [0; 6];
    for (place, octet) in octets.iter_mut().enumerate() {
        let at = place * 3;
        if place > 0 && !matches!(bytes[at - 1], b':' | b'-') {
            return None;
        }
        *octet = digit(bytes[at])? << 4 | digit(bytes[at + 1])?;
    }
    Some(Mac(octets))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// An address or a net: `10.0.0.0/8`, `10.0.0.1` (one address), `default` of the given family.
pub(super) fn net(word: &str, is_ipv6: bool) -> Option<IpNet> {
    if let Ok(addr) = word.parse::<IpAddr>() {
        return Some(IpNet::from(addr));
    }
    match word {
        "default" | "all" if is_ipv6 => Some(IpNet::V6(Ipv6Net::default())),
        "default" | "all" => Some(IpNet::V4(Ipv4Net::default())),
        _ => word.parse().ok(),
    }
}

/// A number, decimal or with `0x`.
pub(super) fn number(word: &str) -> Option<u32> {
    match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

/// The line with single blanks.
pub(super) fn squeezed(words: &[&str]) -> Box<str> {
    words.join(" ").into()
}
