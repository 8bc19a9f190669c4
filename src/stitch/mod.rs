//! Bytes in, outcomes out: envelope, parser and correlator joined, without any I/O.
//!
//! The pipeline feeds it from files, the tests and fuzz targets from memory.
//! It owns what lies between the stages: which host a line belongs to, which
//! lines are copies, which records are missing, and the tally of lines.

mod order;

use std::collections::HashMap;

use self::order::InOrder;
use crate::correlate::{Correlator, Limits};
use crate::envelope::{Line, PeelOptions, Peeled, Peeler};
use crate::model::{
    Anomaly, AnomalyKind, Counts, Entry, Gap, GapReason, HostId, LineKind, Outcome, Position,
    SourceId, Stamp, Trust, WallTime,
};
use crate::parse::{LineInput, Parsed, Parser};

/// A "last message repeated" line is at least this long, so that many copies get keys of their own.
const UNSEEN_COPIES: u32 = 40;
/// An anomaly quotes no more of its line than this.
const QUOTE: usize = 4_096;

/// More hosts than this are not kept at work: the one that was silent longest is closed.
const BUSY_HOSTS: usize = 4_096;

/// What the user says about the input.
#[derive(Debug, Clone, Default)]
pub struct StitchOptions {
    /// The host of every line, in place of what the envelopes say.
    pub host: Option<Box<[u8]>>,
    /// A label for the network namespace, when several share an interface name.
    pub netns: Option<Box<str>>,
    /// Lines stamped before this are left out.
    pub since: Option<WallTime>,
    /// Lines stamped after this are left out.
    pub until: Option<WallTime>,
    /// Bounds of what may be open at once.
    pub limits: Limits,
}

/// The joined stages.
pub struct Stitch {
    sources: Vec<OpenSource>,
    core: Core,
}

struct OpenSource {
    id: SourceId,
    peeler: Peeler,
    last_seq: Option<u64>,
}

/// Everything behind the envelope.
struct Core {
    options: StitchOptions,
    hosts: Vec<Host>,
    /// The place in `hosts` of those at work, by name.
    busy: HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>,
    /// Every host there was.
    known: HashMap<Box<[u8]>, HostId, foldhash::fast::RandomState>,
    /// The host of the last line.
    latest: usize,
    /// Counts the changes of host.
    turn: u64,
    correlator: Correlator,
    counts: Counts,
}

/// One host's state between the stages.
struct Host {
    id: HostId,
    name: Box<[u8]>,
    parser: Parser,
    order: InOrder,
    boot_id: Option<[u8; 16]>,
    /// The last payload without a kernel stamp: what "last message repeated" refers to.
    last_payload: Vec<u8>,
    last_trust: Trust,
    /// When it was last heard, in changes of host.
    heard: u64,
}

impl Stitch {
    /// Empty stages.
    pub fn new(options: StitchOptions) -> Self {
        let correlator = Correlator::new(options.limits);
        let core = Core {
            options,
            hosts: Vec::new(),
            busy: HashMap::default(),
            known: HashMap::default(),
            latest: 0,
            turn: 0,
            correlator,
            counts: Counts::default(),
        };
        Self { sources: Vec::new(), core }
    }

    /// Announces a source. Comes BEFORE its first line.
    pub fn add_source(&mut self, id: SourceId, options: PeelOptions) {
        self.sources.push(OpenSource { id, peeler: Peeler::new(id, options), last_seq: None });
    }

    /// Takes in one physical line, without its newline, as it stands at `offset` of the source.
    pub fn line(&mut self, source: SourceId, raw: &[u8], offset: u64) {
        let Some(open) = self.sources.iter_mut().find(|open| open.id == source) else { return };
        let (core, last_seq) = (&mut self.core, &mut open.last_seq);
        open.peeler.push(raw, offset, &mut |peeled| core.take(peeled, last_seq));
    }

    /// Notes that a line was longer than what is kept of it.
    pub fn too_long(&mut self, source: SourceId, kept: &[u8], offset: u64) {
        let position = Position { source, offset, seq: None, copy: 0 };
        self.core.remark(AnomalyKind::LineTooLong, position, kept);
    }

    /// Ends a source: what its last record lacks will not come.
    pub fn end_source(&mut self, source: SourceId) {
        let Some(index) = self.sources.iter().position(|open| open.id == source) else { return };
        let mut open = self.sources.remove(index);
        let (core, last_seq) = (&mut self.core, &mut open.last_seq);
        open.peeler.finish(&mut |peeled| core.take(peeled, last_seq));
        if open.peeler.year_was_inferred() {
            let position = Position { source, offset: 0, seq: None, copy: 0 };
            self.core.remark(AnomalyKind::YearInferred, position, b"");
        }
    }

    /// Ends the input: everything open is closed.
    pub fn finish(&mut self) {
        for id in self.sources.iter().map(|open| open.id).collect::<Vec<_>>() {
            self.end_source(id);
        }
        self.core.finish();
    }

    /// The outcomes so far, in order.
    pub fn drain(&mut self) -> Vec<Outcome> {
        self.core.correlator.drain()
    }

    /// The tally of lines so far.
    pub fn counts(&self) -> &Counts {
        &self.core.counts
    }

    /// Boots seen so far.
    pub fn boots(&self) -> u64 {
        self.core.correlator.boots()
    }
}

impl Core {
    fn take(&mut self, peeled: Peeled<'_>, last_seq: &mut Option<u64>) {
        match peeled {
            Peeled::Line(line) => self.take_line(&line, last_seq),
            Peeled::RepeatPrevious { position, host, stamp, times } => {
                self.repeat(position, host, stamp, times);
            }
            Peeled::Blob { position, host, stamp, bytes: _ } => {
                self.counts.add(LineKind::Marker);
                let host = self.host(host);
                self.lose(host, position, stamp, Some(1), GapReason::JournalBlob);
            }
            Peeled::NulRun { position, bytes: _ } => {
                let host = self.host(None);
                self.lose(host, position, Stamp::default(), None, GapReason::NulRun);
            }
            Peeled::Broken { position, text } => {
                self.counts.add(LineKind::Rejected);
                self.remark(AnomalyKind::BrokenEnvelope, position, text);
            }
            Peeled::Noise { .. } => {}
        }
    }

    fn take_line(&mut self, line: &Line<'_>, last_seq: &mut Option<u64>) {
        if self.is_outside(line.stamp) {
            return;
        }
        let host = self.host(line.host);
        self.check_sequence(host, line, last_seq);
        self.check_boot(host, line.boot_id);
        if line.stamp.uptime.is_none() {
            let known = &mut self.hosts[host];
            known.last_payload.clear();
            known.last_payload.extend_from_slice(line.payload);
            known.last_trust = line.trust;
        }
        let input = LineInput {
            host: self.hosts[host].id,
            position: line.position,
            stamp: line.stamp,
            trust: line.trust,
            payload: line.payload,
            tag: line.tag,
            continuation: line.continuation,
        };
        let kind = self.parse(host, &input, true);
        self.counts.add(kind);
        let expandable = u32::try_from(line.payload.len()).unwrap_or(u32::MAX).max(1);
        self.place_copies(host, &input, 1..line.copies.min(expandable));
        if line.copies > expandable {
            self.remark(AnomalyKind::RepeatNotExpanded, line.position, line.payload);
        }
    }

    fn is_outside(&self, stamp: Stamp) -> bool {
        let before = |wall| self.options.since.is_some_and(|since| wall < since);
        let after = |wall| self.options.until.is_some_and(|until| wall > until);
        stamp.wall.is_some_and(|wall| before(wall) || after(wall))
    }

    /// kmsg numbers its records: a jump is a loss with an exact count, a fall is a new boot.
    fn check_sequence(&mut self, host: usize, line: &Line<'_>, last_seq: &mut Option<u64>) {
        let Some(seq) = line.position.seq else { return };
        match last_seq.replace(seq) {
            Some(last) if seq < last => self.reboot(host),
            Some(last) if seq - last > 1 => {
                self.lose(
                    host,
                    line.position,
                    line.stamp,
                    Some(seq - last - 1),
                    GapReason::KmsgOverrun,
                );
            }
            _ => {}
        }
    }

    fn check_boot(&mut self, host: usize, boot_id: Option<[u8; 16]>) {
        let Some(boot_id) = boot_id else { return };
        let known = self.hosts[host].boot_id.replace(boot_id);
        if known.is_some_and(|known| known != boot_id) {
            self.reboot(host);
        }
    }

    fn reboot(&mut self, host: usize) {
        self.flush_parser(host);
        self.correlator.reboot(self.hosts[host].id);
    }

    fn repeat(&mut self, position: Position, host: Option<&[u8]>, stamp: Stamp, times: u32) {
        self.counts.add(LineKind::Marker);
        let host = self.host(host);
        let payload = std::mem::take(&mut self.hosts[host].last_payload);
        let input = LineInput {
            host: self.hosts[host].id,
            position,
            stamp,
            trust: self.hosts[host].last_trust,
            payload: &payload,
            tag: None,
            continuation: false,
        };
        self.place_copies(host, &input, 0..times.min(UNSEEN_COPIES));
        if times > UNSEEN_COPIES && !payload.is_empty() {
            self.remark(AnomalyKind::RepeatNotExpanded, position, &payload);
        }
        self.hosts[host].last_payload = payload;
    }

    /// Places further copies of a line; they count as packets' lines, not as lines read.
    fn place_copies(&mut self, host: usize, input: &LineInput<'_>, copies: std::ops::Range<u32>) {
        for copy in copies {
            let position = Position { copy, ..input.position };
            self.parse(host, &LineInput { position, ..*input }, false);
        }
    }

    fn parse(&mut self, host: usize, input: &LineInput<'_>, is_counted: bool) -> LineKind {
        let Self { hosts, correlator, counts, .. } = self;
        let Host { id, parser, order, .. } = &mut hosts[host];
        let kind = parser.push(input, &mut |parsed| {
            deliver(parsed, *id, order, correlator, is_counted.then_some(&mut *counts));
        });
        order.hold(parser.held_head());
        kind
    }

    fn flush_parser(&mut self, host: usize) {
        let Self { hosts, correlator, counts, .. } = self;
        let Host { id, parser, order, .. } = &mut hosts[host];
        parser.finish(&mut |parsed| deliver(parsed, *id, order, correlator, Some(&mut *counts)));
    }

    fn finish(&mut self) {
        for host in 0..self.hosts.len() {
            self.flush_parser(host);
        }
        self.correlator.finish();
    }

    fn host(&mut self, named: Option<&[u8]>) -> usize {
        let name = self.options.host.as_deref().or(named).unwrap_or_default();
        if self.hosts.get(self.latest).is_some_and(|latest| *latest.name == *name) {
            return self.latest;
        }
        let name: Box<[u8]> = name.into();
        let index = match self.busy.get(&name) {
            Some(index) => *index,
            None => self.start_host(name),
        };
        self.turn += 1;
        self.hosts[index].heard = self.turn;
        self.latest = index;
        index
    }

    fn start_host(&mut self, name: Box<[u8]>) -> usize {
        let id = match self.known.get(&name) {
            Some(id) => *id,
            None => self.introduce(&name),
        };
        let host = Host {
            id,
            name: name.clone(),
            parser: Parser::new(),
            order: InOrder::default(),
            boot_id: None,
            last_payload: Vec::new(),
            last_trust: Trust::Text,
            heard: 0,
        };
        let index = if self.hosts.len() < BUSY_HOSTS {
            self.hosts.push(host);
            self.hosts.len() - 1
        } else {
            let index = self.retire_host();
            self.hosts[index] = host;
            index
        };
        self.busy.insert(name, index);
        index
    }

    fn introduce(&mut self, name: &[u8]) -> HostId {
        let id = HostId(u32::try_from(self.known.len()).unwrap_or(u32::MAX));
        self.known.insert(name.into(), id);
        let netns = self.options.netns.clone();
        self.correlator.report(Outcome::Host { id, name: name.into(), netns });
        id
    }

    /// Closes the host that was silent longest; its place is free then.
    fn retire_host(&mut self) -> usize {
        let silent = self.hosts.iter().enumerate().min_by_key(|(_, host)| host.heard);
        let index = silent.map_or(0, |(index, _)| index);
        self.flush_parser(index);
        self.correlator.retire(self.hosts[index].id);
        self.busy.remove(&self.hosts[index].name);
        index
    }

    fn lose(
        &mut self,
        host: usize,
        position: Position,
        stamp: Stamp,
        lost: Option<u64>,
        reason: GapReason,
    ) {
        let host = self.hosts[host].id;
        self.correlator.gap(Gap { host, position, stamp, lost, reason });
    }

    fn remark(&mut self, kind: AnomalyKind, position: Position, text: &[u8]) {
        let text = text[..text.len().min(QUOTE)].into();
        self.correlator.report(Outcome::Anomaly(Anomaly { kind, position, text }));
    }
}

/// Hands one parsed thing on, and counts a netfilter line as placed or not.
fn deliver(
    parsed: Parsed<'_>,
    host: HostId,
    order: &mut InOrder,
    correlator: &mut Correlator,
    tally: Option<&mut Counts>,
) {
    match parsed {
        Parsed::Entry(entry) => {
            if let Some(counts) = tally {
                count_placed(&entry, counts);
            }
            order.pass(&entry, &mut |entry| correlator.push(entry));
        }
        Parsed::Anomaly(anomaly) => {
            if let (Some(counts), true) = (tally, anomaly.kind.is_unplaced()) {
                counts.unplaced += 1;
            }
            correlator.report(Outcome::Anomaly(anomaly));
        }
        Parsed::Gap { position, stamp, lost, reason } => {
            correlator.gap(Gap { host, position, stamp, lost, reason });
        }
    }
}

/// A line counts once: copies of it and a second line glued to it have a copy number.
fn count_placed(entry: &Entry<'_>, counts: &mut Counts) {
    counts.placed += u64::from(entry.position.copy == 0);
    counts.placed += u64::try_from(entry.pieces.len()).unwrap_or(0);
}
