//! What goes into the parser and what comes out.

use crate::model::{Anomaly, Entry, GapReason, HostId, Position, Stamp, Trust};

/// One line, peeled out of its envelope.
#[derive(Debug, Clone, Copy)]
pub struct LineInput<'a> {
    /// The host it belongs to.
    pub host: HostId,
    /// Where it stands.
    pub position: Position,
    /// When it was written.
    pub stamp: Stamp,
    /// How far its origin may be trusted.
    pub trust: Trust,
    /// What the kernel printed.
    pub payload: &'a [u8],
    /// The syslog tag, when the envelope has one.
    pub tag: Option<&'a [u8]>,
    /// kmsg's continuation flag: a hint only, since other sources lack it.
    pub continuation: bool,
}

/// One thing that was read.
#[derive(Debug, Clone)]
pub enum Parsed<'a> {
    /// An understood line.
    Entry(Entry<'a>),
    /// A line, or a part of one, that deserves a remark.
    Anomaly(Anomaly),
    /// Lines are said to be missing.
    Gap {
        /// Where it is said.
        position: Position,
        /// When it was said.
        stamp: Stamp,
        /// How many are missing, when it says so.
        lost: Option<u64>,
        /// Why they are missing.
        reason: GapReason,
    },
}

/// Where results go.
pub(super) type Sink<'s> = &'s mut dyn FnMut(Parsed<'_>);
