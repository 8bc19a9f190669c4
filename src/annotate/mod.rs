//! Puts what the rule sets and the host's context tell into the database: the rule behind every site, the verdicts,
//! the kinds of translation, conntrack's own tuples.
//!
//! It works by way, not by packet, and writes only what is new or has changed: running it again changes nothing, and
//! a run that was killed is completed by the next one.

mod connections;
mod doubt;
mod ways;

use std::collections::BTreeMap;

use crate::library::{Library, Unread, rule_sets};
use crate::model::WallTime;
use crate::rulebook::{Family, Policy, RuleSet, Target};
use crate::store::{
    NewRevision, NewRule, RuleAt, Snapshot, SnapshotKind, Store, StoreError, Tellings, WayFacts,
    Writer,
};

/// How many connections are told in one transaction.
const CONNECTIONS: u32 = 10_000;

/// How often everything is begun anew because somebody else added or removed a snapshot meanwhile.
const ATTEMPTS: usize = 3;

/// What annotating did and found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// How many rule sets were used.
    pub revisions: usize,
    /// The chains that cannot be those that packets met.
    pub misfits: Vec<Misfitting>,
    /// How many ways have another verdict than before.
    pub ways: u64,
    /// How many connections were told.
    pub connections: u64,
    /// The lines of snapshots that could not be read.
    pub unread: Vec<Unread>,
}

/// A chain of a snapshot that does not fit what packets did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfitting {
    /// The host.
    pub host: String,
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
    /// From when on it is not used; none from the beginning.
    pub since: Option<WallTime>,
    /// Until when it is not used; none to the end of the rule set's time.
    pub until: Option<WallTime>,
}

/// Reads all snapshots of a database and writes what they tell.
pub async fn run(store: &Store) -> Result<Report, StoreError> {
    let pending = store.pending().await?;
    if pending.snapshots == 0 && !pending.connections {
        return Ok(Report::default());
    }
    let mut writer = store.writer().await?;
    let mut attempt = 1;
    let report = loop {
        match tell(store, &mut writer).await {
            Err(StoreError::SnapshotsChanged) if attempt < ATTEMPTS => attempt += 1,
            told => break told,
        }
    };
    writer.close().await?;
    report
}

async fn tell(store: &Store, writer: &mut Writer) -> Result<Report, StoreError> {
    let snapshots = store.snapshots().await?;
    let basis: Vec<i64> = snapshots.iter().map(|snapshot| snapshot.id).collect();
    let revisions = file(writer, &snapshots).await?;
    let library = Library::of(&snapshots, &store.revisions().await?);
    let mut report = Report { revisions, unread: library.remarks.clone(), ..Report::default() };
    let pending = store.pending().await?;
    // New packets may have gone old ways at a time of which nothing was told yet.
    if pending.ways > 0 || pending.connections {
        let tellings = tellings(store, &library, basis.clone(), &mut report).await?;
        report.ways = writer.tell(&tellings).await?;
    }
    let mut tell = connections::Telling::new(Library::load(store).await?);
    loop {
        let told = writer.tell_connections(&basis, CONNECTIONS, |one| tell.of(one)).await?;
        report.connections += told;
        if told == 0 {
            return Ok(report);
        }
    }
}

/// What is told of all ways and sites, host by host.
async fn tellings(
    store: &Store,
    library: &Library,
    basis: Vec<i64>,
    report: &mut Report,
) -> Result<Tellings, StoreError> {
    let mut by_host: BTreeMap<i64, Vec<WayFacts>> = BTreeMap::new();
    for way in store.ways().await? {
        by_host.entry(way.host_id).or_default().push(way);
    }
    let mut tellings = Tellings { basis, ..Tellings::default() };
    for ways in by_host.into_values() {
        let Some(first) = ways.first() else { continue };
        let book = library.book(&first.host);
        let doubts = doubt::doubts(store, &book, &ways).await?;
        report.misfits.extend(doubts.iter().map(|doubt| doubt.misfitting(&first.host.name)));
        ways::tell(library, &book, &doubts, &ways, &mut tellings);
    }
    Ok(tellings)
}

/// Files the rule sets of all snapshots; gives how many they are.
async fn file(writer: &mut Writer, snapshots: &[Snapshot]) -> Result<usize, StoreError> {
    let mut count = 0;
    for snapshot in snapshots.iter().filter(|snapshot| snapshot.kind == SnapshotKind::Rules) {
        let (sets, _) = rule_sets(snapshot);
        let revisions: Vec<NewRevision> = sets
            .iter()
            .map(|(from, rules)| NewRevision {
                family: rules.family,
                from: *from,
                rules: rows(rules),
            })
            .collect();
        count += revisions.len();
        writer.file_rules(snapshot.id, &revisions).await?;
    }
    Ok(count)
}

/// Every rule of a rule set in order; before those of a chain, its policy or end.
fn rows(rules: &RuleSet) -> Vec<NewRule> {
    let mut rows = Vec::new();
    for table in &rules.tables {
        for chain in &table.chains {
            let row = |number, text, target| NewRule {
                table: table.name.clone(),
                chain: chain.name.clone(),
                number,
                text,
                target,
            };
            let policy = chain.policy.filter(|_| chain.hook.is_some()).map(Policy::name);
            let text = policy.map(|policy| format!("-P {} {policy}", chain.name).into());
            rows.push(row(0, text, policy.map(Into::into)));
            for (number, rule) in (1..).zip(&chain.rules) {
                rows.push(row(number, Some(rule.text.clone()), word(&rule.target)));
            }
        }
    }
    rows
}

/// What a rule does, as a word.
fn word(target: &Target) -> Option<Box<str>> {
    match target {
        Target::None => None,
        Target::Jump(chain) => Some(format!("jump {chain}").into()),
        Target::Goto(chain) => Some(format!("goto {chain}").into()),
        other => Some(other.name().into()),
    }
}

/// The store's name for a place in a rule set.
fn rule_at(place: &crate::explain::RulePlace) -> RuleAt {
    RuleAt {
        revision: place.revision,
        table: place.table.clone(),
        chain: place.chain.clone(),
        number: place.number,
    }
}
