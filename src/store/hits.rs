//! How often rules were met: what is asked and what is answered.

use crate::model::Family;
use crate::model::WallTime;

/// Which hits are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HitQuery {
    /// One host only, by its name; case does not matter.
    pub host: Option<String>,
    /// At or after this time.
    pub since: Option<WallTime>,
    /// Before this time.
    pub until: Option<WallTime>,
    /// How many minutes [`Hits::minutes`] takes together; 0 is 1.
    pub bucket_minutes: u32,
}

/// How often the rules were met.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HitReport {
    /// Every rule, policy and chain end of the rule sets that held, met or not, in the order of their texts.
    pub rules: Vec<RuleHits>,
    /// Sites whose lines the rule sets do not explain.
    pub misfits: Vec<SiteHits>,
}

/// A rule with its hits.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleHits {
    /// The rule.
    pub rule: RuleRow,
    /// Its hits.
    pub hits: Hits,
    /// Whether any line came from its chain.
    pub chain_reached: bool,
}

/// A rule as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRow {
    /// The number of its rule set.
    pub revision: i64,
    /// The number of the snapshot it is in.
    pub snapshot: i64,
    /// The host of the snapshot; none for any.
    pub host: Option<String>,
    /// The namespace's label of the snapshot.
    pub netns: Option<String>,
    /// From when on the rule set holds.
    pub from: Option<WallTime>,
    /// Whose rules.
    pub family: Family,
    /// The table's name.
    pub table: String,
    /// The chain's name.
    pub chain: String,
    /// The rule's number from 1; 0 for the policy, and for the end of a user chain.
    pub number: u32,
    /// Its text; none for the end of a user chain.
    pub text: Option<String>,
    /// What it does, as a word.
    pub target: Option<String>,
}

/// A site with its hits.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteHits {
    /// The host's name.
    pub host: String,
    /// The namespace's label.
    pub netns: Option<String>,
    /// The site: `filter:FORWARD:rule:7`.
    pub at: String,
    /// Why no rule is shown for it.
    pub misfit: String,
    /// Its hits.
    pub hits: Hits,
}

/// How often a place was met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hits {
    /// Lines that came from it. A packet may pass a place more than once, and a LOG rule that is traced prints two.
    pub hits: u64,
    /// Packets that met it.
    pub packets: u64,
    /// The first hit that has a wall time.
    pub first: Option<WallTime>,
    /// The last hit that has a wall time.
    pub last: Option<WallTime>,
    /// Hits by time, those without wall time left out: the beginning of each span of minutes, and the hits in it; spans
    /// without any are left out.
    pub minutes: Vec<(WallTime, u64)>,
}
