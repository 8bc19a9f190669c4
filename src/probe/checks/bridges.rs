//! Frames on bridges: whether they meet the IP tables, and whether `ebtables` tells of them.

use crate::probe::facts::Facts;
use crate::probe::facts::rules::each;
use crate::probe::snapshot::BackEnd;
use crate::rulebook::{Chain, Rule, RuleSet, Table};

use super::Finding;

pub(super) fn calls(facts: &Facts) -> Vec<Finding> {
    const SETTING: &str = "net.bridge.bridge-nf-call-";
    const WHY: &str = "frames that only cross a bridge, container to container, meet no IP rule and show no TRACE line. The \
        mending makes IP rules apply to them: rules that drop would drop them too";
    let bridging = &facts.bridging;
    if bridging.bridges.is_empty() {
        return vec![Finding::ok("there is none here")];
    }
    let names = bridging.bridges.join(", ");
    let Some([ip, ip6, _]) = bridging.calls else {
        return vec![
            Finding::note(format!("{names}: br_netfilter is not loaded"))
                .why(WHY)
                .mend([
                    "modprobe br_netfilter".to_owned(),
                    format!("sysctl -w {SETTING}iptables=1"),
                ])
                .undo([
                    format!("sysctl -w {SETTING}iptables=0"),
                    "modprobe -r br_netfilter".to_owned(),
                ]),
        ];
    };
    let off: Vec<&str> = [("iptables", ip), ("ip6tables", ip6 || !facts.has_ip6)]
        .iter()
        .filter(|(_, on)| !on)
        .map(|(name, _)| *name)
        .collect();
    if off.is_empty() {
        return vec![Finding::ok(format!("{names}: their frames meet the IP tables"))];
    }
    let found = off.iter().map(|name| format!("bridge-nf-call-{name} is 0")).collect::<Vec<_>>();
    let set = |value: u8| off.iter().map(move |name| format!("sysctl -w {SETTING}{name}={value}"));
    vec![Finding::note(format!("{names}: {}", found.join(", "))).why(WHY).mend(set(1)).undo(set(0))]
}

/// What the rules of `ebtables` print, if anything.
pub(super) fn logging(facts: &Facts) -> Vec<Finding> {
    if facts.bridging.bridges.is_empty() {
        return Vec::new();
    }
    let pair = &facts.rules.bridge;
    if pair.legacy.is_hidden() || pair.nft.is_hidden() {
        return vec![Finding::hidden("what ebtables logs")];
    }
    if facts.ebtables.is_none() {
        return vec![
            Finding::note("ebtables is not installed")
                .why("frames on a bridge leave no line of their own"),
        ];
    }
    let sets: Vec<RuleSet> = pair.sets().cloned().collect();
    let rules: Vec<_> = each(&sets).filter(|(_, _, rule)| logs(rule)).collect();
    if rules.is_empty() {
        return vec![
            Finding::note("no rule logs")
                .why("frames on a bridge leave no line of their own; `tracecol doctor --for 'tcp dport 80'` prints the commands"),
        ];
    }
    let strange =
        rules.iter().filter(|(table, chain, rule)| !names_its_place(table, chain, rule)).count();
    let terse = rules.iter().filter(|(_, _, rule)| !rule.text.contains("--log-ip")).count();
    let total = rules.len();
    let tool = match facts.ebtables {
        Some(BackEnd::Nft) => "over nf_tables",
        _ => "legacy",
    };
    let mut findings = vec![Finding::ok(format!(
        "{total} of its rules log; it is {tool}, which prints either way"
    ))];
    if strange > 0 {
        findings.push(
            Finding::note(format!("{strange} of {total} rules that log have a prefix that does not name their chain"))
                .why("the line itself does not say which chain it is of; a prefix such as `TRACE: eb:nat:PREROUTING` does"),
        );
    }
    if terse > 0 {
        findings.push(
            Finding::note(format!("{terse} of {total} rules that log lack --log-ip"))
                .why("their lines show no address and no port, so that they are joined to packets by order alone"),
        );
    }
    findings
}

fn logs(rule: &Rule) -> bool {
    rule.log_prefix.is_some() || rule.text.split(' ').any(|word| word == "--log")
}

fn names_its_place(table: &Table, chain: &Chain, rule: &Rule) -> bool {
    let place = format!("TRACE: eb:{}:{}", table.name, chain.name);
    rule.log_prefix.as_deref().is_some_and(|prefix| prefix.trim() == place)
}
