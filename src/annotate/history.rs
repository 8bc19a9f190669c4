//! What held on a host, moment by moment: which rule sets, and which of their chains cannot be those that packets met.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::annotate::shelf::Shelf;
use crate::annotate::ways::HostWay;
use crate::context::HostContext;
use crate::explain::{Contradiction, Distrust, Lore, RulePlace, Trail, Witness, fit};
use crate::model::{Confidence, Packet, WallTime};
use crate::rulebook::{Family, Moment, Revision, Target};
use crate::store::{Store, StoreError};

/// The time right after all packets that have none: those are told by what is known of the beginning.
const TIMED: WallTime = WallTime(i64::MIN + 1);

/// What held from a time on.
#[derive(Debug)]
pub(super) struct Stretch {
    /// The time; none is the beginning.
    pub(super) from: Option<WallTime>,
    /// The rule sets.
    pub(super) rules: Moment,
    /// Which book of rules that is: stretches with one number have the same.
    pub(super) moment: usize,
    /// The chains of them that do not fit.
    pub(super) distrust: Distrust,
    /// The host's context.
    pub(super) context: Option<Arc<HostContext>>,
}

/// A host's stretches in order, and the chains that do not fit.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) stretches: Vec<Stretch>,
    pub(super) misfits: Vec<(Revision, Misfit)>,
}

/// A chain of a rule set that does not fit, and when it does not.
#[derive(Debug, Clone)]
pub(super) struct Misfit {
    family: Family,
    pub(super) table: Box<str>,
    pub(super) chain: Box<str>,
    pub(super) sentence: Box<str>,
    wrong: Wrong,
}

/// When a chain's text is not that of the rules that packets met: before the snapshot was taken up to the last
/// packet that shows it, and after that from the first one on.
#[derive(Debug, Clone, Copy, Default)]
struct Wrong {
    /// Always: nobody knows when the snapshot was taken.
    always: bool,
    /// For packets without a time.
    untimed: bool,
    /// Up to this time.
    up_to: Option<WallTime>,
    /// From this time on.
    from: Option<WallTime>,
}

impl Stretch {
    pub(super) fn lore(&self) -> Lore<'_> {
        Lore { rules: &self.rules, distrust: &self.distrust, context: self.context.as_deref() }
    }

    /// What the rule at a place does.
    pub(super) fn target(&self, place: &RulePlace) -> Option<&Target> {
        let is_it = |one: &&Revision| one.id == place.revision && one.rules.family == place.family;
        let chains = self.rules.revisions.iter().filter(is_it);
        let chain = chains.filter_map(|one| one.rules.chain(&place.table, &place.chain)).next()?;
        chain.rule(place.number).map(|rule| &rule.target)
    }
}

impl Misfit {
    /// From when on the chain does not fit, when it did before.
    pub(super) fn since(&self) -> Option<WallTime> {
        let did_before = !self.wrong.always && self.wrong.up_to.is_none();
        self.wrong.from.filter(|_| did_before)
    }
}

impl Wrong {
    fn at(self, time: Option<WallTime>) -> bool {
        match time {
            _ if self.always => true,
            None => self.untimed || self.up_to.is_some(),
            Some(time) => {
                self.up_to.is_some_and(|last| time <= last)
                    || self.from.is_some_and(|first| time >= first)
            }
        }
    }

    /// The times at which the answer changes.
    fn turns(self) -> impl Iterator<Item = WallTime> {
        let after = self.up_to.map(|WallTime(us)| WallTime(us.saturating_add(1)));
        let timed = (self.untimed && !self.always).then_some(TIMED);
        [after, self.from, timed].into_iter().flatten()
    }
}

/// One rule set with the times between which it holds.
#[derive(Debug, Clone)]
struct Edition {
    revision: Revision,
    from: Option<WallTime>,
    until: Option<WallTime>,
}

impl Edition {
    fn has(&self, time: Option<WallTime>) -> bool {
        match time {
            None => self.from.is_none(),
            Some(time) => {
                self.from.is_none_or(|from| time >= from)
                    && self.until.is_none_or(|until| time < until)
            }
        }
    }

    fn meets(&self, way: &HostWay) -> bool {
        match (way.facts.first_wall, way.facts.last_wall) {
            (Some(first), Some(last)) => {
                self.from.is_none_or(|from| last >= from)
                    && self.until.is_none_or(|until| first < until)
            }
            _ => self.from.is_none(),
        }
    }
}

/// Reads off the ways of a host when its rule sets fit.
pub(super) async fn history(
    store: &Store,
    shelf: &Shelf,
    ways: &[HostWay],
) -> Result<History, StoreError> {
    let mut turns: BTreeSet<Option<WallTime>> = shelf.book.turns().into_iter().map(Some).collect();
    turns.insert(None);
    let turns: Vec<Option<WallTime>> = turns.into_iter().collect();
    let moments: Vec<Moment> = turns.iter().map(|turn| shelf.book.at(*turn)).collect();
    let mut history = History::default();
    let mut wrong: Vec<(Edition, Misfit)> = Vec::new();
    for edition in editions(&turns, &moments) {
        for misfit in misfits(store, &edition, ways).await? {
            history.misfits.push((edition.revision.clone(), misfit.clone()));
            wrong.push((edition.clone(), misfit));
        }
    }
    let mut all: BTreeSet<Option<WallTime>> = turns.iter().copied().collect();
    all.extend(shelf.context_turns());
    for (edition, misfit) in &wrong {
        let own = misfit.wrong.turns().map(Some).filter(|turn| edition.has(*turn));
        all.extend(own);
    }
    for from in all {
        let moment = turns.partition_point(|turn| *turn <= from).saturating_sub(1);
        let mut distrust = Distrust::default();
        for (edition, misfit) in &wrong {
            if edition.has(from) && misfit.wrong.at(from) {
                let key = (misfit.family, misfit.table.clone(), misfit.chain.clone());
                distrust.0.insert(key, misfit.sentence.clone());
            }
        }
        history.stretches.push(Stretch {
            from,
            rules: moments[moment].clone(),
            moment,
            distrust,
            context: shelf.context_at(from).map(Arc::new),
        });
    }
    Ok(history)
}

/// The rule sets of the moments whose lines tell their place, each with the time it holds. Of several that have a table of
/// one family only the first is asked about it.
fn editions(turns: &[Option<WallTime>], moments: &[Moment]) -> Vec<Edition> {
    let mut editions: Vec<Edition> = Vec::new();
    for (index, moment) in moments.iter().enumerate() {
        let until = turns.get(index + 1).copied().flatten();
        let mut asked: BTreeSet<(Family, Box<str>)> = BTreeSet::new();
        for revision in &moment.revisions {
            let family = revision.rules.family;
            let mut own = revision.clone();
            let tables = &revision.rules.tables;
            let is_new = |name: &str| !asked.contains(&(family, name.into()));
            if tables.iter().any(|table| !is_new(&table.name)) {
                let mut rules = (*revision.rules).clone();
                rules.tables.retain(|table| is_new(&table.name));
                own.rules = Arc::new(rules);
            }
            asked.extend(tables.iter().map(|table| (family, table.name.clone())));
            let same = |known: &&mut Edition| {
                known.until == turns[index]
                    && known.revision.id == own.id
                    && known.revision.rules.tables.len() == own.rules.tables.len()
            };
            match editions.iter_mut().rev().find(same).filter(|_| index > 0) {
                Some(known) => known.until = until,
                None => editions.push(Edition { revision: own, from: turns[index], until }),
            }
        }
    }
    editions
}

/// The chains of a rule set that do not fit, with the times of the packets that show it.
async fn misfits(
    store: &Store,
    edition: &Edition,
    ways: &[HostWay],
) -> Result<Vec<Misfit>, StoreError> {
    let own: Vec<&HostWay> = ways.iter().filter(|way| edition.meets(way)).collect();
    let samples: Vec<Vec<Packet>> = own
        .iter()
        .map(|way| {
            way.samples.iter().filter(|packet| edition.has(packet.first.wall)).cloned().collect()
        })
        .collect();
    let trails: Vec<Trail<'_>> = own
        .iter()
        .zip(&samples)
        .map(|(way, samples)| Trail {
            path: &way.facts.hops,
            verdict: &way.facts.verdict,
            confidence: way.samples.first().map_or(Confidence::Ambiguous, |one| one.confidence),
            packets: way.facts.packets,
            is_lossy: way.is_lossy,
            samples,
        })
        .collect();
    let mut misfits: BTreeMap<(Box<str>, Box<str>), Misfit> = BTreeMap::new();
    for contradiction in fit(&trails, &edition.revision) {
        let wrong = wrong(store, edition, own[contradiction.trail], contradiction.witness).await?;
        let Contradiction { family, table, chain, sentence, .. } = contradiction;
        misfits
            .entry((table.clone(), chain.clone()))
            .and_modify(|known| known.wrong = known.wrong.and(wrong))
            .or_insert(Misfit { family, table, chain, sentence, wrong });
    }
    Ok(misfits.into_values().collect())
}

impl Wrong {
    fn and(self, other: Self) -> Self {
        let earlier = match (self.from, other.from) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self {
            always: self.always || other.always,
            untimed: self.untimed || other.untimed,
            up_to: self.up_to.max(other.up_to),
            from: earlier,
        }
    }
}

/// When a contradiction was seen, before and after the rule set was taken.
async fn wrong(
    store: &Store,
    edition: &Edition,
    way: &HostWay,
    witness: Witness,
) -> Result<Wrong, StoreError> {
    let Some(taken) = edition.revision.from else {
        return Ok(Wrong { always: true, ..Wrong::default() });
    };
    let mut wrong = Wrong::default();
    match witness {
        Witness::Sample(None) => wrong.untimed = true,
        Witness::Sample(Some(time)) if time < taken => wrong.up_to = Some(time),
        Witness::Sample(Some(time)) => wrong.from = Some(time),
        Witness::Way if way.facts.first_wall.is_none() => wrong.untimed = true,
        Witness::Way => {
            let id = [way.facts.id];
            let until = edition.until.map_or(taken, |until| until.min(taken));
            let before = store.span(&id, edition.from, Some(until)).await?;
            wrong.up_to = before.map(|span| span.last);
            let from = edition.from.map_or(taken, |from| from.max(taken));
            let after = store.span(&id, Some(from), edition.until).await?;
            wrong.from = after.map(|span| span.first);
        }
    }
    Ok(wrong)
}
