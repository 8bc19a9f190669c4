//! The peeler's way through JSON: whole objects, objects over lines, `dmesg -J`.

use super::json::{self, Fault};
use super::json_record::{Kind, Members};
use super::json_stream::{self, Taken};
use super::line::{Form, Line, Peeled};
use super::peel::{Peeler, Pending, Sink, bare, deliver, excerpt};
use super::peel_journal::journal;
use super::place::Place;
use super::text;
use crate::model::Trust;

impl Peeler {
    /// A line that begins with an object; false when it is no JSON after all.
    pub(super) fn json_line(&mut self, line: &[u8], place: Place, sink: Sink<'_>) -> bool {
        let (result, members) = self.read_object(line);
        let whole = matches!(result, Ok(used) if line.get(used..).is_some_and(|rest| rest.trim_ascii().is_empty()));
        let taken = if whole && members.kind() != Kind::Frame {
            self.object(&members, line, place, sink)
        } else if place.wrapper.is_none() && !matches!(result, Err(Fault::Malformed)) {
            self.stream.clear();
            self.feed_json(line, place.offset, sink);
            true
        } else if members.known() {
            sink(Peeled::Broken { position: place.position(), text: excerpt(line) });
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
            Kind::Journal => journal(&members.fields, Form::JournalJson, place, sink),
            Kind::Container { log, stream } => {
                let wall = members.container_time(&mut self.clock);
                self.docker(log, stream, wall, text, place, sink);
            }
            Kind::Dmesg { text } => self.dmesg_object(members, text, place, sink),
            Kind::Shipped { text, host } => {
                let wall = members.container_time(&mut self.clock);
                // Shippers that read files send the whole line, header and all.
                let mut head = text::read(&mut self.clock, text);
                head.stamp.wall = head.stamp.wall.or(wall);
                head.header.host = head.header.host.or((!host.is_empty()).then_some(host));
                deliver(&head, place, sink);
            }
            Kind::Frame | Kind::Unknown => return false,
        }
        true
    }

    fn dmesg_object(&mut self, members: &Members, text: &[u8], place: Place, sink: Sink<'_>) {
        let (facility, level) = members.priority();
        let foreign = facility.is_some_and(|facility| facility != 0);
        sink(Peeled::Line(Line {
            payload: text,
            position: place.position(),
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

    pub(super) fn feed_json(&mut self, line: &[u8], offset: u64, sink: Sink<'_>) -> bool {
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
        let place = Place::at(self.source, self.stream.unfinished().1.min(offset));
        let alone = place.offset == offset || self.stream.unfinished().0.is_empty();
        self.stream.clear();
        if alone && !json_stream::names_a_record(line) {
            return self.text(line, Place::at(self.source, offset), sink);
        }
        sink(Peeled::Broken { position: place.position(), text: excerpt(line) });
    }

    fn whole_object(&mut self, text: &[u8], offset: u64, sink: Sink<'_>) {
        let place = Place::at(self.source, offset);
        let (result, members) = self.read_object(text);
        if result.is_err() && members.known() {
            sink(Peeled::Broken { position: place.position(), text: excerpt(text) });
        } else if result.is_err() || !self.object(&members, text, place, sink) {
            deliver(&bare(text), place, sink);
        }
        self.members = members;
    }

    /// An object that does not go on: dmesg's may have all it needs, others cannot be judged.
    pub(super) fn end_json(&mut self, sink: Sink<'_>) {
        let stream = std::mem::take(&mut self.stream);
        let (text, offset) = stream.unfinished();
        let place = Place::at(self.source, offset);
        let inside = text.trim_ascii();
        if !inside.is_empty() && inside != b"{" {
            let (_, members) = self.read_object(text);
            if members.is_dmesg() {
                self.object(&members, text, place, sink);
            } else {
                sink(Peeled::Broken { position: place.position(), text: excerpt(text) });
            }
            self.members = members;
        } else if !inside.is_empty() {
            sink(Peeled::Noise { position: place.position() });
        }
        self.stream = stream;
        self.stream.clear();
    }
}
