//! Which connection a packet belongs to, and how its tuples name it.
//!
//! Every tuple a packet shows, before and after NAT, is a name of its
//! connection, and so is its reverse. A packet whose first tuple nobody knows
//! opens a connection; when its next tuple is a known name (a masqueraded
//! reply after its address is restored), the two are one.

use std::sync::Arc;

use super::connection::{ConnectionRef, OpenConnection, opposite, side};
use super::flow::{FlowKey, FlowSight};
use super::host::{HostMachine, anomaly};
use super::packet::{Fit, PacketRef, Sight};
use super::place::Stop;
use crate::model::{
    AnomalyKind, Direction, Header, Hop, Layer, Outcome, PacketKey, Position, Site, SiteKind,
    Table, TcpFlags,
};

impl HostMachine {
    /// The open connection that knows this tuple, unless conntrack would have forgotten it.
    pub(super) fn lookup(&self, flow: FlowKey) -> Option<(ConnectionRef, Direction)> {
        let (connection, direction) = *self.names.get(&flow)?;
        let open = self.connections.get(connection)?;
        (!open.is_timed_out(self.clock.now_us())).then_some((connection, direction))
    }

    fn register(&mut self, flow: FlowKey, connection: ConnectionRef, direction: Direction) {
        self.names.insert(flow, (connection, direction));
        self.names.insert(flow.reversed(), (connection, opposite(direction)));
        let names = &mut self.connections[connection].names;
        for name in [flow, flow.reversed()] {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }

    /// Finds or opens the connection of a packet's first line.
    pub(super) fn place_in_connection(
        &mut self,
        packet: PacketRef,
        sight: &Sight<'_>,
        fit: Fit,
        out: &mut Vec<Outcome>,
    ) {
        let flow = match FlowSight::of(sight.entry.header) {
            FlowSight::Whole(flow) | FlowSight::AddressesOnly(flow) => flow,
            FlowSight::Error(inner) => return self.relate_error(packet, sight, inner, out),
            FlowSight::None => return self.place_fragment(packet, sight),
        };
        self.packets[packet].flow = Some(flow);
        let known = self
            .lookup(flow)
            .filter(|(connection, _)| !self.starts_anew(*connection, sight.entry.header));
        let (connection, direction) = match known {
            Some(known) => known,
            None => self.open_connection(packet, flow, sight, fit, out),
        };
        self.join(packet, connection, direction);
        if !sight.place.bridge {
            self.note_transport(packet, sight);
        }
        self.remember_first_fragment(packet, sight);
    }

    /// Whether a SYN starts a new connection under a known name.
    fn starts_anew(&self, connection: ConnectionRef, header: &Header) -> bool {
        let Some(tcp) = header.ip().and_then(|ip| ip.tcp()) else { return false };
        let is_syn = tcp.flags.has(TcpFlags::SYN) && !tcp.flags.has(TcpFlags::ACK);
        let open = &self.connections[connection];
        is_syn && !open.is_one_open_packet() && open.tcp.reopens(tcp.seq_ack.map(|(seq, _)| seq))
    }

    fn open_connection(
        &mut self,
        packet: PacketRef,
        flow: FlowKey,
        sight: &Sight<'_>,
        fit: Fit,
        out: &mut Vec<Outcome>,
    ) -> (ConnectionRef, Direction) {
        if self.connections.len() >= self.limits.connections {
            self.evict_connection(out);
        }
        let direction =
            if is_answer(sight.entry.header) { Direction::Reply } else { Direction::Original };
        let original = if direction == Direction::Reply { flow.reversed() } else { flow };
        let key = self.packets[packet].key;
        let mut open =
            OpenConnection::new(key, original, self.boot, sight.entry.stamp, sight.now_us);
        open.began_before_log = began_before_log(sight.entry.header, direction);
        open.is_local_out =
            matches!(fit.stop, Some(Stop::Output | Stop::BridgeOutput | Stop::BridgePostrouting));
        let class = open.idle().class;
        let connection = self.connections.insert(open);
        self.connection_deadlines.insert(class, sight.now_us, connection);
        self.note_possible_proxy(connection);
        self.register(flow, connection, direction);
        if flow.protocol.is_icmp() {
            self.register(flow.addresses_only(), connection, direction);
        }
        (connection, direction)
    }

    pub(super) fn join(
        &mut self,
        packet: PacketRef,
        connection: ConnectionRef,
        direction: Direction,
    ) {
        self.connections[connection].count_packet(direction, packet);
        let open = &mut self.packets[packet];
        open.connection = Some(connection);
        open.direction = Some(direction);
    }

    /// A packet's line shows another tuple than the line before: NAT, or a name learnt at last.
    pub(super) fn note_flow(&mut self, packet: PacketRef, sight: &Sight<'_>, fit: Fit) {
        let Some(after) = FlowSight::of(sight.entry.header).key() else { return };
        let Some(before) = self.packets[packet].flow.replace(after) else { return };
        let (Some(connection), Some(direction)) =
            (self.packets[packet].connection, self.packets[packet].direction)
        else {
            return;
        };
        if before == after || direction == Direction::Related {
            return self.rebind_first_header(packet, sight, fit);
        }
        let is_rename = before == after.addresses_only() || after == before.addresses_only();
        let (connection, direction) = match self.lookup(after) {
            Some((other, turned))
                if other != connection && self.connections[connection].is_one_open_packet() =>
            {
                self.merge(packet, connection, other, turned, before);
                (other, turned)
            }
            Some(_) => (connection, direction),
            None => {
                self.register(after, connection, direction);
                (connection, direction)
            }
        };
        if is_rename {
            let open = &mut self.connections[connection];
            if open.original == before || open.original == before.reversed() {
                open.original =
                    if direction == Direction::Reply { after.reversed() } else { after };
                open.forward = open.original;
            }
        } else {
            let rule = self.last_nat_rule(packet);
            self.connections[connection].note_rewrite(direction, before, after, rule);
        }
    }

    /// A frame's first IP line may tell that its connection is a new one, or that it runs the other way.
    fn rebind_first_header(&mut self, packet: PacketRef, sight: &Sight<'_>, _fit: Fit) {
        if !self.packets[packet].is_bridge_only() || sight.place.bridge {
            return;
        }
        let (Some(connection), Some(Direction::Original)) =
            (self.packets[packet].connection, self.packets[packet].direction)
        else {
            return;
        };
        let header = sight.entry.header;
        let open = &mut self.connections[connection];
        if open.is_one_open_packet() && is_answer(header) {
            (open.original, open.forward) = (open.original.reversed(), open.forward.reversed());
            open.packets.swap(0, 1);
            open.open.swap(0, 1);
            open.began_before_log = true;
            for name in open.names.clone() {
                if let Some((_, direction)) = self.names.get_mut(&name) {
                    *direction = opposite(*direction);
                }
            }
            self.packets[packet].direction = Some(Direction::Reply);
        } else if open.is_one_open_packet() {
            open.began_before_log = began_before_log(header, Direction::Original);
        }
    }

    /// Folds a connection that consists of this one packet into the one that its new tuple names.
    fn merge(
        &mut self,
        packet: PacketRef,
        from: ConnectionRef,
        into: ConnectionRef,
        direction: Direction,
        before: FlowKey,
    ) {
        let Some(folded) = self.connections.remove(from) else { return };
        for name in &folded.names {
            let same_way = *name == before || *name == before.addresses_only();
            let way = if same_way { direction } else { opposite(direction) };
            self.names.insert(*name, (into, way));
        }
        let target = &mut self.connections[into];
        for name in folded.names {
            if !target.names.contains(&name) {
                target.names.push(name);
            }
        }
        target.lines += folded.lines;
        self.join(packet, into, direction);
        let headers: Vec<Arc<Header>> =
            self.packets[packet].identity.iter().map(|(_, header)| Arc::clone(header)).collect();
        for header in headers {
            self.note_segment(packet, &header, false);
        }
    }

    fn last_nat_rule(&self, packet: PacketRef) -> Option<Hop> {
        let step = self.packets[packet].steps.iter().rev().find(|step| {
            step.layer != Layer::Bridge
                && step.site.table() == Some(Table::Nat)
                && matches!(step.stop, Some(Stop::Prerouting | Stop::Output))
        })?;
        matches!(step.trace_kind(), Some(SiteKind::Rule(_))).then(|| step.hop())
    }

    fn evict_connection(&mut self, out: &mut Vec<Outcome>) {
        let connections = &self.connections;
        let Some(connection) = self
            .connection_deadlines
            .oldest(|open| connections.get(open).map(OpenConnection::idle))
        else {
            return;
        };
        let open = &mut self.connections[connection];
        open.cut = true;
        let position =
            Position { source: open.key.source, offset: open.key.offset, seq: None, copy: 0 };
        out.push(anomaly(AnomalyKind::EvictedConnection, position));
        self.close_connection(connection, out);
    }

    pub(super) fn close_connection(&mut self, connection: ConnectionRef, out: &mut Vec<Outcome>) {
        let Some(open) = self.connections.get(connection) else { return };
        let packets: Vec<PacketRef> = open.open.iter().flatten().copied().collect();
        for packet in packets {
            self.close_packet(packet, false, out);
        }
        self.link_proxy(connection, out);
        let Some(open) = self.connections.remove(connection) else { return };
        for name in &open.names {
            if self.names.get(name).is_some_and(|(owner, _)| *owner == connection) {
                self.names.remove(name);
            }
        }
        out.push(Outcome::Connection(Box::new(open.snapshot(self.id))));
    }

    pub(super) fn packet_key(&self, packet: PacketRef) -> Option<PacketKey> {
        self.packets.get(packet).map(|open| open.key)
    }

    /// The open packets of one direction of a connection.
    pub(super) fn open_packets(
        &self,
        connection: ConnectionRef,
        direction: Direction,
    ) -> impl DoubleEndedIterator<Item = PacketRef> {
        let open = self.connections.get(connection).and_then(|open| open.open.get(side(direction)));
        open.into_iter().flatten().copied()
    }
}

/// What a line of an original packet tells about its connection.
pub(super) fn note_original_stop(connection: &mut OpenConnection, sight: &Sight<'_>, fit: Fit) {
    connection.is_local_in |= fit.stop == Some(Stop::Input);
    if let (Some(Stop::Postrouting), Some(Table::Nat), Site::Trace { kind, .. }) =
        (fit.stop, sight.place.table, &**sight.entry.site)
        && !connection.source_settled
    {
        let hop = Hop {
            layer: sight.layer,
            site: Arc::clone(sight.entry.site),
            devices: sight.entry.header.devices,
        };
        connection.source_rule = matches!(kind, SiteKind::Rule(_)).then_some(hop);
    }
}

/// Whether a packet can only be an answer: SYN-ACK, echo reply.
fn is_answer(header: &Header) -> bool {
    let Some(ip) = header.ip() else { return false };
    if let Some(tcp) = ip.tcp() {
        return tcp.flags.has(TcpFlags::SYN | TcpFlags::ACK);
    }
    let reply_type = if ip.src.is_ipv6() { 129 } else { 0 };
    ip.icmp().is_some_and(|icmp| icmp.kind == reply_type && icmp.echo.is_some())
}

/// Whether a connection whose first packet this is must have begun earlier.
fn began_before_log(header: &Header, direction: Direction) -> bool {
    let Some(tcp) = header.ip().and_then(|ip| ip.tcp()) else {
        return direction == Direction::Reply;
    };
    !tcp.flags.has(TcpFlags::SYN) || tcp.flags.has(TcpFlags::ACK)
}
