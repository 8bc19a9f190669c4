//! An entry: one understood line, ready for the correlator.

use std::sync::Arc;

use super::{Header, HostId, Position, Site, Stamp, Trust};

/// One understood line. Borrowed from the parser: it lives only while it is being correlated.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// The host (and namespace label) the line belongs to.
    pub host: HostId,
    /// Where the line stands; for a torn ebtables line, its head.
    pub position: Position,
    /// Where the torn-off pieces stand, in order; empty but for torn ebtables lines.
    pub pieces: &'a [Position],
    /// When it was written.
    pub stamp: Stamp,
    /// How far it may be trusted.
    pub trust: Trust,
    /// The place in the rule sets it comes from.
    pub site: &'a Arc<Site>,
    /// Its header fields.
    pub header: &'a Header,
    /// Names the bytes from `IN=` to the end: two entries with equal keys have equal headers.
    /// `None` when the header was not kept (ebtables lines, mended lines).
    pub tail: Option<TailKey>,
}

/// The identity of a line's tail in the parser's small cache of recent tails.
///
/// Consecutive hooks of one packet print the same bytes from `IN=` on, so the
/// correlator can go from this key straight to the open packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TailKey {
    /// The cache slot.
    pub slot: u16,
    /// How often the slot has been filled; tells a reused slot from the same tail.
    pub generation: u32,
}
