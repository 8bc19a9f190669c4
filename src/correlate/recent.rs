//! The packets touched last: where a line without a known name looks for its packet.

use std::collections::VecDeque;

use super::flow::FlowKey;
use super::packet::PacketRef;
use crate::model::Direction;

use super::connection::ConnectionRef;

/// How many packets are remembered: on a few CPUs a packet's next line is never far away.
const DEPTH: usize = 128;

/// A short memory of open packets, latest last.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<PacketRef>);

impl Recent {
    pub(super) fn touch(&mut self, packet: PacketRef) {
        if self.0.back() == Some(&packet) {
            return;
        }
        if self.0.len() == DEPTH {
            self.0.pop_front();
        }
        self.0.push_back(packet);
    }

    /// Latest first; a packet may come up more than once.
    pub(super) fn latest_first(&self) -> impl Iterator<Item = PacketRef> {
        self.0.iter().rev().copied()
    }
}

/// The latest first fragments, by which later ones (without ports) find their connection.
#[derive(Debug, Default)]
pub(super) struct FirstFragments(VecDeque<(FragmentKey, ConnectionRef, Direction)>);

/// What all fragments of one datagram share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FragmentKey {
    /// Addresses and protocol; ports zero.
    pub(super) flow: FlowKey,
    /// IPv4 identification or IPv6 fragment identification.
    pub(super) id: u32,
}

impl FirstFragments {
    pub(super) fn remember(
        &mut self,
        key: FragmentKey,
        connection: ConnectionRef,
        direction: Direction,
    ) {
        if self.0.len() == DEPTH {
            self.0.pop_front();
        }
        self.0.push_back((key, connection, direction));
    }

    pub(super) fn find(&self, key: FragmentKey) -> Option<(ConnectionRef, Direction)> {
        let found = self.0.iter().rev().find(|(known, _, _)| *known == key)?;
        Some((found.1, found.2))
    }
}
