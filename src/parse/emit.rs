//! Hands results out: entries, and the remarks their headers deserve.

use std::sync::Arc;

use crate::model::{Anomaly, AnomalyKind, Entry, Header, LineKind, Position, Site, TailKey};
use crate::parse::ebt::Head;
use crate::parse::line::{LineInput, Parsed, Sink};
use crate::parse::memo::Kept;
use crate::parse::site::{self, Sites};

/// At most so many bytes of a line are kept with an anomaly.
const LONGEST_TEXT: usize = 4096;

/// Emits an nf-line.
pub(super) fn emit(
    sites: &mut Sites,
    line: &LineInput<'_>,
    prefix: &[u8],
    (key, header): Kept<'_>,
    sink: Sink<'_>,
) -> LineKind {
    let site = sites.find(prefix, site::nf_site);
    sink(Parsed::Entry(entry(line, site, header, key)));
    remarks(line.position, line.payload, header, sink);
    match **site {
        Site::Trace { .. } => LineKind::Trace,
        _ => LineKind::Log,
    }
}

/// Emits a line that waited for its pieces.
pub(super) fn release(head: &Head, sink: Sink<'_>) {
    let header = head.header();
    sink(Parsed::Entry(Entry {
        host: head.host,
        position: head.position,
        pieces: &head.pieces,
        stamp: head.stamp,
        trust: head.trust,
        site: &head.site,
        header: &header,
        tail: None,
    }));
    if !head.pieces.is_empty() {
        remark(AnomalyKind::TornEbtablesLine, head.position, &head.text, sink);
    }
    remarks(head.position, &head.text, &header, sink);
}

pub(super) fn entry<'a>(
    line: &LineInput<'_>,
    site: &'a Arc<Site>,
    header: &'a Header,
    tail: Option<TailKey>,
) -> Entry<'a> {
    Entry {
        host: line.host,
        position: line.position,
        pieces: &[],
        stamp: line.stamp,
        trust: line.trust,
        site,
        header,
        tail,
    }
}

/// What the header says about itself.
pub(super) fn remarks(position: Position, text: &[u8], header: &Header, sink: Sink<'_>) {
    if header.cut {
        remark(AnomalyKind::CutLine, position, text, sink);
    }
    if let Some(unknown) = &header.unknown {
        remark(AnomalyKind::UnknownWord, position, unknown, sink);
    }
}

pub(super) fn remark(kind: AnomalyKind, position: Position, text: &[u8], sink: Sink<'_>) {
    let text = text.get(..LONGEST_TEXT).unwrap_or(text).into();
    sink(Parsed::Anomaly(Anomaly { kind, position, text }));
}
