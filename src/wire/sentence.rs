//! A sentence as JSON: its words, and what its pieces are.

use serde::Serialize;

use crate::explain::{Phrase, RulePlace, RunKind};

/// A sentence or a part of one. The texts are as the log and the rule sets have them: escape them before they are shown.
#[derive(Debug, Clone, Serialize)]
pub struct Sentence {
    /// The words: the pieces' texts one after the other.
    pub text: String,
    /// The pieces.
    pub runs: Vec<Run>,
}

/// A piece of a sentence.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// `text`, `place`, `rule`, `address`, `former` and `changed` (before and after NAT or routing), `device`, `cite`
    /// (a line of host context), `verdict`, `command`.
    pub kind: &'static str,
    /// For a verdict: `accepted`, `dropped`, `rejected`, `consumed`, `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<&'static str>,
    /// Its text.
    pub text: String,
}

impl From<&Phrase> for Sentence {
    fn from(phrase: &Phrase) -> Self {
        let run = |run: &crate::explain::Run| Run {
            kind: kind(run.kind),
            verdict: match run.kind {
                RunKind::Verdict(verdict) => Some(verdict.name()),
                _ => None,
            },
            text: run.text.clone(),
        };
        Self { text: phrase.plain(), runs: phrase.0.iter().map(run).collect() }
    }
}

fn kind(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Text => "text",
        RunKind::Place => "place",
        RunKind::Rule => "rule",
        RunKind::Address => "address",
        RunKind::Former => "former",
        RunKind::Changed => "changed",
        RunKind::Device => "device",
        RunKind::Cite => "cite",
        RunKind::Verdict(_) => "verdict",
        RunKind::Command => "command",
    }
}

/// Where a rule stands.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// The stored number of the rule set.
    pub revision: i64,
    /// `ip`, `ip6`, `inet`, `bridge`, `arp`, `netdev`.
    pub family: &'static str,
    /// The table.
    pub table: String,
    /// The chain.
    pub chain: String,
    /// The rule's number from 1; 0 for the policy.
    pub number: u32,
}

impl From<&RulePlace> for Place {
    fn from(place: &RulePlace) -> Self {
        Self {
            revision: place.revision,
            family: place.family.name(),
            table: String::from(&*place.table),
            chain: String::from(&*place.chain),
            number: place.number,
        }
    }
}

pub(super) fn sentences(phrases: &[Phrase]) -> Vec<Sentence> {
    phrases.iter().map(Sentence::from).collect()
}
