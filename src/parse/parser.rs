//! One host's lines in, entries out.

use crate::model::{AnomalyKind, LineKind, Position, Trust};
use crate::parse::ebt::{self, Head, Piece, Torn};
use crate::parse::emit::{emit, entry, release, remark, remarks};
use crate::parse::line::{LineInput, Parsed, Sink};
use crate::parse::memo::Memo;
use crate::parse::site::{self, Sites};
use crate::parse::unread::{
    behind_dropped, is_cut_trace, is_lost, marker_or_other, reject, says_nothing, suspect,
};
use crate::parse::{glued, locate, ordered, tolerant};

/// At most so many lines are looked for in one.
const MOST_LINES_IN_ONE: u32 = 8;

/// Reads the lines of one host.
///
/// It never fails and holds at most one line back: the head of an ebtables
/// line that may have been torn. [`Parser::finish`] lets that one go.
#[derive(Debug)]
pub struct Parser {
    memo: Memo,
    nf_sites: Sites,
    ebt_sites: Sites,
    torn: Torn,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// A parser that has read nothing yet.
    pub fn new() -> Self {
        Self {
            memo: Memo::new(),
            nf_sites: Sites::default(),
            ebt_sites: Sites::default(),
            torn: Torn::default(),
        }
    }

    /// Reads one line and tells what it was.
    pub fn push(&mut self, line: &LineInput<'_>, sink: Sink<'_>) -> LineKind {
        if let Some(head) = self.torn.age(line.stamp) {
            release(&head, sink);
        }
        match behind_dropped(line, sink) {
            Some(LineInput { payload: b"", .. }) => LineKind::Marker,
            Some(line) => self.read(&line, sink),
            None => self.read(line, sink),
        }
    }

    /// Where the line stands that is held back for its pieces; lines read since came later in the log.
    pub fn held_head(&self) -> Option<Position> {
        self.torn.held()
    }

    /// Lets the line go that may still be held back. No line may follow.
    pub fn finish(&mut self, sink: Sink<'_>) {
        if let Some(head) = self.torn.close() {
            release(&head, sink);
        }
    }

    fn read(&mut self, line: &LineInput<'_>, sink: Sink<'_>) -> LineKind {
        if line.trust == Trust::Suspect {
            return suspect(line, sink);
        }
        if let Some(kind) = self.fast(line, sink) {
            return kind;
        }
        if locate::has_signs(line.payload) {
            return self.slow(line, sink);
        }
        match self.piece(line, sink) {
            Some(kind) => kind,
            None if is_cut_trace(line) => reject(line, sink),
            None => marker_or_other(line, sink),
        }
    }

    /// The usual line: known tail, or all fields in the kernel's order.
    fn fast(&mut self, line: &LineInput<'_>, sink: Sink<'_>) -> Option<LineKind> {
        let at = locate::first_in(line.payload)?;
        let (prefix, tail) = line.payload.split_at_checked(at)?;
        if ebt::begins_like_a_piece(prefix) {
            return None;
        }
        if let Some(kept) = self.memo.find(tail) {
            return Some(emit(&mut self.nf_sites, line, prefix, kept, sink));
        }
        if let Some((header, rest)) = ordered::header(tail) {
            if !is_blank(rest) || locate::is_monitor_text(prefix) {
                return None;
            }
            let kept = self.memo.store(tail, header);
            return Some(emit(&mut self.nf_sites, line, prefix, kept, sink));
        }
        let read = ebt::line(tail)?;
        if !is_blank(read.rest) {
            return None;
        }
        self.ebt(line, at, read, sink);
        Some(LineKind::Ebtables)
    }

    /// Everything else, cut into single lines first.
    fn slow(&mut self, line: &LineInput<'_>, sink: Sink<'_>) -> LineKind {
        let mut rest = *line;
        let mut first = None;
        for _ in 1..MOST_LINES_IN_ONE {
            let Some(split) = glued::split(rest.payload) else { break };
            let (Some(before), Some(after)) =
                (rest.payload.get(..split.end), rest.payload.get(split.start..))
            else {
                break;
            };
            let kind = self.single(&LineInput { payload: before, ..rest }, sink);
            first.get_or_insert(kind);
            remark(AnomalyKind::SplitLine, line.position, line.payload, sink);
            rest.payload = after;
            rest.position.copy = rest.position.copy.saturating_add(1);
        }
        let kind = self.single(&rest, sink);
        first.unwrap_or(kind)
    }

    /// One line in any form.
    fn single(&mut self, line: &LineInput<'_>, sink: Sink<'_>) -> LineKind {
        if locate::is_monitor_text(line.payload) {
            return LineKind::Other;
        }
        if let Some(kind) = self.with_fields(line, sink).or_else(|| self.piece(line, sink)) {
            return kind;
        }
        if is_lost(line) {
            return reject(line, sink);
        }
        marker_or_other(line, sink)
    }

    /// A line that has fields with which to begin.
    fn with_fields(&mut self, line: &LineInput<'_>, sink: Sink<'_>) -> Option<LineKind> {
        if let Some(at) = locate::fields(line.payload) {
            return Some(self.with_devices(line, at, sink));
        }
        let at = locate::loose_fields(line.payload).or_else(|| cut_in_devices(line.payload))?;
        Some(self.tolerantly(line, at, sink))
    }

    /// A line whose `IN=… OUT=…` stands at `at`.
    fn with_devices(&mut self, line: &LineInput<'_>, at: usize, sink: Sink<'_>) -> LineKind {
        let tail = line.payload.get(at..).unwrap_or_default();
        if let Some(ebt_line) = ebt::line(tail) {
            self.ebt(line, at, ebt_line, sink);
            return LineKind::Ebtables;
        }
        if !ebt::has_frame(tail) {
            return self.tolerantly(line, at, sink);
        }
        let Some(header) = ebt::cut_line(tail) else { return reject(line, sink) };
        let site = self.ebt_sites.find(ebt_prefix(line.payload, at), site::ebt_site);
        sink(Parsed::Entry(entry(line, site, &header, None)));
        remarks(line.position, line.payload, &header, sink);
        LineKind::Ebtables
    }

    fn tolerantly(&mut self, line: &LineInput<'_>, at: usize, sink: Sink<'_>) -> LineKind {
        let (prefix, tail) = line.payload.split_at_checked(at).unwrap_or((b"", line.payload));
        if let Some(kept) = self.memo.find(tail) {
            return emit(&mut self.nf_sites, line, prefix, kept, sink);
        }
        let header = match ordered::header(tail) {
            Some((header, rest)) if is_blank(rest) => header,
            _ => tolerant::header(tail),
        };
        if says_nothing(&header) && site::trace(prefix).is_none() {
            return reject(line, sink);
        }
        let kept = self.memo.store(tail, header);
        emit(&mut self.nf_sites, line, prefix, kept, sink)
    }

    /// An ebtables line, which may be the head of a torn one.
    fn ebt(&mut self, line: &LineInput<'_>, at: usize, read: ebt::Line<'_>, sink: Sink<'_>) {
        if let Some(head) = self.torn.close() {
            release(&head, sink);
        }
        let prefix = ebt_prefix(line.payload, at);
        let site = self.ebt_sites.find(prefix, site::ebt_site);
        if read.may_be_torn() && self.torn.should_wait(prefix, read.open) {
            self.torn.wait(Head {
                host: line.host,
                position: line.position,
                stamp: line.stamp,
                trust: line.trust,
                site: site.clone(),
                text: line.payload.to_vec(),
                prefix_end: prefix.len(),
                fields: at,
                open: read.open,
                pieces: Vec::new(),
                waited: 0,
            });
            return;
        }
        if !matches!(read.open, ebt::Open::Network(_)) {
            self.torn.saw_network(prefix, read.header.link.ethertype());
        }
        let header = read.into_header();
        sink(Parsed::Entry(entry(line, site, &header, None)));
        remarks(line.position, line.payload, &header, sink);
    }

    /// A torn-off piece of an ebtables line.
    fn piece(&mut self, line: &LineInput<'_>, sink: Sink<'_>) -> Option<LineKind> {
        let piece = ebt::piece(line.payload)?;
        match self.torn.take(piece, line.payload, line.position) {
            Ok(done) => {
                if let Some(head) = done {
                    release(&head, sink);
                }
            }
            Err(()) if piece == Piece::Newline && line.continuation => {
                return Some(LineKind::Marker);
            }
            Err(()) if piece == Piece::Newline => return Some(LineKind::Other),
            Err(()) => remark(AnomalyKind::OrphanFragment, line.position, line.payload, sink),
        }
        Some(LineKind::Ebtables)
    }
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

/// ebtables itself prints the blank before `IN=`.
fn ebt_prefix(payload: &[u8], at: usize) -> &[u8] {
    let prefix = payload.get(..at).unwrap_or_default();
    prefix.strip_suffix(b" ").unwrap_or(prefix)
}

/// A TRACE line that ends before its `OUT=`.
fn cut_in_devices(payload: &[u8]) -> Option<usize> {
    let at = locate::first_in(payload)?;
    site::trace(payload.get(..at)?).map(|_| at)
}
