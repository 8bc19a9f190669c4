//! A database of an earlier version is brought up to date and reads the same.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqliteConnection};
use tracecol::model::{Outcome, SourceId};
use tracecol::store::{ConnectionQuery, PacketQuery, Store, StoreError};

use super::book::{annotate, dropped_by, snapshot};
use super::generate::Log;
use super::{Temporary, batch, host};

/// A database as the first version would have written it.
async fn of_version_1(path: &Path, outcomes: Vec<Outcome>) {
    let now = Temporary::new().await;
    let mut writer = now.writer().await;
    writer.write(batch(outcomes)).await.unwrap();
    writer.close().await.unwrap();

    let options =
        SqliteConnectOptions::new().filename(path).create_if_missing(true).page_size(8192);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::migrate!("./migrations").run_to(1, &mut connection).await.unwrap();
    connection
        .execute(sqlx::query("attach ? as now").bind(now.store.path().to_string_lossy()))
        .await
        .unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "select name from main.sqlite_schema where type = 'table' and name not like '\\_sqlx%' escape '\\'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(tables.len() > 20);
    for table in tables.iter().filter(|table| *table != "word") {
        let columns: Vec<String> =
            sqlx::query_scalar("select name from pragma_table_info(?, 'main')")
                .bind(table)
                .fetch_all(&mut connection)
                .await
                .unwrap();
        let columns = columns.join(", ");
        let copy =
            format!("insert into main.{table} ({columns}) select {columns} from now.{table}");
        connection.execute(sqlx::query(AssertSqlSafe(copy))).await.unwrap();
    }
    connection.close().await.unwrap();
}

fn outcomes() -> Vec<Outcome> {
    let mut log = Log::new(SourceId(1), 5);
    let mut outcomes = vec![host()];
    outcomes.extend((0..6).flat_map(|n| log.connection(1 + n)));
    outcomes
}

#[tokio::test]
async fn the_first_version_is_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("old.db");
    of_version_1(&path, outcomes()).await;
    let error = Store::open_read_only(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Older { found: 1, known: 2, .. }), "{error}");

    let new = Temporary::new().await;
    let mut writer = new.writer().await;
    writer.write(batch(outcomes())).await.unwrap();
    let old = Store::open(&path).await.unwrap();
    let mut old_writer = old.writer().await.unwrap();
    old_writer.write(batch(vec![host()])).await.unwrap();
    let both = [(&old, &mut old_writer), (&new.store, &mut writer)];
    let mut read = Vec::new();
    for (store, writer) in both {
        let mut all = Vec::new();
        for told in [false, true] {
            if told {
                writer.add_snapshot(&snapshot("a", None)).await.unwrap();
                annotate(store, writer, &dropped_by("a")).await;
            }
            all.push((
                store.connections(&ConnectionQuery::default()).await.unwrap(),
                store.packets(&PacketQuery::default()).await.unwrap(),
                store.stats().await.unwrap().verdicts,
                store.ways().await.unwrap(),
            ));
        }
        read.push(all);
    }
    assert_eq!(read[0], read[1]);
    assert_ne!(read[0][0].0, read[0][1].0);
    assert_eq!(read[0][0].0.len(), 6);
}
