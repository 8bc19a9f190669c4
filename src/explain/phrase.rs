//! Sentences whose parts know what they are, so that a terminal or a page can show them as such.

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
    /// A device.
    Device,
    /// A line of host context that is cited.
    Cite,
    /// What was decided: accepted, dropped.
    Verdict,
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
        self.0.push(Run { kind, text: text.into() });
        self
    }

    /// The phrase with more words.
    #[must_use]
    pub fn say(self, text: impl Into<String>) -> Self {
        self.and(RunKind::Text, text)
    }

    /// The phrase with all of another.
    #[must_use]
    pub fn append(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
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
