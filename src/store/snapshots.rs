//! Snapshots: the texts that say what held on a host beside its log, kept byte for byte.
//!
//! A snapshot is never changed. Adding or removing one makes everything that may rest on it wait to be told
//! again (`way.told`, `connection.untold`), in the same transaction.

use crate::model::WallTime;
use crate::store::{Store, StoreError, Writer};

/// What a snapshot is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SnapshotKind {
    /// Rule sets.
    Rules,
    /// Addresses, routes, bridges, containers, conntrack's record.
    Context,
}

/// How the time from which a snapshot holds is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FromHow {
    /// Its own text says it.
    Header,
    /// The user said it.
    Given,
    /// It is the file's time of change.
    File,
    /// It is not known.
    Unknown,
}

/// A snapshot to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSnapshot {
    /// What it is about.
    pub kind: SnapshotKind,
    /// The host it was taken on; none for any.
    pub host: Option<String>,
    /// The network namespace's label (`--netns`).
    pub netns: Option<String>,
    /// From when on it holds.
    pub from: Option<WallTime>,
    /// How that is known.
    pub from_how: FromHow,
    /// The name of the file it came from, for people.
    pub name: String,
    /// The text, whatever its bytes.
    pub text: Vec<u8>,
}

/// A snapshot's place in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// Its number.
    pub id: i64,
    /// It was not known before.
    pub is_new: bool,
}

/// A snapshot as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its number: 1, 2, 3 … in order of adding.
    pub id: i64,
    /// What it is about.
    pub kind: SnapshotKind,
    /// The host it was taken on; none for any.
    pub host: Option<String>,
    /// The network namespace's label.
    pub netns: Option<String>,
    /// From when on it holds.
    pub from: Option<WallTime>,
    /// How that is known.
    pub from_how: FromHow,
    /// The name of the file it came from.
    pub name: String,
    /// The text, byte for byte.
    pub text: Vec<u8>,
}

impl Writer {
    /// Adds a snapshot. One with the same kind, host, namespace, time and text is not added again.
    pub fn add_snapshot(
        &mut self,
        new: &NewSnapshot,
    ) -> impl Future<Output = Result<Added, StoreError>> + Send {
        let _ = (&self, new);
        async move { Err(StoreError::Damaged("not written yet")) }
    }

    /// Removes a snapshot with all that was told by it; false when there is none of this number.
    /// What else is known is told again by the next run.
    pub fn remove_snapshot(
        &mut self,
        id: i64,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send {
        let _ = (&self, id);
        async move { Err(StoreError::Damaged("not written yet")) }
    }
}

impl Store {
    /// All snapshots, in order of adding.
    #[expect(clippy::manual_async_fn, reason = "the future must be known to be `Send`")]
    pub fn snapshots(&self) -> impl Future<Output = Result<Vec<Snapshot>, StoreError>> + Send {
        async move { Ok(Vec::new()) }
    }
}
