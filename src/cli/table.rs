//! Tables for people: no frames, as wide as the terminal allows, wrapped inside of cells where they must be.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use crate::cli::output::{self, Colour};
use crate::model::VerdictKind;

/// A column's head and how its cells are set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub name: &'static str,
    pub numbers: bool,
}

/// A column of text.
pub(super) const fn text(name: &'static str) -> Head {
    Head { name, numbers: false }
}

/// A column of numbers, set to the right.
pub(super) const fn numbers(name: &'static str) -> Head {
    Head { name, numbers: true }
}

/// A cell's text and its colour.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    pub text: String,
    pub colour: Option<Color>,
    pub bold: bool,
}

impl From<String> for Entry {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

impl From<&str> for Entry {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Entry {
    pub(super) fn coloured(text: impl Into<String>, colour: Color) -> Self {
        Self { text: text.into(), colour: Some(colour), bold: true }
    }
}

/// The colour of a verdict; its word says the same.
pub(super) fn verdict_colour(kind: VerdictKind) -> Color {
    match kind {
        VerdictKind::Accepted | VerdictKind::Consumed => Color::Green,
        VerdictKind::Dropped | VerdictKind::Rejected => Color::Red,
        VerdictKind::Unknown => Color::Yellow,
    }
}

/// How wide a table is when nothing is wrapped.
pub(super) fn natural_width(heads: &[Head], rows: &[Vec<Entry>]) -> usize {
    let wide =
        |text: &str| text.lines().map(unicode_width::UnicodeWidthStr::width).max().unwrap_or(0);
    let column = |at: usize, head: &Head| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|entry| wide(&entry.text));
        cells.max().unwrap_or(0).max(wide(head.name))
    };
    let columns: usize = heads.iter().enumerate().map(|(at, head)| column(at, head) + 2).sum();
    columns.saturating_sub(2)
}

/// Writes a table, no wider than `width`.
pub(super) fn write(
    out: &mut dyn Write,
    heads: &[Head],
    rows: Vec<Vec<Entry>>,
    colour: Colour,
    width: usize,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if natural_width(heads, &rows) <= width {
        table.set_content_arrangement(ContentArrangement::Disabled);
    } else {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width + 2).unwrap_or(u16::MAX));
    }
    if colour.choice_for(&io::stdout()) == anstream::ColorChoice::Never {
        table.force_no_tty();
    } else {
        table.enforce_styling();
    }
    table.set_header(heads.iter().map(|head| Cell::new(head.name).add_attribute(Attribute::Bold)));
    for row in rows {
        table.add_row(row.into_iter().map(cell));
    }
    for (column, head) in table.column_iter_mut().zip(heads) {
        column.set_padding((0, 2));
        if head.numbers {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn cell(entry: Entry) -> Cell {
    let mut cell = Cell::new(entry.text);
    if let Some(colour) = entry.colour {
        cell = cell.fg(colour);
    }
    if entry.bold { cell.add_attribute(Attribute::Bold) } else { cell }
}

/// The width to use.
pub(super) fn width() -> usize {
    output::width()
}
