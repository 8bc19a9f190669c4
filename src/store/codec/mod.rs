//! Packets as bytes and back, exactly: every field of every line, and where it stood.
//!
//! A packet is stored in three parts. Its *shape* (what all headers say, as differences from step to
//! step) is shared by the packets of a connection; its *volatile* fields (ID, SEQ, window …) are
//! columns, so that SQL can read them; its *detail* has the line positions and the rest.
//!
//! ```text
//! detail = flags, volatile fields without a column, [offsets], lines
//! flags  = those of the lines, and bit 7: the steps' offsets are here and not in column `gaps`
//! ```
//!
//! This folder knows no SQL.

mod bytes;
mod flat;
mod frames;
mod gaps;
mod header;
mod lines;
mod shape;

pub(crate) use frames::read_frames;

use crate::model::{Hop, LinkHeader, Packet, PacketKey, Step};
use crate::store::codec::bytes::{Input, put_varint};
use crate::store::codec::flat::{Field, Flat};
use crate::store::codec::lines::Lines;

/// Stored bytes that cannot be read back, with the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged(pub &'static str);

/// The volatile fields that have a column of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Columns {
    pub length: Option<u64>,
    pub ip_id: Option<u64>,
    pub tcp_flags: Option<u64>,
    pub seq: Option<u64>,
    pub ack: Option<u64>,
    pub window: Option<u64>,
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
}

const OFFSETS: u8 = 0x80;

/// The volatile fields without a column.
const IN_DETAIL: u64 = Field::UdpLength.bit() | Field::EchoSeq.bit();

/// `NOP NOP Timestamp`, the options of nearly every TCP segment; eight bytes follow.
const TIMESTAMPS: [u8; 4] = [1, 1, 8, 10];

/// Packs a packet; `None` for a packet without steps, which cannot be told from damage.
pub(crate) fn encode(packet: &Packet) -> Option<Encoded> {
    let parts = shape::take_apart(packet)?;
    let offsets: Vec<Option<i64>> = packet.steps.iter().map(|step| step.offset_us).collect();
    let gaps = gaps::to_text(&offsets);
    let lines = || packet.steps.iter().map(|step| &step.lines);
    let flags = lines::flags(packet.key, lines());
    let mut detail = vec![flags | if gaps.is_none() { OFFSETS } else { 0 }];
    put_volatile(&parts.first, &mut detail);
    if gaps.is_none() {
        gaps::put(&offsets, &mut detail);
    }
    lines::put_lines(packet.key, flags, lines(), &mut detail);
    Some(Encoded {
        columns: columns(&parts.first),
        gaps,
        shape: parts.bytes,
        frames: frames::put_frames(&parts.frames),
        detail,
    })
}

/// Undoes [`encode`].
pub(crate) fn decode(stored: &Stored<'_>) -> Result<Vec<Step>, Damaged> {
    let mut input = Input::new(stored.detail);
    let flags = input.byte()?;
    let headers = shape::put_together(stored.shape, stored.hops, stored.frames, |first| {
        read_columns(&stored.columns, first)?;
        read_volatile(first, &mut input)
    })?;
    let offsets = match stored.gaps {
        Some(text) => gaps::from_text(text)?,
        None if flags & OFFSETS != 0 => gaps::read(stored.hops.len(), &mut input)?,
        None => return Err(Damaged("the offsets are missing")),
    };
    if offsets.len() != stored.hops.len() {
        return Err(Damaged("not as many offsets as steps"));
    }
    let mut lines = Lines::new(stored.key, flags & !OFFSETS);
    let mut steps = Vec::with_capacity(headers.len());
    for ((header, hop), offset_us) in headers.into_iter().zip(stored.hops).zip(offsets) {
        steps.push(Step { hop: hop.clone(), offset_us, header, lines: lines.next(&mut input)? });
    }
    if input.is_empty() { Ok(steps) } else { Err(Damaged("more detail than steps")) }
}

fn columns(first: &Flat) -> Columns {
    Columns {
        length: first.number(Field::Length),
        ip_id: first.number(Field::Id),
        tcp_flags: first.number(Field::TcpFlags),
        seq: first.number(Field::Seq),
        ack: first.number(Field::Ack),
        window: first.number(Field::Window),
    }
}

fn read_columns(columns: &Columns, first: &mut Flat) -> Result<(), Damaged> {
    let fields = [
        (Field::Length, columns.length),
        (Field::Id, columns.ip_id),
        (Field::TcpFlags, columns.tcp_flags),
        (Field::Seq, columns.seq),
        (Field::Ack, columns.ack),
        (Field::Window, columns.window),
    ];
    for (field, value) in fields {
        match value {
            Some(value) => first.set(field, value),
            None if first.has(field) => return Err(Damaged("a column is missing")),
            None => {}
        }
    }
    Ok(())
}

fn put_volatile(first: &Flat, out: &mut Vec<u8>) {
    first.put_values(first.present(IN_DETAIL), out);
    if let Some(options) = first.string(Field::TcpOptions) {
        match options.strip_prefix(&TIMESTAMPS) {
            Some(stamps) if stamps.len() == 8 => {
                out.push(0);
                out.extend_from_slice(stamps);
            }
            _ => {
                put_varint(out, options.len() as u64 + 1);
                out.extend_from_slice(options);
            }
        }
    }
}

fn read_volatile(first: &mut Flat, input: &mut Input<'_>) -> Result<(), Damaged> {
    first.read_values(first.present(IN_DETAIL), input)?;
    if first.has(Field::TcpOptions) {
        let mut options = Vec::new();
        let length = match input.varint()? {
            0 => {
                options.extend_from_slice(&TIMESTAMPS);
                8
            }
            length => length - 1,
        };
        let length = usize::try_from(length).map_err(|_| Damaged("a length is too large"))?;
        options.extend_from_slice(input.take(length)?);
        first.set_string(Field::TcpOptions, options);
    }
    Ok(())
}
