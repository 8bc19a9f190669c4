//! The parser, by real captures, by lines written for the purpose, and by damage.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod captures;
mod damage;
mod fields;
mod generated;
mod glued;
mod markers;
mod memo;
mod odd;
mod prefixes;
mod rendered;
mod strategies;
mod torn;

use tracecol::model::{
    Anomaly, AnomalyKind, GapReason, Header, HostId, LineKind, Position, Site, SourceId, Stamp,
    TailKey, Trust, Uptime,
};
use tracecol::parse::{LineInput, Parsed, Parser};

/// An entry that outlives the parser's loan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Read {
    pub(crate) site: Site,
    pub(crate) header: Header,
    pub(crate) position: Position,
    pub(crate) pieces: Vec<u64>,
    pub(crate) tail: Option<TailKey>,
}

/// Everything that came out of some lines.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) kinds: Vec<LineKind>,
    pub(crate) entries: Vec<Read>,
    pub(crate) anomalies: Vec<Anomaly>,
    pub(crate) gaps: Vec<(GapReason, Option<u64>)>,
}

impl Output {
    pub(crate) fn take(&mut self, parsed: Parsed<'_>) {
        match parsed {
            Parsed::Entry(entry) => self.entries.push(Read {
                site: (**entry.site).clone(),
                header: entry.header.clone(),
                position: entry.position,
                pieces: entry.pieces.iter().map(|piece| piece.offset).collect(),
                tail: entry.tail,
            }),
            Parsed::Anomaly(anomaly) => self.anomalies.push(anomaly),
            Parsed::Gap { reason, lost, .. } => self.gaps.push((reason, lost)),
        }
    }

    pub(crate) fn anomaly_kinds(&self) -> Vec<AnomalyKind> {
        self.anomalies.iter().map(|anomaly| anomaly.kind).collect()
    }
}

/// A line as a text file has it: its number is its offset, its stamp a millisecond each.
pub(crate) fn input(number: u64, payload: &[u8]) -> LineInput<'_> {
    LineInput {
        host: HostId(0),
        position: Position { source: SourceId(0), offset: number, seq: None, copy: 0 },
        stamp: Stamp { wall: None, uptime: Some(Uptime(number * 1000)) },
        trust: Trust::Text,
        payload,
        tag: None,
        continuation: false,
    }
}

/// Reads lines with one parser.
pub(crate) fn read_lines<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Output {
    let mut parser = Parser::new();
    let mut output = Output::default();
    for (number, payload) in (0..).zip(lines) {
        let line = input(number, payload);
        let kind = parser.push(&line, &mut |parsed| output.take(parsed));
        output.kinds.push(kind);
    }
    parser.finish(&mut |parsed| output.take(parsed));
    output
}

/// Reads one line that gives one entry.
pub(crate) fn read_one(payload: impl AsRef<[u8]>) -> Read {
    let mut output = read_lines([payload.as_ref()]);
    assert_eq!(output.entries.len(), 1, "{:?}", String::from_utf8_lossy(payload.as_ref()));
    output.entries.remove(0)
}

/// Undoes the `\xHH` of a kmsg record's text.
pub(crate) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let code = after.strip_prefix(b"x").and_then(|hex| hex.get(..2)).filter(|_| first == b'\\');
        let code = code.and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = &after[3..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    bytes
}

/// The payload of a kmsg record `pri,seq,usec,flags;payload`.
pub(crate) fn payload_of(record: &[u8]) -> Vec<u8> {
    let semicolon = record.iter().position(|&byte| byte == b';').unwrap();
    unescape(&record[semicolon + 1..])
}
