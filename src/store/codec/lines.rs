//! Where a packet's lines stand: one varint a line in the usual case.
//!
//! ```text
//! flags  bit 0 kmsg sequences   bit 1 torn pieces   bit 2 copies   bit 3 other sources
//!        bit 4 the first line is not at the packet's key   bit 5 some lines have no sequence
//!        bit 6 some lines stand before the line before; their distances are signed
//! line   [source] offset − offset before [1, or 0 without sequence] [seq − seq before] [copy] [pieces]
//! ```

use crate::model::{PacketKey, Position, SourceId, StepLines};
use crate::store::codec::Damaged;
use crate::store::codec::bytes::{Input, put_signed, put_varint};

const SEQUENCES: u8 = 1;
const PIECES: u8 = 2;
const COPIES: u8 = 4;
const SOURCES: u8 = 8;
const ELSEWHERE: u8 = 16;
const UNSEQUENCED: u8 = 32;
const BACKWARDS: u8 = 64;

/// The flags that `lines` need.
pub(super) fn flags<'a>(key: PacketKey, lines: impl Iterator<Item = &'a StepLines>) -> u8 {
    let mut flags = 0;
    let mut before = key.offset;
    for (step, lines) in lines.enumerate() {
        if step == 0 && lines.head.offset != key.offset {
            flags |= ELSEWHERE;
        }
        if !lines.pieces.is_empty() {
            flags |= PIECES;
        }
        for position in std::iter::once(&lines.head).chain(&lines.pieces) {
            flags |= if position.seq.is_some() { SEQUENCES } else { UNSEQUENCED };
            flags |= if position.offset < before { BACKWARDS } else { 0 };
            before = position.offset;
            flags |= if position.copy != 0 { COPIES } else { 0 };
            flags |= if position.source == key.source { 0 } else { SOURCES };
        }
    }
    if flags & SEQUENCES == 0 { flags & !UNSEQUENCED } else { flags }
}

/// The place of the line before, from which the next one is told.
struct Cursor {
    source: SourceId,
    flags: u8,
    offset: u64,
    seq: u64,
}

impl Cursor {
    fn new(key: PacketKey, flags: u8) -> Self {
        Self { source: key.source, flags, offset: key.offset, seq: 0 }
    }

    fn put(&mut self, position: &Position, out: &mut Vec<u8>) {
        if self.flags & SOURCES != 0 {
            put_varint(out, u64::from(position.source.0));
        }
        let distance = position.offset.wrapping_sub(self.offset);
        if self.flags & BACKWARDS != 0 {
            put_signed(out, distance.cast_signed());
        } else {
            put_varint(out, distance);
        }
        self.offset = position.offset;
        if self.flags & SEQUENCES != 0 {
            self.put_seq(position.seq, out);
        }
        if self.flags & COPIES != 0 {
            put_varint(out, u64::from(position.copy));
        }
    }

    fn put_seq(&mut self, seq: Option<u64>, out: &mut Vec<u8>) {
        if self.flags & UNSEQUENCED != 0 {
            out.push(u8::from(seq.is_some()));
        }
        let Some(seq) = seq else { return };
        put_signed(out, seq.wrapping_sub(self.seq).cast_signed());
        self.seq = seq;
    }

    fn read(&mut self, input: &mut Input<'_>) -> Result<Position, Damaged> {
        let source =
            if self.flags & SOURCES == 0 { self.source } else { SourceId(input.narrow()?) };
        let distance = if self.flags & BACKWARDS != 0 {
            input.signed()?.cast_unsigned()
        } else {
            input.varint()?
        };
        self.offset = self.offset.wrapping_add(distance);
        let seq = if self.flags & SEQUENCES == 0 { None } else { self.read_seq(input)? };
        let copy = if self.flags & COPIES == 0 { 0 } else { input.narrow()? };
        Ok(Position { source, offset: self.offset, seq, copy })
    }

    fn read_seq(&mut self, input: &mut Input<'_>) -> Result<Option<u64>, Damaged> {
        if self.flags & UNSEQUENCED != 0 && input.byte()? == 0 {
            return Ok(None);
        }
        self.seq = self.seq.wrapping_add(input.signed()?.cast_unsigned());
        Ok(Some(self.seq))
    }
}

/// Appends the positions; the first is left out when the key tells it.
pub(super) fn put_lines<'a>(
    key: PacketKey,
    flags: u8,
    lines: impl Iterator<Item = &'a StepLines>,
    out: &mut Vec<u8>,
) {
    let mut cursor = Cursor::new(key, flags);
    for (step, lines) in lines.enumerate() {
        if step > 0 || flags != 0 {
            cursor.put(&lines.head, out);
        }
        if flags & PIECES != 0 {
            put_varint(out, lines.pieces.len() as u64);
            for piece in &lines.pieces {
                cursor.put(piece, out);
            }
        }
    }
}

/// Reads the positions of one step after the other.
pub(super) struct Lines {
    cursor: Cursor,
    first: bool,
}

impl Lines {
    pub(super) fn new(key: PacketKey, flags: u8) -> Self {
        Self { cursor: Cursor::new(key, flags), first: true }
    }

    pub(super) fn next(&mut self, input: &mut Input<'_>) -> Result<StepLines, Damaged> {
        let flags = self.cursor.flags;
        let head = if std::mem::take(&mut self.first) && flags == 0 {
            Position { source: self.cursor.source, offset: self.cursor.offset, seq: None, copy: 0 }
        } else {
            self.cursor.read(input)?
        };
        let mut pieces = Vec::new();
        if flags & PIECES != 0 {
            for _ in 0..input.varint()? {
                pieces.push(self.cursor.read(input)?);
            }
        }
        Ok(StepLines { head, pieces })
    }
}
