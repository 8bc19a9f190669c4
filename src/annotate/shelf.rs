//! The snapshots of a database, read and put in order: whose they are, and from when on they hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::context::{self, HostContext, Kind};
use crate::model::WallTime;
use crate::rulebook::{self, Book, Dialect, Remark, Revision, RuleSet};
use crate::store::{HostName, RevisionRow, Snapshot, SnapshotKind};

/// The snapshots of a database, read.
#[derive(Debug, Default)]
pub struct Shelves {
    revisions: Vec<Shelved<Revision>>,
    pieces: Vec<Shelved<Piece>>,
}

/// What is known of one host beside its log.
#[derive(Debug, Default)]
pub struct Shelf {
    /// Its rule sets.
    pub book: Book,
    pieces: Vec<Piece>,
}

/// Something that was taken on a host, or on any.
#[derive(Debug)]
struct Shelved<T> {
    snapshot: i64,
    host: Option<String>,
    netns: Option<String>,
    item: T,
}

/// A piece of host context.
#[derive(Debug, Clone)]
struct Piece {
    kind: Kind,
    /// The file's own name: `ip-route.txt` of two folders is the same thing at two times.
    name: Box<str>,
    from: Option<WallTime>,
    facts: Arc<HostContext>,
}

/// The rule sets of a snapshot with the times from which they hold, in the order of its text. A text may hold the rules of
/// several moments: its first header is the snapshot's time, the others are as much later as their headers say.
pub(super) fn rule_sets(snapshot: &Snapshot) -> (Vec<(Option<WallTime>, RuleSet)>, Vec<Remark>) {
    let reading = rulebook::read(&String::from_utf8_lossy(&snapshot.text), &snapshot.name);
    let first = reading.sets.iter().find_map(|set| set.taken);
    let later_us = |set: &RuleSet| {
        let later = set.taken?.signed_duration_since(first?).num_microseconds()?;
        (later > 0).then_some(later)
    };
    let from = |set: &RuleSet| {
        snapshot.from.map(|WallTime(us)| WallTime(us.saturating_add(later_us(set).unwrap_or(0))))
    };
    let sets = reading.sets.into_iter().map(|set| (from(&set), set)).collect();
    (sets, reading.remarks)
}

impl Shelves {
    /// Reads snapshots. `filed` are the numbers under which their rule sets are stored; those that are not have number 0.
    pub fn read(snapshots: &[Snapshot], filed: &[RevisionRow]) -> Self {
        let mut shelves = Self::default();
        for snapshot in snapshots {
            match snapshot.kind {
                SnapshotKind::Rules => {
                    for (index, (from, rules)) in rule_sets(snapshot).0.into_iter().enumerate() {
                        let is_it =
                            |row: &&RevisionRow| row.snapshot == snapshot.id && row.index == index;
                        let id = filed.iter().find(is_it).map_or(0, |row| row.id);
                        shelves.add_rules(snapshot, id, from, rules);
                    }
                }
                SnapshotKind::Context => drop(shelves.add_context(snapshot)),
            }
        }
        shelves
    }

    pub(super) fn add_rules(
        &mut self,
        snapshot: &Snapshot,
        id: i64,
        from: Option<WallTime>,
        rules: RuleSet,
    ) {
        let name = own_name(snapshot);
        let revision = Revision { id, from, name, rules: Arc::new(rules) };
        self.revisions.push(shelved(snapshot, revision));
    }

    pub(super) fn add_context(&mut self, snapshot: &Snapshot) -> Vec<Remark> {
        let text = String::from_utf8_lossy(&snapshot.text);
        let reading = context::read(&text, &snapshot.name);
        if let Some(kind) = reading.kind {
            let facts = Arc::new(reading.facts);
            let piece = Piece { kind, name: own_name(snapshot), from: snapshot.from, facts };
            self.pieces.push(shelved(snapshot, piece));
        }
        let remarks = reading.remarks.into_iter();
        remarks.map(|remark| Remark { line: remark.line, sentence: remark.sentence }).collect()
    }

    /// How many rule sets there are.
    pub fn revisions(&self) -> usize {
        self.revisions.len()
    }

    /// The rule sets of one snapshot.
    pub fn of_snapshot(&self, id: i64) -> impl Iterator<Item = &Revision> {
        self.revisions.iter().filter(move |one| one.snapshot == id).map(|one| &one.item)
    }

    /// All pieces of context, whosever they are.
    pub fn contexts(&self) -> impl Iterator<Item = &HostContext> {
        self.pieces.iter().map(|piece| &*piece.item.facts)
    }

    /// What was taken on this host; where nothing was, what was taken on any.
    pub fn host(&self, host: &HostName) -> Shelf {
        let revisions = own(&self.revisions, host, |one| {
            (one.rules.dialect == Dialect::Nft, one.rules.on_nftables, one.rules.family)
        });
        let pieces = own(&self.pieces, host, |piece| piece.kind);
        Shelf {
            book: Book { revisions: revisions.cloned().collect() },
            pieces: pieces.cloned().collect(),
        }
    }
}

fn shelved<T>(snapshot: &Snapshot, item: T) -> Shelved<T> {
    Shelved {
        snapshot: snapshot.id,
        host: snapshot.host.clone(),
        netns: snapshot.netns.clone(),
        item,
    }
}

fn own_name(snapshot: &Snapshot) -> Box<str> {
    snapshot.name.rsplit('/').next().unwrap_or_default().into()
}

/// Of each sort what fits the host best: what names it and its namespace, what names it, what names nobody.
fn own<'a, T, S: Ord + Copy>(
    all: &'a [Shelved<T>],
    host: &HostName,
    sort: impl Fn(&T) -> S,
) -> impl Iterator<Item = &'a T> {
    let fits = |one: &Shelved<T>| {
        let is_host = one.host.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(&host.name));
        let is_netns = one.netns.is_none() || one.netns == host.netns;
        (is_host && is_netns).then_some((one.host.is_some(), one.netns.is_some()))
    };
    let mut best: BTreeMap<S, (bool, bool)> = BTreeMap::new();
    for one in all {
        if let Some(fit) = fits(one) {
            let known = best.entry(sort(&one.item)).or_insert(fit);
            *known = fit.max(*known);
        }
    }
    let chosen: Vec<&T> = all
        .iter()
        .filter(|one| fits(one).is_some_and(|fit| best.get(&sort(&one.item)) == Some(&fit)))
        .map(|one| &one.item)
        .collect();
    chosen.into_iter()
}

impl Shelf {
    /// The times from which pieces of context hold.
    pub fn context_turns(&self) -> impl Iterator<Item = Option<WallTime>> {
        self.pieces.iter().map(|piece| piece.from)
    }

    /// The host's context at a time: of each file the latest that was taken before, or the first one when all were taken
    /// later. conntrack's record is a history by itself: all of it is kept. None when there is no context at all.
    pub fn context_at(&self, at: Option<WallTime>) -> Option<HostContext> {
        let mut files: BTreeMap<(Kind, &str), Vec<&Piece>> = BTreeMap::new();
        for piece in &self.pieces {
            files.entry((piece.kind, &piece.name)).or_default().push(piece);
        }
        let mut whole: Option<HostContext> = None;
        for ((kind, _), mut history) in files {
            history.sort_by_key(|piece| piece.from);
            if kind != Kind::Conntrack {
                let past = history.iter().filter(|piece| piece.from <= at).count();
                history = history.get(past.max(1) - 1).copied().into_iter().collect();
            }
            for piece in history {
                whole.get_or_insert_default().merge(HostContext::clone(&piece.facts));
            }
        }
        whole
    }
}
