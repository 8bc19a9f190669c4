//! The headers of all steps: the first one in full, then what changes.
//!
//! ```text
//! shape   = version, start, difference(template → first header without its volatile fields), change*
//! start   = bit 0 the difference has a clear mask, the rest is the template's number
//! change  = control, [skip], difference
//! control = bits 0–1 base, bit 2 the difference has a clear mask, bits 3–7 steps before it that change nothing
//!           (31: a varint with the rest follows)
//! ```
//!
//! Bases: the header before; what ebtables would print of the last header from the IP tables; that
//! header itself; the last header from ebtables. The cheapest is taken.
//!
//! Volatile fields differ from packet to packet of one connection (ID, SEQ, window …). They are kept
//! out, so that hundreds of packets share one shape.

use std::sync::Arc;

use crate::model::{Devices, Header, LinkHeader, Packet};
use crate::store::codec::Damaged;
use crate::store::codec::bytes::{Input, put_varint};
use crate::store::codec::flat::{Field, Flat};
use crate::store::codec::header::{
    NETWORK_IP, TRANSPORT_ICMP, TRANSPORT_PORTS, TRANSPORT_TCP, TRANSPORT_UDP, flatten, unflatten,
};

/// The version of the packed form.
const VERSION: u8 = 1;

/// The fields that belong to the packet and not to its shape.
pub(super) const VOLATILE: u64 = 1 << Field::Length as u64
    | 1 << Field::Id as u64
    | 1 << Field::Seq as u64
    | 1 << Field::Ack as u64
    | 1 << Field::Window as u64
    | 1 << Field::TcpFlags as u64
    | 1 << Field::TcpOptions as u64
    | 1 << Field::UdpLength as u64
    | 1 << Field::EchoSeq as u64;

/// A packet's headers, taken apart.
pub(super) struct Shape<'a> {
    /// The packed shape.
    pub bytes: Vec<u8>,
    /// The first header, volatile fields included.
    pub first: Flat,
    /// The distinct link-layer headers.
    pub frames: Vec<&'a LinkHeader>,
}

/// The headers that a step's header can be told from.
struct Bases {
    before: Flat,
    routed: Flat,
    bridged: Flat,
}

impl Bases {
    fn new(first: Flat, bridge: bool) -> Self {
        let empty = Flat::empty();
        let (routed, bridged) =
            if bridge { (empty, first.clone()) } else { (first.clone(), empty) };
        Self { before: first, routed, bridged }
    }

    fn advance(&mut self, next: Flat, bridge: bool) {
        *(if bridge { &mut self.bridged } else { &mut self.routed }) = next.clone();
        self.before = next;
    }

    fn base(&self, number: u8) -> Flat {
        match number {
            0 => self.before.clone(),
            1 => as_ebtables_prints(&self.routed),
            2 => self.routed.clone(),
            _ => self.bridged.clone(),
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

/// Likely first headers; a first header is told as the difference from one of them.
fn template(number: u8) -> Option<Flat> {
    let mut flat = Flat::empty();
    if number == 0 {
        return Some(flat);
    }
    let (transport, protocol, own): (u64, u64, &[Field]) = match (number - 1) % 3 {
        0 => (
            TRANSPORT_TCP,
            6,
            &[Field::Sport, Field::Dport, Field::Seq, Field::Ack, Field::Window, Field::TcpFlags],
        ),
        1 => (TRANSPORT_UDP, 17, &[Field::Sport, Field::Dport, Field::UdpLength]),
        _ => {
            (TRANSPORT_ICMP, 1, &[Field::IcmpType, Field::IcmpCode, Field::EchoId, Field::EchoSeq])
        }
    };
    let family: &[Field] = match number {
        1..=3 => &[Field::Src4, Field::Dst4, Field::Id],
        4..=6 => {
            &[Field::Src6High, Field::Src6Low, Field::Dst6High, Field::Dst6Low, Field::FlowLabel]
        }
        _ => return None,
    };
    let common = [Field::Link, Field::Ttl, Field::Tos, Field::Length];
    for field in common.iter().chain(family).chain(own) {
        flat.set(*field, 0);
    }
    flat.set(Field::Network, NETWORK_IP);
    flat.set(Field::Protocol, if protocol == 1 && number > 3 { 58 } else { protocol });
    flat.set(Field::Transport, transport);
    if number == 1 {
        flat.set(Field::Flags, 2);
        flat.set_string(Field::TcpOptions, Vec::new());
    }
    Some(flat)
}

fn template_for(first: &Flat) -> u8 {
    let family = if first.has(Field::Src6High) { 3 } else { 0 };
    match first.number(Field::Transport) {
        Some(TRANSPORT_TCP) => family + 1,
        Some(TRANSPORT_UDP) => family + 2,
        Some(TRANSPORT_ICMP) => family + 3,
        _ => 0,
    }
}

/// Takes a packet's headers apart; `None` for a packet without steps.
pub(super) fn take_apart(packet: &Packet) -> Option<Shape<'_>> {
    let (first_step, rest) = packet.steps.split_first()?;
    let mut frames = Vec::new();
    let first = flatten_step(&first_step.header, &first_step.hop.devices, &mut frames);
    let mut bytes = vec![VERSION];
    put_first(&first, &mut bytes);
    let mut bases = Bases::new(first.clone(), first_step.hop.site.is_bridge());
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
        if next == bases.before {
            skip += 1;
        } else {
            put_change(&bases, &next, skip, &mut bytes);
            bases.advance(next, step.hop.site.is_bridge());
            skip = 0;
        }
        header_before = &step.header;
        devices_before = &step.hop.devices;
    }
    Some(Shape { bytes, first, frames })
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

fn put_first(first: &Flat, out: &mut Vec<u8>) {
    let number = template_for(first);
    let base = template(number).unwrap_or_else(Flat::empty);
    let mut difference = Vec::new();
    let clears = first.blank(VOLATILE).put_difference(&base, &mut difference);
    out.push(number << 1 | u8::from(clears));
    out.append(&mut difference);
}

fn put_change(bases: &Bases, next: &Flat, skip: u64, out: &mut Vec<u8>) {
    let mut best: Option<(u8, Vec<u8>)> = None;
    for number in 0..4 {
        let mut difference = Vec::new();
        let clears = next.put_difference(&bases.base(number), &mut difference);
        if best.as_ref().is_none_or(|(_, bytes)| difference.len() < bytes.len()) {
            best = Some((number | u8::from(clears) << 2, difference));
        }
    }
    let Some((control, difference)) = best else { return };
    let short_skip = skip.min(31);
    out.push(control | short_skip.to_le_bytes()[0] << 3);
    if short_skip == 31 {
        put_varint(out, skip - 31);
    }
    out.extend_from_slice(&difference);
}

/// Puts the headers together again, one for each of `hops`; equal ones are shared.
pub(super) fn put_together(
    bytes: &[u8],
    hops: &[crate::model::Hop],
    frames: &[LinkHeader],
    fill: impl FnOnce(&mut Flat) -> Result<(), Damaged>,
) -> Result<Vec<Arc<Header>>, Damaged> {
    let (first_hop, rest) = hops.split_first().ok_or(Damaged("a path without hops"))?;
    let mut input = Input::new(bytes);
    let mut first = read_first(&mut input)?;
    fill(&mut first)?;
    let mut headers = vec![Arc::new(unflatten(&first, &first_hop.devices, frames)?)];
    let mut bases = Bases::new(first, first_hop.site.is_bridge());
    let mut change = next_change(&mut input)?;
    let mut devices_before = &first_hop.devices;
    for hop in rest {
        let mut same = hop.devices == *devices_before;
        match &mut change {
            Some(Change { skip: 0, control }) => {
                let next = bases.base(*control & 3).changed(&mut input, *control & 4 != 0)?;
                bases.advance(next, hop.site.is_bridge());
                same = false;
                change = next_change(&mut input)?;
            }
            Some(Change { skip, .. }) => *skip -= 1,
            None => {}
        }
        let header = match headers.last() {
            Some(before) if same => Arc::clone(before),
            _ => Arc::new(unflatten(&bases.before, &hop.devices, frames)?),
        };
        headers.push(header);
        devices_before = &hop.devices;
    }
    if change.is_some() {
        return Err(Damaged("a shape with more steps than its path"));
    }
    Ok(headers)
}

fn read_first(input: &mut Input<'_>) -> Result<Flat, Damaged> {
    if input.byte()? != VERSION {
        return Err(Damaged("a shape of a later version"));
    }
    let number = input.byte()?;
    let base = template(number >> 1).ok_or(Damaged("an unknown template"))?;
    base.changed(input, number & 1 != 0)
}

struct Change {
    skip: u64,
    control: u8,
}

fn next_change(input: &mut Input<'_>) -> Result<Option<Change>, Damaged> {
    if input.is_empty() {
        return Ok(None);
    }
    let control = input.byte()?;
    let skip = match u64::from(control >> 3) {
        31 => input.varint()?.saturating_add(31),
        skip => skip,
    };
    Ok(Some(Change { skip, control: control & 7 }))
}
