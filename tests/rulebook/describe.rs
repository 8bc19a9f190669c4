//! A rule set in few words, for comparison with what a person checked by hand.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use tracecol::rulebook::{
    Chain, DevicePattern, MacPattern, Match, Reading, Rule, RuleSet, Target, Test,
};

/// All rule sets, and the remarks.
pub(crate) fn reading(reading: &Reading) -> String {
    let mut text: String = reading.sets.iter().map(set).collect();
    for remark in &reading.remarks {
        writeln!(text, "line {}: {}", remark.line, remark.sentence).unwrap();
    }
    text
}

fn set(set: &RuleSet) -> String {
    let mut text = format!("== {} {:?}", set.family.name(), set.dialect);
    if set.on_nftables {
        text.push_str(" on nf_tables");
    }
    if let Some(taken) = set.taken {
        write!(text, " {taken}").unwrap();
    }
    text.push('\n');
    for table in &set.tables {
        for chain in &table.chains {
            writeln!(text, "{}:{} {}", table.name, chain.name, head(chain)).unwrap();
            for (number, rule) in (1..).zip(&chain.rules) {
                writeln!(text, "  {number} {}", describe(rule)).unwrap();
            }
        }
    }
    text
}

fn head(chain: &Chain) -> String {
    let hook = chain.hook.map_or_else(|| "user".to_owned(), |hook| format!("{hook:?}"));
    let policy = chain.policy.map_or("-", |policy| policy.name());
    let counters = chain
        .counters
        .map_or_else(String::new, |counters| format!(" [{}:{}]", counters.packets, counters.bytes));
    format!("{hook} {policy}{counters}")
}

/// Conditions, what is done, and what is printed.
pub(crate) fn describe(rule: &Rule) -> String {
    let conditions: Vec<_> = rule.matches.iter().map(condition).collect();
    let acts: Vec<_> = rule.acts().map(target).collect();
    let mut text = format!("{} => {}", conditions.join("; "), acts.join(" + "));
    if let Some(prefix) = &rule.log_prefix {
        write!(text, " prefix {prefix:?}").unwrap();
    }
    if let Some(counters) = rule.counters {
        write!(text, " [{}:{}]", counters.packets, counters.bytes).unwrap();
    }
    if rule.prints_as_chain_end() {
        text.push_str(" (as chain end)");
    }
    text
}

pub(crate) fn condition(condition: &Match) -> String {
    let text = asked(&condition.test);
    if condition.negated { format!("not {text}") } else { text }
}

fn ranges<T: std::fmt::Display + PartialEq>(ranges: &[RangeInclusive<T>]) -> String {
    let one = |range: &RangeInclusive<T>| {
        if range.start() == range.end() {
            range.start().to_string()
        } else {
            format!("{}..{}", range.start(), range.end())
        }
    };
    ranges.iter().map(one).collect::<Vec<_>>().join(",")
}

fn device(pattern: &DevicePattern) -> String {
    let star = if pattern.is_prefix { "*" } else { "" };
    format!("{}{star}", String::from_utf8_lossy(&pattern.name))
}

fn mac(pattern: &MacPattern) -> String {
    let hex = |bytes: [u8; 6]| bytes.map(|byte| format!("{byte:02x}")).join(":");
    if pattern.mask.0 == [0xff; 6] {
        hex(pattern.mac.0)
    } else {
        format!("{}/{}", hex(pattern.mac.0), hex(pattern.mask.0))
    }
}

fn asked(about: &Test) -> String {
    match about {
        Test::Input(pattern) => format!("in {}", device(pattern)),
        Test::Output(pattern) => format!("out {}", device(pattern)),
        Test::PhysIn(pattern) => format!("physin {}", device(pattern)),
        Test::PhysOut(pattern) => format!("physout {}", device(pattern)),
        Test::Bridge(pattern) => format!("bridge {}", device(pattern)),
        Test::Source(list) => format!("src {}", ranges(list)),
        Test::Destination(list) => format!("dst {}", ranges(list)),
        Test::Protocol(number) => format!("proto {number}"),
        Test::SourcePort(list) => format!("sport {}", ranges(list)),
        Test::DestinationPort(list) => format!("dport {}", ranges(list)),
        Test::AnyPort(list) => format!("port {}", ranges(list)),
        Test::TcpFlags { mask, set } => format!("flags {set:#x}/{mask:#x}"),
        Test::IcmpType { kind, codes } => {
            let kind = kind.map_or_else(|| "any".to_owned(), |kind| kind.to_string());
            format!("icmp {kind} code {}", ranges(std::slice::from_ref(codes)))
        }
        Test::Mark { value, mask } => format!("mark {value:#x}/{mask:#x}"),
        Test::SourceMac(pattern) => format!("macsrc {}", mac(pattern)),
        Test::DestinationMac(pattern) => format!("macdst {}", mac(pattern)),
        Test::EtherType(number) => format!("type {number:#06x}"),
        Test::Length(range) => format!("length {}", ranges(std::slice::from_ref(range))),
        Test::Ttl(range) => format!("ttl {}", ranges(std::slice::from_ref(range))),
        Test::LaterFragment => "fragment".to_owned(),
        Test::ConnectionState(names) => format!("state {}", names.join(",")),
        Test::AddressType { of_source, kinds } => {
            format!("{} is {kinds:?}", if *of_source { "src" } else { "dst" })
        }
        Test::Comment(text) => format!("comment {text:?}"),
        Test::Other(text) => format!("<{text}>"),
    }
}

fn target(target: &Target) -> String {
    let with = |value: &Option<Box<str>>| {
        value.as_deref().map_or_else(String::new, |value| format!(" {value}"))
    };
    match target {
        Target::None => "nothing".to_owned(),
        Target::Jump(chain) => format!("jump {chain}"),
        Target::Goto(chain) => format!("goto {chain}"),
        Target::Reject { with: value } => format!("REJECT{}", with(value)),
        Target::Dnat { to }
        | Target::Snat { to }
        | Target::Redirect { to }
        | Target::Netmap { to } => {
            format!("{}{}", target.name(), with(to))
        }
        Target::Mark { set: Some((value, mask)) } => format!("MARK {value:#x}/{mask:#x}"),
        Target::Nfqueue { number, bypass } => {
            format!("NFQUEUE {number:?}{}", if *bypass { " bypass" } else { "" })
        }
        Target::Passes(text) => format!("passes <{text}>"),
        Target::Other(text) => format!("other <{text}>"),
        _ => target.name().to_owned(),
    }
}
