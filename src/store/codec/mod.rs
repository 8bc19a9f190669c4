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
mod flat;
mod flow;
mod frames;
mod gaps;
mod header;
mod lines;
mod shape;

pub(crate) use flow::Flow;
pub(crate) use frames::read_frames;

use crate::model::{Hop, LinkHeader, Packet, PacketKey, Step};
use crate::store::codec::bytes::Input;
use crate::store::codec::flat::{Field, Flat, Sources};
use crate::store::codec::flow::Way;
use crate::store::codec::lines::Lines;

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

/// A packet's steps, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub columns: Columns,
    pub gaps: Option<String>,
    pub shape: Vec<u8>,
    pub frames: Vec<u8>,
    pub detail: Vec<u8>,
}

/// A packet's steps, as read from the store.
pub(crate) struct Stored<'a> {
    pub key: PacketKey,
    pub columns: Columns,
    pub gaps: Option<&'a str>,
    pub shape: &'a [u8],
    pub frames: &'a [LinkHeader],
    pub detail: &'a [u8],
    pub hops: &'a [Hop],
    /// The flow of the packet's connection, when [`needs_flow`] says so.
    pub flow: Option<Flow>,
}

const OFFSETS: u8 = 1;
const EXPECTED: u8 = 2;
const REVERSED: u8 = 4;

const COLUMNS: u64 = Field::Length.bit() | Field::Id.bit() | Field::TcpFlags.bit();

/// Packs a packet; `None` for a packet without steps, which cannot be told from damage. `flow` is that of
/// its connection, when the connection's first packet is another one and already packed.
pub(crate) fn encode(packet: &Packet, flow: Option<&Flow>) -> Option<Encoded> {
    let offsets: Vec<Option<i64>> = packet.steps.iter().map(|step| step.offset_us).collect();
    let gaps = gaps::to_text(&offsets);
    let lines = || packet.steps.iter().map(|step| &step.lines);
    let line_flags = lines::flags(packet.key, lines());
    let way = Way::of(packet);
    let mut flags = if gaps.is_none() { OFFSETS } else { 0 };
    if flow.is_some() {
        flags |= EXPECTED | if way == Way::Reversed { REVERSED } else { 0 };
    }
    let expected = flow.map(|flow| flow.expected(way));
    let mut columns = Columns::default();
    let shape = shape::take_apart(packet, [line_flags, flags], expected, COLUMNS, |header| {
        columns.take(header);
    })?;
    let mut detail = shape.parts.own;
    if gaps.is_none() {
        gaps::put(&offsets, &mut detail);
    }
    lines::put_lines(packet.key, line_flags, lines(), &mut detail);
    Some(Encoded {
        columns,
        gaps,
        shape: shape.parts.shared,
        frames: frames::put_frames(&shape.frames),
        detail,
    })
}

/// Whether a packet of this shape can only be read with the flow of its connection.
pub(crate) fn needs_flow(shape: &[u8]) -> Result<bool, Damaged> {
    let [_, flags] = shape::read_flags(&mut Input::new(shape))?;
    Ok(flags & EXPECTED != 0)
}

/// Undoes [`encode`].
pub(crate) fn decode(stored: &Stored<'_>) -> Result<Vec<Step>, Damaged> {
    let mut shared = Input::new(stored.shape);
    let [line_flags, flags] = shape::read_flags(&mut shared)?;
    let expected = match (stored.flow, flags & EXPECTED != 0) {
        (_, false) => None,
        (None, true) => return Err(Damaged("the connection's first packet is missing")),
        (Some(flow), true) => {
            Some(flow.expected(if flags & REVERSED == 0 { Way::Same } else { Way::Reversed }))
        }
    };
    let own = Input::new(stored.detail);
    let mut sources = Sources { shared, own, elsewhere: stored.columns.give(), expected };
    let headers = shape::put_together(&mut sources, stored.hops, stored.frames)?;
    let mut input = sources.own;
    let offsets = match stored.gaps {
        Some(text) => gaps::from_text(text)?,
        None if flags & OFFSETS != 0 => gaps::read(stored.hops.len(), &mut input)?,
        None => return Err(Damaged("the offsets are missing")),
    };
    if offsets.len() != stored.hops.len() {
        return Err(Damaged("not as many offsets as steps"));
    }
    let mut lines = Lines::new(stored.key, line_flags);
    let mut steps = Vec::with_capacity(headers.len());
    for ((header, hop), offset_us) in headers.into_iter().zip(stored.hops).zip(offsets) {
        steps.push(Step { hop: hop.clone(), offset_us, header, lines: lines.next(&mut input)? });
    }
    if input.is_empty() { Ok(steps) } else { Err(Damaged("more detail than steps")) }
}

impl Columns {
    /// Takes the values that were not seen before.
    fn take(&mut self, header: &Flat) {
        self.length = self.length.or(header.number(Field::Length));
        self.ip_id = self.ip_id.or(header.number(Field::Id));
        self.tcp_flags = self.tcp_flags.or(header.number(Field::TcpFlags));
    }

    fn give(&self) -> Flat {
        let mut flat = Flat::empty();
        flat.set_some(Field::Length, self.length);
        flat.set_some(Field::Id, self.ip_id);
        flat.set_some(Field::TcpFlags, self.tcp_flags);
        flat
    }
}
