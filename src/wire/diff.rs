//! Two ways side by side as JSON, and two rule sets.

use serde::Serialize;

use crate::explain;
use crate::model::PacketKey;
use crate::wire::sentence::{Place, Sentence, sentences};

/// Two packets or connections held against each other.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// What the first one is.
    pub left: Sentence,
    /// What the second one is.
    pub right: Sentence,
    /// One sentence: where they part, or that they do not.
    pub answer: Sentence,
    /// Why.
    pub because: Vec<Sentence>,
    /// The ways side by side.
    pub ways: Vec<WayDiff>,
    /// What is not known.
    pub doubts: Vec<Sentence>,
}

/// Two packets' ways side by side.
#[derive(Debug, Clone, Serialize)]
pub struct WayDiff {
    /// `The request`, `The reply`.
    pub title: Sentence,
    /// The first packet's id.
    pub left: Option<String>,
    /// The second packet's id.
    pub right: Option<String>,
    /// The steps in order; steps of the same chain stand in one row.
    pub rows: Vec<DiffRow>,
    /// The place of the first row that differs, from 0.
    pub first_difference: Option<usize>,
}

/// One row.
#[derive(Debug, Clone, Serialize)]
pub struct DiffRow {
    /// The first packet's step.
    pub left: Option<DiffStep>,
    /// The second packet's step.
    pub right: Option<DiffStep>,
    /// Whether both say the same.
    pub same: bool,
}

/// One side of a row.
#[derive(Debug, Clone, Serialize)]
pub struct DiffStep {
    /// The place of the packet's step, from 0.
    pub step: usize,
    /// `ip`, `ip6`, `bridge`, `arp`.
    pub layer: &'static str,
    /// Where.
    pub place: Sentence,
    /// The rule's text.
    pub rule: Option<String>,
    /// Where the rule stands.
    pub rule_place: Option<Place>,
    /// How deep in user chains.
    pub depth: usize,
    /// The devices and addresses that are new here.
    pub shown: Sentence,
}

/// What two moments' rule sets say differently of places that packets met.
#[derive(Debug, Clone, Serialize)]
pub struct RulesDiff {
    /// One sentence.
    pub answer: Sentence,
    /// The places with different text, in the order in which packets met them.
    pub sites: Vec<SiteDiff>,
}

/// A place of which two rule sets say different things.
#[derive(Debug, Clone, Serialize)]
pub struct SiteDiff {
    /// `ip`, `ip6`, `bridge`, `arp`.
    pub layer: &'static str,
    /// The place.
    pub place: Sentence,
    /// The text then: a rule, a policy, or why there is none.
    pub old: Sentence,
    /// The text now.
    pub new: Sentence,
    /// How many packets met it.
    pub packets: u64,
}

impl Diff {
    /// Puts a comparison into its JSON form. `id` gives packets their public ids.
    pub fn new(diff: &explain::Diff, id: &dyn Fn(PacketKey) -> String) -> Self {
        Self {
            left: (&diff.left).into(),
            right: (&diff.right).into(),
            answer: (&diff.answer).into(),
            because: sentences(&diff.because),
            ways: diff.ways.iter().map(|one| way(one, id)).collect(),
            doubts: sentences(&diff.doubts),
        }
    }
}

fn way(way: &explain::WayDiff, id: &dyn Fn(PacketKey) -> String) -> WayDiff {
    WayDiff {
        title: (&way.title).into(),
        left: way.packets.0.map(id),
        right: way.packets.1.map(id),
        rows: way.rows.iter().map(row).collect(),
        first_difference: way.first_difference,
    }
}

fn row(row: &explain::DiffRow) -> DiffRow {
    DiffRow {
        left: row.left.as_ref().map(step),
        right: row.right.as_ref().map(step),
        same: row.is_same,
    }
}

fn step(step: &explain::DiffStep) -> DiffStep {
    DiffStep {
        step: step.step,
        layer: step.layer.name(),
        place: (&step.place).into(),
        rule: step.rule.clone(),
        rule_place: step.rule_place.as_ref().map(Place::from),
        depth: step.depth,
        shown: (&step.shown).into(),
    }
}

impl From<&explain::RulesDiff> for RulesDiff {
    fn from(diff: &explain::RulesDiff) -> Self {
        let site = |site: &explain::SiteDiff| SiteDiff {
            layer: site.layer.name(),
            place: (&site.place).into(),
            old: (&site.old).into(),
            new: (&site.new).into(),
            packets: site.packets,
        };
        Self { answer: (&diff.answer).into(), sites: diff.sites.iter().map(site).collect() }
    }
}
