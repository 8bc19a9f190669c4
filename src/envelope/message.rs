//! The text behind a header: kernel stamp, stray level, repeat notices, withheld messages.
//!
//! ```text
//! [ 1687.924627] TRACE: filter:INPUT:policy:1 IN=tketh0 …
//! <4>[ 1687.924627] IN=eth0 …
//! message repeated 3 times: [TRACE: eb:nat:OUTPUT IN= OUT=tkvR2M5 …]
//! last message repeated 4 times
//! Last message 'kernel: IN=eth0 OUT=' repeated 2 times, suppressed by syslog-ng on vm
//! [206B blob data]
//! ```

use super::dmesg::kernel_stamp;
use super::facility::bracketed;
use super::scan::{number, whole_number};
use crate::model::Uptime;

/// What a message turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// A payload, with what stood before it.
    Payload { payload: &'a [u8], uptime: Option<Uptime>, level: Option<u8>, copies: u32 },
    /// The previous line came so many more times.
    RepeatPrevious { times: u32 },
    /// journalctl shows only the size of the message.
    Blob { bytes: u64 },
}

/// Beginnings of the pieces into which ebtables lines tear. The blank before them is theirs.
const FRAGMENTS: [&[u8]; 6] =
    [b"IP SRC=", b"IPv6 SRC=", b"ARP HTYPE=", b"ARP MAC SRC=", b"SPT=", b"INCOMPLETE "];

/// Reads a message; `body` starts behind the header and its separating blank.
pub(super) fn read(body: &[u8]) -> Message<'_> {
    match body.first() {
        Some(b'm' | b' ') => repeated(body),
        Some(b'l' | b'L' | b'-') => repeat_previous(body),
        Some(b'[') => blob(body),
        _ => None,
    }
    .unwrap_or_else(|| payload(body, 1))
}

/// Drops the one blank between header and text. Some writers leave it out when the text
/// brings one of its own: a torn piece keeps it.
pub(super) fn after_blank(text: &[u8]) -> &[u8] {
    let Some(body) = text.strip_prefix(b" ") else { return text };
    match body.first() {
        Some(b'I' | b'A' | b'S') if FRAGMENTS.iter().any(|start| body.starts_with(start)) => text,
        _ => body,
    }
}

/// Takes the level and the stamp off a text that the kernel wrote.
fn payload(text: &[u8], copies: u32) -> Message<'_> {
    let (level, text) = match bracketed(text) {
        Some((priority, rest)) if priority.facility == 0 => (Some(priority.level), rest),
        _ => (None, text),
    };
    // Some writers set two blanks before the stamp.
    let stamped = kernel_stamp(text.strip_prefix(b" ").unwrap_or(text));
    match stamped {
        Some((uptime, rest)) => {
            Message::Payload { payload: after_blank(rest), uptime: Some(uptime), level, copies }
        }
        None => Message::Payload { payload: text, uptime: None, level, copies },
    }
}

/// rsyslog's reduction. The text in brackets may be cut, so the last bracket may be missing.
fn repeated(text: &[u8]) -> Option<Message<'_>> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let (times, rest) = number(text.strip_prefix(b"message repeated ")?)?;
    let body = rest.strip_prefix(b" times: [")?;
    let body = body.strip_suffix(b"]").unwrap_or(body);
    Some(payload(body, u32::try_from(times).unwrap_or(u32::MAX)))
}

/// The notices of sysklogd, metalog and syslog-ng, which do not repeat the text.
fn repeat_previous(text: &[u8]) -> Option<Message<'_>> {
    let text = text.strip_prefix(b"--- ").unwrap_or(text);
    let rest = match text.strip_prefix(b"Last message '") {
        // What syslog-ng quotes may hold anything; its own words come last.
        Some(quoted) => {
            let own = memchr::memmem::rfind(quoted, b"' repeated ")?;
            quoted.get(own + 1..)?
        }
        None => text
            .strip_prefix(b"last message")
            .or_else(|| text.strip_prefix(b"Last message"))
            .or_else(|| text.strip_prefix(b"Last output"))?,
    };
    let (times, rest) = number(rest.strip_prefix(b" repeated ")?)?;
    rest.strip_prefix(b" time")?;
    Some(Message::RepeatPrevious { times: u32::try_from(times).unwrap_or(u32::MAX) })
}

/// `[206B blob data]`, `[1.2K blob data]`.
pub(super) fn blob(text: &[u8]) -> Option<Message<'_>> {
    let size = text.strip_prefix(b"[")?.strip_suffix(b" blob data]")?;
    let (unit, digits) = size.split_last()?;
    let unit = match unit {
        b'B' => 1,
        b'K' => 1 << 10,
        b'M' => 1 << 20,
        b'G' => 1 << 30,
        _ => return None,
    };
    let bytes = match memchr::memchr(b'.', digits) {
        None => whole_number(digits)?.saturating_mul(unit),
        Some(dot) => {
            let tenths = whole_number(digits.get(dot + 1..dot + 2)?)?;
            whole_number(digits.get(..dot)?)?
                .saturating_mul(unit)
                .saturating_add(tenths * unit / 10)
        }
    };
    Some(Message::Blob { bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(payload: &[u8]) -> Message<'_> {
        Message::Payload { payload, uptime: None, level: None, copies: 1 }
    }

    #[test]
    fn stamps_levels_and_single_blanks_go() {
        let stamped = Message::Payload {
            payload: b"IN=eth0",
            uptime: Some(Uptime(12_500_000)),
            level: Some(4),
            copies: 1,
        };
        assert_eq!(read(b"<4>[   12.500000] IN=eth0"), stamped);
        assert_eq!(read(b"[UFW BLOCK] IN=eth0"), plain(b"[UFW BLOCK] IN=eth0"));
        assert_eq!(read(b"IN=eth0"), plain(b"IN=eth0"));
        assert_eq!(read(b""), plain(b""));
    }

    #[test]
    fn torn_pieces_keep_their_blank() {
        assert_eq!(after_blank(b"  IP SRC=1.2.3.4"), b" IP SRC=1.2.3.4");
        assert_eq!(after_blank(b" IP SRC=1.2.3.4"), b" IP SRC=1.2.3.4");
        assert_eq!(after_blank(b"  IN= OUT=br0 MAC source"), b" IN= OUT=br0 MAC source");
        assert_eq!(after_blank(b" IN=eth0"), b"IN=eth0");
    }

    #[test]
    fn repeats_are_counted() {
        let repeated = Message::Payload {
            payload: b"x [y]",
            uptime: Some(Uptime(1_000_000)),
            level: None,
            copies: 3,
        };
        assert_eq!(read(b"message repeated 3 times: [[    1.000000] x [y]]"), repeated);
        assert_eq!(read(b"last message repeated 4 times"), Message::RepeatPrevious { times: 4 });
        let quoted =
            b"Last message 'kernel: IN=' repeated' repeated 2 times, suppressed by syslog-ng on vm";
        assert_eq!(read(quoted), Message::RepeatPrevious { times: 2 });
        assert_eq!(read(b"last messages"), plain(b"last messages"));
    }

    #[test]
    fn blobs_tell_their_size() {
        assert_eq!(read(b"[206B blob data]"), Message::Blob { bytes: 206 });
        assert_eq!(read(b"[1.5K blob data]"), Message::Blob { bytes: 1536 });
        assert_eq!(read(b"[B blob data]"), plain(b"[B blob data]"));
    }
}
