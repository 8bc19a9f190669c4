//! An open packet: the steps it has taken, and whether a line can be its next one.

use std::sync::Arc;

use smallvec::SmallVec;

use super::connection::ConnectionRef;
use super::flow::FlowKey;
use super::identity::{IdentityKeys, Rewrite, agree};
use super::place::{is_group_frame, layer_of};
use super::ports::Ports;
use super::walk::Walk;
use crate::model::{
    Boot, Confidence, Devices, Direction, Entry, Header, Hop, HostId, IfName, Ip, Layer, Mac,
    Network, Packet, PacketKey, Place, Position, Site, SiteKind, Stamp, Step, StepLines, Stop,
    StopSet, Table, Trust, Verdict, ruled_out_by,
};

slotmap::new_key_type! {
    /// Names an open packet.
    pub(super) struct PacketRef;
}

/// Copies of a flooded frame leave one port after the other within this time.
const FLOOD_US: i64 = 1_000;

/// One line, with what the map says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'e> {
    pub(super) entry: &'e Entry<'e>,
    pub(super) place: Place,
    pub(super) layer: Layer,
    pub(super) now_us: i64,
    /// The bridge that the line's port belongs to, as learnt so far.
    pub(super) bridge: Option<IfName>,
}

impl<'e> Sight<'e> {
    pub(super) fn of(entry: &'e Entry<'e>, now_us: i64, ports: &Ports) -> Self {
        let devices = &entry.header.devices;
        let port = devices.input.or(devices.output);
        // nft's bridge family logs like the others, but names the port instead of the bridge.
        let at_port = matches!(**entry.site, Site::Log { .. })
            && devices.physin.is_none()
            && port.is_some_and(|port| ports.bridge_of(port).is_some());
        let place = Place::of(entry.site, devices, at_port);
        let bridge = if place.bridge { port.and_then(|port| ports.bridge_of(port)) } else { None };
        let layer = if at_port { Layer::Bridge } else { layer_of(entry.site, entry.header) };
        Self { entry, place, layer, now_us, bridge }
    }

    fn devices(&self) -> &'e Devices {
        &self.entry.header.devices
    }
}

/// How a line follows what a packet has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FitKind {
    /// The next line inside the same hook.
    Continue,
    /// The first line of a later hook.
    Advance,
    /// Loopback: the way in after the way out.
    SecondPass,
    /// The same bridge hook for another port.
    FloodCopy,
}

/// A line's place in a packet that could own it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fit {
    pub(super) stop: Option<Stop>,
    pub(super) kind: FitKind,
}

/// One step, as collected.
#[derive(Debug)]
pub(super) struct OpenStep {
    pub(super) site: Arc<Site>,
    pub(super) layer: Layer,
    pub(super) stop: Option<Stop>,
    pub(super) header: Arc<Header>,
    pub(super) stamp: Stamp,
    head: Position,
    pieces: SmallVec<[Position; 0]>,
}

impl OpenStep {
    pub(super) fn hop(&self) -> Hop {
        Hop { layer: self.layer, site: Arc::clone(&self.site), devices: self.header.devices }
    }

    pub(super) fn trace_kind(&self) -> Option<SiteKind> {
        match &*self.site {
            Site::Trace { kind, .. } => Some(*kind),
            Site::Log { .. } | Site::Bridge { .. } | Site::BridgeLog { .. } => None,
        }
    }
}

/// A packet that may still get lines.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own; they do not exclude each other"
)]
pub(super) struct OpenPacket {
    pub(super) key: PacketKey,
    pub(super) connection: Option<ConnectionRef>,
    pub(super) direction: Option<Direction>,
    pub(super) confidence: Confidence,
    pub(super) steps: Vec<OpenStep>,
    /// The flow its last line with addresses showed.
    pub(super) flow: Option<FlowKey>,
    /// For an ICMP error: the flow it is about, as its last line showed it.
    pub(super) inner: Option<FlowKey>,
    /// The last header with a full IP part (nf-lines), or of a frame that is not IP.
    pub(super) identity: Option<(IdentityKeys, Arc<Header>)>,
    pub(super) touched_us: i64,
    /// Another open packet has the very same identity: the short way by tail is not safe.
    pub(super) twin: bool,
    /// The ARP answer it waited for has come.
    pub(super) released: bool,
    /// Its transport header was taken into its connection's state.
    pub(super) is_noted: bool,
    /// A fragment's frame, which the kernel put together with others: not a packet of its own to conntrack.
    pub(super) is_piece: bool,
    /// conntrack said that it belongs to no connection (`nf_conntrack_log_invalid`).
    pub(super) is_invalid: bool,
    /// REJECT answered it.
    pub(super) rejected: bool,
    /// It was to leave through a bridge and was not seen leaving.
    pub(super) is_stranded: bool,
    /// Lines are known to have been lost while it was open.
    pub(super) lossy: bool,
    pub(super) trust: Trust,
    seen: StopSet,
    pub(super) stop: Option<Stop>,
    pub(super) table: Option<Table>,
    walk: Walk,
    ip_devices: Option<Devices>,
    second_pass: bool,
    seen_nat: bool,
    ingress: Ingress,
    egress: Egress,
}

#[derive(Debug, Default)]
struct Ingress {
    port: Option<IfName>,
    macs: Option<(Mac, Mac)>,
    group: bool,
}

#[derive(Debug, Default)]
struct Egress {
    ports: SmallVec<[(Stop, Option<Table>, IfName); 2]>,
    macs: Option<(Mac, Mac)>,
}

impl OpenPacket {
    pub(super) fn new(sight: &Sight<'_>) -> Self {
        Self {
            key: PacketKey::from(sight.entry.position),
            connection: None,
            direction: None,
            confidence: Confidence::Exact,
            steps: Vec::with_capacity(4),
            flow: None,
            inner: None,
            identity: None,
            touched_us: sight.now_us,
            twin: false,
            released: false,
            is_noted: false,
            is_piece: false,
            is_invalid: says_invalid(sight.entry.site),
            rejected: false,
            is_stranded: false,
            lossy: false,
            trust: sight.entry.trust,
            seen: StopSet::EMPTY,
            stop: None,
            table: None,
            walk: Walk::default(),
            ip_devices: None,
            second_pass: false,
            seen_nat: false,
            ingress: Ingress::default(),
            egress: Egress::default(),
        }
    }

    /// Where a packet's first line stands.
    pub(super) fn first_fit(sight: &Sight<'_>) -> Fit {
        let stop = sight.place.stops.iter().next();
        Fit { stop, kind: FitKind::Advance }
    }

    /// Whether only bridge lines were seen so far.
    pub(super) fn is_bridge_only(&self) -> bool {
        self.ip_devices.is_none()
    }

    pub(super) fn has_seen(&self, stop: Stop) -> bool {
        self.seen.has(stop)
    }

    /// Whether both came in by the same port from the same sender.
    pub(super) fn came_in_like(&self, other: &Self) -> bool {
        self.ingress.port == other.ingress.port && self.ingress.macs == other.ingress.macs
    }

    /// The latest IP header it showed, on whichever layer.
    pub(super) fn last_ip(&self) -> Option<&Ip> {
        self.steps.iter().rev().find_map(|step| step.header.ip())
    }

    /// The latest IP header that was printed whole, as nf-lines do.
    pub(super) fn last_whole_ip(&self) -> Option<&Ip> {
        let whole = |step: &OpenStep| step.header.ip().is_some_and(|ip| ip.length.is_some());
        self.steps.iter().rev().find(|step| whole(step)).and_then(|step| step.header.ip())
    }

    /// Whether a line of the nat table shows that both translations were still open.
    pub(super) fn was_new_to_nat(&self) -> bool {
        self.seen_nat && !self.second_pass
    }

    /// Where its first line stands.
    pub(super) fn head(&self) -> Option<Position> {
        self.steps.first().map(|step| step.head)
    }

    /// Whether it is on its way out through a bridge and has not been seen leaving.
    pub(super) fn waits_for_neighbour(&self, ports: &Ports) -> bool {
        self.is_leaving() && self.output().is_some_and(|device| ports.is_bridge(device))
    }

    /// Whether it waits to be sent to this very neighbour.
    pub(super) fn waits_for(&self, neighbour: std::net::IpAddr) -> bool {
        self.is_leaving() && self.flow.is_some_and(|flow| flow.dst == neighbour)
    }

    fn is_leaving(&self) -> bool {
        matches!(self.stop, Some(Stop::Postrouting | Stop::Forward | Stop::Output))
            && !self.seen.has(Stop::BridgeOutput)
            && !self.seen.has(Stop::BridgePostrouting)
    }

    pub(super) fn output(&self) -> Option<IfName> {
        self.ip_devices.and_then(|devices| devices.output)
    }

    /// How far it has come; of two packets that fit a line, the one further on is likelier.
    pub(super) fn progress(&self) -> u32 {
        let pass = u32::from(self.second_pass) << 16;
        let stop = self.stop.map_or(0, |stop| (stop as u32 + 1) << 8);
        let rank =
            self.stop.zip(self.table).map_or(0, |(stop, table)| u32::from(stop.table_rank(table)));
        pass | stop | rank
    }

    /// Whether the line can be this packet's next one, judged by the packet's way alone.
    pub(super) fn fit(&self, sight: &Sight<'_>, rewrite: Rewrite) -> Option<Fit> {
        if sight.place.bridge { self.fit_bridge(sight) } else { self.fit_ip(sight, rewrite) }
    }

    fn fit_ip(&self, sight: &Sight<'_>, rewrite: Rewrite) -> Option<Fit> {
        // The source is rewritten after the last hook of the way out, where only loopback looks again.
        if matches!(rewrite, Rewrite::Source | Rewrite::Both) {
            return self.fit_second_pass(sight);
        }
        if self.continues(sight, rewrite) {
            return Some(Fit { stop: self.stop, kind: FitKind::Continue });
        }
        let advance = sight.place.stops.iter().find(|stop| self.advances_to(*stop, sight));
        if let Some(stop) = advance {
            return Some(Fit { stop: Some(stop), kind: FitKind::Advance });
        }
        let flood = sight.place.stops.iter().find(|stop| self.floods_on(*stop, sight));
        if let Some(stop) = flood {
            return Some(Fit { stop: Some(stop), kind: FitKind::FloodCopy });
        }
        self.fit_second_pass(sight)
    }

    fn fit_second_pass(&self, sight: &Sight<'_>) -> Option<Fit> {
        let second =
            sight.place.stops.iter().find(|stop| self.comes_back_by_loopback(*stop, sight));
        second.map(|stop| Fit { stop: Some(stop), kind: FitKind::SecondPass })
    }

    fn continues(&self, sight: &Sight<'_>, rewrite: Rewrite) -> bool {
        let Some(stop) = self.stop else { return false };
        if !sight.place.stops.has(stop) || self.ip_devices.as_ref() != Some(sight.devices()) {
            return false;
        }
        // Inside one hook addresses change only at OUTPUT, where filter comes after nat.
        let after_nat = sight
            .place
            .table
            .is_none_or(|table| stop.table_rank(table) > stop.table_rank(Table::Nat));
        if rewrite != Rewrite::None && !(stop == Stop::Output && after_nat) {
            return false;
        }
        match (self.table, sight.place.table, &**sight.entry.site) {
            (Some(now), Some(next), Site::Trace { chain, kind, .. }) if now == next => {
                self.walk.accepts(chain, *kind)
            }
            (Some(now), Some(next), _) => stop.table_rank(next) > stop.table_rank(now),
            (None, Some(_), _) => !self.has_site(sight),
            (_, None, _) => !self.has_site(sight) || self.just_hit_a_rule(sight),
        }
    }

    /// Whether this very site, devices included, was passed before.
    fn has_site(&self, sight: &Sight<'_>) -> bool {
        self.steps
            .iter()
            .any(|step| *step.site == **sight.entry.site && step.header.devices == *sight.devices())
    }

    /// A LOG rule's own line follows the TRACE line of that rule.
    fn just_hit_a_rule(&self, sight: &Sight<'_>) -> bool {
        self.steps.last().is_some_and(|step| {
            matches!(step.trace_kind(), Some(SiteKind::Rule(_)))
                && step.header.devices == *sight.devices()
        })
    }

    fn advances_to(&self, stop: Stop, sight: &Sight<'_>) -> bool {
        // Only its prefix tells a LOG rule: the same one again is another packet's line.
        let logs_again = sight.place.table.is_none() && self.has_site(sight);
        self.stop != Some(stop)
            && !logs_again
            && !ruled_out_by(stop).meets(self.seen_but_floods(stop))
            && self.ip_devices_agree(stop, sight.devices())
            && self.came_in_as(sight.entry.header.link.addresses(), stop)
    }

    /// Whether the frame that brought the packet had these addresses. The bridge gives a packet that
    /// DNAT sends to another of its ports the new receiver's address.
    fn came_in_as(&self, frame: Option<(Mac, Mac)>, stop: Stop) -> bool {
        let readdressed = self.ingress.port.is_some()
            && self.seen.has(Stop::Prerouting)
            && matches!(
                stop,
                Stop::BridgeForward
                    | Stop::BridgePostrouting
                    | Stop::BridgeInput
                    | Stop::Input
                    | Stop::Forward
                    | Stop::Postrouting
            );
        match (self.ingress.macs, frame) {
            (Some((known, _)), Some((source, _))) if readdressed => known == source,
            (known, frame) => agree(known, frame),
        }
    }

    /// A frame for a group is flooded to other ports before the host itself takes it in: what the
    /// copies passed does not count then.
    fn seen_but_floods(&self, stop: Stop) -> StopSet {
        if !self.ingress.group || !stop.is_way_in() {
            return self.seen;
        }
        let mut seen = StopSet::EMPTY;
        for stop in self.seen.iter().filter(|stop| stop.is_way_in()) {
            seen.insert(stop);
        }
        seen
    }

    fn ip_devices_agree(&self, stop: Stop, next: &Devices) -> bool {
        if self.ingress.port.is_some() && next.physin.is_some() && self.ingress.port != next.physin
        {
            return false;
        }
        let Some(last) = &self.ip_devices else {
            // From the bridge to IP: the line must have come in by a device.
            return stop == Stop::Postrouting || next.input.is_some();
        };
        agree(last.input, next.input)
            && agree(last.physin, next.physin)
            && agree(last.physout, next.physout)
            && (stop != Stop::Postrouting
                || self.stop == Some(Stop::Output)
                || agree(last.output, next.output))
    }

    /// The next copy of a flooded frame meets the IP hooks of bridged packets again.
    fn floods_on(&self, stop: Stop, sight: &Sight<'_>) -> bool {
        let Some(port) = sight.devices().physout else { return false };
        self.ingress.group
            && matches!(stop, Stop::Forward | Stop::Postrouting)
            && self.seen.has(stop)
            && !self.egress.ports.contains(&(stop, None, port))
            && agree(self.ingress.port, sight.devices().physin)
    }

    fn comes_back_by_loopback(&self, stop: Stop, sight: &Sight<'_>) -> bool {
        let loopback = IfName::new(b"lo");
        !self.second_pass
            && matches!(stop, Stop::Prerouting | Stop::Input)
            && matches!(self.stop, Some(Stop::Output | Stop::Postrouting))
            // OUTPUT prints the route before a redirection; POSTROUTING the real one.
            && (self.stop == Some(Stop::Output) || self.output() == loopback)
            && sight.devices().input == loopback
    }

    fn fit_bridge(&self, sight: &Sight<'_>) -> Option<Fit> {
        // The same log rule at the same ports again is another frame's line.
        if self.has_site(sight) {
            return None;
        }
        sight.place.stops.iter().find_map(|stop| {
            let kind = self.fit_bridge_stop(stop, sight)?;
            Some(Fit { stop: Some(stop), kind })
        })
    }

    fn fit_bridge_stop(&self, stop: Stop, sight: &Sight<'_>) -> Option<FitKind> {
        let frame = sight.entry.header.link.addresses();
        let devices = sight.devices();
        match stop {
            Stop::BridgeOutput | Stop::BridgePostrouting => {
                if !self.leaves_by(stop, sight) {
                    return None;
                }
                let is_bridged = self.seen.has(Stop::BridgeForward);
                let same = if is_bridged {
                    self.came_in_as(frame, stop)
                } else {
                    agree(self.egress.macs, frame)
                };
                if !same {
                    return None;
                }
            }
            _ => {
                let wrong_port = self.ingress.port.is_some() && self.ingress.port != devices.input;
                let past = self.stop_is_past_ingress() && !self.ingress.group;
                if wrong_port || past || !self.came_in_as(frame, stop) {
                    return None;
                }
            }
        }
        let again = self.repeats_stop(stop, sight);
        let ruled_out = ruled_out_by(stop).meets(self.seen_but_floods(stop));
        match (again, ruled_out) {
            (true, _) if !self.has_site(sight) && self.last_bridge_devices() == Some(devices) => {
                Some(FitKind::Continue)
            }
            (false, false) => Some(FitKind::Advance),
            _ if self.is_flood_copy(stop, sight) => Some(FitKind::FloodCopy),
            _ => None,
        }
    }

    fn stop_is_past_ingress(&self) -> bool {
        matches!(self.stop, Some(Stop::Input | Stop::Forward | Stop::Output | Stop::Postrouting))
    }

    /// Whether the stop was passed already (for e:OUTPUT: with this table).
    fn repeats_stop(&self, stop: Stop, sight: &Sight<'_>) -> bool {
        if stop == Stop::BridgeOutput {
            return self
                .egress
                .ports
                .iter()
                .any(|(seen, table, _)| *seen == stop && *table == sight.place.table);
        }
        self.seen.has(stop)
    }

    fn last_bridge_devices(&self) -> Option<&Devices> {
        self.steps
            .iter()
            .rev()
            .find(|step| step.layer == Layer::Bridge)
            .map(|step| &step.header.devices)
    }

    /// Whether the frame can leave by the line's port.
    fn leaves_by(&self, stop: Stop, sight: &Sight<'_>) -> bool {
        if self.seen.has(Stop::BridgeForward) {
            let port = sight.devices().output;
            return stop == Stop::BridgePostrouting
                && self
                    .egress
                    .ports
                    .iter()
                    .any(|(seen, _, known)| *seen == Stop::BridgeForward && Some(*known) == port);
        }
        if self.is_bridge_only() {
            // A frame that came in by a port leaves it by FORWARD, unless that chain logs nothing.
            return self.ingress.port.is_none()
                || (stop == Stop::BridgePostrouting && !self.seen.has(Stop::BridgeInput));
        }
        let on_its_way =
            matches!(self.stop, Some(Stop::Forward | Stop::Output | Stop::Postrouting));
        on_its_way && (agree(self.output(), sight.bridge) || self.is_rerouted())
    }

    /// OUTPUT prints the route before nat: a packet it sent elsewhere leaves by another device.
    pub(super) fn is_rerouted(&self) -> bool {
        let mut shown = self.steps.iter().filter_map(|step| step.header.ip());
        self.stop == Some(Stop::Output)
            && shown.next().zip(self.last_ip()).is_some_and(|(first, last)| first.dst != last.dst)
    }

    /// Whether only frames were seen whose lines print no addresses (ebtables without `--log-ip`).
    pub(super) fn is_bare_frame(&self) -> bool {
        self.is_bridge_only()
            && self.steps.iter().all(|step| {
                matches!(step.header.network, Network::Absent)
                    && matches!(step.header.link.ethertype(), Some(0x0800 | 0x86dd))
            })
    }

    fn is_flood_copy(&self, stop: Stop, sight: &Sight<'_>) -> bool {
        let (Some(port), true) = (
            sight.devices().output,
            matches!(stop, Stop::BridgeForward | Stop::BridgeOutput | Stop::BridgePostrouting),
        ) else {
            return false;
        };
        let key = (stop, sight.place.table, port);
        let soon = sight.now_us.saturating_sub(self.touched_us) <= FLOOD_US;
        !self.egress.ports.contains(&key) && (is_group_frame(&sight.entry.header.link) || soon)
    }

    /// Takes the line in. `header` is the line's header, shared where it was seen before.
    pub(super) fn attach(&mut self, sight: &Sight<'_>, fit: Fit, header: Arc<Header>) {
        let entry = sight.entry;
        if fit.kind == FitKind::SecondPass {
            self.second_pass = true;
            self.seen = StopSet::EMPTY;
            self.ingress = Ingress::default();
        }
        if let Some(stop) = fit.stop {
            self.seen.insert(stop);
        }
        if sight.place.bridge {
            self.note_frame(sight, fit.stop);
        } else {
            self.note_ip(sight, fit);
        }
        self.trust = self.trust.max(entry.trust);
        self.touched_us = self.touched_us.max(sight.now_us);
        self.steps.push(OpenStep {
            site: Arc::clone(entry.site),
            layer: sight.layer,
            stop: fit.stop,
            header,
            stamp: entry.stamp,
            head: entry.position,
            pieces: entry.pieces.iter().copied().collect(),
        });
    }

    fn note_frame(&mut self, sight: &Sight<'_>, stop: Option<Stop>) {
        let header = sight.entry.header;
        let frame = header.link.addresses();
        if let Some(Stop::BridgeOutput | Stop::BridgePostrouting) = stop {
            self.egress.macs = self.egress.macs.or(frame);
        } else {
            self.ingress.port = self.ingress.port.or(header.devices.input);
            self.ingress.macs = self.ingress.macs.or(frame);
            self.ingress.group = is_group_frame(&header.link);
        }
        if let (Some(stop), Some(port)) = (stop, header.devices.output) {
            self.egress.ports.push((stop, sight.place.table, port));
        }
    }

    fn note_ip(&mut self, sight: &Sight<'_>, fit: Fit) {
        let header = sight.entry.header;
        if fit.kind != FitKind::Continue || self.table != sight.place.table {
            if sight.place.table.is_some() || fit.kind != FitKind::Continue {
                self.walk = Walk::default();
                self.table = sight.place.table;
            }
            self.stop = fit.stop;
        }
        if let (Some(_), Site::Trace { chain, kind, .. }) = (sight.place.table, &**sight.entry.site)
        {
            self.walk.step(chain, *kind);
        }
        if header.devices.input.is_some() {
            self.ingress.macs = self.ingress.macs.or(header.link.addresses());
            self.ingress.group = is_group_frame(&header.link);
        }
        self.ingress.port = self.ingress.port.or(header.devices.physin);
        self.seen_nat |= sight.place.table == Some(Table::Nat)
            && matches!(fit.stop, Some(Stop::Prerouting | Stop::Output));
        if let (Some(stop), Some(port)) = (fit.stop, header.devices.physout) {
            self.egress.ports.push((stop, None, port));
        }
        self.ip_devices = Some(header.devices);
    }

    /// Closes the packet.
    pub(super) fn close(
        self,
        host: HostId,
        boot: Boot,
        connection: Option<PacketKey>,
        verdict: Verdict,
    ) -> Packet {
        let first = self.steps.first().map(|step| step.stamp).unwrap_or_default();
        let steps = self.steps.into_iter().map(|step| step.finish(first)).collect();
        Packet {
            key: self.key,
            host,
            boot,
            connection,
            direction: self.direction,
            first,
            trust: self.trust,
            confidence: self.confidence,
            verdict,
            steps,
        }
    }
}

/// Whether the line is conntrack's own remark about an invalid packet: `nf_ct_proto_6: bad checksum `.
pub(super) fn says_invalid(site: &Site) -> bool {
    matches!(site, Site::Log { prefix } if prefix.starts_with(b"nf_ct_"))
}

impl OpenStep {
    fn finish(self, first: Stamp) -> Step {
        let signed = |later: u64, earlier: u64| {
            i64::try_from(later).ok()?.checked_sub(i64::try_from(earlier).ok()?)
        };
        let offset_us = match (first.uptime, self.stamp.uptime, first.wall, self.stamp.wall) {
            (Some(earlier), Some(later), _, _) => signed(later.0, earlier.0),
            (_, _, Some(earlier), Some(later)) => later.0.checked_sub(earlier.0),
            _ => None,
        };
        Step {
            hop: Hop { layer: self.layer, site: self.site, devices: self.header.devices },
            offset_us,
            header: self.header,
            lines: StepLines { head: self.head, pieces: self.pieces.into_vec() },
        }
    }
}
