//! Packets as bytes and back, exactly: every field of every line, and where it stood.
//!
//! A packet is stored in three parts. Its *shape* (which fields its headers have, and which of them
//! change from step to step) is the same for thousands of packets and stored once. A few values are
//! *columns*, so that SQL can read them. Its *detail* has all other values and the line positions.
//!
//! ```text
//! detail = values, [offsets], lines
//! flags  = those of the lines (one byte); of the packet (one byte):
//!          bit 0 the steps' offsets are in the detail and not in column `gaps`
//!          bit 1 values are those that the connection's first packet lets expect; bit 2 the other way round
//! ```
//!
//! Both flags stand in the shape.
//!
//! This folder knows no SQL.

mod bytes;
mod decode;
mod difference;
mod encode;
mod flat;
mod flow;
mod frames;
mod gaps;
mod header;
mod lines;
mod shape;

pub(crate) use decode::{Stored, decode, needs_flow};
pub(crate) use encode::Encoder;
pub(crate) use flow::Flow;
pub(crate) use frames::read_frames;

/// Stored bytes that cannot be read back, with the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged(pub &'static str);

/// The values that have a column of their own: the first that any line of the packet shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Columns {
    pub length: Option<u64>,
    pub ip_id: Option<u64>,
    pub tcp_flags: Option<u64>,
}

const OFFSETS: u8 = 1;
const EXPECTED: u8 = 2;
const REVERSED: u8 = 4;
