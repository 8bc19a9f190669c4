//! A connection's or packet's story as data: the answer first, then the steps, then what is not known.

use crate::explain::{Phrase, RulePlace};
use crate::model::{Direction, Layer, PacketKey, VerdictKind};

/// A story.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Story {
    /// What became of it; none for a subject without packets.
    pub verdict: Option<VerdictKind>,
    /// One sentence: what became of it, where, by which rule.
    pub answer: Phrase,
    /// What led to it: the root cause, the rules that nearly matched, what was rewritten.
    pub because: Vec<Phrase>,
    /// What to change, or where to look.
    pub advice: Vec<Advice>,
    /// The packets' ways.
    pub chapters: Vec<Chapter>,
    /// What the chapters leave out, as a sentence: `3 more ways were gone by 12 packets.`
    pub left_out: Option<Phrase>,
    /// What is not known, assumed, or contradicted.
    pub doubts: Vec<Phrase>,
    /// What it was told from: `Told from 51 lines, the rules of 13:10:02 and what is known of the host.`
    pub basis: Phrase,
    /// The words a newcomer may not know, of those that the story uses.
    pub glossary: Vec<Term>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// What, and what it would change.
    pub sentence: Phrase,
    /// The commands, when there are any.
    pub commands: Vec<String>,
}

/// The way of one packet, and of those that went the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct Chapter {
    /// `The request: SYN 60 B, packet 1 of 10`.
    pub title: Phrase,
    /// The packet that is told.
    pub packet: PacketKey,
    /// Its direction within the connection.
    pub direction: Option<Direction>,
    /// The other packets that went exactly the same way.
    pub same: Vec<PacketKey>,
    /// That in words: `Packets 3, 5 and 7 went the same way.`
    pub same_words: Option<Phrase>,
    /// Its steps.
    pub steps: Vec<StoryStep>,
}

/// One step of a story.
#[derive(Debug, Clone, PartialEq)]
pub struct StoryStep {
    /// `4`, or `4.1` inside a user chain.
    pub number: String,
    /// The places of the packet's steps that are told here, from 0: one; several where chains that did nothing are
    /// told together; none for an inferred step.
    pub steps: Vec<usize>,
    /// The layer.
    pub layer: Layer,
    /// Where: `nat:PREROUTING rule 1`, `routing decision`.
    pub place: Phrase,
    /// The devices and addresses that are new at this step: `in eth0 · 10.0.0.1:5000 → 10.0.0.2:80`; empty when none is.
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
