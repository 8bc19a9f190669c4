//! The headers of all steps: the first one in full, then what changes.
//!
//! ```text
//! shape   = version, flags, difference(nothing → first header), change*
//! flags   = see `mod.rs`
//! change  = control, [skip], difference
//! control = bits 0–1 base, bit 2 the difference has a clear mask, bits 3–7 steps before it that change nothing
//!           (31: a varint with the rest follows)
//! ```
//!
//! Bases: the header before; what ebtables would print of the last header from the IP tables; that
//! header itself; the last header from ebtables. The first that needs no value of the packet's own is
//! taken, else the one that needs least.

use std::sync::Arc;

use crate::model::{Devices, Header, Hop, LinkHeader, Step};
use crate::store::codec::Damaged;
use crate::store::codec::bytes::{Input, put_varint};
use crate::store::codec::difference::{Parts, Sources};
use crate::store::codec::flat::{Field, Flat};
use crate::store::codec::header::{TRANSPORT_PORTS, flatten, unflatten};

/// The version of the packed form.
pub(super) const VERSION: u8 = 1;

/// The headers that a step's header can be told from.
#[derive(Default)]
pub(super) struct Bases {
    /// Boxed, so that a header can be swapped in.
    routed: Box<Flat>,
    bridged: Box<Flat>,
    printed: Flat,
    /// Whether the header before is the bridged one.
    bridge: bool,
}

impl Bases {
    fn reset(&mut self) {
        self.routed.reset();
        self.bridged.reset();
    }

    /// Takes the next header in; what `next` holds afterwards is of no account.
    fn advance(&mut self, next: &mut Box<Flat>, bridge: bool) {
        std::mem::swap(if bridge { &mut self.bridged } else { &mut self.routed }, next);
        self.bridge = bridge;
    }

    fn before(&self) -> &Flat {
        if self.bridge { &self.bridged } else { &self.routed }
    }

    fn base(&mut self, number: u8) -> &Flat {
        match number {
            0 => self.before(),
            1 => {
                self.print();
                &self.printed
            }
            2 => &self.routed,
            _ => &self.bridged,
        }
    }

    /// What ebtables prints of a packet whose header the IP tables printed.
    fn print(&mut self) {
        const KEPT: u64 = Field::Network.bit()
            | Field::Src4.bit()
            | Field::Dst4.bit()
            | Field::Src6High.bit()
            | Field::Src6Low.bit()
            | Field::Dst6High.bit()
            | Field::Dst6Low.bit()
            | Field::Tos.bit()
            | Field::Protocol.bit()
            | Field::Sport.bit()
            | Field::Dport.bit();
        self.printed.clone_from(&self.routed);
        self.printed.clear(!KEPT);
        if self.printed.has(Field::Sport) {
            self.printed.set(Field::Transport, TRANSPORT_PORTS);
        }
    }
}

/// What taking headers apart needs; kept from packet to packet to spare allocations.
#[derive(Default)]
pub(super) struct Workbench {
    /// The shape and the packet's own values.
    pub parts: Parts,
    bases: Bases,
    next: Box<Flat>,
    nothing: Flat,
}

impl Workbench {
    /// Takes the headers of `steps` apart into `parts`, which hold the shape's head already. Every header
    /// that changes is shown to `column`. Gives the distinct link-layer headers.
    pub(super) fn take_apart<'a>(
        &mut self,
        steps: &'a [Step],
        mut column: impl FnMut(&Flat),
    ) -> Vec<&'a LinkHeader> {
        let mut frames = Vec::new();
        let mut before: Option<&Step> = None;
        let mut skip = 0;
        self.bases.reset();
        for step in steps {
            if before.is_some_and(|before| is_same(before, step)) {
                skip += 1;
                continue;
            }
            flatten_step(&step.header, &step.hop.devices, &mut frames, &mut self.next);
            if before.is_some() && *self.next == *self.bases.before() {
                skip += 1;
            } else {
                let bridge = step.hop.site.is_bridge();
                if before.is_some() {
                    self.put_change(bridge, skip);
                } else {
                    self.parts.put(&self.nothing, &self.next, self.next.present());
                }
                column(&self.next);
                self.bases.advance(&mut self.next, bridge);
                skip = 0;
            }
            before = Some(step);
        }
        frames
    }

    fn put_change(&mut self, bridge: bool, skip: u64) {
        let (mut best, mut least) = ((0, 0), usize::MAX);
        for number in if bridge { [3, 1, 0, 2] } else { [0, 2, 1, 3] } {
            let set = self.next.set_in(self.bases.base(number));
            let cost = self.parts.cost(&self.next, set);
            if cost < least {
                (best, least) = ((number, set), cost);
            }
            if cost == 0 {
                break;
            }
        }
        let (number, set) = best;
        let control = self.parts.shared.len();
        let short_skip = skip.min(31);
        self.parts.shared.push(0);
        if short_skip == 31 {
            put_varint(&mut self.parts.shared, skip - 31);
        }
        let clears = self.parts.put(self.bases.base(number), &self.next, set);
        if let Some(control) = self.parts.shared.get_mut(control) {
            *control = number | u8::from(clears) << 2 | short_skip.to_le_bytes()[0] << 3;
        }
    }
}

/// Whether two steps have the same header and devices, told without looking at many fields.
fn is_same(before: &Step, step: &Step) -> bool {
    (Arc::ptr_eq(&before.header, &step.header) || before.header == step.header)
        && before.hop.devices == step.hop.devices
}

fn flatten_step<'a>(
    header: &'a Header,
    devices: &Devices,
    frames: &mut Vec<&'a LinkHeader>,
    flat: &mut Flat,
) {
    let link = (header.link != LinkHeader::Absent).then(|| {
        frames.iter().position(|known| **known == header.link).unwrap_or_else(|| {
            frames.push(&header.link);
            frames.len() - 1
        })
    });
    flatten(header, devices, link.map(|index| index as u64), flat);
}

/// Reads the flags of a shape.
pub(super) fn read_flags(shared: &mut Input<'_>) -> Result<[u8; 2], Damaged> {
    if shared.byte()? != VERSION {
        return Err(Damaged("a shape of a later version"));
    }
    shared.array()
}

/// Puts the headers together again, one for each of `hops`; equal ones are shared.
pub(super) fn put_together(
    from: &mut Sources<'_>,
    hops: &[Hop],
    frames: &[LinkHeader],
) -> Result<Vec<Arc<Header>>, Damaged> {
    let (first_hop, rest) = hops.split_first().ok_or(Damaged("a path without hops"))?;
    let mut first = Box::new(from.change(&Flat::default(), false)?);
    let mut headers = vec![Arc::new(unflatten(&first, &first_hop.devices, frames)?)];
    let mut bases = Bases::default();
    bases.advance(&mut first, first_hop.site.is_bridge());
    let mut change = next_change(from)?;
    let mut devices_before = &first_hop.devices;
    for hop in rest {
        let mut same = hop.devices == *devices_before;
        match &mut change {
            Some(Change { skip: 0, control }) => {
                let next = from.change(bases.base(*control & 3), *control & 4 != 0)?;
                let mut next = Box::new(next);
                bases.advance(&mut next, hop.site.is_bridge());
                same = false;
                change = next_change(from)?;
            }
            Some(Change { skip, .. }) => *skip -= 1,
            None => {}
        }
        let header = match headers.last() {
            Some(before) if same => Arc::clone(before),
            _ => Arc::new(unflatten(bases.before(), &hop.devices, frames)?),
        };
        headers.push(header);
        devices_before = &hop.devices;
    }
    if change.is_some() {
        return Err(Damaged("a shape with more steps than its path"));
    }
    Ok(headers)
}

struct Change {
    skip: u64,
    control: u8,
}

fn next_change(from: &mut Sources<'_>) -> Result<Option<Change>, Damaged> {
    if from.shared.is_empty() {
        return Ok(None);
    }
    let control = from.shared.byte()?;
    let skip = match u64::from(control >> 3) {
        31 => from.shared.varint()?.saturating_add(31),
        skip => skip,
    };
    Ok(Some(Change { skip, control: control & 7 }))
}
