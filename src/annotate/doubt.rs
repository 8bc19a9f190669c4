//! From when to when a chain of a rule set cannot be the one that packets met.
//!
//! A rule set is sure at the time at which it was taken. Before that a chain is trusted only after the last packet
//! that contradicts it, afterwards only until the first one.

use std::collections::{BTreeMap, BTreeSet};

use crate::annotate::Misfitting;
use crate::explain::{Contradiction, Distrust, Trail, Witness, fit};
use crate::model::{Packet, WallTime};
use crate::rulebook::{Book, Family, Revision};
use crate::store::{Span, Store, StoreError, WayFacts};

/// How many packets of each end of a way are looked at for their headers.
const SAMPLES: u32 = 3;

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
    let mut samples = Vec::with_capacity(ways.len());
    for way in ways {
        samples.push(store.samples(way.id, SAMPLES).await?);
    }
    let mut starts: Vec<Option<WallTime>> = vec![None];
    starts.extend(book.turns().into_iter().map(Some));
    let mut doubts = Vec::new();
    for (index, from) in starts.iter().enumerate() {
        let epoch = Epoch { from: *from, until: starts.get(index + 1).copied().flatten() };
        let moment = book.at(*from);
        let own = epoch.ways(store, ways, &samples).await?;
        for revision in &moment.revisions {
            let found = epoch.compare(store, revision, &own).await?;
            doubts.extend(found);
        }
    }
    Ok(doubts)
}

/// A time in which the rule sets stay the same.
#[derive(Debug, Clone, Copy)]
struct Epoch {
    from: Option<WallTime>,
    until: Option<WallTime>,
}

/// A way with those of its samples that came in an epoch.
struct OwnWay<'a> {
    way: &'a WayFacts,
    samples: Vec<Packet>,
}

impl Epoch {
    fn has(self, time: Option<WallTime>) -> bool {
        self.from <= time && (self.until.is_none() || time < self.until)
    }

    /// The ways that packets went in this time.
    async fn ways<'a>(
        self,
        store: &Store,
        ways: &'a [WayFacts],
        samples: &[Vec<Packet>],
    ) -> Result<Vec<OwnWay<'a>>, StoreError> {
        let mut own = Vec::new();
        for (way, samples) in ways.iter().zip(samples) {
            let is_whole = self.has(way.first_wall) && self.has(way.last_wall);
            if is_whole || self.span(store, way).await?.is_some() {
                let samples =
                    samples.iter().filter(|packet| self.has(packet.first.wall)).cloned().collect();
                own.push(OwnWay { way, samples });
            }
        }
        Ok(own)
    }

    async fn span(self, store: &Store, way: &WayFacts) -> Result<Option<Span>, StoreError> {
        store.span(&[way.id], self.from, self.until).await
    }

    async fn compare(
        self,
        store: &Store,
        revision: &Revision,
        own: &[OwnWay<'_>],
    ) -> Result<Vec<Doubt>, StoreError> {
        let trails: Vec<Trail<'_>> = own
            .iter()
            .map(|one| Trail {
                path: &one.way.hops,
                verdict: &one.way.verdict,
                confidence: one.way.confidence,
                packets: one.way.packets,
                is_lossy: one.way.is_lossy,
                samples: &one.samples,
            })
            .collect();
        let mut chains: BTreeMap<(Box<str>, Box<str>), Evidence> = BTreeMap::new();
        for contradiction in fit(&trails, revision) {
            let Contradiction { table, chain, sentence, trail, witness, .. } = contradiction;
            let seen = match witness {
                Witness::Sample(time) => time.map(|time| (time, time)),
                Witness::Way => match own.get(trail) {
                    Some(one) => {
                        self.span(store, one.way).await?.map(|span| (span.first, span.last))
                    }
                    None => None,
                },
            };
            let evidence = chains.entry((table, chain)).or_default();
            evidence.sentences.insert(sentence);
            evidence.seen.push(seen);
        }
        let doubt = |((table, chain), evidence): ((Box<str>, Box<str>), Evidence)| {
            let (from, until) = evidence.range(revision.from, self);
            Doubt {
                family: revision.rules.family,
                table,
                chain,
                sentence: evidence.sentence(),
                snapshot: revision.name.clone(),
                from,
                until,
            }
        };
        Ok(chains.into_iter().map(doubt).collect())
    }
}

/// What speaks against a chain: how, and from when to when packets showed it.
#[derive(Debug, Default)]
struct Evidence {
    sentences: BTreeSet<Box<str>>,
    /// None for packets without wall time.
    seen: Vec<Option<(WallTime, WallTime)>>,
}

impl Evidence {
    /// The shortest sentence is the plainest: `the chain had 4 rules, the snapshot has 3`.
    fn sentence(&self) -> Box<str> {
        let shortest = self.sentences.iter().min_by_key(|sentence| sentence.len());
        shortest.cloned().unwrap_or_default()
    }

    /// From when to when the chain is not used; `taken` is the time at which it was sure.
    fn range(&self, taken: Option<WallTime>, epoch: Epoch) -> (Option<WallTime>, Option<WallTime>) {
        let (Some(taken), true) = (taken, self.seen.iter().all(Option::is_some)) else {
            return (epoch.from, epoch.until);
        };
        let seen = || self.seen.iter().flatten();
        let last_before = seen().map(|(_, last)| *last).filter(|last| *last < taken).max();
        let is_across = seen().any(|(first, last)| *first < taken && *last >= taken);
        let first_after = seen().map(|(first, _)| *first).filter(|first| *first >= taken).min();
        match (last_before, first_after) {
            _ if is_across => (epoch.from, epoch.until),
            (Some(last), None) => (epoch.from, last.0.checked_add(1).map(WallTime)),
            (None, Some(first)) => (Some(first), epoch.until),
            // Sure for a moment only: not worth a doubtful word.
            _ => (epoch.from, epoch.until),
        }
    }
}
