//! The peeler: lines in, peeled lines out; one for each source.
//!
//! Most lines are told by their first bytes and read in one pass without a copy. Records that span
//! lines, escaped text and colours take the longer way round.

use super::clock::Clock;
use super::container::{self, Stream};
use super::header::Header;
use super::journal::{Content, Fields};
use super::journal_export::{self, Export, Step};
use super::journal_verbose::{self, Verbose};
use super::json::{self, Fault};
use super::json_record::{Kind, Members};
use super::json_stream::{self, JsonStream, Taken};
use super::line::{Form, Line, Peeled};
use super::message::{self, Message};
use super::text::{self, Head};
use super::zone::Timezone;
use super::{colour, kmsg, split};
use crate::model::{Position, SourceId, Stamp, Trust, Uptime, WallTime};

/// What a source's stamps leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    source: SourceId,
    clock: Clock,
    pending: Pending,
    export: Export,
    verbose: Verbose,
    stream: JsonStream,
    partials: container::Partials,
    /// The last line was a kmsg record or of its dictionary.
    after_kmsg: bool,
    members: Members,
    scratch: Vec<u8>,
}

/// The record that goes on over lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Nothing,
    Export,
    Verbose,
    Json,
}

/// Where a line stands, and the container's envelope around it.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    wrapper: Option<Wrapper>,
}

#[derive(Debug, Clone, Copy)]
struct Wrapper {
    form: Form,
    wall: Option<WallTime>,
    /// How many envelopes of this kind may still stand inside.
    depth: u32,
}

type Sink<'s> = &'s mut dyn FnMut(Peeled<'_>);

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
        self.pieces(line, Place { offset, wrapper: None }, sink);
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
    fn pieces(&mut self, line: &[u8], place: Place, sink: Sink<'_>) {
        let Some(first) = line.first() else {
            self.after_kmsg = false;
            return sink(Peeled::Noise { position: self.position(place) });
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
                sink(Peeled::NulRun { position: self.position(here), bytes: zeros as u64 });
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
        while let Some(cut) = split::next_record(rest) {
            let (piece, after) = rest.split_at(cut);
            if !self.ends_before_glued(piece) {
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
        let carries =
            !head.header.message.trim_ascii().is_empty() && container::cri(&head).is_none();
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
                return sink(Peeled::Noise { position: self.position(place) });
            }
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
            sink(Peeled::Noise { position: self.position(place) });
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
            position: Position { seq: Some(record.seq), ..self.position(place) },
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
    fn text(&mut self, line: &[u8], place: Place, sink: Sink<'_>) {
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
        self.deliver(&head, place, sink);
    }

    fn deliver(&self, head: &Head<'_>, place: Place, sink: Sink<'_>) {
        let Header { host, priority, tag, message, .. } = head.header;
        let position = self.position(place);
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

    fn cri(
        &mut self,
        cri: container::Cri<'_>,
        wall: Option<WallTime>,
        line: &[u8],
        place: Place,
        sink: Sink<'_>,
    ) {
        let Some(inside) = place.inside(Form::Cri, wall) else {
            return self.deliver(&bare(line), place, sink);
        };
        if cri.partial || self.partials.pending(cri.stream) {
            self.partials.add(cri.stream, Form::Cri, place.offset, wall, cri.text);
            if !cri.partial {
                self.end_partial(cri.stream, sink);
            }
            return;
        }
        self.pieces(without_returns(cri.text), inside, sink);
    }

    fn end_partial(&mut self, stream: Stream, sink: Sink<'_>) {
        let Some(partial) = self.partials.take(stream) else { return };
        let place = Place { offset: partial.offset, wrapper: None };
        if partial.too_long {
            return sink(Peeled::Broken {
                position: self.position(place),
                text: excerpt(&partial.bytes),
            });
        }
        if let Some(inside) = place.inside(partial.form, partial.wall) {
            self.pieces(without_returns(&partial.bytes), inside, sink);
        }
    }

    /// A line that begins with an object; false when it is no JSON after all.
    fn json_line(&mut self, line: &[u8], place: Place, sink: Sink<'_>) -> bool {
        let (result, members) = self.read_object(line);
        let whole = matches!(result, Ok(used) if line.get(used..).is_some_and(|rest| rest.trim_ascii().is_empty()));
        let taken = if whole && members.kind() != Kind::Frame {
            self.object(&members, line, place, sink)
        } else if place.wrapper.is_none() && !matches!(result, Err(Fault::Malformed)) {
            self.stream.clear();
            self.feed_json(line, place.offset, sink);
            true
        } else if members.known() {
            sink(Peeled::Broken { position: self.position(place), text: excerpt(line) });
            true
        } else {
            false
        };
        self.members = members;
        taken
    }

    fn read_object(&mut self, text: &[u8]) -> (Result<usize, Fault>, Members) {
        let mut members = std::mem::take(&mut self.members);
        members.clear();
        let mut scratch = std::mem::take(&mut self.scratch);
        let result = json::object(text, &mut scratch, &mut |key, value| members.take(key, value));
        self.scratch = scratch;
        (result, members)
    }

    /// Gives out one object; false when its kind is not known.
    fn object(&mut self, members: &Members, text: &[u8], place: Place, sink: Sink<'_>) -> bool {
        match members.kind() {
            Kind::Journal => self.journal(&members.fields, Form::JournalJson, place, sink),
            Kind::Container { log, stream } => {
                let wall = members.container_time(&mut self.clock);
                self.docker(log, stream, wall, text, place, sink);
            }
            Kind::Dmesg { text } => self.dmesg_object(members, text, place, sink),
            Kind::Frame | Kind::Unknown => return false,
        }
        true
    }

    fn dmesg_object(&mut self, members: &Members, text: &[u8], place: Place, sink: Sink<'_>) {
        let (facility, level) = members.priority();
        let foreign = facility.is_some_and(|facility| facility != 0);
        sink(Peeled::Line(Line {
            payload: text,
            position: self.position(place),
            stamp: place.completed(members.dmesg_time(&mut self.clock)),
            host: None,
            tag: None,
            boot_id: None,
            facility,
            level,
            continuation: false,
            trust: if foreign { Trust::Suspect } else { Trust::Text },
            copies: 1,
            form: place.form(Form::DmesgJson),
        }));
    }

    fn docker(
        &mut self,
        log: &[u8],
        stream: Stream,
        wall: Option<WallTime>,
        text: &[u8],
        place: Place,
        sink: Sink<'_>,
    ) {
        let Some(inside) = place.inside(Form::DockerJson, wall) else {
            return self.deliver(&bare(text), place, sink);
        };
        // Some shippers drop the newline of whole lines: a new envelope is never a further part.
        if self.partials.pending(stream) && self.opens_envelope(log) {
            self.end_partial(stream, sink);
        }
        let Some(whole) = log.strip_suffix(b"\n") else {
            return self.partials.add(stream, Form::DockerJson, place.offset, wall, log);
        };
        if self.partials.pending(stream) {
            self.partials.add(stream, Form::DockerJson, place.offset, wall, whole);
            return self.end_partial(stream, sink);
        }
        for line in whole.split(|byte| *byte == b'\n') {
            self.pieces(without_returns(line), inside, sink);
        }
    }

    fn opens_envelope(&mut self, text: &[u8]) -> bool {
        kmsg::read(text).is_some()
            || (matches!(text.first(), Some(b'[' | b'<' | b'0'..=b'9' | b'A'..=b'Z'))
                && text::read(&mut self.clock, text).form != Form::Bare)
    }

    fn journal(&self, fields: &Fields, form: Form, place: Place, sink: Sink<'_>) {
        let position = self.position(place);
        let (stamp, host, trust) =
            (place.completed(fields.stamp()), fields.host(), place.lowered(fields.trust()));
        if fields.too_long() {
            return sink(Peeled::Broken { position, text: b"MESSAGE" });
        }
        let payload = match fields.content() {
            Content::Missing => return sink(Peeled::Noise { position }),
            Content::Withheld(bytes) if trust != Trust::Suspect => {
                return sink(Peeled::Blob { position, host, stamp, bytes });
            }
            Content::Withheld(_) => b"",
            Content::Text(text) => text,
        };
        sink(Peeled::Line(Line {
            payload,
            position,
            stamp,
            host,
            tag: fields.tag(),
            boot_id: fields.boot_id,
            facility: fields.facility,
            level: fields.level,
            continuation: false,
            trust,
            copies: 1,
            form: place.form(form),
        }));
    }
}

/// How a record came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// By its own mark.
    Closed,
    /// By the end of the source.
    Cut,
}

/// Records that span lines.
impl Peeler {
    /// Hands a line to the record that is open; false when it is not part of it.
    fn resume(&mut self, raw: &[u8], offset: u64, sink: Sink<'_>) -> bool {
        match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Nothing => false,
            Pending::Export => self.resume_export(raw, offset, sink),
            Pending::Verbose => {
                if self.verbose.feed(without_returns(raw)) {
                    self.pending = Pending::Verbose;
                    return true;
                }
                self.end_verbose(End::Closed, sink);
                false
            }
            Pending::Json => self.feed_json(without_returns(raw), offset, sink),
        }
    }

    fn resume_export(&mut self, raw: &[u8], offset: u64, sink: Sink<'_>) -> bool {
        let step = self.export.feed(raw, offset);
        let place = Place { offset: self.export.offset, wrapper: None };
        match step {
            Step::More => self.pending = Pending::Export,
            Step::Done | Step::Refused => {
                self.journal(&self.export.fields, Form::JournalExport, place, sink);
            }
            Step::Broken => {
                sink(Peeled::Broken {
                    position: self.position(place),
                    text: self.export.culprit(),
                });
            }
        }
        step != Step::Refused
    }

    fn end_export_early(&mut self, sink: Sink<'_>) {
        let place = Place { offset: self.export.offset, wrapper: None };
        if self.export.fields.is_complete() && !self.export.in_binary() {
            return self.journal(&self.export.fields, Form::JournalExport, place, sink);
        }
        sink(Peeled::Broken { position: self.position(place), text: self.export.culprit() });
    }

    fn end_verbose(&mut self, end: End, sink: Sink<'_>) {
        let place = Place { offset: self.verbose.offset, wrapper: None };
        if end == End::Cut && !self.verbose.fields.is_complete() {
            return sink(Peeled::Broken { position: self.position(place), text: b"" });
        }
        self.journal(&self.verbose.fields, Form::JournalVerbose, place, sink);
    }

    fn feed_json(&mut self, line: &[u8], offset: u64, sink: Sink<'_>) -> bool {
        let mut stream = std::mem::take(&mut self.stream);
        let taken = stream.feed(line, offset, &mut |text, at| self.whole_object(text, at, sink));
        self.stream = stream;
        match taken {
            Taken::More => self.pending = Pending::Json,
            Taken::Done => {}
            Taken::Refused => self.end_json(sink),
            Taken::Broken => self.broken_json(line, offset, sink),
        }
        taken != Taken::Refused
    }

    /// A line that JSON cannot have. Alone and without a known name it was never meant as JSON.
    fn broken_json(&mut self, line: &[u8], offset: u64, sink: Sink<'_>) {
        let place = Place { offset: self.stream.unfinished().1.min(offset), wrapper: None };
        let alone = place.offset == offset || self.stream.unfinished().0.is_empty();
        self.stream.clear();
        if alone && !json_stream::names_a_record(line) {
            return self.text(line, Place { offset, wrapper: None }, sink);
        }
        sink(Peeled::Broken { position: self.position(place), text: excerpt(line) });
    }

    fn whole_object(&mut self, text: &[u8], offset: u64, sink: Sink<'_>) {
        let place = Place { offset, wrapper: None };
        let (result, members) = self.read_object(text);
        if result.is_err() && members.known() {
            sink(Peeled::Broken { position: self.position(place), text: excerpt(text) });
        } else if result.is_err() || !self.object(&members, text, place, sink) {
            self.deliver(&bare(text), place, sink);
        }
        self.members = members;
    }

    /// An object that does not go on: dmesg's may have all it needs, others cannot be judged.
    fn end_json(&mut self, sink: Sink<'_>) {
        let stream = std::mem::take(&mut self.stream);
        let (text, offset) = stream.unfinished();
        let place = Place { offset, wrapper: None };
        let inside = text.trim_ascii();
        if !inside.is_empty() && inside != b"{" {
            let (_, members) = self.read_object(text);
            if members.is_dmesg() {
                self.object(&members, text, place, sink);
            } else {
                sink(Peeled::Broken { position: self.position(place), text: excerpt(text) });
            }
            self.members = members;
        } else if !inside.is_empty() {
            sink(Peeled::Noise { position: self.position(place) });
        }
        self.stream = stream;
        self.stream.clear();
    }

    fn position(&self, place: Place) -> Position {
        Position { source: self.source, offset: place.offset, seq: None, copy: 0 }
    }
}

impl Place {
    fn advanced(self, bytes: usize) -> Self {
        Self { offset: self.offset.saturating_add(bytes as u64), ..self }
    }

    /// The place of what a container's envelope holds; `None` when they stand too deep in each other.
    fn inside(self, form: Form, wall: Option<WallTime>) -> Option<Self> {
        let depth = self.wrapper.map_or(3, |wrapper| wrapper.depth).checked_sub(1)?;
        let form = self.form(form);
        Some(Self { wrapper: Some(Wrapper { form, wall, depth }), ..self })
    }

    /// The outermost form.
    fn form(self, form: Form) -> Form {
        self.wrapper.map_or(form, |wrapper| wrapper.form)
    }

    /// The stamp, with the container's time where the line has none.
    fn completed(self, stamp: Stamp) -> Stamp {
        let wall = stamp.wall.or(self.wrapper.and_then(|wrapper| wrapper.wall));
        Stamp { wall, ..stamp }
    }

    /// What a container printed proves nothing, whatever it looks like.
    fn lowered(self, trust: Trust) -> Trust {
        if self.wrapper.is_some() { trust.max(Trust::Text) } else { trust }
    }
}

fn bare(text: &[u8]) -> Head<'_> {
    Head {
        form: Form::Bare,
        stamp: Stamp::default(),
        header: Header { message: text, ..Header::default() },
    }
}

fn without_returns(line: &[u8]) -> &[u8] {
    let mut line = line;
    while let Some(rest) = line.strip_suffix(b"\r") {
        line = rest;
    }
    line
}

/// The first bytes of something unreadable.
fn excerpt(text: &[u8]) -> &[u8] {
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
