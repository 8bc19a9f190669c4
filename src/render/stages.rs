//! The columns of the lanes: every built-in chain that some packet met, in the order in which they were met.
//!
//! A user chain belongs to the built-in chain it was called from, so its hits stand in that chain's column. A change of
//! address has a column of its own, right after the chain in which it came about. Where packets do not settle
//! the order of two columns, the kernel's order does.

use std::net::IpAddr;

use crate::model::{Header, Hook, Layer, Packet, Site, Step, Table};

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// A table's built-in chain.
    Chain {
        /// Whether it is a chain of ebtables.
        bridge: bool,
        /// The table as printed.
        table: Vec<u8>,
        /// The built-in chain; none when only user chains of the table were seen.
        hook: Option<Hook>,
        /// 1 for loopback's second pass.
        pass: u8,
    },
    /// An address changed after this hook.
    Nat { side: Side, hook: Option<Hook>, pass: u8 },
    /// A LOG line, by its prefix.
    Log { bridge: bool, prefix: Vec<u8> },
}

/// Which address changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Destination,
    Source,
}

/// What a packet did in one column.
#[derive(Debug, Clone)]
pub(super) struct Stop<'a> {
    pub stage: Stage,
    pub event: Event<'a>,
    pub offset_us: Option<i64>,
}

/// One mark in a cell.
#[derive(Debug, Clone)]
pub(super) enum Event<'a> {
    Step(&'a Step),
    /// The address after the change.
    Changed(String),
}

/// Everything a packet did, in order.
pub(super) fn stops(packet: &Packet) -> Vec<Stop<'_>> {
    let mut stops = Vec::new();
    let mut walk = Walk::default();
    let mut before: Option<&Header> = None;
    for (at, step) in packet.steps.iter().enumerate() {
        for (side, text) in changes(before, &step.header) {
            let stage = Stage::Nat { side, hook: walk.hook, pass: walk.pass };
            stops.push(Stop { stage, event: Event::Changed(text), offset_us: step.offset_us });
        }
        if step.header.ip().is_some() {
            before = Some(&step.header);
        }
        let stage = walk.stage_of(step, &packet.steps[at..]);
        stops.push(Stop { stage, event: Event::Step(step), offset_us: step.offset_us });
    }
    stops
}

/// Where a packet stands while its steps are gone through.
#[derive(Default)]
struct Walk {
    /// The column of the TRACE line just before.
    traced: Option<Stage>,
    /// The built-in chain last seen on the IP layer.
    hook: Option<Hook>,
    /// The table last seen on the IP layer.
    table: Vec<u8>,
    pass: u8,
}

impl Walk {
    fn stage_of(&mut self, step: &Step, rest: &[Step]) -> Stage {
        let stage = self.own_stage(step, rest);
        self.traced = match &*step.hop.site {
            Site::Trace { .. } => Some(stage.clone()),
            Site::Log { .. } => self.traced.take(),
            Site::Bridge { .. } | Site::BridgeLog { .. } => None,
        };
        stage
    }

    fn own_stage(&mut self, step: &Step, rest: &[Step]) -> Stage {
        match &*step.hop.site {
            // A LOG rule's TRACE line comes right before the line it logs.
            Site::Log { prefix } => self
                .traced
                .clone()
                .unwrap_or_else(|| Stage::Log { bridge: false, prefix: prefix.to_vec() }),
            Site::BridgeLog { prefix } => Stage::Log { bridge: true, prefix: prefix.to_vec() },
            Site::Bridge { table, chain, .. } => {
                let hook = Hook::from_chain(chain);
                Stage::Chain { bridge: true, table: table.to_vec(), hook, pass: self.pass }
            }
            Site::Trace { table, chain, .. } => {
                let bridge = step.hop.layer == Layer::Bridge;
                let hook = Hook::from_chain(chain)
                    .or(self.hook.filter(|_| **table == *self.table))
                    .or_else(|| next_hook(table, rest));
                if !bridge {
                    self.enter(hook);
                    self.table = table.to_vec();
                }
                Stage::Chain { bridge, table: table.to_vec(), hook, pass: self.pass }
            }
        }
    }

    /// Loopback: after the way out the packet comes in again.
    fn enter(&mut self, hook: Option<Hook>) {
        let was_out = matches!(self.hook, Some(Hook::Output | Hook::Postrouting));
        if was_out && matches!(hook, Some(Hook::Prerouting | Hook::Input)) {
            self.pass = 1;
        }
        if hook.is_some() {
            self.hook = hook;
        }
    }
}

/// A trace that begins inside a user chain: the chain it returns to tells the hook.
fn next_hook(table: &[u8], rest: &[Step]) -> Option<Hook> {
    rest.iter().find_map(|step| match &*step.hop.site {
        Site::Trace { table: other, chain, .. } if **other == *table => Hook::from_chain(chain),
        _ => None,
    })
}

/// Which addresses differ between two lines of one packet, with the new address.
fn changes(before: Option<&Header>, now: &Header) -> Vec<(Side, String)> {
    let (Some(before), Some(now)) = (before.and_then(Header::ip), now.ip()) else {
        return Vec::new();
    };
    let ports = (before.ports(), now.ports());
    let changed = |old: IpAddr, new: IpAddr, port: fn((u16, u16)) -> u16| {
        let port_changed = matches!(ports, (Some(old), Some(new)) if port(old) != port(new));
        (old != new || port_changed).then(|| match ports.1 {
            Some(ports) => std::net::SocketAddr::new(new, port(ports)).to_string(),
            None => new.to_string(),
        })
    };
    let destination = changed(before.dst, now.dst, |ports| ports.1);
    let source = changed(before.src, now.src, |ports| ports.0);
    let sides = [(Side::Destination, destination), (Side::Source, source)];
    sides.into_iter().filter_map(|(side, text)| text.map(|text| (side, text))).collect()
}

/// All stages of some packets, in order.
pub(super) fn ordered(ways: &[Vec<Stop<'_>>]) -> Vec<Stage> {
    let mut left: Vec<&Stage> = Vec::new();
    let mut edges: Vec<(&Stage, &Stage)> = Vec::new();
    for way in ways {
        // A frame that is flooded to several ports meets the same chains again: the first time counts.
        let mut met: Vec<&Stage> = Vec::new();
        for stop in way {
            if !met.contains(&&stop.stage) {
                met.push(&stop.stage);
            }
            if !left.contains(&&stop.stage) {
                left.push(&stop.stage);
            }
        }
        for pair in met.windows(2) {
            let edge = (pair[0], pair[1]);
            if !edges.contains(&edge) {
                edges.push(edge);
            }
        }
    }
    let mut out = Vec::new();
    while !left.is_empty() {
        let is_free = |stage: &Stage| !edges.iter().any(|(_, to)| *to == stage);
        // Two packets may have met two chains in opposite order; then the kernel's order breaks the circle.
        let candidates =
            left.iter().enumerate().map(|(at, stage)| (!is_free(stage), rank(stage), at));
        let Some((_, _, at)) = candidates.min() else { break };
        let stage = left.remove(at);
        edges.retain(|(from, to)| *from != stage && *to != stage);
        out.push(stage.clone());
    }
    out
}

/// The kernel's order of a routed packet, with the bridge where it usually stands.
fn rank(stage: &Stage) -> u16 {
    match stage {
        Stage::Chain { bridge: true, table, hook, pass } => {
            u16::from(*pass) * 100
                + match (hook, Table::from_name(table)) {
                    (Some(Hook::Brouting), _) => 0,
                    (Some(Hook::Prerouting), _) => 1,
                    (Some(Hook::Input), _) => 20,
                    (Some(Hook::Forward), _) => 21,
                    (Some(Hook::Output), Some(Table::Nat)) => 80,
                    (Some(Hook::Output), _) => 81,
                    (Some(Hook::Postrouting), _) => 82,
                    (None, _) => 90,
                }
        }
        Stage::Chain { bridge: false, table, hook, pass } => {
            u16::from(*pass) * 100
                + hook_rank(*hook)
                + Table::from_name(table).map_or(7, table_rank)
        }
        Stage::Nat { hook, pass, .. } => u16::from(*pass) * 100 + hook_rank(*hook) + 8,
        Stage::Log { .. } => 95,
    }
}

fn hook_rank(hook: Option<Hook>) -> u16 {
    match hook {
        Some(Hook::Brouting) => 0,
        Some(Hook::Prerouting) => 10,
        Some(Hook::Input) => 30,
        Some(Hook::Forward) => 40,
        Some(Hook::Output) => 50,
        Some(Hook::Postrouting) => 60,
        None => 90,
    }
}

fn table_rank(table: Table) -> u16 {
    match table {
        Table::Broute => 0,
        Table::Raw => 1,
        Table::Mangle => 2,
        Table::Nat => 3,
        Table::Filter => 4,
        Table::Security => 5,
    }
}
