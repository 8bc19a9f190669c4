//! Snapshots: the texts that say what held on a host beside its log, kept byte for byte.
//!
//! A snapshot is never changed. Adding or removing one makes everything that may rest on it wait to be told
//! again (`way.told`, `connection.untold`), in the same transaction.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection as _, FromRow, Row as _};

use crate::model::WallTime;
use crate::store::read::Reader;
use crate::store::{StoreError, Writer};

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

impl SnapshotKind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Context => "context",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Rules, Self::Context].into_iter().find(|kind| kind.name() == name)
    }
}

impl FromHow {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Given => "given",
            Self::File => "file",
            Self::Unknown => "unknown",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Header, Self::Given, Self::File, Self::Unknown];
        all.into_iter().find(|how| how.name() == name)
    }
}

impl Writer {
    /// Adds a snapshot. One with the same kind, host, namespace, time and text is not added again.
    #[expect(clippy::manual_async_fn, reason = "the future must be known to be `Send`")]
    pub fn add_snapshot(
        &mut self,
        new: &NewSnapshot,
    ) -> impl Future<Output = Result<Added, StoreError>> + Send {
        async move {
            let mut transaction = self.connection.begin_with("begin immediate").await?;
            let added = add(&mut transaction, new).await?;
            transaction.commit().await?;
            self.memory.forget();
            Ok(added)
        }
    }

    /// Removes a snapshot with all that was told; false when there is none of this number.
    /// What the others tell is told again by the next run.
    #[expect(clippy::manual_async_fn, reason = "the future must be known to be `Send`")]
    pub fn remove_snapshot(
        &mut self,
        id: i64,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send {
        async move {
            let mut transaction = self.connection.begin_with("begin immediate").await?;
            let removed = remove(&mut transaction, id).await?;
            transaction.commit().await?;
            self.memory.forget();
            Ok(removed)
        }
    }
}

async fn add(connection: &mut SqliteConnection, new: &NewSnapshot) -> Result<Added, StoreError> {
    let digest = Sha256::digest(&new.text).to_vec();
    let known: Option<i64> = sqlx::query_scalar(
        "select id from snapshot
         where digest = ? and kind = ? and host is ? and netns is ? and from_us is ?",
    )
    .bind(&digest)
    .bind(new.kind.name())
    .bind(&new.host)
    .bind(&new.netns)
    .bind(new.from.map(|from| from.0))
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(id) = known {
        return Ok(Added { id, is_new: false });
    }
    let id = sqlx::query_scalar(
        "insert into snapshot (id, kind, host, netns, from_us, from_how, name, digest, length, text)
         values ((select coalesce(max(id), 0) + 1 from snapshot), ?, ?, ?, ?, ?, ?, ?, ?, ?) returning id",
    )
    .bind(new.kind.name())
    .bind(&new.host)
    .bind(&new.netns)
    .bind(new.from.map(|from| from.0))
    .bind(new.from_how.name())
    .bind(&new.name)
    .bind(&digest)
    .bind(i64::try_from(new.text.len()).unwrap_or(i64::MAX))
    .bind(deflate(&new.text))
    .fetch_one(&mut *connection)
    .await?;
    await_telling(connection).await?;
    Ok(Added { id, is_new: true })
}

async fn remove(connection: &mut SqliteConnection, id: i64) -> Result<bool, StoreError> {
    let removed =
        sqlx::query("delete from snapshot where id = ?").bind(id).execute(&mut *connection).await?;
    if removed.rows_affected() == 0 {
        return Ok(false);
    }
    remove_rules(connection, id).await?;
    forget_told(connection).await?;
    Ok(true)
}

/// Removes the rule sets of a snapshot. Whoever does so also forgets what was told by them.
pub(crate) async fn remove_rules(
    connection: &mut SqliteConnection,
    snapshot: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "delete from rule where id in (select r.id from revision v
            join rule r on r.id between v.id << 24 and (v.id << 24) + 16777215 where v.snapshot = ?)",
    )
    .bind(snapshot)
    .execute(&mut *connection)
    .await?;
    sqlx::query("delete from revision where snapshot = ?")
        .bind(snapshot)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// Makes everything wait to be told again; what was told stays until then.
async fn await_telling(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    for sql in [
        "update way set told = null where told is not null",
        "update connection set untold = 1 where untold is null",
    ] {
        sqlx::query(sql).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Forgets everything that was told: the log's own holds again. When snapshots are left, all waits to be told again.
pub(crate) async fn forget_told(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    for sql in [
        "delete from telling",
        "delete from rule_site",
        "delete from held",
        "delete from nat where learnt is not null",
        "update nat set told_kind = null, told_evidence = null, rule = null
         where coalesce(told_kind, told_evidence, rule) is not null",
        "update connection set
            reply_src = iif(learnt & 1, null, reply_src), reply_src_key = iif(learnt & 1, null, reply_src_key),
            reply_sport = iif(learnt & 2, null, reply_sport),
            reply_dst = iif(learnt & 4, null, reply_dst), reply_dst_key = iif(learnt & 4, null, reply_dst_key),
            reply_dport = iif(learnt & 8, null, reply_dport), learnt = null
         where learnt is not null",
        "update connection set told_verdict = null, told_evidence = null, told_hop = null, told_rule = null
         where told_verdict is not null",
        "update way set told = null where told is not null",
        "update connection set untold = (select 1 where exists (select 1 from snapshot))
         where untold is not (select 1 where exists (select 1 from snapshot))",
    ] {
        sqlx::query(sql).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Fails unless the database's snapshots are these.
pub(crate) async fn check_basis(
    connection: &mut SqliteConnection,
    basis: &[i64],
) -> Result<(), StoreError> {
    let ids: Vec<i64> = sqlx::query_scalar("select id from snapshot order by id")
        .fetch_all(&mut *connection)
        .await?;
    if ids.iter().eq(basis) { Ok(()) } else { Err(StoreError::SnapshotsChanged) }
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    // Writing into memory does not fail.
    let written = encoder.write_all(text);
    written.and_then(|()| encoder.finish()).unwrap_or_default()
}

/// Undoes [`deflate`]; never gives more than the length that was stored with it.
fn inflate(deflated: &[u8], length: i64) -> Result<Vec<u8>, StoreError> {
    let damaged = || StoreError::Damaged("a snapshot's text is not whole");
    let length = u64::try_from(length).map_err(|_| damaged())?;
    let mut text = Vec::new();
    let read = ZlibDecoder::new(deflated).take(length.saturating_add(1)).read_to_end(&mut text);
    read.map_err(|_| damaged())?;
    if text.len() as u64 == length { Ok(text) } else { Err(damaged()) }
}

/// A row of table `snapshot`.
struct Columns {
    id: i64,
    kind: String,
    host: Option<String>,
    netns: Option<String>,
    from_us: Option<i64>,
    from_how: String,
    name: String,
    length: i64,
    text: Vec<u8>,
}

impl FromRow<'_, SqliteRow> for Columns {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            kind: row.try_get("kind")?,
            host: row.try_get("host")?,
            netns: row.try_get("netns")?,
            from_us: row.try_get("from_us")?,
            from_how: row.try_get("from_how")?,
            name: row.try_get("name")?,
            length: row.try_get("length")?,
            text: row.try_get("text")?,
        })
    }
}

impl Columns {
    fn read(self) -> Result<Snapshot, StoreError> {
        let unknown = || StoreError::Damaged("an unknown kind of snapshot");
        Ok(Snapshot {
            id: self.id,
            kind: SnapshotKind::from_name(&self.kind).ok_or_else(unknown)?,
            host: self.host,
            netns: self.netns,
            from: self.from_us.map(WallTime),
            from_how: FromHow::from_name(&self.from_how).ok_or_else(unknown)?,
            name: self.name,
            text: inflate(&self.text, self.length)?,
        })
    }
}

impl Reader<'_> {
    /// All snapshots, in order of adding.
    pub(crate) async fn snapshots(&mut self) -> Result<Vec<Snapshot>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as("select * from snapshot order by id")
            .fetch_all(&mut *self.connection)
            .await?;
        rows.into_iter().map(Columns::read).collect()
    }
}
