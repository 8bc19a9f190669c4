//! `journalctl -o verbose`: a line with time and cursor, then the fields, indented by four blanks.
//!
//! ```text
//! Sun 2026-11-22 13:28:59.947697 UTC [s=9477d962…;i=342;b=e77df234…;m=6043021c;t=660dd75c1f2b1;x=442b724e…]
//!     _TRANSPORT=kernel
//!     MESSAGE=TRACE: security:INPUT:policy:1 IN=tketh0 …
//! ```
//!
//! The cursor holds the exact time (`t`) and the boot (`b`) in hexadecimal.

use super::journal::{Fields, is_key};
use super::scan::id128;
use super::text::Head;

/// The record that is being read.
#[derive(Debug, Default)]
pub(super) struct Verbose {
    pub(super) fields: Fields,
    /// Where the record starts.
    pub(super) offset: u64,
    in_message: bool,
}

/// The cursor of a record's first line, if the line is one.
pub(super) fn cursor<'a>(head: &Head<'a>) -> Option<&'a [u8]> {
    let cursor = head.header.message.strip_prefix(b"[s=")?.strip_suffix(b"]")?;
    (head.header.host.is_none() && head.stamp.wall.is_some()).then_some(cursor)
}

impl Verbose {
    /// Begins a record.
    pub(super) fn begin(&mut self, head: &Head<'_>, cursor: &[u8], offset: u64) {
        self.fields.clear();
        self.offset = offset;
        self.in_message = false;
        for part in cursor.split(|byte| *byte == b';') {
            if let Some(digits) = part.strip_prefix(b"t=")
                && let Some(micros) = hexadecimal(digits)
            {
                self.fields.set_realtime(micros);
            }
            if let Some(boot) = part.strip_prefix(b"b=") {
                self.fields.boot_id = id128(boot);
            }
        }
        if let Some(micros) = head.stamp.wall.and_then(|wall| u64::try_from(wall.0).ok()) {
            self.fields.set_realtime(micros);
        }
    }

    /// Takes a line; false when it does not belong to the record, which then ends.
    pub(super) fn feed(&mut self, line: &[u8]) -> bool {
        let Some(text) = line.strip_prefix(b"    ") else { return false };
        let key = memchr::memchr(b'=', text).and_then(|equals| text.split_at_checked(equals));
        match key {
            Some((key, value)) if is_key(key) => {
                self.fields.set(key, value.get(1..).unwrap_or_default());
                self.in_message = key == b"MESSAGE";
            }
            // Further lines of a value are indented by its name's length.
            _ if self.in_message => {
                let width = b"MESSAGE=".len().min(text.len());
                self.fields.continue_message(text.get(width..).unwrap_or_default());
            }
            _ => {}
        }
        true
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
