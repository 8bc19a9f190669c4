//! Opens databases: settings, migrations, and the refusal of whatever is not ours.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::store::error::primary_code;
use crate::store::inspect::{Found, inspect};
use crate::store::names::Names;
use crate::store::{StoreError, Writer};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How long to wait for another process that holds the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reading connections at once.
const READERS: u32 = 4;

/// The database. Cheap to clone: clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) path: Arc<Path>,
    pub(crate) readers: SqlitePool,
    pub(crate) names: Names,
}

impl Store {
    /// Opens the database, and creates it or brings its schema up to date when needed.
    ///
    /// Refuses, without touching a byte, what is not a tracecol database, what a newer version wrote,
    /// and what is damaged.
    pub fn open(path: &Path) -> impl Future<Output = Result<Self, StoreError>> + Send {
        // Spelt out, because the compiler cannot tell for every lifetime that an `async fn` here is `Send`.
        open(path.into())
    }

    /// Opens an existing database for reading only.
    pub fn open_read_only(path: &Path) -> impl Future<Output = Result<Self, StoreError>> + Send {
        open_read_only(path.into())
    }

    /// Opens the writing side. Two writers are safe, they wait for each other batch by batch.
    pub async fn writer(&self) -> Result<Writer, StoreError> {
        let connection = connect(&self.path, writing(&self.path)).await?;
        Ok(Writer::new(connection))
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes all reading connections and, when nobody else has the database open, tidies away the files
    /// that SQLite keeps beside it: connections that may only read leave them behind.
    pub async fn close(&self) {
        self.readers.close().await;
        let options = SqliteConnectOptions::new().filename(&self.path).busy_timeout(Duration::ZERO);
        if let Ok(mut connection) = connect(&self.path, options).await {
            // Opens the write-ahead log, so that closing removes it. Failing is no loss: it may be in use.
            let opened = sqlx::query("select count(*) from source").execute(&mut connection).await;
            let closed = connection.close().await;
            drop((opened, closed));
        }
    }
}

async fn open(path: Arc<Path>) -> Result<Store, StoreError> {
    match inspect(&path)? {
        Found::Nothing | Found::EmptyFile => create(&path).await?,
        Found::Ours { version } => refuse_newer(&path, version)?,
    }
    let mut connection = connect(&path, writing(&path)).await?;
    check_sqlite(&mut connection).await.map_err(|error| with_path(&path, error))?;
    connection.close().await?;
    let migrating = pool(writing(&path));
    let migrated = MIGRATIONS.run(&migrating).await;
    migrating.close().await;
    migrated.map_err(|error| migrate_error(&path, error))?;
    Ok(Store { readers: pool(reading(&path)), path, names: Names::default() })
}

async fn open_read_only(path: Arc<Path>) -> Result<Store, StoreError> {
    match inspect(&path)? {
        Found::Nothing => return Err(StoreError::Missing(path.to_path_buf())),
        Found::EmptyFile => return Err(StoreError::NotADatabase(path.to_path_buf())),
        Found::Ours { version } => refuse_newer(&path, version)?,
    }
    let readers = match check_readable(&path, reading(&path)).await {
        Ok(()) => pool(reading(&path)),
        // Nobody has it open and we may not make the files that a shared look needs: look alone.
        Err(error) if is_unwritable(&error) => {
            check_readable(&path, reading(&path).immutable(true)).await?;
            pool(reading(&path).immutable(true))
        }
        Err(error) => return Err(error),
    };
    Ok(Store { readers, path, names: Names::default() })
}

/// The newest schema version that this program knows.
fn known_version() -> u32 {
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
    newest.and_then(|version| u32::try_from(version).ok()).unwrap_or_default()
}

fn refuse_newer(path: &Path, found: u32) -> Result<(), StoreError> {
    let known = known_version();
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    Ok(())
}

/// Makes an empty database that bears our mark BEFORE it has a write-ahead log: a crash in the middle
/// must leave a file that the next start knows as ours.
async fn create(path: &Path) -> Result<(), StoreError> {
    let file = OpenOptions::new().create(true).append(true).mode(0o640).open(path);
    file.map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
    let options = SqliteConnectOptions::new().filename(path).page_size(8192);
    let mut connection = connect(path, options).await?;
    sqlx::query("pragma application_id = 0x74726363").execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

fn writing(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864")
        .pragma("temp_store", "memory")
        .pragma("trusted_schema", "off")
}

fn reading(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("query_only", "on")
        .pragma("temp_store", "memory")
        .pragma("trusted_schema", "off")
}

fn pool(options: SqliteConnectOptions) -> SqlitePool {
    let pool = SqlitePoolOptions::new().max_connections(READERS);
    pool.connect_lazy_with(options.disable_statement_logging())
}

async fn connect(
    path: &Path,
    options: SqliteConnectOptions,
) -> Result<SqliteConnection, StoreError> {
    let connected = options.disable_statement_logging().connect().await;
    connected.map_err(|error| database_error(path, error))
}

async fn check_readable(path: &Path, options: SqliteConnectOptions) -> Result<(), StoreError> {
    let mut connection = connect(path, options).await?;
    check_sqlite(&mut connection).await.map_err(|error| with_path(path, error))?;
    let version: Result<i64, _> =
        sqlx::query_scalar("select user_version from pragma_user_version")
            .fetch_one(&mut connection)
            .await;
    let found = version.map_err(|error| database_error(path, error))?;
    connection.close().await?;
    let (found, known) = (u32::try_from(found).unwrap_or(u32::MAX), known_version());
    refuse_newer(path, found)?;
    if found < known {
        return Err(StoreError::Older { path: path.to_owned(), found, known });
    }
    Ok(())
}

async fn check_sqlite(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let version: String =
        sqlx::query_scalar("select sqlite_version()").fetch_one(&mut *connection).await?;
    let numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if numbers < vec![3, 51, 3] { Err(StoreError::OldSqlite(version)) } else { Ok(()) }
}

const SQLITE_READONLY: u32 = 8;
const SQLITE_CANTOPEN: u32 = 14;

fn is_unwritable(error: &StoreError) -> bool {
    matches!(error, StoreError::Database(error)
        if matches!(primary_code(error), Some(SQLITE_READONLY | SQLITE_CANTOPEN)))
}

fn database_error(path: &Path, error: sqlx::Error) -> StoreError {
    with_path(path, error.into())
}

/// Names the file that is damaged.
fn with_path(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Malformed(error) => {
            StoreError::Corrupt { path: PathBuf::from(path), reason: error.to_string() }
        }
        other => other,
    }
}

fn migrate_error(path: &Path, error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(found) => StoreError::Newer {
            path: path.to_owned(),
            found: u32::try_from(found).unwrap_or(u32::MAX),
            known: known_version(),
        },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            database_error(path, error)
        }
        other => StoreError::Migrate(other),
    }
}
