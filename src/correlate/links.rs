//! Relations: ICMP errors, REJECT's answers, ARP waits, retransmissions, docker-proxy's halves.

use super::connection::{ConnectionRef, Segment, side};
use super::flow::FlowKey;
use super::host::HostMachine;
use super::packet::{OpenPacket, PacketRef, Sight};
use super::recent::FragmentKey;
use super::tcp::{self, Bytes};
use crate::model::{
    Direction, Header, Ip, IpFlags, Link, LinkKind, LinkTarget, Network, Outcome, PacketKey,
    Protocol, Site, SiteKind, Stop, Tcp, TcpFlags,
};

/// How many segments of each direction are remembered for telling retransmissions.
const SEGMENTS: usize = 8;
/// docker-proxy dials the container at once; later connections are somebody else's.
const PROXY_US: i64 = 2_000_000;
/// How many possible pairs of connections are kept.
const PAIRS: usize = 256;

impl HostMachine {
    /// Puts an ICMP error into the connection it is about.
    pub(super) fn relate_error(
        &mut self,
        packet: PacketRef,
        sight: &Sight<'_>,
        inner: FlowKey,
        out: &mut Vec<Outcome>,
    ) {
        let Some((connection, direction)) = self.lookup(inner) else { return };
        self.join(packet, connection, Direction::Related);
        let Some(error) = sight.entry.header.ip() else { return };
        let quoted = error.icmp().and_then(|icmp| icmp.inner.as_deref());
        let target = quoted.and_then(|quoted| {
            self.open_packets(connection, direction)
                .rev()
                .find(|open| self.is_quoted(*open, quoted))
        });
        let from = LinkTarget::Packet(self.packets[packet].key);
        let (to, evidence) = match target.and_then(|target| self.packet_key(target)) {
            Some(key) => (LinkTarget::Packet(key), "the error quotes this packet's header"),
            None => (
                LinkTarget::Connection(self.connections[connection].key),
                "the error quotes this connection's tuple",
            ),
        };
        out.push(Outcome::Link(Link {
            kind: LinkKind::IcmpError,
            from,
            to,
            evidence: evidence.into(),
        }));
        if let Some(target) = target.filter(|target| self.was_rejected(*target, sight)) {
            self.packets[target].rejected = true;
        }
    }

    fn is_quoted(&self, packet: PacketRef, quoted: &Ip) -> bool {
        let Some((_, header)) = self.packets.get(packet).and_then(|open| open.identity.as_ref())
        else {
            return false;
        };
        let Some(ip) = header.ip() else { return false };
        let sequence = |ip: &Ip| ip.tcp().and_then(|tcp| tcp.seq_ack).map(|(seq, _)| seq);
        ip.id == quoted.id
            && sequence(ip) == sequence(quoted)
            && (ip.length == quoted.length || ip.id.is_none())
    }

    /// Whether the packet ended at a rule and the line is this host's own answer to it.
    fn was_rejected(&self, packet: PacketRef, answer: &Sight<'_>) -> bool {
        let is_own_answer =
            answer.place.stops.has(Stop::Output) && answer.entry.header.devices.input.is_none();
        is_own_answer && self.packets.get(packet).is_some_and(ended_at_a_rule)
    }

    /// Takes a packet's transport header into its connection's state.
    pub(super) fn note_transport(&mut self, packet: PacketRef, sight: &Sight<'_>) {
        let options_are_printed = matches!(&**sight.entry.site, Site::Trace { .. });
        self.note_segment(packet, sight.entry.header, options_are_printed);
        self.note_reset(packet, sight);
    }

    pub(super) fn note_segment(
        &mut self,
        packet: PacketRef,
        header: &Header,
        options_are_printed: bool,
    ) {
        let Some(ip) = header.ip() else { return };
        let Some(tcp) = ip.tcp() else { return };
        let open = &self.packets[packet];
        let (Some(connection), Some(direction)) = (open.connection, open.direction) else { return };
        let payload = tcp::payload(ip, tcp, options_are_printed);
        let key = open.key;
        self.packets[packet].is_noted = true;
        let Some(connection) = self.connections.get_mut(connection) else { return };
        connection.tcp.segment(tcp, payload, direction == Direction::Reply);
        let (Some((seq, _)), true) = (tcp.seq_ack, occupies_sequence(tcp, payload)) else { return };
        let Some(segments) = connection.segments.get_mut(side(direction)) else { return };
        let markers = tcp.flags.0 & (TcpFlags::SYN | TcpFlags::FIN);
        let ip_id = ip.id.filter(|id| *id != 0);
        let segment = Segment { seq, markers, ip_id, packet: key };
        match segments.iter().find(|known| known.seq == seq && known.markers == markers) {
            Some(first) if first.ip_id.is_some() && first.ip_id == ip_id => {}
            Some(first) => self.retransmissions.push((key, first.packet)),
            None => {
                if segments.len() == SEGMENTS {
                    segments.remove(0);
                }
                segments.push(segment);
            }
        }
    }

    /// REJECT's TCP reset: this host's own RST to a packet that ended at a rule.
    fn note_reset(&mut self, packet: PacketRef, sight: &Sight<'_>) {
        let Some(tcp) = sight.entry.header.ip().and_then(|ip| ip.tcp()) else { return };
        let open = &self.packets[packet];
        let (Some(connection), Some(Direction::Original | Direction::Reply)) =
            (open.connection, open.direction)
        else {
            return;
        };
        if !tcp.flags.has(TcpFlags::RST) {
            return;
        }
        let other = super::connection::opposite(open.direction.unwrap_or(Direction::Original));
        let target = self
            .open_packets(connection, other)
            .rev()
            .find(|target| self.was_rejected(*target, sight) && self.is_answered_by(*target, tcp));
        if let Some(target) = target
            && let Some(to) = self.packet_key(target)
        {
            self.packets[target].rejected = true;
            self.resets.push((self.packets[packet].key, to));
        }
    }

    fn is_answered_by(&self, packet: PacketRef, reset: &Tcp) -> bool {
        let known = self.packets.get(packet).and_then(|open| open.identity.as_ref());
        let Some(asked) = known.and_then(|(_, header)| header.ip()).and_then(|ip| ip.tcp()) else {
            return false;
        };
        match (asked.seq_ack, reset.seq_ack) {
            (Some((seq, ack)), Some((reset_seq, reset_ack))) => {
                (asked.flags.has(TcpFlags::ACK) && reset_seq == ack)
                    || reset_ack.wrapping_sub(seq) < 1 << 16
            }
            _ => false,
        }
    }

    /// Links an ARP frame to the packets that wait for its answer.
    pub(super) fn link_neighbour(
        &mut self,
        packet: PacketRef,
        sight: &Sight<'_>,
        out: &mut Vec<Outcome>,
    ) {
        let Network::Arp(arp) = &sight.entry.header.network else { return };
        let Some(addresses) = arp.addresses else { return };
        let is_first_line = self.packets[packet].steps.len() == 1;
        let asked = match arp.operation {
            1 if sight.entry.header.devices.input.is_none() => addresses.target_ip,
            2 if sight.entry.header.devices.output.is_none() => addresses.sender_ip,
            _ => return,
        };
        if !is_first_line {
            return;
        }
        let arp_key = self.packets[packet].key;
        let mut waiting: Vec<(PacketKey, PacketRef)> = Vec::new();
        for candidate in self.recent.latest_first() {
            if let Some(open) = self.packets.get(candidate)
                && open.waits_for(asked.into())
                && !waiting.iter().any(|(known, _)| *known == open.key)
            {
                waiting.push((open.key, candidate));
            }
        }
        waiting.sort_unstable();
        for (key, waiter) in waiting {
            let open = &mut self.packets[waiter];
            let waited_us = sight.now_us.saturating_sub(open.touched_us);
            let evidence = if arp.operation == 2 {
                open.released = true;
                format!("waited {waited_us} µs for the answer where {asked} is").into_boxed_str()
            } else {
                format!("this host asked where {asked} is before the packet could leave")
                    .into_boxed_str()
            };
            let (from, to) = (LinkTarget::Packet(key), LinkTarget::Packet(arp_key));
            out.push(Outcome::Link(Link { kind: LinkKind::ArpWait, from, to, evidence }));
        }
    }

    /// Remembers the first fragment of a datagram, by which the others find their connection.
    pub(super) fn remember_first_fragment(&mut self, packet: PacketRef, sight: &Sight<'_>) {
        let open = &self.packets[packet];
        if let (Some(ip), Some(connection), Some(direction)) =
            (sight.entry.header.ip(), open.connection, open.direction)
            && let Some(key) = fragment_key(ip)
        {
            self.fragments.remember(key, connection, direction);
        }
    }

    /// Puts a later fragment into the connection of its first one.
    pub(super) fn place_fragment(&mut self, packet: PacketRef, sight: &Sight<'_>) {
        if let Some((connection, direction)) =
            sight.entry.header.ip().and_then(fragment_key).and_then(|key| self.fragments.find(key))
            && self.connections.contains_key(connection)
        {
            self.join(packet, connection, direction);
        }
    }

    /// Hands out the links found while a packet was being placed.
    pub(super) fn hand_out_links(&mut self, out: &mut Vec<Outcome>) {
        for (later, first) in self.retransmissions.drain(..) {
            let (from, to) = (LinkTarget::Packet(later), LinkTarget::Packet(first));
            let evidence = "the same sequence number as this earlier packet".into();
            out.push(Outcome::Link(Link { kind: LinkKind::Retransmission, from, to, evidence }));
        }
        for (reset, rejected) in self.resets.drain(..) {
            let (from, to) = (LinkTarget::Packet(reset), LinkTarget::Packet(rejected));
            let evidence = "this host's own reset, right after the packet ended at a rule".into();
            out.push(Outcome::Link(Link { kind: LinkKind::Reset, from, to, evidence }));
        }
    }

    /// Notes that a new outgoing connection may be the far half of a proxy.
    pub(super) fn note_possible_proxy(&mut self, connection: ConnectionRef) {
        let open = &self.connections[connection];
        if open.protocol() != Protocol::TCP {
            return;
        }
        if open.is_local_out {
            let connections = &self.connections;
            let is_under_way =
                |near: ConnectionRef| connections.get(near).is_some_and(|near| near.tcp.is_open());
            self.proxies.pair(connection, open.began_us, is_under_way);
        }
        self.proxies.remember(connection, open.began_us);
    }

    /// Links a proxy's two halves when one of them ends: as many payload bytes each way.
    pub(super) fn link_proxy(&mut self, connection: ConnectionRef, out: &mut Vec<Outcome>) {
        for (near, far) in self.proxies.take_pairs_of(connection) {
            let (Some(one), Some(other)) = (self.connections.get(near), self.connections.get(far))
            else {
                continue;
            };
            let dials_elsewhere = one.original.destination() != other.original.destination();
            if !one.is_local_in || !dials_elsewhere || self.proxies.is_linked(near, far) {
                continue;
            }
            let (Some(there), Some(back)) = (
                same_bytes(one.tcp.original.bytes(), other.tcp.original.bytes()),
                same_bytes(one.tcp.reply.bytes(), other.tcp.reply.bytes()),
            ) else {
                continue;
            };
            if there + back == 0 {
                continue;
            }
            let later_us = other.began_us.saturating_sub(one.began_us);
            let evidence = format!(
                "opened {later_us} µs later, {there} bytes there and {back} bytes back on both"
            )
            .into();
            let (from, to) = (LinkTarget::Connection(other.key), LinkTarget::Connection(one.key));
            out.push(Outcome::Link(Link { kind: LinkKind::Proxy, from, to, evidence }));
            self.proxies.link(near, far);
        }
    }
}

/// Connections that may be a proxy's two halves.
#[derive(Debug, Default)]
pub(super) struct ProxyPairs {
    opened: std::collections::VecDeque<(ConnectionRef, i64)>,
    pairs: std::collections::VecDeque<(ConnectionRef, ConnectionRef)>,
    linked: std::collections::VecDeque<ConnectionRef>,
}

impl ProxyPairs {
    fn remember(&mut self, connection: ConnectionRef, began_us: i64) {
        if self.opened.len() == PAIRS {
            self.opened.pop_front();
        }
        self.opened.push_back((connection, began_us));
    }

    /// Pairs an outgoing connection with those opened shortly before and still under way, latest first.
    fn pair(
        &mut self,
        far: ConnectionRef,
        began_us: i64,
        is_under_way: impl Fn(ConnectionRef) -> bool,
    ) {
        let nears = self
            .opened
            .iter()
            .rev()
            .take_while(|(_, opened_us)| began_us - opened_us <= PROXY_US)
            .take(16);
        let nears: Vec<ConnectionRef> =
            nears.map(|(near, _)| *near).filter(|near| is_under_way(*near)).collect();
        for near in nears {
            if self.pairs.len() == PAIRS * 4 {
                self.pairs.pop_front();
            }
            self.pairs.push_back((near, far));
        }
    }

    fn take_pairs_of(&mut self, connection: ConnectionRef) -> Vec<(ConnectionRef, ConnectionRef)> {
        let concerns =
            |pair: &(ConnectionRef, ConnectionRef)| pair.0 == connection || pair.1 == connection;
        let taken = self.pairs.iter().copied().filter(concerns).collect();
        self.pairs.retain(|pair| !concerns(pair));
        taken
    }

    fn is_linked(&self, near: ConnectionRef, far: ConnectionRef) -> bool {
        self.linked.contains(&near) || self.linked.contains(&far)
    }

    fn link(&mut self, near: ConnectionRef, far: ConnectionRef) {
        if self.linked.len() >= PAIRS {
            self.linked.drain(..2);
        }
        self.linked.extend([near, far]);
    }
}

/// The payload both connections carried in one direction, when it can be the same.
fn same_bytes(one: Option<Bytes>, other: Option<Bytes>) -> Option<u32> {
    one?.common(other?)
}

fn ended_at_a_rule(open: &OpenPacket) -> bool {
    let at_a_verdict_hook = matches!(open.stop, Some(Stop::Input | Stop::Forward | Stop::Output));
    let last = open.steps.last();
    at_a_verdict_hook
        && last.is_some_and(|step| {
            matches!(step.trace_kind(), Some(SiteKind::Rule(_)))
                || matches!(&*step.site, Site::Log { .. })
        })
}

/// Whether a segment takes up sequence space, so that a second one like it is a retransmission.
fn occupies_sequence(tcp: &Tcp, payload: Option<u32>) -> bool {
    let is_marker = tcp.flags.has(TcpFlags::SYN) || tcp.flags.has(TcpFlags::FIN);
    !tcp.flags.has(TcpFlags::RST) && (is_marker || payload.is_some_and(|payload| payload > 0))
}

fn fragment_key(ip: &Ip) -> Option<FragmentKey> {
    let fragment = ip.fragment;
    let id = match fragment.and_then(|fragment| fragment.id) {
        Some(id) => id,
        None if fragment.is_some() || ip.flags.has(IpFlags::MF) => u32::from(ip.id?),
        None => return None,
    };
    // AH prints no protocol on later fragments; nothing else does without.
    let protocol = ip.protocol.unwrap_or(Protocol::AH);
    Some(FragmentKey {
        flow: FlowKey { protocol, src: ip.src, dst: ip.dst, sport: 0, dport: 0 },
        id,
    })
}
