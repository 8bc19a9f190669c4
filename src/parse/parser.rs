//! One host's lines in, entries out.

use crate::model::{
    Anomaly, AnomalyKind, Entry, GapReason, Header, HostId, LineKind, LinkHeader, Network,
    Position, Site, Stamp, TailKey, Trust,
};
use crate::parse::ebt::{self, Head, Piece, Torn};
use crate::parse::locate;
use crate::parse::memo::{Kept, Memo};
use crate::parse::site::{self, Sites};
use crate::parse::{glued, marker, ordered, tolerant};

/// At most so many bytes of a line are kept with an anomaly.
const LONGEST_TEXT: usize = 4096;

/// At most so many lines are looked for in one.
const MOST_LINES_IN_ONE: u32 = 8;

/// One line, peeled out of its envelope.
#[derive(Debug, Clone, Copy)]
pub struct LineInput<'a> {
    /// The host it belongs to.
    pub host: HostId,
    /// Where it stands.
    pub position: Position,
    /// When it was written.
    pub stamp: Stamp,
    /// How far its origin may be trusted.
    pub trust: Trust,
    /// What the kernel printed.
    pub payload: &'a [u8],
    /// The syslog tag, when the envelope has one.
    pub tag: Option<&'a [u8]>,
    /// kmsg's continuation flag: a hint only, since other sources lack it.
    pub continuation: bool,
}

/// One thing that was read.
#[derive(Debug, Clone)]
pub enum Parsed<'a> {
    /// An understood line.
    Entry(Entry<'a>),
    /// A line, or a part of one, that deserves a remark.
    Anomaly(Anomaly),
    /// Lines are said to be missing.
    Gap {
        /// Where it is said.
        position: Position,
        /// When it was said.
        stamp: Stamp,
        /// How many are missing, when it says so.
        lost: Option<u64>,
        /// Why they are missing.
        reason: GapReason,
    },
}

/// Where results go.
type Sink<'s> = &'s mut dyn FnMut(Parsed<'_>);

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
            Err(()) if piece == Piece::Newline => return Some(LineKind::Other),
            Err(()) => remark(AnomalyKind::OrphanFragment, line.position, line.payload, sink),
        }
        Some(LineKind::Ebtables)
    }
}

/// Emits an nf-line.
fn emit(
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
fn release(head: &Head, sink: Sink<'_>) {
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

fn entry<'a>(
    line: &LineInput<'_>,
    site: &'a std::sync::Arc<Site>,
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
fn remarks(position: Position, text: &[u8], header: &Header, sink: Sink<'_>) {
    if header.cut {
        remark(AnomalyKind::CutLine, position, text, sink);
    }
    if let Some(unknown) = &header.unknown {
        remark(AnomalyKind::UnknownWord, position, unknown, sink);
    }
}

fn remark(kind: AnomalyKind, position: Position, text: &[u8], sink: Sink<'_>) {
    let text = text.get(..LONGEST_TEXT).unwrap_or(text).into();
    sink(Parsed::Anomaly(Anomaly { kind, position, text }));
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

/// Words behind the devices, and not one of them known: some script's `IN=a OUT=b`.
fn says_nothing(header: &Header) -> bool {
    let ports = header.devices.physin.or(header.devices.physout);
    header.unknown.is_some()
        && ports.is_none()
        && header.link == LinkHeader::Absent
        && header.network == Network::Absent
}

fn reject(line: &LineInput<'_>, sink: Sink<'_>) -> LineKind {
    remark(AnomalyKind::UnreadableNetfilterLine, line.position, line.payload, sink);
    LineKind::Rejected
}

/// Whether a line that could not be read was netfilter's.
fn is_lost(line: &LineInput<'_>) -> bool {
    locate::looks_like_netfilter(line.payload) || is_cut_trace(line)
}

/// `** 91 printk messages dropped ** [   12.345678] …` of a console: a marker and a line.
fn behind_dropped<'a>(line: &LineInput<'a>, sink: Sink<'_>) -> Option<LineInput<'a>> {
    let (loss, rest) = marker::dropped(line.payload)?;
    let LineInput { position, stamp, .. } = *line;
    sink(Parsed::Gap { position, stamp, lost: loss.lost, reason: loss.reason });
    let payload = site::after_kernel_stamp(rest.trim_ascii_start());
    Some(LineInput { payload, ..*line })
}

/// `TRACE: ` and a known table, but no fields. Programs may trace too, so the tag counts.
fn is_cut_trace(line: &LineInput<'_>) -> bool {
    const TABLES: [&[u8]; 6] = [b"raw:", b"mangle:", b"nat:", b"filter:", b"security:", b"eb:"];
    let text = line.payload.strip_prefix(b"TRACE: ");
    text.is_some_and(|text| TABLES.iter().any(|table| text.starts_with(table)))
        && line.tag.is_none_or(|tag| tag == b"kernel")
}

/// A line that did not come from the kernel: looked at, never used.
fn suspect(line: &LineInput<'_>, sink: Sink<'_>) -> LineKind {
    let payload = line.payload;
    let is_piece = matches!(ebt::piece(payload), Some(piece) if piece != Piece::Newline);
    let netfilter = locate::fields(payload).is_some()
        || locate::loose_fields(payload).is_some()
        || is_piece
        || locate::looks_like_netfilter(payload)
        || is_cut_trace(line);
    if netfilter && !locate::is_monitor_text(payload) {
        remark(AnomalyKind::SuspectOrigin, line.position, payload, sink);
        return LineKind::Suspect;
    }
    marker_or_other(line, sink)
}

fn marker_or_other(line: &LineInput<'_>, sink: Sink<'_>) -> LineKind {
    let Some(loss) = marker::loss(line.payload, line.tag) else { return LineKind::Other };
    sink(Parsed::Gap {
        position: line.position,
        stamp: line.stamp,
        lost: loss.lost,
        reason: loss.reason,
    });
    LineKind::Marker
}
