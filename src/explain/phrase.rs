//! Sentences whose parts know what they are, so that a terminal or a page can show them as such.

use crate::model::VerdictKind;

/// A sentence or a part of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phrase(pub Vec<Run>);

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it is.
    pub kind: RunKind,
    /// Its text; may hold anything that a log or a rule set held: escape it before it is shown.
    pub text: String,
}

/// What a piece of a sentence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKind {
    /// Words.
    Text,
    /// A place in the rule sets: `filter:FORWARD rule 5`.
    Place,
    /// A rule's text.
    Rule,
    /// An address, with or without port, or a hardware address.
    Address,
    /// What stood in a field before it was rewritten.
    Former,
    /// What stands there since.
    Changed,
    /// A device.
    Device,
    /// A line of host context that is cited.
    Cite,
    /// What was decided: `Dropped`.
    Verdict(VerdictKind),
    /// A command to type.
    Command,
}

impl Phrase {
    /// Plain words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::default().and(RunKind::Text, text)
    }

    /// The phrase with one more piece.
    #[must_use]
    pub fn and(mut self, kind: RunKind, text: impl Into<String>) -> Self {
        let text = text.into();
        match self.0.last_mut() {
            Some(last) if last.kind == kind && kind == RunKind::Text => last.text.push_str(&text),
            _ if text.is_empty() => {}
            _ => self.0.push(Run { kind, text }),
        }
        self
    }

    /// The phrase with more words.
    #[must_use]
    pub fn say(self, text: impl Into<String>) -> Self {
        self.and(RunKind::Text, text)
    }

    /// The phrase with a place in the rule sets.
    #[must_use]
    pub fn place(self, text: impl Into<String>) -> Self {
        self.and(RunKind::Place, text)
    }

    /// The phrase with a rule's text.
    #[must_use]
    pub fn rule(self, text: impl Into<String>) -> Self {
        self.and(RunKind::Rule, text)
    }

    /// The phrase with an address.
    #[must_use]
    pub fn address(self, text: impl Into<String>) -> Self {
        self.and(RunKind::Address, text)
    }

    /// The phrase with a device.
    #[must_use]
    pub fn device(self, text: impl Into<String>) -> Self {
        self.and(RunKind::Device, text)
    }

    /// The phrase with a line that is cited.
    #[must_use]
    pub fn cite(self, text: impl Into<String>) -> Self {
        self.and(RunKind::Cite, text)
    }

    /// The phrase with something that was rewritten: `old → new`.
    #[must_use]
    pub fn rewritten(self, old: impl Into<String>, new: impl Into<String>) -> Self {
        self.and(RunKind::Former, old).say(" → ").and(RunKind::Changed, new)
    }

    /// The phrase with all of another.
    #[must_use]
    pub fn append(self, other: Self) -> Self {
        other.0.into_iter().fold(self, |phrase, run| phrase.and(run.kind, run.text))
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|run| run.text.is_empty())
    }

    /// The words without what they are.
    pub fn plain(&self) -> String {
        self.0.iter().map(|run| run.text.as_str()).collect()
    }
}

impl From<&str> for Phrase {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}
