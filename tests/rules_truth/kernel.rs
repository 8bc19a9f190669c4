//! What is written, held against the kernel: its rule counters, and the places in the log itself.
//!
//! Nothing of the product is used here: a plain reading, on purpose.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::scene::{Scene, Written};

type Counts = BTreeMap<String, u64>;

/// Every rule and policy that ends packets must have ended as many as are written down.
pub(super) fn disagreements(scene: &Scene) -> Vec<String> {
    if scene.expected.counters.is_empty() {
        return Vec::new();
    }
    let mut counted = Counts::new();
    for file in &scene.expected.counters {
        for counter in counters(&scene.text(file)).iter().filter(|counter| counter.ends()) {
            *counted.entry(counter.text.clone()).or_default() += counter.packets;
        }
    }
    counted.retain(|_, packets| *packets > 0);
    let mut written = Counts::new();
    for (text, packets) in &scene.expected.also_ended {
        written.insert(text.clone(), packets.as_u64().unwrap());
    }
    for connection in &scene.expected.runs[0].connections {
        if let Some(rule) = ended_by(connection) {
            *written.entry(rule).or_default() += 1;
        }
    }
    if counted == written {
        return Vec::new();
    }
    let differs = |text: &&String| counted.get(*text) != written.get(*text);
    let texts: BTreeSet<&String> = counted.keys().chain(written.keys()).filter(differs).collect();
    let figures = |text: &&String| (counted.get(*text).copied(), written.get(*text).copied());
    let line = |text: &&String| {
        let (kernel, hand) = figures(text);
        format!("{}: {text}: the kernel counted {kernel:?}, written are {hand:?}", scene.name)
    };
    texts.iter().map(line).collect()
}

/// conntrack announces a connection when its first packet has come through all of IP: those that are written to be
/// accepted, and no others.
pub(super) fn announced_otherwise(scene: &Scene) -> Vec<String> {
    let events = scene.text("truth/conntrack-events.txt");
    if events.is_empty() {
        // No rule asked for conntrack, or it had nothing to say.
        return Vec::new();
    }
    let announced: BTreeSet<String> = events.lines().filter_map(new_connection).collect();
    let came_through = |one: &&Written| {
        let kind = one.verdict.as_ref().and_then(|verdict| first(verdict.get("kind")?));
        // A queue takes it before conntrack is done with it, a local process after.
        let queued = one.verdict.as_ref().is_some_and(|it| ruled(it).contains("-j NFQUEUE"));
        kind == Some("accepted") || kind == Some("consumed") && !queued
    };
    let connections = scene.expected.runs[0].connections.iter();
    let accepted = connections.filter(came_through).map(|one| one.original.clone());
    let written: BTreeSet<String> =
        accepted.chain(scene.expected.also_announced.iter().cloned()).collect();
    let differ = announced.symmetric_difference(&written);
    let line = |one: &String| {
        let what = if announced.contains(one) { "was announced" } else { "was not announced" };
        format!("{}: {one} {what}", scene.name)
    };
    differ.map(line).collect()
}

/// The original tuple of a NEW event, written as in `expected.json`.
fn new_connection(event: &str) -> Option<String> {
    let (_, event) = event.split_once("[NEW] ")?;
    let value = |key: &str| event.split(' ').find_map(|word| word.strip_prefix(key));
    let end = |addr: &str, port: &str| {
        if addr.contains(':') { format!("[{addr}]:{port}") } else { format!("{addr}:{port}") }
    };
    let from = end(value("src=")?, value("sport=")?);
    let to = end(value("dst=")?, value("dport=")?);
    Some(format!("{} {from} > {to}", event.split(' ').next()?))
}

fn ruled(verdict: &serde_json::Map<String, Value>) -> &str {
    verdict.get("rule").and_then(first).unwrap_or_default()
}

/// The rule that ended a connection's packet for good.
fn ended_by(connection: &Written) -> Option<String> {
    let verdict = connection.verdict.as_ref()?;
    let kind = first(verdict.get("kind")?)?;
    let rule = first(verdict.get("rule")?)?;
    let ends = matches!(kind, "dropped" | "rejected") && !rule.contains("-j NFQUEUE");
    ends.then(|| rule.to_owned())
}

fn first(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get(0)?.as_str())
}

/// A rule or policy with its packets, as `iptables-save -c` and `ebtables -L --Lc` print them.
pub(super) struct Counter {
    pub(super) table: String,
    pub(super) chain: String,
    /// `-A INPUT …`, `-P INPUT DROP`.
    pub(super) text: String,
    pub(super) packets: u64,
}

impl Counter {
    /// Whether a packet that it counts ends there.
    fn ends(&self) -> bool {
        let is_policy = self.text.starts_with("-P ");
        self.text.ends_with("-j DROP")
            || self.text.contains("-j REJECT")
            || is_policy && self.text.ends_with(" DROP")
    }
}

pub(super) fn counters(text: &str) -> Vec<Counter> {
    let (mut table, mut bridge_chain) = ("", "");
    let mut counters = Vec::new();
    for line in text.lines() {
        let mut add = |chain: &str, text: String, packets: &str| {
            let (table, chain) = (table.to_owned(), chain.to_owned());
            counters.push(Counter { table, chain, text, packets: packets.parse().unwrap() });
        };
        if let Some(name) = line.strip_prefix('*').or(line.strip_prefix("Bridge table: ")) {
            table = name;
        } else if let Some(rest) = line.strip_prefix("Bridge chain: ") {
            bridge_chain = rest.split(',').next().unwrap();
        } else if let Some((rule, rest)) = line.split_once(" , pcnt = ") {
            let (_, rule) = rule.split_once(' ').unwrap();
            let packets = rest.split(' ').next().unwrap();
            add(bridge_chain, format!("-A {bridge_chain} {rule}"), packets);
        } else if let Some((count, rule)) =
            line.strip_prefix('[').and_then(|it| it.split_once("] "))
        {
            let chain = rule.split(' ').nth(1).unwrap();
            add(chain, rule.to_owned(), count.split(':').next().unwrap());
        } else if let Some(policy) = line.strip_prefix(':') {
            let words: Vec<&str> = policy.split([' ', '[', ':']).collect();
            if words[1] != "-" {
                add(words[0], format!("-P {} {}", words[0], words[1]), words[3]);
            }
        }
    }
    counters
}

/// Every path that is written stands in the log, line after line.
pub(super) fn paths_not_logged(scene: &Scene) -> Vec<String> {
    let text = scene.text("kern.log");
    let lines: Vec<(&str, &str)> = text.lines().filter_map(logged).collect();
    let mut wrong = Vec::new();
    for connection in scene.expected.runs.iter().flat_map(|run| &run.connections) {
        for (name, steps) in &connection.packets {
            let steps = steps.as_array().unwrap();
            let found = lines.windows(steps.len()).any(|window| is_path(connection, steps, window));
            if !found {
                wrong.push(format!(
                    "{}: {} {name} is not in the log",
                    scene.name, connection.original
                ));
            }
        }
    }
    wrong
}

/// A line's place and its text.
fn logged(line: &str) -> Option<(&str, &str)> {
    let (_, payload) = line.split_once("] ").or_else(|| line.split_once(';'))?;
    let (head, _) = payload.split_once("IN=")?;
    let place = head.strip_prefix("TRACE: ").unwrap_or(head);
    Some((place.trim(), payload))
}

/// Whether these lines show that path, and one of them this connection.
fn is_path(connection: &Written, steps: &[Value], lines: &[(&str, &str)]) -> bool {
    let (_, port) = connection.original.split(" > ").next().unwrap().rsplit_once(':').unwrap();
    let port = format!("PT={port}");
    let shows = |(_, text): &(&str, &str)| text.split([' ', ',']).any(|word| word.ends_with(&port));
    lines.iter().any(shows)
        && steps.iter().zip(lines).all(|(step, (place, _))| is_at(&step[0], place))
}

fn is_at(written: &Value, place: &str) -> bool {
    match written {
        Value::Array(ways) => ways.iter().any(|way| is_at(way, place)),
        one => {
            one.as_str().is_some_and(|one| one.strip_prefix("log:").unwrap_or(one).trim() == place)
        }
    }
}
