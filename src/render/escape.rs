//! Makes bytes from a log safe to print: no escape sequence, no reordering, nothing invisible survives.
//!
//! Names of chains, prefixes and devices are chosen by others. Control characters (tab among them), bytes that
//! are not UTF-8, bidirectional controls and characters without width are shown as `\xNN` or `\u{…}`. A backslash
//! stays as it is, so that what the kernel escaped already reads as the kernel wrote it.

use std::fmt::Write;

/// Makes log-derived bytes safe to print.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            push(&mut out, character);
        }
        for byte in chunk.invalid() {
            push_byte(&mut out, *byte);
        }
    }
    out
}

/// Makes text safe to print, by the same rules.
pub fn escape_text(text: &str) -> String {
    escape(text.as_bytes())
}

fn push(out: &mut String, character: char) {
    match character {
        '\0'..='\x1f' | '\x7f' => push_byte(out, character as u8),
        _ if is_hidden(character) => {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        }
        _ => out.push(character),
    }
}

fn push_byte(out: &mut String, byte: u8) {
    let _ = write!(out, "\\x{byte:02x}");
}

/// Characters that change what others look like, or look like nothing.
fn is_hidden(character: char) -> bool {
    matches!(character,
        // C1 controls, soft hyphen
        '\u{80}'..='\u{9f}' | '\u{ad}'
        // combining grapheme joiner, Arabic letter mark, Hangul fillers, Khmer inherent vowels
        | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        // Mongolian variation selectors and vowel separator
        | '\u{180b}'..='\u{180f}'
        // zero-width space and joiners, directional marks
        | '\u{200b}'..='\u{200f}'
        // line and paragraph separator, embeddings and overrides
        | '\u{2028}'..='\u{202e}'
        // word joiner, invisible operators, isolates, deprecated format characters
        | '\u{2060}'..='\u{206f}'
        // Braille blank, Hangul filler, variation selectors, byte order mark, halfwidth filler
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        // interlinear annotation
        | '\u{fff9}'..='\u{fffb}'
        // musical and shorthand format characters, tags, more variation selectors
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        // private use: fonts draw anything there
        | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}
