//! A story as JSON.

use serde::Serialize;

use crate::explain;
use crate::model::{Direction, PacketKey, VerdictKind};
use crate::wire::sentence::{Place, Sentence, sentences};

/// A connection's or packet's story.
#[derive(Debug, Clone, Serialize)]
pub struct Story {
    /// `accepted`, `dropped`, `rejected`, `consumed`, `unknown`.
    pub verdict: Option<&'static str>,
    /// One sentence: what became of it, where, by which rule.
    pub answer: Sentence,
    /// What led to it.
    pub because: Vec<Sentence>,
    /// What to change, or where to look.
    pub advice: Vec<Advice>,
    /// The packets' ways.
    pub chapters: Vec<Chapter>,
    /// What the chapters leave out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Sentence>,
    /// What is not known, assumed or contradicted.
    pub doubts: Vec<Sentence>,
    /// What it was told from.
    pub basis: Sentence,
    /// The words a newcomer may not know.
    pub glossary: Vec<Term>,
}

/// Something to do.
#[derive(Debug, Clone, Serialize)]
pub struct Advice {
    /// What, and what it would change.
    pub sentence: Sentence,
    /// The commands, when there are any.
    pub commands: Vec<String>,
}

/// The way of one packet.
#[derive(Debug, Clone, Serialize)]
pub struct Chapter {
    /// What it tells.
    pub title: Sentence,
    /// The id of the packet that is told.
    pub packet: String,
    /// `original`, `reply`, `related`.
    pub direction: Option<&'static str>,
    /// The ids of the other packets that went the same way.
    pub same: Vec<String>,
    /// Its steps.
    pub steps: Vec<StoryStep>,
}

/// One step of a story.
#[derive(Debug, Clone, Serialize)]
pub struct StoryStep {
    /// `4`, or `4.1` inside a user chain.
    pub number: String,
    /// The places of the packet's steps that are told here, from 0; several where chains that did nothing are told
    /// together; empty for an inferred step.
    pub steps: Vec<usize>,
    /// `ip`, `ip6`, `bridge`, `arp`.
    pub layer: &'static str,
    /// Where.
    pub place: Sentence,
    /// The devices and addresses that are new here.
    pub shown: Sentence,
    /// What happened there.
    pub sentences: Vec<Sentence>,
    /// The rule's text.
    pub rule: Option<String>,
    /// Where the rule stands.
    pub rule_place: Option<Place>,
    /// How deep in user chains.
    pub depth: usize,
    /// Whether no line shows it.
    pub inferred: bool,
}

/// A word and its meaning.
#[derive(Debug, Clone, Serialize)]
pub struct Term {
    /// The word.
    pub word: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

impl Story {
    /// Puts a story into its JSON form. `id` gives packets their public ids.
    pub fn new(story: &explain::Story, id: &dyn Fn(PacketKey) -> String) -> Self {
        Self {
            verdict: story.verdict.map(VerdictKind::name),
            answer: (&story.answer).into(),
            because: sentences(&story.because),
            advice: story.advice.iter().map(advice).collect(),
            chapters: story.chapters.iter().map(|one| chapter(one, id)).collect(),
            left_out: story.left_out.as_ref().map(Sentence::from),
            doubts: sentences(&story.doubts),
            basis: (&story.basis).into(),
            glossary: story.glossary.iter().map(term).collect(),
        }
    }
}

fn advice(advice: &explain::Advice) -> Advice {
    Advice { sentence: (&advice.sentence).into(), commands: advice.commands.clone() }
}

fn chapter(chapter: &explain::Chapter, id: &dyn Fn(PacketKey) -> String) -> Chapter {
    Chapter {
        title: (&chapter.title).into(),
        packet: id(chapter.packet),
        direction: chapter.direction.map(Direction::name),
        same: chapter.same.iter().map(|key| id(*key)).collect(),
        steps: chapter.steps.iter().map(step).collect(),
    }
}

fn step(step: &explain::StoryStep) -> StoryStep {
    StoryStep {
        number: step.number.clone(),
        steps: step.steps.clone(),
        layer: step.layer.name(),
        place: (&step.place).into(),
        shown: (&step.shown).into(),
        sentences: sentences(&step.sentences),
        rule: step.rule.clone(),
        rule_place: step.rule_place.as_ref().map(Place::from),
        depth: step.depth,
        inferred: step.inferred,
    }
}

fn term(term: &explain::Term) -> Term {
    Term { word: term.word, meaning: term.meaning }
}
