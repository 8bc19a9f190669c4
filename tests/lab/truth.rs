//! Whether a capture closes with itself: conntrack's account against a plain count of the lines.
//!
//! This needs nothing of the product. It shows that the truth the product is
//! held against is one, and that the paths written by hand are the kernel's.

use std::collections::{BTreeMap, BTreeSet};

use super::capture::Capture;
use super::conntrack::{Flow, Tuple};
use super::lines::{Line, lines};

/// A connection a case must show, written by hand.
pub(crate) struct Expected {
    /// conntrack's original tuple; `*` for a port the kernel chose: `10.0.0.1:* → 10.0.0.2:80`.
    pub(crate) original: &'static str,
    /// conntrack's reply tuple; empty when every packet died before conntrack confirmed the entry.
    pub(crate) reply: &'static str,
    /// The places the first packet passes.
    pub(crate) first_original: &'static [&'static str],
    /// The places the first answer passes.
    pub(crate) first_reply: &'static [&'static str],
    /// What the product must say became of it.
    pub(crate) verdict: &'static str,
    /// What NAT rewrote, as `kind from → to`.
    pub(crate) nat: &'static [&'static str],
    /// Kinds of its links.
    pub(crate) links: &'static [&'static str],
}

/// The least port the kernel chooses in the lab.
const CHOSEN: u16 = 49152;

/// Writes a tuple as in [`Expected`].
pub(crate) fn shape(tuple: &Tuple) -> String {
    let port = |port: u16| if port < CHOSEN { port.to_string() } else { "*".to_owned() };
    format!("{}:{} → {}:{}", tuple.src, port(tuple.sport), tuple.dst, port(tuple.dport))
}

/// The same tuple seen from the other end.
pub(crate) fn reversed(tuple: &Tuple) -> Tuple {
    Tuple { src: tuple.dst, sport: tuple.dport, dst: tuple.src, dport: tuple.sport }
}

type Key = (&'static str, Tuple);

/// Packets by protocol and tuple, as counted where the raw table ends.
fn counted(lines: &[Line]) -> BTreeMap<Key, u64> {
    let mut counts = BTreeMap::new();
    for line in lines.iter().filter(|line| line.ends_raw()) {
        if let Some(tuple) = line.tuple {
            *counts.entry((line.protocol, tuple)).or_default() += 1;
        }
    }
    counts
}

/// Packets by protocol and tuple, as conntrack counted them.
fn accounted(flows: &[Flow]) -> BTreeMap<(&str, Tuple), u64> {
    let mut counts = BTreeMap::new();
    for flow in flows {
        let directions = [(flow.original, flow.packets_original), (flow.reply, flow.packets_reply)];
        for (tuple, packets) in directions.into_iter().filter(|(_, packets)| *packets > 0) {
            *counts.entry((flow.protocol.as_str(), tuple)).or_default() += packets;
        }
    }
    counts
}

/// Holds the lines' packets against conntrack's.
///
/// `unconfirmed` are the connections whose every packet died before conntrack
/// took them into account; an answer the firewall gave in the peer's name goes with them.
pub(crate) fn check_counts(name: &str, capture: &Capture, unconfirmed: &[&str]) {
    let (lines, flows) = (lines(&capture.kmsg), capture.account.flows());
    let announced = capture.account.announced();
    let listed: BTreeSet<_> = flows.iter().map(|flow| (flow.original, flow.reply)).collect();
    assert_eq!(announced, listed, "{name}: conntrack's events and its final account differ");
    let mut seen = counted(&lines);
    seen.retain(|(_, tuple), _| !is_one_of(unconfirmed, tuple));
    assert_eq!(seen, accounted(&flows), "{name}: packets by direction: the log's and conntrack's");
}

/// Every line that has a tuple belongs to a connection, ebtables lines among them.
fn check_every_line(name: &str, capture: &Capture, unconfirmed: &[&str]) {
    let flows = capture.account.flows();
    let names: BTreeSet<_> = flows.iter().flat_map(names).collect();
    for line in lines(&capture.kmsg) {
        let is_ours = |tuple| names.contains(&tuple) || is_one_of(unconfirmed, &tuple);
        assert!(line.tuple.is_none_or(is_ours), "{name}: {} belongs to no connection", line.at);
    }
}

/// Whether a tuple, or its reverse, is written in a list.
pub(crate) fn is_one_of(list: &[&str], tuple: &Tuple) -> bool {
    [*tuple, reversed(tuple)].iter().any(|tuple| list.contains(&shape(tuple).as_str()))
}

/// Every tuple the packets of a connection can show.
fn names(flow: &Flow) -> [Tuple; 4] {
    let (original, reply) = (flow.original, flow.reply);
    [original, reversed(&reply), reply, reversed(&original)]
}

/// Holds a case's capture against what was written by hand.
pub(crate) fn check(name: &str, capture: &Capture, expected: &[Expected]) {
    let given_up: Vec<_> =
        expected.iter().filter(|one| one.reply.is_empty()).map(|one| one.original).collect();
    check_counts(name, capture, &given_up);
    check_every_line(name, capture, &given_up);
    let mut wanted: Vec<_> = expected
        .iter()
        .filter(|one| !one.reply.is_empty())
        .map(|one| (one.original.to_owned(), one.reply.to_owned()))
        .collect();
    let flows = capture.account.flows();
    let mut found: Vec<_> =
        flows.iter().map(|flow| (shape(&flow.original), shape(&flow.reply))).collect();
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted, "{name}: conntrack's tuples");
    let lines = lines(&capture.kmsg);
    for one in expected {
        let way = |start: &str| first_way(&lines, &flows, start);
        assert_eq!(way(one.original), one.first_original, "{name}: first way of {}", one.original);
        if !one.reply.is_empty() {
            assert_eq!(way(one.reply), one.first_reply, "{name}: first answer {}", one.reply);
        }
    }
}

/// The places the first packet of a direction passes.
///
/// Its IP lines are known by what stays the same; ebtables lines carry no such
/// thing, but the first packet is also the first of its direction in each chain.
fn first_way(lines: &[Line], flows: &[Flow], start: &str) -> Vec<String> {
    let first =
        lines.iter().find(|line| line.ends_raw() && line.tuple.is_some_and(|t| shape(&t) == start));
    let Some((first, tuple)) = first.and_then(|line| Some((line, line.tuple?))) else {
        return Vec::new();
    };
    let mut names = vec![tuple];
    for flow in flows {
        if flow.original == tuple {
            names.push(reversed(&flow.reply));
        } else if flow.reply == tuple {
            names.push(reversed(&flow.original));
        }
    }
    let mut way: Vec<String> = Vec::new();
    for line in lines.iter().filter(|line| line.tuple.is_some_and(|t| names.contains(&t))) {
        let is_first = if line.is_bridge() {
            !way.contains(&line.at)
        } else {
            line.identity() == first.identity()
        };
        if is_first {
            way.push(line.at.clone());
        }
    }
    way
}
