//! The rules in force, of each family and back end.

use crate::probe::snapshot::BackEnd;
use crate::rulebook::{Chain, Family, Rule, RuleSet, Table, Target};

use super::Seen;

/// The rules in force.
#[derive(Debug, Clone, Default)]
pub struct RuleSets {
    /// iptables.
    pub ip4: Pair,
    /// ip6tables.
    pub ip6: Pair,
    /// ebtables.
    pub bridge: Pair,
    /// Tables of nftables that none of these tools made.
    pub native: Seen<Vec<RuleSet>>,
}

/// One family's rules in both places where they may live.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    /// `x_tables`.
    pub legacy: Seen<Vec<RuleSet>>,
    /// `nf_tables`.
    pub nft: Seen<Vec<RuleSet>>,
}

impl Pair {
    /// The rules of one back end.
    pub fn of(&self, back_end: BackEnd) -> &Seen<Vec<RuleSet>> {
        match back_end {
            BackEnd::Legacy => &self.legacy,
            BackEnd::Nft => &self.nft,
        }
    }

    /// The rules of both.
    pub fn sets(&self) -> impl Iterator<Item = &RuleSet> {
        [&self.legacy, &self.nft].into_iter().filter_map(Seen::known).flatten()
    }
}

/// Every rule with its place.
pub(in crate::probe) fn each(sets: &[RuleSet]) -> impl Iterator<Item = (&Table, &Chain, &Rule)> {
    sets.iter().flat_map(|set| &set.tables).flat_map(|table| {
        let chains = table.chains.iter();
        chains.flat_map(move |chain| chain.rules.iter().map(move |rule| (table, chain, rule)))
    })
}

/// Whether a rule switches tracing on.
pub(in crate::probe) fn traces(rule: &Rule) -> bool {
    rule.acts().any(|act| *act == Target::Trace) || rule.text.contains("nftrace set 1")
}

/// How many rules there are that do not merely trace.
pub(in crate::probe) fn count(sets: &Seen<Vec<RuleSet>>) -> usize {
    let sets = sets.known().map(Vec::as_slice).unwrap_or_default();
    each(sets).filter(|(_, _, rule)| !traces(rule)).count()
}

/// The tables that `iptables-nft` and its kin keep in `nf_tables`.
pub(super) fn is_native(set: &RuleSet, table: &Table) -> bool {
    const COMPATIBLE: [&str; 6] = ["filter", "nat", "mangle", "raw", "security", "broute"];
    let is_family = matches!(set.family, Family::Ip4 | Family::Ip6 | Family::Bridge | Family::Arp);
    !(is_family && COMPATIBLE.contains(&table.name.as_ref()))
}
