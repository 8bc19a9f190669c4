//! Finds and opens the database.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use etcetera::BaseStrategy;

use crate::cli::args::Global;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::talk;
use crate::render::escape_text;
use crate::store::{Store, StoreError};

const NAME: &str = "tracecol.db";

/// Where the database is: `--db`, or the usual place.
pub(super) fn path(global: &Global) -> Result<PathBuf, Failure> {
    match &global.db {
        Some(path) => Ok(path.clone()),
        None => Ok(folder()?.join(NAME)),
    }
}

/// systemd's folder for us, else the system's for root, else the user's.
fn folder() -> Result<PathBuf, Failure> {
    let given = std::env::var_os("STATE_DIRECTORY").filter(|value| !value.is_empty());
    if let Some(folder) = given.and_then(|value| std::env::split_paths(&value).next()) {
        return Ok(folder);
    }
    if is_root() {
        return Ok("/var/lib/tracecol".into());
    }
    let no_home = || {
        Failure::new("no home directory to keep the database in")
            .hint("name a database with --db FILE")
    };
    let strategy = etcetera::choose_base_strategy().map_err(|_| no_home())?;
    Ok(strategy.state_dir().ok_or_else(no_home)?.join("tracecol"))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|facts| facts.uid() == 0)
}

/// Asks an existing database, and leaves nothing behind beside it.
pub(super) async fn read(global: &Global, ask: impl AsyncFnOnce(&Store) -> Outcome) -> Outcome {
    let path = path(global)?;
    talk::detail(global, &format!("database `{}`", escape_text(&path.to_string_lossy())));
    let store = Store::open_read_only(&path).await.map_err(explain)?;
    let outcome = ask(&store).await;
    store.close().await;
    outcome
}

/// Opens the database for writing; makes it, and its folder, when missing.
pub(super) async fn open(path: &Path) -> Result<Store, Failure> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        // Logs tell who talks to whom: nobody else's business.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    }
    Store::open(path).await.map_err(explain)
}

/// Adds what to do next.
pub(super) fn explain(error: StoreError) -> Failure {
    let hints: &[&str] = match &error {
        StoreError::Missing(_) => &[
            "read a log first: tracecol ingest /var/log/kern.log",
            "or see it work on built-in captures: tracecol demo",
        ],
        StoreError::NotADatabase(_) | StoreError::Foreign(_) | StoreError::NotAFile(_) => {
            &["name another database with --db FILE; this one was not touched"]
        }
        _ => &[],
    };
    hints.iter().fold(Failure::from(error), |failure, hint| failure.hint(*hint))
}
