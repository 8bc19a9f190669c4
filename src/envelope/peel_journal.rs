//! The peeler's way through records that span lines, and journal records of every export.

use super::journal::{Content, Fields};
use super::journal_export::Step;
use super::line::{Form, Line, Peeled};
use super::peel::{Peeler, Pending, Sink, without_returns};
use super::place::Place;
use crate::model::Trust;

/// How a record came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By its own mark.
    Closed,
    /// By the end of the source.
    Cut,
}

impl Peeler {
    /// Hands a line to the record that is open; false when it is not part of it.
    pub(super) fn resume(&mut self, raw: &[u8], offset: u64, sink: Sink<'_>) -> bool {
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
        let place = Place::at(self.source, self.export.offset);
        match step {
            Step::More => self.pending = Pending::Export,
            Step::Done | Step::Refused => {
                journal(&self.export.fields, Form::JournalExport, place, sink);
            }
            Step::Broken => {
                sink(Peeled::Broken { position: place.position(), text: self.export.culprit() });
            }
        }
        step != Step::Refused
    }

    pub(super) fn end_export_early(&mut self, sink: Sink<'_>) {
        let place = Place::at(self.source, self.export.offset);
        if self.export.fields.is_complete() && !self.export.in_binary() {
            return journal(&self.export.fields, Form::JournalExport, place, sink);
        }
        sink(Peeled::Broken { position: place.position(), text: self.export.culprit() });
    }

    pub(super) fn end_verbose(&mut self, end: End, sink: Sink<'_>) {
        let place = Place::at(self.source, self.verbose.offset);
        if end == End::Cut && !self.verbose.fields.is_complete() {
            return sink(Peeled::Broken { position: place.position(), text: b"" });
        }
        journal(&self.verbose.fields, Form::JournalVerbose, place, sink);
    }
}

/// Gives out a record of the journal.
pub(super) fn journal(fields: &Fields, form: Form, place: Place, sink: Sink<'_>) {
    let position = place.position();
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
