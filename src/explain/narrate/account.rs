//! A packet with everything that is known of its steps.

use std::net::IpAddr;

use crate::context::HostContext;
use crate::explain::{
    Inferred, Lore, RulePlace, Seen, Subject, ToldStep, infer, judge_packet, tell,
};
use crate::model::{
    Arp, Connection, Header, Hook, Hop, Layer, NatChange, NatKind, Network, Packet, PacketKey,
    Site, Step, Table, VerdictKind,
};
use crate::rulebook::{Chain, Dialect, Family, Policy, Rule, RuleSet, Sight, Target};

use super::names::socket;

/// A packet with everything that is known of its steps.
#[derive(Debug, Clone)]
pub(crate) struct Account<'a> {
    /// Its place in the subject, from 1.
    pub number: usize,
    pub packet: &'a Packet,
    pub lore: Lore<'a>,
    /// One for each step.
    pub told: Vec<ToldStep<'a>>,
    /// The hook in whose chain each step is, when the lines tell.
    pub hooks: Vec<Option<Hook>>,
    pub inferred: Vec<Inferred>,
    /// What was rewritten, in order.
    pub rewrites: Vec<Rewrite>,
    /// Where it was decided what became of the packet, or the last that was seen of it.
    pub end: Option<End>,
}

/// Where a packet's way was decided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End {
    /// The step.
    pub step: usize,
    /// Whether the packet's verdict names it; else it is only the last one.
    pub is_named: bool,
    /// The place in the rule book. It is not the step's own where a rule after a LOG rule decided.
    pub place: Option<RulePlace>,
    pub rule: Option<Box<str>>,
    pub target: Option<Target>,
    /// Whether the rule stands behind that of the step, which only wrote a line.
    pub is_beyond: bool,
}

impl End {
    /// Whether a rule behind that of the step decided, and it is not known which.
    pub(crate) fn is_open(&self) -> bool {
        self.is_beyond && self.place.is_none()
    }

    pub(crate) fn is_policy(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.number == 0)
    }
}

/// An address that differs between two lines of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rewrite {
    /// The step of the nat table that did it; none when no line of that table stands between.
    pub by: Option<usize>,
    /// The first step that shows the new address.
    pub seen_at: usize,
    pub is_source: bool,
    pub old: String,
    pub new: String,
}

impl<'a> Account<'a> {
    pub(crate) fn new(number: usize, seen: &Seen<'a>, subject: &Subject<'a>) -> Self {
        let Seen { packet, lore } = *seen;
        let told = tell(packet, lore);
        let connection =
            subject.connection.filter(|connection| packet.connection == Some(connection.key));
        let has_waited = subject.waits.iter().any(|wait| wait.waiting == packet.key);
        let inferred = infer(packet, connection, has_waited, &told, lore);
        let hooks = hooks(packet);
        let rewrites = rewrites(packet, &told);
        let mut account = Self { number, packet, lore, told, hooks, inferred, rewrites, end: None };
        account.end = account.end_at(packet.verdict.site.as_ref());
        account
    }

    /// What is known of the end of its way at this place, or at its last one.
    pub(crate) fn end_at(&self, hop: Option<&Hop>) -> Option<End> {
        let steps = &self.packet.steps;
        let named = hop.and_then(|hop| steps.iter().rposition(|step| step.hop == *hop));
        let step = named.or_else(|| steps.len().checked_sub(1))?;
        let told = self.told.get(step)?;
        let mut end = End {
            step,
            is_named: named.is_some(),
            place: told.place.clone(),
            rule: told.rule.clone(),
            target: told.target.clone(),
            is_beyond: false,
        };
        let judged = judge_packet(self.packet, self.lore);
        let is_same =
            judged.verdict.kind == self.packet.verdict.kind && judged.verdict.site.as_ref() == hop;
        // Of the rules behind a LOG rule several may have decided, all alike.
        if is_same && judged.place.is_none() && is_log(&told.step.hop.site) {
            (end.place, end.rule, end.target) = (None, None, None);
            end.is_beyond = judged.verdict.kind != VerdictKind::Unknown;
        }
        if let Some(place) =
            judged.place.filter(|place| is_same && end.place.as_ref() != Some(place))
        {
            end.target = self.target_at(&place);
            end.rule = judged.rule;
            end.place = Some(place);
            end.is_beyond = true;
        }
        Some(end)
    }

    /// Whether the packet's verdict names this step.
    pub(crate) fn decides(&self, step: usize) -> bool {
        self.end.as_ref().is_some_and(|end| end.is_named && end.step == step)
    }

    pub(crate) fn key(&self) -> PacketKey {
        self.packet.key
    }

    pub(crate) fn header(&self, step: usize) -> Option<&'a Header> {
        self.packet.steps.get(step).map(|step| &*step.header)
    }

    /// What an ARP packet says.
    pub(crate) fn arp(&self) -> Option<&'a Arp> {
        self.packet.steps.iter().find_map(|step| match &step.header.network {
            Network::Arp(arp) => Some(arp),
            Network::Absent | Network::Truncated | Network::Incomplete | Network::Ip(_) => None,
        })
    }

    pub(crate) fn is_arp(&self) -> bool {
        self.arp().is_some()
    }

    pub(crate) fn is_v6(&self) -> bool {
        self.packet.steps.iter().any(|step| {
            step.hop.layer == Layer::Ip6 || step.header.ip().is_some_and(|ip| ip.src.is_ipv6())
        })
    }

    /// The standard table that a step is in, by its line or by the rule book.
    pub(crate) fn table(&self, step: usize) -> Option<Table> {
        let told = self.told.get(step)?;
        let by_book = || Table::from_name(told.place.as_ref()?.table.as_bytes());
        told.step.hop.site.table().or_else(by_book)
    }

    pub(crate) fn hook(&self, step: usize) -> Option<Hook> {
        self.hooks.get(step).copied().flatten()
    }

    /// The rule set of a place.
    pub(crate) fn set_at(&self, place: &RulePlace) -> Option<&'a RuleSet> {
        let found = self.lore.rules.revisions.iter().find(|one| {
            one.id == place.revision
                && one.rules.family == place.family
                && one.rules.chain(&place.table, &place.chain).is_some()
        });
        found.map(|revision| &*revision.rules)
    }

    /// The form in which the rules of a place were given.
    pub(crate) fn dialect_at(&self, place: &RulePlace) -> Dialect {
        self.set_at(place).map_or(Dialect::IptablesSave, |set| set.dialect)
    }

    /// The chain of a place.
    pub(crate) fn chain_at(&self, place: &RulePlace) -> Option<&'a Chain> {
        self.set_at(place)?.chain(&place.table, &place.chain)
    }

    fn target_at(&self, place: &RulePlace) -> Option<Target> {
        let chain = self.chain_at(place)?;
        match (chain.rule(place.number), chain.policy) {
            (Some(rule), _) => Some(rule.target.clone()),
            (None, Some(Policy::Accept)) => Some(Target::Accept),
            (None, Some(Policy::Drop)) => Some(Target::Drop),
            (None, Some(Policy::Return) | None) => None,
        }
    }

    /// The chain in whose text a step's rule stands.
    pub(crate) fn chain(&self, step: usize) -> Option<&'a Chain> {
        self.chain_at(self.told.get(step)?.place.as_ref()?)
    }

    /// The step that called the user chain of a step, when its line is there.
    pub(crate) fn caller(&self, step: usize) -> Option<usize> {
        let depth = self.told.get(step)?.depth.checked_sub(1)?;
        let caller = (0..step).rfind(|at| self.told[*at].depth <= depth)?;
        (self.told[caller].depth == depth && self.table(caller) == self.table(step))
            .then_some(caller)
    }

    /// Whether the packet met a chain there, of the same table and hook, that is not the one of the text.
    pub(crate) fn is_doubted(&self, step: usize) -> bool {
        self.told.iter().enumerate().any(|(at, told)| {
            told.misfit.is_some()
                && told.one_of.is_empty()
                && self.table(at) == self.table(step)
                && self.hook(at) == self.hook(step)
        })
    }

    /// The rule that a step stands for; none for policies and chain ends.
    pub(crate) fn rule(&self, step: usize) -> Option<&'a Rule> {
        let number = self.told.get(step)?.place.as_ref()?.number;
        self.chain(step)?.rule(number)
    }

    pub(crate) fn context(&self) -> Option<&'a HostContext> {
        self.lore.context
    }

    /// Whether this is the first packet of its connection, which conntrack calls NEW.
    pub(crate) fn is_first(&self, connection: Option<&Connection>) -> bool {
        connection.is_some_and(|connection| connection.key == self.packet.key)
    }

    /// What conditions may ask of a step.
    pub(crate) fn sight<'s>(
        &'s self,
        step: usize,
        own: Option<&'s [ipnet::IpNet]>,
    ) -> Option<Sight<'s>> {
        let step = self.packet.steps.get(step)?;
        Some(Sight { devices: &step.hop.devices, header: Some(&step.header), own, state: None })
    }

    /// The translation of the connection that this step's rule made and that no line of the packet shows.
    pub(crate) fn unseen_change<'c>(
        &self,
        step: usize,
        connection: Option<&'c Connection>,
    ) -> Option<&'c NatChange> {
        if self.rewrites.iter().any(|rewrite| rewrite.by == Some(step)) {
            return None;
        }
        let hop = &self.packet.steps.get(step)?.hop;
        connection?.nat.iter().find(|change| change.site.as_ref() == Some(hop))
    }
}

/// Whether a line tells its rule by a prefix alone.
pub(crate) fn is_log(site: &Site) -> bool {
    matches!(site, Site::Log { .. } | Site::BridgeLog { .. })
}

/// Whether a translation is of the destination.
pub(crate) fn is_destination(kind: NatKind) -> bool {
    match kind {
        NatKind::Dnat | NatKind::Redirect | NatKind::Netmap => true,
        NatKind::Snat | NatKind::Masquerade => false,
    }
}

/// The built-in chain that each step belongs to: its own, the one that its user chain was called from, or
/// the one it returns to.
fn hooks(packet: &Packet) -> Vec<Option<Hook>> {
    let mut hooks = Vec::with_capacity(packet.steps.len());
    let mut last: Option<(Vec<u8>, Hook)> = None;
    for (at, step) in packet.steps.iter().enumerate() {
        let hook = match &*step.hop.site {
            Site::Trace { table, chain, .. } => {
                let own = Hook::from_chain(chain);
                let called = last.as_ref().filter(|(name, _)| **name == **table);
                let rest = || packet.steps.get(at + 1..).unwrap_or_default();
                let hook = own
                    .or(called.map(|(_, hook)| *hook))
                    .or_else(|| next_hook(rest(), table))
                    .or_else(|| same_devices(rest(), step));
                last = hook.map(|hook| (table.to_vec(), hook)).or(last);
                hook
            }
            Site::Bridge { chain, .. } => Hook::from_chain(chain),
            // A LOG rule's own TRACE line comes before it; alone, its devices tell a little.
            Site::Log { .. } => last.as_ref().map(|(_, hook)| *hook),
            Site::BridgeLog { .. } => None,
        };
        hooks.push(hook);
    }
    hooks
}

/// The hook of the next table that a packet meets with the same devices.
fn same_devices(rest: &[Step], step: &Step) -> Option<Hook> {
    let next = rest.iter().find_map(|next| match &*next.hop.site {
        Site::Trace { chain, .. } => Some((next.hop.devices, Hook::from_chain(chain)?)),
        _ => None,
    });
    next.filter(|(devices, _)| *devices == step.hop.devices).map(|(_, hook)| hook)
}

/// The built-in chain of the same table that comes next.
fn next_hook(rest: &[Step], own: &[u8]) -> Option<Hook> {
    rest.iter().find_map(|step| match &*step.hop.site {
        Site::Trace { table, chain, .. } if **table == *own => Hook::from_chain(chain),
        _ => None,
    })
}

/// The differences of addresses between the lines, each with the step of the nat table that made it.
fn rewrites(packet: &Packet, told: &[ToldStep<'_>]) -> Vec<Rewrite> {
    let mut found = Vec::new();
    let mut before: Option<(usize, Sides)> = None;
    for (at, step) in packet.steps.iter().enumerate() {
        let Some(now) = Sides::of(&step.header) else { continue };
        if let Some((from, old)) = before {
            for is_source in [false, true] {
                let (old, new) = (old.side(is_source), now.side(is_source));
                // A line without ports says nothing about them.
                let is_same =
                    old.0 == new.0 && (old.1 == new.1 || old.1.is_none() || new.1.is_none());
                if !is_same {
                    let by = by(told.get(from..at).unwrap_or_default(), is_source);
                    found.push(Rewrite {
                        by: by.map(|by| from + by),
                        seen_at: at,
                        is_source,
                        old: socket(old.0, old.1),
                        new: socket(new.0, new.1),
                    });
                }
            }
        }
        before = Some((at, now));
    }
    found
}

/// Source and destination of a line.
#[derive(Debug, Clone, Copy)]
struct Sides {
    src: (IpAddr, Option<u16>),
    dst: (IpAddr, Option<u16>),
}

impl Sides {
    fn of(header: &Header) -> Option<Self> {
        let ip = header.ip()?;
        let ports = ip.ports();
        Some(Self {
            src: (ip.src, ports.map(|(port, _)| port)),
            dst: (ip.dst, ports.map(|(_, port)| port)),
        })
    }

    fn side(&self, is_source: bool) -> (IpAddr, Option<u16>) {
        if is_source { self.src } else { self.dst }
    }
}

/// The last step of the nat table, of those that may have made the change.
fn by(told: &[ToldStep<'_>], is_source: bool) -> Option<usize> {
    told.iter().rposition(|told| {
        let is_nat =
            told.step.hop.layer != Layer::Bridge && told.step.hop.site.table() == Some(Table::Nat);
        is_nat && told.target.as_ref().is_none_or(|target| can_rewrite(target, is_source))
    })
}

fn can_rewrite(target: &Target, is_source: bool) -> bool {
    match target {
        Target::Dnat { .. } | Target::Redirect { .. } => !is_source,
        Target::Snat { .. } | Target::Masquerade => is_source,
        Target::Netmap { .. } | Target::Other(_) => true,
        _ => false,
    }
}

/// Whether a family's rules are ebtables'.
pub(crate) fn is_bridge(family: Family) -> bool {
    family == Family::Bridge
}
