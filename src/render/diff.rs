//! Two ways side by side as text, and two rule sets.
//!
//! ```text
//! They part at filter:FORWARD: rule 3 `…` against the policy `-P FORWARD DROP`.
//!
//! The request
//!   =  raw:PREROUTING policy            -P PREROUTING ACCEPT
//!   1  filter:FORWARD rule 3            -A FORWARD …
//!   2  filter:FORWARD policy            -P FORWARD DROP
//! ```

use crate::explain::{Diff, DiffRow, DiffStep, Phrase, RulesDiff, SiteDiff, WayDiff};
use crate::render::phrase::{PROSE, plain_words, words};
use crate::render::span::width as columns;
use crate::render::{Line, Style, Text, grouped};

/// From this width on the two ways stand beside each other.
const WIDE: usize = 130;

/// Longer places do not push the rest to the right.
const LONGEST_PLACE: usize = 40;

/// Writes where two ways part and both of them, at most `width` columns wide.
pub fn diff(diff: &Diff, width: usize) -> Text {
    let mut text = Text::default();
    let prose = width.min(PROSE);
    for (mark, name) in [("1  ", &diff.left), ("2  ", &diff.right)] {
        let start = (Style::Strong, mark.to_owned()).into();
        text.push_wrapped(start, words(name), 3, prose);
    }
    text.blank();
    text.push_wrapped(Line::default(), words(&diff.answer), 0, prose);
    list(&mut text, "Why", &diff.because, prose);
    for way in &diff.ways {
        text.blank();
        text.push((Style::Heading, words_of(&way.title)).into());
        if width >= WIDE {
            beside(&mut text, way, width);
        } else {
            below(&mut text, way, width);
        }
    }
    list(&mut text, "Not certain", &diff.doubts, prose);
    text
}

fn words_of(phrase: &Phrase) -> String {
    crate::render::escape_text(&phrase.plain())
}

fn list(text: &mut Text, title: &str, phrases: &[Phrase], width: usize) {
    if phrases.is_empty() {
        return;
    }
    text.blank();
    text.push((Style::Heading, title.to_owned()).into());
    for phrase in phrases {
        let start = (Style::Dim, "  · ".to_owned()).into();
        text.push_wrapped(start, words(phrase), 4, width);
    }
}

/// One line for what both have, two for what differs.
fn below(text: &mut Text, way: &WayDiff, width: usize) {
    let steps = way.rows.iter().flat_map(|row| row.left.iter().chain(&row.right));
    let widths = steps.map(|step| place(step).width()).filter(|width| *width <= LONGEST_PLACE);
    let column = 5 + widths.max().unwrap_or(0) + 2;
    for row in &way.rows {
        for (mark, style, step) in marked(row) {
            let mut start = Line::default();
            start.push(style, format!("  {mark}  ")).append(place(step));
            let body = body(step, row.is_same);
            if body.is_empty() {
                text.push(start);
                continue;
            }
            let is_narrow = column + 24 > width;
            let indent = if is_narrow { 7 } else { column };
            if start.width() + 2 > indent {
                text.push(std::mem::take(&mut start));
            }
            start.pad_to(indent);
            text.push_wrapped(start, body, indent + 2, width);
        }
    }
}

/// What is printed of a row: once what both have, both sides of what differs.
fn marked(row: &DiffRow) -> Vec<(&'static str, Style, &DiffStep)> {
    match (&row.left, &row.right) {
        (Some(left), _) if row.is_same => vec![("=", Style::Dim, left)],
        (left, right) => {
            let left = left.iter().map(|step| ("1", Style::Original, step));
            left.chain(right.iter().map(|step| ("2", Style::Reply, step))).collect()
        }
    }
}

/// The place, as deep as it is in user chains.
fn place(step: &DiffStep) -> Line {
    let mut line = Line::default();
    line.pad_to(2 * step.depth.min(8));
    for word in words(&step.place) {
        line.append(word);
    }
    line
}

/// The rule; what both have is of less weight.
fn body(step: &DiffStep, is_same: bool) -> Vec<Line> {
    let style = if is_same { Style::Dim } else { Style::Quote };
    step.rule.as_deref().map(|rule| plain_words(style, rule)).unwrap_or_default()
}

/// Two columns, with a mark between.
fn beside(text: &mut Text, way: &WayDiff, width: usize) {
    let column = (width - 5) / 2;
    for row in &way.rows {
        let left =
            row.left.as_ref().map(|step| cell(step, row.is_same, column)).unwrap_or_default();
        let right =
            row.right.as_ref().map(|step| cell(step, row.is_same, column)).unwrap_or_default();
        let mark = match (&row.left, &row.right) {
            _ if row.is_same => (Style::Dim, "="),
            (Some(_), None) => (Style::Original, "←"),
            (None, Some(_)) => (Style::Reply, "→"),
            _ => (Style::Bad, "≠"),
        };
        let (mut left, mut right) = (left.lines.into_iter(), right.lines.into_iter());
        let mut mark = Some(mark);
        loop {
            let (one, two) = (left.next(), right.next());
            if one.is_none() && two.is_none() {
                break;
            }
            let mut line = one.unwrap_or_default();
            line.pad_to(column + 1);
            let (style, sign) = mark.take().unwrap_or((Style::Plain, " "));
            line.push(style, format!(" {sign}  "));
            line.append(two.unwrap_or_default());
            text.push(line);
        }
    }
}

/// A step in a column of its own.
fn cell(step: &DiffStep, is_same: bool, width: usize) -> Text {
    let mut cell = Text::default();
    let mut head: Line = (Style::Plain, "  ".to_owned()).into();
    head.append(place(step));
    if !step.shown.is_empty() {
        head.push(Style::Plain, "  ");
    }
    let shown = words_of(&step.shown);
    cell.push_wrapped(head, plain_words(Style::Dim, &shown), 6, width);
    if step.rule.is_some() {
        let indent = 4 + 2 * step.depth.min(8);
        let start = (Style::Plain, " ".repeat(indent)).into();
        cell.push_wrapped(start, body(step, is_same), indent + 2, width);
    }
    cell
}

/// Writes what two rule sets say differently.
pub fn rules_diff(diff: &RulesDiff, width: usize) -> Text {
    let mut text = Text::default();
    text.push_wrapped(Line::default(), words(&diff.answer), 0, width.min(PROSE));
    for site in &diff.sites {
        text.blank();
        self::site(&mut text, site, width);
    }
    text
}

fn site(text: &mut Text, site: &SiteDiff, width: usize) {
    let mut head = Line::default();
    for word in words(&site.place) {
        head.append(word);
    }
    let packets = if site.packets == 1 { "packet" } else { "packets" };
    head.push(Style::Dim, format!("  {} {packets}", grouped(site.packets)));
    text.push_wrapped(Line::default(), vec![head], 2, width);
    for (word, phrase) in [("then", &site.old), ("now", &site.new)] {
        let mut start: Line = (Style::Dim, format!("  {word}")).into();
        start.pad_to(2 + columns("then") + 2);
        text.push_wrapped(start, words(phrase), 12, width);
    }
}
