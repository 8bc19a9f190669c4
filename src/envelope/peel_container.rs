//! The peeler's way through container logs.

use super::container::{self, Stream};
use super::line::{Form, Peeled};
use super::peel::{Peeler, Sink, bare, deliver, excerpt, without_returns};
use super::place::Place;
use crate::model::WallTime;

/// Docker splits longer lines into parts of this length; a shorter one without newline is whole.
const DOCKER_PART: usize = 16 << 10;

impl Peeler {
    pub(super) fn cri(
        &mut self,
        cri: container::Cri<'_>,
        wall: Option<WallTime>,
        line: &[u8],
        place: Place,
        sink: Sink<'_>,
    ) {
        let Some(inside) = place.inside(Form::Cri, wall) else {
            return deliver(&bare(line), place, sink);
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

    pub(super) fn end_partial(&mut self, stream: Stream, sink: Sink<'_>) {
        let Some(partial) = self.partials.take(stream) else { return };
        let place = Place::at(self.source, partial.offset);
        if partial.too_long {
            return sink(Peeled::Broken {
                position: place.position(),
                text: excerpt(&partial.bytes),
            });
        }
        if let Some(inside) = place.inside(partial.form, partial.wall) {
            self.pieces(without_returns(&partial.bytes), inside, sink);
        }
    }

    pub(super) fn docker(
        &mut self,
        log: &[u8],
        stream: Stream,
        wall: Option<WallTime>,
        text: &[u8],
        place: Place,
        sink: Sink<'_>,
    ) {
        let Some(inside) = place.inside(Form::DockerJson, wall) else {
            return deliver(&bare(text), place, sink);
        };
        let whole = match log.strip_suffix(b"\n") {
            Some(whole) => whole,
            // Other shippers drop the newline of whole lines.
            None if log.len() < DOCKER_PART => log,
            None => return self.partials.add(stream, Form::DockerJson, place.offset, wall, log),
        };
        if self.partials.pending(stream) {
            self.partials.add(stream, Form::DockerJson, place.offset, wall, whole);
            return self.end_partial(stream, sink);
        }
        for line in whole.split(|byte| *byte == b'\n') {
            self.pieces(without_returns(line), inside, sink);
        }
    }
}
