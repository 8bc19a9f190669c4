//! What a story is told of.

use crate::explain::Lore;
use crate::model::{Connection, LinkKind, Packet, PacketKey};

/// A connection with its packets, or packets alone.
#[derive(Debug, Clone, Default)]
pub struct Subject<'a> {
    /// The connection, with what the rules tell of its verdict and NAT, when there is one.
    pub connection: Option<&'a Connection>,
    /// Its packets in the order in which they came, with ARP packets that some of them waited for. The
    /// story calls them by their place in this list, from 1.
    pub packets: Vec<Seen<'a>>,
    /// Which packet waited for which ARP packet.
    pub waits: Vec<Wait>,
    /// Its relations to what is not in this list, and among those that are.
    pub links: Vec<LinkFact>,
    /// When the rule sets were taken, in words.
    pub snapshots: Vec<SnapshotFact>,
}

/// A packet with what was known when it was seen.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The packet.
    pub packet: &'a Packet,
    /// The rules and the host's context of its moment.
    pub lore: Lore<'a>,
}

/// A packet that had to wait for an ARP exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The packet that waited.
    pub waiting: PacketKey,
    /// The ARP packet.
    pub arp: PacketKey,
}

/// A relation to another connection or packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFact {
    /// What kind.
    pub kind: LinkKind,
    /// The packet of the subject that has it; none when the connection has.
    pub packet: Option<PacketKey>,
    /// Whether this side is the later one, which refers to the other.
    pub is_later: bool,
    /// The other end in a few words: `c0123456789abc, 172.17.42.1:54062 → 172.17.0.5:6379`.
    pub other: String,
    /// Why we say so, as a sentence.
    pub evidence: String,
}

/// When a rule set was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFact {
    /// The stored number of the revision.
    pub revision: i64,
    /// The time from which it holds, as the user wants times: `13:10:02`.
    pub taken: String,
}
