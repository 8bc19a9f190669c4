//! Sentences as styled text that may be broken between words.

use crate::explain::{Phrase, RunKind};
use crate::model::VerdictKind;
use crate::render::{Line, Style, escape_text};

/// Longer lines of prose are hard to read.
pub(super) const PROSE: usize = 100;

/// A sentence's words, each with the blank behind it. Pieces without a blank between them stay together.
pub(super) fn words(phrase: &Phrase) -> Vec<Line> {
    let mut words = Vec::new();
    let mut word = Line::default();
    for run in &phrase.0 {
        let text = escape_text(&run.text);
        for piece in text.split_inclusive(' ') {
            word.push(style(run.kind), piece);
            if piece.ends_with(' ') {
                words.push(std::mem::take(&mut word));
            }
        }
    }
    if !word.spans.is_empty() {
        words.push(word);
    }
    words
}

/// Several sentences one after the other.
pub(super) fn paragraph(phrases: &[Phrase]) -> Vec<Line> {
    let mut all: Vec<Line> = Vec::new();
    for phrase in phrases {
        if let Some(last) = all.last_mut() {
            last.push(Style::Plain, " ");
        }
        all.extend(words(phrase));
    }
    all
}

/// Text of one style, word by word.
pub(super) fn plain_words(style: Style, text: &str) -> Vec<Line> {
    let text = escape_text(text);
    text.split_inclusive(' ').map(|word| (style, word.to_owned()).into()).collect()
}

fn style(kind: RunKind) -> Style {
    match kind {
        RunKind::Text | RunKind::Address | RunKind::Device => Style::Plain,
        RunKind::Place | RunKind::Command => Style::Strong,
        RunKind::Rule => Style::Quote,
        RunKind::Former => Style::Former,
        RunKind::Changed => Style::Nat,
        RunKind::Cite => Style::Bridge,
        RunKind::Verdict(kind) => verdict_style(kind),
    }
}

/// The style in which a verdict is shown.
pub(super) fn verdict_style(kind: VerdictKind) -> Style {
    match kind {
        VerdictKind::Accepted | VerdictKind::Consumed => Style::Good,
        VerdictKind::Dropped | VerdictKind::Rejected => Style::Bad,
        VerdictKind::Unknown => Style::Doubt,
    }
}
