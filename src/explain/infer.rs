//! The steps that no line shows: routing, bridging, conntrack, the wait for a neighbour, the ends of the way.
//!
//! Where they stand follows from the order of the kernel's hooks; what they decided follows from the lines behind
//! them, and from the host's context where that is given.

use super::chains::{Standing, standings};
use super::infer_words::{self as words, Frame};
use crate::explain::{Inferred, InferredAt, Lore, ToldStep};
use crate::model::{
    Completeness, Connection, Direction, Hook, Hop, IfName, Layer, NatChange, NatKind, Packet,
    Site, Step, Stop, StopSet, Table, VerdictKind,
};
use crate::rulebook::{Family, Target, Test};

/// A packet that stands still this long between POSTROUTING and the bridge waits for something, in microseconds.
const WAIT_US: i64 = 1_000;

/// The steps between a packet's lines, in their order. `connection` is the packet's own; `has_waited` says that a link
/// of kind `arp_wait` belongs to it; `packet.verdict` is taken for the told one.
pub fn infer(
    packet: &Packet,
    connection: Option<&Connection>,
    has_waited: bool,
    told: &[ToldStep<'_>],
    lore: Lore<'_>,
) -> Vec<Inferred> {
    let hops: Vec<&Hop> = packet.steps.iter().map(|step| &step.hop).collect();
    let is_goto = |index: usize| {
        told.get(index).is_some_and(|told| matches!(told.target, Some(Target::Goto(_))))
    };
    let standings = standings(&hops, is_goto);
    let stops = (0..told.len().min(standings.len()))
        .map(|index| standings[index].stop().or_else(|| stop_of(&standings[index], &told[index])))
        .collect();
    let way = Way { packet, steps: &packet.steps, connection, has_waited, told, lore, stops };
    if way.is_arp() {
        return way.of_arp();
    }
    // In the order in which they come where several stand at one place.
    let mut all: Vec<Inferred> = [
        way.first_route(),
        way.conntrack_new(),
        way.destination_restored(),
        way.bridge_in(),
        way.route_in(),
        way.route_again(),
        way.source_restored(),
        way.neighbour(),
        way.bridge_out(),
        way.local(),
        way.wire(),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.sort_by_key(|inferred| inferred.before);
    all
}

/// The hook of a line that only its rule tells: by the chain, or by the table.
fn stop_of(standing: &Standing, told: &ToldStep<'_>) -> Option<Stop> {
    let place = told.place.as_ref()?;
    let is_bridge = place.family == Family::Bridge;
    let by_chain = Hook::from_chain(place.chain.as_bytes());
    if let Some(stop) = by_chain.and_then(|hook| Stop::of_hook(hook, is_bridge)) {
        return Some(stop);
    }
    let of_table = match Table::from_name(place.table.as_bytes())? {
        Table::Raw => StopSet::of(&[Stop::Prerouting, Stop::Output]),
        Table::Filter | Table::Security => StopSet::of(&[Stop::Input, Stop::Forward, Stop::Output]),
        Table::Mangle | Table::Nat | Table::Broute => return None,
    };
    let mut stops = standing.stops.only(of_table).iter();
    stops.next().filter(|_| stops.next().is_none())
}

/// A packet's way.
pub(super) struct Way<'w, 'a> {
    pub(super) packet: &'w Packet,
    pub(super) steps: &'w [Step],
    pub(super) connection: Option<&'w Connection>,
    has_waited: bool,
    told: &'w [ToldStep<'a>],
    pub(super) lore: Lore<'w>,
    stops: Vec<Option<Stop>>,
}

impl Way<'_, '_> {
    pub(super) fn stop(&self, index: usize) -> Option<Stop> {
        self.stops.get(index).copied().flatten()
    }

    /// The first step at one of these hooks, from an index on.
    fn first(&self, from: usize, stops: &[Stop]) -> Option<usize> {
        (from..self.steps.len()).find(|index| self.is_at(*index, stops))
    }

    fn last(&self, stops: &[Stop]) -> Option<usize> {
        (0..self.steps.len()).rev().find(|index| self.is_at(*index, stops))
    }

    fn is_at(&self, index: usize, stops: &[Stop]) -> bool {
        self.stop(index).is_some_and(|stop| stops.contains(&stop))
    }

    fn is_arp(&self) -> bool {
        self.packet.steps.iter().any(|step| words::is_arp(&step.header))
    }

    /// Whether a step's line shows a packet that loopback brings back.
    fn is_second_pass(&self, index: usize) -> bool {
        self.steps[index].hop.devices.input == IfName::new(b"lo")
    }

    fn is_accepted(&self) -> bool {
        matches!(self.packet.verdict.kind, VerdictKind::Accepted | VerdictKind::Consumed)
    }

    /// Whether the packet crossed a bridge from port to port.
    fn is_bridged(&self) -> bool {
        self.first(0, &[Stop::BridgeForward]).is_some()
            || self.steps.iter().any(|step| step.hop.devices.physout.is_some())
    }

    /// What the host itself sends is routed before OUTPUT.
    fn first_route(&self) -> Option<Inferred> {
        let at = self.first(0, &Self::IP)?;
        (self.stop(at) == Some(Stop::Output)).then(|| Inferred {
            before: at,
            at: InferredAt::Route,
            sentence: words::route_out(self, at, false),
        })
    }

    /// OUTPUT may send a packet elsewhere: its lines show the route before that.
    fn route_again(&self) -> Option<Inferred> {
        let sent = self.last(&[Stop::Output])?;
        let at = self.first(sent + 1, &[Stop::Postrouting])?;
        let (before, after) = (&self.steps[sent], &self.steps[at]);
        (before.hop.devices.output != after.hop.devices.output).then(|| Inferred {
            before: at,
            at: InferredAt::Route,
            sentence: words::route_out(self, at, true),
        })
    }

    /// What comes in is routed before INPUT and FORWARD. What loopback brings back has its route.
    fn route_in(&self) -> Option<Inferred> {
        let at = self.first(0, &[Stop::Input, Stop::Forward])?;
        if self.is_second_pass(at) || (self.stop(at) == Some(Stop::Forward) && self.is_bridged()) {
            return None;
        }
        let sentence = match self.stop(at) {
            Some(Stop::Input) => words::route_to_host(self, at),
            _ => words::route_out(self, at, false),
        };
        Some(Inferred { before: at, at: InferredAt::Route, sentence })
    }

    /// A bridge sends a frame that it received out of a port, or up to the host.
    fn bridge_in(&self) -> Option<Inferred> {
        const UNDECIDED: [Stop; 3] =
            [Stop::BridgeBrouting, Stop::BridgePrerouting, Stop::Prerouting];
        let came = (0..self.steps.len()).find(|index| {
            self.is_at(*index, &UNDECIDED[..2]) || self.steps[*index].hop.devices.physin.is_some()
        })?;
        let decided = (came..self.steps.len()).find(|index| {
            let step = &self.steps[*index];
            match self.stop(*index) {
                None | Some(Stop::BridgePrerouting | Stop::BridgeBrouting) => false,
                // The host's own PREROUTING comes after the bridge unless the bridge itself calls it.
                Some(Stop::Prerouting) => step.hop.devices.physin.is_none(),
                Some(_) => true,
            }
        })?;
        // A frame that was brouted never met the bridge.
        let is_brouted = self.stop(decided) == Some(Stop::Prerouting)
            && self.first(0, &[Stop::BridgePrerouting]).is_none();
        if is_brouted {
            return None;
        }
        let frame = if self.is_bridged() { Frame::ToPort } else { Frame::ToHost };
        Some(Inferred {
            before: decided,
            at: InferredAt::Bridge,
            sentence: words::bridge(self, decided, frame),
        })
    }

    /// What the host sends into a bridge leaves it by a port.
    fn bridge_out(&self) -> Option<Inferred> {
        if self.is_bridged() {
            return None;
        }
        let frame = [Stop::BridgeOutput, Stop::BridgePostrouting];
        let Some(before) = self.first(0, &frame) else { return self.bridge_out_unseen() };
        let sentence = words::bridge(self, before, Frame::ToPort);
        Some(Inferred { before, at: InferredAt::Bridge, sentence })
    }

    /// No line of the bridge is there: only the host's context can tell the port.
    fn bridge_out_unseen(&self) -> Option<Inferred> {
        if !self.has_left() {
            return None;
        }
        let sentence = words::bridge_unseen(self)?;
        Some(Inferred { before: self.steps.len(), at: InferredAt::Bridge, sentence })
    }

    /// The first packet of a connection makes conntrack's entry, between raw and the tables after it.
    fn conntrack_new(&self) -> Option<Inferred> {
        let connection = self.connection.filter(|one| one.key == self.packet.key)?;
        let is_first = self.packet.direction == Some(Direction::Original)
            && matches!(connection.completeness, Completeness::Whole | Completeness::Cut);
        if !is_first || !self.has_conntrack() || self.is_untracked() {
            return None;
        }
        let first = self.first(0, &Self::IP)?;
        let stop = self.stop(first);
        let before = (first..self.steps.len())
            .find(|index| {
                self.stop(*index) != stop
                    || self.steps[*index].hop.site.table() != Some(Table::Raw)
                        && matches!(*self.steps[*index].hop.site, Site::Trace { .. })
            })
            .unwrap_or(self.steps.len());
        // Behind the last line nothing tells that it came so far.
        if before == self.steps.len() && !self.is_accepted() {
            return None;
        }
        let sentence = words::entry(self, connection);
        Some(Inferred { before, at: InferredAt::ConntrackNew, sentence })
    }

    /// Whether the host tracks connections, as far as anything shows.
    fn has_conntrack(&self) -> bool {
        let asks_nat = |step: &Step| {
            step.hop.layer != Layer::Bridge && step.hop.site.table() == Some(Table::Nat)
        };
        let asks_state = || {
            let sets = self.lore.rules.revisions.iter().map(|revision| &revision.rules);
            let chains = sets.flat_map(|set| &set.tables).flat_map(|table| &table.chains);
            chains
                .flat_map(|chain| &chain.rules)
                .flat_map(|rule| &rule.matches)
                .any(|one| matches!(one.test, Test::ConnectionState(_)))
        };
        self.steps.iter().any(asks_nat)
            || self.lore.context.is_some_and(|context| !context.conntrack.is_empty())
            || asks_state()
    }

    /// Whether a rule or conntrack itself took it out of tracking.
    fn is_untracked(&self) -> bool {
        let by_rule = self.told.iter().any(|told| told.target == Some(Target::Notrack));
        let is_remark = |step: &Step| matches!(&*step.hop.site, Site::Log { prefix } if prefix.starts_with(b"nf_ct_"));
        by_rule || self.steps.iter().any(is_remark)
    }

    /// The translation of the source is undone behind PREROUTING.
    fn destination_restored(&self) -> Option<Inferred> {
        let change = self.restored(&[NatKind::Snat, NatKind::Masquerade])?;
        let came = self.first(0, &Self::IP)?;
        if self.stop(came) == Some(Stop::Output) {
            return None;
        }
        let before = self.first(came, &[Stop::Input, Stop::Forward, Stop::Postrouting])?;
        // With call-iptables=1 PREROUTING runs inside the bridge, before the bridge's own next hook.
        let before = self.last(&[Stop::Prerouting]).map_or(before, |last| last + 1);
        let sentence = words::restored(self, change, false);
        Some(Inferred { before, at: InferredAt::ConntrackRestored, sentence })
    }

    /// The translation of the destination is undone behind POSTROUTING.
    fn source_restored(&self) -> Option<Inferred> {
        let change = self.restored(&[NatKind::Dnat, NatKind::Redirect, NatKind::Netmap])?;
        let left = self.last(&[Stop::Forward, Stop::Output, Stop::Postrouting])?;
        if !self.is_accepted() || self.first(left + 1, &[Stop::Input]).is_some() {
            return None;
        }
        let sentence = words::restored(self, change, true);
        Some(Inferred { before: left + 1, at: InferredAt::ConntrackRestored, sentence })
    }

    /// The translation that a reply undoes.
    fn restored(&self, kinds: &[NatKind]) -> Option<&NatChange> {
        let is_reply = self.packet.direction == Some(Direction::Reply);
        let connection = self.connection.filter(|_| is_reply)?;
        connection.nat.iter().find(|change| kinds.contains(&change.kind))
    }

    /// Between POSTROUTING and the device the next hop's hardware address is asked for.
    fn neighbour(&self) -> Option<Inferred> {
        let left = self.last(&[Stop::Postrouting, Stop::Forward, Stop::Output])?;
        let next = left + 1;
        let goes_on = self.is_at(next, &[Stop::BridgeOutput, Stop::BridgePostrouting]);
        if self.is_bridged() || (!goes_on && next < self.steps.len()) {
            return None;
        }
        let waited_us = || {
            let from = self.steps[left].offset_us?;
            Some(self.steps.get(next)?.offset_us?.saturating_sub(from)).filter(|us| *us > 0)
        };
        let waited_us = if goes_on { waited_us() } else { None };
        let has_stood = waited_us.is_some_and(|us| us >= WAIT_US);
        if !self.has_waited && !has_stood {
            return None;
        }
        let sentence = words::wait(self, left, waited_us, self.has_waited, goes_on);
        Some(Inferred { before: next, at: InferredAt::NeighbourWait, sentence })
    }

    /// What INPUT let in is the host's own.
    fn local(&self) -> Option<Inferred> {
        let last = self.last(&Self::IP)?;
        let is_in = self.stop(last) == Some(Stop::Input) && self.is_accepted();
        is_in.then(|| Inferred {
            before: self.steps.len(),
            at: InferredAt::Local,
            sentence: words::local(self, last),
        })
    }

    /// What was let out leaves by a device.
    fn wire(&self) -> Option<Inferred> {
        if !self.has_left() {
            return None;
        }
        let sentence = words::wire(self)?;
        Some(Inferred { before: self.steps.len(), at: InferredAt::Wire, sentence })
    }

    /// Whether it was let out of the host.
    fn has_left(&self) -> bool {
        const OUT: [Stop; 6] = [
            Stop::Forward,
            Stop::Output,
            Stop::Postrouting,
            Stop::BridgeForward,
            Stop::BridgeOutput,
            Stop::BridgePostrouting,
        ];
        let ends_outside = (0..self.steps.len()).rev().find_map(|index| self.stop(index));
        self.packet.verdict.kind == VerdictKind::Accepted
            && ends_outside.is_some_and(|stop| OUT.contains(&stop))
    }

    /// ARP frames are bridged, or the host's own.
    fn of_arp(&self) -> Vec<Inferred> {
        let decided = [self.bridge_in(), self.bridge_out(), self.wire()];
        decided.into_iter().flatten().collect()
    }

    const IP: [Stop; 5] =
        [Stop::Prerouting, Stop::Input, Stop::Forward, Stop::Output, Stop::Postrouting];
}
