//! What the rules tell of a host's ways and sites, moment by moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::annotate::doubt::{Doubt, distrust};
use crate::annotate::rule_at;
use crate::context::HostContext;
use crate::explain::{self, Distrust, Lore, judge};
use crate::library::Library;
use crate::model::{Layer, Site, WallTime};
use crate::rulebook::{Book, Moment};
use crate::store::{
    HostRules, RulesFrom, SiteTelling, Stands, StandsFrom, Tellings, VerdictFrom, WayFacts,
    WayTelling,
};

/// What holds from a time on.
struct Chapter {
    from: Option<WallTime>,
    until: Option<WallTime>,
    rules: Moment,
    distrust: Distrust,
    context: Option<HostContext>,
}

/// Adds what is told of one host.
pub(super) fn tell(
    library: &Library,
    book: &Book,
    doubts: &[Doubt],
    ways: &[WayFacts],
    tellings: &mut Tellings,
) {
    let Some(first) = ways.first() else { return };
    let mut turns: BTreeSet<Option<WallTime>> = book.turns().into_iter().map(Some).collect();
    turns.extend(doubts.iter().flat_map(Doubt::turns).map(Some));
    turns.insert(None);
    let turns: Vec<Option<WallTime>> = turns.into_iter().collect();
    let chapters: Vec<Chapter> = turns
        .iter()
        .enumerate()
        .map(|(index, from)| Chapter {
            from: *from,
            until: turns.get(index + 1).copied().flatten(),
            rules: book.at(*from),
            distrust: distrust(doubts, *from),
            context: library.context(&first.host, *from),
        })
        .collect();
    tellings.ways.extend(ways.iter().map(|way| tell_way(way, &chapters)));
    tellings.sites.extend(tell_sites(ways, &chapters));
    tellings.held.push(HostRules {
        host_id: first.host_id,
        held: chapters.iter().map(Chapter::held).collect(),
    });
}

impl Chapter {
    fn lore(&self) -> Lore<'_> {
        Lore { rules: &self.rules, distrust: &self.distrust, context: self.context.as_ref() }
    }

    fn held(&self) -> RulesFrom {
        let revisions = self.rules.revisions.iter().map(|revision| revision.id).collect();
        RulesFrom { from: self.from, revisions }
    }

    /// Whether packets of a way may have come in this time.
    fn has(&self, way: &WayFacts) -> bool {
        let is_early = self.until.is_some() && way.first_wall >= self.until;
        let is_late = way.last_wall < self.from;
        !is_early && !is_late
    }
}

fn tell_way(way: &WayFacts, chapters: &[Chapter]) -> WayTelling {
    let verdicts: Vec<VerdictFrom> = chapters
        .iter()
        .filter(|chapter| chapter.has(way))
        .map(|chapter| {
            let told = judge(&way.hops, &way.verdict, chapter.lore());
            VerdictFrom {
                from: chapter.from,
                verdict: told.verdict,
                rule: told.place.as_ref().map(rule_at),
            }
        })
        .collect();
    let is_news = |told: &VerdictFrom| told.rule.is_some() || told.verdict != way.verdict;
    let verdicts = if verdicts.iter().any(is_news) { verdicts } else { Vec::new() };
    WayTelling { way: way.id, verdicts }
}

/// What stands at each site of the ways, told for the times in which packets came there. A prefix that several rules print,
/// each on its own ways, has no one rule.
fn tell_sites(ways: &[WayFacts], chapters: &[Chapter]) -> Vec<SiteTelling> {
    let Some(host_id) = ways.first().map(|way| way.host_id) else { return Vec::new() };
    let mut sites: BTreeMap<(Layer, Arc<Site>), Vec<StandsFrom>> = BTreeMap::new();
    for chapter in chapters {
        let mut here: BTreeMap<(Layer, Arc<Site>), Option<Stands>> = BTreeMap::new();
        for way in ways.iter().filter(|way| chapter.has(way)) {
            let told = explain::stands(&way.hops, chapter.lore());
            for (hop, told) in way.hops.iter().zip(told) {
                let told = stored(told);
                here.entry((hop.layer, Arc::clone(&hop.site)))
                    .and_modify(|known| *known = of_both(known.take(), told.clone()))
                    .or_insert(told);
            }
        }
        for (site, stands) in here {
            sites.entry(site).or_default().push(StandsFrom { from: chapter.from, stands });
        }
    }
    let told = sites.into_iter();
    told.map(|((layer, site), stands)| SiteTelling { host_id, layer, site, stands }).collect()
}

fn stored(told: explain::Stands) -> Option<Stands> {
    match told {
        explain::Stands::Silent => None,
        explain::Stands::At(place) => Some(Stands::Rule(rule_at(&place))),
        explain::Stands::Misfit(why) => Some(Stands::Misfit(why)),
    }
}

/// What stands at a site by what two ways tell of it.
fn of_both(one: Option<Stands>, other: Option<Stands>) -> Option<Stands> {
    match (one, other) {
        (Some(Stands::Rule(one)), Some(Stands::Rule(other))) if one != other => {
            let why = "several rules of the snapshot log with this prefix, each for other packets";
            Some(Stands::Misfit(why.into()))
        }
        (Some(misfit @ Stands::Misfit(_)), _) | (_, Some(misfit @ Stands::Misfit(_))) => {
            Some(misfit)
        }
        (one, other) => one.or(other),
    }
}
