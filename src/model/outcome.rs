//! What comes out of the thinking part and goes into the store.

use super::{Anomaly, Connection, Gap, HostId, Link, Packet};

/// One finished fact. Outcomes come in an order that depends on the input alone.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A host (and namespace label) was met for the first time. Comes BEFORE anything that names its id.
    Host {
        /// The id by which later outcomes name it.
        id: HostId,
        /// The host's name; empty when the log does not tell and no `--host` was given.
        name: Box<[u8]>,
        /// The `--netns` label.
        netns: Option<Box<str>>,
    },
    /// A packet was closed.
    Packet(Box<Packet>),
    /// A connection as it stands now; a later one with the same key replaces it.
    Connection(Box<Connection>),
    /// A relation was found.
    Link(Link),
    /// Something deserves a remark.
    Anomaly(Anomaly),
    /// Lines are known to be missing.
    Gap(Gap),
}
