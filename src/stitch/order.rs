//! Keeps entries in log order while the head of a torn line waits for its pieces.
//!
//! The parser holds a head back until its pieces are here, and hands on the
//! lines of other CPUs that come in between. The correlator wants them in the
//! order in which the log has them, so they wait here for the head.

use std::sync::Arc;

use crate::model::{Entry, Header, HostId, Position, Site, Stamp, TailKey, Trust};

/// The entries that came while a head was held back.
#[derive(Debug, Default)]
pub(super) struct InOrder {
    held: Option<Position>,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    host: HostId,
    position: Position,
    pieces: Vec<Position>,
    stamp: Stamp,
    trust: Trust,
    site: Arc<Site>,
    header: Header,
    tail: Option<TailKey>,
}

impl InOrder {
    /// Notes which head the parser holds back now, after a line was pushed.
    pub(super) fn hold(&mut self, head: Option<Position>) {
        self.held = head;
    }

    /// Takes an entry from the parser and hands on those that can go.
    pub(super) fn pass(&mut self, entry: &Entry<'_>, next: &mut dyn FnMut(&Entry<'_>)) {
        if self.held.is_some_and(|held| held != entry.position) {
            self.waiting.push(Waiting::of(entry));
            return;
        }
        next(entry);
        if self.held.take().is_some() {
            for waiting in self.waiting.drain(..) {
                next(&waiting.entry());
            }
        }
    }
}

impl Waiting {
    fn of(entry: &Entry<'_>) -> Self {
        Self {
            host: entry.host,
            position: entry.position,
            pieces: entry.pieces.to_vec(),
            stamp: entry.stamp,
            trust: entry.trust,
            site: Arc::clone(entry.site),
            header: entry.header.clone(),
            tail: entry.tail,
        }
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            host: self.host,
            position: self.position,
            pieces: &self.pieces,
            stamp: self.stamp,
            trust: self.trust,
            site: &self.site,
            header: &self.header,
            tail: self.tail,
        }
    }
}
