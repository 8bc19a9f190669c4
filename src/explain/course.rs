//! A path read beside the rule book: how each step stands, and what stands there in the rules.

use ipnet::IpNet;

use super::chains::{Standing, standings};
use super::route::{Route, routes_to};
use crate::context::HostContext;
use crate::explain::{Distrust, Lore, RulePlace};
use crate::model::{Header, Hop, Site, SiteKind, Stop, Table};
use crate::rulebook::{Dialect, Family, Found, Misfit, Revision, RuleSet, Sight, Spot, Target};

/// One step as it is looked at: with its header, or without when a whole way is meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glance<'a> {
    pub(super) hop: &'a Hop,
    pub(super) header: Option<&'a Header>,
}

/// A place in the rule book.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'m> {
    pub(super) revision: &'m Revision,
    pub(super) found: Found<'m>,
}

/// A rule that may have printed a line, with the ways by which a packet can have come to it.
#[derive(Debug, Clone)]
pub(super) struct Candidate<'m> {
    pub(super) known: Known<'m>,
    pub(super) routes: Vec<Route<'m>>,
}

/// What stands in the rule book at a step.
#[derive(Debug, Clone)]
pub(super) enum Stand<'m> {
    /// No rule set is for such a line.
    Silent,
    /// This.
    At(Known<'m>),
    /// One of these rules, which log with the same prefix.
    OneOf(Vec<Candidate<'m>>),
    /// The rule book's text is not that of the rules that the packet met: why.
    Misfit(Box<str>),
}

/// A path beside the rule book.
#[derive(Debug)]
pub(super) struct Course<'a, 'm> {
    pub(super) glances: Vec<Glance<'a>>,
    pub(super) standings: Vec<Standing>,
    pub(super) stands: Vec<Stand<'m>>,
    own: Vec<IpNet>,
}

impl Known<'_> {
    /// Its place; none for the end of a user chain.
    pub(super) fn place(&self) -> Option<RulePlace> {
        (self.found.spot != Spot::End).then(|| self.spot())
    }

    /// Its place, with number 0 for a policy and for the end of a user chain.
    pub(super) fn spot(&self) -> RulePlace {
        RulePlace {
            revision: self.revision.id,
            family: self.revision.rules.family,
            table: self.found.table.name.clone(),
            chain: self.found.chain.name.clone(),
            number: self.found.number(),
        }
    }

    /// Its text; none for the end of a user chain.
    pub(super) fn text(&self) -> Option<Box<str>> {
        self.found.text().map(String::into_boxed_str)
    }

    /// What is done there; none for the end of a user chain.
    pub(super) fn target(&self) -> Option<Target> {
        self.found.target()
    }

    /// Whether both are the same rule.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self.found.rule(), other.found.rule()) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            _ => false,
        }
    }
}

impl<'m> Stand<'m> {
    /// The one place, when it is known.
    pub(super) fn known(&self) -> Option<&Known<'m>> {
        match self {
            Self::At(known) => Some(known),
            Self::Silent | Self::OneOf(_) | Self::Misfit(_) => None,
        }
    }
}

impl<'a, 'm> Course<'a, 'm> {
    /// Reads a path beside the rule book.
    pub(super) fn of(glances: Vec<Glance<'a>>, lore: Lore<'m>) -> Self {
        let own = lore.context.map(HostContext::own_nets).unwrap_or_default();
        let mut stands: Vec<Stand<'m>> =
            glances.iter().map(|glance| traced(glance.hop, lore)).collect();
        let hops: Vec<&Hop> = glances.iter().map(|glance| glance.hop).collect();
        let is_goto = |index: usize| {
            stands[index].known().is_some_and(|known| {
                known.found.rule().is_some_and(|rule| matches!(rule.target, Target::Goto(_)))
            })
        };
        let standings = standings(&hops, is_goto);
        for index in 0..glances.len() {
            if !matches!(*glances[index].hop.site, Site::Trace { .. }) {
                let line = Line { glances: &glances, stands: &stands, own: &own, index };
                stands[index] = line.logged(&standings[index], lore);
            }
        }
        Self { glances, standings, stands, own }
    }

    /// What the line of a step shows.
    pub(super) fn sight(&self, index: usize) -> Sight<'_> {
        sight(self.glances[index], &self.own)
    }

    /// The one hook a step is at.
    pub(super) fn stop(&self, index: usize) -> Option<Stop> {
        self.standings[index].stop()
    }

    /// The TRACE line of the LOG rule whose own line this step is.
    pub(super) fn trace_of(&self, index: usize) -> Option<usize> {
        let own = self.stands[index].known()?;
        let before = trace_before(&self.glances, index)?;
        let traced = self.stands[before].known()?;
        traced.is(own).then_some(before)
    }

    /// How deep in user chains a step is.
    pub(super) fn depth(&self, index: usize) -> usize {
        if let Some(traced) = self.trace_of(index) {
            return self.standings[traced].depth;
        }
        match &self.stands[index] {
            Stand::At(known) if self.standings[index].walk.is_none() => {
                let routes =
                    routes_to(&known.found, self.standings[index].stops, &self.sight(index));
                routes.iter().map(|route| route.jumps.len()).min().unwrap_or_default()
            }
            _ => self.standings[index].depth,
        }
    }

    /// The rules that may have printed a step's line, with the ways to them.
    pub(super) fn candidates(&self, index: usize) -> Vec<Candidate<'m>> {
        match &self.stands[index] {
            Stand::Silent | Stand::Misfit(_) => Vec::new(),
            Stand::OneOf(candidates) => candidates.clone(),
            Stand::At(known) => {
                let stops = self.standings[index].stops;
                let routes = routes_to(&known.found, stops, &self.sight(index));
                vec![Candidate { known: *known, routes }]
            }
        }
    }

    /// The standard table a step is in, by its line or by its rule.
    pub(super) fn table(&self, index: usize) -> Option<Table> {
        let named = self.glances[index].hop.site.table();
        named.or_else(|| {
            let known = self.stands[index].known()?;
            Table::from_name(known.found.table.name.as_bytes())
        })
    }
}

fn sight<'s>(glance: Glance<'s>, own: &'s [IpNet]) -> Sight<'s> {
    Sight {
        devices: &glance.hop.devices,
        header: glance.header,
        own: (!own.is_empty()).then_some(own),
        state: None,
    }
}

/// The last TRACE line before a LOG line, when nothing but LOG lines lies between and it is a rule's.
fn trace_before(glances: &[Glance<'_>], index: usize) -> Option<usize> {
    let is_log = |at: &usize| matches!(*glances[*at].hop.site, Site::Log { .. });
    if !is_log(&index) {
        return None;
    }
    let before = (0..index).rev().find(|at| !is_log(at))?;
    let is_rule = matches!(*glances[before].hop.site, Site::Trace { kind: SiteKind::Rule(_), .. });
    (is_rule && glances[before].hop.devices == glances[index].hop.devices).then_some(before)
}

/// What stands at a TRACE line; silent for all others.
fn traced<'m>(hop: &Hop, lore: Lore<'m>) -> Stand<'m> {
    let Site::Trace { .. } = *hop.site else { return Stand::Silent };
    match lore.rules.resolve(hop.layer, &hop.site) {
        None => Stand::Silent,
        Some(Err(misfit)) => Stand::Misfit(misfit.sentence().into()),
        Some(Ok((revision, found))) => trusted(Known { revision, found }, lore.distrust),
    }
}

/// The place, unless what packets did contradicts its chain.
fn trusted<'m>(known: Known<'m>, distrust: &Distrust) -> Stand<'m> {
    match why_not(&known, distrust) {
        Some(why) => Stand::Misfit(why.into()),
        None => Stand::At(known),
    }
}

fn why_not<'d>(known: &Known<'_>, distrust: &'d Distrust) -> Option<&'d str> {
    if distrust.0.is_empty() {
        return None;
    }
    let Found { table, chain, .. } = known.found;
    let key = (known.revision.rules.family, table.name.clone(), chain.name.clone());
    distrust.0.get(&key).map(|why| &**why)
}

/// A line that tells its rule by a prefix alone.
struct Line<'c, 'a, 'm> {
    glances: &'c [Glance<'a>],
    stands: &'c [Stand<'m>],
    own: &'c [IpNet],
    index: usize,
}

impl<'m> Line<'_, '_, 'm> {
    fn logged(&self, standing: &Standing, lore: Lore<'m>) -> Stand<'m> {
        let hop = self.glances[self.index].hop;
        let Some(all) = printing(hop, lore) else { return Stand::Silent };
        if all.is_empty() {
            return Stand::Misfit(Misfit::NoPrefix.sentence().into());
        }
        match self.just_traced() {
            Some(Stand::At(traced)) => {
                if let Some(same) = all.iter().find(|known| known.is(traced)) {
                    return Stand::At(*same);
                }
            }
            // The rule that printed both lines is not in the rule book.
            Some(Stand::Misfit(why)) => return Stand::Misfit(why.clone()),
            Some(Stand::Silent | Stand::OneOf(_)) | None => {}
        }
        let sight = sight(self.glances[self.index], self.own);
        let mut possible: Vec<Candidate<'m>> = Vec::new();
        for known in &all {
            let routes = routes_to(&known.found, standing.stops, &sight);
            if !routes.is_empty() || known.revision.rules.family == Family::Netdev {
                possible.push(Candidate { known: *known, routes });
            }
        }
        match possible.as_slice() {
            [] => Stand::Misfit(nowhere(&all).into()),
            [one] => trusted(one.known, lore.distrust),
            several => {
                let why = several.iter().find_map(|one| why_not(&one.known, lore.distrust));
                why.map_or_else(|| Stand::OneOf(possible.clone()), |why| Stand::Misfit(why.into()))
            }
        }
    }

    /// What stands at the TRACE line that this line follows.
    fn just_traced(&self) -> Option<&Stand<'m>> {
        Some(&self.stands[trace_before(self.glances, self.index)?])
    }
}

/// The rules that print a line's prefix; none when no rule set is for such a line.
fn printing<'m>(hop: &Hop, lore: Lore<'m>) -> Option<Vec<Known<'m>>> {
    let (Site::Log { prefix } | Site::Bridge { prefix, .. } | Site::BridgeLog { prefix }) =
        &*hop.site
    else {
        return None;
    };
    let mut is_asked = false;
    let mut all: Vec<Known<'m>> = Vec::new();
    for revision in lore.rules.of(hop.layer).filter(|one| logs_like(&one.rules, hop)) {
        is_asked = true;
        for found in revision.rules.by_prefix(prefix) {
            // The same rule may stand in the output of iptables-save and of nft.
            let is_known = all.iter().any(|other| {
                other.revision.rules.family == revision.rules.family
                    && other.found.label() == found.label()
            });
            if !is_known {
                all.push(Known { revision, found });
            }
        }
    }
    if let Site::Bridge { table, chain, .. } = &*hop.site {
        let named = |known: &Known<'_>| {
            known.found.table.name.as_bytes() == &**table
                && known.found.chain.name.as_bytes() == &**chain
        };
        if all.iter().any(named) {
            all.retain(named);
        }
    }
    is_asked.then_some(all)
}

/// Whether rules of this form leave lines of this form.
fn logs_like(rules: &RuleSet, hop: &Hop) -> bool {
    let is_ebtables = matches!(rules.dialect, Dialect::EbtablesSave | Dialect::EbtablesList);
    if hop.site.is_bridge() { rules.family == Family::Bridge } else { !is_ebtables }
}

fn nowhere(all: &[Known<'_>]) -> String {
    let places: Vec<String> = all.iter().map(|known| known.found.label()).collect();
    format!(
        "no rule of the snapshot that logs with this prefix can have met this packet here: {}",
        places.join(", ")
    )
}
