//! What became of a packet, by the rules it met: the log's own verdict made sure, or corrected.
//!
//! The log knows which lines must have followed (its verdict is `dropped` by `absence` where they did not); the
//! rule book knows what the last rule does. A rule that ends the way ended it; one that lets on where lines are
//! missing did not, and neither did one that cannot end a way: what became of the packet is then unknown.

use super::course::{Course, Glance, Known, Stand};
use super::walk_on::{Fates, walk_on};
use crate::explain::{Lore, ToldVerdict};
use crate::model::{
    Hook, Hop, IfName, Layer, Packet, Site, Stop, Table, Verdict, VerdictEvidence, VerdictKind,
};
use crate::rulebook::{Dialect, Moment, Spot, Target};

/// The verdict on a packet that went this way. `verdict` is what the log alone says; places and devices are all
/// that is asked of the path, so that every packet of one way has one verdict.
pub fn judge(path: &[Hop], verdict: &Verdict, lore: Lore<'_>) -> ToldVerdict {
    let glances = path.iter().map(|hop| Glance { hop, header: None }).collect();
    judge_glances(path, glances, verdict, lore)
}

/// The verdict on one packet, for which its headers are asked as well: of several rules that may have decided over
/// packets of its way, they may leave one.
pub(crate) fn judge_packet(packet: &Packet, lore: Lore<'_>) -> ToldVerdict {
    let path: Vec<Hop> = packet.steps.iter().map(|step| step.hop.clone()).collect();
    let steps = packet.steps.iter();
    let glances = steps.map(|step| Glance { hop: &step.hop, header: Some(&step.header) }).collect();
    judge_glances(&path, glances, &packet.verdict, lore)
}

fn judge_glances(
    path: &[Hop],
    glances: Vec<Glance<'_>>,
    verdict: &Verdict,
    lore: Lore<'_>,
) -> ToldVerdict {
    let course = Course::of(glances, lore);
    let case = Case { path, verdict, course: &course, rules: lore.rules };
    let told = case.judge();
    case.with_takers(told)
}

/// A way to be judged.
#[derive(Clone, Copy)]
struct Case<'c, 'm> {
    path: &'c [Hop],
    verdict: &'c Verdict,
    course: &'c Course<'c, 'm>,
    rules: &'m Moment,
}

impl<'m> Case<'_, 'm> {
    fn judge(self) -> ToldVerdict {
        let Some(last) = self.last() else { return self.as_logged() };
        match *self.path[last].site {
            Site::Trace { .. } => self.by_trace(last),
            Site::Log { .. } if self.path[last].layer != Layer::Bridge => self.by_log(last),
            Site::Log { .. } | Site::Bridge { .. } | Site::BridgeLog { .. } => self.by_frame(last),
        }
    }

    /// The last step that says something of its own: neither conntrack's remark nor the line of a LOG rule
    /// whose TRACE line stands before it.
    fn last(self) -> Option<usize> {
        (0..self.path.len()).rev().find(|index| {
            !is_remark(&self.path[*index].site) && self.course.trace_of(*index).is_none()
        })
    }

    fn by_trace(self, last: usize) -> ToldVerdict {
        let Stand::At(known) = &self.course.stands[last] else { return self.as_logged() };
        let Some(target) = known.target() else { return self.cannot_end(last) };
        match target {
            _ if self.was_answered() => self.as_logged(),
            Target::Drop => self.ended(VerdictKind::Dropped, last, known),
            Target::Reject { .. } => self.ended(VerdictKind::Rejected, last, known),
            Target::Accept => self.let_on(last),
            Target::Queue | Target::Nfqueue { bypass: false, .. } => self.consumed(last, known),
            Target::Nfqueue { .. } if self.is_cut_short() => self.consumed(last, known),
            target if may_end(&target) => self.as_logged(),
            _ => self.cannot_end(last),
        }
    }

    /// A packet of which only LOG lines are there: the rules after the last of them tell.
    fn by_log(self, last: usize) -> ToldVerdict {
        let is_traced = self.path.iter().any(|hop| matches!(*hop.site, Site::Trace { .. }));
        if is_traced || self.was_answered() {
            return self.as_logged();
        }
        let Some(outcome) = self.fates(last).certain() else { return self.as_logged() };
        let is_final = outcome.kind != VerdictKind::Accepted
            || outcome.place.is_some_and(|place| decides(&place));
        // What the log proves beside the rules counts more.
        let agrees = match self.verdict.kind {
            VerdictKind::Unknown => true,
            logged => logged == outcome.kind,
        };
        if !is_final || !agrees {
            return self.as_logged();
        }
        self.told(outcome.kind, last, outcome.place.as_ref())
    }

    /// The last line is one of a bridge's rules.
    fn by_frame(self, last: usize) -> ToldVerdict {
        let ports = self.path.iter().filter(|hop| hop.layer == Layer::Bridge);
        let mut outputs: Vec<IfName> = ports.filter_map(|hop| hop.devices.output).collect();
        outputs.sort_unstable();
        outputs.dedup();
        // Of a flooded frame's copies one may be dropped and the others not.
        if outputs.len() > 1 {
            return self.as_logged();
        }
        let fates = self.fates(last);
        // Where the way must go on and does not, the frame was not let on.
        let fates = if self.must_go_on(last) { fates.without_acceptance() } else { fates };
        match fates.certain() {
            Some(outcome) if outcome.kind == VerdictKind::Dropped => {
                self.told(outcome.kind, last, outcome.place.as_ref())
            }
            _ => self.as_logged(),
        }
    }

    /// What may follow from the rule behind a LOG or bridge line.
    fn fates(self, index: usize) -> Fates<'m> {
        let sight = self.course.sight(index);
        let mut fates = Fates::default();
        for candidate in self.course.candidates(index) {
            for route in &candidate.routes {
                fates.add(walk_on(candidate.known, route, &sight));
            }
        }
        fates
    }

    /// Whether a frame that is let on at this step must print another line: one that the log has missed, or those of
    /// the IP tables that the bridge calls, for a packet that is traced.
    fn must_go_on(self, last: usize) -> bool {
        let is_traced_inside =
            |hop: &Hop| matches!(*hop.site, Site::Trace { .. }) && hop.devices.physin.is_some();
        let forwards = |layer: Layer| {
            let sets = self.rules.of(layer).map(|revision| &revision.rules);
            let xtables = sets.filter(|set| set.dialect == Dialect::IptablesSave);
            xtables
                .flat_map(|set| &set.tables)
                .flat_map(|table| &table.chains)
                .any(|chain| chain.hook == Some(Hook::Forward))
        };
        self.is_cut_short()
            || (self.course.stop(last) == Some(Stop::BridgeForward)
                && self.path.iter().any(|hop| is_traced_inside(hop) && forwards(hop.layer)))
    }

    /// The last rule accepted.
    fn let_on(self, last: usize) -> ToldVerdict {
        match (self.verdict.kind, self.decider(last)) {
            (VerdictKind::Accepted | VerdictKind::Consumed, _) => self.as_logged(),
            // This host's own answer comes from the process that the packet was let in to.
            (VerdictKind::Unknown, Some(decider)) if self.is_impeached(decider) => self.as_logged(),
            (VerdictKind::Unknown, Some(decider)) => self.accepted(decider),
            (VerdictKind::Rejected, Some(decider))
                if self.course.stop(last) == Some(Stop::Input) =>
            {
                self.accepted(decider)
            }
            // Something after it is missing, or an answer came that no rule here gives.
            _ => self.lost(last),
        }
    }

    /// Whether the packet met a chain of the same table and hook there that is not the one of the text: what the text
    /// has of the others may be as old, and no line confirms it.
    fn is_impeached(self, decider: usize) -> bool {
        (0..self.path.len()).any(|index| {
            matches!(self.course.stands[index], Stand::Misfit(_))
                && self.course.table(index) == self.course.table(decider)
                && self.course.stop(index) == self.course.stop(decider)
        })
    }

    fn accepted(self, decider: usize) -> ToldVerdict {
        self.told(VerdictKind::Accepted, decider, self.course.stands[decider].known())
    }

    /// The step that decided when the last one accepted: the filter table's at the hooks where that is asked. After it
    /// come only security, and nat at INPUT.
    fn decider(self, last: usize) -> Option<usize> {
        let stop = self.course.stop(last)?;
        let is_asked = matches!(stop, Stop::Input | Stop::Forward | Stop::Output);
        let is_late = match self.course.table(last)? {
            Table::Filter | Table::Security => is_asked,
            Table::Nat => stop == Stop::Input,
            Table::Raw | Table::Mangle | Table::Broute => false,
        };
        let decides = |index: &usize| {
            self.course.table(*index) == Some(Table::Filter)
                && self.course.stop(*index) == Some(stop)
                && self.course.stands[*index].known().and_then(Known::target)
                    == Some(Target::Accept)
        };
        if is_late { (0..=last).rev().find(decides) } else { None }
    }

    /// A rule that cannot end a way is the last one seen.
    fn cannot_end(self, last: usize) -> ToldVerdict {
        match self.verdict.kind {
            VerdictKind::Dropped => self.lost(last),
            _ => self.as_logged(),
        }
    }

    fn was_answered(self) -> bool {
        self.verdict.evidence == Some(VerdictEvidence::Reply)
    }

    /// Whether lines that must have followed are missing.
    fn is_cut_short(self) -> bool {
        self.verdict.evidence == Some(VerdictEvidence::Absence)
    }

    /// Unknown, last seen at this step.
    fn lost(self, last: usize) -> ToldVerdict {
        let site = Some(self.path[last].clone());
        let verdict = Verdict { kind: VerdictKind::Unknown, evidence: None, site };
        ToldVerdict { verdict, place: None, rule: None }
    }

    fn ended(self, kind: VerdictKind, at: usize, known: &Known<'m>) -> ToldVerdict {
        self.told(kind, at, Some(known))
    }

    fn consumed(self, at: usize, known: &Known<'m>) -> ToldVerdict {
        match self.verdict.kind {
            VerdictKind::Accepted => self.as_logged(),
            _ => self.told(VerdictKind::Consumed, at, Some(known)),
        }
    }

    fn told(self, kind: VerdictKind, at: usize, known: Option<&Known<'m>>) -> ToldVerdict {
        let evidence = known.map_or(VerdictEvidence::Rule, evidence);
        let site = Some(self.path[at].clone());
        ToldVerdict {
            verdict: Verdict { kind, evidence: Some(evidence), site },
            place: known.and_then(Known::place),
            rule: known.and_then(Known::text),
        }
    }

    /// What the log says, with the rule at the place it names, when that rule can have done it.
    fn as_logged(self) -> ToldVerdict {
        let mut told = ToldVerdict { verdict: self.verdict.clone(), place: None, rule: None };
        let Some(at) = self.named() else { return told };
        let Some(known) = self.course.stands[at].known() else { return told };
        if !can_have_done(known, self.verdict.kind) {
            return told;
        }
        // `policy:n` may be a rule without conditions; an answer is no better evidence than the rule itself.
        if told.verdict.evidence != Some(VerdictEvidence::Absence) {
            told.verdict.evidence = Some(evidence(known));
        }
        told.place = known.place();
        told.rule = known.text();
        told
    }

    /// The step at which the log's verdict was made.
    fn named(self) -> Option<usize> {
        let site = self.verdict.site.as_ref()?;
        (0..self.path.len()).rev().find(|index| self.path[*index] == *site)
    }

    /// A packet that REDIRECT or TPROXY sent to a process of this host, and that was let in, is consumed.
    fn with_takers(self, mut told: ToldVerdict) -> ToldVerdict {
        let is_taker = |index: usize| {
            let known = self.course.stands[index].known();
            known.and_then(Known::target).is_some_and(|target| match target {
                Target::Redirect { .. } => self.course.table(index) == Some(Table::Nat),
                Target::Tproxy => self.course.stop(index) == Some(Stop::Prerouting),
                _ => false,
            })
        };
        if told.verdict.kind == VerdictKind::Accepted
            && let Some(taken) = (0..self.path.len()).find(|index| is_taker(*index))
            && (taken + 1..self.path.len())
                .any(|index| self.course.stop(index) == Some(Stop::Input))
        {
            told.verdict.kind = VerdictKind::Consumed;
        }
        told
    }
}

fn evidence(known: &Known<'_>) -> VerdictEvidence {
    match known.found.spot {
        Spot::Policy(_) => VerdictEvidence::Policy,
        Spot::Rule(..) | Spot::End => VerdictEvidence::Rule,
    }
}

/// Whether the line is conntrack's own remark on an invalid packet.
fn is_remark(site: &Site) -> bool {
    matches!(site, Site::Log { prefix } if prefix.starts_with(b"nf_ct_"))
}

/// Whether a rule's ACCEPT decides over a packet: the filter table's does. nft's tables have any name and many chains may
/// hang at one hook; where each hook has one, that decides.
fn decides(place: &Known<'_>) -> bool {
    let set = place.found.set;
    if Table::from_name(place.found.table.name.as_bytes()) == Some(Table::Filter) {
        return true;
    }
    let chains = || set.tables.iter().flat_map(|table| &table.chains);
    set.dialect == Dialect::Nft
        && [Hook::Input, Hook::Forward, Hook::Output]
            .iter()
            .all(|hook| chains().filter(|chain| chain.hook == Some(*hook)).count() <= 1)
}

/// Targets that end a table's walk and, in their own ways, may end the packet too.
fn may_end(target: &Target) -> bool {
    match target {
        Target::Other(_)
        | Target::Tproxy
        | Target::Nfqueue { .. }
        | Target::Dnat { .. }
        | Target::Snat { .. }
        | Target::Masquerade
        | Target::Redirect { .. }
        | Target::Netmap { .. } => true,
        Target::None
        | Target::Accept
        | Target::Drop
        | Target::Return
        | Target::Continue
        | Target::Queue
        | Target::Jump(_)
        | Target::Goto(_)
        | Target::Reject { .. }
        | Target::Log
        | Target::Trace
        | Target::Mark { .. }
        | Target::Connmark
        | Target::Notrack
        | Target::Passes(_) => false,
    }
}

/// Whether a place can be where a verdict was made.
fn can_have_done(known: &Known<'_>, kind: VerdictKind) -> bool {
    let Some(target) = known.target() else { return false };
    match kind {
        VerdictKind::Accepted | VerdictKind::Consumed => {
            !matches!(target, Target::Drop | Target::Reject { .. })
                && target.goes_on() != Some(true)
        }
        VerdictKind::Dropped => target == Target::Drop || may_end(&target),
        VerdictKind::Rejected => matches!(target, Target::Reject { .. } | Target::Other(_)),
        VerdictKind::Unknown => false,
    }
}
