//! The store against real temporary files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod agree;
mod arbitrary;
mod book;
mod generate;
mod hits;
mod migrate;
mod refuse;
mod round_trip;
mod same;
mod size;
mod snapshots;
mod sources;
mod surface;
mod told;

use std::path::PathBuf;

use tempfile::TempDir;
use tracecol::model::{HostId, Outcome, SourceId};
use tracecol::store::{
    AnomalyQuery, Batch, ConnectionQuery, PacketQuery, PublicId, SourceIdentity, SourceKind, Store,
    Writer,
};

/// A database in a directory of its own.
struct Temporary {
    directory: TempDir,
    store: Store,
}

impl Temporary {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("test.db")).await.unwrap();
        Self { directory, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A writer that has registered source 1.
    async fn writer(&self) -> Writer {
        let mut writer = self.store.writer().await.unwrap();
        let identity = SourceIdentity::from_head(b"the first line of kern.log\n");
        let registered =
            writer.register_source(&identity, "kern.log", SourceKind::File).await.unwrap();
        assert_eq!(registered.id, SourceId(1));
        writer
    }
}

fn host() -> Outcome {
    Outcome::Host { id: HostId(0), name: b"dhost".as_slice().into(), netns: None }
}

fn batch(outcomes: Vec<Outcome>) -> Batch {
    Batch { outcomes, progress: Vec::new() }
}

/// The pipeline runs the writer in a task of its own, the API its questions.
#[tokio::test]
async fn everything_can_run_in_a_task() {
    let task = tokio::spawn(async move {
        let Temporary { directory, store } = Temporary::new().await;
        let again = Store::open_read_only(&directory.path().join("test.db")).await.unwrap();
        assert_eq!(again.sources().await.unwrap(), []);
        let mut writer = store.writer().await.unwrap();
        let identity = SourceIdentity::from_head(b"x");
        writer.register_source(&identity, "x", SourceKind::File).await.unwrap();
        writer.write(batch(Vec::new())).await.unwrap();
        writer.close().await.unwrap();
        assert_eq!(store.connections(&ConnectionQuery::default()).await.unwrap(), []);
        assert_eq!(store.packets(&PacketQuery::default()).await.unwrap(), []);
        assert_eq!(store.anomalies(&AnomalyQuery::default()).await.unwrap(), []);
        assert_eq!(store.sources().await.unwrap().len(), 1);
        assert_eq!(store.stats().await.unwrap().packets, 0);
        let id: PublicId = "c0000000000000".parse().unwrap();
        assert_eq!(store.connection(&id).await.unwrap(), None);
        assert_eq!(store.packets_of(&id).await.unwrap(), []);
        let id: PublicId = "p0000000000000".parse().unwrap();
        assert_eq!(store.packet(&id).await.unwrap(), None);
    });
    task.await.unwrap();
}

/// Runs a future on a thread with room for unoptimised futures under proptest's own frames.
fn block_on<F: Future<Output = ()>>(future: impl FnOnce() -> F + Send) {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(future());
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(16 << 20);
        let result = thread.spawn_scoped(scope, run).unwrap().join();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}
