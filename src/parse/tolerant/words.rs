//! Cuts a line into words for the tolerant way, whatever order they stand in.
//!
//! Four shapes are more than one blank-separated word and are kept together:
//! `OPT (…)`, `INCOMPLETE [n bytes]`, `Unknown Ext Hdr n`, and the brackets
//! around the packet that an ICMP error quotes.

use crate::parse::cursor::decimal;

/// One word of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// `KEY=value`.
    Field(&'a [u8], &'a [u8]),
    /// A word without `=`.
    Bare(&'a [u8]),
    /// `OPT (…)` with what stands between the parentheses.
    Options(&'a [u8]),
    /// `OPT (` or `OPT (…` without its closing parenthesis.
    OpenOptions,
    /// `)`: the end of an IPv6 extension header.
    CloseGroup,
    /// `INCOMPLETE`, with the number when one follows.
    Incomplete(Option<u32>),
    /// `[`: the quoted packet begins.
    OpenInner,
    /// `]`: the quoted packet ends.
    CloseInner,
}

/// Walks the words of a line.
#[derive(Debug, Clone)]
pub(super) struct Words<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
    brackets: u8,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self { whole: line, rest: line, brackets: 0 }
    }

    /// How many bytes have been walked over.
    pub(super) fn offset(&self) -> usize {
        self.whole.len() - self.rest.len()
    }

    /// Whether the last word touched the line's end: it may have been longer once.
    pub(super) fn touches_end(&self) -> bool {
        self.rest.is_empty() && self.whole.last().is_some_and(|byte| !byte.is_ascii_whitespace())
    }

    /// Steps over blanks and then takes the bytes up to the next blank.
    fn raw(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let rest = self.rest.get(start..)?;
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end)?;
        self.rest = after;
        Some(without_level(word))
    }

    /// Gives bytes back that belong to the next word.
    fn give_back(&mut self, bytes: usize) {
        let at = self.offset().saturating_sub(bytes);
        self.rest = self.whole.get(at..).unwrap_or(self.rest);
    }

    /// Whether nothing but blanks is left.
    pub(super) fn is_spent(&self) -> bool {
        self.rest.iter().all(u8::is_ascii_whitespace)
    }

    fn options(&mut self) -> Word<'a> {
        let mark = self.clone();
        match self.raw() {
            Some(text) if text.starts_with(b"(") => {
                let closed = text.strip_suffix(b"]").filter(|_| self.brackets == 1);
                if closed.is_some() {
                    self.give_back(1);
                }
                let inside = closed.unwrap_or(text).strip_prefix(b"(");
                let inside = inside.and_then(|text| text.strip_suffix(b")"));
                inside.map_or(Word::OpenOptions, Word::Options)
            }
            None => Word::OpenOptions,
            Some(_) => {
                *self = mark;
                Word::Bare(b"OPT")
            }
        }
    }

    fn incomplete(&mut self) -> Word<'a> {
        let mark = self.clone();
        let number = self.raw().and_then(|word| word.strip_prefix(b"["));
        let Some(number) = number else {
            *self = mark;
            return Word::Incomplete(None);
        };
        match self.raw() {
            Some(word) if word.starts_with(b"bytes]") => Word::Incomplete(decimal(number)),
            word if self.is_spent() && b"bytes]".starts_with(word.unwrap_or_default()) => {
                Word::Incomplete(None)
            }
            _ => {
                *self = mark;
                Word::Incomplete(None)
            }
        }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let mut word = self.raw()?;
        while word.is_empty() {
            word = self.raw()?;
        }
        if let Some(after) = word.strip_prefix(b"[")
            && self.brackets == 0
            && begins_packet(after)
        {
            self.give_back(after.len());
            self.brackets = 1;
            return Some(Word::OpenInner);
        }
        if self.brackets == 1 {
            if word == b"]" {
                self.brackets = 2;
                return Some(Word::CloseInner);
            }
            if let Some(before) = word.strip_suffix(b"]") {
                self.give_back(1);
                return Some(self.classify(before));
            }
        }
        Some(self.classify(word))
    }
}

/// Whether the text behind a bracket is a quoted packet, or as much of one as a cut has left.
fn begins_packet(text: &[u8]) -> bool {
    [b"SRC=".as_slice(), b"TRUNCATED"]
        .iter()
        .any(|begin| text.starts_with(begin) || begin.starts_with(text))
}

/// `<1>SRC=…`: kernels up to 2.6.27 print each field by itself, and the level in front of
/// some of them stays in the text.
fn without_level(word: &[u8]) -> &[u8] {
    let level = match word {
        [b'<', digit, b'>', ..] => word.get(3..).filter(|_| digit.is_ascii_digit()),
        _ => None,
    };
    level.unwrap_or(word)
}

impl<'a> Words<'a> {
    fn classify(&mut self, word: &'a [u8]) -> Word<'a> {
        match word {
            b"OPT" => self.options(),
            b"INCOMPLETE" => self.incomplete(),
            b")" => Word::CloseGroup,
            _ => match memchr::memchr(b'=', word).and_then(|at| word.split_at_checked(at)) {
                Some((key, value)) => Word::Field(key, value.get(1..).unwrap_or(b"")),
                None => Word::Bare(word),
            },
        }
    }
}
