//! A connection: what conntrack would call one, rebuilt from its packets.

use std::net::IpAddr;

use super::{Boot, Hop, HostId, IfName, Layer, PacketKey, Protocol, Stamp, Trust, Verdict};

/// One side of a tuple. Unknown values are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address.
    pub addr: Option<IpAddr>,
    /// The port, for protocols that have one.
    pub port: Option<u16>,
}

/// A conntrack tuple: one direction's addresses and ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple {
    /// Source.
    pub src: Endpoint,
    /// Destination.
    pub dst: Endpoint,
}

/// One connection, as far as the log tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// Its key: the first line of its first packet.
    pub key: PacketKey,
    /// The host that saw it.
    pub host: HostId,
    /// The boot it was seen in.
    pub boot: Boot,
    /// The transport protocol.
    pub protocol: Protocol,
    /// conntrack's original tuple.
    pub original: Tuple,
    /// conntrack's reply tuple; parts that the log does not tell are `None`.
    pub reply: Tuple,
    /// The echo identifier, for ICMP.
    pub icmp_id: Option<u16>,
    /// What NAT rewrote.
    pub nat: Vec<NatChange>,
    /// The state at its end.
    pub state: ConnectionState,
    /// How much of it the log holds.
    pub completeness: Completeness,
    /// Stamp of its first line.
    pub first: Stamp,
    /// Stamp of its last line.
    pub last: Stamp,
    /// Packets in original direction.
    pub packets_original: u64,
    /// Packets in reply direction.
    pub packets_reply: u64,
    /// ICMP errors about it.
    pub packets_related: u64,
    /// Lines of all its packets.
    pub lines: u64,
    /// Layers on which it was seen, in order of first sight.
    pub layers: Vec<Layer>,
    /// Devices on which it was seen, in order of first sight.
    pub interfaces: Vec<IfName>,
    /// The least trust of its lines.
    pub trust: Trust,
    /// What became of it.
    pub verdict: Verdict,
}

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionState {
    /// TCP: conntrack's own states.
    Tcp(TcpState),
    /// No packet came back.
    Unreplied,
    /// Packets in both directions.
    Replied,
    /// Packets in both directions, and more in the original one after the reply.
    Assured,
}

impl ConnectionState {
    /// Whether both directions of a handshake were seen or implied. Protocols without one always count as such.
    pub fn was_established(self) -> bool {
        !matches!(
            self,
            Self::Tcp(TcpState::None | TcpState::SynSent | TcpState::SynSent2 | TcpState::SynRecv)
        )
    }
}

/// conntrack's TCP states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcpState {
    /// Nothing known yet (a capture that starts in the middle).
    None,
    /// SYN seen.
    SynSent,
    /// SYN and SYN-ACK seen.
    SynRecv,
    /// Handshake done.
    Established,
    /// One FIN seen.
    FinWait,
    /// FIN acknowledged, waiting for the other side's.
    CloseWait,
    /// Both FINs seen, last ACK missing.
    LastAck,
    /// Both sides closed.
    TimeWait,
    /// Reset.
    Close,
    /// SYN from both sides.
    SynSent2,
}

/// One thing NAT rewrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatChange {
    /// What kind of translation.
    pub kind: NatKind,
    /// Address and port before.
    pub from: Endpoint,
    /// Address and port after.
    pub to: Endpoint,
    /// The nat rule that was last hit before the change was seen.
    pub site: Option<Hop>,
    /// Whether the change itself was seen, or follows from the reply.
    pub evidence: EvidenceOf,
}

/// Kinds of translation. Without the rule's text only the first two can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NatKind {
    /// The destination was rewritten.
    Dnat,
    /// The source was rewritten.
    Snat,
    /// The source was rewritten to the outgoing device's address.
    Masquerade,
    /// The destination was rewritten to this host.
    Redirect,
    /// A whole network was mapped.
    Netmap,
}

/// Whether a fact was seen or follows from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceOf {
    /// Two lines of one packet show it.
    Observed,
    /// It follows from other lines.
    Inferred,
}

/// How much of a connection the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Completeness {
    /// From its first packet on.
    Whole,
    /// It was under way when the log began.
    BeganBeforeLog,
    /// Its record was ended early: evicted, or the log ended in mid-packet.
    Cut,
    /// Lines are known to be missing while it lived.
    Lossy,
}

/// A relation between connections or packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What kind.
    pub kind: LinkKind,
    /// The later one, which refers.
    pub from: LinkTarget,
    /// The earlier one, referred to.
    pub to: LinkTarget,
    /// Why we say so, as a sentence.
    pub evidence: Box<str>,
}

/// What a link's end names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkTarget {
    /// A connection.
    Connection(PacketKey),
    /// A packet.
    Packet(PacketKey),
}

/// The kinds of link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkKind {
    /// docker-proxy's two halves.
    Proxy,
    /// An ICMP error quoting a packet.
    IcmpError,
    /// A RST or ICMP error that REJECT sent as its answer.
    Reset,
    /// A connection that another one announced (conntrack's expectation).
    Expectation,
    /// A packet that had to wait for this ARP exchange.
    ArpWait,
    /// A later copy of the same TCP segment.
    Retransmission,
}
