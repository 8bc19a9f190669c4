//! `journalctl -o export`: fields line by line, a blank line behind each record.
//!
//! ```text
//! __CURSOR=s=9477d96229c142c095f7475444355648;i=342;…
//! __REALTIME_TIMESTAMP=1795354139947697
//! _TRANSPORT=kernel
//! MESSAGE
//! ........TRACE: filter:caf\xe9:return:1 IN=tketh0 …
//!
//! ```
//!
//! A value that is not printable text follows its name as a 64-bit little-endian length, that many
//! bytes (newlines among them) and a newline. Lines that were cut on their way are told by
//! their offsets, so that the count stays right.

use super::journal::{Fields, RECORD_LIMIT, is_key};

/// journald stores no field larger than this.
const FIELD_LIMIT: u64 = 768 << 20;

/// Names of binary fields that are kept; the bytes of others are only counted.
const KEPT: [&[u8]; 3] = [b"MESSAGE", b"SYSLOG_IDENTIFIER", b"_HOSTNAME"];

/// The record that is being read.
#[derive(Debug, Default)]
pub(super) struct Export {
    pub(super) fields: Fields,
    /// Where the record starts.
    pub(super) offset: u64,
    /// Where the next line starts, unless the last one was cut.
    next: u64,
    has_cursor: bool,
    binary: Option<Binary>,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// A binary field in the middle.
#[derive(Debug, Default)]
struct Binary {
    length: [u8; 8],
    length_read: usize,
    /// Bytes to come, the newline behind them included; known once the length is.
    left: u64,
    damaged: bool,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It belongs to the record.
    More,
    /// It ends the record.
    Done,
    /// It does not belong to the record, which ends here.
    Refused,
    /// It belongs to the record, which cannot be read.
    Broken,
}

/// Whether a line begins a record.
pub(super) fn starts(line: &[u8]) -> bool {
    const FIRST: [&[u8]; 11] = [
        b"_BOOT_ID",
        b"_MACHINE_ID",
        b"_HOSTNAME",
        b"_TRANSPORT",
        b"_UID",
        b"_PID",
        b"_RUNTIME_SCOPE",
        b"_SOURCE_MONOTONIC_TIMESTAMP",
        b"_SOURCE_REALTIME_TIMESTAMP",
        b"SYSLOG_IDENTIFIER",
        b"SYSLOG_FACILITY",
    ];
    let Some((key, _)) = pair(line) else { return false };
    key.starts_with(b"__") || FIRST.contains(&key)
}

/// `KEY=VALUE`.
fn pair(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = memchr::memchr(b'=', line.get(..line.len().min(65))?)?;
    // A bare kernel line may follow a record that was cut.
    let key = line.get(..equals).filter(|key| is_key(key) && !matches!(*key, b"IN" | b"OUT"))?;
    Some((key, line.get(equals + 1..)?))
}

impl Export {
    /// Begins a record; its first line is fed next.
    pub(super) fn begin(&mut self, offset: u64) {
        self.fields.clear();
        self.offset = offset;
        self.next = offset;
        self.has_cursor = false;
        self.binary = None;
    }

    /// The name of the field that was read last, or the bytes that do not fit.
    pub(super) fn culprit(&self) -> &[u8] {
        &self.key
    }

    /// Whether a binary field is unfinished.
    pub(super) fn in_binary(&self) -> bool {
        self.binary.is_some()
    }

    /// Takes a physical line as it came, carriage return included.
    pub(super) fn feed(&mut self, raw: &[u8], offset: u64) -> Step {
        let missing = offset.saturating_sub(self.next);
        self.next = offset.saturating_add(raw.len() as u64).saturating_add(1);
        match self.binary.take() {
            Some(binary) => self.binary_line(binary, raw, missing),
            None => self.text_line(raw),
        }
    }

    fn text_line(&mut self, raw: &[u8]) -> Step {
        let line = raw.strip_suffix(b"\r").unwrap_or(raw);
        if line.is_empty() {
            return Step::Done;
        }
        if let Some((key, value)) = pair(line) {
            if key == b"__CURSOR" && std::mem::replace(&mut self.has_cursor, true) {
                return Step::Refused;
            }
            self.fields.set(key, value);
            return if self.fields.too_long() { self.broken(key) } else { Step::More };
        }
        if !is_key(line) {
            return Step::Refused;
        }
        self.key.clear();
        self.key.extend_from_slice(line);
        self.value.clear();
        self.binary = Some(Binary::default());
        Step::More
    }

    fn binary_line(&mut self, mut binary: Binary, raw: &[u8], missing: u64) -> Step {
        if missing > 0 {
            if binary.length_read < 8 || missing > binary.left {
                return self.broken(raw);
            }
            binary.damaged = true;
            binary.left -= missing;
        }
        if binary.length_read == 8 && binary.left == 0 {
            // The cut line was the field's last.
            return match self.end_binary(&binary) {
                Step::More => self.text_line(raw),
                step => step,
            };
        }
        // The newline that the line reader took away counts, and only it may be the last byte.
        if !binary.take(raw, self.kept()) || (binary.length_read == 8 && binary.left == 0) {
            return self.broken(raw);
        }
        if !binary.take(b"\n", self.kept()) {
            return self.broken(raw);
        }
        if binary.length_read == 8 && binary.left == 0 {
            return self.end_binary(&binary);
        }
        self.binary = Some(binary);
        Step::More
    }

    /// Where the bytes of the current field go.
    fn kept(&mut self) -> Option<&mut Vec<u8>> {
        KEPT.contains(&self.key.as_slice()).then_some(&mut self.value)
    }

    fn end_binary(&mut self, binary: &Binary) -> Step {
        if !KEPT.contains(&self.key.as_slice()) {
            return Step::More;
        }
        if binary.damaged || self.value.len() >= RECORD_LIMIT {
            return Step::Broken;
        }
        self.fields.set(&self.key, &self.value);
        if self.fields.too_long() { Step::Broken } else { Step::More }
    }

    fn broken(&mut self, culprit: &[u8]) -> Step {
        self.key.clear();
        self.key.extend_from_slice(culprit.get(..culprit.len().min(4096)).unwrap_or_default());
        Step::Broken
    }
}

impl Binary {
    /// Takes bytes: first the length, then the value into `out` up to its limit. False when there are too many.
    fn take(&mut self, bytes: &[u8], out: Option<&mut Vec<u8>>) -> bool {
        let missing = 8 - self.length_read;
        let (head, bytes) = bytes.split_at(bytes.len().min(missing));
        for (slot, byte) in self.length.iter_mut().skip(self.length_read).zip(head) {
            *slot = *byte;
        }
        self.length_read += head.len();
        if self.length_read < 8 {
            return true;
        }
        if missing > 0 {
            let length = u64::from_le_bytes(self.length);
            if length > FIELD_LIMIT {
                return false;
            }
            self.left = length + 1;
        }
        let count = bytes.len() as u64;
        if count > self.left {
            return false;
        }
        // All but the newline at the end is value.
        let value = usize::try_from(self.left - 1).unwrap_or(usize::MAX).min(bytes.len());
        if let Some(out) = out {
            let room = RECORD_LIMIT.saturating_sub(out.len());
            out.extend_from_slice(bytes.get(..value.min(room)).unwrap_or_default());
        }
        self.left -= count;
        true
    }
}
