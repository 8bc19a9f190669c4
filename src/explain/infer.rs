//! The steps that no line shows: routing, bridging, conntrack, the wait for a neighbour, the ends of the way.

use crate::explain::{Inferred, Lore, ToldStep};
use crate::model::{Connection, Packet};

/// The steps between a packet's lines, in their order. `connection` is the packet's own; `has_waited` says that a link
/// of kind `arp_wait` belongs to it; `packet.verdict` is taken for the told one.
pub fn infer(
    packet: &Packet,
    connection: Option<&Connection>,
    has_waited: bool,
    told: &[ToldStep<'_>],
    lore: Lore<'_>,
) -> Vec<Inferred> {
    let _ = (packet, connection, has_waited, told, lore);
    Vec::new()
}
