//! What is known beside the log, host by host and moment by moment, for everything that is told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::context::{self, HostContext, Kind};
use crate::explain::{Distrust, Inferred, Lore, ToldStep, infer, tell};
use crate::model::{Connection, Layer, LinkKind, WallTime};
use crate::rulebook::{self, Book, Family, Moment, Revision};
use crate::store::{
    HostName, PacketRow, RevisionRow, SiteTold, Snapshot, SnapshotKind, Store, StoreError,
};

/// The snapshots of a database, read.
#[derive(Debug, Default)]
pub struct Library {
    revisions: Vec<Shelved<Revision>>,
    contexts: Vec<Shelved<Piece>>,
    misfits: Vec<SiteTold>,
    /// The hosts that were asked for.
    hosts: Vec<(HostName, HostLibrary)>,
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

/// What is known of one host, moment by moment.
#[derive(Debug)]
struct HostLibrary {
    /// By the time from which it holds, the earliest first; that one reaches back to the beginning.
    moments: Vec<(Option<WallTime>, Arc<HostLore>)>,
}

/// What is known of one host at one moment.
#[derive(Debug, Default)]
pub struct HostLore {
    rules: Moment,
    distrust: Distrust,
    context: Option<HostContext>,
}

impl Library {
    /// Reads the snapshots of a database.
    pub async fn load(store: &Store) -> Result<Self, StoreError> {
        let snapshots = store.snapshots().await?;
        if snapshots.is_empty() {
            return Ok(Self::default());
        }
        let mut library = Self { misfits: store.misfits().await?, ..Self::default() };
        let filed = store.revisions().await?;
        for snapshot in snapshots {
            library.add(snapshot, &filed);
        }
        Ok(library)
    }

    fn add(&mut self, snapshot: Snapshot, filed: &[RevisionRow]) {
        let text = String::from_utf8_lossy(&snapshot.text);
        let name = snapshot.name.rsplit('/').next().unwrap_or_default().to_owned();
        match snapshot.kind {
            SnapshotKind::Rules => {
                let sets = rulebook::read(&text, &snapshot.name).sets;
                for (index, rules) in sets.into_iter().enumerate() {
                    let row =
                        filed.iter().find(|row| row.snapshot == snapshot.id && row.index == index);
                    let revision = Revision {
                        id: row.map_or(0, |row| row.id),
                        from: row.map_or(snapshot.from, |row| row.from),
                        name: name.clone().into(),
                        rules: Arc::new(rules),
                    };
                    self.revisions.push(shelve(&snapshot, revision));
                }
            }
            SnapshotKind::Context => {
                let reading = context::read(&text, &snapshot.name);
                if let Some(kind) = reading.kind {
                    let piece = Piece { kind, name, from: snapshot.from, facts: reading.facts };
                    self.contexts.push(shelve(&snapshot, piece));
                }
            }
        }
    }

    /// What is known of a host at a time; without one, what is known of the beginning.
    pub fn at(&mut self, host: &HostName, time: Option<WallTime>) -> Arc<HostLore> {
        let known = self.hosts.iter().position(|(name, _)| name == host);
        let place = known.unwrap_or_else(|| {
            self.hosts.push((host.clone(), self.of(host)));
            self.hosts.len() - 1
        });
        self.hosts.get(place).map(|(_, host)| host.at(time)).unwrap_or_default()
    }

    fn of(&self, host: &HostName) -> HostLibrary {
        let book = Book { revisions: own(&self.revisions, host).map(Revision::clone).collect() };
        let pieces: Vec<&Piece> = own(&self.contexts, host).collect();
        let misfits: Vec<&SiteTold> =
            self.misfits.iter().filter(|misfit| *misfit.host == *host).collect();
        let mut turns: BTreeSet<Option<WallTime>> = book.turns().into_iter().map(Some).collect();
        turns.extend(pieces.iter().map(|piece| piece.from));
        turns.extend(misfits.iter().map(|misfit| misfit.from));
        turns.insert(None);
        let moments = turns
            .into_iter()
            .map(|at| {
                let lore = HostLore {
                    rules: book.at(at),
                    distrust: distrust(&misfits, at),
                    context: context_at(&pieces, at),
                };
                (at, Arc::new(lore))
            })
            .collect();
        HostLibrary { moments }
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
    let is_own = |one: &Shelved<T>| one.host.as_deref() == Some(host.name.as_str());
    let has_own = all.iter().any(is_own);
    let name = host.name.clone();
    let netns = host.netns.clone();
    all.iter()
        .filter(move |one| match &one.host {
            Some(own) => *own == name,
            None => !has_own,
        })
        .filter(move |one| one.netns.is_none() || one.netns == netns)
        .map(|one| &one.item)
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

/// Of each file the latest that was taken before, or the first one when all were taken later. conntrack's record is
/// a history by itself: all of it is kept.
fn context_at(pieces: &[&Piece], at: Option<WallTime>) -> Option<HostContext> {
    let mut chosen: BTreeMap<(Kind, &str), Vec<&Piece>> = BTreeMap::new();
    for piece in pieces {
        chosen.entry((piece.kind, &piece.name)).or_default().push(piece);
    }
    let mut whole: Option<HostContext> = None;
    for ((kind, _), mut history) in chosen {
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

impl HostLibrary {
    fn at(&self, time: Option<WallTime>) -> Arc<HostLore> {
        let past = self.moments.partition_point(|(from, _)| *from <= time);
        self.moments.get(past.max(1) - 1).map(|(_, lore)| Arc::clone(lore)).unwrap_or_default()
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

    /// A packet's steps with their rules, and the steps between them that no line shows.
    pub fn tell<'a>(
        &self,
        row: &'a PacketRow,
        connection: Option<&Connection>,
    ) -> (Vec<ToldStep<'a>>, Vec<Inferred>) {
        let told = tell(&row.packet, self.lore());
        let has_waited = row.links.iter().any(|link| link.kind == LinkKind::ArpWait);
        let inferred = infer(&row.packet, connection, has_waited, &told, self.lore());
        (told, inferred)
    }
}
