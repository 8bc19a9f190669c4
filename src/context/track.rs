//! conntrack's own record: entries and events, found by their tuples.

use std::net::IpAddr;
use std::ops::Deref;

use foldhash::HashMap;

use crate::model::{Endpoint, Protocol, Tuple, WallTime};

/// One direction of a conntrack entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConntrackTuple {
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// Source port; none for ICMP.
    pub sport: Option<u16>,
    /// Destination port.
    pub dport: Option<u16>,
    /// ICMP's echo id.
    pub icmp_id: Option<u16>,
}

/// An entry or event of conntrack.
#[derive(Debug, Clone, PartialEq)]
pub struct ConntrackEntry {
    /// The time of an event (`-o timestamp`).
    pub at: Option<WallTime>,
    /// `NEW`, `UPDATE`, `DESTROY` of an event.
    pub event: Option<Box<str>>,
    /// The protocol's number.
    pub protocol: u8,
    /// The state's name.
    pub state: Option<Box<str>>,
    /// The original tuple.
    pub original: ConntrackTuple,
    /// The reply tuple.
    pub reply: ConntrackTuple,
    /// Whether a packet came back: it is not marked `[UNREPLIED]`.
    pub is_replied: bool,
    /// Whether it is marked `[ASSURED]`.
    pub is_assured: bool,
    /// As given.
    pub text: Box<str>,
}

/// An address that NAT rewrites in a connection's original direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewrite {
    /// Whether it is the source; else the destination.
    pub is_source: bool,
    /// As the first packet came.
    pub from: Endpoint,
    /// As it went.
    pub to: Endpoint,
}

/// conntrack's entries and events in the order of the text, with an index over their tuples.
#[derive(Clone, Default)]
pub struct Conntrack {
    entries: Vec<ConntrackEntry>,
    places: HashMap<(u8, ConntrackTuple), Vec<usize>>,
}

impl ConntrackTuple {
    /// The tuple of the other direction, as it is without NAT.
    #[must_use]
    pub fn inverted(self) -> Self {
        Self { src: self.dst, dst: self.src, sport: self.dport, dport: self.sport, ..self }
    }

    /// From the words of the model; none when an address is not known.
    pub fn of(tuple: &Tuple, icmp_id: Option<u16>) -> Option<Self> {
        Some(Self {
            src: tuple.src.addr?,
            dst: tuple.dst.addr?,
            sport: tuple.src.port,
            dport: tuple.dst.port,
            icmp_id,
        })
    }

    /// One of the tuple and its inverse, the same for both: what a connection's packets of both directions share.
    fn name(self) -> Self {
        if (self.src, self.sport) <= (self.dst, self.dport) { self } else { self.inverted() }
    }

    /// The tuple in the words of the model.
    pub fn tuple(self) -> Tuple {
        Tuple {
            src: Endpoint { addr: Some(self.src), port: self.sport },
            dst: Endpoint { addr: Some(self.dst), port: self.dport },
        }
    }
}

impl ConntrackEntry {
    /// What NAT rewrites: nothing when the reply tuple is the inverted original.
    pub fn nat(&self) -> Vec<Rewrite> {
        let before = self.original.tuple();
        let after = self.reply.inverted().tuple();
        let source = Rewrite { is_source: true, from: before.src, to: after.src };
        let destination = Rewrite { is_source: false, from: before.dst, to: after.dst };
        [destination, source].into_iter().filter(|rewrite| rewrite.from != rewrite.to).collect()
    }
}

impl Conntrack {
    /// Adds an entry.
    pub fn push(&mut self, entry: ConntrackEntry) {
        let place = self.entries.len();
        let names = [entry.original.name(), entry.reply.name()];
        for name in &names[..if names[0] == names[1] { 1 } else { 2 }] {
            self.places.entry((entry.protocol, *name)).or_default().push(place);
        }
        self.entries.push(entry);
    }

    /// The entries of a connection in the order of the text, by any tuple that its packets have: its original or reply
    /// tuple, or either of them inverted (a packet behind NAT). `icmp_id` is the echo id, for ICMP.
    pub fn of(
        &self,
        protocol: Protocol,
        tuple: &Tuple,
        icmp_id: Option<u16>,
    ) -> impl Iterator<Item = &ConntrackEntry> {
        let tuple = ConntrackTuple::of(tuple, icmp_id);
        let places = tuple.and_then(|tuple| self.places.get(&(protocol.0, tuple.name())));
        places.into_iter().flatten().filter_map(|place| self.entries.get(*place))
    }
}

impl Deref for Conntrack {
    type Target = [ConntrackEntry];

    fn deref(&self) -> &Self::Target {
        &self.entries
    }
}

impl std::fmt::Debug for Conntrack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.entries).finish()
    }
}

impl PartialEq for Conntrack {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Extend<ConntrackEntry> for Conntrack {
    fn extend<T: IntoIterator<Item = ConntrackEntry>>(&mut self, entries: T) {
        for entry in entries {
            self.push(entry);
        }
    }
}

impl FromIterator<ConntrackEntry> for Conntrack {
    fn from_iter<T: IntoIterator<Item = ConntrackEntry>>(entries: T) -> Self {
        let mut all = Self::default();
        all.extend(entries);
        all
    }
}

impl IntoIterator for Conntrack {
    type Item = ConntrackEntry;
    type IntoIter = std::vec::IntoIter<ConntrackEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a> IntoIterator for &'a Conntrack {
    type Item = &'a ConntrackEntry;
    type IntoIter = std::slice::Iter<'a, ConntrackEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}
