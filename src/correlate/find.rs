//! Which open packet owns a line.

use smallvec::SmallVec;

use super::connection::{ConnectionRef, OpenConnection};
use super::flow::{FlowKey, FlowSight, behind_extension, is_extension};
use super::host::HostMachine;
use super::identity::{self, Rewrite};
use super::packet::{Fit, OpenPacket, PacketRef, Sight};
use crate::model::{Confidence, Direction, Header, Ip, Stop, TailKey};

/// A packet touched no longer ago than this is the one a CPU is working on.
const FRESH_US: i64 = 2_000;
/// Between two lines of one packet a CPU that does nothing else takes no longer than this.
const AT_HAND_US: i64 = 60;
/// On the way in a frame and its IP lines are never further apart than this.
const STALE_INGRESS_US: i64 = 100_000;
/// How many open packets of one direction are looked at, latest first.
const LOOK_BACK: usize = 128;

/// The packet that owns a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) packet: PacketRef,
    pub(super) fit: Fit,
    /// The line's bytes from `IN=` on are those of this packet's last nf-line.
    pub(super) same_tail: bool,
}

type Candidates = SmallVec<[(PacketRef, Fit); 4]>;

impl HostMachine {
    /// Finds the packet that owns the line, and marks how sure that is.
    pub(super) fn find(&mut self, sight: &Sight<'_>) -> Option<Found> {
        if let Some(found) = self.find_by_tail(sight) {
            return Some(found);
        }
        let (packet, fit) = self
            .find_by_identity(sight)
            .or_else(|| self.find_error_at_hand(sight))
            .or_else(|| self.find_by_connection(sight))
            .or_else(|| self.find_among_recent(sight))?;
        Some(Found { packet, fit, same_tail: false })
    }

    fn find_by_tail(&self, sight: &Sight<'_>) -> Option<Found> {
        let TailKey { slot, generation } = sight.entry.tail?;
        let (known, packet) = *self.tails.get(&slot)?;
        let open = self.packets.get(packet).filter(|open| known == generation && !open.twin)?;
        let fit = open.fit(sight, Rewrite::None)?;
        Some(Found { packet, fit, same_tail: true })
    }

    /// By what stays the same on every line of a packet.
    fn find_by_identity(&mut self, sight: &Sight<'_>) -> Option<(PacketRef, Fit)> {
        let header = sight.entry.header;
        let keys = identity::keys(&self.hasher, header)?;
        let mut fitting: Candidates = self
            .identities
            .find(keys)
            .into_iter()
            .filter_map(|packet| Some((packet, self.fit_by_identity(packet, header, sight)?)))
            .collect();
        // A packet that shows this very tuple leaves no room for one that NAT would have to rewrite.
        let is_plain = |packet: PacketRef| rewrite(&self.packets[packet], header) == Rewrite::None;
        if fitting.iter().any(|(packet, _)| is_plain(*packet)) {
            fitting.retain(|(packet, _)| is_plain(*packet));
        }
        // The one further on first; of equals the older one.
        fitting.sort_by_key(|(packet, _)| {
            let open = &self.packets[*packet];
            (std::cmp::Reverse(open.progress()), open.key)
        });
        let best = *fitting.first()?;
        if let Some(second) = fitting.get(1) {
            let as_far = self.packets[second.0].progress() == self.packets[best.0].progress();
            self.mark(&fitting, if as_far { Confidence::Ambiguous } else { Confidence::Likely });
        }
        Some(best)
    }

    fn fit_by_identity(
        &self,
        packet: PacketRef,
        header: &Header,
        sight: &Sight<'_>,
    ) -> Option<Fit> {
        let open = self.packets.get(packet)?;
        let (_, known) = open.identity.as_ref()?;
        let same = match (known.ip(), header.ip()) {
            (Some(known), Some(ip)) => identity::same_packet(known, ip),
            (None, None) => identity::same_frame(known, header),
            _ => false,
        };
        if !same {
            return None;
        }
        open.fit(sight, rewrite(open, header))
    }

    /// By connection and direction: frames, which carry no identity; IP lines behind their frame;
    /// LOG lines without sequence numbers.
    fn find_by_connection(&mut self, sight: &Sight<'_>) -> Option<(PacketRef, Fit)> {
        let flow = FlowSight::of(sight.entry.header).key()?;
        let (connection, direction) = self.lookup_any(FlowSight::of(sight.entry.header), flow)?;
        let mut fitting: Candidates = self
            .open_packets(connection, direction)
            .rev()
            .take(LOOK_BACK)
            .filter_map(|packet| Some((packet, self.fit_without_identity(packet, sight)?)))
            .collect();
        if flow.protocol.is_icmp() {
            self.add_other_conversations(&mut fitting, sight);
        }
        fitting.reverse();
        self.choose(&fitting, sight)
    }

    /// Frames of ICMP print no identifier: what two hosts say to each other besides is as good a guess.
    fn add_other_conversations(&self, fitting: &mut Candidates, sight: &Sight<'_>) {
        let header = sight.entry.header;
        for packet in self.recent.latest_first() {
            let is_known = fitting.iter().any(|(known, _)| *known == packet);
            let fresh = self.packets.get(packet).filter(|open| {
                let age_us = sight.now_us.saturating_sub(open.touched_us);
                age_us <= FRESH_US && open.inner.is_none() && open.last_ip().is_some()
            });
            if let (false, Some(open)) = (is_known, fresh)
                && shows_same_sides(open.last_ip(), header)
                && (sight.place.bridge || open.is_bridge_only())
                && rewrite(open, header) == Rewrite::None
                && let Some(fit) = open.fit(sight, Rewrite::None)
            {
                fitting.push((packet, fit));
            }
        }
        fitting.sort_by_key(|(packet, _)| std::cmp::Reverse(self.packets[*packet].key));
    }

    /// The connection a line's flow may mean, exact names first.
    pub(super) fn lookup_any(
        &self,
        sight: FlowSight,
        flow: FlowKey,
    ) -> Option<(ConnectionRef, Direction)> {
        match sight {
            FlowSight::Hidden(flow) => {
                behind_extension(flow).into_iter().find_map(|name| self.lookup(name))
            }
            _ if flow.protocol.is_icmp() => {
                self.lookup(flow).or_else(|| self.lookup(flow.addresses_only()))
            }
            _ => self.lookup(flow),
        }
    }

    fn fit_without_identity(&self, packet: PacketRef, sight: &Sight<'_>) -> Option<Fit> {
        let open = self.packets.get(packet)?;
        let same = match (open.last_whole_ip(), sight.entry.header.ip()) {
            // Only frames so far, which tell no more than their flow.
            (None, _) => open.is_bridge_only(),
            (Some(_), Some(ip)) if sight.place.bridge && ip.length.is_none() => true,
            (Some(known), Some(ip)) => {
                (identity::lacks_sequence(known) || identity::lacks_sequence(ip))
                    && identity::same_packet(known, ip)
            }
            (Some(_), None) => false,
        };
        if !same {
            return None;
        }
        open.fit(sight, rewrite(open, sight.entry.header))
    }

    /// A frame of ICMP right behind the ICMP error this host was just working on: an error has no
    /// flow of its own by which its frame could be told from an echo's.
    fn find_error_at_hand(&self, sight: &Sight<'_>) -> Option<(PacketRef, Fit)> {
        let header = sight.entry.header;
        let packet = self.last_line?;
        let open = self.packets.get(packet).filter(|open| open.inner.is_some())?;
        let is_frame = matches!(FlowSight::of(header), FlowSight::AddressesOnly(_));
        let same = shows_same_sides(open.last_ip(), header);
        let fit = (is_frame && same).then(|| open.fit(sight, rewrite(open, header))).flatten()?;
        Some((packet, fit))
    }

    /// Of several packets waiting in the same flow: first come, first served, but the one at hand before one left behind.
    fn choose(
        &mut self,
        fitting: &[(PacketRef, Fit)],
        sight: &Sight<'_>,
    ) -> Option<(PacketRef, Fit)> {
        let age_us =
            |packet: PacketRef| sight.now_us.saturating_sub(self.packets[packet].touched_us);
        let is_egress = fitting.first().is_some_and(|(_, fit)| {
            matches!(
                fit.stop,
                Some(Stop::BridgeOutput | Stop::BridgePostrouting | Stop::Postrouting)
            )
        });
        let first = |wanted: &dyn Fn(PacketRef) -> bool| {
            fitting.iter().copied().find(|(packet, _)| wanted(*packet))
        };
        let fresh = fitting.iter().filter(|(packet, _)| age_us(*packet) <= FRESH_US).count();
        let chosen = first(&|packet| self.packets[packet].released)
            .or_else(|| first(&|packet| age_us(packet) <= FRESH_US))
            .or_else(|| if is_egress { fitting.first().copied() } else { None })
            .or_else(|| {
                fitting
                    .iter()
                    .rev()
                    .copied()
                    .find(|(packet, _)| age_us(*packet) <= STALE_INGRESS_US)
            })?;
        if fitting.len() > 1 {
            self.mark(fitting, if fresh == 1 { Confidence::Likely } else { Confidence::Ambiguous });
        }
        Some(chosen)
    }

    /// A frame whose tuple no connection knows yet (NAT has just changed it, or none is printed).
    fn find_among_recent(&mut self, sight: &Sight<'_>) -> Option<(PacketRef, Fit)> {
        let header = sight.entry.header;
        let flow = FlowSight::of(header);
        // An IP line finds its frame by its connection, except where the frame tells none.
        let is_icmp = flow.key().is_some_and(|flow| flow.protocol.is_icmp());
        let by_frame_only = !sight.place.bridge
            && !is_icmp
            && !matches!(flow, FlowSight::None | FlowSight::Error(_));
        // Frames of ICMP print no identifier: between two hosts there may be other conversations.
        let is_known = !matches!(flow, FlowSight::AddressesOnly(_))
            && sight.place.bridge
            && flow.key().is_some_and(|flow| self.lookup(flow).is_some());
        let may_own = |open: &OpenPacket| match (by_frame_only, is_known) {
            (true, _) => open.is_bare_frame(),
            // The connection is known by its other direction; NAT has just turned this packet into it.
            (_, true) => self.is_alone_in_its_connection(open),
            (false, false) => sight.place.bridge || open.identity.is_none() || open.is_bare_frame(),
        };
        let mut fitting: Candidates = SmallVec::new();
        for packet in self.recent.latest_first() {
            let is_known = fitting.iter().any(|(known, _)| *known == packet);
            let fresh = self
                .packets
                .get(packet)
                .filter(|open| sight.now_us.saturating_sub(open.touched_us) <= FRESH_US);
            if let (false, Some(open)) = (is_known, fresh)
                && (header.ip().is_none() || open.last_ip().is_some() || open.is_bare_frame())
                && shows_same_sides(open.last_ip(), header)
                && let Some(fit) = open.fit(sight, rewrite(open, header))
                && may_own(open)
            {
                fitting.push((packet, fit));
            }
        }
        if fitting.len() > 1 {
            self.mark(&fitting, Confidence::Ambiguous);
        } else if header.ip().is_none() || by_frame_only {
            self.mark(&fitting, Confidence::Likely);
        }
        if header.ip().is_some() && !by_frame_only {
            return fitting.first().copied();
        }
        self.next_in_turn(&fitting, sight)
    }

    /// Of packets that several CPUs work on at once, the one whose line is longest due; else the latest.
    fn next_in_turn(
        &self,
        latest_first: &[(PacketRef, Fit)],
        sight: &Sight<'_>,
    ) -> Option<(PacketRef, Fit)> {
        let touched_us = |packet: PacketRef| self.packets[packet].touched_us;
        let at_hand = |packet: PacketRef| sight.now_us - touched_us(packet) <= AT_HAND_US;
        latest_first
            .iter()
            .rev()
            .filter(|(packet, _)| at_hand(*packet))
            .min_by_key(|(packet, _)| touched_us(*packet))
            .or_else(|| latest_first.first())
            .copied()
    }

    fn is_alone_in_its_connection(&self, open: &OpenPacket) -> bool {
        open.connection
            .and_then(|connection| self.connections.get(connection))
            .is_some_and(OpenConnection::is_one_open_packet)
    }

    /// Lowers the confidence of every packet that could own a line.
    fn mark(&mut self, candidates: &[(PacketRef, Fit)], confidence: Confidence) {
        for (packet, _) in candidates {
            let open = &mut self.packets[*packet];
            open.confidence = open.confidence.max(confidence);
        }
    }
}

/// What would have been rewritten if the line were the packet's next one.
fn rewrite(open: &OpenPacket, header: &Header) -> Rewrite {
    match (open.last_ip(), header.ip()) {
        (Some(known), Some(ip)) => identity::rewrite_between(known, ip),
        _ => Rewrite::None,
    }
}

/// Whether a frame can be a packet's although NAT changed one side: the other side is equal.
fn shows_same_sides(known: Option<&Ip>, frame: &Header) -> bool {
    match (known, frame.ip()) {
        (Some(known), Some(ip)) => {
            (known.protocol == ip.protocol || is_hidden_frame(known) || is_hidden_frame(ip))
                && identity::sides_shared(known, ip)
        }
        // Frames without addresses can be told by ports and MAC addresses only.
        (Some(_), None) => {
            matches!(frame.network, crate::model::Network::Absent) && is_ip_ethertype(frame)
        }
        (None, None) => false,
        (None, Some(_)) => true,
    }
}

/// A frame whose transport protocol stands behind an extension header.
fn is_hidden_frame(known: &Ip) -> bool {
    known.length.is_none() && known.protocol.is_some_and(is_extension)
}

fn is_ip_ethertype(frame: &Header) -> bool {
    matches!(frame.link.ethertype(), Some(0x0800 | 0x86dd))
}
