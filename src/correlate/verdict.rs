//! What became of a packet, as far as the log alone tells.
//!
//! A line says which rule matched, not what the rule did. What the packet does
//! next tells: another hook means it was let on. A path that stops is a drop
//! only where a line must have followed: once a table was seen on this host,
//! it is registered at all its hooks and prints a line for every traced packet.

use std::collections::HashSet;
use std::sync::Arc;

use super::packet::{OpenPacket, OpenStep};
use crate::model::{
    Layer, Site, SiteKind, Stop, StopSet, Table, Verdict, VerdictEvidence, VerdictKind,
};

/// More sites than this are not remembered as letting packets on.
const SITES: usize = 4_096;

/// What other packets have shown of a host: which tables and bridge hooks print lines, and which
/// places let packets on. A rule's target does not change from packet to packet.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    ip: u8,
    ip6: u8,
    bridge: StopSet,
    nat_at_input: bool,
    letting_on: HashSet<(Layer, Arc<Site>), foldhash::fast::RandomState>,
    ending: HashSet<(Layer, Arc<Site>), foldhash::fast::RandomState>,
}

impl Knowledge {
    /// Notes one line.
    pub(super) fn learn(&mut self, layer: Layer, table: Option<Table>, stop: Option<Stop>) {
        self.nat_at_input |= table == Some(Table::Nat) && stop == Some(Stop::Input);
        match (layer, table, stop) {
            (Layer::Ip, Some(table), _) => self.ip |= 1 << (table as u8),
            (Layer::Ip6, Some(table), _) => self.ip6 |= 1 << (table as u8),
            (Layer::Bridge, _, Some(stop)) => self.bridge.insert(stop),
            _ => {}
        }
    }

    /// Notes a place that ended a table's walk and let the packet on.
    fn learn_letting_on(&mut self, step: &OpenStep) {
        if self.letting_on.len() < SITES {
            self.letting_on.insert((step.layer, Arc::clone(&step.site)));
        }
    }

    /// Notes a place after which a line had to follow and did not.
    fn learn_ending(&mut self, step: &OpenStep) {
        if self.ending.len() < SITES {
            self.ending.insert((step.layer, Arc::clone(&step.site)));
        }
    }

    fn ends(&self, step: &OpenStep) -> bool {
        self.ending.contains(&(step.layer, Arc::clone(&step.site)))
    }

    fn lets_on(&self, step: &OpenStep) -> bool {
        self.letting_on.contains(&(step.layer, Arc::clone(&step.site)))
    }

    pub(super) fn has(&self, layer: Layer, table: Table) -> bool {
        let tables = if layer == Layer::Ip6 { self.ip6 } else { self.ip };
        tables & (1 << (table as u8)) != 0
    }

    /// Whether a connection's first packet, let on from here, must come to nat's source side.
    fn expects_nat(&self, packet: &OpenPacket, stop: Stop) -> bool {
        packet.was_new_to_nat()
            && packet.table != Some(Table::Nat)
            && match stop {
                Stop::Forward | Stop::Output => true,
                // nat has no INPUT chain on the oldest kernels.
                Stop::Input => self.nat_at_input,
                _ => false,
            }
    }

    /// Whether a bridged packet let on from FORWARD must be seen on its way out of the bridge.
    fn expects_frame(&self, packet: &OpenPacket) -> bool {
        packet.has_seen(Stop::BridgeForward) && self.bridge.has(Stop::BridgePostrouting)
    }

    /// Whether a packet let on from here must have printed another line.
    fn expects_more(&self, layer: Layer, stop: Stop, table: Option<Table>) -> bool {
        let rank = table.map_or(u8::MAX, |table| stop.table_rank(table));
        let later_here = |candidates: &[Table]| {
            candidates.iter().any(|next| stop.table_rank(*next) > rank && self.has(layer, *next))
        };
        match stop {
            Stop::Forward => {
                later_here(&[Table::Filter, Table::Security]) || self.has(layer, Table::Mangle)
            }
            Stop::Output => {
                later_here(&[Table::Mangle, Table::Filter, Table::Security])
                    || self.has(layer, Table::Mangle)
            }
            Stop::Input => later_here(&[Table::Filter, Table::Security]),
            Stop::Prerouting => later_here(&[Table::Mangle]),
            _ => false,
        }
    }
}

/// The verdict on a packet that is being closed. `answered`: its connection's other side has answered since.
pub(super) fn judge(
    packet: &OpenPacket,
    knowledge: &mut Knowledge,
    answered: bool,
    at_log_end: bool,
) -> Verdict {
    let last_ip = packet.steps.iter().rev().find(|step| step.layer != Layer::Bridge);
    match (last_ip, packet.steps.last()) {
        (Some(step), _) if step.trace_kind().is_some() => {
            judge_traced(packet, step, knowledge, answered, at_log_end)
        }
        (Some(step), _) => judge_logged(packet, step, answered),
        (None, Some(step)) => judge_bridged(packet, step, knowledge, at_log_end),
        (None, None) => Verdict { kind: VerdictKind::Unknown, evidence: None, site: None },
    }
}

fn judge_traced(
    packet: &OpenPacket,
    last: &OpenStep,
    knowledge: &mut Knowledge,
    answered: bool,
    at_log_end: bool,
) -> Verdict {
    let (Some(stop), Some(kind)) = (packet.stop, last.trace_kind()) else {
        return unknown(last);
    };
    if went_on_by_bridge(packet) {
        return accepted(packet, last);
    }
    // Held for a neighbour's address, as far as can be seen: nobody let it out.
    if stop == Stop::Postrouting && packet.is_stranded && knowledge.bridge.has(Stop::BridgeOutput) {
        return unknown(last);
    }
    let expected = knowledge.expects_more(last.layer, stop, packet.table)
        || (stop == Stop::Forward && knowledge.expects_frame(packet))
        || knowledge.expects_nat(packet, stop);
    // The log's very end may have cut the path, unless this place is known to end paths.
    let is_cut = at_log_end && !knowledge.ends(last);
    let must_have_more = expected && !packet.lossy && !is_cut;
    if packet.rejected && (stop != Stop::Input || must_have_more) {
        return Verdict {
            kind: VerdictKind::Rejected,
            evidence: Some(VerdictEvidence::Rule),
            site: Some(last.hop()),
        };
    }
    if must_have_more {
        // Between raw and mangle conntrack may drop too: a policy line there proves nothing.
        if stop == Stop::Prerouting && !matches!(kind, SiteKind::Rule(_)) {
            return unknown(last);
        }
        knowledge.learn_ending(last);
        return Verdict {
            kind: VerdictKind::Dropped,
            evidence: Some(VerdictEvidence::Absence),
            site: Some(last.hop()),
        };
    }
    if answered && !packet.rejected {
        knowledge.learn_letting_on(last);
    }
    match stop {
        // A rule of mangle that ends the way out may let on or drop; anything else there lets on.
        Stop::Postrouting
            if packet.table == Some(Table::Mangle) && matches!(kind, SiteKind::Rule(_)) =>
        {
            unknown(last)
        }
        Stop::Postrouting => accepted(packet, last),
        // nat cannot drop; security can, but a packet that came there was let on by filter.
        Stop::Input if packet.table == Some(Table::Nat) => accepted(packet, last),
        Stop::Input if packet.table == Some(Table::Security) && passed_filter(packet) => {
            accepted(packet, last)
        }
        _ if answered && !packet.rejected => by_reply(packet, last),
        _ if packet.table == Some(Table::Filter) && !packet.rejected && knowledge.lets_on(last) => {
            accepted(packet, last)
        }
        _ => unknown(last),
    }
}

/// Whether a line of a filter table came before the last one.
fn passed_filter(packet: &OpenPacket) -> bool {
    packet
        .steps
        .iter()
        .any(|step| step.layer != Layer::Bridge && step.site.table() == Some(Table::Filter))
}

/// The path goes on below IP: the frame was seen on its way out.
fn went_on_by_bridge(packet: &OpenPacket) -> bool {
    packet.has_seen(Stop::BridgeOutput) || packet.has_seen(Stop::BridgePostrouting)
}

fn judge_logged(packet: &OpenPacket, last: &OpenStep, answered: bool) -> Verdict {
    if packet.rejected && packet.stop != Some(Stop::Input) {
        return Verdict {
            kind: VerdictKind::Rejected,
            evidence: Some(VerdictEvidence::Rule),
            site: Some(last.hop()),
        };
    }
    if went_on_by_bridge(packet) {
        return accepted(packet, last);
    }
    if answered && !packet.rejected { by_reply(packet, last) } else { unknown(last) }
}

fn judge_bridged(
    packet: &OpenPacket,
    last: &OpenStep,
    knowledge: &Knowledge,
    at_log_end: bool,
) -> Verdict {
    match last.stop {
        // The last hook of the way out; what a log rule says of any other is only that it was reached.
        Some(Stop::BridgePostrouting) => accepted(packet, last),
        Some(Stop::BridgeForward | Stop::BridgeOutput)
            if knowledge.bridge.has(Stop::BridgePostrouting) && !packet.lossy && !at_log_end =>
        {
            Verdict {
                kind: VerdictKind::Dropped,
                evidence: Some(VerdictEvidence::Absence),
                site: Some(last.hop()),
            }
        }
        _ => unknown(last),
    }
}

fn unknown(last: &OpenStep) -> Verdict {
    Verdict { kind: VerdictKind::Unknown, evidence: None, site: Some(last.hop()) }
}

fn by_reply(packet: &OpenPacket, last: &OpenStep) -> Verdict {
    Verdict { evidence: Some(VerdictEvidence::Reply), ..accepted(packet, last) }
}

/// Let on: decided by the last line of a filter table, or for want of one by the last line.
fn accepted(packet: &OpenPacket, last: &OpenStep) -> Verdict {
    let decider = packet.steps.iter().rev().find(|step| {
        step.layer != Layer::Bridge
            && step.trace_kind().is_some()
            && step.site.table() == Some(Table::Filter)
    });
    let decider = decider.unwrap_or(last);
    let evidence = match decider.trace_kind() {
        Some(SiteKind::Policy(_)) => VerdictEvidence::Policy,
        Some(SiteKind::Rule(_) | SiteKind::Return(_)) | None => VerdictEvidence::Rule,
    };
    Verdict { kind: VerdictKind::Accepted, evidence: Some(evidence), site: Some(decider.hop()) }
}
