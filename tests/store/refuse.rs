//! What is not ours is left alone, to the byte.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tracecol::store::{Store, StoreError};

use super::Temporary;
use super::generate::Log;

/// Both ways of opening refuse, with this message, and the file stays what it was.
async fn refused(path: &Path, message: &str) {
    let before = fs::read(path).ok();
    for result in [Store::open(path).await, Store::open_read_only(path).await] {
        let error = result.expect_err("must be refused");
        let text = error.to_string().replace(&path.display().to_string(), "FILE");
        assert!(text.contains(message), "{text}");
    }
    assert_eq!(fs::read(path).ok(), before);
}

/// The same, and nobody even opened it.
async fn refused_unopened(path: &Path, message: &str) {
    refused(path, message).await;
    let directory = path.parent().unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    for entry in fs::read_dir(directory).unwrap() {
        let other = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(!other.starts_with(&format!("{name}-")), "{other} was left behind");
    }
}

/// A database of ours, closed.
async fn ours() -> Temporary {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let mut outcomes = vec![super::host()];
    let mut log = Log::new(tracecol::model::SourceId(1), 1);
    for _ in 0..40 {
        outcomes.extend(log.connection(10));
    }
    writer.write(super::batch(outcomes)).await.unwrap();
    writer.close().await.unwrap();
    temporary.store.close().await;
    temporary
}

async fn sql(path: &Path, statements: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection.execute(statements).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("places.sqlite");
    sql(&path, "create table bookmark (url text); insert into bookmark values ('x')").await;
    refused_unopened(&path, "another program's SQLite database").await;
}

#[tokio::test]
async fn a_text_file_is_no_database() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kern.log");
    fs::write(&path, "Nov 22 13:07:47 dhost kernel: TRACE: raw:PREROUTING:policy:3 IN=eth0\n")
        .unwrap();
    refused_unopened(&path, "not a tracecol database").await;
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let temporary = ours().await;
    sql(temporary.store.path(), "pragma user_version = 77; pragma wal_checkpoint(truncate)").await;
    refused_unopened(temporary.store.path(), "schema version 77, this tracecol knows 2").await;
}

#[tokio::test]
async fn a_migration_from_the_future_is_left_alone() {
    let temporary = ours().await;
    sql(
        temporary.store.path(),
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (3, 'next', 1, x'00', 0)",
    )
    .await;
    let error = Store::open(temporary.store.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 3, known: 2, .. }), "{error}");
}

#[tokio::test]
async fn a_shortened_database_is_damaged() {
    let temporary = ours().await;
    let path = temporary.store.path();
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    refused_unopened(path, "is damaged: the file is shorter than its header says").await;
}

#[tokio::test]
async fn a_scribbled_database_is_damaged() {
    let temporary = ours().await;
    let path = temporary.store.path();
    let mut bytes = fs::read(path).unwrap();
    // The schema's page, behind the file's header.
    bytes[100..4000].fill(0x5a);
    fs::write(path, &bytes).unwrap();
    refused(path, "is damaged").await;
}

#[tokio::test]
async fn a_directory_is_no_file() {
    let directory = tempfile::tempdir().unwrap();
    refused_unopened(directory.path(), "`FILE` is not a file").await;
}

#[tokio::test]
async fn a_missing_database_is_not_made_for_reading() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.db");
    let error = Store::open_read_only(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing(_)));
    assert!(error.to_string().contains("`tracecol ingest` makes one"));
    assert!(!path.exists());
}

#[tokio::test]
async fn a_path_that_cannot_be_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("no such directory").join("x.db");
    let error = Store::open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error}");
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.db");
    fs::write(&path, "").unwrap();
    let error = Store::open_read_only(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::NotADatabase(_)), "{error}");
    assert_eq!(Store::open(&path).await.unwrap().stats().await.unwrap().packets, 0);
}

#[tokio::test]
async fn a_crash_right_after_creation_leaves_a_file_that_is_ours() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.db");
    sql(&path, "pragma page_size = 8192; pragma application_id = 0x74726363").await;
    let error = Store::open_read_only(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Older { found: 0, known: 2, .. }), "{error}");
    Store::open(&path).await.unwrap();
    Store::open_read_only(&path).await.unwrap();
}

#[tokio::test]
async fn a_new_database_is_as_it_should_be() {
    let temporary = Temporary::new().await;
    let mode = fs::metadata(temporary.store.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode & !0o640, 0, "nobody else may read it: {mode:o}");
    let mut connection =
        SqliteConnection::connect(&temporary.store.path().to_string_lossy()).await.unwrap();
    for (pragma, value) in [
        ("select page_size from pragma_page_size", 8192),
        ("select application_id from pragma_application_id", 0x7472_6363),
        ("select user_version from pragma_user_version", 2),
    ] {
        let found: i64 = sqlx::query_scalar(pragma).fetch_one(&mut connection).await.unwrap();
        assert_eq!(found, value, "{pragma}");
    }
    let mode: String = sqlx::query_scalar("select journal_mode from pragma_journal_mode")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn closing_leaves_one_file() {
    let temporary = ours().await;
    let reader = Store::open_read_only(temporary.store.path()).await.unwrap();
    assert_eq!(reader.stats().await.unwrap().connections, 40);
    let n_files = || fs::read_dir(temporary.path(".")).unwrap().count();
    assert_eq!(n_files(), 3, "a log and an index beside the database");
    reader.close().await;
    assert_eq!(n_files(), 1);
}

#[tokio::test]
async fn a_reader_sees_what_a_writer_has_committed() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let reader = Store::open_read_only(temporary.store.path()).await.unwrap();
    assert_eq!(reader.stats().await.unwrap().packets, 0);
    let mut outcomes = vec![super::host()];
    outcomes.extend(Log::new(tracecol::model::SourceId(1), 1).connection(4));
    writer.write(super::batch(outcomes)).await.unwrap();
    assert_eq!(reader.stats().await.unwrap().packets, 4);
    let error = reader.writer().await;
    assert!(error.is_ok(), "the file itself may be written");
}
