//! The peeler: lines in, peeled lines out; one for each source.
//!
//! Most lines are told by their first bytes and read in one pass without a copy. Records that span
//! lines, escaped text and colours take the longer way round.

use super::clock::Clock;
use super::container::{self, Stream};
use super::header::Header;
use super::journal_export::{self, Export};
use super::journal_verbose::{self, Verbose};
use super::json_record::Members;
use super::json_stream::{self, JsonStream};
use super::line::{Form, Line, Peeled};
use super::message::{self, Message};
use super::peel_journal::End;
use super::place::Place;
use super::text::{self, Head};
use super::zone::Timezone;
use super::{colour, kmsg, scan, split};
use crate::model::{Position, SourceId, Stamp, Trust, Uptime, WallTime};

/// What a source's stamps leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeelOptions {
    /// The year of the first stamp that has none.
    pub year: Option<i32>,
    /// The zone of stamps that have none.
    pub timezone: Timezone,
    /// The newest time a line can have, such as the file's last change: base for inferring a year.
    pub newest: Option<WallTime>,
}

/// Takes the envelopes off one source's lines.
#[derive(Debug)]
pub struct Peeler {
    pub(super) source: SourceId,
    pub(super) clock: Clock,
    pub(super) pending: Pending,
    pub(super) export: Export,
    pub(super) verbose: Verbose,
    pub(super) stream: JsonStream,
    pub(super) partials: container::Partials,
    /// The last line was a kmsg record or of its dictionary.
    pub(super) after_kmsg: bool,
    pub(super) members: Members,
    pub(super) scratch: Vec<u8>,
}

/// The record that goes on over lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    Nothing,
    Export,
    Verbose,
    Json,
}

pub(super) type Sink<'s> = &'s mut dyn FnMut(Peeled<'_>);

impl Peeler {
    /// A peeler for one source.
    pub fn new(source: SourceId, options: PeelOptions) -> Self {
        Self {
            source,
            clock: Clock::new(options.timezone, options.year, options.newest),
            pending: Pending::Nothing,
            export: Export::default(),
            verbose: Verbose::default(),
            stream: JsonStream::default(),
            partials: container::Partials::default(),
            after_kmsg: false,
            members: Members::default(),
            scratch: Vec::new(),
        }
    }

    /// Takes one physical line without its newline, and its offset in the source.
    pub fn push(&mut self, raw: &[u8], offset: u64, sink: &mut dyn FnMut(Peeled<'_>)) {
        if self.pending != Pending::Nothing && self.resume(raw, offset, sink) {
            return;
        }
        let line = without_returns(raw);
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        self.pieces(line, Place::at(self.source, offset), sink);
    }

    /// Ends the source: gives out what waits for more.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Peeled<'_>)) {
        match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Nothing => {}
            Pending::Export => self.end_export_early(sink),
            Pending::Verbose => self.end_verbose(End::Cut, sink),
            Pending::Json => self.end_json(sink),
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.end_partial(stream, sink);
        }
    }

    /// Whether any stamp had no year and got an inferred one.
    pub fn year_was_inferred(&self) -> bool {
        self.clock.year_was_inferred()
    }

    /// Cuts at zero bytes and at glued records; nearly every line is one piece.
    pub(super) fn pieces(&mut self, line: &[u8], place: Place, sink: Sink<'_>) {
        let Some(first) = line.first() else {
            self.after_kmsg = false;
            return sink(Peeled::Noise { position: place.position() });
        };
        let from = usize::from(*first == b'<');
        match memchr::memchr2(0, b'<', line.get(from..).unwrap_or_default()) {
            None => self.record(line, place, sink),
            Some(_) if memchr::memchr(0, line).is_some() => self.around_zeros(line, place, sink),
            Some(_) => self.glued(line, place, sink),
        }
    }

    /// Zero bytes are what a crash left of lines; a single one at the end is a frame's.
    fn around_zeros(&mut self, line: &[u8], place: Place, sink: Sink<'_>) {
        let line = match line.split_last() {
            Some((0, rest)) if rest.last() != Some(&0) && !rest.is_empty() => rest,
            _ => line,
        };
        let mut rest = line;
        while !rest.is_empty() {
            let here = place.advanced(line.len() - rest.len());
            let zeros = rest.iter().take_while(|byte| **byte == 0).count();
            if zeros > 0 {
                sink(Peeled::NulRun { position: here.position(), bytes: zeros as u64 });
                rest = rest.get(zeros..).unwrap_or_default();
                continue;
            }
            let end = memchr::memchr(0, rest).unwrap_or(rest.len());
            let (piece, after) = rest.split_at(end);
            self.glued(piece, here, sink);
            rest = after;
        }
    }

    fn glued(&mut self, line: &[u8], place: Place, sink: Sink<'_>) {
        let mut rest = line;
        let mut here = place;
        loop {
            let counted = split::counted_record(rest).filter(|length| {
                rest.get(*length..).is_some_and(|next| split::counted_record(next).is_some())
            });
            let Some(cut) = counted.or_else(|| split::next_record(rest)) else { break };
            let (piece, after) = rest.split_at(cut);
            if counted.is_none() && !self.ends_before_glued(piece) {
                break;
            }
            self.record(piece, here, sink);
            rest = after;
            here = place.advanced(line.len() - rest.len());
        }
        self.record(rest, here, sink);
    }

    /// Whether a wire record may follow on the same line. Records that name their priority come so;
    /// a program's own words do not become a record of the kernel.
    fn ends_before_glued(&mut self, piece: &[u8]) -> bool {
        if matches!(piece.first(), Some(b'{' | 0x1e | 0x1b)) || kmsg::read(piece).is_some() {
            return false;
        }
        let head = text::read(&mut self.clock, piece);
        let message = head.header.message.trim_ascii();
        let carries = scan::whole_number(message).is_none()
            && !message.is_empty()
            && container::cri(&head).is_none();
        carries && (piece.starts_with(b"<") || head.trust() != Trust::Suspect)
    }

    /// One record, or the first line of one.
    fn record(&mut self, line: &[u8], place: Place, sink: Sink<'_>) {
        let after_kmsg = std::mem::replace(&mut self.after_kmsg, false);
        match line.first() {
            Some(b'0'..=b'9') => {
                if let Some(record) = kmsg::read(line) {
                    return self.kmsg(record, place, sink);
                }
            }
            Some(b' ') if after_kmsg && kmsg::is_dictionary(line) => {
                self.after_kmsg = true;
                return sink(Peeled::Noise { position: place.position() });
            }
            // Mostly a stamp.
            Some(b'[') if !json_stream::is_brackets(line) => {}
            Some(0x1b) if colour::begins(line) => return self.coloured(line, place, sink),
            Some(b'{' | b'}' | b'[' | b']' | b' ' | b'\t' | 0x1e | b'd' | b'-' | b'_' | b'S')
                if self.structured(line, place, sink) =>
            {
                return;
            }
            _ => {}
        }
        self.text(line, place, sink);
    }

    /// Lines whose form is not a header and a message; false when it is none of them.
    fn structured(&mut self, line: &[u8], place: Place, sink: Sink<'_>) -> bool {
        let object = line
            .strip_prefix(b"\x1e")
            .or_else(|| line.strip_prefix(b"data: ").filter(|rest| rest.starts_with(b"{")))
            .unwrap_or(line);
        if object.first() == Some(&b'{') {
            return self.json_line(object, place.advanced(line.len() - object.len()), sink);
        }
        let noise = object.is_empty()
            || is_separator(line)
            || (json_stream::is_brackets(line) && !json_stream::starts(line));
        if noise {
            sink(Peeled::Noise { position: place.position() });
            return true;
        }
        if place.wrapper.is_some() {
            return false;
        }
        if journal_export::starts(line) {
            self.export.begin(place.offset);
            self.pending = Pending::Export;
            return self.resume(line, place.offset, sink);
        }
        if json_stream::starts(line) {
            self.stream.clear();
            self.feed_json(line, place.offset, sink);
            return true;
        }
        false
    }

    fn kmsg(&mut self, record: kmsg::Record<'_>, place: Place, sink: Sink<'_>) {
        self.after_kmsg = true;
        let mut scratch = std::mem::take(&mut self.scratch);
        let payload = if record.escaped {
            scratch.clear();
            kmsg::unescape(record.text, &mut scratch);
            scratch.as_slice()
        } else {
            record.text
        };
        let facility = record.priority.facility;
        sink(Peeled::Line(Line {
            payload,
            position: Position { seq: Some(record.seq), ..place.position() },
            stamp: place.completed(Stamp { wall: None, uptime: Some(Uptime(record.uptime)) }),
            host: None,
            tag: None,
            boot_id: None,
            facility: Some(facility),
            level: Some(record.priority.level),
            continuation: record.continuation,
            trust: place.lowered(if facility == 0 { Trust::Kernel } else { Trust::Suspect }),
            copies: 1,
            form: place.form(Form::Kmsg),
        }));
        self.scratch = scratch;
    }

    fn coloured(&mut self, line: &[u8], place: Place, sink: Sink<'_>) {
        let mut plain = std::mem::take(&mut self.scratch);
        plain.clear();
        colour::strip(line, &mut plain);
        self.text(&plain, place, sink);
        self.scratch = plain;
    }

    /// A line with a header and a message, or a bare payload.
    pub(super) fn text(&mut self, line: &[u8], place: Place, sink: Sink<'_>) {
        let mut head = text::read(&mut self.clock, line);
        if let Some(cri) = container::cri(&head) {
            let wall = head.stamp.wall;
            return self.cri(cri, wall, line, place, sink);
        }
        if place.wrapper.is_none()
            && let Some(cursor) = journal_verbose::cursor(&head)
        {
            self.verbose.begin(&head, cursor, place.offset);
            self.pending = Pending::Verbose;
            return;
        }
        if colour::begins(head.header.message) {
            if head.form == Form::Dmesg {
                return self.coloured(line, place, sink);
            }
            head.header.message = colour::inside(head.header.message);
        }
        deliver(&head, place, sink);
    }
}

/// Gives out a line whose header is read.
pub(super) fn deliver(head: &Head<'_>, place: Place, sink: Sink<'_>) {
    let Header { host, priority, tag, message, .. } = head.header;
    let position = place.position();
    let stamp = place.completed(head.stamp);
    let trust = head.trust();
    let mut line = Line {
        payload: message,
        position,
        stamp,
        host,
        tag,
        boot_id: None,
        facility: priority.map(|priority| priority.facility),
        level: priority.map(|priority| priority.level),
        continuation: false,
        trust,
        copies: 1,
        form: place.form(head.form),
    };
    match message::read(message) {
        Message::RepeatPrevious { times } if trust != Trust::Suspect => {
            return sink(Peeled::RepeatPrevious { position, host, stamp, times });
        }
        Message::Blob { bytes } if trust != Trust::Suspect && tag.is_some() => {
            return sink(Peeled::Blob { position, host, stamp, bytes });
        }
        Message::RepeatPrevious { .. } | Message::Blob { .. } => {}
        Message::Payload { payload, uptime, level, copies } => {
            line.payload = payload;
            line.stamp.uptime = uptime.or(stamp.uptime);
            line.facility = line.facility.or(level.map(|_| 0));
            line.level = line.level.or(level);
            line.copies = copies;
        }
    }
    sink(Peeled::Line(line));
}

pub(super) fn bare(text: &[u8]) -> Head<'_> {
    Head {
        form: Form::Bare,
        stamp: Stamp::default(),
        header: Header { message: text, ..Header::default() },
    }
}

pub(super) fn without_returns(line: &[u8]) -> &[u8] {
    let mut line = line;
    while let Some(rest) = line.strip_suffix(b"\r") {
        line = rest;
    }
    line
}

/// The first bytes of something unreadable.
pub(super) fn excerpt(text: &[u8]) -> &[u8] {
    text.get(..text.len().min(4096)).unwrap_or_default()
}

/// journalctl's and grep's lines between lines.
fn is_separator(line: &[u8]) -> bool {
    let Some(text) = line.strip_prefix(b"--") else { return false };
    text.is_empty()
        || text.ends_with(b" --")
        || [b" Logs begin".as_slice(), b" Journal begins", b" Boot ", b" Reboot", b" cursor: "]
            .iter()
            .any(|start| text.starts_with(start))
}
