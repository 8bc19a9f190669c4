//! Puts what the rule sets and the host's context tell into the database: the rule behind every site, the verdicts,
//! the kinds of translation, conntrack's own tuples.
//!
//! It works by way, not by packet, and writes only what is new or has changed: running it again changes nothing.

mod connections;
mod history;
mod shelf;
mod ways;

use std::collections::BTreeMap;

use crate::annotate::history::{History, Misfit, history};
use crate::annotate::ways::HostWay;
use crate::model::{Gap, WallTime};
use crate::rulebook::{Chain, Family, Found, Remark, Revision, Rule, RuleSet, Spot, Table, Target};
use crate::store::{
    HostName, NewRevision, NewRule, RuleFamily, Snapshot, SnapshotKind, Store, StoreError,
    Tellings, UntoldConnection, WayFacts, Writer,
};

pub use shelf::{Shelf, Shelves};

/// How many connections are told in one transaction.
const AT_ONCE: u32 = 5_000;

/// How often everything is begun anew because somebody else added or removed a snapshot meanwhile.
const ATTEMPTS: usize = 3;

/// What annotating did and found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// How many rule sets were used.
    pub revisions: usize,
    /// The chains that cannot be those that packets met.
    pub misfits: Vec<Misfitting>,
    /// How many ways have a verdict by the rules.
    pub ways: usize,
    /// How many connections were told.
    pub connections: u64,
    /// The lines of snapshots that could not be read, with the snapshot's name.
    pub remarks: Vec<(String, Remark)>,
}

/// A chain of a snapshot that does not fit what packets did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfitting {
    /// The host.
    pub host: HostName,
    /// The snapshot's name.
    pub snapshot: String,
    /// Whose rules.
    pub family: Family,
    /// The table.
    pub table: Box<str>,
    /// The chain.
    pub chain: Box<str>,
    /// How it does not fit.
    pub sentence: Box<str>,
    /// From when on it does not; none when it never did, or only before it was taken.
    pub since: Option<WallTime>,
}

/// Reads all snapshots of a database and writes what they tell.
pub async fn run(store: &Store) -> Result<Report, StoreError> {
    let pending = store.pending().await?;
    if pending.ways == 0 && !pending.connections {
        return Ok(Report::default());
    }
    let mut writer = store.writer().await?;
    let mut attempts = 1;
    let report = loop {
        match tell(store, &mut writer).await {
            Err(StoreError::SnapshotsChanged) if attempts < ATTEMPTS => attempts += 1,
            told => break told,
        }
    };
    writer.close().await?;
    report
}

async fn tell(store: &Store, writer: &mut Writer) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let snapshots = store.snapshots().await?;
    let basis: Vec<i64> = snapshots.iter().map(|snapshot| snapshot.id).collect();
    let shelves = file(writer, &snapshots, &mut report).await?;
    let gaps: Vec<Gap> = store.stats().await?.gaps.into_iter().map(|row| row.gap).collect();
    let mut hosts: BTreeMap<i64, Vec<WayFacts>> = BTreeMap::new();
    for way in store.ways().await? {
        hosts.entry(way.host_id).or_default().push(way);
    }
    let mut tellings = Tellings { basis: basis.clone(), ..Tellings::default() };
    let mut histories: BTreeMap<i64, History> = BTreeMap::new();
    for (host_id, facts) in hosts {
        let Some(host) = facts.first().map(|way| way.host.clone()) else { continue };
        let mut ways = Vec::with_capacity(facts.len());
        for facts in facts {
            ways.push(HostWay::of(store, facts, &gaps).await?);
        }
        let history = history(store, &shelves.host(&host), &ways).await?;
        tellings.ways.extend(ways.iter().map(|way| ways::tell_way(way, &history)));
        tellings.sites.extend(ways::tell_sites(host_id, &ways, &history));
        tellings.held.push(ways::held(host_id, &history));
        report.misfits.extend(misfits(&host, &history));
        histories.insert(host_id, history);
    }
    report.ways = tellings.ways.iter().filter(|way| !way.verdicts.is_empty()).count();
    writer.tell(&tellings).await?;
    report.connections = tell_connections(writer, &basis, &histories).await?;
    Ok(report)
}

/// Files the rule sets of the snapshots, and puts everything on its shelf.
async fn file(
    writer: &mut Writer,
    snapshots: &[Snapshot],
    report: &mut Report,
) -> Result<Shelves, StoreError> {
    let mut shelves = Shelves::default();
    for snapshot in snapshots {
        let named = |remark| (snapshot.name.clone(), remark);
        match snapshot.kind {
            SnapshotKind::Context => {
                report.remarks.extend(shelves.add_context(snapshot).into_iter().map(named));
            }
            SnapshotKind::Rules => {
                let (sets, remarks) = shelf::rule_sets(snapshot);
                report.remarks.extend(remarks.into_iter().map(named));
                let filed: Vec<NewRevision> =
                    sets.iter().map(|(from, set)| revision(*from, set)).collect();
                let ids = writer.file_rules(snapshot.id, &filed).await?;
                for ((from, set), id) in sets.into_iter().zip(ids) {
                    shelves.add_rules(snapshot, id, from, set);
                }
            }
        }
    }
    report.revisions = shelves.revisions();
    Ok(shelves)
}

async fn tell_connections(
    writer: &mut Writer,
    basis: &[i64],
    histories: &BTreeMap<i64, History>,
) -> Result<u64, StoreError> {
    let tell = |untold: &UntoldConnection| {
        let history = histories.get(&untold.host_id);
        history.map(|history| connections::tell(untold, history)).unwrap_or_default()
    };
    let mut all = 0;
    loop {
        let told = writer.tell_connections(basis, AT_ONCE, tell).await?;
        all += told;
        if told == 0 {
            return Ok(all);
        }
    }
}

fn misfits(host: &HostName, history: &History) -> Vec<Misfitting> {
    let of = |(revision, misfit): &(Revision, Misfit)| Misfitting {
        host: host.clone(),
        snapshot: revision.name.to_string(),
        family: revision.rules.family,
        table: misfit.table.clone(),
        chain: misfit.chain.clone(),
        sentence: misfit.sentence.clone(),
        since: misfit.since(),
    };
    history.misfits.iter().map(of).collect()
}

/// A rule set as the store files it.
fn revision(from: Option<WallTime>, set: &RuleSet) -> NewRevision {
    let family = RuleFamily::from_name(set.family.name()).unwrap_or(RuleFamily::Ip4);
    let mut rules = Vec::new();
    for table in &set.tables {
        for chain in &table.chains {
            rules.push(end(set, table, chain));
            let numbered = (1..).zip(&chain.rules);
            rules.extend(numbered.map(|(number, rule)| filed_rule(table, chain, number, rule)));
        }
    }
    NewRevision { family, from, rules }
}

/// The row of a chain's policy, or of a user chain's end.
fn end(set: &RuleSet, table: &Table, chain: &Chain) -> NewRule {
    let policy = chain.policy.filter(|_| chain.hook.is_some());
    let found = policy.map(|policy| Found { set, table, chain, spot: Spot::Policy(policy) });
    NewRule {
        table: table.name.clone(),
        chain: chain.name.clone(),
        number: 0,
        text: found.and_then(|found| found.text()).map(String::into_boxed_str),
        target: policy.map(|policy| policy.name().into()),
    }
}

fn filed_rule(table: &Table, chain: &Chain, number: u32, rule: &Rule) -> NewRule {
    let target = match &rule.target {
        Target::None => None,
        Target::Jump(to) => Some(format!("jump {to}")),
        Target::Goto(to) => Some(format!("goto {to}")),
        target => Some(target.name().to_owned()),
    };
    NewRule {
        table: table.name.clone(),
        chain: chain.name.clone(),
        number,
        text: Some(rule.text.clone()),
        target: target.map(String::into_boxed_str),
    }
}
