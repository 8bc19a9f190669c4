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

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::{Devices, Header, Hop, LinkHeader, Packet};
use crate::store::codec::Damaged;
use crate::store::codec::bytes::{Input, put_varint};
use crate::store::codec::flat::{Field, Flat, Parts, Sources};
use crate::store::codec::header::{TRANSPORT_PORTS, flatten, unflatten};

/// The version of the packed form.
const VERSION: u8 = 1;

/// A packet's headers, taken apart.
pub(super) struct Shape<'a> {
    /// The shape and the packet's own values.
    pub parts: Parts,
    /// The distinct link-layer headers.
    pub frames: Vec<&'a LinkHeader>,
}

/// The headers that a step's header can be told from.
struct Bases {
    routed: Flat,
    bridged: Flat,
    /// Whether the header before is the bridged one.
    bridge: bool,
}

impl Bases {
    fn new(first: Flat, bridge: bool) -> Self {
        let mut bases = Self { routed: Flat::empty(), bridged: Flat::empty(), bridge };
        bases.advance(first, bridge);
        bases
    }

    fn advance(&mut self, next: Flat, bridge: bool) {
        *(if bridge { &mut self.bridged } else { &mut self.routed }) = next;
        self.bridge = bridge;
    }

    fn before(&self) -> &Flat {
        if self.bridge { &self.bridged } else { &self.routed }
    }

    fn base(&self, number: u8) -> Cow<'_, Flat> {
        match number {
            0 => Cow::Borrowed(self.before()),
            1 => Cow::Owned(as_ebtables_prints(&self.routed)),
            2 => Cow::Borrowed(&self.routed),
            _ => Cow::Borrowed(&self.bridged),
        }
    }
}

/// What ebtables prints of a packet whose header the IP tables printed.
fn as_ebtables_prints(routed: &Flat) -> Flat {
    let kept = [
        Field::Network,
        Field::Src4,
        Field::Dst4,
        Field::Src6High,
        Field::Src6Low,
        Field::Dst6High,
        Field::Dst6Low,
        Field::Tos,
        Field::Protocol,
        Field::Sport,
        Field::Dport,
    ];
    let mut flat = routed.clone();
    flat.clear(!kept.iter().fold(0, |mask, field| mask | field.bit()));
    if flat.has(Field::Sport) {
        flat.set(Field::Transport, TRANSPORT_PORTS);
    }
    flat
}

/// Takes a packet's headers apart; `None` for a packet without steps. The first values of `columns`
/// are handed to `column`; `flags` are stored as they are.
pub(super) fn take_apart(
    packet: &Packet,
    flags: [u8; 2],
    expected: Option<[Flat; 2]>,
    columns: u64,
    mut column: impl FnMut(&Flat),
) -> Option<Shape<'_>> {
    let (first_step, rest) = packet.steps.split_first()?;
    let mut frames = Vec::new();
    let [first_flags, second_flags] = flags;
    let shared = vec![VERSION, first_flags, second_flags];
    let mut parts = Parts { shared, own: Vec::new(), elsewhere: columns, expected };
    let first = flatten_step(&first_step.header, &first_step.hop.devices, &mut frames);
    first.put_difference(&Flat::empty(), &mut parts);
    column(&first);
    let mut bases = Bases::new(first, first_step.hop.site.is_bridge());
    let mut header_before = &first_step.header;
    let mut devices_before = &first_step.hop.devices;
    let mut skip = 0;
    for step in rest {
        let same = Arc::ptr_eq(header_before, &step.header) || *header_before == step.header;
        if same && *devices_before == step.hop.devices {
            skip += 1;
            continue;
        }
        let next = flatten_step(&step.header, &step.hop.devices, &mut frames);
        if next == *bases.before() {
            skip += 1;
        } else {
            let bridge = step.hop.site.is_bridge();
            put_change(&bases, &next, bridge, skip, &mut parts);
            column(&next);
            bases.advance(next, bridge);
            skip = 0;
        }
        header_before = &step.header;
        devices_before = &step.hop.devices;
    }
    Some(Shape { parts, frames })
}

fn flatten_step<'a>(
    header: &'a Header,
    devices: &Devices,
    frames: &mut Vec<&'a LinkHeader>,
) -> Flat {
    let link = (header.link != LinkHeader::Absent).then(|| {
        frames.iter().position(|known| **known == header.link).unwrap_or_else(|| {
            frames.push(&header.link);
            frames.len() - 1
        })
    });
    flatten(header, devices, link.map(|index| index as u64))
}

fn put_change(bases: &Bases, next: &Flat, bridge: bool, skip: u64, parts: &mut Parts) {
    let mut tried = Parts { expected: parts.expected.take(), ..Parts::default() };
    let mut best: Option<(u8, Parts)> = None;
    for number in if bridge { [3, 1, 0, 2] } else { [0, 2, 1, 3] } {
        tried.elsewhere = parts.elsewhere;
        let clears = next.put_difference(&bases.base(number), &mut tried);
        let shared = std::mem::take(&mut tried.shared);
        let own = std::mem::take(&mut tried.own);
        let cheap = own.is_empty();
        if best.as_ref().is_none_or(|(_, best)| own.len() < best.own.len()) {
            let found = Parts { shared, own, elsewhere: tried.elsewhere, expected: None };
            best = Some((number | u8::from(clears) << 2, found));
        }
        if cheap {
            break;
        }
    }
    parts.expected = tried.expected;
    let Some((control, mut difference)) = best else { return };
    let short_skip = skip.min(31);
    parts.shared.push(control | short_skip.to_le_bytes()[0] << 3);
    if short_skip == 31 {
        put_varint(&mut parts.shared, skip - 31);
    }
    parts.shared.append(&mut difference.shared);
    parts.own.append(&mut difference.own);
    parts.elsewhere = difference.elsewhere;
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
    let first = Flat::empty().changed(from, false)?;
    let mut headers = vec![Arc::new(unflatten(&first, &first_hop.devices, frames)?)];
    let mut bases = Bases::new(first, first_hop.site.is_bridge());
    let mut change = next_change(from)?;
    let mut devices_before = &first_hop.devices;
    for hop in rest {
        let mut same = hop.devices == *devices_before;
        match &mut change {
            Some(Change { skip: 0, control }) => {
                let next = bases.base(*control & 3).changed(from, *control & 4 != 0)?;
                bases.advance(next, hop.site.is_bridge());
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
