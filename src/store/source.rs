//! Sources: known again by their content, under whatever name and compression they come back.
//!
//! A source's identity is the hash of its first kibibyte (uncompressed). One that was shorter when it
//! was last seen is known by what it had; its head grows with it.

use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{FromRow, Row as _};

use crate::model::{Counts, SourceId};
use crate::store::StoreError;
use crate::store::key::{MAX_SOURCE, TAG_BITS};
use crate::store::read::Reader;

/// How many bytes of a source's head identify it.
pub const HEAD: usize = 1024;

/// How many bytes before a position are hashed to prove that it is the same source still.
pub const TAIL: usize = 64;

/// What identifies a source: its first [`HEAD`] uncompressed bytes, or all it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceIdentity {
    head: Vec<u8>,
}

impl SourceIdentity {
    /// Takes the first bytes of a source; more than [`HEAD`] are cut off.
    pub fn from_head(head: &[u8]) -> Self {
        Self { head: head.get(..HEAD).unwrap_or(head).to_vec() }
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.head).into()
    }

    /// Whether the source that had `length` bytes with this hash is a beginning of this one.
    /// Nothing at all is the beginning of everything and therefore of no use.
    fn continues(&self, hash: &[u8], length: usize) -> bool {
        let head = self.head.get(..length);
        (length > 0 || self.head.is_empty())
            && head.is_some_and(|head| Sha256::digest(head).as_slice() == hash)
    }
}

/// The hash of the last [`TAIL`] of the bytes before a position.
pub fn hash_tail(before: &[u8]) -> [u8; 32] {
    let start = before.len().saturating_sub(TAIL);
    Sha256::digest(before.get(start..).unwrap_or_default()).into()
}

/// How a source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A file, plain or compressed.
    File,
    /// Standard input, or any other stream that cannot be read again.
    Stdin,
}

/// A source's place in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its number: the `SourceId` of its lines.
    pub id: SourceId,
    /// Uncompressed bytes taken in so far; 0 for a new source.
    pub position: u64,
    /// The hash of the bytes before `position` (see [`hash_tail`]); what is read now must agree.
    pub tail_hash: Option<[u8; 32]>,
    /// Its end was reached and its open packets were closed.
    pub done: bool,
    /// It was not known before.
    pub new: bool,
}

/// A source as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// Its number.
    pub id: SourceId,
    /// The name under which it was first read.
    pub name: String,
    /// How it is read.
    pub kind: SourceKind,
    /// Uncompressed bytes taken in so far.
    pub position: u64,
    /// Its end was reached.
    pub done: bool,
    /// Its lines.
    pub counts: Counts,
}

pub(crate) struct KnownSource {
    id: i64,
    head_hash: Vec<u8>,
    head_len: i64,
    position: i64,
    tail_hash: Option<Vec<u8>>,
    done: bool,
}

impl FromRow<'_, SqliteRow> for KnownSource {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            head_hash: row.try_get("head_hash")?,
            head_len: row.try_get("head_len")?,
            position: row.try_get("position")?,
            tail_hash: row.try_get("tail_hash")?,
            done: row.try_get("done")?,
        })
    }
}

/// Finds or adds a source. Must run inside a transaction.
pub(crate) async fn register(
    connection: &mut SqliteConnection,
    identity: &SourceIdentity,
    name: &str,
    kind: SourceKind,
) -> Result<Registered, StoreError> {
    let known: Vec<KnownSource> = sqlx::query_as(
        "select id, head_hash, head_len, position, tail_hash, done from source order by head_len desc, id",
    )
    .fetch_all(&mut *connection)
    .await?;
    let matching = known.iter().find(|source| {
        usize::try_from(source.head_len)
            .is_ok_and(|length| identity.continues(&source.head_hash, length))
    });
    match matching {
        Some(source) => again(connection, source, identity).await,
        None => add(connection, &known, identity, name, kind).await,
    }
}

async fn again(
    connection: &mut SqliteConnection,
    source: &KnownSource,
    identity: &SourceIdentity,
) -> Result<Registered, StoreError> {
    let length = i64::try_from(identity.head.len()).unwrap_or_default();
    if length > source.head_len {
        sqlx::query("update source set head_hash = ?, head_len = ? where id = ?")
            .bind(identity.hash().to_vec())
            .bind(length)
            .bind(source.id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(Registered {
        id: SourceId(u32::try_from(source.id).unwrap_or(u32::MAX)),
        position: source.position.cast_unsigned(),
        tail_hash: source.tail_hash.as_ref().and_then(|hash| hash.as_slice().try_into().ok()),
        done: source.done,
        new: false,
    })
}

async fn add(
    connection: &mut SqliteConnection,
    known: &[KnownSource],
    identity: &SourceIdentity,
    name: &str,
    kind: SourceKind,
) -> Result<Registered, StoreError> {
    let number = known.iter().map(|source| source.id).max().unwrap_or(0) + 1;
    let id = u32::try_from(number).unwrap_or(u32::MAX);
    if id > MAX_SOURCE {
        return Err(StoreError::OutOfRange { number: id, offset: 0 });
    }
    let hash = identity.hash();
    let tag = free_tag(connection, &hash).await?;
    sqlx::query(
        "insert into source (id, tag, head_hash, head_len, name, kind, position, tail_hash, done,
            lines_trace, lines_log, lines_ebtables, lines_nft, lines_marker, lines_other,
            lines_rejected, lines_suspect, lines_placed, lines_unplaced)
         values (?, ?, ?, ?, ?, ?, 0, null, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    )
    .bind(number)
    .bind(tag)
    .bind(hash.to_vec())
    .bind(i64::try_from(identity.head.len()).unwrap_or_default())
    .bind(name)
    .bind(match kind {
        SourceKind::File => 0,
        SourceKind::Stdin => 1,
    })
    .execute(&mut *connection)
    .await?;
    Ok(Registered { id: SourceId(id), position: 0, tail_hash: None, done: false, new: true })
}

/// The upper bits of the hash; when another source has them already, of the hash with a counter.
async fn free_tag(connection: &mut SqliteConnection, hash: &[u8; 32]) -> Result<u32, StoreError> {
    let mut digest = *hash;
    for counter in 0u32.. {
        let [a, b, c, d, ..] = digest;
        let tag = u32::from_be_bytes([a, b, c, d]) >> (32 - TAG_BITS);
        let taken: i64 = sqlx::query_scalar("select count(*) from source where tag = ?")
            .bind(tag)
            .fetch_one(&mut *connection)
            .await?;
        if taken == 0 {
            return Ok(tag);
        }
        let mut next = Sha256::new();
        next.update(hash);
        next.update(counter.to_be_bytes());
        digest = next.finalize().into();
    }
    Err(StoreError::Damaged("no free tag"))
}

impl Reader<'_> {
    /// All sources, in order of registration.
    pub(crate) async fn sources(&mut self) -> Result<Vec<SourceRow>, StoreError> {
        Ok(sqlx::query_as("select * from source order by id")
            .fetch_all(&mut *self.connection)
            .await?)
    }
}

impl FromRow<'_, SqliteRow> for SourceRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let number = |column: &str| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
        Ok(Self {
            id: SourceId(row.try_get("id")?),
            name: row.try_get("name")?,
            kind: match row.try_get::<i64, _>("kind")? {
                0 => SourceKind::File,
                _ => SourceKind::Stdin,
            },
            position: number("position")?,
            done: row.try_get("done")?,
            counts: Counts {
                trace: number("lines_trace")?,
                log: number("lines_log")?,
                ebtables: number("lines_ebtables")?,
                nft: number("lines_nft")?,
                marker: number("lines_marker")?,
                other: number("lines_other")?,
                rejected: number("lines_rejected")?,
                suspect: number("lines_suspect")?,
                placed: number("lines_placed")?,
                unplaced: number("lines_unplaced")?,
            },
        })
    }
}
