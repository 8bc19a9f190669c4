//! The store against real temporary files.

mod generate;
mod round_trip;
mod size;

use std::path::PathBuf;

use tempfile::TempDir;
use tracecol::model::{HostId, Outcome, SourceId};
use tracecol::store::{Batch, SourceIdentity, SourceKind, Store, Writer};

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
