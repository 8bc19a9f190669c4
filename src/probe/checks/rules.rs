//! Where rules live, and where TRACE rules are.
//!
//! The kernel prints a TRACE line only of a rule in the legacy tables. `iptables` over `nf_tables` takes `-j TRACE` as well,
//! and then tells netlink alone: nothing comes into the kernel log.

use crate::probe::facts::rules::{count, each, traces};
use crate::probe::facts::{Facts, Pair, Seen};
use crate::probe::snapshot::BackEnd;
use crate::rulebook::RuleSet;

use super::Finding;

const NETLINK_ONLY: &str = "the kernel log gets TRACE lines of legacy rules only; of rules in nf_tables it gets their LOG lines, \
    while TRACE goes to netlink (`xtables-monitor --trace`, `nft monitor trace`), which tracecol does not read yet";

pub(super) fn back_end(facts: &Facts) -> Vec<Finding> {
    let rules = &facts.rules;
    if facts.kernel.has("IP_NF_RAW", "iptable_raw") == Some(false) {
        let found = "this kernel is built without the legacy table `raw`, where TRACE belongs";
        return vec![Finding::problem(found).why(NETLINK_ONLY)];
    }
    if facts.legacy_tool("iptables").is_none() {
        let found = match facts.iptables {
            Some(_) => "`iptables` speaks nf_tables here, and `iptables-legacy` is not installed",
            None => "neither `iptables` nor `iptables-legacy` is installed",
        };
        let why = format!("{NETLINK_ONLY}; install the legacy tools");
        return vec![Finding::problem(found).why(why)];
    }
    if rules.ip4.legacy.is_hidden() || rules.ip4.nft.is_hidden() {
        return vec![Finding::hidden("which rules are in force")];
    }
    let legacy = count(&rules.ip4.legacy) + count(&rules.ip6.legacy);
    let nft = count(&rules.ip4.nft) + count(&rules.ip6.nft) + count(&rules.native);
    vec![match (legacy, nft) {
        (0, 0) => Finding::ok("no rules but those that trace"),
        (legacy, 0) => Finding::ok(format!("{} in the legacy tables", many(legacy))),
        (0, nft) => to_legacy(facts, nft),
        (legacy, nft) => {
            let found = format!(
                "{} in the legacy tables, {} in nf_tables: both are in force",
                many(legacy),
                many(nft)
            );
            Finding::warning(found).why(format!(
                "{NETLINK_ONLY}: a packet that nf_tables drops just stops showing lines"
            ))
        }
    }]
}

/// All rules are where TRACE says nothing about them.
fn to_legacy(facts: &Facts, nft: usize) -> Finding {
    const TOOLS: [&str; 2] = ["iptables", "ip6tables"];
    let found = format!("{} in nf_tables, none in the legacy tables", many(nft));
    let is_switchable = count(&facts.rules.native) == 0
        && facts.iptables == Some(BackEnd::Nft)
        && facts.has("update-alternatives")
        && TOOLS.iter().all(|tool| facts.legacy_tool(tool).is_some());
    if !is_switchable {
        return Finding::problem(found).why(NETLINK_ONLY);
    }
    let switch = |to: &'static str| {
        TOOLS.map(|tool| format!("update-alternatives --set {tool} /usr/sbin/{tool}-{to}"))
    };
    Finding::problem(found)
        .why(format!(
            "{NETLINK_ONLY}. Switch the tools, then load the rules anew, best by a reboot: until then the old rules stay \
             in nf_tables beside the new ones"
        ))
        .mend(switch("legacy"))
        .undo(switch("nft"))
}

pub(super) fn tracing(facts: &Facts) -> Vec<Finding> {
    let rules = &facts.rules;
    if rules.ip4.legacy.is_hidden() {
        return vec![Finding::hidden("whether TRACE rules are loaded")];
    }
    let mut findings = Vec::new();
    let mut legacy = 0;
    for (tool, pair) in [("iptables", &rules.ip4), ("ip6tables", &rules.ip6)] {
        legacy += tracers(&pair.legacy).len();
        findings.extend(lost(facts, tool, pair));
    }
    let native = tracers(&rules.native).len();
    if native > 0 {
        let found = format!("{} in nftables: `meta nftrace set 1`", many(native));
        findings.push(Finding::note(found).why(NETLINK_ONLY));
    }
    if legacy > 0 {
        findings.push(Finding::ok(format!("{} in the legacy tables", many(legacy))));
    } else if findings.is_empty() {
        let tool = facts.legacy_tool("iptables").unwrap_or("iptables-legacy");
        findings.push(Finding::note("no rule traces anything yet").why(format!(
            "`tracecol doctor --for 'tcp dport 80'` prints the commands, with `{tool}`"
        )));
    }
    findings
}

/// TRACE rules in `nf_tables`, which print nothing.
fn lost(facts: &Facts, tool: &str, pair: &Pair) -> Option<Finding> {
    let lost = tracers(&pair.nft);
    if lost.is_empty() {
        return None;
    }
    let nft = if facts.has("iptables-nft") { format!("{tool}-nft") } else { tool.to_owned() };
    let found = format!("{} of `{nft}`, in nf_tables", many(lost.len()));
    let finding = if tracers(&pair.legacy).is_empty() {
        Finding::problem(found)
            .why("such a rule tells netlink alone: the kernel log gets no line by it")
    } else {
        Finding::note(found)
            .why("such a rule tells netlink alone; those in the legacy tables print")
    };
    let Some(legacy) = facts.legacy_tool(tool) else { return Some(finding) };
    // A rule's comment may hold what a shell would act upon: such a rule is not put into a command.
    let rules: Vec<&str> = lost
        .into_iter()
        .filter(|rule| is_plain(rule))
        .filter_map(|rule| rule.strip_prefix("-A "))
        .collect();
    let command = |tool: &str, what: &str, rule: &str| format!("{tool} -t raw -{what} {rule}");
    let mend = rules.iter().flat_map(|rule| [command(legacy, "A", rule), command(&nft, "D", rule)]);
    let undo = rules.iter().flat_map(|rule| [command(&nft, "A", rule), command(legacy, "D", rule)]);
    Some(finding.mend(mend).undo(undo))
}

fn tracers(sets: &Seen<Vec<RuleSet>>) -> Vec<&str> {
    let sets = sets.known().map(Vec::as_slice).unwrap_or_default();
    each(sets).filter(|(_, _, rule)| traces(rule)).map(|(_, _, rule)| rule.text.as_ref()).collect()
}

fn is_plain(rule: &str) -> bool {
    rule.chars().all(|c| c.is_ascii_alphanumeric() || " -./:,_+=@!".contains(c))
}

fn many(rules: usize) -> String {
    if rules == 1 { "1 rule".to_owned() } else { format!("{rules} rules") }
}
