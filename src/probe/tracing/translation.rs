//! What a flow is called behind DNAT: the answers, and the frames on a bridge, carry the translated addresses.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::flow::{Carrier, Flow};
use crate::model::Protocol;
use crate::probe::facts::Facts;
use crate::rulebook::{Chain, Match, Rule, Table, Target, Test};

/// A flow as it is called after a rule has translated it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// What it becomes.
    pub flow: Flow,
    /// The rule.
    pub rule: String,
}

/// How deep chains are followed, and how many translations are named: a service may have hundreds of ends.
const DEPTH: usize = 6;
const MOST: usize = 8;

/// What the host's own rules may make of a flow.
pub(super) fn translations(flow: &Flow, facts: &Facts) -> Vec<Translation> {
    let mut found = Vec::new();
    let pairs = [(flow.is_ip4(), &facts.rules.ip4), (flow.is_ip6(), &facts.rules.ip6)];
    let sets = pairs.iter().filter(|(is_meant, _)| *is_meant).flat_map(|(_, pair)| pair.sets());
    for table in sets.flat_map(|set| &set.tables).filter(|table| &*table.name == "nat") {
        for chain in &table.chains {
            follow(flow, table, chain, Asks::OfDestination, DEPTH, &mut found);
        }
    }
    found
}

/// What a rule must ask for to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// The flow's destination: its port, its address.
    OfDestination,
    /// Anything: a rule before has asked for the destination.
    Anything,
}

/// Follows the rules that the flow may meet to those that translate it.
fn follow(
    flow: &Flow,
    table: &Table,
    chain: &Chain,
    asks: Asks,
    depth: usize,
    found: &mut Vec<Translation>,
) {
    for rule in &chain.rules {
        let meets = meets(rule, flow);
        if meets == Meeting::Never
            || (asks == Asks::OfDestination && meets != Meeting::ByDestination)
        {
            continue;
        }
        if let Target::Jump(name) | Target::Goto(name) = &rule.target {
            let next = table.chains.iter().find(|chain| chain.name == *name);
            if let Some(next) = next.filter(|_| depth > 0) {
                follow(flow, table, next, Asks::Anything, depth - 1, found);
            }
        } else if let Some(flow) = translated(flow, rule)
            && found.len() < MOST
            && found.iter().all(|known| known.flow != flow)
        {
            found.push(Translation { flow, rule: rule.text.to_string() });
        }
    }
}

/// Whether a packet of a flow meets a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meeting {
    /// Something rules it out.
    Never,
    /// Nothing rules it out.
    Perhaps,
    /// Nothing rules it out, and the rule asks for the flow's own destination.
    ByDestination,
}

fn meets(rule: &Rule, flow: &Flow) -> Meeting {
    let mut meeting = Meeting::Perhaps;
    // A range may overlap the flow and not cover it: a negated condition rules nothing out.
    for Match { test, .. } in rule.matches.iter().filter(|one| !one.negated) {
        let among = |ranges: &[RangeInclusive<IpAddr>], net: Option<IpNet>| {
            net.map(|net| ranges.iter().any(|range| overlap(range, &span(net))))
        };
        let holds = match test {
            Test::Protocol(number) => {
                flow.carrier.map(|carrier| carrier == Carrier::Ip(Protocol(*number)))
            }
            Test::DestinationPort(ranges) => {
                flow.dport.as_ref().map(|port| ranges.iter().any(|range| overlap(range, port)))
            }
            Test::Destination(ranges) => among(ranges, flow.dst),
            Test::Source(ranges) => among(ranges, flow.src),
            _ => None,
        };
        let is_destination = matches!(test, Test::DestinationPort(_) | Test::Destination(_));
        match holds {
            Some(false) => return Meeting::Never,
            Some(true) if is_destination => meeting = Meeting::ByDestination,
            _ => {}
        }
    }
    meeting
}

fn overlap<T: PartialOrd>(a: &RangeInclusive<T>, b: &RangeInclusive<T>) -> bool {
    a.start() <= b.end() && b.start() <= a.end()
}

fn span(net: IpNet) -> RangeInclusive<IpAddr> {
    net.network()..=net.broadcast()
}

/// The flow behind the rule; none for targets that are no single address or port.
fn translated(flow: &Flow, rule: &Rule) -> Option<Flow> {
    let (addr, port) = match &rule.target {
        Target::Dnat { to: Some(to) } => destination(to)?,
        Target::Redirect { to: Some(to) } => (None, Some(to.parse().ok()?)),
        _ => return None,
    };
    let dst = addr.map(IpNet::from).or(flow.dst);
    let dport = port.map(|port| port..=port).or_else(|| flow.dport.clone());
    let flow_behind = Flow { dst, dport, ..flow.clone() };
    (flow_behind != *flow).then_some(flow_behind)
}

/// `172.17.0.5:6379`, `172.17.0.5`, `:6379`, `[fd00::2]:80`.
fn destination(to: &str) -> Option<(Option<IpAddr>, Option<u16>)> {
    if let Ok(socket) = to.parse::<SocketAddr>() {
        return Some((Some(socket.ip()), Some(socket.port())));
    }
    if let Some(port) = to.strip_prefix(':') {
        return Some((None, Some(port.parse().ok()?)));
    }
    Some((Some(to.trim_matches(['[', ']']).parse().ok()?), None))
}
