//! A small cache of recent tails: what stands from `IN=` to a line's end.
//!
//! Consecutive hooks of one packet differ in the prefix only, so three lines
//! of four find their header here. A hit is exact: the bytes are compared.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use crate::model::{Header, TailKey};

/// Places a tail can have.
const PLACES: usize = 1024;

/// Slots at first: most hosts of a log server send few lines, and there may be thousands of hosts.
const FIRST_SLOTS: usize = 4;

/// The kernel's lines end at 1,019 bytes; a longer tail will not come again.
const LONGEST: usize = 1200;

/// The cache, direct-mapped: each tail has one slot it can be in.
#[derive(Debug)]
pub(super) struct Memo {
    /// A power of two of them, at most [`PLACES`]; neighbouring places share a slot while there are fewer.
    slots: Vec<Slot>,
    /// Counts the tails kept, so that each has a number of its own.
    generation: u32,
    /// The last header whose tail was too long to keep.
    unkept: Header,
}

#[derive(Debug, Clone, Default)]
struct Slot {
    place: u16,
    tail: Vec<u8>,
    header: Header,
    generation: u32,
}

/// A header on loan, with its key when it is kept.
pub(super) type Kept<'a> = (Option<TailKey>, &'a Header);

impl Memo {
    pub(super) fn new() -> Self {
        // Filled by the first line that is kept: most hosts of a log server send none.
        Self { slots: Vec::new(), generation: 0, unkept: Header::default() }
    }

    /// The header of `tail`, when it is here.
    #[inline]
    pub(super) fn find(&self, tail: &[u8]) -> Option<Kept<'_>> {
        let place = place(tail);
        let slot = self.slots.get(self.index(place))?;
        let hit = slot.generation > 0 && slot.tail == tail;
        hit.then_some((Some(TailKey { slot: place, generation: slot.generation }), &slot.header))
    }

    /// Puts a header into its slot, unless the tail is too long to keep.
    pub(super) fn store(&mut self, tail: &[u8], header: Header) -> Kept<'_> {
        if tail.len() > LONGEST {
            self.unkept = header;
            return (None, &self.unkept);
        }
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.grow();
        let (place, generation) = (place(tail), self.generation);
        let index = self.index(place);
        let Some(slot) = self.slots.get_mut(index) else {
            self.unkept = header;
            return (None, &self.unkept);
        };
        slot.tail.clear();
        slot.tail.extend_from_slice(tail);
        slot.header = header;
        (slot.place, slot.generation) = (place, generation);
        (Some(TailKey { slot: place, generation }), &slot.header)
    }

    /// Makes room as tails come, and moves those that are here.
    fn grow(&mut self) {
        let kept = usize::try_from(self.generation).unwrap_or(PLACES);
        let wanted = (kept.saturating_mul(2)).clamp(FIRST_SLOTS, PLACES).next_power_of_two();
        if wanted <= self.slots.len() {
            return;
        }
        let mut fewer = vec![Slot::default(); wanted];
        std::mem::swap(&mut fewer, &mut self.slots);
        for slot in fewer.into_iter().filter(|slot| slot.generation > 0) {
            let index = self.index(slot.place);
            if let Some(free) = self.slots.get_mut(index) {
                *free = slot;
            }
        }
    }

    /// The slot of a place.
    #[inline]
    fn index(&self, place: u16) -> usize {
        usize::from(place) * self.slots.len() / PLACES
    }
}

/// The place of a tail. Collisions cost time only, so the seed may be known.
#[inline]
fn place(tail: &[u8]) -> u16 {
    let hash = FixedState::default().hash_one(tail);
    u16::try_from(hash >> (64 - PLACES.ilog2())).unwrap_or(0)
}
