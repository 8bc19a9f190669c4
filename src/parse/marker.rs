//! Lines in which a log says that lines are missing from it (formats 6.1).
//!
//! ```text
//! systemd-journald[205]: Missed 137 kernel messages
//! net_ratelimit: 42 callbacks suppressed
//! imklog: 1033 messages lost due to rate-limiting (500 allowed within 5 seconds)
//! nf_conntrack: nf_conntrack: table full, dropping packet
//! ```
//!
//! They come from userland as well as from the kernel, so neither tag nor
//! trust decides, only the words.

use std::sync::LazyLock;

use memchr::memmem::{self, Finder};

use crate::model::GapReason;

/// How much a marker says is missing, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) lost: Option<u64>,
    pub(super) reason: GapReason,
}

/// Words that stand right behind a number of lost lines.
const COUNTED: &[(&[u8], GapReason)] = &[
    (b" kernel messages", GapReason::JournaldMissed),
    (b" messages from", GapReason::JournaldSuppressed),
    (b" callbacks suppressed", GapReason::PrintkRatelimit),
    (b" messages suppressed", GapReason::PrintkRatelimit),
    (b" output lines suppressed due to ratelimiting", GapReason::DevkmsgRatelimit),
    (b" messages lost due to rate-limiting", GapReason::RsyslogRatelimit),
];

/// Words without a number.
const UNCOUNTED: &[(&[u8], GapReason)] = &[
    (b"begin to drop messages", GapReason::RsyslogRatelimit),
    (b"buffer overrun, some messages lost", GapReason::JournaldMissed),
    (b"conntrack: table full, dropping packet", GapReason::ConntrackTableFull),
    (b"please increase S_SIZE", GapReason::LineBufferFull),
];

/// Longer lines are never markers.
const LONGEST: usize = 512;

/// One of these stands in every marker; most lines have none of them.
static SIGNS: LazyLock<[Finder<'static>; 5]> =
    LazyLock::new(|| ["uppressed", "lost", "Missed ", " drop", "increase S_SIZE"].map(Finder::new));

/// Reads a marker, if the line is one.
pub(super) fn loss(payload: &[u8], tag: Option<&[u8]>) -> Option<Loss> {
    if payload.len() > LONGEST || SIGNS.iter().all(|sign| sign.find(payload).is_none()) {
        return None;
    }
    counted(payload, tag).or_else(|| rsyslog_socket(payload)).or_else(|| {
        let found = UNCOUNTED.iter().find(|(words, _)| memmem::find(payload, words).is_some());
        found.map(|&(_, reason)| Loss { lost: None, reason })
    })
}

/// `** 91 printk messages dropped ** ` at the beginning, and what stands behind it.
pub(super) fn dropped(payload: &[u8]) -> Option<(Loss, &[u8])> {
    let text = payload.strip_prefix(b"** ")?;
    let end = text.iter().position(u8::is_ascii_whitespace)?;
    let (digits, text) = text.split_at_checked(end)?;
    let rest = text.strip_prefix(b" printk messages dropped **")?;
    Some((Loss { lost: Some(number_before(digits)?), reason: GapReason::ConsoleDropped }, rest))
}

fn counted(payload: &[u8], tag: Option<&[u8]>) -> Option<Loss> {
    COUNTED.iter().find_map(|&(words, reason)| {
        let at = memmem::find(payload, words)?;
        let lost = number_before(payload.get(..at)?)?;
        is_said_by(reason, payload, tag).then_some(Loss { lost: Some(lost), reason })
    })
}

/// `imuxsock lost 35 messages from pid 1290 due to rate-limiting`
fn rsyslog_socket(payload: &[u8]) -> Option<Loss> {
    let at = memmem::find(payload, b"imuxsock lost ")? + b"imuxsock lost ".len();
    memmem::find(payload, b" due to rate-limiting")?;
    let digits = payload.get(at..)?.split(u8::is_ascii_whitespace).next()?;
    Some(Loss { lost: number_before(digits), reason: GapReason::RsyslogRatelimit })
}

/// journald's sentences are ordinary English, so they need its name or its first word.
fn is_said_by(reason: GapReason, payload: &[u8], tag: Option<&[u8]>) -> bool {
    let word: &[u8] = match reason {
        GapReason::JournaldMissed => b"Missed ",
        GapReason::JournaldSuppressed => b"Suppressed ",
        _ => return true,
    };
    let journald = |text: &[u8]| memmem::find(text, b"journal").is_some();
    payload.starts_with(word)
        || memmem::find(payload, word).is_some() && (tag.is_some_and(journald) || journald(payload))
}

/// The decimal number at the end of a text.
fn number_before(text: &[u8]) -> Option<u64> {
    let start = text.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
    std::str::from_utf8(text.get(start..)?).ok()?.parse().ok()
}
