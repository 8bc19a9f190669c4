//! Values: each key reads its own kind.

use std::net::IpAddr;
use std::str::FromStr as _;

use crate::filter::keys::{KEYS, nearest};
use crate::filter::lex::Value;
use crate::filter::time::span;
use crate::filter::{
    AddressRange, ChainName, Clock, Device, FilterError, NumberRange, OneOf, Place, ProtocolName,
    RulePattern, Side, Term,
};
use crate::model::{ConnectionState, Hook, LinkKind, Mac, NatKind, Protocol, VerdictKind};

/// Reads the values of one key.
pub(super) fn term(
    key: &str,
    column: usize,
    values: &[Value],
    clock: &Clock,
) -> Result<Term, FilterError> {
    let bytes = |value: &Value| Ok(value.text.as_bytes().into());
    Ok(match key {
        "addr" => Term::Address(Side::Any, each(values, addresses)?),
        "src" => Term::Address(Side::Source, each(values, addresses)?),
        "dst" => Term::Address(Side::Destination, each(values, addresses)?),
        "port" => Term::Port(Side::Any, each(values, ports)?),
        "sport" => Term::Port(Side::Source, each(values, ports)?),
        "dport" => Term::Port(Side::Destination, each(values, ports)?),
        "host" => Term::Host(values.iter().map(|value| value.text.clone()).collect()),
        "proto" => Term::Protocol(each(values, protocol)?),
        "in" => Term::Device(Device::In, each(values, bytes)?),
        "out" => Term::Device(Device::Out, each(values, bytes)?),
        "mac" => Term::Mac(each(values, mac)?),
        "nat" => Term::Nat(each(values, |value| one_of(value, NatKind::ALL, NatKind::name))?),
        "verdict" => Term::Verdict(each(values, |value| {
            word(value, VerdictKind::ALL, VerdictKind::name, &[])
        })?),
        "rule" => Term::Rule(each(values, rule)?),
        "chain" => Term::Chain(each(values, chain)?),
        "hook" => Term::Hook(each(values, hook)?),
        "state" => Term::State(each(values, |value| {
            word(value, ConnectionState::ALL, ConnectionState::name, &[])
        })?),
        "link" => Term::Link(each(values, |value| one_of(value, LinkKind::ALL, LinkKind::name))?),
        "since" => Term::Since(span(single(key, values)?, clock)?.first),
        "until" => Term::Until(span(single(key, values)?, clock)?.last),
        "id" => Term::Id(each(values, id)?),
        "lines" => Term::Lines(each(values, |value| numbers(value, u64::MAX))?),
        _ => return Err(unknown_key(key, column)),
    })
}

fn unknown_key(key: &str, column: usize) -> FilterError {
    let error = FilterError::new(column, format!("there is no key `{key}:`"));
    let lower = key.to_lowercase();
    if KEYS.contains(&lower.as_str()) {
        return error.hint(format!("write `{lower}:`"));
    }
    match nearest(key, KEYS) {
        Some(near) => error.hint(format!("did you mean `{near}:`?")),
        None => error.hint(format!("keys are {}", KEYS.map(|key| format!("{key}:")).join(" "))),
    }
}

fn each<T>(
    values: &[Value],
    read: impl Fn(&Value) -> Result<T, FilterError>,
) -> Result<Vec<T>, FilterError> {
    values.iter().map(read).collect()
}

fn single<'a>(key: &str, values: &'a [Value]) -> Result<&'a Value, FilterError> {
    match values {
        [value] => Ok(value),
        [_, second, ..] => {
            Err(FilterError::new(second.column, format!("`{key}:` takes one time only")))
        }
        [] => Err(FilterError::new(1, "a value is missing")),
    }
}

fn bad(value: &Value, kind: &str) -> FilterError {
    FilterError::new(value.column, format!("`{}` is no {kind}", value.text))
}

fn addresses(value: &Value) -> Result<AddressRange, FilterError> {
    let text = value.text.as_str();
    if let Some(address) = address(text) {
        return Ok(AddressRange { first: address, last: address });
    }
    if let Ok(network) = text.parse::<ipnet::IpNet>() {
        return Ok(AddressRange { first: network.network(), last: network.broadcast() });
    }
    if let Some((first, last)) = text.split_once('-') {
        let (Some(first), Some(last)) = (address(first), address(last)) else {
            return Err(bad(value, "range of addresses"));
        };
        if first.is_ipv4() != last.is_ipv4() || first > last {
            return Err(bad(value, "range of addresses").hint("write the lower address first"));
        }
        return Ok(AddressRange { first, last });
    }
    let error = bad(value, "address");
    Err(match text.parse::<std::net::SocketAddr>() {
        Ok(socket) => error.hint(format!("write `addr:{} port:{}`", socket.ip(), socket.port())),
        Err(_) => error.hint("write 10.1.2.3, 10.0.0.0/8, 10.0.0.1-10.0.0.9 or an IPv6 address"),
    })
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    IpAddr::from_str(bare.unwrap_or(text)).ok()
}

fn ports(value: &Value) -> Result<NumberRange, FilterError> {
    numbers(value, u64::from(u16::MAX))
}

/// `20`, `20-30`, `>20`, `>=20`, `<20`, `<=20`; nothing above `most`.
fn numbers(value: &Value, most: u64) -> Result<NumberRange, FilterError> {
    let text = value.text.as_str();
    let number = |text: &str| match text.parse::<u64>() {
        Ok(number) if number <= most => Ok(number),
        Ok(_) => Err(FilterError::new(value.column, format!("`{text}` is above {most}"))),
        Err(_) => Err(bad(value, "number").hint("write 20, 20-30, >20, >=20, <20 or <=20")),
    };
    let range = if let Some(text) = text.strip_prefix(">=") {
        Some(NumberRange { first: number(text)?, last: most })
    } else if let Some(text) = text.strip_prefix("<=") {
        Some(NumberRange { first: 0, last: number(text)? })
    } else if let Some(text) = text.strip_prefix('>') {
        number(text)?.checked_add(1).map(|first| NumberRange { first, last: most })
    } else if let Some(text) = text.strip_prefix('<') {
        number(text)?.checked_sub(1).map(|last| NumberRange { first: 0, last })
    } else if let Some((first, last)) = text.split_once('-') {
        Some(NumberRange { first: number(first)?, last: number(last)? })
    } else {
        let number = number(text)?;
        Some(NumberRange { first: number, last: number })
    };
    range
        .filter(|range| range.first <= range.last)
        .ok_or_else(|| bad(value, "range: no number is in it"))
}

fn protocol(value: &Value) -> Result<ProtocolName, FilterError> {
    let name = value.text.to_lowercase();
    let name = match name.as_str() {
        "arp" => return Ok(ProtocolName::Arp),
        "icmp6" | "ipv6-icmp" => "icmpv6",
        other => other,
    };
    let named = Protocol::NAMED.iter().find(|(_, known)| *known == name);
    let protocol = named.map(|(protocol, _)| *protocol);
    if let Some(protocol) = protocol.or_else(|| name.parse().ok().map(Protocol)) {
        return Ok(ProtocolName::Ip(protocol));
    }
    let words = Protocol::NAMED.iter().map(|(_, name)| *name).chain(["arp"]);
    Err(suggest(bad(value, "protocol"), &value.text, words))
}

fn mac(value: &Value) -> Result<Mac, FilterError> {
    let mut octets = [0; 6];
    let mut parts = value.text.split([':', '-']);
    for octet in &mut octets {
        let part = parts.next().filter(|part| matches!(part.len(), 1 | 2));
        let read = part.and_then(|part| u8::from_str_radix(part, 16).ok());
        *octet =
            read.ok_or_else(|| bad(value, "Ethernet address").hint("write 02:42:ac:11:00:05"))?;
    }
    if parts.next().is_some() {
        return Err(bad(value, "Ethernet address").hint("it has six parts"));
    }
    Ok(Mac(octets))
}

fn word<T: Copy>(
    value: &Value,
    all: &[T],
    name: fn(T) -> &'static str,
    also: &[&'static str],
) -> Result<T, FilterError> {
    let wanted = value.text.to_lowercase();
    all.iter().copied().find(|one| name(*one) == wanted).ok_or_else(|| {
        let words = all.iter().map(|one| name(*one)).chain(also.iter().copied());
        suggest(bad(value, "value of this key"), &value.text, words)
    })
}

fn suggest<'a>(
    error: FilterError,
    text: &str,
    words: impl Iterator<Item = &'a str> + Clone,
) -> FilterError {
    match nearest(text, words.clone()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("write one of {}", words.collect::<Vec<_>>().join(", "))),
    }
}

fn one_of<T: Copy>(
    value: &Value,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<OneOf<T>, FilterError> {
    match value.text.to_lowercase().as_str() {
        "any" => Ok(OneOf::Any),
        "none" => Ok(OneOf::None),
        _ => word(value, all, name, &["any", "none"]).map(OneOf::Kind),
    }
}

fn rule(value: &Value) -> Result<RulePattern, FilterError> {
    let text = value.text.as_str();
    let Some((table, rest)) = text.split_once('/') else {
        if text.contains(':') {
            return Ok(RulePattern::Label(text.to_owned()));
        }
        return Err(bad(value, "rule").hint("write table/chain/number, such as filter/FORWARD/3"));
    };
    let (chain, place) = match rest.rsplit_once('/') {
        None => (rest, None),
        Some((chain, place)) => (chain, Some(self::place(value, place)?)),
    };
    if table.is_empty() || chain.is_empty() {
        return Err(bad(value, "rule").hint("write table/chain/number, such as filter/FORWARD/3"));
    }
    Ok(RulePattern::Place { table: table.as_bytes().into(), chain: chain.as_bytes().into(), place })
}

fn place(value: &Value, text: &str) -> Result<Place, FilterError> {
    match text {
        "policy" => Ok(Place::Policy),
        "return" => Ok(Place::Return),
        number => number.parse().map(Place::Rule).map_err(|_| {
            bad(value, "rule").hint("after the chain comes a number, `policy` or `return`")
        }),
    }
}

fn chain(value: &Value) -> Result<ChainName, FilterError> {
    match value.text.split_once('/') {
        None => Ok((None, value.text.as_bytes().into())),
        Some((table, chain)) if !table.is_empty() && !chain.is_empty() => {
            Ok((Some(table.as_bytes().into()), chain.as_bytes().into()))
        }
        Some(_) => Err(bad(value, "chain").hint("write DOCKER or nat/DOCKER")),
    }
}

fn hook(value: &Value) -> Result<Hook, FilterError> {
    Hook::from_chain(value.text.to_uppercase().as_bytes()).ok_or_else(|| {
        let words = Hook::ALL.iter().map(|hook| hook.name());
        let error = bad(value, "hook");
        suggest(error, &value.text, words)
    })
}

fn id(value: &Value) -> Result<String, FilterError> {
    let id = value.text.to_lowercase();
    let digits = id.strip_prefix(['c', 'p']).unwrap_or_default();
    if digits.len() == 13 && digits.bytes().all(|digit| digit.is_ascii_alphanumeric()) {
        Ok(id)
    } else {
        Err(bad(value, "id").hint("ids are `c` or `p` and 13 letters or digits"))
    }
}
