//! What a snapshot is: whose, of when, and what became of each piece.
//!
//! ```json
//! {
//!   "tracecol_snapshot": 1,
//!   "tool": "tracecol 0.1.0",
//!   "host": "gw1",
//!   "netns": null,
//!   "time": "2026-11-22T13:07:47.000000Z",
//!   "kernel": "6.1.0-28-amd64",
//!   "pieces": [
//!     { "what": "IPv4 rules, legacy", "command": ["iptables-legacy-save", "-c"], "status": 0,
//!       "outcome": "kept", "file": "iptables-legacy-save.txt", "bytes": 3120, "is_cut": false, "why": null },
//!     { "what": "containers", "command": ["docker", "ps", "-aq", "--no-trunc"], "status": 1,
//!       "outcome": "missing", "file": null, "bytes": 0, "is_cut": false, "why": "exit status 1: Cannot connect to …" }
//!   ]
//! }
//! ```

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The manifest's name in the snapshot's folder.
pub const MANIFEST: &str = "manifest.json";

/// The form of the manifest. It grows by addition only; another number would mean another form.
const VERSION: u32 = 1;

/// The head of a snapshot, written beside its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// 1: the form of this file, and the mark by which it is known.
    pub tracecol_snapshot: u32,
    /// What made it: `tracecol 0.1.0`.
    pub tool: String,
    /// The host's name, as the kernel has it.
    pub host: String,
    /// The network namespace, when another than the caller's was asked for.
    pub netns: Option<String>,
    /// When it was begun. Times inside of the files are of UTC too.
    #[serde(with = "moment")]
    pub time: DateTime<Utc>,
    /// The kernel's release.
    pub kernel: String,
    /// Every piece that was asked for, in the order of asking.
    pub pieces: Vec<Entry>,
}

/// What became of one piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is about, for people.
    pub what: String,
    /// The program that was asked, and its arguments.
    pub command: Vec<String>,
    /// Its exit status, when it ran to its end.
    pub status: Option<i32>,
    /// What became of it.
    pub outcome: Outcome,
    /// The file that holds what it said.
    pub file: Option<String>,
    /// The size of that file.
    pub bytes: u64,
    /// Whether it said more than was kept.
    pub is_cut: bool,
    /// Why there is no file.
    pub why: Option<String>,
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is in a file.
    Kept,
    /// The host has nothing of the kind.
    None,
    /// It could not be had.
    Missing,
}

impl Outcome {
    /// Its word in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::None => "none",
            Self::Missing => "missing",
        }
    }
}

impl Manifest {
    /// A manifest without pieces.
    pub fn new(host: String, netns: Option<String>, time: DateTime<Utc>, kernel: String) -> Self {
        let tool = format!("tracecol {}", env!("CARGO_PKG_VERSION"));
        Self { tracecol_snapshot: VERSION, tool, host, netns, time, kernel, pieces: Vec::new() }
    }

    /// Reads a manifest. `None`: the text is none, or none that this version understands.
    pub fn read(text: &str) -> Option<Self> {
        let manifest: Self = serde_json::from_str(text).ok()?;
        (manifest.tracecol_snapshot == VERSION).then_some(manifest)
    }

    /// The names of the snapshot's files, without the manifest's own.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| piece.file.as_deref())
    }
}

impl Entry {
    /// An entry about something that nobody has been asked for yet.
    pub(super) fn new(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            command: Vec::new(),
            status: None,
            outcome: Outcome::Missing,
            file: None,
            bytes: 0,
            is_cut: false,
            why: None,
        }
    }

    pub(super) fn asked(mut self, program: &str, arguments: &[&str]) -> Self {
        self.command = std::iter::once(program)
            .chain(arguments.iter().copied())
            .map(ToOwned::to_owned)
            .collect();
        self
    }

    pub(super) fn ended(self, status: Option<i32>) -> Self {
        Self { status, ..self }
    }

    /// It could not be had.
    pub(super) fn missing(self, why: impl Into<String>) -> Self {
        Self { outcome: Outcome::Missing, why: Some(why.into()), ..self }
    }

    /// The host has nothing of the kind.
    pub(super) fn none(self, why: impl Into<String>) -> Self {
        Self { outcome: Outcome::None, why: Some(why.into()), ..self }
    }

    /// It is in a file.
    pub(super) fn kept(self, file: &str, bytes: u64) -> Self {
        Self { outcome: Outcome::Kept, file: Some(file.to_owned()), bytes, ..self }
    }
}

/// A time as RFC 3339, in UTC and with microseconds.
mod moment {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        let text = String::deserialize(from)?;
        let at = DateTime::parse_from_rfc3339(&text).map_err(D::Error::custom)?;
        Ok(at.with_timezone(&Utc))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let at = DateTime::from_timestamp(1_795_352_867, 0).unwrap();
        let mut manifest = Manifest::new("gw1".to_owned(), None, at, "6.1.0".to_owned());
        manifest.pieces.push(Entry::new("containers").asked("docker", &["ps"]).missing("no"));
        let text = serde_json::to_string_pretty(&manifest).unwrap();
        assert!(text.contains(r#""time": "2026-11-22T13:07:47.000000Z""#), "{text}");
        assert_eq!(Manifest::read(&text), Some(manifest));
    }

    #[test]
    fn what_is_no_manifest_is_none() {
        for text in ["", "[]", r#"{"time":"2026-11-22T13:07:47Z"}"#, "*filter"] {
            assert_eq!(Manifest::read(text), None, "{text}");
        }
    }
}
