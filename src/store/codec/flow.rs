//! What the first packet of a connection lets expect of all others: addresses, ports, TTL.
//!
//! Most packets of a connection show what the first one showed, before or after translation; those of
//! the other direction show it the other way round. Only what is not expected is stored.

use std::net::IpAddr;

use crate::model::{Direction, Header, Packet, Step};
use crate::store::codec::flat::{Field, Flat};
use crate::store::codec::header::set_address;

/// What the first packet of a connection showed at its first and at its last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    first: Ends,
    last: Ends,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    src: (IpAddr, Option<u16>),
    dst: (IpAddr, Option<u16>),
    ttl: Option<u8>,
}

/// Which way round a packet shows its connection's flow; part of the stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Same,
    Reversed,
}

impl Way {
    pub(super) fn of(packet: &Packet) -> Self {
        if packet.direction == Some(Direction::Reply) { Self::Reversed } else { Self::Same }
    }
}

impl Flow {
    /// The flow of a connection whose first packet has these steps.
    pub(crate) fn of(steps: &[Step]) -> Option<Self> {
        let ends = |step: &Step| ends(&step.header);
        let first = steps.iter().find_map(ends)?;
        let last = steps.iter().rev().find_map(ends)?;
        // Bridge lines print no TTL: take the last one that was printed.
        let ttl = steps.iter().rev().find_map(|step| step.header.ip()?.ttl);
        Some(Self { first, last: Ends { ttl, ..last } })
    }

    /// Fills in the values to expect, the likelier first.
    pub(super) fn expect(&self, way: Way, [likelier, other]: &mut [Flat; 2]) {
        let Self { first, last } = self;
        match way {
            Way::Same => {
                fill(likelier, first.src, first.dst, first.ttl);
                fill(other, last.src, last.dst, last.ttl);
            }
            Way::Reversed => {
                fill(likelier, last.dst, first.src, None);
                fill(other, first.dst, last.src, None);
            }
        }
    }
}

fn ends(header: &Header) -> Option<Ends> {
    let ip = header.ip()?;
    let ports = ip.ports();
    Some(Ends {
        src: (ip.src, ports.map(|(sport, _)| sport)),
        dst: (ip.dst, ports.map(|(_, dport)| dport)),
        ttl: ip.ttl,
    })
}

fn fill(flat: &mut Flat, src: (IpAddr, Option<u16>), dst: (IpAddr, Option<u16>), ttl: Option<u8>) {
    flat.reset();
    set_address(flat, src.0, Field::Src4, Field::Src6High, Field::Src6Low);
    set_address(flat, dst.0, Field::Dst4, Field::Dst6High, Field::Dst6Low);
    flat.set_some(Field::Sport, src.1);
    flat.set_some(Field::Dport, dst.1);
    flat.set_some(Field::Ttl, ttl);
}
