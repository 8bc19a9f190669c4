//! Styled text: spans, lines of spans, and a page of lines.

use unicode_width::UnicodeWidthStr;

/// What a piece of text means. The caller decides what that looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// Ordinary text.
    Plain,
    /// Of less weight: labels, offsets, legends.
    Dim,
    /// Of more weight.
    Strong,
    /// A heading.
    Heading,
    /// The way of the original direction.
    Original,
    /// The way of the reply direction.
    Reply,
    /// A rule that was hit.
    Rule,
    /// A rule's text, as it stands in its rule set.
    Quote,
    /// A policy, or the end of a chain.
    Policy,
    /// An address that NAT changed.
    Nat,
    /// What is no longer true: the address before NAT.
    Former,
    /// A line of ebtables.
    Bridge,
    /// A LOG line.
    Log,
    /// A long wait.
    Gap,
    /// Accepted.
    Good,
    /// Dropped or rejected.
    Bad,
    /// Not sure.
    Doubt,
}

/// A piece of text in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its style.
    pub style: Style,
    /// Its text, safe to print.
    pub text: String,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Its spans from left to right.
    pub spans: Vec<Span>,
}

impl Line {
    /// Appends text.
    pub fn push(&mut self, style: Style, text: impl Into<String>) -> &mut Self {
        let text = text.into();
        match self.spans.last_mut() {
            Some(last) if last.style == style => last.text.push_str(&text),
            _ if text.is_empty() => {}
            _ => self.spans.push(Span { style, text }),
        }
        self
    }

    /// Appends another line.
    pub fn append(&mut self, other: Self) -> &mut Self {
        for span in other.spans {
            self.push(span.style, span.text);
        }
        self
    }

    /// Appends blanks until the line is `width` columns wide.
    pub fn pad_to(&mut self, width: usize) -> &mut Self {
        self.fill_to(width, Style::Plain, ' ')
    }

    /// Appends `fill` until the line is `width` columns wide.
    pub fn fill_to(&mut self, width: usize, style: Style, fill: char) -> &mut Self {
        let missing = width.saturating_sub(self.width());
        self.push(style, fill.to_string().repeat(missing))
    }

    /// Leaves out blanks at the beginning.
    fn trim_start(&mut self) {
        if let Some(first) = self.spans.first_mut() {
            first.text = first.text.trim_start_matches(' ').to_owned();
        }
    }

    /// The line without blanks at its end.
    fn trimmed(mut self) -> Self {
        while let Some(last) = self.spans.last_mut() {
            last.text.truncate(last.text.trim_end_matches(' ').len());
            if !last.text.is_empty() {
                break;
            }
            self.spans.pop();
        }
        self
    }

    /// Its width without blanks at its end.
    pub(super) fn printed_width(&self) -> usize {
        self.clone().trimmed().width()
    }

    /// How many columns of a terminal the line takes.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|span| width(&span.text)).sum()
    }
}

impl From<(Style, String)> for Line {
    fn from((style, text): (Style, String)) -> Self {
        let mut line = Self::default();
        line.push(style, text);
        line
    }
}

/// A page of lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// Its lines from top to bottom.
    pub lines: Vec<Line>,
}

impl Text {
    /// Appends a line; blanks at its end are left out.
    pub fn push(&mut self, line: Line) {
        self.lines.push(line.trimmed());
    }

    /// Appends an empty line.
    pub fn blank(&mut self) {
        self.lines.push(Line::default());
    }

    /// Appends chunks that belong into one line, broken before a chunk where the width demands it.
    ///
    /// Lines after the first begin at column `indent`. A chunk wider than a line is broken inside.
    pub fn push_wrapped(&mut self, start: Line, chunks: Vec<Line>, indent: usize, width: usize) {
        let mut line = start;
        let mut fresh = true;
        for mut chunk in chunks {
            if !fresh && line.width() + chunk.printed_width() > width {
                self.push(std::mem::take(&mut line));
                line.pad_to(indent);
                chunk.trim_start();
            }
            fresh = false;
            let (first, rest) = (width.saturating_sub(line.width()), width.saturating_sub(indent));
            for (at, piece) in split(chunk, first, rest).into_iter().enumerate() {
                if at > 0 {
                    self.push(std::mem::take(&mut line));
                    line.pad_to(indent);
                }
                line.append(piece);
            }
        }
        self.push(line);
    }

    /// The text alone.
    pub fn plain(&self) -> String {
        let mut out = String::new();
        for line in &self.lines {
            for span in &line.spans {
                out.push_str(&span.text);
            }
            out.push('\n');
        }
        out
    }

    /// Replaces every drawing character by one of ASCII; log-derived text is ASCII or escaped or stays.
    #[must_use]
    pub fn into_ascii(mut self) -> Self {
        for span in self.lines.iter_mut().flat_map(|line| &mut line.spans) {
            span.text = span.text.chars().map(ascii).collect();
        }
        self
    }
}

/// How many columns of a terminal the text takes.
pub(super) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Breaks a chunk that fits on no line into pieces of at most `first` and then `rest` columns.
fn split(chunk: Line, first: usize, rest: usize) -> Vec<Line> {
    if chunk.printed_width() <= rest.max(first) || rest == 0 {
        return vec![chunk];
    }
    let mut pieces = Vec::new();
    let mut piece = Line::default();
    let mut room = first;
    for span in chunk.spans {
        for character in span.text.chars() {
            let text = character.to_string();
            let wide = width(&text);
            if wide > room {
                pieces.push(std::mem::take(&mut piece));
                room = rest;
            }
            room = room.saturating_sub(wide);
            piece.push(span.style, text);
        }
    }
    pieces.push(piece);
    pieces
}

/// Cuts a word into pieces of at most `most` columns.
pub(super) fn pieces(text: &str, most: usize) -> Vec<String> {
    let line = Line::from((Style::Plain, text.to_owned()));
    let parts = split(line, most, most);
    parts.into_iter().map(|part| part.spans.into_iter().map(|span| span.text).collect()).collect()
}

fn ascii(character: char) -> char {
    match character {
        '■' => '#',
        '○' => 'o',
        '◆' => '*',
        '▪' => '=',
        '→' | '▶' | '›' => '>',
        '←' => '<',
        '─' | '–' => '-',
        '✗' => 'X',
        '·' => '.',
        'µ' => 'u',
        'Δ' => 'd',
        '×' => 'x',
        '≠' => '!',
        '…' => '~',
        other => other,
    }
}
