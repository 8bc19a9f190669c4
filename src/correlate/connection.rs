//! An open connection: its names, what NAT did to it, its state and its tally.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::flow::FlowKey;
use super::lru::Idle;
use super::packet::PacketRef;
use super::tcp::{TcpTrack, segment_end};
use crate::model::{
    Boot, Completeness, Connection, ConnectionState, Devices, Direction, Endpoint, EvidenceOf,
    Header, Hop, HostId, IfName, Layer, NatChange, NatKind, PacketKey, Protocol, Stamp, Trust,
    Tuple, Verdict, VerdictKind, VerdictTally,
};

slotmap::new_key_type! {
    /// Names an open connection.
    pub(super) struct ConnectionRef;
}

/// conntrack's default time-outs in seconds; a connection's class is the index of its own.
pub(super) const TIMEOUTS_S: [u32; 7] = [10, 30, 60, 120, 300, 600, 432_000];

/// More device names than this are not listed.
const INTERFACES: usize = 16;

/// A TCP segment that took up sequence space.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) seq: u32,
    /// SYN and FIN, which make segments of one sequence number differ.
    pub(super) markers: u16,
    /// The IP identification, when it is one: a copy has another.
    pub(super) ip_id: Option<u16>,
    pub(super) packet: PacketKey,
}

/// A connection that may still get packets.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own; they do not exclude each other"
)]
pub(super) struct OpenConnection {
    pub(super) key: PacketKey,
    /// conntrack's original tuple.
    pub(super) original: FlowKey,
    /// The original direction after all translation known so far; its reverse is the reply tuple.
    pub(super) forward: FlowKey,
    /// A nat:POSTROUTING rule was hit and its effect on the source is not known yet.
    pub(super) source_rule: Option<Hop>,
    /// A reply or an outgoing frame showed what became of the source.
    pub(super) source_settled: bool,
    pub(super) names: SmallVec<[FlowKey; 4]>,
    nat: Vec<NatChange>,
    pub(super) tcp: TcpTrack,
    boot: Boot,
    first: Stamp,
    pub(super) last: Stamp,
    pub(super) began_us: i64,
    pub(super) touched_us: i64,
    pub(super) packets: [u64; 3],
    pub(super) closed_packets: u64,
    pub(super) lines: u64,
    assured: bool,
    layers: SmallVec<[Layer; 3]>,
    interfaces: SmallVec<[IfName; 4]>,
    trust: Trust,
    pub(super) tally: VerdictTally<Verdict>,
    pub(super) began_before_log: bool,
    pub(super) lossy: bool,
    pub(super) cut: bool,
    /// Open packets of the original and the reply direction, oldest first.
    pub(super) open: [VecDeque<PacketRef>; 2],
    /// The latest TCP segments of both directions, to tell retransmissions.
    pub(super) segments: [SmallVec<[Segment; 4]>; 2],
    /// A packet of its original direction was delivered on this host.
    pub(super) is_local_in: bool,
    /// Its first packet was seen first on its way out.
    pub(super) is_local_out: bool,
}

pub(super) fn side(direction: Direction) -> usize {
    match direction {
        Direction::Original => 0,
        Direction::Reply => 1,
        Direction::Related => 2,
    }
}

pub(super) fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Original => Direction::Reply,
        Direction::Reply => Direction::Original,
        Direction::Related => Direction::Related,
    }
}

impl OpenConnection {
    pub(super) fn new(
        key: PacketKey,
        original: FlowKey,
        boot: Boot,
        first: Stamp,
        now_us: i64,
    ) -> Self {
        Self {
            key,
            original,
            forward: original,
            source_rule: None,
            source_settled: false,
            names: SmallVec::new(),
            nat: Vec::new(),
            tcp: TcpTrack::default(),
            boot,
            first,
            last: first,
            began_us: now_us,
            touched_us: now_us,
            packets: [0; 3],
            closed_packets: 0,
            lines: 0,
            assured: false,
            layers: SmallVec::new(),
            interfaces: SmallVec::new(),
            trust: Trust::Kernel,
            tally: VerdictTally::default(),
            began_before_log: false,
            lossy: false,
            cut: false,
            open: [VecDeque::new(), VecDeque::new()],
            segments: [SmallVec::new(), SmallVec::new()],
            is_local_in: false,
            is_local_out: false,
        }
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.original.protocol
    }

    /// Whether a packet has come back.
    pub(super) fn is_replied(&self) -> bool {
        self.packets[1] > 0
    }

    /// Whether it consists of one single packet, still open.
    pub(super) fn is_one_open_packet(&self) -> bool {
        self.packets.iter().sum::<u64>() == 1 && self.closed_packets == 0
    }

    /// Whether the other side has answered this very packet: acknowledged it, or for other
    /// protocols than TCP sent anything at all.
    pub(super) fn has_answered(&self, direction: Direction, header: &Header) -> bool {
        let Some(ip) = header.ip() else { return false };
        match ip.tcp() {
            Some(tcp) => segment_end(ip, tcp)
                .is_some_and(|end| self.tcp.has_acknowledged(direction == Direction::Reply, end)),
            None => direction == Direction::Original && self.is_replied(),
        }
    }

    /// Counts a packet that joins in `direction`.
    pub(super) fn count_packet(&mut self, direction: Direction, packet: PacketRef) {
        self.assured |= direction == Direction::Original && self.is_replied();
        self.packets[side(direction)] += 1;
        if let Some(open) = self.open.get_mut(side(direction)) {
            open.push_back(packet);
        }
    }

    /// The one packet it consists of turned out to be a reply.
    pub(super) fn turn_round(&mut self) {
        self.original = self.original.reversed();
        self.forward = self.forward.reversed();
        self.packets.swap(0, 1);
        self.open.swap(0, 1);
        self.began_before_log = true;
    }

    /// Takes a packet off the list of open ones.
    pub(super) fn forget_packet(&mut self, direction: Direction, packet: PacketRef) {
        if let Some(open) = self.open.get_mut(side(direction))
            && let Some(index) = open.iter().position(|open| *open == packet)
        {
            open.remove(index);
        }
    }

    /// Notes one line of one of its packets.
    pub(super) fn note_line(
        &mut self,
        layer: Layer,
        devices: &Devices,
        stamp: Stamp,
        trust: Trust,
        now_us: i64,
    ) {
        self.lines += 1;
        self.last = later(self.last, stamp);
        self.touched_us = self.touched_us.max(now_us);
        self.trust = self.trust.max(trust);
        if !self.layers.contains(&layer) {
            self.layers.push(layer);
        }
        for device in
            [devices.input, devices.physin, devices.output, devices.physout].into_iter().flatten()
        {
            if !self.interfaces.contains(&device) && self.interfaces.len() < INTERFACES {
                self.interfaces.push(device);
            }
        }
    }

    /// Takes in what one of its packets showed: `before` at one hook, `after` at a later one.
    ///
    /// `shown` says whether two lines of one packet show the rewriting itself.
    ///
    /// In reply direction the rewriting undoes what was done to the original one,
    /// and so tells it.
    pub(super) fn note_rewrite(
        &mut self,
        direction: Direction,
        before: FlowKey,
        after: FlowKey,
        rule: Option<Hop>,
        shown: EvidenceOf,
    ) {
        match direction {
            Direction::Original => {
                if before.destination() != after.destination() {
                    self.forward.dst = after.dst;
                    self.forward.dport = after.dport;
                    let evidence = if rule.is_some() { shown } else { EvidenceOf::Inferred };
                    self.note_nat(
                        NatKind::Dnat,
                        before.destination(),
                        after.destination(),
                        rule,
                        evidence,
                    );
                }
                if before.source() != after.source() {
                    self.forward.src = after.src;
                    self.forward.sport = after.sport;
                    let rule = self.source_rule.clone();
                    self.note_nat(NatKind::Snat, before.source(), after.source(), rule, shown);
                }
            }
            Direction::Reply => {
                if before.destination() != after.destination() {
                    (self.original.src, self.original.sport) = after.destination();
                    (self.forward.src, self.forward.sport) = before.destination();
                    let rule = self.source_rule.clone();
                    let (from, to) = (after.destination(), before.destination());
                    self.note_nat(NatKind::Snat, from, to, rule, EvidenceOf::Inferred);
                }
                if before.source() != after.source() {
                    (self.original.dst, self.original.dport) = after.source();
                    (self.forward.dst, self.forward.dport) = before.source();
                    self.note_nat(
                        NatKind::Dnat,
                        after.source(),
                        before.source(),
                        None,
                        EvidenceOf::Inferred,
                    );
                }
            }
            Direction::Related => {}
        }
    }

    fn note_nat(
        &mut self,
        kind: NatKind,
        from: (std::net::IpAddr, u16),
        to: (std::net::IpAddr, u16),
        site: Option<Hop>,
        evidence: EvidenceOf,
    ) {
        if kind == NatKind::Snat {
            self.source_settled = true;
        }
        let port = |port| self.original.has_ports().then_some(port);
        let from = Endpoint { addr: Some(from.0), port: port(from.1) };
        let to = Endpoint { addr: Some(to.0), port: port(to.1) };
        let known = self.nat.iter_mut().find(|change| change.kind == kind);
        match known {
            Some(change) if change.from == from && change.to == to => {
                change.site = change.site.take().or(site);
                change.evidence = change.evidence.min(evidence);
            }
            Some(_) | None => self.nat.push(NatChange { kind, from, to, site, evidence }),
        }
    }

    /// The time-out class and last sign of life.
    pub(super) fn idle(&self) -> Idle {
        let timeout_s = match self.protocol() {
            Protocol::TCP => self.tcp.timeout_s(),
            Protocol::UDP | Protocol::UDPLITE => {
                if self.assured {
                    120
                } else {
                    30
                }
            }
            protocol if protocol.is_icmp() => 30,
            _ => 600,
        };
        let class =
            TIMEOUTS_S.iter().position(|known| *known >= timeout_s).unwrap_or(TIMEOUTS_S.len() - 1);
        Idle { class, touched_us: self.touched_us }
    }

    /// Whether conntrack would have forgotten it by `now_us`.
    pub(super) fn is_timed_out(&self, now_us: i64) -> bool {
        let Idle { class, touched_us } = self.idle();
        now_us.saturating_sub(touched_us) > i64::from(TIMEOUTS_S[class]) * 1_000_000
    }

    fn state(&self) -> ConnectionState {
        match self.protocol() {
            Protocol::TCP => ConnectionState::Tcp(self.tcp.state),
            _ if !self.is_replied() => ConnectionState::Unreplied,
            _ if self.assured => ConnectionState::Assured,
            _ => ConnectionState::Replied,
        }
    }

    fn reply_tuple(&self) -> Tuple {
        let mut reply = self.forward.reversed().tuple();
        if self.source_rule.is_some() && !self.source_settled {
            reply.dst = Endpoint { addr: None, port: None };
        }
        reply
    }

    fn completeness(&self) -> Completeness {
        if self.lossy {
            Completeness::Lossy
        } else if self.began_before_log {
            Completeness::BeganBeforeLog
        } else if self.cut {
            Completeness::Cut
        } else {
            Completeness::Whole
        }
    }

    /// The connection as it stands.
    pub(super) fn snapshot(&self, host: HostId) -> Connection {
        let is_icmp = self.protocol().is_icmp();
        Connection {
            key: self.key,
            host,
            boot: self.boot,
            protocol: self.protocol(),
            original: self.original.tuple(),
            reply: self.reply_tuple(),
            icmp_id: (is_icmp
                && self.original.sport == self.original.dport
                && !self.is_addresses_only())
            .then_some(self.original.sport),
            nat: self.nat.clone(),
            state: self.state(),
            completeness: self.completeness(),
            first: self.first,
            last: self.last,
            packets_original: self.packets[0],
            packets_reply: self.packets[1],
            packets_related: self.packets[2],
            lines: self.lines,
            layers: self.layers.to_vec(),
            interfaces: self.interfaces.to_vec(),
            trust: self.trust,
            verdict: self.verdict(),
        }
    }

    fn verdict(&self) -> Verdict {
        let deciding = self.tally.deciding(self.state().was_established());
        let none = Verdict { kind: VerdictKind::Unknown, evidence: None, site: None };
        deciding.cloned().unwrap_or(none)
    }

    /// ICMP of which only bridge lines were seen: no echo identifier is known.
    fn is_addresses_only(&self) -> bool {
        self.layers.iter().all(|layer| *layer == Layer::Bridge)
    }
}

/// The later of two stamps, clock by clock.
fn later(one: Stamp, other: Stamp) -> Stamp {
    Stamp { wall: one.wall.max(other.wall), uptime: one.uptime.max(other.uptime) }
}
