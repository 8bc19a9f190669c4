//! What the rules tell of a host's ways and sites, moment by moment.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::annotate::doubt::{Doubt, distrust};
use crate::annotate::rule_at;
use crate::context::HostContext;
use crate::explain::{Distrust, Lore, judge};
use crate::library::Library;
use crate::model::{Layer, Site, WallTime};
use crate::rulebook::{Book, Moment};
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

    /// What stands at a site.
    fn stands(&self, layer: Layer, site: &Site) -> Option<Stands> {
        match self.rules.resolve(layer, site)? {
            Err(misfit) => Some(Stands::Misfit(misfit.sentence().into())),
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
        }
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

/// What stands at each site of the ways.
fn tell_sites(ways: &[WayFacts], chapters: &[Chapter]) -> Vec<SiteTelling> {
    let mut known: HashSet<(Layer, Arc<Site>)> = HashSet::new();
    let mut sites = Vec::new();
    for way in ways {
        for hop in way.hops.iter() {
            if !known.insert((hop.layer, Arc::clone(&hop.site))) {
                continue;
            }
            let stands = chapters
                .iter()
                .map(|chapter| StandsFrom {
                    from: chapter.from,
                    stands: chapter.stands(hop.layer, &hop.site),
                })
                .collect();
            let site = Arc::clone(&hop.site);
            sites.push(SiteTelling { host_id: way.host_id, layer: hop.layer, site, stands });
        }
    }
    sites
}
