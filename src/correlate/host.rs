//! The machine of one host: every open packet and connection, and how a line changes them.

use std::collections::HashMap;
use std::sync::Arc;

use slotmap::SlotMap;

use super::clock::{LogClock, Tick};
use super::connection::{ConnectionRef, OpenConnection, TIMEOUTS_S};
use super::find::Found;
use super::flow::FlowKey;
use super::identity;
use super::index::IdentityIndex;
use super::links::ProxyPairs;
use super::lru::{Deadlines, Idle};
use super::machine::{Limits, in_key_order};
use super::packet::{Fit, OpenPacket, PacketRef, Sight, says_invalid};
use super::ports::Ports;
use super::recent::{FirstFragments, Recent};
use super::tracking::note_original_stop;
use super::verdict::{Knowledge, judge};
use crate::model::{
    Anomaly, AnomalyKind, Boot, Confidence, Direction, Entry, Header, HostId, Layer, Outcome,
    PacketKey, Position, Site, Stop, TailKey,
};

/// How long a packet stays open after its last line: at the end of its way, and while it waits for a neighbour.
const LINGER_US: [i64; 2] = [1_000_000, 10_000_000];
/// On logs with whole seconds a packet's lines may stand in two of them.
const LINGER_COARSE_US: i64 = 2_000_000;
/// A packet's next line, if it had one, would have come by then.
const LOG_END_US: i64 = 50_000;
/// How often the deadlines are looked at, in log time.
const SWEEP_US: i64 = 50_000;

/// Everything open on one host.
#[derive(Debug)]
pub(super) struct HostMachine {
    pub(super) id: HostId,
    pub(super) limits: Limits,
    pub(super) boot: Boot,
    pub(super) clock: LogClock,
    swept_us: i64,
    pub(super) hasher: foldhash::fast::RandomState,
    pub(super) packets: SlotMap<PacketRef, OpenPacket>,
    pub(super) connections: SlotMap<ConnectionRef, OpenConnection>,
    pub(super) names: HashMap<FlowKey, (ConnectionRef, Direction), foldhash::fast::RandomState>,
    pub(super) identities: IdentityIndex,
    pub(super) tails: HashMap<u16, (u32, PacketRef), foldhash::fast::RandomState>,
    pub(super) recent: Recent,
    pub(super) fragments: FirstFragments,
    pub(super) ports: Ports,
    pub(super) knowledge: Knowledge,
    pub(super) proxies: ProxyPairs,
    packet_deadlines: Deadlines<PacketRef>,
    pub(super) connection_deadlines: Deadlines<ConnectionRef>,
    pub(super) retransmissions: Vec<(PacketKey, PacketKey)>,
    pub(super) resets: Vec<(PacketKey, PacketKey)>,
    pub(super) last_line: Option<PacketRef>,
}

impl HostMachine {
    pub(super) fn new(id: HostId, boot: Boot, limits: Limits) -> Self {
        let timeouts = TIMEOUTS_S.map(|seconds| i64::from(seconds) * 1_000_000);
        Self {
            id,
            limits,
            boot,
            clock: LogClock::default(),
            swept_us: 0,
            hasher: foldhash::fast::RandomState::default(),
            packets: SlotMap::with_key(),
            connections: SlotMap::with_key(),
            names: HashMap::default(),
            identities: IdentityIndex::default(),
            tails: HashMap::default(),
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

    pub(super) fn boot(&self) -> Boot {
        self.boot
    }

    /// Takes in one line.
    pub(super) fn push(&mut self, entry: &Entry<'_>, out: &mut Vec<Outcome>) {
        match self.clock.tick(entry.stamp) {
            Tick::Forward => {}
            Tick::StepBack => out.push(anomaly(AnomalyKind::ClockStep, entry.position)),
            Tick::Reboot => self.reboot(out),
        }
        self.sweep(out);
        if matches!(&**entry.site, Site::Trace { .. }) && entry.site.table().is_none() {
            out.push(anomaly(AnomalyKind::UnknownTable, entry.position));
        }
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

    /// A new boot that the lines' own clock has not told yet.
    pub(super) fn restart(&mut self, out: &mut Vec<Outcome>) {
        self.reboot(out);
        self.clock = LogClock::default();
    }

    /// Closes everything and starts a new boot.
    pub(super) fn reboot(&mut self, out: &mut Vec<Outcome>) {
        self.finish(out);
        let next = Boot(self.boot.0 + 1);
        let mut fresh = Self::new(self.id, next, self.limits);
        // The clocks' last values stay, so that the new boot's first stamp is not taken for a step again.
        std::mem::swap(&mut fresh.clock, &mut self.clock);
        *self = fresh;
    }

    /// Closes everything.
    pub(super) fn finish(&mut self, out: &mut Vec<Outcome>) {
        for packet in in_key_order(self.packets.iter().map(|(open, packet)| (packet.key, open))) {
            let at_log_end = self.is_at_log_end(packet);
            self.close_packet(packet, at_log_end, out);
        }
        for connection in
            in_key_order(self.connections.iter().map(|(open, connection)| (connection.key, open)))
        {
            self.close_connection(connection, out);
        }
    }

    /// Whether the log ends so soon after the packet's last line that it may have had another.
    fn is_at_log_end(&self, packet: PacketRef) -> bool {
        let bound_us = if self.clock.is_coarse() { LINGER_COARSE_US } else { LOG_END_US };
        let touched_us = self.packets.get(packet).map_or(0, |open| open.touched_us);
        self.clock.now_us().saturating_sub(touched_us) < bound_us
    }

    fn continue_packet(
        &mut self,
        sight: &Sight<'_>,
        found: Found,
        out: &mut Vec<Outcome>,
    ) -> PacketRef {
        let Found { packet, fit, .. } = found;
        let header = self.share_header(packet, sight.entry.header, found.same_tail);
        if !found.same_tail {
            if says_invalid(sight.entry.site) {
                self.call_invalid(packet);
            }
            let is_first_ip = self.packets[packet].is_bridge_only() && !sight.place.bridge;
            self.note_flow(packet, sight, fit, out);
            self.note_identity(packet, &header, out);
            if is_first_ip {
                self.adopt_fragments(packet, sight);
            }
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
        let is_first_ip = open.is_bridge_only() && !sight.place.bridge && !open.is_noted;
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
                && !packet.is_rerouted()
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
        // A LOG line tells less than the TRACE line before it, and a bare frame less than either.
        let tells_less = match (header.ip(), &self.packets[packet].identity) {
            (Some(ip), Some((_, known))) => {
                identity::lacks_sequence(ip) && !known.ip().is_some_and(identity::lacks_sequence)
            }
            (None, Some((_, known))) => known.ip().is_some(),
            (_, None) => false,
        };
        if tells_less {
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
            self.tails.insert(slot, (generation, packet));
        }
        self.recent.touch(packet);
        self.last_line = Some(packet);
        if sight.layer == Layer::Bridge {
            self.link_neighbour(packet, sight, out);
        }
    }

    pub(super) fn close_packet(
        &mut self,
        packet: PacketRef,
        at_log_end: bool,
        out: &mut Vec<Outcome>,
    ) {
        let Some(mut open) = self.packets.remove(packet) else { return };
        open.is_stranded = open.waits_for_neighbour(&self.ports);
        if let Some((keys, _)) = &open.identity {
            self.identities.remove(*keys, packet);
        }
        let connection =
            open.connection.and_then(|connection| self.connections.get_mut(connection));
        let answered = match (&connection, open.direction, &open.identity) {
            (Some(connection), Some(direction), Some((_, header))) => {
                connection.has_answered(direction, header)
            }
            _ => false,
        };
        if let (Confidence::Ambiguous, Some(head)) = (open.confidence, open.head()) {
            out.push(anomaly(AnomalyKind::AmbiguousJoin, head));
        }
        let verdict = judge(&open, &mut self.knowledge, answered, at_log_end);
        let mut key = None;
        if let Some(connection) = connection {
            key = Some(connection.key);
            connection.closed_packets += 1;
            if let Some(direction) = open.direction {
                connection.forget_packet(direction, packet);
                if direction != Direction::Related && !open.is_piece {
                    let is_reply = direction == Direction::Reply;
                    connection.tally.add(verdict.kind, is_reply, || verdict.clone());
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
}

/// A remark about a place.
pub(super) fn anomaly(kind: AnomalyKind, position: Position) -> Outcome {
    Outcome::Anomaly(Anomaly { kind, position, text: Box::default() })
}
