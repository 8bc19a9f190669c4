//! Which connection a packet belongs to, and how its tuples name it.
//!
//! Every tuple a packet shows, before and after NAT, is a name of its
//! connection, and so is its reverse. A packet whose first tuple nobody knows
//! opens a connection; when its next tuple is a known name (a masqueraded
//! reply after its address is restored), the two are one.

use std::sync::Arc;

use super::connection::{ConnectionRef, OpenConnection, opposite, side};
use super::flow::{FlowKey, FlowSight, behind_extension};
use super::host::{HostMachine, anomaly};
use super::packet::{Fit, PacketRef, Sight};
use crate::model::{
    AnomalyKind, Direction, EvidenceOf, Header, Hop, Ip, Layer, Outcome, PacketKey, Position,
    Protocol, Site, SiteKind, Stop, Table, TcpFlags,
};

/// A longer packet leaves an Ethernet port in fragments, unless segmentation is left to the device (TCP).
const ETHERNET_MTU: u32 = 1_500;
/// Fragments of one datagram come in one after the other.
const FRAGMENTS_US: i64 = 10_000;

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
        if self.packets[packet].is_invalid {
            return;
        }
        match FlowSight::of(sight.entry.header) {
            FlowSight::Whole(flow) => match self.fragment_parent(flow, sight) {
                Some((connection, direction)) => self.join_piece(packet, connection, direction),
                None => self.place_by_flow(packet, flow, sight, fit, out),
            },
            FlowSight::AddressesOnly(flow) => {
                // ICMPv6 frames may be neighbour discovery, which is nobody's connection.
                if let Some((connection, direction)) = self.fragment_parent(flow, sight) {
                    self.join_piece(packet, connection, direction);
                } else if flow.src.is_ipv4() && !flow.dst.is_multicast() {
                    self.place_by_flow(packet, flow, sight, fit, out);
                }
            }
            FlowSight::Hidden(flow) => {
                let known = behind_extension(flow).into_iter().find_map(|name| self.lookup(name));
                if let Some((connection, direction)) = known {
                    self.join(packet, connection, direction);
                }
            }
            FlowSight::Error(inner) => {
                self.packets[packet].inner = Some(inner);
                self.relate_error(packet, sight, inner, out);
            }
            FlowSight::None => self.place_fragment(packet, sight),
        }
    }

    fn place_by_flow(
        &mut self,
        packet: PacketRef,
        flow: FlowKey,
        sight: &Sight<'_>,
        fit: Fit,
        out: &mut Vec<Outcome>,
    ) {
        self.packets[packet].flow = Some(flow);
        let known = self.lookup(flow);
        let known =
            known.filter(|(connection, _)| !self.starts_anew(*connection, sight.entry.header));
        let (connection, mut direction) = match known {
            Some(known) => known,
            None => self.open_connection(packet, flow, sight, fit, out),
        };
        // A host that talks to itself under one address shows one tuple both ways.
        if flow == flow.reversed() {
            let answers = is_answer(sight.entry.header);
            direction = if answers { Direction::Reply } else { Direction::Original };
        }
        self.join(packet, connection, direction);
        if !sight.place.bridge {
            self.note_transport(packet, sight);
        }
        self.remember_first_fragment(packet, sight);
    }

    /// A packet above the MTU leaves as fragments; ebtables prints payload bytes as ports for all but the first.
    fn fragment_parent(
        &self,
        flow: FlowKey,
        sight: &Sight<'_>,
    ) -> Option<(ConnectionRef, Direction)> {
        // ICMP frames print no ports at all, garbage ones are nobody's name.
        let tells_nothing = flow.protocol.is_icmp() || self.lookup(flow).is_none();
        if !sight.place.bridge || flow.protocol == Protocol::TCP || !tells_nothing {
            return None;
        }
        let parent = self.recent.latest_first().find_map(|packet| {
            let open = self.packets.get(packet)?;
            let (_, header) = open.identity.as_ref()?;
            let is_split = header.ip()?.length? > ETHERNET_MTU;
            let same_way = open.flow?.addresses_only() == flow.addresses_only();
            let at_hand = sight.now_us.saturating_sub(open.touched_us) <= FRAGMENTS_US;
            (at_hand && is_split && same_way && open.has_seen(Stop::BridgePostrouting))
                .then_some(open)
        })?;
        Some((parent.connection?, parent.direction?))
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

    /// A fragment's frame belongs to its datagram's connection; conntrack counts the datagram once.
    fn join_piece(&mut self, packet: PacketRef, connection: ConnectionRef, direction: Direction) {
        let open = &mut self.packets[packet];
        open.connection = Some(connection);
        open.direction = Some(direction);
        open.is_piece = true;
    }

    /// A packet's line shows another tuple than the line before: NAT, or a name learnt at last.
    pub(super) fn note_flow(
        &mut self,
        packet: PacketRef,
        sight: &Sight<'_>,
        fit: Fit,
        out: &mut Vec<Outcome>,
    ) {
        let after = match FlowSight::of(sight.entry.header) {
            FlowSight::Error(inner) => return self.note_inner(packet, sight, inner, out),
            FlowSight::None => {
                let is_fragment = sight.entry.header.ip().is_some_and(Ip::is_later_fragment);
                if is_fragment && self.packets[packet].is_bridge_only() {
                    // Its frame showed payload bytes as ports.
                    self.leave_connection(packet);
                    self.packets[packet].flow = None;
                    self.place_fragment(packet, sight);
                    self.count_earlier_lines(packet, sight.now_us);
                }
                return;
            }
            told => told.key(),
        };
        let Some(after) = after else { return };
        let before = self.packets[packet].flow.replace(after);
        let (connection, direction) =
            (self.packets[packet].connection, self.packets[packet].direction);
        match (connection.zip(direction), before) {
            (None, _) => {
                self.place_in_connection(packet, sight, fit, out);
                self.count_earlier_lines(packet, sight.now_us);
            }
            (Some((_, Direction::Related)), _) | (Some(_), None) => {}
            (Some((connection, direction)), Some(before)) if before == after => {
                self.rebind_first_header(packet, connection, direction, sight, fit, out);
            }
            (Some((connection, direction)), Some(before)) if before == after.addresses_only() => {
                self.learn_identifier(packet, connection, direction, after, sight, fit, out);
            }
            // A frame prints no identifier: nothing new.
            (Some(_), Some(before)) if after == before.addresses_only() => {
                self.packets[packet].flow = Some(before);
            }
            (Some((connection, direction)), Some(before)) => {
                self.note_rewrite(packet, connection, direction, before, after);
            }
        }
    }

    /// NAT: the packet goes on under another tuple.
    fn note_rewrite(
        &mut self,
        packet: PacketRef,
        connection: ConnectionRef,
        direction: Direction,
        before: FlowKey,
        after: FlowKey,
    ) {
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
        let rule = self.last_nat_rule(packet);
        self.connections[connection].note_rewrite(
            direction,
            before,
            after,
            rule,
            EvidenceOf::Observed,
        );
    }

    /// A frame of ICMP was placed by its addresses; the IP line behind it tells the identifier.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call, from the match that knows all of these"
    )]
    fn learn_identifier(
        &mut self,
        packet: PacketRef,
        connection: ConnectionRef,
        direction: Direction,
        flow: FlowKey,
        sight: &Sight<'_>,
        fit: Fit,
        out: &mut Vec<Outcome>,
    ) {
        match self.lookup(flow) {
            Some((known, _)) if known == connection => {}
            None if self.connections[connection].is_one_open_packet() => {
                let open = &mut self.connections[connection];
                open.original = if direction == Direction::Reply { flow.reversed() } else { flow };
                open.forward = open.original;
                self.register(flow, connection, direction);
                self.rebind_first_header(packet, connection, direction, sight, fit, out);
            }
            _ => self.move_out(packet, sight, fit, out),
        }
    }

    /// The same tuple, but the frame's first IP line may tell that its connection is a new one,
    /// or that it runs the other way.
    fn rebind_first_header(
        &mut self,
        packet: PacketRef,
        connection: ConnectionRef,
        direction: Direction,
        sight: &Sight<'_>,
        fit: Fit,
        out: &mut Vec<Outcome>,
    ) {
        if !self.packets[packet].is_bridge_only() || sight.place.bridge {
            return;
        }
        let header = sight.entry.header;
        if self.starts_anew(connection, header) {
            return self.move_out(packet, sight, fit, out);
        }
        if direction != Direction::Original || !self.connections[connection].is_one_open_packet() {
            return;
        }
        let open = &mut self.connections[connection];
        open.began_before_log = began_before_log(header, Direction::Original);
        if is_answer(header) {
            open.turn_round();
            for name in open.names.clone() {
                if let Some((_, direction)) = self.names.get_mut(&name) {
                    *direction = opposite(*direction);
                }
            }
            self.packets[packet].direction = Some(Direction::Reply);
        }
    }

    /// Takes a packet out of the connection its frame seemed to belong to, and places it anew.
    fn move_out(&mut self, packet: PacketRef, sight: &Sight<'_>, fit: Fit, out: &mut Vec<Outcome>) {
        self.leave_connection(packet);
        self.place_in_connection(packet, sight, fit, out);
        self.count_earlier_lines(packet, sight.now_us);
    }

    /// conntrack calls the packet invalid: it makes no connection, though it may speak of one.
    pub(super) fn call_invalid(&mut self, packet: PacketRef) {
        let open = &mut self.packets[packet];
        open.is_invalid = true;
        let alone = open
            .connection
            .is_some_and(|connection| self.connections[connection].is_one_open_packet());
        if alone {
            self.leave_connection(packet);
        }
    }

    /// The lines a packet had before it came into its connection.
    fn count_earlier_lines(&mut self, packet: PacketRef, now_us: i64) {
        let open = &self.packets[packet];
        let Some(connection) =
            open.connection.and_then(|connection| self.connections.get_mut(connection))
        else {
            return;
        };
        for step in &open.steps {
            connection.note_line(step.layer, &step.header.devices, step.stamp, open.trust, now_us);
        }
    }

    /// The kernel put fragments together before this line: the frames that brought the others
    /// stand alone under payload bytes for ports, and belong here.
    pub(super) fn adopt_fragments(&mut self, packet: PacketRef, sight: &Sight<'_>) {
        let Some(ip) = sight.entry.header.ip() else { return };
        let is_put_together = ip.length.is_some_and(|length| length > ETHERNET_MTU);
        let open = &self.packets[packet];
        let (Some(flow), Some(connection), Some(direction)) =
            (open.flow, open.connection, open.direction)
        else {
            return;
        };
        if !is_put_together || flow.protocol == Protocol::TCP {
            return;
        }
        let pieces: Vec<PacketRef> = self
            .recent
            .latest_first()
            .filter(|piece| {
                *piece != packet && self.is_fragment_frame(*piece, packet, flow, sight.now_us)
            })
            .collect();
        for piece in pieces {
            if !self.packets[piece].is_piece {
                self.leave_connection(piece);
                self.join_piece(piece, connection, direction);
                self.count_earlier_lines(piece, sight.now_us);
            }
        }
    }

    fn is_fragment_frame(
        &self,
        piece: PacketRef,
        of: PacketRef,
        flow: FlowKey,
        now_us: i64,
    ) -> bool {
        let (Some(piece), Some(whole)) = (self.packets.get(piece), self.packets.get(of)) else {
            return false;
        };
        piece.is_bridge_only()
            && piece.identity.is_none()
            && piece.came_in_like(whole)
            && now_us.saturating_sub(piece.touched_us) <= FRAGMENTS_US
            && piece.flow.is_some_and(|known| known.addresses_only() == flow.addresses_only())
    }

    /// Takes a packet off its connection's account; a connection without packets is none.
    fn leave_connection(&mut self, packet: PacketRef) {
        let open = &mut self.packets[packet];
        let (Some(connection), Some(direction)) = (open.connection.take(), open.direction.take())
        else {
            return;
        };
        let lines = open.steps.len() as u64;
        let account = &mut self.connections[connection];
        account.forget_packet(direction, packet);
        account.packets[side(direction)] = account.packets[side(direction)].saturating_sub(1);
        account.lines = account.lines.saturating_sub(lines);
        if account.packets.iter().sum::<u64>() == 0 {
            self.drop_connection(connection);
        }
    }

    /// The packet an ICMP error quotes, as this line shows it: NAT rewrites it like any other.
    fn note_inner(
        &mut self,
        packet: PacketRef,
        sight: &Sight<'_>,
        after: FlowKey,
        out: &mut Vec<Outcome>,
    ) {
        let before = self.packets[packet].inner.replace(after);
        if before.is_none() {
            // Only its frame was known, placed by its addresses at best.
            self.leave_connection(packet);
            self.packets[packet].flow = None;
        }
        if before == Some(after) {
            return;
        }
        if self.packets[packet].connection.is_none() {
            self.relate_error(packet, sight, after, out);
            self.count_earlier_lines(packet, sight.now_us);
        }
        let Some(before) = before else { return };
        let Some((connection, direction)) = self.lookup(after).or_else(|| self.lookup(before))
        else {
            return;
        };
        // The error undoes the translation on its way back: what it quoted first is what left the host.
        if self.lookup(before).is_none() {
            self.register(before, connection, direction);
            self.connections[connection].note_rewrite(
                direction,
                after,
                before,
                None,
                EvidenceOf::Inferred,
            );
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
        let Some(open) = self.drop_connection(connection) else { return };
        out.push(Outcome::Connection(Box::new(open.snapshot(self.id))));
    }

    fn drop_connection(&mut self, connection: ConnectionRef) -> Option<OpenConnection> {
        let open = self.connections.remove(connection)?;
        for name in &open.names {
            if self.names.get(name).is_some_and(|(owner, _)| *owner == connection) {
                self.names.remove(name);
            }
        }
        Some(open)
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
    let is_told = !(header.cut && tcp.flags == TcpFlags::default());
    is_told && (!tcp.flags.has(TcpFlags::SYN) || tcp.flags.has(TcpFlags::ACK))
}
