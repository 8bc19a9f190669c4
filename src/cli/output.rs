//! Where data goes: standard output, as a page, a table, JSON, lines of JSON, or CSV.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use serde::Serialize;

/// The form of the data on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// One JSON value.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated values with a head line.
    Csv,
}

/// Whether to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// When standard output is a terminal and `NO_COLOR` is not set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    pub(super) fn choice_for(self, stream: &impl RawStream) -> ColorChoice {
        match self {
            Self::Auto => AutoStream::choice(stream),
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
    }
}

/// Standard output for pages and tables: buffered, with colours where they are wanted.
pub(super) fn page(colour: Colour) -> impl Write {
    BufWriter::new(AutoStream::new(io::stdout().lock(), colour.choice_for(&io::stdout())))
}

/// Standard output for data: buffered, untouched.
pub(super) fn data() -> impl Write {
    BufWriter::with_capacity(64 * 1024, io::stdout().lock())
}

/// How wide a page may be: `COLUMNS`, else the terminal, else wide enough for anything.
pub(super) fn width() -> usize {
    let wanted = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let own = || comfy_table::Table::new().width().map(usize::from);
    // In a pipe to a pager the terminal still stands behind standard error.
    let behind = || comfy_table::Table::new().use_stderr().width().map(usize::from);
    wanted.or_else(own).or_else(behind).filter(|width| *width > 0).unwrap_or(200).max(40)
}

/// Writes values of a list: a JSON array or lines of JSON, as they come.
pub(super) struct List<W: Write> {
    out: W,
    array: bool,
    count: u64,
}

impl<W: Write> List<W> {
    pub(super) fn new(out: W, format: Format) -> Self {
        Self { out, array: format == Format::Json, count: 0 }
    }

    pub(super) fn push(&mut self, value: &impl Serialize) -> io::Result<()> {
        if self.array {
            self.out.write_all(if self.count == 0 { b"[\n" } else { b",\n" })?;
        }
        self.count += 1;
        self.out.write_all(json(value)?.as_bytes())?;
        if self.array { Ok(()) } else { self.out.write_all(b"\n") }
    }

    pub(super) fn finish(mut self) -> io::Result<u64> {
        if self.array {
            self.out.write_all(if self.count == 0 { b"[]\n" } else { b"\n]\n" })?;
        }
        self.out.flush()?;
        Ok(self.count)
    }
}

/// JSON that is safe to print: what a terminal could act upon is written as `\uXXXX`.
pub(super) fn json(value: &impl Serialize) -> io::Result<String> {
    Ok(harmless(serde_json::to_string(value)?))
}

/// As [`json`], over several lines.
pub(super) fn pretty_json(value: &impl Serialize) -> io::Result<String> {
    Ok(harmless(serde_json::to_string_pretty(value)?))
}

/// Such characters stand inside of strings only, where the escape means the same.
fn harmless(json: String) -> String {
    let is_plain = |byte: u8| byte.is_ascii() && byte != 0x7f;
    if json.bytes().all(is_plain) {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        let text = character.encode_utf8(&mut [0; 4]).to_owned();
        if character == '\n' || crate::render::escape_text(&text) == text {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_harmless_and_means_the_same() {
        let value = "a\u{9b}31m\u{202e}\x7f\x1bé\u{e0041}\n";
        let text = json(&value).unwrap();
        assert_eq!(text, r#""a\u009b31m\u202e\u007f\u001bé\udb40\udc41\n""#);
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), value);
    }

    #[test]
    fn lists() {
        let list = |format, values: &[u8]| {
            let mut bytes = Vec::new();
            let mut list = List::new(&mut bytes, format);
            for value in values {
                list.push(value).unwrap();
            }
            list.finish().unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(list(Format::Json, &[]), "[]\n");
        assert_eq!(list(Format::Json, &[1, 2]), "[\n1,\n2\n]\n");
        assert_eq!(list(Format::Ndjson, &[1, 2]), "1\n2\n");
        assert_eq!(list(Format::Ndjson, &[]), "");
    }
}
