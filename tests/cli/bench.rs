//! A folder with a database of its own, and the program to run in it.

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

/// A real capture: one connection through a published port, with ARP and bridge frames.
pub(crate) const REMOTE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs/case1-remote/kern.log");
/// A connection through docker-proxy: two connections, linked.
pub(crate) const PROXY: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs/case2-localhost-proxy/kern.log");
/// A connection that the firewall does not let through.
pub(crate) const DROPPED: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs/case3-icc-off-dropped/kern.log");

/// A temporary folder and its database.
pub(crate) struct Bench {
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A database with these logs in it.
    pub(crate) fn with(logs: &[&str]) -> Self {
        let bench = Self::new();
        bench.run(&[&["ingest", "--year", "2026"], logs].concat()).code(0);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("tracecol.db")
    }

    /// Writes a file into the folder.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        text(&path)
    }

    /// The program, in this folder, with nothing of the user's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tracecol"));
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env("TRACECOL_DB", self.database())
            .env("COLUMNS", "200")
            .args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran(self.command(arguments).output().unwrap())
    }

    /// The ids that a listing shows, in its order.
    pub(crate) fn ids(&self, arguments: &[&str]) -> Vec<String> {
        let ran = self.run(&[arguments, &["--output", "ndjson"]].concat());
        let id = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["id"].as_str().unwrap().to_owned()
        };
        ran.stdout().lines().map(id).collect()
    }
}

/// What a run printed and how it ended.
pub(crate) struct Ran(pub(crate) Output);

impl Ran {
    pub(crate) fn code(&self, expected: i32) -> &Self {
        let (out, err) = (self.stdout(), self.stderr());
        assert_eq!(self.0.status.code(), Some(expected), "stdout:\n{out}\nstderr:\n{err}");
        self
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout()).unwrap()
    }

    pub(crate) fn out_has(&self, part: &str) -> &Self {
        assert!(self.stdout().contains(part), "`{part}` is not in:\n{}", self.stdout());
        self
    }

    pub(crate) fn err_has(&self, part: &str) -> &Self {
        assert!(self.stderr().contains(part), "`{part}` is not in:\n{}", self.stderr());
        self
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
