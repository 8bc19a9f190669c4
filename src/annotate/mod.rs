//! Puts what the rule sets and the host's context tell into the database: the rule behind every site, the verdicts,
//! the kinds of translation, conntrack's own tuples.
//!
//! It works by way, not by packet, and writes only what is new or has changed: running it again changes nothing.

use crate::model::WallTime;
use crate::rulebook::{Family, Remark};
use crate::store::{Store, StoreError};

/// What annotating did and found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// How many rule sets were used.
    pub revisions: usize,
    /// The chains that cannot be those that packets met.
    pub misfits: Vec<Misfitting>,
    /// How many ways have a verdict by the rules.
    pub ways: usize,
    /// How many connections changed.
    pub connections: usize,
    /// The lines of snapshots that could not be read, with the snapshot's name.
    pub remarks: Vec<(String, Remark)>,
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
    /// From when on it does not; none when at no known time, or always.
    pub since: Option<WallTime>,
}

/// Reads all snapshots of a database and writes what they tell.
#[expect(clippy::unused_async, reason = "it will ask the store")]
pub async fn run(store: &Store) -> Result<Report, StoreError> {
    let _ = store;
    Ok(Report::default())
}
