//! What the styles of `render` look like on a terminal.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style as Ansi};

use crate::render::{Style, Text};

/// Writes a page. Colours are taken out again by the stream where they are not wanted.
pub(super) fn write(out: &mut dyn Write, text: &Text) -> io::Result<()> {
    for line in &text.lines {
        for span in &line.spans {
            let ansi = look(span.style);
            write!(out, "{ansi}{}{ansi:#}", span.text)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The eight basic colours only: they follow the user's own light or dark scheme.
fn look(style: Style) -> Ansi {
    let plain = Ansi::new();
    let colour = |colour: AnsiColor| plain.fg_color(Some(colour.into()));
    match style {
        Style::Plain => plain,
        Style::Dim | Style::Policy => plain.dimmed(),
        Style::Strong | Style::Heading => plain.bold(),
        Style::Original | Style::Quote => colour(AnsiColor::BrightBlue),
        Style::Reply | Style::Gap => colour(AnsiColor::Yellow),
        Style::Rule => colour(AnsiColor::BrightBlue).bold(),
        Style::Nat => colour(AnsiColor::Magenta).bold(),
        Style::Former => plain.dimmed().strikethrough(),
        Style::Bridge => colour(AnsiColor::Cyan),
        Style::Log => colour(AnsiColor::Cyan).bold(),
        Style::Good => colour(AnsiColor::Green).bold(),
        Style::Bad => colour(AnsiColor::Red).bold(),
        Style::Doubt => colour(AnsiColor::Yellow).bold(),
    }
}
