//! The machine of one host: every open packet and connection, and how a line changes them.

use std::collections::HashMap;
use std::sync::Arc;

use slotmap::SlotMap;

use super::clock::{LogClock, Tick};
use super::connection::{ConnectionRef, OpenConnection, TIMEOUTS_S, opposite, side};
use super::find::Found;
use super::flow::{FlowKey, FlowSight};
use super::identity;
use super::index::IdentityIndex;
use super::links::ProxyPairs;
use super::lru::{Deadlines, Idle};
use super::machine::{Limits, in_key_order};
use super::packet::{Fit, OpenPacket, PacketRef, Ports, Sight};
use super::place::Stop;
use super::recent::{FirstFragments, Recent};
use super::verdict::{Knowledge, judge};
use crate::model::{
    Anomaly, AnomalyKind, Boot, Direction, Entry, Header, Hop, HostId, Layer, Outcome, PacketKey,
    Position, SiteKind, Table, TailKey, TcpFlags,
};

/// How long a packet stays open after its last line: at the end of its way, and while it waits for a neighbour.
const LINGER_US: [i64; 2] = [1_000_000, 10_000_000];
/// On logs with whole seconds a packet's lines may stand in two of them.
const LINGER_COARSE_US: i64 = 2_000_000;
/// How often the deadlines are looked at, in log time.
const SWEEP_US: i64 = 50_000;

/// Everything open on one host.
#[derive(Debug)]
pub(super) struct HostMachine {
    id: HostId,
    limits: Limits,
    boot: Boot,
    pub(super) clock: LogClock,
    swept_us: i64,
    pub(super) hasher: foldhash::fast::RandomState,
    pub(super) packets: SlotMap<PacketRef, OpenPacket>,
    pub(super) connections: SlotMap<ConnectionRef, OpenConnection>,
    names: HashMap<FlowKey, (ConnectionRef, Direction), foldhash::fast::RandomState>,
    pub(super) identities: IdentityIndex,
    pub(super) tails: Vec<Option<(u32, PacketRef)>>,
    pub(super) recent: Recent,
    pub(super) fragments: FirstFragments,
    pub(super) ports: Ports,
    pub(super) knowledge: Knowledge,
    pub(super) proxies: ProxyPairs,
    packet_deadlines: Deadlines<PacketRef>,
    connection_deadlines: Deadlines<ConnectionRef>,
    pub(super) retransmissions: Vec<(PacketKey, PacketKey)>,
    pub(super) resets: Vec<(PacketKey, PacketKey)>,
    last_line: Option<PacketRef>,
}

impl HostMachine {
    pub(super) fn new(id: HostId, limits: Limits) -> Self {
        let timeouts = TIMEOUTS_S.map(|seconds| i64::from(seconds) * 1_000_000);
        Self {
            id,
            limits,
            boot: Boot(0),
            clock: LogClock::default(),
            swept_us: 0,
            hasher: foldhash::fast::RandomState::default(),
            packets: SlotMap::with_key(),
            connections: SlotMap::with_key(),
            names: HashMap::default(),
            identities: IdentityIndex::default(),
            tails: Vec::new(),
            recent: Recent::default(),
            fragments: FirstFragments::default(),
            ports: Ports::default(),
            knowledge: Knowledge::default(),
            proxies: ProxyPairs::default(),
            packet_deadlines: Deadlines::new(&LINGER_US),
            connection_deadlines: Deadlines::new(&timeouts),
            retransmissions: Vec::new(),
            resets: Vec::new(),
            last_line: None,
        }
    }

    pub(super) fn id(&self) -> HostId {
        self.id
    }

    pub(super) fn boots(&self) -> u64 {
        u64::from(self.boot.0) + 1
    }

    /// Takes in one line.
    pub(super) fn push(&mut self, entry: &Entry<'_>, out: &mut Vec<Outcome>) {
        match self.clock.tick(entry.stamp) {
            Tick::Forward => {}
            Tick::StepBack => out.push(anomaly(AnomalyKind::ClockStep, entry.position)),
            Tick::Reboot => self.reboot(out),
        }
        self.sweep(out);
        let sight = Sight::of(entry, self.clock.now_us(), &self.ports);
        let packet = match self.find(&sight) {
            Some(found) => self.continue_packet(&sight, found, out),
            None => self.open_packet(&sight, out),
        };
        self.after_line(packet, &sight, out);
        self.hand_out_links(out);
    }

    /// Lines are missing: nothing open now can be judged by absence.
    pub(super) fn lose_lines(&mut self) {
        for packet in self.packets.values_mut() {
            packet.lossy = true;
        }
        for connection in self.connections.values_mut() {
            connection.lossy = true;
        }
    }

    /// Closes everything and starts a new boot.
    pub(super) fn reboot(&mut self, out: &mut Vec<Outcome>) {
        self.finish(out);
        let next = Boot(self.boot.0 + 1);
        let mut fresh = Self::new(self.id, self.limits);
        // The clocks' last values stay, so that the new boot's first stamp is not taken for a step again.
        std::mem::swap(&mut fresh.clock, &mut self.clock);
        *self = fresh;
        self.boot = next;
    }

    /// Closes everything.
    pub(super) fn finish(&mut self, out: &mut Vec<Outcome>) {
        for packet in in_key_order(self.packets.iter().map(|(open, packet)| (packet.key, open))) {
            let at_log_end = self.last_line == Some(packet);
            self.close_packet(packet, at_log_end, out);
        }
        for connection in
            in_key_order(self.connections.iter().map(|(open, connection)| (connection.key, open)))
        {
            self.close_connection(connection, out);
        }
    }

    // ---- packets

    fn continue_packet(
        &mut self,
        sight: &Sight<'_>,
        found: Found,
        out: &mut Vec<Outcome>,
    ) -> PacketRef {
        let Found { packet, fit, .. } = found;
        let header = self.share_header(packet, sight.entry.header, found.same_tail);
        if !found.same_tail {
            self.note_flow(packet, sight, fit);
            self.note_identity(packet, &header, out);
        }
        self.attach(packet, sight, fit, header);
        packet
    }

    fn open_packet(&mut self, sight: &Sight<'_>, out: &mut Vec<Outcome>) -> PacketRef {
        if self.packets.len() >= self.limits.open_packets {
            self.evict_packet(out);
        }
        let packet = self.packets.insert(OpenPacket::new(sight));
        self.packet_deadlines.insert(0, sight.now_us, packet);
        let fit = OpenPacket::first_fit(sight);
        let header = Arc::new(sight.entry.header.clone());
        self.place_in_connection(packet, sight, fit, out);
        self.note_identity(packet, &header, out);
        self.attach(packet, sight, fit, header);
        packet
    }

    /// The packet's own copy of an equal header, or a new one.
    fn share_header(&self, packet: PacketRef, header: &Header, same_tail: bool) -> Arc<Header> {
        let last = self.packets[packet].steps.last().map(|step| &step.header);
        match last {
            Some(last) if **last == *header => Arc::clone(last),
            _ if same_tail => {
                let known =
                    self.packets[packet].steps.iter().rev().find(|step| *step.header == *header);
                known.map_or_else(|| Arc::new(header.clone()), |step| Arc::clone(&step.header))
            }
            _ => Arc::new(header.clone()),
        }
    }

    /// The one place where a line becomes a packet's step.
    fn attach(&mut self, packet: PacketRef, sight: &Sight<'_>, fit: Fit, header: Arc<Header>) {
        let open = &mut self.packets[packet];
        let is_first_ip = open.is_bridge_only() && !sight.place.bridge;
        open.attach(sight, fit, header);
        let (connection, direction) = (open.connection, open.direction);
        self.knowledge.learn(sight.layer, sight.place.table, fit.stop);
        self.learn_ports(packet, sight);
        if let Some(connection) =
            connection.and_then(|connection| self.connections.get_mut(connection))
        {
            let entry = sight.entry;
            connection.note_line(
                sight.layer,
                &entry.header.devices,
                entry.stamp,
                entry.trust,
                sight.now_us,
            );
            if direction == Some(Direction::Original) {
                note_original_stop(connection, sight, fit);
            }
            let at_the_door = fit.stop == Some(Stop::Prerouting) && !sight.place.bridge;
            if at_the_door && direction == Some(Direction::Reply) {
                let flow = self.packets[packet].flow;
                connection.source_settled |=
                    flow.is_some_and(|flow| flow.destination() == connection.original.source());
            }
        }
        if is_first_ip {
            self.note_transport(packet, sight);
        }
    }

    fn learn_ports(&mut self, packet: PacketRef, sight: &Sight<'_>) {
        let devices = &sight.entry.header.devices;
        match (devices.physin, devices.input) {
            (Some(port), Some(bridge)) if !sight.place.bridge => self.ports.learn(port, bridge),
            _ => {}
        }
        if sight.place.bridge && devices.input.is_none() {
            let packet = &self.packets[packet];
            if let (Some(port), Some(bridge), false) =
                (devices.output, packet.output(), packet.is_bridge_only())
            {
                self.ports.learn(port, bridge);
            }
        }
    }

    /// Files the packet under its identity.
    fn note_identity(&mut self, packet: PacketRef, header: &Arc<Header>, out: &mut Vec<Outcome>) {
        let Some(keys) = identity::keys(&self.hasher, header) else { return };
        if let Some((known, _)) = self.packets[packet].identity
            && known == keys
        {
            return;
        }
        let mut twins = self.identities.find(keys);
        twins.retain(|other| {
            *other != packet
                && self
                    .packets
                    .get(*other)
                    .is_some_and(|other| other.flow == self.packets[packet].flow)
        });
        if !twins.is_empty() {
            for twin in twins.into_iter().chain([packet]) {
                self.packets[twin].twin = true;
            }
        }
        if let Some((old, _)) = self.packets[packet].identity.replace((keys, Arc::clone(header))) {
            self.identities.remove(old, packet);
        }
        if let Some(surplus) = self.identities.insert(keys, packet)
            && surplus != packet
        {
            self.close_packet(surplus, false, out);
        }
    }

    fn after_line(&mut self, packet: PacketRef, sight: &Sight<'_>, out: &mut Vec<Outcome>) {
        if let Some(TailKey { slot, generation }) = sight.entry.tail {
            let slot = usize::from(slot);
            if self.tails.len() <= slot {
                self.tails.resize(slot + 1, None);
            }
            self.tails[slot] = Some((generation, packet));
        }
        self.recent.touch(packet);
        self.last_line = Some(packet);
        if sight.layer == Layer::Bridge {
            self.link_neighbour(packet, sight, out);
        }
    }

    fn close_packet(&mut self, packet: PacketRef, at_log_end: bool, out: &mut Vec<Outcome>) {
        let Some(open) = self.packets.remove(packet) else { return };
        if let Some((keys, _)) = &open.identity {
            self.identities.remove(*keys, packet);
        }
        let connection =
            open.connection.and_then(|connection| self.connections.get_mut(connection));
        let answered = open.direction == Some(Direction::Original)
            && connection.as_ref().is_some_and(|connection| connection.is_replied());
        let verdict = judge(&open, &self.knowledge, answered, at_log_end);
        let mut key = None;
        if let Some(connection) = connection {
            key = Some(connection.key);
            connection.closed_packets += 1;
            if let Some(direction) = open.direction {
                connection.forget_packet(direction, packet);
                if direction != Direction::Related {
                    connection.tally.add(&verdict, direction == Direction::Reply);
                }
            }
        }
        out.push(Outcome::Packet(Box::new(open.close(self.id, self.boot, key, verdict))));
    }

    fn evict_packet(&mut self, out: &mut Vec<Outcome>) {
        let packets = &self.packets;
        let idle = |packet: PacketRef| {
            packets.get(packet).map(|open| Idle { class: 0, touched_us: open.touched_us })
        };
        let Some(packet) = self.packet_deadlines.oldest(idle) else { return };
        let open = &mut self.packets[packet];
        open.lossy = true;
        if let Some(head) = open.head() {
            out.push(anomaly(AnomalyKind::EvictedPacket, head));
        }
        self.close_packet(packet, false, out);
    }

    /// Closes what log time has run past.
    fn sweep(&mut self, out: &mut Vec<Outcome>) {
        let now_us = self.clock.now_us();
        if now_us - self.swept_us < SWEEP_US {
            return;
        }
        self.swept_us = now_us;
        let grace_us = if self.clock.is_coarse() { LINGER_COARSE_US - LINGER_US[0] } else { 0 };
        loop {
            let (packets, ports) = (&self.packets, &self.ports);
            let idle = |packet: PacketRef| {
                let open = packets.get(packet)?;
                Some(Idle {
                    class: usize::from(open.waits_for_neighbour(ports)),
                    touched_us: open.touched_us + grace_us,
                })
            };
            let Some(packet) = self.packet_deadlines.expired(now_us, idle) else { break };
            self.close_packet(packet, false, out);
        }
        loop {
            let connections = &self.connections;
            let idle =
                |connection: ConnectionRef| connections.get(connection).map(OpenConnection::idle);
            let Some(connection) = self.connection_deadlines.expired(now_us, idle) else { break };
            self.close_connection(connection, out);
        }
    }

    // ---- connections

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
    fn place_in_connection(
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
    fn note_flow(&mut self, packet: PacketRef, sight: &Sight<'_>, fit: Fit) {
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

    fn close_connection(&mut self, connection: ConnectionRef, out: &mut Vec<Outcome>) {
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
fn note_original_stop(connection: &mut OpenConnection, sight: &Sight<'_>, fit: Fit) {
    connection.is_local_in |= fit.stop == Some(Stop::Input);
    if let (Some(Stop::Postrouting), Some(Table::Nat), crate::model::Site::Trace { kind, .. }) =
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

/// A remark about a place.
pub(super) fn anomaly(kind: AnomalyKind, position: Position) -> Outcome {
    Outcome::Anomaly(Anomaly { kind, position, text: Box::default() })
}
