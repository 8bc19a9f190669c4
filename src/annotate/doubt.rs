//! From when to when a chain of a rule set cannot be the one that packets met.
//!
//! A rule set is sure at the time at which it was taken. Before that a chain is trusted only after the last packet
//! that contradicts it, afterwards only until the first one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::annotate::Misfitting;
use crate::explain::{Clue, Contradiction, Distrust, Trail, Witness, fit};
use crate::model::{Packet, WallTime};
use crate::rulebook::{Book, Family, Revision};
use crate::store::{Store, StoreError, WayFacts};

/// How many packets of each end of a way are looked at for their headers.
const SAMPLES: u32 = 3;

/// The time right after all packets that have none: they are told by what is known of the beginning.
const TIMED: WallTime = WallTime(i64::MIN + 1);

/// A chain that is not used for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubt {
    family: Family,
    table: Box<str>,
    chain: Box<str>,
    sentence: Box<str>,
    snapshot: Box<str>,
    /// None: from the beginning.
    from: Option<WallTime>,
    /// The first moment at which it is used again; none: as long as the rule set holds.
    until: Option<WallTime>,
}

impl Doubt {
    pub(super) fn misfitting(&self, host: &str) -> Misfitting {
        Misfitting {
            host: host.to_owned(),
            snapshot: self.snapshot.to_string(),
            family: self.family,
            table: self.table.clone(),
            chain: self.chain.clone(),
            sentence: self.sentence.clone(),
            since: self.from,
            until: self.until,
        }
    }

    /// The moments at which it begins and ends.
    pub(super) fn turns(&self) -> impl Iterator<Item = WallTime> {
        self.from.into_iter().chain(self.until)
    }

    fn holds_at(&self, at: Option<WallTime>) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < Some(until))
    }
}

/// The chains that are not used at a time.
pub(super) fn distrust(doubts: &[Doubt], at: Option<WallTime>) -> Distrust {
    let held = doubts.iter().filter(|doubt| doubt.holds_at(at));
    let entry = |doubt: &Doubt| {
        ((doubt.family, doubt.table.clone(), doubt.chain.clone()), doubt.sentence.clone())
    };
    Distrust(held.map(entry).collect())
}

/// Compares every rule set with what packets did while it held.
pub(super) async fn doubts(
    store: &Store,
    book: &Book,
    ways: &[WayFacts],
) -> Result<Vec<Doubt>, StoreError> {
    if book.revisions.is_empty() {
        return Ok(Vec::new());
    }
    let mut known = Vec::with_capacity(ways.len());
    for way in ways {
        known.push((way, store.samples(way.id, SAMPLES).await?));
    }
    let mut doubts = Vec::new();
    for edition in editions(book) {
        doubts.extend(edition.doubts(store, &known).await?);
    }
    Ok(doubts)
}

/// A rule set, and from when to when it holds.
#[derive(Debug, Clone)]
struct Edition {
    revision: Revision,
    from: Option<WallTime>,
    until: Option<WallTime>,
}

/// The rule sets of a book with their times, those of one stretch of time together. Of several that have a table of one
/// family only the first is asked about it: two engines may run, but one prints the lines.
fn editions(book: &Book) -> Vec<Edition> {
    let mut turns: Vec<Option<WallTime>> = vec![None];
    turns.extend(book.turns().into_iter().map(Some));
    let mut editions: Vec<Edition> = Vec::new();
    for (index, from) in turns.iter().enumerate() {
        let until = turns.get(index + 1).copied().flatten();
        let mut asked: BTreeSet<(Family, Box<str>)> = BTreeSet::new();
        for revision in book.at(*from).revisions {
            let revision = only_new(revision, &mut asked);
            let goes_on = |known: &&mut Edition| {
                index > 0
                    && known.until == *from
                    && known.revision.id == revision.id
                    && known.revision.rules.tables.len() == revision.rules.tables.len()
            };
            match editions.iter_mut().find(goes_on) {
                Some(known) => known.until = until,
                None => editions.push(Edition { revision, from: *from, until }),
            }
        }
    }
    editions
}

/// The rule set with those tables only that were not asked about yet.
fn only_new(revision: Revision, asked: &mut BTreeSet<(Family, Box<str>)>) -> Revision {
    let family = revision.rules.family;
    let names: Vec<Box<str>> =
        revision.rules.tables.iter().map(|table| table.name.clone()).collect();
    let is_known = |name: &str| asked.contains(&(family, name.into()));
    if !names.iter().any(|name| is_known(name)) {
        asked.extend(names.into_iter().map(|name| (family, name)));
        return revision;
    }
    let mut rules = (*revision.rules).clone();
    rules.tables.retain(|table| !is_known(&table.name));
    asked.extend(names.into_iter().map(|name| (family, name)));
    Revision { rules: Arc::new(rules), ..revision }
}

impl Edition {
    fn has(&self, time: Option<WallTime>) -> bool {
        self.from <= time && (self.until.is_none() || time < self.until)
    }

    /// Whether packets of a way may have met it.
    fn meets(&self, way: &WayFacts) -> bool {
        let is_early = self.until.is_some() && way.first_wall >= self.until;
        let is_late = way.last_wall < self.from;
        !is_early && !is_late
    }

    async fn doubts(
        &self,
        store: &Store,
        known: &[(&WayFacts, Vec<Packet>)],
    ) -> Result<Vec<Doubt>, StoreError> {
        let own: Vec<&WayFacts> =
            known.iter().map(|(way, _)| *way).filter(|way| self.meets(way)).collect();
        let samples: Vec<Vec<Packet>> = known
            .iter()
            .filter(|(way, _)| self.meets(way))
            .map(|(_, all)| {
                all.iter().filter(|packet| self.has(packet.first.wall)).cloned().collect()
            })
            .collect();
        let trails: Vec<Trail<'_>> = own
            .iter()
            .zip(&samples)
            .map(|(way, samples)| Trail {
                path: &way.hops,
                verdict: &way.verdict,
                confidence: way.confidence,
                packets: way.packets,
                is_lossy: way.is_lossy,
                samples,
            })
            .collect();
        let mut chains: BTreeMap<(Box<str>, Box<str>), Evidence> = BTreeMap::new();
        for contradiction in fit(&trails, &self.revision) {
            let Contradiction { table, chain, clue, sentence, trail, witness, .. } = contradiction;
            let Some(way) = own.get(trail) else { continue };
            let seen = self.seen(store, way, witness).await?;
            if seen.is_nothing() {
                continue;
            }
            let evidence = chains.entry((table, chain)).or_default();
            evidence.sentences.insert((clue, sentence));
            evidence.seen = evidence.seen.and(seen);
        }
        Ok(chains.into_iter().flat_map(|(chain, evidence)| self.say(chain, evidence)).collect())
    }

    /// When the packets that show a contradiction came, before and after the rule set was taken.
    async fn seen(
        &self,
        store: &Store,
        way: &WayFacts,
        witness: Witness,
    ) -> Result<Seen, StoreError> {
        let Some(taken) = self.revision.from else {
            return Ok(Seen { always: true, ..Seen::default() });
        };
        let untimed = Seen { untimed: true, ..Seen::default() };
        match witness {
            Witness::Sample(None) => Ok(untimed),
            Witness::Sample(Some(time)) if time < taken => {
                Ok(Seen { last_before: Some(time), ..Seen::default() })
            }
            Witness::Sample(Some(time)) => Ok(Seen { first_after: Some(time), ..Seen::default() }),
            Witness::Way if way.first_wall.is_none() => Ok(untimed),
            Witness::Way => {
                let way = [way.id];
                let until = self.until.map_or(taken, |until| until.min(taken));
                let before = store.span(&way, self.from, Some(until)).await?;
                let from = self.from.map_or(taken, |from| from.max(taken));
                let after = store.span(&way, Some(from), self.until).await?;
                Ok(Seen {
                    last_before: before.map(|span| span.last),
                    first_after: after.map(|span| span.first),
                    ..Seen::default()
                })
            }
        }
    }

    /// The times in which a chain is not used.
    fn say(
        &self,
        (table, chain): (Box<str>, Box<str>),
        evidence: Evidence,
    ) -> impl Iterator<Item = Doubt> {
        let sentence =
            evidence.sentences.into_iter().next().map(|(_, text)| text).unwrap_or_default();
        let doubt = move |(from, until)| Doubt {
            family: self.revision.rules.family,
            table: table.clone(),
            chain: chain.clone(),
            sentence: sentence.clone(),
            snapshot: self.revision.name.clone(),
            from,
            until,
        };
        self.ranges(evidence.seen).into_iter().map(doubt)
    }

    fn ranges(&self, seen: Seen) -> Vec<(Option<WallTime>, Option<WallTime>)> {
        if seen.always {
            return vec![(self.from, self.until)];
        }
        let after_the_last = seen.last_before.and_then(|last| last.0.checked_add(1)).map(WallTime);
        let before = after_the_last.or(seen.untimed.then_some(TIMED));
        let before = before.map(|until| (self.from, Some(until)));
        let after = seen.first_after.map(|first| (Some(first), self.until));
        before.into_iter().chain(after).collect()
    }
}

/// What speaks against a chain: how, the clearest first, and when it was seen.
#[derive(Debug, Default)]
struct Evidence {
    sentences: BTreeSet<(Clue, Box<str>)>,
    seen: Seen,
}

/// When packets contradicted a chain, seen from the time at which its rule set was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    /// Nobody knows when the rule set was taken.
    always: bool,
    /// By packets without a time.
    untimed: bool,
    /// The last time before it was taken.
    last_before: Option<WallTime>,
    /// The first time since.
    first_after: Option<WallTime>,
}

impl Seen {
    fn is_nothing(self) -> bool {
        self == Self::default()
    }

    fn and(self, other: Self) -> Self {
        let first_after = match (self.first_after, other.first_after) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self {
            always: self.always || other.always,
            untimed: self.untimed || other.untimed,
            last_before: self.last_before.max(other.last_before),
            first_after,
        }
    }
}
