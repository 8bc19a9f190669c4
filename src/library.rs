//! The snapshots of a database, read: what is known beside the log, host by host and moment by moment.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::context::{self, HostContext, Kind};
use crate::explain::{Distrust, Lore};
use crate::model::{Layer, WallTime};
use crate::rulebook::{self, Book, Family, Moment, Revision, RuleSet};
use crate::store::{HostName, RevisionRow, SiteTold, Snapshot, SnapshotKind, Store, StoreError};

/// The snapshots of a database.
#[derive(Debug, Default)]
pub struct Library {
    revisions: Vec<Shelved<Revision>>,
    contexts: Vec<Shelved<Piece>>,
    misfits: Vec<SiteTold>,
    /// The hosts that were asked for.
    hosts: Vec<(HostName, History)>,
    /// What could not be read, with the snapshot's name.
    pub remarks: Vec<Unread>,
}

/// A line of a snapshot that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The snapshot's name.
    pub snapshot: String,
    /// The line's number from 1.
    pub line: usize,
    /// What is wrong with it.
    pub sentence: String,
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
#[derive(Debug)]
struct Piece {
    kind: Kind,
    /// The file's own name: `ip-route.txt` of two folders is the same thing at two times.
    name: String,
    from: Option<WallTime>,
    facts: HostContext,
}

/// What is known of one host by the time from which it holds, the earliest first; that one reaches back to the beginning.
type History = Vec<(Option<WallTime>, Arc<HostLore>)>;

/// What is known of one host at one moment.
#[derive(Debug, Default)]
pub struct HostLore {
    rules: Moment,
    distrust: Distrust,
    context: Option<HostContext>,
}

/// The rule sets of a snapshot's text, with the time from which each holds.
///
/// A text may hold several moments: the snapshot's time is that of the first, and the others are as much later as
/// their own headers say.
pub fn rule_sets(snapshot: &Snapshot) -> (Vec<(Option<WallTime>, RuleSet)>, Vec<Unread>) {
    let text = String::from_utf8_lossy(&snapshot.text);
    let reading = rulebook::read(&text, &snapshot.name);
    let first = reading.sets.iter().find_map(|set| set.taken);
    let from = |set: &RuleSet| {
        let later = set.taken.zip(first).and_then(|(own, first)| (own - first).num_microseconds());
        snapshot.from.map(|from| WallTime(from.0.saturating_add(later.unwrap_or_default())))
    };
    let sets = reading.sets.into_iter().map(|set| (from(&set), set)).collect();
    let unread = |remark: rulebook::Remark| Unread {
        snapshot: snapshot.name.clone(),
        line: remark.line,
        sentence: remark.sentence,
    };
    (sets, reading.remarks.into_iter().map(unread).collect())
}

impl Library {
    /// Reads the snapshots of a database, and where packets contradict them.
    pub async fn load(store: &Store) -> Result<Self, StoreError> {
        let snapshots = store.snapshots().await?;
        if snapshots.is_empty() {
            return Ok(Self::default());
        }
        let mut library = Self::of(&snapshots, &store.revisions().await?);
        library.misfits = store.misfits().await?;
        Ok(library)
    }

    /// Reads snapshots whose rule sets are filed.
    pub fn of(snapshots: &[Snapshot], filed: &[RevisionRow]) -> Self {
        let mut library = Self::default();
        for snapshot in snapshots {
            match snapshot.kind {
                SnapshotKind::Rules => library.add_rules(snapshot, filed),
                SnapshotKind::Context => library.add_context(snapshot),
            }
        }
        library
    }

    fn add_rules(&mut self, snapshot: &Snapshot, filed: &[RevisionRow]) {
        let (sets, unread) = rule_sets(snapshot);
        self.remarks.extend(unread);
        for (index, (from, rules)) in sets.into_iter().enumerate() {
            let row = filed.iter().find(|row| row.snapshot == snapshot.id && row.index == index);
            let revision = Revision {
                id: row.map_or(0, |row| row.id),
                from,
                name: file_name(&snapshot.name).into(),
                rules: Arc::new(rules),
            };
            self.revisions.push(shelve(snapshot, revision));
        }
    }

    fn add_context(&mut self, snapshot: &Snapshot) {
        let reading = context::read(&String::from_utf8_lossy(&snapshot.text), &snapshot.name);
        self.remarks.extend(reading.remarks.into_iter().map(|remark| Unread {
            snapshot: snapshot.name.clone(),
            line: remark.line,
            sentence: remark.sentence,
        }));
        if let Some(kind) = reading.kind {
            let name = file_name(&snapshot.name).to_owned();
            let piece = Piece { kind, name, from: snapshot.from, facts: reading.facts };
            self.contexts.push(shelve(snapshot, piece));
        }
    }

    /// What is known of a host at a time; without one, what is known of the beginning.
    pub fn at(&mut self, host: &HostName, time: Option<WallTime>) -> Arc<HostLore> {
        let known = self.hosts.iter().position(|(name, _)| name == host);
        let place = known.unwrap_or_else(|| {
            self.hosts.push((host.clone(), self.history(host)));
            self.hosts.len() - 1
        });
        let history = self.hosts.get(place).map_or(&[][..], |(_, history)| history);
        let past = history.partition_point(|(from, _)| *from <= time);
        history.get(past.max(1) - 1).map(|(_, lore)| Arc::clone(lore)).unwrap_or_default()
    }

    fn history(&self, host: &HostName) -> History {
        let book = self.book(host);
        let misfits: Vec<&SiteTold> =
            self.misfits.iter().filter(|misfit| *misfit.host == *host).collect();
        let mut turns: BTreeSet<Option<WallTime>> = book.turns().into_iter().map(Some).collect();
        turns.extend(own(&self.contexts, host).map(|piece| piece.from));
        turns.extend(misfits.iter().map(|misfit| misfit.from));
        turns.insert(None);
        let lore = |at| HostLore {
            rules: book.at(at),
            distrust: distrust(&misfits, at),
            context: self.context(host, at),
        };
        turns.into_iter().map(|at| (at, Arc::new(lore(at)))).collect()
    }

    /// All rule sets of a host.
    pub fn book(&self, host: &HostName) -> Book {
        Book { revisions: own(&self.revisions, host).cloned().collect() }
    }

    /// What is known of a host besides its rules at a time.
    ///
    /// Of each file the latest that was taken before, or the first one when all were taken later. conntrack's record
    /// is a history by itself: all of it is kept.
    pub fn context(&self, host: &HostName, at: Option<WallTime>) -> Option<HostContext> {
        let mut files: BTreeMap<(Kind, &str), Vec<&Piece>> = BTreeMap::new();
        for piece in own(&self.contexts, host) {
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
                whole.get_or_insert_default().merge(piece.facts.clone());
            }
        }
        whole
    }

    /// The rule sets of one snapshot, the last of each family; none when there is no such snapshot of rules.
    pub fn snapshot(&self, id: i64) -> Option<Moment> {
        let own = self.revisions.iter().filter(|shelved| shelved.snapshot == id);
        let revisions: Vec<Revision> =
            own.map(|shelved| Revision { from: None, ..shelved.item.clone() }).collect();
        (!revisions.is_empty()).then(|| Book { revisions }.at(None))
    }

    /// The addresses of the containers of this name, on any host.
    pub fn addresses_of(&self, container: &str) -> Vec<IpAddr> {
        let containers = self.contexts.iter().flat_map(|piece| &piece.item.facts.containers);
        let own = containers.filter(|one| &*one.name == container);
        let addrs: BTreeSet<IpAddr> = own.flat_map(|one| one.addrs.iter().copied()).collect();
        addrs.into_iter().collect()
    }
}

impl HostLore {
    /// For telling.
    pub fn lore(&self) -> Lore<'_> {
        Lore { rules: &self.rules, distrust: &self.distrust, context: self.context.as_ref() }
    }

    /// The rule sets that held.
    pub fn revisions(&self) -> impl Iterator<Item = &Revision> {
        self.rules.revisions.iter()
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn shelve<T>(snapshot: &Snapshot, item: T) -> Shelved<T> {
    Shelved {
        snapshot: snapshot.id,
        host: snapshot.host.clone(),
        netns: snapshot.netns.clone(),
        item,
    }
}

/// What was taken on this host; without anything of its own, what was taken on any.
fn own<'a, T>(all: &'a [Shelved<T>], host: &HostName) -> impl Iterator<Item = &'a T> {
    let has_own = all.iter().any(|one| one.host.as_deref() == Some(&host.name));
    let is_own = move |one: &&Shelved<T>| match &one.host {
        Some(own) => *own == host.name,
        None => !has_own,
    };
    let is_there = move |one: &&Shelved<T>| one.netns.is_none() || one.netns == host.netns;
    all.iter().filter(is_own).filter(is_there).map(|one| &one.item)
}

/// The chains of which some line does not fit at a time.
fn distrust(misfits: &[&SiteTold], at: Option<WallTime>) -> Distrust {
    let mut latest: BTreeMap<(Layer, i64), &SiteTold> = BTreeMap::new();
    for told in misfits.iter().filter(|told| told.from <= at) {
        latest.insert((told.layer, told.site), told);
    }
    let mut distrust = Distrust::default();
    for ((layer, _), told) in latest {
        let family = match layer {
            Layer::Ip => Family::Ip4,
            Layer::Ip6 => Family::Ip6,
            Layer::Bridge => Family::Bridge,
            Layer::Arp => Family::Arp,
        };
        if let Some(sentence) = &told.misfit {
            let key = (family, told.table.as_str().into(), told.chain.as_str().into());
            distrust.0.entry(key).or_insert_with(|| sentence.as_str().into());
        }
    }
    distrust
}
