//! From what people type to flows: `tcp dport 40000`, `10.0.0.5 udp 53`, `icmp from 10.1.1.1`, or words of the filter language.
//!
//! Plain words are turned into words of the filter language first, so that there is one reader of addresses, ports and protocols.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};

use crate::cli::args::Global;
use crate::cli::failure::Failure;
use crate::cli::search;
use crate::filter::{AddressRange, Expr, NumberRange, ProtocolName, Side, Term};
use crate::model::Protocol;
use crate::probe::tracing::{Carrier, Flow};
use crate::render::escape_text;

/// More flows than these would be a wall of commands.
const MOST: usize = 8;

const HINT: &str =
    "write `tcp dport 40000`, `10.0.0.5 udp 53`, `icmp from 10.1.1.1` or `proto:tcp dport:40000`";

/// Reads what is to be traced.
pub(super) fn read(text: &str, global: &Global) -> Result<Vec<Flow>, Failure> {
    let filter = filter_words(text)?;
    let expression = search::expression(&filter, global)?;
    let terms = expression.as_ref().map(terms).transpose()?.unwrap_or_default();
    if terms.is_empty() {
        return Err(Failure::new("--for needs a protocol, an address or a port").hint(HINT));
    }
    flows(&terms)
}

/// `tcp dport 40000` → `proto:tcp dport:40000`.
fn filter_words(text: &str) -> Result<String, Failure> {
    let mut words = text.split_whitespace().peekable();
    let mut filter: Vec<String> = Vec::new();
    while let Some(word) = words.next() {
        let lower = word.trim_start_matches('-').to_lowercase();
        let key = match lower.as_str() {
            "and" => continue,
            "from" | "src" | "source" | "s" => "src",
            "to" | "dst" | "destination" | "d" => "dst",
            "host" | "net" | "addr" | "address" => "addr",
            "port" | "sport" | "dport" | "proto" => lower.as_str(),
            "protocol" | "p" => "proto",
            _ => {
                filter.push(bare(word)?);
                continue;
            }
        };
        // `src host 10.0.0.5`, `dst port 53`, as other tools have it.
        let key = match (key, words.peek().copied()) {
            (key, Some("host" | "net")) => {
                words.next();
                key
            }
            ("src", Some("port")) => {
                words.next();
                "sport"
            }
            ("dst", Some("port")) => {
                words.next();
                "dport"
            }
            (key, _) => key,
        };
        let Some(value) = words.next() else {
            let message = format!("something is missing behind `{}`", escape_text(word));
            return Err(Failure::new(message).hint(HINT));
        };
        filter.push(keyed(key, value));
    }
    Ok(filter.join(" "))
}

/// `src` with `10.0.0.5:80` is an address and a port.
fn keyed(key: &str, value: &str) -> String {
    match (key, value.parse::<SocketAddr>()) {
        ("src", Ok(socket)) => format!("src:{} sport:{}", socket.ip(), socket.port()),
        ("dst" | "addr", Ok(socket)) => format!("{key}:{} dport:{}", socket.ip(), socket.port()),
        _ => format!("{key}:{value}"),
    }
}

/// A word that stands alone tells by its form what it is.
fn bare(word: &str) -> Result<String, Failure> {
    let lower = word.to_lowercase();
    let is_protocol = Protocol::NAMED.iter().any(|(_, name)| *name == lower)
        || matches!(lower.as_str(), "arp" | "icmp6" | "ipv6-icmp");
    if is_protocol {
        return Ok(format!("proto:{lower}"));
    }
    let is_address = |word: &str| word.parse::<IpAddr>().is_ok();
    let is_range =
        word.split_once('-').is_some_and(|(first, last)| is_address(first) && is_address(last));
    if is_address(word) || is_range || word.parse::<IpNet>().is_ok() {
        return Ok(format!("addr:{word}"));
    }
    if word.parse::<SocketAddr>().is_ok() {
        return Ok(keyed("dst", word));
    }
    if word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return Ok(format!("dport:{word}"));
    }
    let is_key = word.split_once(':').is_some_and(|(key, _)| {
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
    });
    if is_key {
        return Ok(word.to_owned());
    }
    Err(Failure::new(format!("`{}` is no protocol, address or port", escape_text(word))).hint(HINT))
}

/// The questions of a filter that asks them all at once.
fn terms(expression: &Expr) -> Result<Vec<&Term>, Failure> {
    match expression {
        Expr::Term(term) => Ok(vec![term]),
        Expr::All(parts) => {
            let parts: Result<Vec<_>, _> = parts.iter().map(terms).collect();
            Ok(parts?.concat())
        }
        Expr::Any(_) | Expr::Not(_) => {
            Err(Failure::new("OR and `-` do not go into rules: name one flow after the other")
                .hint(HINT))
        }
    }
}

/// Every flow that the questions allow: each value of each question with each of the others.
fn flows(terms: &[&Term]) -> Result<Vec<Flow>, Failure> {
    let mut flows = vec![Flow::default()];
    for term in terms {
        let ways = ways(term)?;
        flows =
            flows.iter().flat_map(|flow| ways.iter().filter_map(|way| way.add_to(flow))).collect();
        if flows.len() > MOST {
            return Err(Failure::new(format!(
                "these are more than {MOST} flows: name fewer at once"
            )));
        }
    }
    if flows.is_empty() {
        return Err(Failure::new("no packet can be all of that at once").hint(HINT));
    }
    let flows: Vec<Flow> = flows.into_iter().flat_map(with_carrier).collect();
    for flow in &flows {
        check(flow)?;
    }
    // Of two that are each other's answers one is enough.
    let mut kept: Vec<Flow> = Vec::new();
    for flow in flows {
        if !kept.contains(&flow) && !kept.contains(&flow.reversed()) {
            kept.push(flow);
        }
    }
    Ok(kept)
}

/// One value of a question.
enum Way {
    Carrier(Carrier),
    Src(IpNet),
    Dst(IpNet),
    Sport(RangeInclusive<u16>),
    Dport(RangeInclusive<u16>),
}

impl Way {
    /// The flow with this in it; none when something else is there already.
    fn add_to(&self, flow: &Flow) -> Option<Flow> {
        let mut flow = flow.clone();
        match self {
            Self::Carrier(carrier) => put(&mut flow.carrier, carrier)?,
            Self::Src(net) => put(&mut flow.src, net)?,
            Self::Dst(net) => put(&mut flow.dst, net)?,
            Self::Sport(ports) => put(&mut flow.sport, ports)?,
            Self::Dport(ports) => put(&mut flow.dport, ports)?,
        }
        Some(flow)
    }
}

fn put<T: Clone + PartialEq>(place: &mut Option<T>, value: &T) -> Option<()> {
    if place.as_ref().is_some_and(|there| there != value) {
        return None;
    }
    *place = Some(value.clone());
    Some(())
}

fn ways(term: &Term) -> Result<Vec<Way>, Failure> {
    match term {
        Term::Protocol(names) => Ok(names
            .iter()
            .map(|name| match name {
                ProtocolName::Ip(protocol) => Way::Carrier(Carrier::Ip(*protocol)),
                ProtocolName::Arp => Way::Carrier(Carrier::Arp),
            })
            .collect()),
        Term::Address(side, ranges) => {
            let nets: Vec<IpNet> = ranges.iter().flat_map(subnets).collect();
            Ok(sided(*side, nets, Way::Src, Way::Dst))
        }
        Term::Port(side, ranges) => {
            let ports: Vec<_> = ranges.iter().map(ports).collect();
            Ok(sided(*side, ports, Way::Sport, Way::Dport))
        }
        _ => Err(Failure::new("only addr: src: dst: port: sport: dport: proto: go into rules")
            .hint(HINT)),
    }
}

fn sided<T: Clone>(
    side: Side,
    values: Vec<T>,
    source: fn(T) -> Way,
    destination: fn(T) -> Way,
) -> Vec<Way> {
    let mut ways = Vec::new();
    for value in values {
        if side != Side::Source {
            ways.push(destination(value.clone()));
        }
        if side != Side::Destination {
            ways.push(source(value));
        }
    }
    ways
}

fn subnets(range: &AddressRange) -> Vec<IpNet> {
    match (range.first, range.last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            IpSubnets::V4(Ipv4Subnets::new(first, last, 0)).collect()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            IpSubnets::V6(Ipv6Subnets::new(first, last, 0)).collect()
        }
        // The filter's reader gives ranges of one family only.
        _ => Vec::new(),
    }
}

fn ports(range: &NumberRange) -> RangeInclusive<u16> {
    let port = |number: u64| u16::try_from(number).unwrap_or(u16::MAX);
    port(range.first)..=port(range.last)
}

/// A port without a protocol is meant of TCP and UDP.
fn with_carrier(flow: Flow) -> Vec<Flow> {
    let has_ports = flow.sport.is_some() || flow.dport.is_some();
    if flow.carrier.is_some() || !has_ports {
        return vec![flow];
    }
    [Carrier::TCP, Carrier::UDP]
        .map(|carrier| Flow { carrier: Some(carrier), ..flow.clone() })
        .into()
}

/// Whether there are such packets at all.
fn check(flow: &Flow) -> Result<(), Failure> {
    let has_ports = flow.sport.is_some() || flow.dport.is_some();
    if has_ports && flow.carrier.is_some_and(|carrier| !carrier.has_ports()) {
        return Err(Failure::new("rules know ports of tcp, udp and sctp only").hint(HINT));
    }
    if !flow.is_ip4() && !flow.is_ip6() {
        let message =
            format!("`{flow}` is neither IPv4 nor IPv6: addresses and protocol do not go together");
        return Err(Failure::new(message).hint(HINT));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::Cli;

    fn told(text: &str) -> String {
        let global = Cli::try_parse_from(["tracecol", "doctor"]).unwrap().global;
        match read(text, &global) {
            Ok(flows) => flows.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            Err(failure) => format!("! {}", failure.error),
        }
    }

    #[test]
    fn what_people_type() {
        for (typed, meant) in [
            ("tcp dport 40000", "tcp to port 40000"),
            ("10.0.0.5 udp 53", "udp to 10.0.0.5 port 53; udp from 10.0.0.5 to port 53"),
            ("icmp from 10.1.1.1", "icmp from 10.1.1.1"),
            ("dport:40000 proto:tcp src:10.0.0.0/8", "tcp from 10.0.0.0/8 to port 40000"),
            ("-p tcp -s 10.0.0.5 --dport 80", "tcp from 10.0.0.5 to port 80"),
            ("tcp src host 1.2.3.4 and dst port 22", "tcp from 1.2.3.4 to port 22"),
            ("TCP to 172.17.0.5:6379", "tcp to 172.17.0.5 port 6379"),
            ("[fd00::2]:443 tcp", "tcp to fd00::2 port 443"),
            ("port 53", "tcp to port 53; udp to port 53"),
            ("dport 8000-8010 tcp", "tcp to port 8000-8010"),
            ("10.0.0.7", "ip to 10.0.0.7"),
            ("from 10.0.0.1 to 10.0.0.2", "ip from 10.0.0.1 to 10.0.0.2"),
            ("arp 10.0.0.7", "arp to 10.0.0.7"),
            ("tcp dport:80,443", "tcp to port 80; tcp to port 443"),
            ("udp to 10.0.0.0-10.0.0.5", "udp to 10.0.0.0/30; udp to 10.0.0.4/31"),
            ("ipv6-icmp", "icmpv6"),
            ("gre", "gre"),
        ] {
            assert_eq!(told(typed), meant, "{typed}");
        }
    }

    #[test]
    fn what_is_no_flow() {
        for (typed, message) in [
            ("", "! --for needs a protocol, an address or a port"),
            ("frobnicate", "! `frobnicate` is no protocol, address or port"),
            ("tcp dport", "! something is missing behind `dport`"),
            ("icmp dport 5", "! rules know ports of tcp, udp and sctp only"),
            ("icmp fd00::1", "! `icmp to fd00::1` is neither IPv4 nor IPv6"),
            ("tcp udp", "! no packet can be all of that at once"),
            ("from 10.0.0.1 to fd00::1", "! `ip from 10.0.0.1 to fd00::1` is neither"),
            ("verdict:dropped", "! only addr: src: dst: port: sport: dport: proto: go into rules"),
            ("tcp OR udp", "! `OR` is no protocol, address or port"),
            ("-dport:80", "! OR and `-` do not go into rules"),
            ("tcp dport 99999", "! `99999` is above 65535"),
            ("tcp dport:1,2,3,4,5,6,7,8,9", "! these are more than 8 flows"),
        ] {
            assert!(told(typed).starts_with(message), "{typed}: {}", told(typed));
        }
    }
}
