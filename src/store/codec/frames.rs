//! The link-layer headers of a packet: a list of distinct ones, because packets repeat them endlessly.

use crate::model::{LinkHeader, Mac, Vlan};
use crate::store::codec::Damaged;
use crate::store::codec::bytes::{Input, put_bytes, put_fixed};

const ETHERNET: u8 = 1;
const OCTETS: u8 = 2;
const DECODED: u8 = 3;
const FRAME: u8 = 4;

/// Packs a list of frames.
pub(super) fn put_frames(frames: &[&LinkHeader], out: &mut Vec<u8>) {
    for frame in frames {
        put_frame(frame, out);
    }
}

fn put_frame(frame: &LinkHeader, out: &mut Vec<u8>) {
    let mut addresses = |kind, src: &Mac, dst: &Mac| {
        out.push(kind);
        out.extend_from_slice(&src.0);
        out.extend_from_slice(&dst.0);
    };
    match frame {
        LinkHeader::Absent => {}
        LinkHeader::Ethernet { dst, src, ethertype } => {
            addresses(ETHERNET, src, dst);
            put_fixed(out, u64::from(*ethertype), 2);
        }
        LinkHeader::Octets(bytes) => {
            out.push(OCTETS);
            put_bytes(out, bytes);
        }
        LinkHeader::Decoded { src, dst, vlan, ethertype } => {
            addresses(DECODED, src, dst);
            out.push(u8::from(vlan.is_some()) | u8::from(ethertype.is_some()) << 1);
            if let Some(vlan) = vlan {
                put_fixed(out, u64::from(vlan.protocol), 2);
                put_fixed(out, u64::from(vlan.tci), 2);
            }
            if let Some(ethertype) = ethertype {
                put_fixed(out, u64::from(*ethertype), 2);
            }
        }
        LinkHeader::Frame { src, dst, ethertype } => {
            addresses(FRAME, src, dst);
            put_fixed(out, u64::from(*ethertype), 2);
        }
    }
}

/// Unpacks a list of frames.
pub(crate) fn read_frames(bytes: &[u8]) -> Result<Vec<LinkHeader>, Damaged> {
    let mut input = Input::new(bytes);
    let mut frames = Vec::new();
    while !input.is_empty() {
        frames.push(read_frame(&mut input)?);
    }
    Ok(frames)
}

fn read_frame(input: &mut Input<'_>) -> Result<LinkHeader, Damaged> {
    let kind = input.byte()?;
    if kind == OCTETS {
        return Ok(LinkHeader::Octets(input.bytes()?.into()));
    }
    let (src, dst) = (Mac(input.array()?), Mac(input.array()?));
    let number = |input: &mut Input<'_>| input.array().map(u16::from_be_bytes);
    Ok(match kind {
        ETHERNET => LinkHeader::Ethernet { dst, src, ethertype: number(input)? },
        FRAME => LinkHeader::Frame { src, dst, ethertype: number(input)? },
        DECODED => {
            let flags = input.byte()?;
            let vlan = if flags & 1 == 0 {
                None
            } else {
                Some(Vlan { protocol: number(input)?, tci: number(input)? })
            };
            let ethertype = if flags & 2 == 0 { None } else { Some(number(input)?) };
            LinkHeader::Decoded { src, dst, vlan, ethertype }
        }
        _ => return Err(Damaged("unknown frame")),
    })
}
