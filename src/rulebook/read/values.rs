//! The values of options: addresses, ports, marks, flags. `None` for what is none of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::model::{Mac, TcpFlags};
use crate::rulebook::{DevicePattern, MacPattern};

/// A range of addresses.
pub(super) type Addresses = RangeInclusive<IpAddr>;

/// A number as `strtoul` reads it: decimal, `0x` hexadecimal, or octal after a `0`.
pub(super) fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    // `from_str_radix` takes a sign.
    digits.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(())?;
    u32::from_str_radix(digits, radix).ok()
}

/// `value` or `value/mask`.
pub(super) fn masked(text: &str) -> Option<(u32, u32)> {
    match text.split_once('/') {
        Some((value, mask)) => Some((number(value)?, number(mask)?)),
        None => Some((number(text)?, u32::MAX)),
    }
}

/// Addresses with commas between: `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `fe80::/10`, `10.0.0.1-10.0.0.9`.
pub(super) fn addresses(text: &str) -> Option<Vec<Addresses>> {
    text.split(',').map(|one| address(one.trim())).collect()
}

/// One address, net or range.
pub(super) fn address(text: &str) -> Option<Addresses> {
    if let Some((first, last)) = text.split_once('-') {
        let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
        return (first.is_ipv4() == last.is_ipv4()).then_some(first..=last);
    }
    let Some((addr, mask)) = text.split_once('/') else {
        let addr: IpAddr = text.parse().ok()?;
        return Some(addr..=addr);
    };
    // `0/0`, as people write it.
    let addr: IpAddr =
        if addr == "0" { Ipv4Addr::UNSPECIFIED.into() } else { addr.parse().ok()? };
    let length = match mask.parse::<u8>() {
        Ok(length) => length,
        Err(_) => prefix_length(addr, mask)?,
    };
    let net = IpNet::new(addr, length).ok()?;
    Some(net.network()..=net.broadcast())
}

/// The length of a mask written as an address; none when its bits have holes.
fn prefix_length(addr: IpAddr, mask: &str) -> Option<u8> {
    match addr {
        IpAddr::V4(_) => {
            let bits = u32::from(mask.parse::<Ipv4Addr>().ok()?);
            (bits.leading_ones() == bits.count_ones()).then_some(bits.count_ones())
        }
        IpAddr::V6(_) => {
            let bits = u128::from(mask.parse::<Ipv6Addr>().ok()?);
            (bits.leading_ones() == bits.count_ones()).then_some(bits.count_ones())
        }
    }
    .and_then(|length| u8::try_from(length).ok())
}

/// Whether a range is every address of its family: the same as no condition.
pub(super) fn is_everything(range: &Addresses) -> bool {
    match (range.start(), range.end()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            first.is_unspecified() && *last == Ipv4Addr::BROADCAST
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            first.is_unspecified() && u128::from(*last) == u128::MAX
        }
        _ => false,
    }
}

/// Ports with commas between: `22`, `80:90`, `:1023`, `1024:`; nft writes `80-90`.
pub(super) fn ports(text: &str) -> Option<Vec<RangeInclusive<u16>>> {
    text.split(',').map(|one| range(one.trim())).collect()
}

/// `5`, `5:9`, `:9`, `5:`, `5-9`.
pub(super) fn range<T>(text: &str) -> Option<RangeInclusive<T>>
where
    T: Copy + TryFrom<u32> + Bounded,
{
    let small = |text: &str| T::try_from(number(text)?).ok();
    match text.split_once([':', '-']) {
        Some(("", "")) => None,
        Some(("", last)) => Some(T::LEAST..=small(last)?),
        Some((first, "")) => Some(small(first)?..=T::GREATEST),
        Some((first, last)) => Some(small(first)?..=small(last)?),
        None => small(text).map(|one| one..=one),
    }
}

/// A number type that knows its ends.
pub(super) trait Bounded {
    /// Its least value.
    const LEAST: Self;
    /// Its greatest value.
    const GREATEST: Self;
}

impl Bounded for u8 {
    const LEAST: Self = Self::MIN;
    const GREATEST: Self = Self::MAX;
}

impl Bounded for u16 {
    const LEAST: Self = Self::MIN;
    const GREATEST: Self = Self::MAX;
}

impl Bounded for u32 {
    const LEAST: Self = Self::MIN;
    const GREATEST: Self = Self::MAX;
}

/// A device, with `wildcard` (`+`, or `*` in nft) at its end for all that begin so.
pub(super) fn device(text: &str, wildcard: char) -> DevicePattern {
    match text.strip_suffix(wildcard) {
        Some(name) => DevicePattern { name: name.as_bytes().into(), is_prefix: true },
        None => DevicePattern { name: text.as_bytes().into(), is_prefix: false },
    }
}

/// TCP flags by name, `ALL` or `NONE`.
pub(super) fn tcp_flags(text: &str) -> Option<u16> {
    let mut flags = 0;
    for name in text.split([',', '|']) {
        let name = name.trim().to_ascii_uppercase();
        flags |= match name.as_str() {
            "ALL" => 0x3f,
            "NONE" => 0,
            _ => TcpFlags::NAMES.iter().find(|(_, known)| *known == name)?.0,
        };
    }
    Some(flags)
}

/// A hardware address: six hexadecimal numbers of one or two digits.
pub(super) fn mac(text: &str) -> Option<Mac> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next().filter(|part| part.len() <= 2 && !part.starts_with('+'))?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(Mac(mac))
}

/// A hardware address of ebtables: with a mask behind `/`, or one of its four names.
pub(super) fn mac_pattern(text: &str) -> Option<MacPattern> {
    const ALL: [u8; 6] = [0xff; 6];
    const GROUP: [u8; 6] = [1, 0, 0, 0, 0, 0];
    let (mac, mask) = match text.to_ascii_lowercase().as_str() {
        "broadcast" => (ALL, ALL),
        "unicast" => ([0; 6], GROUP),
        "multicast" => (GROUP, GROUP),
        "bga" => ([0x01, 0x80, 0xc2, 0, 0, 0], ALL),
        text => match text.split_once('/') {
            Some((address, mask)) => (mac(address)?.0, mac_mask(mask)?),
            None => (mac(text)?.0, ALL),
        },
    };
    Some(MacPattern { mac: Mac(mac), mask: Mac(mask) })
}

/// A mask in the form of an address, or as a number of bits.
fn mac_mask(text: &str) -> Option<[u8; 6]> {
    if text.contains(':') {
        return Some(mac(text)?.0);
    }
    let bits: u32 = text.parse().ok().filter(|bits| *bits <= 48)?;
    let mask = !(u64::MAX >> 16 >> bits) << 16;
    let bytes = mask.to_be_bytes();
    bytes[..6].try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_three_bases() {
        assert_eq!(number("10"), Some(10));
        assert_eq!(number("0x10"), Some(16));
        assert_eq!(number("010"), Some(8));
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("0xffffffff"), Some(u32::MAX));
        for wrong in ["", "+1", "-1", "0x", "1x", "4294967296", "0x-1"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_in_every_form() {
        let range = |first: &str, last: &str| {
            Some(first.parse::<IpAddr>().unwrap()..=last.parse::<IpAddr>().unwrap())
        };
        assert_eq!(address("10.0.0.1"), range("10.0.0.1", "10.0.0.1"));
        assert_eq!(address("10.1.2.3/8"), range("10.0.0.0", "10.255.255.255"));
        assert_eq!(address("10.1.2.3/255.0.0.0"), range("10.0.0.0", "10.255.255.255"));
        assert_eq!(address("10.0.3.0/255.0.255.0"), None, "a mask with holes is no range");
        assert_eq!(
            address("fe80::/10"),
            range("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
        );
        assert_eq!(address("fe80::/ffc0::"), address("fe80::/10"));
        assert_eq!(address("10.0.0.1-10.0.0.9"), range("10.0.0.1", "10.0.0.9"));
        assert_eq!(address("10.0.0.1-::1"), None);
        assert_eq!(address("10.0.0.0/33"), None);
        assert_eq!(address("example.org"), None);
        assert!(is_everything(&address("0.0.0.0/0").unwrap()));
        assert!(is_everything(&address("::/0").unwrap()));
        assert!(!is_everything(&address("0.0.0.0/1").unwrap()));
    }

    #[test]
    fn ports_in_every_form() {
        assert_eq!(ports("22"), Some(vec![22..=22]));
        assert_eq!(ports("22,80:90,:5,1024:"), Some(vec![22..=22, 80..=90, 0..=5, 1024..=65535]));
        assert_eq!(ports("80-90"), Some(vec![80..=90]));
        assert_eq!(ports("65536"), None);
        assert_eq!(ports("ssh"), None);
        assert_eq!(ports(":"), None);
    }

    #[test]
    fn hardware_addresses_and_their_masks() {
        assert_eq!(mac("0:11:22:33:44:5"), Some(Mac([0, 0x11, 0x22, 0x33, 0x44, 5])));
        assert_eq!(mac("00:11:22:33:44"), None);
        assert_eq!(mac("00:11:22:33:44:55:66"), None);
        assert_eq!(mac("fe80::1"), None);
        let pattern = |text: &str| mac_pattern(text).map(|found| (found.mac.0, found.mask.0));
        assert_eq!(pattern("Broadcast"), Some(([0xff; 6], [0xff; 6])));
        assert_eq!(
            pattern("00:11:22:00:00:00/ff:ff:ff:00:00:00"),
            Some(([0, 0x11, 0x22, 0, 0, 0], [0xff, 0xff, 0xff, 0, 0, 0]))
        );
        assert_eq!(pattern("00:11:22:00:00:00/24"), pattern("00:11:22:00:00:00/ff:ff:ff:00:00:00"));
        assert_eq!(pattern("00:11:22:00:00:00/48").map(|found| found.1), Some([0xff; 6]));
        assert_eq!(pattern("00:11:22:00:00:00/0").map(|found| found.1), Some([0; 6]));
    }

    #[test]
    fn flags_by_name() {
        assert_eq!(tcp_flags("FIN,SYN,RST,ACK"), Some(0x17));
        assert_eq!(tcp_flags("ALL"), Some(0x3f));
        assert_eq!(tcp_flags("NONE"), Some(0));
        assert_eq!(tcp_flags("fin|syn"), Some(3));
        assert_eq!(tcp_flags("XYZ"), None);
    }
}
