//! Puts torn ebtables lines together again (formats 4.4).
//!
//! ```text
//! 5,6985,2019160077,-;burst IN=vethW9 OUT= MAC source = … MAC dest = … proto = 0x0800
//! 4,6986,2019160078,-;other IN=eth0 OUT= MAC=… DPT=7777 LEN=9
//! 4,6987,2019160078,c; IP SRC=172.29.0.6 IP DST=172.29.0.5, IP tos=0x00, IP proto=17
//! 4,6988,2019160080,c; SPT=60651 DPT=7778
//! ```
//!
//! At most one ebtables line is open in the whole kernel, so a piece belongs
//! to the latest head that can still take it. A head that ends where one
//! may be torn waits here for its pieces; a prefix that never prints a
//! network part is learnt, so that its lines need not wait.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::model::{Header, HostId, Position, Site, Stamp, Trust};
use crate::parse::ebt::{self, Open, Piece};

/// So many lines a head waits at most.
const PATIENCE_LINES: u32 = 64;

/// So many microseconds of log time a head waits at most.
const PATIENCE_MICROSECONDS: u64 = 1_000_000;

/// Prefixes whose habits are remembered.
const MOST_HABITS: usize = 65_536;

/// The longest prefix whose habits are remembered; ebtables takes 29 bytes.
const LONGEST_PREFIX: usize = 256;

/// The waiting room, and what is known of each prefix.
#[derive(Debug, Default)]
pub(in crate::parse) struct Torn {
    open: Option<Head>,
    habits: HashMap<Box<[u8]>, [Habit; 3], RandomState>,
    /// The last bare head that was not made to wait: prefix and kind of network part.
    let_go: Option<(Box<[u8]>, usize)>,
}

/// Whether the lines of a prefix have a network part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Habit {
    #[default]
    NotSeen,
    Bare,
    Prints,
}

/// A head with the pieces found so far.
#[derive(Debug)]
pub(in crate::parse) struct Head {
    pub(in crate::parse) host: HostId,
    pub(in crate::parse) position: Position,
    pub(in crate::parse) stamp: Stamp,
    pub(in crate::parse) trust: Trust,
    pub(in crate::parse) site: Arc<Site>,
    /// The whole line, as far as it is here.
    pub(in crate::parse) text: Vec<u8>,
    /// Where its prefix ends and its `IN=` stands.
    pub(in crate::parse) prefix_end: usize,
    pub(in crate::parse) fields: usize,
    pub(in crate::parse) open: Open,
    pub(in crate::parse) pieces: Vec<Position>,
    pub(in crate::parse) waited: u32,
}

impl Head {
    /// Its header, read from the whole text.
    pub(in crate::parse) fn header(&self) -> Header {
        self.line().map_or_else(Header::default, ebt::Line::into_header)
    }

    fn prefix(&self) -> &[u8] {
        self.text.get(..self.prefix_end).unwrap_or_default()
    }

    /// Adds a piece; `true` when nothing more can come.
    fn take(&mut self, piece: Piece, text: &[u8], position: Position) -> bool {
        self.pieces.push(position);
        self.waited = 0;
        if piece == Piece::Newline {
            return true;
        }
        self.text.truncate(self.text.trim_ascii_end().len());
        self.text.push(b' ');
        self.text.extend_from_slice(text.trim_ascii());
        match self.line() {
            Some(line) => {
                let more = line.may_be_torn();
                self.open = line.open;
                !more
            }
            None => true,
        }
    }

    fn line(&self) -> Option<ebt::Line<'_>> {
        ebt::line(self.text.get(self.fields..)?)
    }
}

impl Torn {
    /// Lets one line pass and returns the head whose time is up at `stamp`.
    pub(in crate::parse) fn age(&mut self, stamp: Stamp) -> Option<Head> {
        let head = self.open.as_mut()?;
        head.waited += 1;
        if head.waited > PATIENCE_LINES || later_than_patience(head.stamp, stamp) {
            return self.close();
        }
        None
    }

    /// Whether a bare head of this prefix had better wait; if not, remembers that it did not.
    pub(in crate::parse) fn should_wait(&mut self, prefix: &[u8], open: Open) -> bool {
        let Open::Network(ethertype) = open else { return true };
        let part = part(ethertype);
        let bare = self.habits.get(prefix).and_then(|h| h.get(part)) == Some(&Habit::Bare);
        if bare {
            self.let_go = Some((prefix.into(), part));
        }
        !bare
    }

    /// Makes a head wait. The one before it must have been closed.
    pub(in crate::parse) fn wait(&mut self, head: Head) {
        self.open = Some(head);
    }

    /// Remembers that this prefix prints a network part.
    pub(in crate::parse) fn saw_network(&mut self, prefix: &[u8], ethertype: Option<u16>) {
        if let Some(ethertype @ (0x0800 | 0x86dd | 0x0806 | 0x8035)) = ethertype {
            self.learn(prefix, part(ethertype), Habit::Prints);
        }
    }

    /// Gives a piece to the open head. `Err` when there is none that can take it.
    pub(in crate::parse) fn take(
        &mut self,
        piece: Piece,
        text: &[u8],
        position: Position,
    ) -> Result<Option<Head>, ()> {
        match &mut self.open {
            Some(head) if head.open.takes(piece) => {
                let done = head.take(piece, text, position);
                Ok(if done { self.close() } else { None })
            }
            _ => {
                self.unlearn(piece);
                Err(())
            }
        }
    }

    /// Where the open head stands.
    pub(in crate::parse) fn held(&self) -> Option<Position> {
        self.open.as_ref().map(|head| head.position)
    }

    /// Takes the open head out, with or without its pieces.
    pub(in crate::parse) fn close(&mut self) -> Option<Head> {
        let head = self.open.take()?;
        match (head.open, head.line()) {
            (Open::Network(ethertype), Some(line)) if line.may_be_torn() => {
                self.learn_bare(head.prefix(), part(ethertype));
            }
            (Open::Network(_), _) | (_, None) => {}
            (_, Some(line)) => {
                self.saw_network(head.prefix(), line.header.link.ethertype());
            }
        }
        Some(head)
    }

    fn learn_bare(&mut self, prefix: &[u8], part: usize) {
        let known = self.habits.get(prefix).and_then(|habits| habits.get(part));
        if known != Some(&Habit::Prints) {
            self.learn(prefix, part, Habit::Bare);
        }
    }

    fn learn(&mut self, prefix: &[u8], part: usize, habit: Habit) {
        if let Some(habits) = self.habits.get_mut(prefix) {
            if let Some(place) = habits.get_mut(part) {
                *place = habit;
            }
        } else if self.habits.len() < MOST_HABITS && prefix.len() <= LONGEST_PREFIX {
            let mut habits = [Habit::NotSeen; 3];
            if let Some(place) = habits.get_mut(part) {
                *place = habit;
            }
            self.habits.insert(prefix.into(), habits);
        }
    }

    /// A piece without a head: the last bare head that went through should have waited.
    fn unlearn(&mut self, piece: Piece) {
        let of_network = matches!(piece, Piece::Network(_) | Piece::ArpHeader);
        if of_network && let Some((prefix, part)) = self.let_go.take() {
            self.learn(&prefix, part, Habit::NotSeen);
        }
    }
}

/// The kind of network part: IPv4, IPv6, ARP.
fn part(ethertype: u16) -> usize {
    match ethertype {
        0x0800 => 0,
        0x86dd => 1,
        _ => 2,
    }
}

/// Whether more than the allowed time lies between two stamps on the same clock.
fn later_than_patience(then: Stamp, now: Stamp) -> bool {
    if let (Some(then), Some(now)) = (then.uptime, now.uptime) {
        return now.0.saturating_sub(then.0) > PATIENCE_MICROSECONDS;
    }
    match (then.wall, now.wall) {
        (Some(then), Some(now)) => {
            u64::try_from(now.0.saturating_sub(then.0)).is_ok_and(|us| us > PATIENCE_MICROSECONDS)
        }
        _ => false,
    }
}
