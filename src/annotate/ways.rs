//! What the rules tell of ways and of the places on them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::annotate::history::{History, Stretch};
use crate::explain::{RulePlace, Stands as Told, judge, stands};
use crate::model::{Gap, Layer, Packet, Site, WallTime};
use crate::store::{
    HostRules, RuleAt, RulesFrom, SiteTelling, Stands, StandsFrom, Store, StoreError, VerdictFrom,
    WayFacts, WayTelling,
};

/// How many packets at each end of a way are looked at for their headers.
const SAMPLES: u32 = 2;

/// Lines that get lost are missing around the place where that was noticed, in microseconds.
const LOSS_US: i64 = 5_000_000;

/// A way with some of its packets.
#[derive(Debug)]
pub(super) struct HostWay {
    pub(super) facts: WayFacts,
    pub(super) samples: Vec<Packet>,
    /// Lines are known to be missing where its packets came.
    pub(super) is_lossy: bool,
}

impl HostWay {
    pub(super) async fn of(
        store: &Store,
        facts: WayFacts,
        gaps: &[Gap],
    ) -> Result<Self, StoreError> {
        let samples = store.samples(facts.id, SAMPLES).await?;
        let is_lossy = gaps.iter().any(|gap| is_near(gap, &facts));
        Ok(Self { facts, samples, is_lossy })
    }

    /// Whether packets went it between these times.
    fn meets(&self, from: Option<WallTime>, until: Option<WallTime>) -> bool {
        match (self.facts.first_wall, self.facts.last_wall) {
            (Some(first), Some(last)) => {
                from.is_none_or(|from| last >= from) && until.is_none_or(|until| first < until)
            }
            _ => from.is_none(),
        }
    }
}

/// Whether all packets of a way came around a loss. A gap without a time may be anywhere.
fn is_near(gap: &Gap, way: &WayFacts) -> bool {
    if !gap.reason.loses_netfilter_lines() || i64::from(gap.host.0) != way.host_id {
        return false;
    }
    let (Some(WallTime(at)), Some(first), Some(last)) =
        (gap.stamp.wall, way.first_wall, way.last_wall)
    else {
        return true;
    };
    first.0 >= at.saturating_sub(LOSS_US) && last.0 <= at.saturating_add(LOSS_US)
}

/// The stretches of a history with the times at which they end.
fn stretches(history: &History) -> impl Iterator<Item = (&Stretch, Option<WallTime>)> {
    let ends = history.stretches.iter().skip(1).map(|stretch| stretch.from);
    history.stretches.iter().zip(ends.chain([None]))
}

/// The verdicts on a way, by time.
pub(super) fn tell_way(way: &HostWay, history: &History) -> WayTelling {
    let mut verdicts: Vec<VerdictFrom> = Vec::new();
    let mut is_told = false;
    for (stretch, until) in stretches(history) {
        if !way.meets(stretch.from, until) {
            continue;
        }
        let told = judge(&way.facts.hops, &way.facts.verdict, stretch.lore());
        is_told |= told.place.is_some() || told.verdict != way.facts.verdict;
        let rule = told.place.map(rule_at);
        verdicts.push(VerdictFrom { from: stretch.from, verdict: told.verdict, rule });
    }
    if !is_told {
        verdicts.clear();
    }
    WayTelling { way: way.facts.id, verdicts }
}

/// What stands at the places of a host's ways, by time. A prefix that several rules print, each on its own ways, has no one
/// rule.
pub(super) fn tell_sites(host_id: i64, ways: &[HostWay], history: &History) -> Vec<SiteTelling> {
    let mut sites: BTreeMap<(Layer, Arc<Site>), Vec<StandsFrom>> = BTreeMap::new();
    for (stretch, until) in stretches(history) {
        let mut here: BTreeMap<(Layer, Arc<Site>), Option<Stands>> = BTreeMap::new();
        for way in ways.iter().filter(|way| way.meets(stretch.from, until)) {
            let told = stands(&way.facts.hops, stretch.lore());
            for (hop, told) in way.facts.hops.iter().zip(told) {
                let told = match told {
                    Told::Silent => None,
                    Told::At(place) => Some(Stands::Rule(rule_at(place))),
                    Told::Misfit(why) => Some(Stands::Misfit(why)),
                };
                here.entry((hop.layer, Arc::clone(&hop.site)))
                    .and_modify(|known| *known = both(known.take(), told.clone()))
                    .or_insert(told);
            }
        }
        for (site, stands) in here {
            sites.entry(site).or_default().push(StandsFrom { from: stretch.from, stands });
        }
    }
    let told = sites.into_iter();
    told.map(|((layer, site), stands)| SiteTelling { host_id, layer, site, stands }).collect()
}

/// What stands at a site by what two ways tell.
fn both(one: Option<Stands>, other: Option<Stands>) -> Option<Stands> {
    match (one, other) {
        (Some(Stands::Rule(one)), Some(Stands::Rule(other))) if one != other => {
            let why = "several rules of the snapshot log with this prefix, each for other packets";
            Some(Stands::Misfit(why.into()))
        }
        // What is known of one way only is said of the site only when no other way speaks against it.
        (Some(Stands::Misfit(why)), _) | (_, Some(Stands::Misfit(why))) => {
            Some(Stands::Misfit(why))
        }
        (one, other) => one.or(other),
    }
}

/// Which rule sets held on a host, by time.
pub(super) fn held(host_id: i64, history: &History) -> HostRules {
    let mut held: Vec<RulesFrom> = Vec::new();
    let mut last = None;
    for stretch in &history.stretches {
        if last.replace(stretch.moment) != Some(stretch.moment) {
            let mut revisions: Vec<i64> =
                stretch.rules.revisions.iter().map(|revision| revision.id).collect();
            revisions.dedup();
            held.push(RulesFrom { from: stretch.from, revisions });
        }
    }
    HostRules { host_id, held }
}

pub(super) fn rule_at(place: RulePlace) -> RuleAt {
    let RulePlace { revision, table, chain, number, .. } = place;
    RuleAt { revision, table, chain, number }
}
