//! `/dev/kmsg` records.
//!
//! ```text
//! 4,3437,1501098037,-;TRACE: filter:INPUT:policy:1 IN=tketh0 OUT= …
//! 4,6984,2019160073,c; SPT=60651 DPT=7778
//! 4,3437,1501098037,-,caller=T123;TRACE: …
//!  SUBSYSTEM=net
//! ```
//!
//! Priority, sequence number, microseconds since boot, flags, perhaps more; then the text.
//! Kernel 3.5 has no flags. Bytes that are not printable, and the backslash, stand as `\xHH`:
//! only here, and they are undone exactly once. Dictionary lines follow their record.

use super::facility::Priority;
use super::scan::{hex, number};

/// One record, its text still escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) priority: Priority,
    pub(super) seq: u64,
    pub(super) uptime: u64,
    pub(super) continuation: bool,
    pub(super) text: &'a [u8],
    /// Whether `text` holds `\xHH` that must be undone.
    pub(super) escaped: bool,
}

/// Reads one record.
pub(super) fn read(line: &[u8]) -> Option<Record<'_>> {
    let (priority, rest) = number(line)?;
    let (seq, rest) = number(rest.strip_prefix(b",")?)?;
    let (uptime, rest) = number(rest.strip_prefix(b",")?)?;
    let (flags, text) = match rest.split_first()? {
        (b';', text) => (b"".as_slice(), text),
        (b',', rest) => {
            let end = memchr::memchr(b';', rest)?;
            (rest.get(..end)?, rest.get(end + 1..)?)
        }
        _ => return None,
    };
    let (text, escaped) = if memchr::memchr2(b'\\', b'\n', text).is_none() {
        (text, false)
    } else {
        // A whole record as read from the device: its dictionary follows.
        let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
        let text = text.get(..end)?;
        (text, memchr::memchr(b'\\', text).is_some())
    };
    Some(Record {
        priority: Priority::from_number(priority),
        seq,
        uptime,
        continuation: matches!(flags.first(), Some(b'c' | b'+')),
        text,
        escaped,
    })
}

/// Undoes `\xHH` into `out`.
pub(super) fn unescape(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', text) {
        let (plain, escape) = text.split_at(at);
        out.extend_from_slice(plain);
        if let Some(byte) = escape.strip_prefix(b"\\x").and_then(|rest| hex(rest.get(..2)?)) {
            out.push(byte);
            text = escape.get(4..).unwrap_or_default();
        } else {
            out.push(b'\\');
            text = escape.get(1..).unwrap_or_default();
        }
    }
    out.extend_from_slice(text);
}

/// Whether a line that follows a record is of its dictionary: one blank, a key, `=`, one word.
/// ` IP SRC=…` and ` SPT=1 DPT=2` are pieces of a torn ebtables line and are not.
pub(super) fn is_dictionary(line: &[u8]) -> bool {
    let Some(line) = line.strip_prefix(b" ") else { return false };
    let key = line.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b'_').count();
    key > 0 && line.get(key) == Some(&b'=') && !line.contains(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_once() {
        let mut out = Vec::new();
        unescape(br"tab\x09here\x5cx41 caf\xe9 \x4 \", &mut out);
        assert_eq!(out, b"tab\there\\x41 caf\xe9 \\x4 \\");
    }

    #[test]
    fn fragments_are_no_dictionary() {
        assert!(is_dictionary(b" SUBSYSTEM=net"));
        assert!(is_dictionary(b" DEVICE=+usb:1-1"));
        assert!(!is_dictionary(b" IP SRC=172.29.0.6 IP DST=172.29.0.5"));
        assert!(!is_dictionary(b" SPT=60651 DPT=7778"));
        assert!(!is_dictionary(b"  SUBSYSTEM=net"));
    }

    #[test]
    fn a_number_list_is_no_record() {
        assert_eq!(read(b"4,3437,1501098037"), None);
        assert_eq!(read(b"4,3437;x"), None);
        assert_eq!(read(b"4,99999999999999999999999,1;x"), None);
    }
}
