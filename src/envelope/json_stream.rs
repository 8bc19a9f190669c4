//! Puts JSON objects together that stand on several lines, or several on one.
//!
//! ```text
//! {                                                  journalctl -o json-pretty
//!     "MESSAGE" : "TRACE: …",
//! }
//!
//! {                                                  dmesg -J
//!    "dmesg": [
//!       {
//!          "pri": 4,
//!          "time":  2559.610506,
//!          "msg": "TRACE: raw:PREROUTING:policy:2 …"
//!       },{
//! ```
//!
//! A piece cut out of the middle, as `grep` and `tail` leave it, is read as far as it goes. A
//! line that cannot continue the object ends it, so other lines may follow at any point.

use super::journal::RECORD_LIMIT;

/// The object that is being put together.
#[derive(Debug, Default)]
pub(super) struct JsonStream {
    text: Vec<u8>,
    offset: u64,
    depth: usize,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was taken and the object goes on.
    More,
    /// It was taken and ends between objects.
    Done,
    /// It is not part of the object.
    Refused,
    /// It was taken and is no JSON, or too much of it.
    Broken,
}

impl JsonStream {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.depth = 0;
    }

    /// What was gathered of an unfinished object, and where it starts.
    pub(super) fn unfinished(&self) -> (&[u8], u64) {
        (&self.text, self.offset)
    }

    /// Takes a line; gives whole objects to `emit` with their offsets.
    pub(super) fn feed(
        &mut self,
        line: &[u8],
        offset: u64,
        emit: &mut dyn FnMut(&[u8], u64),
    ) -> Taken {
        if !self.continues(line) {
            return Taken::Refused;
        }
        let mut rest = line;
        while let Some((&byte, after)) = rest.split_first() {
            let at = offset.saturating_add((line.len() - rest.len()) as u64);
            rest = if byte == b'"' {
                let Some(end) = string_end(after) else { return Taken::Broken };
                self.open_if_cut(at);
                let (string, after) = rest.split_at(end + 1);
                self.text.extend_from_slice(string);
                after
            } else {
                if !self.byte(byte, at, emit) {
                    return Taken::Broken;
                }
                after
            };
        }
        if self.depth == 0 {
            return Taken::Done;
        }
        self.text.push(b'\n');
        if self.text.len() > RECORD_LIMIT { Taken::Broken } else { Taken::More }
    }

    /// Takes a byte outside strings; false when it cannot stand there.
    fn byte(&mut self, byte: u8, at: u64, emit: &mut dyn FnMut(&[u8], u64)) -> bool {
        match (byte, self.depth) {
            (b'{', 0) => self.open(at),
            // Between objects: what the frame around them left.
            (b'}' | b'[' | b']' | b',', 0) => {}
            (byte, 0) => return byte.is_ascii_whitespace(),
            (b'[', 1) if is_dmesg_frame(&self.text) => self.clear(),
            (b'{' | b'[', _) => {
                self.text.push(byte);
                self.depth += 1;
            }
            (b'}' | b']', _) => {
                self.text.push(byte);
                self.depth -= 1;
                if self.depth == 0 {
                    emit(&self.text, self.offset);
                    self.clear();
                }
            }
            _ => self.text.push(byte),
        }
        true
    }

    fn open(&mut self, at: u64) {
        self.clear();
        self.offset = at;
        self.depth = 1;
        self.text.push(b'{');
    }

    /// A member without an object around it: the beginning was cut off.
    fn open_if_cut(&mut self, at: u64) {
        if self.depth == 0 {
            self.open(at);
        }
    }

    /// Whether a line can go on here. Strings never span lines, so each line starts with a token.
    fn continues(&self, line: &[u8]) -> bool {
        let text = line.trim_ascii();
        match text.first() {
            None | Some(b'"' | b'}' | b']' | b',' | b':') => true,
            Some(b'{') => self.depth == 0,
            Some(b'[') => text == b"[",
            Some(b'0'..=b'9') => {
                self.depth > 0 && text.iter().all(|byte| b"0123456789.,] ".contains(byte))
            }
            _ => matches!(text.strip_suffix(b",").unwrap_or(text), b"null" | b"true" | b"false"),
        }
    }
}

/// Whether a line can start an object in the middle: brackets that open one, or a member of dmesg's records.
pub(super) fn starts(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    if is_brackets(text) {
        return text.contains(&b'{');
    }
    let indented = line.first().is_some_and(u8::is_ascii_whitespace);
    if indented && text.starts_with(b"{\"") {
        return true;
    }
    let Some(key) = text.strip_prefix(b"\"").filter(|_| indented) else { return false };
    [b"pri\":".as_slice(), b"fac\":", b"time\":", b"msg\":", b"caller\":", b"dmesg\":"]
        .iter()
        .any(|member| key.starts_with(member))
}

/// Whether a line has a member by which journals, container logs and dmesg are known.
pub(super) fn names_a_record(line: &[u8]) -> bool {
    let near = line.get(..line.len().min(4096)).unwrap_or_default();
    [
        b"\"MESSAGE\"".as_slice(),
        b"\"__",
        b"\"_BOOT_ID\"",
        b"\"SYSLOG_",
        b"\"log\"",
        b"\"msg\"",
        b"\"dmesg\"",
    ]
    .iter()
    .any(|name| memchr::memmem::find(near, name).is_some())
}

/// Whether a line is structure alone.
pub(super) fn is_brackets(line: &[u8]) -> bool {
    !line.is_empty()
        && line.iter().all(|byte| b"{}[], \t".contains(byte))
        && line.iter().any(|byte| b"{}[]".contains(byte))
}

/// The index of the closing quote in what follows the opening one, counted from the opening one.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let step = memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        at += step;
        if text.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// `{"dmesg":`, however it is spaced.
fn is_dmesg_frame(text: &[u8]) -> bool {
    text.len() < 256
        && text.iter().filter(|byte| !byte.is_ascii_whitespace()).eq(b"{\"dmesg\":".iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(lines: &[&str]) -> (Vec<String>, Taken) {
        let (mut stream, mut found, mut last) = (JsonStream::default(), Vec::new(), Taken::Done);
        for line in lines {
            last = stream.feed(line.as_bytes(), 0, &mut |text, _| {
                found.push(String::from_utf8_lossy(text).replace([' ', '\n'], ""));
            });
        }
        (found, last)
    }

    #[test]
    fn the_frame_around_dmesg_records_is_taken_off() {
        let whole = run(&[
            "{",
            "  \"dmesg\": [",
            "   {",
            " \"pri\": 4",
            "  },{",
            "  \"pri\": 5",
            "  }",
            " ]",
            "}",
        ]);
        assert_eq!(whole, (vec!["{\"pri\":4}".to_owned(), "{\"pri\":5}".to_owned()], Taken::Done));
        let line = run(&["{\"dmesg\":[{\"a\":1},{\"b\":[2]}]}"]);
        assert_eq!(line.0, ["{\"a\":1}", "{\"b\":[2]}"]);
    }

    #[test]
    fn a_cut_piece_is_read_as_far_as_it_goes() {
        assert_eq!(run(&[" \"msg\": \"x\"", "},{"]).0, ["{\"msg\":\"x\"}"]);
        assert_eq!(run(&["},{", "--"]).1, Taken::Refused);
        assert_eq!(run(&["{", "Nov 22 13:34:42 vm kernel: x"]).1, Taken::Refused);
        assert_eq!(run(&["{", "4,1,2,-;x"]).1, Taken::Refused);
        assert_eq!(run(&["{", "\"a"]).1, Taken::Broken);
    }
}
