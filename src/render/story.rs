//! A story as text: the answer, the reasons, what to do, the packets' ways step by step, what is not known.
//!
//! ```text
//! Dropped at filter:FORWARD rule 1, `-A FORWARD -i docker0 -o docker0 -j DROP`: inter-container communication is off …
//!
//! The request: SYN, packet 1 of 2
//!   1  raw and nat of PREROUTING policy   in docker0 · 172.17.0.4:40912 → 172.17.0.2:6379 · TTL 64
//!      -P PREROUTING ACCEPT
//!      No rule ends its way or rewrites it.
//!   2  filter:FORWARD rule 1   out docker0
//! ```

use crate::explain::{Advice, Chapter, Phrase, Story, StoryStep, Term};
use crate::model::VerdictKind;
use crate::render::phrase::{PROSE, paragraph, plain_words, words};
use crate::render::span::width as columns;
use crate::render::{Line, Style, Text};

/// From this width on a step's rule and sentences stand beside its place, not below it.
const WIDE: usize = 130;

/// Longer places do not push the rest to the right.
const LONGEST_PLACE: usize = 44;

/// User chains deeper than this do not stand in any further.
const DEEPEST: usize = 8;

/// Writes a story, at most `width` columns wide, with or without the glossary.
pub fn story(story: &Story, width: usize, glossary: bool) -> Text {
    let mut text = Text::default();
    text.push_wrapped(Line::default(), words(&story.answer), 0, width.min(PROSE));
    let went_well = matches!(story.verdict, Some(VerdictKind::Accepted | VerdictKind::Consumed));
    list(&mut text, if went_well { "How" } else { "Why" }, &story.because, width);
    advice(&mut text, &story.advice, width);
    for chapter in &story.chapters {
        self::chapter(&mut text, chapter, width);
    }
    if let Some(left_out) = &story.left_out {
        text.blank();
        text.push_wrapped(Line::default(), words(left_out), 0, width.min(PROSE));
    }
    list(&mut text, "Not certain", &story.doubts, width);
    if glossary {
        terms(&mut text, &story.glossary, width);
    }
    if !story.basis.is_empty() {
        text.blank();
        let basis = plain_words(Style::Dim, &story.basis.plain());
        text.push_wrapped(Line::default(), basis, 0, width.min(PROSE));
    }
    text
}

fn heading(text: &mut Text, words: &str) {
    text.blank();
    text.push((Style::Heading, words.to_owned()).into());
}

/// Sentences below a heading, each with a mark before it.
fn list(text: &mut Text, title: &str, phrases: &[Phrase], width: usize) {
    if phrases.is_empty() {
        return;
    }
    heading(text, title);
    for phrase in phrases {
        item(text, phrase, width);
    }
}

fn item(text: &mut Text, phrase: &Phrase, width: usize) {
    let start = (Style::Dim, "  · ".to_owned()).into();
    text.push_wrapped(start, words(phrase), 4, width.min(PROSE));
}

fn advice(text: &mut Text, advice: &[Advice], width: usize) {
    if advice.is_empty() {
        return;
    }
    heading(text, "What to do");
    for one in advice {
        item(text, &one.sentence, width);
        for command in &one.commands {
            self::command(text, command, width);
        }
    }
}

/// A command, broken with a backslash so that it can be copied as it stands.
fn command(text: &mut Text, command: &str, width: usize) {
    let room = width.saturating_sub(2);
    let mut line: Line = (Style::Plain, " ".repeat(6)).into();
    let mut fresh = true;
    for word in shell_words(command) {
        if !fresh && line.width() + 1 + columns(&word) > room {
            line.push(Style::Dim, " \\");
            text.push(std::mem::take(&mut line));
            line.pad_to(10);
            fresh = true;
        }
        if !fresh {
            line.push(Style::Strong, " ");
        }
        line.push(Style::Strong, word);
        fresh = false;
    }
    text.push(line);
}

/// The words of a command, an option together with its value; what stands between quotes is one word.
fn shell_words(command: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut quoted = false;
    for character in crate::render::escape_text(command).chars() {
        quoted ^= character == '\'';
        match words.last_mut() {
            Some(word) if character != ' ' || quoted => word.push(character),
            _ => words.push(String::new()),
        }
    }
    let mut joined: Vec<String> = Vec::new();
    for word in words {
        match joined.last_mut() {
            Some(option) if is_bare_option(option) && !word.starts_with('-') => {
                option.push(' ');
                option.push_str(&word);
            }
            _ => joined.push(word),
        }
    }
    joined
}

fn is_bare_option(word: &str) -> bool {
    word.starts_with('-') && !word.contains(' ')
}

fn chapter(text: &mut Text, chapter: &Chapter, width: usize) {
    text.blank();
    let mut title = Line::default();
    for word in words(&chapter.title) {
        for span in word.spans {
            title.push(Style::Heading, span.text);
        }
    }
    text.push_wrapped(Line::default(), vec![title], 2, width);
    let layout = Layout::of(chapter, width);
    for step in &chapter.steps {
        layout.step(text, step);
    }
    if let Some(same) = &chapter.same_words {
        let words = plain_words(Style::Dim, &same.plain());
        text.push_wrapped((Style::Plain, "  ".to_owned()).into(), words, 2, width.min(PROSE));
    }
}

/// Where the parts of a step stand.
struct Layout {
    width: usize,
    /// The widest number.
    number: usize,
    /// The column at which what stands beside a place begins.
    beside: usize,
    is_wide: bool,
}

impl Layout {
    fn of(chapter: &Chapter, width: usize) -> Self {
        let number = chapter.steps.iter().map(|step| columns(&step.number)).max().unwrap_or(0);
        let is_wide = width >= WIDE;
        // Below each other, only what a line shows stands beside its place.
        let steps = chapter.steps.iter().filter(|step| is_wide || !step.shown.is_empty());
        let places = steps.map(|step| head(step, number).width());
        let place = places.filter(|place| *place <= LONGEST_PLACE + number).max().unwrap_or(0);
        Self { width, number, beside: place + 3, is_wide }
    }

    fn step(&self, text: &mut Text, step: &StoryStep) {
        let head = head(step, self.number);
        if self.is_wide {
            self.beside(text, head, step);
        } else {
            self.below(text, head, step);
        }
    }

    /// The column at which a step's place begins.
    fn indent(&self, step: &StoryStep) -> usize {
        4 + self.number + deep(step)
    }

    fn below(&self, text: &mut Text, mut head: Line, step: &StoryStep) {
        let indent = self.indent(step);
        let shown = words(&step.shown);
        let needed: usize = shown.iter().map(Line::width).sum();
        let column = self.beside.max(head.width() + 2);
        if needed > 0 && column + needed <= self.width {
            head.pad_to(column);
            text.push_wrapped(head, shown, indent, self.width);
        } else {
            self.push_head(text, head, indent);
            if needed > 0 {
                let start = (Style::Plain, " ".repeat(indent)).into();
                text.push_wrapped(start, shown, indent + 4, self.width);
            }
        }
        for (part, hang, width) in self.body(step, indent) {
            let start = (Style::Plain, " ".repeat(indent)).into();
            text.push_wrapped(start, part, indent + hang, width);
        }
    }

    /// A head with nothing beside it; a name may be longer than a line.
    fn push_head(&self, text: &mut Text, head: Line, indent: usize) {
        if head.width() > self.width {
            text.push_wrapped(Line::default(), vec![head], indent, self.width);
        } else {
            text.push(head);
        }
    }

    fn beside(&self, text: &mut Text, mut head: Line, step: &StoryStep) {
        let column = self.beside + deep(step);
        let mut parts = self.body(step, column);
        if !step.shown.is_empty() {
            parts.insert(0, (words(&step.shown), 4, self.width));
        }
        if parts.is_empty() || head.width() + 2 > column {
            self.push_head(text, std::mem::take(&mut head), self.indent(step));
        }
        for (part, hang, width) in parts {
            head.pad_to(column);
            text.push_wrapped(std::mem::take(&mut head), part, column + hang, width);
        }
    }

    /// The rule and the sentences, each with how far its further lines hang and how wide it may be.
    fn body(&self, step: &StoryStep, column: usize) -> Vec<(Vec<Line>, usize, usize)> {
        let prose = if self.is_wide { column + PROSE } else { PROSE }.min(self.width);
        let rule =
            step.rule.iter().map(|rule| (plain_words(weight(step, rule), rule), 4, self.width));
        let mut parts: Vec<_> = rule.collect();
        if !step.sentences.is_empty() {
            parts.push((paragraph(&step.sentences), 0, prose));
        }
        parts
    }
}

/// A policy that lets on, and a rule that does no more, is of less weight.
fn weight(step: &StoryStep, rule: &str) -> Style {
    let is_policy = rule.starts_with("-P ") && rule.ends_with(" ACCEPT");
    if is_policy || step.sentences.is_empty() { Style::Dim } else { Style::Quote }
}

/// How far a step stands in for the user chain it is in.
fn deep(step: &StoryStep) -> usize {
    2 * step.depth.min(DEEPEST)
}

/// Number and place: `  2.1    nat:DOCKER rule 1`.
fn head(step: &StoryStep, number: usize) -> Line {
    let mut line: Line = (Style::Plain, "  ".to_owned()).into();
    line.push(Style::Dim, step.number.clone());
    line.pad_to(4 + number + deep(step));
    for word in words(&step.place) {
        line.append(word);
    }
    if step.inferred {
        line.push(Style::Dim, " (not logged)");
    }
    line
}

fn terms(text: &mut Text, terms: &[Term], width: usize) {
    if terms.is_empty() {
        return;
    }
    heading(text, "Words");
    let widest = terms.iter().map(|term| columns(term.word)).max().unwrap_or(0);
    for term in terms {
        let mut start: Line = (Style::Plain, "  ".to_owned()).into();
        start.push(Style::Strong, term.word).pad_to(widest + 4);
        let meaning = plain_words(Style::Dim, term.meaning);
        text.push_wrapped(start, meaning, widest + 4, width.min(PROSE + widest));
    }
}
