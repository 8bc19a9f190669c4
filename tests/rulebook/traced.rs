//! The kernel's own count against the reading: in the capture every packet was traced, so a rule's packet counter
//! is the number of lines that stand for it.

use std::collections::BTreeMap;

use tracecol::model::{Layer, Network, Site};
use tracecol::rulebook::{Found, RuleSet, Sight, Spot, Target, read};

use super::dumps::data;
use crate::parse::{Read, read_lines};

/// The capture's lines, and the rule sets of both families as they stood after it.
fn capture() -> (Vec<Read>, RuleSet, RuleSet) {
    let log = data("trace.log");
    let payloads = log.lines().map(|line| line.split_once("] ").unwrap().1.as_bytes());
    let output = read_lines(payloads);
    assert!(output.anomalies.is_empty());
    let rules = |name: &str| {
        let mut reading = read(&data(name), name);
        assert_eq!(reading.remarks, []);
        assert_eq!(reading.sets.len(), 1);
        reading.sets.remove(0)
    };
    (output.entries, rules("trace-iptables.txt"), rules("trace-ip6tables.txt"))
}

fn layer(line: &Read) -> Layer {
    match &line.header.network {
        Network::Ip(ip) if ip.src.is_ipv6() => Layer::Ip6,
        _ => Layer::Ip,
    }
}

/// A place by its names, for counting.
fn place(layer: Layer, found: &Found<'_>) -> (Layer, String) {
    (layer, found.label())
}

#[test]
fn the_kernel_counted_what_the_lines_resolve_to() {
    let (lines, v4, v6) = capture();
    let mut seen: BTreeMap<_, u64> = BTreeMap::new();
    let mut kinds: BTreeMap<_, u64> = BTreeMap::new();
    for line in lines.iter().filter(|line| matches!(line.site, Site::Trace { .. })) {
        let layer = layer(line);
        let set = if layer == Layer::Ip6 { &v6 } else { &v4 };
        let found = set.resolve(&line.site).unwrap();
        *seen.entry(place(layer, &found)).or_default() += 1;
        let kind = match found.spot {
            Spot::Rule(_, rule) if rule.prints_as_chain_end() => "rule without condition",
            Spot::Rule(..) => "rule",
            Spot::Policy(_) => "policy",
            Spot::End => "end",
        };
        *kinds.entry(kind).or_default() += 1;
    }
    assert!(kinds.values().all(|count| *count > 30), "{kinds:?}");
    for (layer, set) in [(Layer::Ip, &v4), (Layer::Ip6, &v6)] {
        for (found, counted) in places(set) {
            let lines = seen.get(&place(layer, &found)).copied().unwrap_or_default();
            assert_eq!(lines, counted, "{layer:?} {} {:?}", found.label(), found.text());
        }
    }
}

/// Every rule and every policy with the kernel's count. The rules that start the trace are not traced themselves.
fn places(set: &RuleSet) -> Vec<(Found<'_>, u64)> {
    let count = |found: &Found<'_>| match found.spot {
        Spot::Rule(_, rule) if rule.target == Target::Trace => None,
        Spot::Rule(_, rule) => rule.counters,
        Spot::Policy(_) => found.chain.counters,
        Spot::End => None,
    };
    set.places().filter_map(|found| Some((found, count(&found)?.packets))).collect()
}

#[test]
fn a_log_line_is_found_by_its_prefix() {
    let (lines, v4, v6) = capture();
    let mut count = 0;
    for (before, line) in lines.iter().zip(lines.iter().skip(1)) {
        let Site::Log { .. } = &line.site else { continue };
        let set = if layer(line) == Layer::Ip6 { &v6 } else { &v4 };
        // The rule's TRACE line stands right before the line that it prints.
        assert_eq!(set.resolve(&line.site), set.resolve(&before.site));
        count += 1;
    }
    assert!(count > 40, "{count} lines");
}

#[test]
fn conditions_hold_where_the_kernel_says_so() {
    let (lines, v4, v6) = capture();
    let (mut told, mut untold) = (0, 0);
    let mut last: Option<(String, u32, Vec<u8>)> = None;
    for line in lines.iter().filter(|line| matches!(line.site, Site::Trace { .. })) {
        let set = if layer(line) == Layer::Ip6 { &v6 } else { &v4 };
        let found = set.resolve(&line.site).unwrap();
        let header = &line.header;
        let sight =
            Sight { devices: &header.devices, header: Some(header), own: None, state: None };
        if let Some(rule) = found.rule() {
            assert_ne!(rule.holds(&sight), Some(false), "{}", rule.text);
            if rule.holds(&sight).is_some() { told += 1 } else { untold += 1 }
        }
        // Rules of the chain between two lines of one packet were asked, and did not match.
        let chain = format!("{}:{}", found.table.name, found.chain.name);
        let packet = format!("{header:?}").into_bytes();
        let end = match found.spot {
            Spot::Rule(number, _) => number,
            Spot::Policy(_) | Spot::End => found.chain.len() + 1,
        };
        if let Some((before, from, of)) = &last
            && *before == chain
            && *of == packet
            && *from < end
        {
            for number in from + 1..end {
                let rule = found.chain.rule(number).unwrap();
                assert_ne!(rule.holds(&sight), Some(true), "{}", rule.text);
            }
        }
        // RETURN leaves the chain: nothing behind it is asked.
        let leaves = found.target() == Some(Target::Return);
        last = (!leaves).then_some((chain, end, packet));
    }
    assert!(told > 300 && untold < 10, "{told} told, {untold} not");
}
