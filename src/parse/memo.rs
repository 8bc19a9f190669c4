//! A small cache of recent tails: what stands from `IN=` to a line's end.
//!
//! Consecutive hooks of one packet differ in the prefix only, so three lines
//! of four find their header here. A hit is exact: the bytes are compared.

use crate::model::{Header, TailKey};

const SLOTS: usize = 1024;

/// The kernel's lines end at 1,019 bytes; a longer tail will not come again.
const LONGEST: usize = 1200;

/// The cache, direct-mapped: each tail has one slot it can be in.
#[derive(Debug)]
pub(super) struct Memo {
    slots: Vec<Slot>,
    /// The last header whose tail was too long to keep.
    unkept: Header,
}

#[derive(Debug, Clone, Default)]
struct Slot {
    tail: Vec<u8>,
    header: Header,
    generation: u32,
}

/// A header on loan, with its key when it is kept.
pub(super) type Kept<'a> = (Option<TailKey>, &'a Header);

impl Memo {
    pub(super) fn new() -> Self {
        Self { slots: vec![Slot::default(); SLOTS], unkept: Header::default() }
    }

    /// The header of `tail`, when it is here.
    #[inline]
    pub(super) fn find(&self, tail: &[u8]) -> Option<Kept<'_>> {
        let place = place(tail);
        let slot = self.slots.get(usize::from(place))?;
        let hit = slot.generation > 0 && slot.tail == tail;
        hit.then_some((Some(TailKey { slot: place, generation: slot.generation }), &slot.header))
    }

    /// Puts a header into its slot, unless the tail is too long to keep.
    pub(super) fn store(&mut self, tail: &[u8], header: Header) -> Kept<'_> {
        let place = place(tail);
        match self.slots.get_mut(usize::from(place)) {
            Some(slot) if tail.len() <= LONGEST => {
                slot.tail.clear();
                slot.tail.extend_from_slice(tail);
                slot.header = header;
                slot.generation = slot.generation.checked_add(1).unwrap_or(1);
                (Some(TailKey { slot: place, generation: slot.generation }), &slot.header)
            }
            _ => {
                self.unkept = header;
                (None, &self.unkept)
            }
        }
    }
}

/// The slot of a tail: a few words of it, stirred. Collisions cost time only.
#[inline]
fn place(tail: &[u8]) -> u16 {
    let mut stir = tail.len() as u64;
    let eighth = tail.len() / 8;
    for part in 0..8 {
        let word = tail.get(eighth * part..).and_then(|rest| rest.first_chunk::<8>());
        stir = mix(stir, word.map_or(0, |bytes| u64::from_le_bytes(*bytes)));
    }
    let end = tail.last_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    stir = mix(stir, end);
    // The high bits are the best stirred ones.
    u16::try_from(stir >> (64 - SLOTS.ilog2())).unwrap_or(0)
}

#[inline]
fn mix(stir: u64, word: u64) -> u64 {
    let mixed = (stir ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}
