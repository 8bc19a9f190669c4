//! Rules with their hits as JSON.

use serde::Serialize;

use crate::model::WallTime;
use crate::wire::parts::wall_time;

/// A rule, a policy or the end of a user chain, with its hits.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    /// The number of the snapshot it is in.
    pub snapshot: i64,
    /// The host of the snapshot; null for any.
    pub host: Option<String>,
    /// The namespace's label of the snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
    /// From when on the rule set holds; null when nobody knows.
    pub from: Option<String>,
    /// `ip`, `ip6`, `inet`, `bridge`, `arp`, `netdev`.
    pub family: &'static str,
    /// The table's name.
    pub table: String,
    /// The chain's name.
    pub chain: String,
    /// The rule's number from 1; 0 for the policy, and for the end of a user chain.
    pub number: u32,
    /// Its text; null for the end of a user chain.
    pub text: Option<String>,
    /// What it does, as a word.
    pub target: Option<String>,
    /// `hit`, `never_hit`, `chain_never_reached`, or `starts_trace` for a TRACE rule, whose own hit is not logged.
    pub status: &'static str,
    /// Its hits.
    #[serde(flatten)]
    pub hits: Hits,
}

/// How often a place was met.
#[derive(Debug, Clone, Serialize)]
pub struct Hits {
    /// Lines that came from it.
    pub hits: u64,
    /// Packets that met it.
    pub packets: u64,
    /// Time of the first hit.
    pub first_hit: Option<String>,
    /// Time of the last hit.
    pub last_hit: Option<String>,
    /// Hits over time.
    pub minutes: Vec<Bucket>,
}

/// Hits in a span of time.
#[derive(Debug, Clone, Serialize)]
pub struct Bucket {
    /// Where it begins.
    pub time: Option<String>,
    /// How many.
    pub hits: u64,
}

/// A site whose lines the rule sets do not explain.
#[derive(Debug, Clone, Serialize)]
pub struct UnexplainedSite {
    /// The host that printed them.
    pub host: String,
    /// The namespace's label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
    /// `filter:FORWARD:rule:7`.
    pub at: String,
    /// Why no rule is shown for it.
    pub misfit: String,
    /// Its hits.
    #[serde(flatten)]
    pub hits: Hits,
}

/// Rules with their hits, and the sites that they do not explain.
#[derive(Debug, Clone, Serialize)]
pub struct RuleReport {
    /// Every rule, policy and chain end, in the order of the rule sets.
    pub rules: Vec<Rule>,
    /// Sites that are not explained.
    pub misfits: Vec<UnexplainedSite>,
}

/// A rule set or a piece of host context, without its text.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// Its number.
    pub snapshot: i64,
    /// `rules` or `context`.
    pub kind: &'static str,
    /// The host it was taken on; null for any.
    pub host: Option<String>,
    /// The namespace's label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
    /// From when on it holds; null when nobody knows.
    pub from: Option<String>,
    /// How that is known: `header`, `given`, `file`, `unknown`.
    pub from_how: &'static str,
    /// The name of the file it came from.
    pub name: String,
    /// How long its text is.
    pub bytes: u64,
}

impl Hits {
    /// Puts counts into their JSON form.
    pub fn new(
        (hits, packets): (u64, u64),
        (first, last): (Option<WallTime>, Option<WallTime>),
        minutes: &[(WallTime, u64)],
    ) -> Self {
        let bucket =
            |(time, hits): &(WallTime, u64)| Bucket { time: wall_time(*time), hits: *hits };
        Self {
            hits,
            packets,
            first_hit: first.and_then(wall_time),
            last_hit: last.and_then(wall_time),
            minutes: minutes.iter().map(bucket).collect(),
        }
    }
}
