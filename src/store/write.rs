//! The writing side: one batch is one transaction, with the read positions in it.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashMapExt as _};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use crate::model::{Counts, Outcome, SourceId};
use crate::store::StoreError;
use crate::store::intern::Intern;
use crate::store::known::Known;
use crate::store::rules::RuleIds;
use crate::store::source::{self, Registered, SourceIdentity, SourceKind};
use crate::store::write_connections::Connections;
use crate::store::write_packets::Packets;
use crate::store::write_remarks::Remarks;

/// What one transaction stores.
#[derive(Debug, Default)]
pub struct Batch {
    /// The outcomes, in the order in which they came.
    pub outcomes: Vec<Outcome>,
    /// How far the sources were read for them.
    pub progress: Vec<Progress>,
}

/// How far a source was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The source.
    pub source: SourceId,
    /// Uncompressed bytes taken in: the end of a whole line.
    pub position: u64,
    /// The hash of the bytes before `position`, see [`crate::store::hash_tail`].
    pub tail_hash: Option<[u8; 32]>,
    /// The lines counted since the last progress of this source.
    pub counts: Counts,
    /// Its end was reached and its open packets were closed.
    pub done: bool,
}

/// The writing side of a store. Every method is one transaction.
///
/// The futures are spelt out, because the compiler cannot tell for every lifetime that an `async fn`
/// here is `Send`, and the pipeline writes in a task of its own.
pub struct Writer {
    pub(crate) connection: SqliteConnection,
    pub(crate) memory: Memory,
}

/// What a writer remembers from one transaction to the next. Forgetting it costs time only.
pub(crate) struct Memory {
    pub intern: Intern,
    pub known: Known,
    pub rules: RuleIds,
    /// Whether there are snapshots, so that what is written waits to be told.
    pub has_snapshots: bool,
    /// SQLite's `data_version`: it changes when somebody else wrote.
    version: i64,
}

/// A `data_version` that SQLite never gives.
const NO_VERSION: i64 = -1;

impl Memory {
    fn new() -> Self {
        Self {
            intern: Intern::default(),
            known: Known::default(),
            rules: RuleIds::default(),
            has_snapshots: false,
            version: NO_VERSION,
        }
    }

    /// Forgets all that another process may have changed. Must run at the start of every transaction that uses it.
    pub(crate) async fn refresh(
        &mut self,
        connection: &mut SqliteConnection,
    ) -> Result<(), StoreError> {
        let version: i64 = sqlx::query_scalar("select data_version from pragma_data_version")
            .fetch_one(&mut *connection)
            .await?;
        if version != self.version {
            self.forget();
            self.has_snapshots = sqlx::query_scalar("select exists (select 1 from snapshot)")
                .fetch_one(&mut *connection)
                .await?;
            self.version = version;
        }
        Ok(())
    }

    /// Forgets all: a transaction was undone, or changed what is remembered.
    pub(crate) fn forget(&mut self) {
        self.intern.forget();
        self.known.forget();
        self.rules.forget();
        self.version = NO_VERSION;
    }
}

/// Whether rows of a batch may be in the database already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They are new, as nearly always; finding one that is not is [`Outcome`] of [`Written::Again`].
    New,
    /// Some may be there: look before every insert.
    Careful,
}

/// How an attempt to write a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// All of it is stored.
    Done,
    /// Some of it was stored before; the attempt must be undone and made with care.
    Again,
}

impl Writer {
    pub(crate) fn new(connection: SqliteConnection) -> Self {
        Self { connection, memory: Memory::new() }
    }

    /// Finds a source by its content, or adds it. Must come BEFORE its first line is read: the id is
    /// part of all keys.
    #[expect(clippy::manual_async_fn, reason = "the future must be known to be `Send`")]
    pub fn register_source(
        &mut self,
        identity: &SourceIdentity,
        name: &str,
        kind: SourceKind,
    ) -> impl Future<Output = Result<Registered, StoreError>> + Send {
        async move {
            let mut transaction = self.connection.begin_with("begin immediate").await?;
            let registered = source::register(&mut transaction, identity, name, kind).await?;
            transaction.commit().await?;
            Ok(registered)
        }
    }

    /// Stores a batch, whole or not at all. What is stored already is not stored again.
    #[expect(clippy::manual_async_fn, reason = "the future must be known to be `Send`")]
    pub fn write(&mut self, batch: Batch) -> impl Future<Output = Result<(), StoreError>> + Send {
        async move {
            for outcome in &batch.outcomes {
                if let Outcome::Host { id, name, netns } = outcome {
                    self.memory.intern.introduce(*id, name, netns.as_deref());
                }
            }
            match self.attempt(&batch, Mode::New).await? {
                Written::Done => Ok(()),
                Written::Again => self.attempt(&batch, Mode::Careful).await.map(|_| ()),
            }
        }
    }

    async fn attempt(&mut self, batch: &Batch, mode: Mode) -> Result<Written, StoreError> {
        let mut transaction = self.connection.begin_with("begin immediate").await?;
        self.memory.refresh(&mut transaction).await?;
        let written = store(&mut transaction, &mut self.memory, batch, mode).await;
        if matches!(written, Ok(Written::Done)) {
            transaction.commit().await.inspect_err(|_| self.memory.forget())?;
            return Ok(Written::Done);
        }
        self.memory.forget();
        // SQLite may have rolled back by itself (disk full): an error here says no more than the first one.
        let rolled_back = transaction.rollback().await;
        let again = written?;
        rolled_back?;
        Ok(again)
    }

    /// Closes the connection; the write-ahead log goes into the database file.
    pub async fn close(self) -> Result<(), StoreError> {
        Ok(self.connection.close().await?)
    }
}

async fn store(
    connection: &mut SqliteConnection,
    memory: &mut Memory,
    batch: &Batch,
    mode: Mode,
) -> Result<Written, StoreError> {
    let Memory { intern, known, has_snapshots, .. } = memory;
    let mut packets = Packets::new(mode);
    let mut connections = Connections::default();
    let mut remarks = Remarks::default();
    known.begin();
    packets.look_for(connection, &batch.outcomes).await?;
    for outcome in &batch.outcomes {
        match outcome {
            Outcome::Host { .. } => {}
            Outcome::Packet(packet) => packets.add(connection, intern, known, packet).await?,
            Outcome::Connection(one) => connections.add(connection, intern, known, one).await?,
            Outcome::Link(link) => remarks.add_link(link)?,
            Outcome::Anomaly(anomaly) => remarks.add_anomaly(anomaly)?,
            Outcome::Gap(gap) => {
                let host = intern.host(connection, gap.host).await?;
                remarks.add_gap(gap, host)?;
            }
        }
    }
    if packets.store(connection).await? == Written::Again {
        return Ok(Written::Again);
    }
    connections.store(connection, *has_snapshots).await?;
    known.store_endpoints(connection).await?;
    remarks.store(connection).await?;
    for progress in &batch.progress {
        store_progress(connection, progress).await?;
    }
    Ok(Written::Done)
}

/// Moves a source's position. Lines that were counted before (the position does not advance, and the
/// source was done) are not counted again.
async fn store_progress(
    connection: &mut SqliteConnection,
    progress: &Progress,
) -> Result<(), StoreError> {
    let source = i64::from(progress.source.0);
    let known: Option<(i64, bool)> =
        sqlx::query_as("select position, done from source where id = ?")
            .bind(source)
            .fetch_optional(&mut *connection)
            .await?;
    let (before, done) = known.ok_or(StoreError::UnknownSource(progress.source.0))?;
    let position = i64::try_from(progress.position).unwrap_or(i64::MAX);
    if position < before || (position == before && done) {
        return Ok(());
    }
    let counts = &progress.counts;
    let mut query = sqlx::query(
        "update source set position = ?, tail_hash = coalesce(?, tail_hash), done = ?,
            lines_trace = lines_trace + ?, lines_log = lines_log + ?,
            lines_ebtables = lines_ebtables + ?, lines_nft = lines_nft + ?,
            lines_marker = lines_marker + ?, lines_other = lines_other + ?,
            lines_rejected = lines_rejected + ?, lines_suspect = lines_suspect + ?,
            lines_placed = lines_placed + ?, lines_unplaced = lines_unplaced + ?
         where id = ?",
    )
    .bind(position)
    .bind(progress.tail_hash.map(|hash| hash.to_vec()))
    .bind(progress.done);
    for count in [
        counts.trace,
        counts.log,
        counts.ebtables,
        counts.nft,
        counts.marker,
        counts.other,
        counts.rejected,
        counts.suspect,
        counts.placed,
        counts.unplaced,
    ] {
        query = query.bind(count.cast_signed());
    }
    query.bind(source).execute(&mut *connection).await?;
    Ok(())
}

/// Counts by way and minute, in order.
pub(crate) type Minutes = BTreeMap<(i64, i64), i64>;

/// Rows by key, the last of equal keys, in order of the keys.
pub(crate) struct Latest<T> {
    places: HashMap<i64, usize>,
    rows: Vec<T>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self { places: HashMap::new(), rows: Vec::new() }
    }
}

impl<T> Latest<T> {
    pub(crate) fn put(&mut self, key: i64, row: T) {
        if let Some(place) = self.places.get(&key).and_then(|place| self.rows.get_mut(*place)) {
            *place = row;
        } else {
            self.places.insert(key, self.rows.len());
            self.rows.push(row);
        }
    }

    pub(crate) fn into_rows(self) -> Vec<T> {
        self.rows
    }
}
