//! What is said to people on standard error: notes, hints, and how numbers are written.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::cli::args::Global;
use crate::cli::failure::Failure;
use crate::render::{escape_text, grouped};

/// A colour for standard error, by what the text means.
pub(super) const ERROR: Style =
    Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
pub(super) const WARNING: Style =
    Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
pub(super) const HINT: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));
pub(super) const DIM: Style = Style::new().dimmed();

/// Standard error, with colours where they are wanted.
pub(super) fn stderr(global: &Global) -> impl Write {
    anstream::AutoStream::new(io::stderr().lock(), global.color.choice_for(&io::stderr()))
}

/// Says something that may matter, unless told to be quiet.
pub(super) fn note(global: &Global, text: &str) {
    if !global.quiet {
        // When nobody can hear it, nothing is lost.
        let _ = writeln!(stderr(global), "{DIM}note:{DIM:#} {text}");
    }
}

/// Says what only the curious want to know.
pub(super) fn detail(global: &Global, text: &str) {
    if global.verbose {
        let _ = writeln!(stderr(global), "{DIM}{text}{DIM:#}");
    }
}

/// Says that something went wrong without ending the work.
pub(super) fn warn(global: &Global, text: &str) {
    let _ = writeln!(stderr(global), "{WARNING}warning:{WARNING:#} {text}");
}

/// Reports an error with its causes and hints.
pub(super) fn report(global: Option<&Global>, failure: &Failure) {
    let choice =
        global.map_or(anstream::ColorChoice::Auto, |global| global.color.choice_for(&io::stderr()));
    let mut out = anstream::AutoStream::new(io::stderr().lock(), choice);
    let mut causes: Vec<String> = failure.error.chain().map(ToString::to_string).collect();
    causes.dedup();
    // A message may hold a drawing of several lines; only its pieces are escaped.
    let text = causes.join(": ").lines().map(escape_text).collect::<Vec<_>>().join("\n");
    let _ = writeln!(out, "{ERROR}error:{ERROR:#} {text}");
    for hint in &failure.hints {
        let _ = writeln!(out, "{HINT}hint:{HINT:#} {}", escape_text(hint));
    }
}

/// `1 line`, `1,234 lines`.
pub(super) fn many(count: u64, one: &str, more: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { more })
}

/// `512 B`, `1.5 KiB`, `21.4 MiB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = count.saturating_mul(10);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths = (tenths + 512) / 1_024;
        unit += 1;
    }
    let name = UNITS[unit];
    if unit == 0 {
        format!("{count} {name}")
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

/// A path that fits: its end matters most.
pub(super) fn short_name(name: &str, most: usize) -> String {
    let text = escape_text(name);
    let length = text.chars().count();
    if length <= most {
        return text;
    }
    let tail: String = text.chars().skip(length + 1 - most).collect();
    format!("…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(1_024), "1.0 KiB");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(22_439_526), "21.4 MiB");
        assert_eq!(bytes(u64::MAX / 16), "1048576.0 TiB");
    }

    #[test]
    fn names() {
        assert_eq!(short_name("kern.log", 24), "kern.log");
        assert_eq!(short_name("/var/log/archive/kern.log.1", 12), "…/kern.log.1");
        assert_eq!(many(1, "line", "lines"), "1 line");
        assert_eq!(many(1_234, "line", "lines"), "1,234 lines");
    }
}
