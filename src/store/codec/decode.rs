//! Bytes to a packet's steps.

use crate::model::{Hop, LinkHeader, PacketKey, Step};
use crate::store::codec::bytes::Input;
use crate::store::codec::difference::Sources;
use crate::store::codec::flat::{Field, Flat};
use crate::store::codec::flow::{Flow, Way};
use crate::store::codec::lines::Lines;
use crate::store::codec::{Columns, Damaged, EXPECTED, OFFSETS, REVERSED, gaps, shape};

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

/// Whether a packet of this shape can only be read with the flow of its connection.
pub(crate) fn needs_flow(shape: &[u8]) -> Result<bool, Damaged> {
    let [_, flags] = shape::read_flags(&mut Input::new(shape))?;
    Ok(flags & EXPECTED != 0)
}

/// Undoes [`crate::store::codec::Encoder::encode`].
pub(crate) fn decode(stored: &Stored<'_>) -> Result<Vec<Step>, Damaged> {
    let mut shared = Input::new(stored.shape);
    let [line_flags, flags] = shape::read_flags(&mut shared)?;
    let own = Input::new(stored.detail);
    let expected = expected(stored.flow, flags)?;
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

/// The values that a packet with these flags lets expect.
fn expected(flow: Option<Flow>, flags: u8) -> Result<Option<[Flat; 2]>, Damaged> {
    if flags & EXPECTED == 0 {
        return Ok(None);
    }
    let flow = flow.ok_or(Damaged("the connection's first packet is missing"))?;
    let mut expected = <[Flat; 2]>::default();
    flow.expect(if flags & REVERSED == 0 { Way::Same } else { Way::Reversed }, &mut expected);
    Ok(Some(expected))
}

impl Columns {
    fn give(&self) -> Flat {
        let mut flat = Flat::default();
        flat.set_some(Field::Length, self.length);
        flat.set_some(Field::Id, self.ip_id);
        flat.set_some(Field::TcpFlags, self.tcp_flags);
        flat
    }
}
