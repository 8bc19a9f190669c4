//! The nouns: what a line says, what a packet is, what a connection is.
//!
//! Plain data only. This folder knows no file, no clock, no database, no
//! JSON and no terminal; everything else in the tree may name it.

mod anomaly;
mod connection;
mod counts;
mod entry;
mod family;
mod header;
mod ifname;
mod line;
mod names;
mod outcome;
mod packet;
mod site;
mod stop;
mod tally;
mod time;
mod traversal;

pub use anomaly::{Anomaly, AnomalyKind, Gap, GapReason, Severity};
pub use connection::{
    Completeness, Connection, ConnectionState, Endpoint, EvidenceOf, Link, LinkKind, LinkTarget,
    NatChange, NatKind, TcpState, Tuple,
};
pub use counts::Counts;
pub use entry::{Entry, TailKey};
pub use family::Family;
pub use header::{
    Arp, ArpAddresses, Devices, Fragment, Header, Icmp, IcmpExtra, InnerPacket, Ip, IpFlags,
    LinkHeader, Mac, Network, Protocol, Tcp, TcpFlags, TcpOptions, Transport, Vlan,
};
pub use ifname::IfName;
pub use line::{HostId, LineKind, Position, SourceId, Trust};
pub use outcome::Outcome;
pub use packet::{
    Confidence, Direction, Hop, Packet, PacketKey, Step, StepLines, Verdict, VerdictEvidence,
    VerdictKind,
};
pub use site::{Hook, Layer, Site, SiteKind, Table};
pub use stop::{Place, Stop, StopSet};
pub use tally::VerdictTally;
pub use time::{Boot, Stamp, Uptime, WallTime};
pub use traversal::ruled_out_by;
