//! Finds where a second line begins in one.
//!
//! ```text
//! … WINDOW=64240 RES=0x00 SYN URGP=0 TRACE: raw:PREROUTING:policy:2 IN=eth1 …
//! … proto = 0x0800[UFW BLOCK] IN=eth1 …          an open ebtables line, and another CPU's line
//! … DST=10.0.0.1 LENNov 22 13:27:05 host kernel: [ 1501.098037] IN=eth1 …
//! ```

use memchr::memmem;

use crate::parse::locate::{Devices, devices};
use crate::parse::{ebt, ordered, site, tolerant};

/// A place where one line ends and another one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Split {
    /// Where the first line ends.
    pub(super) end: usize,
    /// Where the second one's prefix begins; an envelope between them belongs to neither.
    pub(super) start: usize,
}

/// Where a second line begins, if one stands in `payload`.
pub(super) fn split(payload: &[u8]) -> Option<Split> {
    let mut all = devices(payload);
    let mut first = all.next()?;
    if let Some(end) = ebt::end_of_piece(payload) {
        return Some(Split { end, start: end });
    }
    if let Some(split) = at_envelope(payload, first.end) {
        return Some(split);
    }
    for second in all {
        if second.start >= first.end && has_fields(payload.get(first.end..second.start)?) {
            let end = end_of_first(payload, first, second);
            return Some(Split { end, start: end });
        }
        first = second;
    }
    None
}

/// `… URGP=0 Nov 22 13:27:05 host kernel: [ 1501.098037] …`
fn at_envelope(payload: &[u8], from: usize) -> Option<Split> {
    const TAG: &[u8] = b"kernel: ";
    let between = payload.get(from..)?;
    let tag = memmem::find(between, TAG)?;
    let second = site::after_kernel_stamp(between.get(tag + TAG.len()..)?);
    let end = from + envelope_start(between.get(..tag)?);
    Some(Split { end, start: payload.len() - second.len() })
}

/// Where `Mmm dd hh:mm:ss host ` or `2026-11-22T13:27:05+00:00 host ` begins, which ends the text.
fn envelope_start(text: &[u8]) -> usize {
    let window = text.len().saturating_sub(LONGEST_ENVELOPE);
    let near = text.get(window..).unwrap_or_default();
    let month = MONTHS.iter().filter_map(|month| memmem::rfind(near, month)).max();
    if let Some(month) = month {
        return window + month;
    }
    let host = last_word(text, text.len());
    let stamp = last_word(text, host);
    let is_stamp = text.get(stamp..host).is_some_and(|word| {
        word.first().is_some_and(u8::is_ascii_digit) && word.contains(&b'T') && word.contains(&b':')
    });
    if is_stamp { stamp } else { host }
}

/// No syslog header is longer.
const LONGEST_ENVELOPE: usize = 128;

#[rustfmt::skip]
const MONTHS: [&[u8]; 12] = [
    b"Jan ", b"Feb ", b"Mar ", b"Apr ", b"May ", b"Jun ",
    b"Jul ", b"Aug ", b"Sep ", b"Oct ", b"Nov ", b"Dec ",
];

/// Where the last word before `end` begins.
fn last_word(text: &[u8], end: usize) -> usize {
    let before = text.get(..end).unwrap_or_default().trim_ascii_end();
    before.iter().rposition(u8::is_ascii_whitespace).map_or(0, |blank| blank + 1)
}

fn has_fields(between: &[u8]) -> bool {
    const SIGNS: [&[u8]; 5] = [b"SRC=", b"MAC=", b"MAC source =", b"ARP HTYPE=", b"PHYSIN="];
    SIGNS.iter().any(|sign| memmem::find(between, sign).is_some())
}

/// Where the first of two glued lines ends: before `TRACE:`, or where its grammar does.
fn end_of_first(payload: &[u8], first: Devices, second: Devices) -> usize {
    let between = payload.get(first.end..second.start).unwrap_or_default();
    if let Some(at) = memmem::rfind(between, b"TRACE: ") {
        return first.end + at;
    }
    let tail = payload.get(first.start..).unwrap_or_default();
    let grammar = match (ebt::line(tail), ordered::header(tail)) {
        (Some(line), _) => Some(payload.len() - line.rest.len()),
        (None, Some((_, rest))) => Some(payload.len() - rest.len()),
        (None, None) => payload
            .get(first.start..second.start)
            .and_then(tolerant::first_foreign_word)
            .map(|at| first.start + at),
    };
    grammar.filter(|&end| end <= second.start).unwrap_or(second.start)
}
