//! Collected tables into rule sets.

use std::collections::HashSet;

use super::collect::{Dump, Form, RawChain, RawTable};
use super::words::{joined, words};
use super::{Reading, Remark, ebtables, excerpt, family, iptables};
use crate::model::Hook;
use crate::rulebook::{Chain, Dialect, Family, Policy, Rule, RuleSet, Table, Target};

/// Builds what a dump holds: one rule set, or several when a table comes again.
pub(super) fn sets(dump: &Dump<'_>, name: &str, reading: &mut Reading) {
    let family = dump.header.family.or_else(|| family::guess(dump, name)).unwrap_or_else(|| {
        if dump.has_rules() {
            let sentence = "nothing says whether these are rules for IPv4 or IPv6: taken for IPv4";
            reading.remarks.push(Remark { line: dump.line, sentence: sentence.to_owned() });
        }
        Family::Ip4
    });
    let dialect = match (dump.form, family) {
        (Form::List | Form::Commands, _) => Dialect::EbtablesList,
        (Form::Save | Form::Specification, Family::Bridge) => Dialect::EbtablesSave,
        (Form::Save | Form::Specification, _) => Dialect::IptablesSave,
    };
    let empty = RuleSet {
        family,
        dialect,
        on_nftables: dump.header.on_nftables,
        taken: dump.header.taken,
        tables: Vec::new(),
    };
    let mut set = empty.clone();
    for raw in &dump.tables {
        let table =
            Table { name: table_name(raw).into(), chains: chains(raw, dump, family, reading) };
        if set.table(&table.name).is_some() {
            reading.sets.push(std::mem::replace(&mut set, empty.clone()));
        }
        set.tables.push(table);
    }
    reading.sets.push(set);
}

impl Dump<'_> {
    fn has_rules(&self) -> bool {
        let mut chains = self.tables.iter().flat_map(|table| &table.chains);
        chains.any(|chain| !chain.rules.is_empty())
    }
}

/// A table's name; `iptables -S` does not say it, but each table has built-in chains of its own.
fn table_name<'t>(table: &RawTable<'t>) -> &'t str {
    if !table.name.is_empty() {
        return table.name;
    }
    let has = |name: &str| {
        table.chains.iter().any(|chain| chain.name == name && chain.policy != Some("-"))
    };
    match (has("PREROUTING"), has("POSTROUTING"), has("FORWARD")) {
        (true, true, true) => "mangle",
        (true, true, false) => "nat",
        (true, false, false) => "raw",
        _ => "filter",
    }
}

fn chains(
    table: &RawTable<'_>,
    dump: &Dump<'_>,
    family: Family,
    reading: &mut Reading,
) -> Vec<Chain> {
    let names: HashSet<_> = table.chains.iter().map(|chain| chain.name).collect();
    table
        .chains
        .iter()
        .map(|chain| Chain {
            name: chain.name.into(),
            hook: hook(chain),
            policy: policy(chain, dump, reading),
            counters: chain.counters,
            rules: rules(chain, &names, family, reading),
        })
        .collect()
}

/// The hook of a built-in chain. iptables marks user chains with `-`, whatever their names.
fn hook(chain: &RawChain<'_>) -> Option<Hook> {
    Hook::from_chain(chain.name.as_bytes()).filter(|_| chain.policy != Some("-"))
}

fn policy(chain: &RawChain<'_>, dump: &Dump<'_>, reading: &mut Reading) -> Option<Policy> {
    match chain.policy {
        Some("ACCEPT") => Some(Policy::Accept),
        Some("DROP") => Some(Policy::Drop),
        Some("RETURN") => Some(Policy::Return),
        // Commands name only policies that are not the usual one.
        None | Some("-") if dump.form == Form::Commands => Some(Policy::Accept),
        None | Some("-") => None,
        Some(word) => {
            let line = chain.rules.first().map_or(dump.line, |rule| rule.line);
            let sentence =
                format!("not a policy of chain {}: {}", excerpt(chain.name), excerpt(word));
            reading.remarks.push(Remark { line, sentence });
            None
        }
    }
}

fn rules(
    chain: &RawChain<'_>,
    names: &HashSet<&str>,
    family: Family,
    reading: &mut Reading,
) -> Vec<Rule> {
    let mut rules = Vec::with_capacity(chain.rules.len());
    for raw in &chain.rules {
        let words = words(raw.spec);
        let parsed = match family {
            Family::Bridge => ebtables::rule(&words),
            _ => iptables::rule(&words, family),
        };
        for sentence in parsed.remarks {
            reading.remarks.push(Remark { line: raw.line, sentence });
        }
        let target = match parsed.jump {
            Some(name) if names.contains(&*name) => Target::Jump(name),
            _ => parsed.target,
        };
        rules.push(Rule {
            text: text(
                chain.name,
                &joined(&words[..parsed.text.0]),
                &joined(&words[parsed.text.1..]),
            ),
            matches: parsed.matches,
            also: parsed.also,
            target,
            log_prefix: parsed.log_prefix,
            counters: raw.counters.or(parsed.counters),
        });
    }
    rules
}

/// `-A CHAIN` and the rule, whose counters stood between its two pieces.
fn text(chain: &str, head: &str, tail: &str) -> Box<str> {
    let mut text = String::with_capacity(chain.len() + head.len() + tail.len() + 5);
    text.push_str("-A ");
    for piece in [chain, head, tail] {
        if !piece.is_empty() {
            if !text.ends_with(' ') {
                text.push(' ');
            }
            text.push_str(piece);
        }
    }
    text.into()
}

/// What a rule's words mean.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) matches: Vec<crate::rulebook::Match>,
    pub(super) also: Vec<Target>,
    pub(super) target: Target,
    /// The name after `-j` when it may be a chain's.
    pub(super) jump: Option<Box<str>>,
    pub(super) log_prefix: Option<Box<str>>,
    pub(super) counters: Option<crate::rulebook::Counters>,
    /// The words before this and from that on are the rule's text: what is between are counters.
    pub(super) text: (usize, usize),
    pub(super) remarks: Vec<String>,
}
