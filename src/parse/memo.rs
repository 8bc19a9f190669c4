//! A small cache of recent tails: what stands from `IN=` to a line's end.
//!
//! Consecutive hooks of one packet differ in the prefix only, so three lines
//! of four find their header here. A hit is exact: the bytes are compared.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

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
        // Filled by the first line that is kept: most hosts of a log server send none.
        Self { slots: Vec::new(), unkept: Header::default() }
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
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, Slot::default);
        }
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

/// The slot of a tail. Collisions cost time only, so the seed may be known.
#[inline]
fn place(tail: &[u8]) -> u16 {
    let hash = FixedState::default().hash_one(tail);
    u16::try_from(hash >> (64 - SLOTS.ilog2())).unwrap_or(0)
}
