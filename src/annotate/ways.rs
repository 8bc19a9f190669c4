//! What the rules tell of a host's ways and sites, moment by moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::annotate::doubt::{Doubt, distrust};
use crate::annotate::rule_at;
use crate::context::HostContext;
use crate::explain::{self, Distrust, Lore, judge};
use crate::library::Library;
use crate::model::{Layer, Site, WallTime};
use crate::rulebook::{Book, Misfit, Moment};
use crate::store::{
    HostRules, RuleAt, RulesFrom, SiteTelling, Stands, StandsFrom, Tellings, VerdictFrom, WayFacts,
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

    /// What stands at a site that packets met on these ways.
    fn stands(&self, layer: Layer, site: &Site, ways: &[&WayFacts]) -> Option<Stands> {
        if !matches!(site, Site::Trace { .. }) {
            return self.logs(layer, site, ways);
        }
        match self.rules.resolve(layer, site)? {
            Ok((revision, found)) => {
                let (table, chain) = (&found.table.name, &found.chain.name);
                let key = (revision.rules.family, table.clone(), chain.clone());
                Some(match self.distrust.0.get(&key) {
                    Some(sentence) => Stands::Misfit(sentence.clone()),
                    None => Stands::Rule(RuleAt {
                        revision: revision.id,
                        table: table.clone(),
                        chain: chain.clone(),
                        number: found.number(),
                    }),
                })
            }
            // Whether packets met it at this very time is known where the rule sets were held against them.
            Err(misfit) => match site {
                Site::Trace { table, chain, .. } if misfit != Misfit::NoTable => {
                    self.doubted(table, chain).map(Stands::Misfit)
                }
                _ => Some(Stands::Misfit(misfit.sentence().into())),
            },
        }
    }

    /// What stands at a site that only a prefix tells: where a line stands on its way tells of several rules the one that
    /// printed it. A prefix that several rules print, each on ways of its own, has no one rule.
    fn logs(&self, layer: Layer, site: &Site, ways: &[&WayFacts]) -> Option<Stands> {
        let mut all: Option<Stands> = None;
        for way in ways.iter().filter(|way| self.has(way)) {
            let told = explain::stands(&way.hops, self.lore());
            let own = way.hops.iter().zip(told);
            for (_, told) in own.filter(|(hop, _)| hop.layer == layer && *hop.site == *site) {
                all = of_both(all, told);
            }
        }
        all
    }

    /// Why a chain is not used, when it is not.
    fn doubted(&self, table: &[u8], chain: &[u8]) -> Option<Box<str>> {
        let is_it = |(_, own_table, own_chain): &&(_, Box<str>, Box<str>)| {
            own_table.as_bytes() == table && own_chain.as_bytes() == chain
        };
        let key = self.distrust.0.keys().find(is_it)?;
        self.distrust.0.get(key).cloned()
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

/// What stands at each site of the ways, at the times at which packets met it.
fn tell_sites(ways: &[WayFacts], chapters: &[Chapter]) -> Vec<SiteTelling> {
    let mut met: BTreeMap<(Layer, Arc<Site>), Vec<&WayFacts>> = BTreeMap::new();
    for way in ways {
        for hop in way.hops.iter() {
            let ways = met.entry((hop.layer, Arc::clone(&hop.site))).or_default();
            if ways.last().is_none_or(|last| last.id != way.id) {
                ways.push(way);
            }
        }
    }
    let tell = |((layer, site), ways): ((Layer, Arc<Site>), Vec<&WayFacts>)| {
        let stands = |chapter: &Chapter| {
            let is_met = ways.iter().any(|way| chapter.has(way));
            is_met.then(|| chapter.stands(layer, &site, &ways)).flatten()
        };
        let stands = chapters
            .iter()
            .map(|chapter| StandsFrom { from: chapter.from, stands: stands(chapter) })
            .collect();
        let host_id = ways.first().map_or(0, |way| way.host_id);
        SiteTelling { host_id, layer, site, stands }
    };
    met.into_iter().map(tell).collect()
}

/// What stands at a site by what two ways tell of it.
fn of_both(known: Option<Stands>, told: explain::Stands) -> Option<Stands> {
    let told = match told {
        explain::Stands::Silent => return known,
        explain::Stands::At(place) => Stands::Rule(rule_at(&place)),
        explain::Stands::Misfit(why) => Stands::Misfit(why),
    };
    match known {
        Some(Stands::Rule(other)) if told != Stands::Rule(other.clone()) => match told {
            Stands::Rule(_) => {
                let why =
                    "several rules of the snapshot log with this prefix, each for other packets";
                Some(Stands::Misfit(why.into()))
            }
            misfit @ Stands::Misfit(_) => Some(misfit),
        },
        Some(misfit @ Stands::Misfit(_)) => Some(misfit),
        Some(Stands::Rule(_)) | None => Some(told),
    }
}
