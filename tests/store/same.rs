//! The same outcomes make the same database, to the byte, however they are cut into batches.

use std::fs;
use std::path::Path;

use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tracecol::model::{
    Anomaly, AnomalyKind, Gap, GapReason, HostId, Link, LinkKind, LinkTarget, Outcome, Position,
    SourceId, Stamp,
};

use super::generate::Log;
use super::{Temporary, batch, host};

fn outcomes() -> Vec<Outcome> {
    let mut log = Log::new(SourceId(1), 9);
    let mut outcomes = vec![host()];
    for n in 0..60 {
        let mut connection = log.connection(1 + n % 9);
        // Connections are told again while they grow, and their packets interleave.
        if let Some(Outcome::Connection(last)) = connection.last().cloned() {
            connection.insert(1, Outcome::Connection(last));
        }
        let half = outcomes.len().saturating_sub(n % 3);
        let rest = outcomes.split_off(half);
        outcomes.extend(connection);
        outcomes.extend(rest);
    }
    outcomes.sort_by_key(|outcome| !matches!(outcome, Outcome::Host { .. }));
    let keys: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Packet(packet) => Some(packet.key),
            _ => None,
        })
        .collect();
    for n in 1..20 {
        let position = Position { source: SourceId(1), offset: n * 77, seq: Some(n), copy: 0 };
        outcomes.insert(
            usize::try_from(n).unwrap() * 9,
            Outcome::Anomaly(Anomaly {
                kind: AnomalyKind::ALL[usize::try_from(n).unwrap() % AnomalyKind::ALL.len()],
                position,
                text: format!("line {n}").into_bytes().into(),
            }),
        );
        outcomes.push(Outcome::Gap(Gap {
            host: HostId(0),
            position,
            stamp: Stamp::default(),
            lost: Some(n),
            reason: GapReason::KmsgOverrun,
        }));
        outcomes.push(Outcome::Link(Link {
            kind: LinkKind::Retransmission,
            from: LinkTarget::Packet(keys[usize::try_from(n).unwrap()]),
            to: LinkTarget::Packet(keys[0]),
            evidence: "the same SEQ".into(),
        }));
    }
    outcomes
}

/// A copy without free pages and without the times of the migrations.
pub(crate) async fn digest(path: &Path) -> Vec<u8> {
    let copy = path.with_extension("copy");
    let mut connection = SqliteConnection::connect(&path.to_string_lossy()).await.unwrap();
    connection.execute(sqlx::query("vacuum into ?").bind(copy.to_string_lossy())).await.unwrap();
    connection.close().await.unwrap();
    let mut connection = SqliteConnection::connect(&copy.to_string_lossy()).await.unwrap();
    connection.execute("drop table _sqlx_migrations").await.unwrap();
    let last = path.with_extension("last");
    connection.execute(sqlx::query("vacuum into ?").bind(last.to_string_lossy())).await.unwrap();
    connection.close().await.unwrap();
    let bytes = fs::read(&last).unwrap();
    fs::remove_file(copy).unwrap();
    fs::remove_file(last).unwrap();
    bytes
}

/// Writes the outcomes in batches of `size`; opens the database anew every `reopen` batches.
async fn written(size: usize, reopen: usize) -> Vec<u8> {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let all = outcomes();
    for (n, part) in all.chunks(size).enumerate() {
        if n > 0 && n % reopen == 0 {
            writer.close().await.unwrap();
            writer = temporary.store.writer().await.unwrap();
            writer.write(batch(vec![host()])).await.unwrap();
        }
        writer.write(batch(part.to_vec())).await.unwrap();
    }
    writer.close().await.unwrap();
    digest(temporary.store.path()).await
}

#[tokio::test]
async fn any_cut_gives_the_same_database() {
    let whole = written(usize::MAX, usize::MAX).await;
    assert!(whole.len() > 100_000);
    for (size, reopen) in [(1, usize::MAX), (7, 1), (50, 3), (200, usize::MAX)] {
        assert!(written(size, reopen).await == whole, "batches of {size}, reopened after {reopen}");
    }
}

#[tokio::test]
async fn an_attempt_that_was_undone_leaves_no_trace() {
    let whole = written(usize::MAX, usize::MAX).await;
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let all = outcomes();
    let (first, second) = all.split_at(all.len() / 3);
    writer.write(batch(first.to_vec())).await.unwrap();
    // All of it again, with what is new: the attempt finds old packets, is undone and made with care.
    writer.write(batch(all.clone())).await.unwrap();
    writer.write(batch(second.to_vec())).await.unwrap();
    writer.close().await.unwrap();
    assert!(digest(temporary.store.path()).await == whole);
}
