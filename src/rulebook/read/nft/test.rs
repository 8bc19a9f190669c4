//! nft's expressions as conditions; those that are not easy stay text.

use super::expression::{Braces, Expression, Value};
use crate::rulebook::read::{names, values};
use crate::rulebook::{AddressKind, Family, MacPattern, Match, Test};

/// The conditions that an expression stands for, those it implies first. `None`: it stays text.
pub(super) fn conditions(expression: &Expression<'_, '_>, family: Family) -> Option<Vec<Match>> {
    let implied = implied(&expression.key, family);
    let is_denied = matches!(expression.compare, "!=" | "ne" | "!");
    let (test, negated) = test(expression)?;
    let mut conditions = implied;
    conditions.push(Match { negated: is_denied != negated, test });
    Some(conditions)
}

/// What must hold for the key to exist in a packet.
pub(super) fn implied(key: &[&str], family: Family) -> Vec<Match> {
    let is_mixed = matches!(family, Family::Inet | Family::Bridge | Family::Netdev);
    let test = match key.first().copied() {
        Some("ip") if is_mixed => Test::EtherType(0x0800),
        Some("ip6") if is_mixed => Test::EtherType(0x86dd),
        Some("tcp") => Test::Protocol(6),
        Some("udp") => Test::Protocol(17),
        Some("dccp") => Test::Protocol(33),
        Some("sctp") => Test::Protocol(132),
        Some("udplite") => Test::Protocol(136),
        Some("icmp") => Test::Protocol(1),
        Some("icmpv6") => Test::Protocol(58),
        _ => return Vec::new(),
    };
    vec![Match { negated: false, test }]
}

/// The condition proper, and whether it must not hold for equality.
fn test(expression: &Expression<'_, '_>) -> Option<(Test, bool)> {
    if expression.is_complex {
        return None;
    }
    let positive = |test: Test| Some((test, false));
    match expression.key.as_slice() {
        ["tcp", "flags"] => positive(flags(expression)?),
        ["mark"] => {
            let mask = match expression.mask {
                Some([mask]) => values::number(mask.text)?,
                Some(_) => return None,
                None => u32::MAX,
            };
            positive(Test::Mark { value: values::number(one(expression)?)?, mask })
        }
        ["ip", "frag-off"] => {
            let mask = expression.mask?.first()?.text;
            let is_offset = values::number(mask) == Some(8191) && one(expression)? == "0";
            // Equal to nothing is no later fragment.
            is_offset.then_some((Test::LaterFragment, true))
        }
        ["ether", field @ ("saddr" | "daddr")] => {
            let pattern = mac(expression)?;
            positive(match *field {
                "saddr" => Test::SourceMac(pattern),
                _ => Test::DestinationMac(pattern),
            })
        }
        ["ip", "ttl"] | ["ip6", "hoplimit"] => positive(Test::Ttl(ordered(expression)?)),
        ["ip", "length"] | ["length"] => positive(Test::Length(ordered(expression)?)),
        key if expression.mask.is_none() && is_equality(expression.compare) => {
            plain(key, expression)
        }
        _ => None,
    }
}

fn is_equality(compare: &str) -> bool {
    matches!(compare, "" | "==" | "eq" | "!=" | "ne" | "!")
}

/// Conditions without a mask or an order.
fn plain(key: &[&str], expression: &Expression<'_, '_>) -> Option<(Test, bool)> {
    let list = || match &expression.value {
        Value::List(list, _) => Some(list.as_slice()),
        _ => None,
    };
    let addresses = || list()?.iter().map(|one| values::address(one)).collect::<Option<Vec<_>>>();
    let ports = || list()?.iter().map(|one| values::range(one)).collect::<Option<Vec<_>>>();
    let test = match key {
        ["iif" | "iifname"] => Test::Input(values::device(one(expression)?, '*')),
        ["oif" | "oifname"] => Test::Output(values::device(one(expression)?, '*')),
        ["ibrname" | "ibridgename"] => Test::Bridge(values::device(one(expression)?, '*')),
        ["ip" | "ip6", "saddr"] | ["arp", "saddr", "ip"] => Test::Source(addresses()?),
        ["ip" | "ip6", "daddr"] | ["arp", "daddr", "ip"] => Test::Destination(addresses()?),
        ["ip", "protocol"] | ["ip6", "nexthdr"] | ["l4proto"] => {
            Test::Protocol(names::protocol(one(expression)?)?)
        }
        ["tcp" | "udp" | "udplite" | "sctp" | "dccp" | "th", "sport"] => Test::SourcePort(ports()?),
        ["tcp" | "udp" | "udplite" | "sctp" | "dccp" | "th", "dport"] => {
            Test::DestinationPort(ports()?)
        }
        [icmp @ ("icmp" | "icmpv6"), "type"] => {
            let (kind, _) = names::icmp_type(one(expression)?, *icmp == "icmpv6")?;
            Test::IcmpType { kind: Some(kind), codes: 0..=u8::MAX }
        }
        [icmp @ ("icmp" | "icmpv6"), "code"] => {
            let text = one(expression)?;
            let named = || names::icmp_type(text, *icmp == "icmpv6")?.1;
            let code = text.parse().ok().or_else(named)?;
            Test::IcmpType { kind: None, codes: code..=code }
        }
        ["ether", "type"] | ["protocol"] => Test::EtherType(names::ethertype(one(expression)?)?),
        ["nfproto"] => match one(expression)? {
            "ipv4" => Test::EtherType(0x0800),
            "ipv6" => Test::EtherType(0x86dd),
            _ => return None,
        },
        ["ct", "state"] => Test::ConnectionState(
            list()?.iter().map(|name| name.to_ascii_uppercase().into()).collect(),
        ),
        ["fib", side @ ("saddr" | "daddr"), "type"] => {
            let of_source = *side == "saddr";
            Test::AddressType {
                of_source,
                kinds: list()?.iter().map(|name| address_kind(name)).collect(),
            }
        }
        _ => return None,
    };
    Some((test, false))
}

/// The one value it is compared with.
fn one<'t>(expression: &Expression<'_, 't>) -> Option<&'t str> {
    match &expression.value {
        Value::List(list, _) => match list.as_slice() {
            [one] => Some(one),
            _ => None,
        },
        _ => None,
    }
}

/// A number, a range, or all below or above a number.
fn ordered<T>(expression: &Expression<'_, '_>) -> Option<std::ops::RangeInclusive<T>>
where
    T: Copy + TryFrom<u32> + values::Bounded,
{
    let text = one(expression)?;
    let small = |number: u32| T::try_from(number).ok();
    if expression.mask.is_some() {
        return None;
    }
    match expression.compare {
        "<" | "lt" => Some(T::LEAST..=small(values::number(text)?.checked_sub(1)?)?),
        ">" | "gt" => Some(small(values::number(text)?.checked_add(1)?)?..=T::GREATEST),
        "<=" | "le" => Some(T::LEAST..=small(values::number(text)?)?),
        ">=" | "ge" => Some(small(values::number(text)?)?..=T::GREATEST),
        _ => values::range(text),
    }
}

fn mac(expression: &Expression<'_, '_>) -> Option<MacPattern> {
    let pattern = values::mac_pattern(one(expression)?)?;
    match expression.mask {
        Some([mask]) => Some(MacPattern { mask: values::mac(mask.text)?, ..pattern }),
        Some(_) => None,
        None => Some(pattern),
    }
}

fn flags(expression: &Expression<'_, '_>) -> Option<Test> {
    let all = |names: &[&str]| {
        names.iter().try_fold(0, |flags, name| Some(flags | values::tcp_flags(name)?))
    };
    let (mask, set) = match (&expression.value, expression.mask, expression.compare) {
        (Value::Masked(set, mask), None, "" | "==" | "!=") => (all(mask)?, all(set)?),
        (Value::List(set, Braces::Without), Some(mask), "==" | "!=") => {
            let words = mask.iter().filter(|token| !["(", ")", "|", ","].contains(&token.text));
            let words: Vec<_> = words.map(|token| token.text).collect();
            let set = match set.as_slice() {
                [zero] if values::number(zero) == Some(0) => 0,
                names => all(names)?,
            };
            (all(&words)?, set)
        }
        (Value::List(set, Braces::Without), None, "==" | "!=") => (0xff, all(set)?),
        // None of them; the comparison's denial is undone by its own.
        (Value::List(set, Braces::Without), None, "!") => {
            return match all(set)? {
                flag if flag.is_power_of_two() => Some(Test::TcpFlags { mask: flag, set: flag }),
                _ => None,
            };
        }
        // One flag: it is set. Several: any of them is, which is no mask.
        (Value::List(set, Braces::Without), None, "") => match all(set)? {
            flag if flag.is_power_of_two() => (flag, flag),
            _ => return None,
        },
        _ => return None,
    };
    Some(Test::TcpFlags { mask, set })
}

fn address_kind(name: &str) -> AddressKind {
    match name {
        "local" => AddressKind::Local,
        "broadcast" => AddressKind::Broadcast,
        "multicast" => AddressKind::Multicast,
        "unicast" => AddressKind::Unicast,
        _ => AddressKind::Other,
    }
}
