//! A packet: one skb's way through one host.

use std::sync::Arc;

use super::{Boot, Devices, Header, HostId, Layer, Position, Site, Stamp, Trust};

/// The row key of a packet or connection: the position of its first line.
///
/// A function of the input alone, so that a second reading of the same source
/// gives the same keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketKey {
    /// The source of the first line.
    pub source: super::SourceId,
    /// Its byte offset, plus the number of the copy for repeated lines.
    pub offset: u64,
}

impl From<Position> for PacketKey {
    fn from(position: Position) -> Self {
        Self { source: position.source, offset: position.offset + u64::from(position.copy) }
    }
}

/// One packet, closed and ready to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Its key.
    pub key: PacketKey,
    /// The host it crossed.
    pub host: HostId,
    /// The boot it was seen in.
    pub boot: Boot,
    /// The connection it belongs to; none for ARP, STP and what cannot be told.
    pub connection: Option<PacketKey>,
    /// Its direction within the connection; none when it has no connection.
    pub direction: Option<Direction>,
    /// The stamp of its first line.
    pub first: Stamp,
    /// The least trust of its lines.
    pub trust: Trust,
    /// How sure the joining of its lines is.
    pub confidence: Confidence,
    /// What became of it.
    pub verdict: Verdict,
    /// The steps in order; never empty.
    pub steps: Vec<Step>,
}

/// One hop taken by one packet.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The place: site and devices.
    pub hop: Hop,
    /// Microseconds since the packet's first line; `None` when the lines have no common clock.
    pub offset_us: Option<i64>,
    /// The header as printed on this line. Shared with the step before when equal.
    pub header: Arc<Header>,
    /// The line or lines this step was read from.
    pub lines: StepLines,
}

/// Where a step's bytes stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepLines {
    /// The line, or the head of a torn ebtables line.
    pub head: Position,
    /// The torn-off pieces, in order.
    pub pieces: Vec<Position>,
}

/// A site together with the devices printed there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hop {
    /// The layer.
    pub layer: Layer,
    /// The place in the rule sets.
    pub site: Arc<Site>,
    /// The devices.
    pub devices: Devices,
}

/// A packet's direction within its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The way of the connection's first packet.
    Original,
    /// The way back.
    Reply,
    /// An ICMP error about the connection.
    Related,
}

/// How sure the joining of a packet's lines is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Every line could belong to this packet only.
    Exact,
    /// Another packet was possible for some line, and less fitting.
    Likely,
    /// Another packet was equally possible for some line.
    Ambiguous,
}

/// What became of a packet or connection, with the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The verdict.
    pub kind: VerdictKind,
    /// What it rests on; none when unknown for lack of any.
    pub evidence: Option<VerdictEvidence>,
    /// The deciding site, or for `Unknown` the last place seen.
    pub site: Option<Hop>,
}

/// The kinds of verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VerdictKind {
    /// Went on its way.
    Accepted,
    /// Ended by the firewall.
    Dropped,
    /// Ended by REJECT, which answered.
    Rejected,
    /// Taken by a local process.
    Consumed,
    /// The log does not say.
    Unknown,
}

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VerdictEvidence {
    /// A rule's line, and what followed it.
    Rule,
    /// A policy's line, and what followed it.
    Policy,
    /// Lines that would have followed are missing.
    Absence,
    /// The other side answered.
    Reply,
}
