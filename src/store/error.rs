//! What can go wrong with the database, in words that say what to do.

use std::path::PathBuf;

use crate::store::codec::Damaged;

/// A failure of the store. Nothing was changed when one is returned.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is missing.
    #[error("there is no database at `{}`; `tracecol ingest` makes one", .0.display())]
    Missing(PathBuf),
    /// The path names no ordinary file.
    #[error("`{}` is not a file", .0.display())]
    NotAFile(PathBuf),
    /// The file is no SQLite database.
    #[error("`{}` is not a tracecol database (it is no SQLite file)", .0.display())]
    NotADatabase(PathBuf),
    /// The file is somebody else's SQLite database.
    #[error("`{}` is another program's SQLite database; tracecol leaves it alone", .0.display())]
    Foreign(PathBuf),
    /// The file was written by a later version of tracecol.
    #[error("`{}` has schema version {found}, this tracecol knows {known}; use a newer tracecol", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The file has an older schema and was opened for reading only.
    #[error("`{}` has schema version {found}, older than {known}; `tracecol ingest` brings it up to date", path.display())]
    Older {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The version that this program needs.
        known: u32,
    },
    /// The file is damaged.
    #[error("the database `{}` is damaged: {reason}", path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// SQLite finds the file damaged.
    #[error("the database is damaged")]
    Malformed(#[source] sqlx::Error),
    /// A row cannot be read back.
    #[error("the database is damaged: {0}")]
    Damaged(&'static str),
    /// Another process has kept the database locked for too long.
    #[error("the database is locked by another process; try again when it has finished")]
    Locked(#[source] sqlx::Error),
    /// The disk is full; the last batch was not stored.
    #[error("the disk is full; nothing of the last batch was stored")]
    DiskFull(#[source] sqlx::Error),
    /// The file cannot be opened, read or written.
    #[error("cannot open `{}`", path.display())]
    Open {
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The linked SQLite has a known fault that can destroy databases.
    #[error("SQLite {0} is too old: versions before 3.51.3 can damage a database")]
    OldSqlite(String),
    /// A position does not fit into a row key.
    #[error("source {number} at offset {offset} is beyond what the database can number")]
    OutOfRange {
        /// The source's number.
        number: u32,
        /// The offset within it.
        offset: u64,
    },
    /// An outcome names a host that no outcome introduced.
    #[error("host {0} was not introduced")]
    UnknownHost(u32),
    /// A batch names a source that was not registered.
    #[error("source {0} was not registered")]
    UnknownSource(u32),
    /// Snapshots were added or removed between reading them and writing what they tell.
    #[error("rules or context were added or removed meanwhile; run the command again")]
    SnapshotsChanged,
    /// Something names a rule set, way or snapshot that is not in the database.
    #[error("the database holds no {what} {id}")]
    NoSuch {
        /// What.
        what: &'static str,
        /// Its number.
        id: i64,
    },
    /// A rule set is larger than any that a kernel takes.
    #[error("a rule set of {0} rules is too large")]
    TooManyRules(usize),
    /// A packet without steps.
    #[error("a packet without steps cannot be stored")]
    EmptyPacket,
    /// Any other failure of the database.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
    /// A migration failed.
    #[error("the database's schema could not be brought up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
}

const SQLITE_BUSY: u32 = 5;
const SQLITE_LOCKED: u32 = 6;
const SQLITE_CORRUPT: u32 = 11;
const SQLITE_FULL: u32 = 13;
const SQLITE_NOTADB: u32 = 26;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match primary_code(&error) {
            Some(SQLITE_BUSY | SQLITE_LOCKED) => Self::Locked(error),
            Some(SQLITE_FULL) => Self::DiskFull(error),
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => Self::Malformed(error),
            _ => Self::Database(error),
        }
    }
}

impl From<Damaged> for StoreError {
    fn from(Damaged(reason): Damaged) -> Self {
        Self::Damaged(reason)
    }
}

/// SQLite's primary result code: the low byte of the extended one.
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
