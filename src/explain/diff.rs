//! Where two ways part, and what two rule sets say differently of the places that packets met, as data.

use crate::explain::{Phrase, RulePlace};
use crate::model::{Hop, Layer, PacketKey};

/// Two packets or connections held against each other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Diff {
    /// What the first one is, in a few words.
    pub left: Phrase,
    /// What the second one is.
    pub right: Phrase,
    /// One sentence: where they part, or that they do not.
    pub answer: Phrase,
    /// Why: the conditions that hold for one and not for the other, the fields that differ.
    pub because: Vec<Phrase>,
    /// The ways side by side: of the first original packets, then of the first replies.
    pub ways: Vec<WayDiff>,
    /// What is not known.
    pub doubts: Vec<Phrase>,
}

/// Two packets' ways side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct WayDiff {
    /// `The request`, `The reply`.
    pub title: Phrase,
    /// The two packets; none where a side has no such packet.
    pub packets: (Option<PacketKey>, Option<PacketKey>),
    /// The steps in order; steps of the same chain stand in one row.
    pub rows: Vec<DiffRow>,
    /// The first row that differs.
    pub first_difference: Option<usize>,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct DiffRow {
    /// The first packet's step.
    pub left: Option<DiffStep>,
    /// The second packet's step.
    pub right: Option<DiffStep>,
    /// Whether both say the same.
    pub is_same: bool,
}

/// One side of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct DiffStep {
    /// The place of the packet's step, from 0.
    pub step: usize,
    /// The layer.
    pub layer: Layer,
    /// Where.
    pub place: Phrase,
    /// The rule's text.
    pub rule: Option<String>,
    /// Where the rule stands.
    pub rule_place: Option<RulePlace>,
    /// How deep in user chains.
    pub depth: usize,
    /// The devices and addresses that are new at this step.
    pub shown: Phrase,
}

/// A way that packets went, to be looked up in rule sets.
#[derive(Debug, Clone, Copy)]
pub struct TracedWay<'a> {
    /// Its places.
    pub hops: &'a [Hop],
    /// How many packets went it.
    pub packets: u64,
}

/// What two moments' rule sets say differently of places that packets met.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RulesDiff {
    /// One sentence.
    pub answer: Phrase,
    /// The places with different text, in the order in which packets met them.
    pub sites: Vec<SiteDiff>,
}

/// A place of which two rule sets say different things.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteDiff {
    /// The layer.
    pub layer: Layer,
    /// The place.
    pub place: Phrase,
    /// The text then: a rule, a policy, or why there is none.
    pub old: Phrase,
    /// The text now.
    pub new: Phrase,
    /// How many packets met it.
    pub packets: u64,
}
