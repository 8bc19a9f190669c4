//! What two lines of one packet can contradict: what comes behind a rule, and what should have come before a line.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::chains::{Standing, number, standings};
use super::fit::{Clue, Flaw, Trail, Witness};
use crate::model::{Header, Hop, Packet, Protocol, Site, SiteKind, Stop, Table, VerdictEvidence};
use crate::rulebook::{self, Chain, Found, Rule, RuleSet, Sight, Spot, Target};

/// What is voted on: whether the text of one rule is right. Table, chain, number, and what of it.
pub(super) type Ballot = (Box<str>, Box<str>, u32, Question);

/// What of a rule is voted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    /// Where packets go from it.
    LeadsTo,
    /// Whether it ends packets.
    Ends,
    /// Whether packets that it must match print its line.
    Prints,
    /// Whether packets have the mark behind it that it sets.
    Marks,
}

/// What the order of a trail's lines shows.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// What no lost line explains.
    pub(super) certain: Vec<Flaw>,
    /// For each question that the trail answers, the contradiction, or none when the text is right.
    pub(super) votes: Vec<(Ballot, Option<Flaw>)>,
}

/// What a log shows at all. People leave lines out before they give a log away: those with `policy`, those of a chain.
#[derive(Debug, Default)]
pub(super) struct Shown<'a> {
    chains: BTreeSet<(&'a [u8], &'a [u8])>,
    returns: bool,
    policies: bool,
}

impl<'a> Shown<'a> {
    pub(super) fn by(trails: &[Trail<'a>]) -> Self {
        let mut shown = Self::default();
        for hop in trails.iter().flat_map(|trail| trail.path) {
            if let Site::Trace { table, chain, kind } = &*hop.site {
                shown.chains.insert((table, chain));
                shown.returns |= matches!(kind, SiteKind::Return(_));
                shown.policies |= matches!(kind, SiteKind::Policy(_));
            }
        }
        shown
    }

    /// Whether a packet that comes to the end of a chain leaves a line there, or at the end of the one that called it.
    fn ends(&self, chain: &Chain) -> bool {
        self.policies || (chain.hook.is_none() && self.returns)
    }
}

/// Compares the order of lines with the rules behind them.
pub(super) fn check(trail: &Trail<'_>, rules: &RuleSet, shown: &Shown<'_>) -> Order {
    let hops: Vec<&Hop> = trail.path.iter().collect();
    let found: Vec<Option<Found<'_>>> = hops.iter().map(|hop| resolved(hop, rules)).collect();
    let is_goto = |index: usize| {
        found[index]
            .and_then(|found| found.rule())
            .is_some_and(|rule| matches!(rule.target, Target::Goto(_)))
    };
    let standings = standings(&hops, is_goto);
    let look = Look { trail, found: &found, standings: &standings, shown };
    let mut order = Order::default();
    for index in 0..hops.len() {
        look.behind(index, &mut order);
        look.before(index, &mut order);
    }
    order
}

fn resolved<'m>(hop: &Hop, rules: &'m RuleSet) -> Option<Found<'m>> {
    let is_traced = matches!(*hop.site, Site::Trace { .. }) && rules.family.sees(hop.layer);
    if is_traced { rules.resolve(&hop.site).ok() } else { None }
}

/// What follows a step.
enum Next<'a> {
    /// Another line of the same walk, in this chain.
    Same(&'a [u8]),
    /// Another line of the same walk, in the chain that called, or one that called that.
    Back(&'a [u8]),
    /// A line of the same table and hook that cannot follow: lines between are missing.
    Broken,
    /// The packet went on to another table or hook.
    Elsewhere,
    /// Nothing.
    Nothing,
}

struct Look<'l, 'a> {
    trail: &'l Trail<'a>,
    found: &'l [Option<Found<'l>>],
    standings: &'l [Standing],
    shown: &'l Shown<'l>,
}

impl<'a> Look<'_, 'a> {
    /// Compares what a rule does with the line that follows it.
    fn behind(&self, index: usize, order: &mut Order) {
        let Some(found) = &self.found[index] else { return };
        let Some(chain) = self.chain(index) else { return };
        let (number, text, target) = match found.spot {
            Spot::Rule(number, rule) => (number, &*rule.text, rule.target.clone()),
            Spot::Policy(_) => (0, "the policy", found.target().unwrap_or(Target::None)),
            Spot::End => return self.chain_end(index, found, order),
        };
        let what = if number == 0 { text.to_owned() } else { format!("rule {number}, `{text}`,") };
        let next = self.next(index);
        let wrong = |sentence: String| flaw(found, sentence, Witness::Way);
        match (&target, &next) {
            (
                Target::Drop | Target::Reject { .. },
                Next::Same(_) | Next::Back(_) | Next::Elsewhere,
            ) if !self.is_copied() => {
                let sentence = format!("{what} ends packets, and packets went on behind it");
                order.certain.push(wrong(sentence));
            }
            (Target::Drop | Target::Reject { .. }, Next::Nothing) => {
                let flaw = self.was_answered().then(|| {
                    wrong(format!("{what} ends packets, and a packet behind it was answered"))
                });
                order.votes.push((ballot(found, number, Question::Ends), flaw));
            }
            // Behind these hooks' ACCEPT nothing is in the way of a packet but tables that print lines.
            (Target::Accept, next) if self.is_at_a_verdict(index) => {
                let is_wrong =
                    matches!(next, Next::Nothing) && self.must_go_on() && self.shown.policies;
                let flaw = is_wrong
                    .then(|| wrong(format!("{what} accepts, and no packet went on behind it")));
                order.votes.push((ballot(found, number, Question::Ends), flaw));
                if matches!(next, Next::Same(_) | Next::Back(_)) {
                    order.certain.push(wrong(walked_on(&what)));
                }
            }
            (target, Next::Same(_) | Next::Back(_)) if ends_walk(target) => {
                order.certain.push(wrong(walked_on(&what)));
            }
            (Target::Jump(to) | Target::Goto(to), next) => {
                let to_it = (found.table.name.as_bytes(), to.as_bytes());
                let is_right = match next {
                    Next::Same(came) if to.as_bytes() == *came => true,
                    // Through chains of which the log has no line.
                    Next::Same(came) if leads(found.table, to, came) => return,
                    Next::Same(came) if chain != *came => false,
                    Next::Broken => return,
                    Next::Nothing if !self.must_go_on() => return,
                    // Its lines are missing, or were left out of the whole log.
                    _ if self.shown.chains.contains(&to_it) => false,
                    _ => return,
                };
                let flaw = (!is_right).then(|| {
                    wrong(format!("{what} leads to {to}, and packets did not come there from it"))
                });
                order.votes.push((ballot(found, number, Question::LeadsTo), flaw));
            }
            (target, next) if target.goes_on() == Some(true) => {
                let is_right = match next {
                    Next::Same(came) => chain == *came,
                    Next::Nothing if !self.must_go_on() => return,
                    Next::Back(_) if !self.shown.returns => return,
                    Next::Broken => return,
                    _ if self.shown.ends(found.chain) => false,
                    _ => return,
                };
                let flaw = (!is_right).then(|| {
                    wrong(format!("{what} lets packets go on to the next rule, and they did not"))
                });
                order.votes.push((ballot(found, number, Question::LeadsTo), flaw));
            }
            (Target::Return, Next::Same(came) | Next::Back(came)) => {
                let is_right = chain != *came || found.chain.hook.is_some();
                let flaw = (!is_right).then(|| {
                    wrong(format!("{what} leaves the chain, and packets went on to its next rule"))
                });
                order.votes.push((ballot(found, number, Question::LeadsTo), flaw));
            }
            _ => {}
        }
        self.translation(index, found, &target, order);
        self.mark(index, found, &target, order);
    }

    /// A rule that marks shows in the next line of the walk.
    fn mark(&self, index: usize, found: &Found<'_>, target: &Target, order: &mut Order) {
        let Target::Mark { set: Some((value, mask)) } = target else { return };
        let is_next = self
            .standings
            .get(index + 1)
            .is_some_and(|next| next.walk.is_some() && next.walk == self.standings[index].walk);
        if !is_next {
            return;
        }
        for packet in self.trail.samples {
            let (Some(here), Some(next)) = (packet.steps.get(index), packet.steps.get(index + 1))
            else {
                continue;
            };
            if here.header.cut || next.header.cut {
                continue;
            }
            let (old, new) = (here.header.mark.unwrap_or(0), next.header.mark.unwrap_or(0));
            let due = (old & !mask) ^ value;
            let flaw = (new != due).then(|| {
                let number = found.number();
                flaw(
                    found,
                    format!("rule {number} makes the mark 0x{due:x}, and a packet had 0x{new:x} behind it"),
                    Witness::Sample(packet.first.wall),
                )
            });
            order.votes.push((ballot(found, found.number(), Question::Marks), flaw));
        }
    }

    /// Behind the end of a user chain comes a line of the caller.
    fn chain_end(&self, index: usize, found: &Found<'_>, order: &mut Order) {
        let is_right = match self.next(index) {
            Next::Same(_) | Next::Back(_) => true,
            Next::Broken => return,
            Next::Nothing if !self.must_go_on() => return,
            _ if self.shown.policies => false,
            _ => return,
        };
        let end = found.chain.len() + 1;
        let flaw = (!is_right).then(|| {
            flaw(
                found,
                format!(
                    "the chain ends before rule {end}, and packets did not come back from there"
                ),
                Witness::Way,
            )
        });
        order.votes.push((ballot(found, end, Question::LeadsTo), flaw));
    }

    /// What a rule with one address translates to is what the packet shows at the next hook.
    fn translation(&self, index: usize, found: &Found<'_>, target: &Target, order: &mut Order) {
        let Target::Dnat { to: Some(to) } = target else { return };
        let Some((addr, port)) = one_address(to) else { return };
        let Some(later) = self.later_hook(index) else { return };
        for packet in self.trail.samples {
            let Some(ip) = packet.steps.get(later).and_then(|step| step.header.ip()) else {
                continue;
            };
            let dport = ip.ports().map(|(_, dport)| dport);
            let differs =
                ip.dst != addr || port.is_some_and(|port| dport.is_some_and(|dport| dport != port));
            if differs {
                let went = dport.map_or_else(
                    || ip.dst.to_string(),
                    |dport| SocketAddr::new(ip.dst, dport).to_string(),
                );
                order.certain.push(flaw(
                    found,
                    format!(
                        "rule {} translates to {to}, and a packet went to {went}",
                        found.number()
                    ),
                    Witness::Sample(packet.first.wall),
                ));
            }
        }
    }

    /// The rules between a line and the one before it in the same chain: none that must match may be among them.
    fn before(&self, index: usize, order: &mut Order) {
        let Some(found) = &self.found[index] else { return };
        let standing = &self.standings[index];
        let (Some(after), Some(here)) = (standing.after, self.number(index)) else { return };
        // Where the trace begins, rules were passed before it did.
        let is_first = standing.walk == self.standings.iter().find_map(|one| one.walk);
        if is_first || self.trail.path[index].site.table() == Some(Table::Raw) {
            return;
        }
        // Behind a rule that leaves the chain comes no other rule of it.
        if self.left_at(index, after) {
            return;
        }
        if let Spot::Rule(number, _) = found.spot {
            order.votes.push((ballot(found, number, Question::Prints), None));
        }
        for number in after.saturating_add(1)..here.min(found.chain.len() + 1) {
            let Some(rule) = found.chain.rule(number) else { break };
            let Some(witness) = self.who_must_meet(rule, index) else { continue };
            let sentence = format!(
                "rule {number}, `{}`, must have matched a packet that passed it, and printed no line",
                rule.text
            );
            let flaw = flaw(found, sentence, witness);
            order.votes.push((ballot(found, number, Question::Prints), Some(flaw)));
        }
    }

    /// Whether the line before this one in its chain, that of rule `number`, is of a rule that leaves the chain.
    fn left_at(&self, index: usize, number: u32) -> bool {
        let Some(here) = &self.found[index] else { return false };
        let before = self.found[..index].iter().rev().flatten().find(|found| {
            found.chain.name == here.chain.name
                && found.table.name == here.table.name
                && found.number() == number
        });
        let target = before.and_then(Found::target);
        matches!(target, Some(Target::Return | Target::Goto(_)))
    }

    /// Which packets a rule must match for what their lines at this step show.
    fn who_must_meet(&self, rule: &Rule, index: usize) -> Option<Witness> {
        let hop = &self.trail.path[index];
        let must = |header: Option<&Header>| {
            let sight = Sight { devices: &hop.devices, header, own: None, state: None };
            rule.holds(&sight) == Some(true)
        };
        if must(None) {
            return Some(Witness::Way);
        }
        let steps = self.trail.samples.iter().filter_map(|packet| {
            packet.steps.get(index).map(|step| (packet.first.wall, &step.header))
        });
        steps
            .filter(|(_, header)| !header.cut && must(Some(header)))
            .map(|(wall, _)| Witness::Sample(wall))
            .next()
    }

    /// Whether an ACCEPT of the filter table is asked at this step.
    fn is_at_a_verdict(&self, index: usize) -> bool {
        let stop = self.standings[index].stop();
        self.trail.path[index].site.table() == Some(Table::Filter)
            && matches!(stop, Some(Stop::Forward | Stop::Output))
    }

    /// Whether the log proves that the packet ended at its last line, were it not for what the rules say.
    fn must_go_on(&self) -> bool {
        self.trail.verdict.evidence == Some(VerdictEvidence::Absence)
    }

    /// Whether the other side answered the packet. For other protocols than TCP any answer counts as one to every packet.
    fn was_answered(&self) -> bool {
        let is_tcp = |packet: &Packet| {
            let ip = packet.steps.iter().find_map(|step| step.header.ip());
            ip.is_some_and(|ip| ip.protocol == Some(Protocol::TCP))
        };
        self.trail.verdict.evidence == Some(VerdictEvidence::Reply)
            && self.trail.samples.iter().all(is_tcp)
            && !self.trail.samples.is_empty()
    }

    fn next(&self, index: usize) -> Next<'a> {
        let walk = self.standings[index].walk;
        for (later, hop) in self.trail.path.iter().enumerate().skip(index + 1) {
            match &*hop.site {
                // The line of a LOG rule does not tell where it stands.
                Site::Log { .. } => {}
                Site::Trace { chain, .. } if self.standings[later].walk == walk => {
                    let is_back = self.standings[later].depth < self.standings[index].depth;
                    return if is_back { Next::Back(chain) } else { Next::Same(chain) };
                }
                Site::Trace { .. } if self.is_same_place(index, later) => return Next::Broken,
                _ => return Next::Elsewhere,
            }
        }
        Next::Nothing
    }

    /// Whether two steps are in one table at one hook.
    fn is_same_place(&self, one: usize, other: usize) -> bool {
        let (here, there) = (&self.trail.path[one], &self.trail.path[other]);
        here.site.table() == there.site.table()
            && here.devices == there.devices
            && self.standings[one].stops == self.standings[other].stops
    }

    /// The next step of another hook of IP in the same direction of the packet's addresses.
    fn later_hook(&self, index: usize) -> Option<usize> {
        let stop = self.standings[index].stop();
        (index + 1..self.trail.path.len()).find(|later| {
            matches!(*self.trail.path[*later].site, Site::Trace { .. })
                && self.standings[*later].stop() != stop
        })
    }

    fn chain(&self, index: usize) -> Option<&'a [u8]> {
        match &*self.trail.path[index].site {
            Site::Trace { chain, .. } => Some(chain),
            Site::Log { .. } | Site::Bridge { .. } | Site::BridgeLog { .. } => None,
        }
    }

    fn number(&self, index: usize) -> Option<u32> {
        match &*self.trail.path[index].site {
            Site::Trace { kind, .. } => Some(number(*kind)),
            Site::Log { .. } | Site::Bridge { .. } | Site::BridgeLog { .. } => None,
        }
    }

    /// Whether copies of it took several ways out of a bridge, or up to the host: one may end and another go on.
    fn is_copied(&self) -> bool {
        let mut ports: Vec<_> =
            self.trail.path.iter().filter_map(|hop| hop.devices.physout).collect();
        ports.sort_unstable();
        ports.dedup();
        let went_up = self.standings.iter().any(|one| one.stop() == Some(Stop::Input));
        ports.len() > 1 || (went_up && !ports.is_empty())
    }
}

/// Whether jumps lead from a chain to another one, not at once.
fn leads(table: &rulebook::Table, from: &str, to: &[u8]) -> bool {
    let mut known: Vec<&str> = vec![from];
    let mut next = 0;
    while let Some(name) = known.get(next).copied() {
        next += 1;
        let chain = table.chains.iter().find(|chain| &*chain.name == name);
        for rule in chain.iter().flat_map(|chain| &chain.rules) {
            let (Target::Jump(name) | Target::Goto(name)) = &rule.target else { continue };
            if name.as_bytes() == to {
                return true;
            }
            if !known.contains(&&**name) {
                known.push(name);
            }
        }
    }
    false
}

fn walked_on(what: &str) -> String {
    format!("{what} ends the way through the table, and packets went on to the next rule")
}

/// Whether a rule that matches is the last of its table's walk.
fn ends_walk(target: &Target) -> bool {
    matches!(
        target,
        Target::Accept
            | Target::Dnat { .. }
            | Target::Snat { .. }
            | Target::Masquerade
            | Target::Redirect { .. }
            | Target::Netmap { .. }
            | Target::Tproxy
    )
}

/// `172.17.0.5:6379`, `10.0.0.1`, `[fd00::1]:80`; not a range.
fn one_address(to: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(both) = to.parse::<SocketAddr>() {
        return Some((both.ip(), Some(both.port())));
    }
    to.trim_start_matches('[').trim_end_matches(']').parse().ok().map(|addr| (addr, None))
}

fn ballot(found: &Found<'_>, number: u32, question: Question) -> Ballot {
    (found.table.name.clone(), found.chain.name.clone(), number, question)
}

fn flaw(found: &Found<'_>, sentence: String, witness: Witness) -> Flaw {
    Flaw {
        table: found.table.name.clone(),
        chain: found.chain.name.clone(),
        clue: Clue::Order,
        sentence: sentence.into(),
        witness,
    }
}
