//! Whose rules a dump without a header lists: told by what stands in it, else by the file's name.

use std::net::IpAddr;

use super::collect::{Dump, Form, RawTable};
use super::values;
use super::words::{Word, words};
use crate::model::Hook;
use crate::rulebook::Family;

/// The family of a dump that does not say it. `None`: nothing tells.
pub(super) fn guess(dump: &Dump<'_>, name: &str) -> Option<Family> {
    if dump.tables.iter().any(|table| is_of_bridge(table, dump.form)) {
        return Some(Family::Bridge);
    }
    let (mut v4, mut v6) = (0_u32, 0_u32);
    let rules = dump.tables.iter().flat_map(|table| &table.chains).flat_map(|chain| &chain.rules);
    for rule in rules {
        for (word, next) in pairs(&words(rule.spec)) {
            match sign(word, next) {
                Some(Family::Bridge) => return Some(Family::Bridge),
                Some(Family::Ip4) => v4 += 1,
                Some(Family::Ip6) => v6 += 1,
                _ => {}
            }
        }
    }
    match v4.cmp(&v6) {
        std::cmp::Ordering::Less => Some(Family::Ip6),
        std::cmp::Ordering::Greater => Some(Family::Ip4),
        std::cmp::Ordering::Equal => by_name(name),
    }
}

/// The family that a file's name speaks of: `rules.v6`, `ebtables.txt`.
fn by_name(name: &str) -> Option<Family> {
    let name = name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has(&["ebtables", "ebt", "bridge"]) {
        Some(Family::Bridge)
    } else if has(&["arptables"]) {
        Some(Family::Arp)
    } else if has(&["ip6", "v6", "6tables"]) {
        Some(Family::Ip6)
    } else if has(&["iptables", "v4", "ip4"]) {
        Some(Family::Ip4)
    } else {
        None
    }
}

/// ebtables has a table of its own, and user chains with policies.
fn is_of_bridge(table: &RawTable<'_>, form: Form) -> bool {
    let is_user_chain_with_policy = |name: &str, policy: Option<&str>| {
        Hook::from_chain(name.as_bytes()).is_none() && policy.is_some_and(|word| word != "-")
    };
    table.name == "broute"
        || (form == Form::Save
            && table.chains.iter().any(|chain| is_user_chain_with_policy(chain.name, chain.policy)))
}

/// Every word with the one behind it.
fn pairs<'w, 't>(
    words: &'w [Word<'t>],
) -> impl Iterator<Item = (&'w Word<'t>, Option<&'w Word<'t>>)> {
    words.iter().enumerate().map(|(place, word)| (word, words.get(place + 1)))
}

/// The family that a word speaks for.
fn sign(word: &Word<'_>, next: Option<&Word<'_>>) -> Option<Family> {
    if word.is_quoted() {
        return None;
    }
    let value = next.map(|next| next.raw).unwrap_or_default();
    match word.raw {
        "-s" | "-d" if values::mac_pattern(value).is_some() => return Some(Family::Bridge),
        "-p" if ["IPv4", "IPv6", "ARP", "Length"].contains(&value) || value.starts_with("0x") => {
            return Some(Family::Bridge);
        }
        "-j" if value == "CONTINUE" => return Some(Family::Bridge),
        "--log-ip" | "--log-arp" | "--log-ip6" | "--logical-in" | "--logical-out" => {
            return Some(Family::Bridge);
        }
        "--icmp-type" | "-f" | "icmp" => return Some(Family::Ip4),
        "--icmpv6-type" | "ipv6-icmp" | "icmpv6" | "icmp6" => return Some(Family::Ip6),
        word if word.starts_with("--ttl-") || word.starts_with("icmp-") => {
            return Some(Family::Ip4);
        }
        word if word.starts_with("--hl-") || word.starts_with("icmp6-") => {
            return Some(Family::Ip6);
        }
        word if ["--ip-", "--ip6-", "--arp-"].iter().any(|start| word.starts_with(start)) => {
            return Some(Family::Bridge);
        }
        _ => {}
    }
    match address(word.raw)? {
        IpAddr::V4(_) => Some(Family::Ip4),
        IpAddr::V6(_) => Some(Family::Ip6),
    }
}

/// The address with which a word begins: `10.0.0.0/8`, `10.0.0.1:80`, `[fe80::1]:80`.
fn address(word: &str) -> Option<IpAddr> {
    if !word.starts_with(|c: char| c.is_ascii_hexdigit() || c == '[' || c == ':') {
        return None;
    }
    let bare = word.trim_start_matches('[');
    let end = bare.find(['/', ']', '-', ',']).unwrap_or(bare.len());
    let bare = &bare[..end];
    bare.parse().ok().or_else(|| {
        let (address, _) = bare.rsplit_once(':')?;
        address.parse::<std::net::Ipv4Addr>().ok().map(IpAddr::V4)
    })
}
