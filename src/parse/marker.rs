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

use memchr::memmem;

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
    (b" printk messages dropped **", GapReason::ConsoleDropped),
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

/// Reads a marker, if the line is one.
pub(super) fn loss(payload: &[u8], tag: Option<&[u8]>) -> Option<Loss> {
    if payload.len() > LONGEST {
        return None;
    }
    for &(words, reason) in COUNTED {
        if let Some(at) = memmem::find(payload, words)
            && let Some(number) = number_before(payload.get(..at)?)
            && is_said_by(reason, payload, tag)
        {
            return Some(Loss { lost: Some(number), reason });
        }
    }
    rsyslog_socket(payload).or_else(|| {
        let found = UNCOUNTED.iter().find(|(words, _)| memmem::find(payload, words).is_some());
        found.map(|&(_, reason)| Loss { lost: None, reason })
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
