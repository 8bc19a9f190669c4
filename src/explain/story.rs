//! A connection's or packet's story as data: the answer first, then the steps, then what is not known.

use crate::explain::{Phrase, RulePlace};
use crate::model::{Layer, PacketKey};

/// A story.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Story {
    /// One sentence: what became of it, where, by which rule.
    pub answer: Phrase,
    /// What led to it: the root cause, the rules that nearly matched, what was rewritten.
    pub because: Vec<Phrase>,
    /// What to change, or where to look.
    pub advice: Vec<Advice>,
    /// The packets' ways.
    pub chapters: Vec<Chapter>,
    /// What is not known, assumed, or contradicted.
    pub doubts: Vec<Phrase>,
    /// The words a newcomer may not know, of those that the story uses.
    pub glossary: Vec<Term>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// What, and what it would change.
    pub sentence: Phrase,
    /// The command, when there is one.
    pub command: Option<String>,
}

/// The way of one packet, and of those that went the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct Chapter {
    /// `The request: SYN, packet 1 of 10`.
    pub title: Phrase,
    /// The packet that is told.
    pub packet: PacketKey,
    /// The other packets that went exactly the same way.
    pub same: Vec<PacketKey>,
    /// Its steps.
    pub steps: Vec<StoryStep>,
}

/// One step of a story.
#[derive(Debug, Clone, PartialEq)]
pub struct StoryStep {
    /// `4`, or `4.1` inside a user chain.
    pub number: String,
    /// The index of the packet's step; none for an inferred one.
    pub step: Option<usize>,
    /// The layer.
    pub layer: Layer,
    /// Where: `nat:PREROUTING rule 1`, `routing decision`.
    pub place: Phrase,
    /// The devices and addresses as they stand at this step: `IN=eth0 SRC=… DST=…`; empty when they have not changed.
    pub shown: Phrase,
    /// What happened there.
    pub sentences: Vec<Phrase>,
    /// The rule's text.
    pub rule: Option<String>,
    /// Where the rule stands.
    pub rule_place: Option<RulePlace>,
    /// How deep in user chains.
    pub depth: usize,
    /// Whether no line shows it.
    pub inferred: bool,
}

/// A word and its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// The word.
    pub word: &'static str,
    /// What it means, in one line.
    pub meaning: &'static str,
}
