//! A scene: a folder with a log, rule sets, context, and what happened.
//!
//! `expected.json` has runs: the same log with these or those rule files. A string in it may be an array of strings, of
//! which one must be said: where the log leaves it open, or the contract does.
//!
//! ```json
//! {"counters": ["truth/iptables-counters.txt"],
//!  "runs": [
//!   {"name": "as it was", "rules": ["iptables.rules"], "context": "context", "connections": [
//!     {"original": "udp 10.0.0.2:4001 > 10.0.0.1:53",
//!      "verdict": {"kind": "dropped", "site": "filter:INPUT:policy:4", "rule": "-P INPUT DROP"},
//!      "nat": [{"kind": "dnat", "from": "…", "to": "…", "rule": "…"}],
//!      "packets": {"original 1": [["raw:PREROUTING:policy:2", "-P PREROUTING ACCEPT"], ["filter:app:return:3", null]]},
//!      "links": ["icmp_error"], "cites": ["blackhole 10.63.0.0/24"], "story": ["rp_filter"], "untold": ["…"]}]},
//!   {"name": "counted", "rules": ["truth/iptables-counters.txt"], "as": "as it was"},
//!   {"name": "a rule too many", "rules": ["stale/inserted.rules"], "partly": true,
//!    "never": ["-A INPUT -j DROP"], "connections": []}]}
//! ```

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

/// A folder of `tests/data/cases`.
pub(super) struct Scene {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) expected: Expected,
}

/// What `expected.json` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    /// The kernel's rule counters after the first run's traffic; several files are added up.
    #[serde(default)]
    pub(super) counters: Vec<String>,
    /// Packets that a rule or policy ended and no connection's verdict stands for, with their number.
    #[serde(default)]
    pub(super) also_ended: Map<String, Value>,
    /// Connections that conntrack announced though no line says that they were accepted.
    #[serde(default)]
    pub(super) also_announced: Vec<String>,
    /// Where it is given, every packet was traced in every chain but these, so that `rules` must count what the kernel counted.
    pub(super) traced_but: Option<Vec<String>>,
    pub(super) runs: Vec<Run>,
}

/// One log read with one set of rule files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    pub(super) name: String,
    #[serde(default)]
    pub(super) rules: Vec<String>,
    pub(super) context: Option<String>,
    /// The run whose connections must come out the same.
    #[serde(rename = "as")]
    pub(super) same_as: Option<String>,
    /// Whether there are more connections than those listed.
    #[serde(default)]
    pub(super) partly: bool,
    /// Rule texts that must not be claimed anywhere; `filter:INPUT:rule:2 = text`: not at that place.
    #[serde(default)]
    pub(super) never: Vec<String>,
    /// Words of which at least one must stand in the story of some connection: how the misfit is said.
    #[serde(default)]
    pub(super) said: Vec<String>,
    #[serde(default)]
    pub(super) connections: Vec<Written>,
}

/// A connection, written by hand. What is absent is not compared.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) original: String,
    pub(super) verdict: Option<Map<String, Value>>,
    pub(super) nat: Option<Vec<Map<String, Value>>>,
    /// Steps by packet: `original 1` is the first packet of that direction.
    #[serde(default)]
    pub(super) packets: Map<String, Value>,
    /// Kinds of links, of the connection or its packets, of which none may be missing.
    #[serde(default)]
    pub(super) links: Vec<String>,
    /// What inferred steps must cite, in some packet.
    #[serde(default)]
    pub(super) cites: Vec<String>,
    /// What `show --as story` must say, in capitals or not.
    #[serde(default)]
    pub(super) story: Vec<String>,
    /// What it must not say.
    #[serde(default)]
    pub(super) untold: Vec<String>,
    /// Rule texts that must not be claimed of this connection.
    #[serde(default)]
    pub(super) never: Vec<String>,
}

impl Written {
    /// Whether it takes the packets to compare it.
    pub(super) fn is_about_packets(&self) -> bool {
        let lists = [&self.links, &self.cites, &self.never];
        !self.packets.is_empty() || lists.iter().any(|list| !list.is_empty())
    }
}

impl Scene {
    pub(super) fn text(&self, name: &str) -> String {
        let path = self.folder.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A run's connections: its own, or those of the run it must agree with.
    pub(super) fn connections<'a>(&'a self, run: &'a Run) -> &'a [Written] {
        let Some(name) = &run.same_as else { return &run.connections };
        let other = self.expected.runs.iter().find(|one| one.name == *name);
        &other.unwrap_or_else(|| panic!("{}: no run is called {name}", self.name)).connections
    }
}

/// Every scene that has its expectations, in the order of the folders' names.
pub(super) fn all() -> Vec<Scene> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases");
    let wanted = std::env::var("RULES_TRUTH").unwrap_or_default();
    let mut scenes: Vec<Scene> = std::fs::read_dir(cases)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|folder| folder.join("expected.json").exists())
        .map(read)
        .filter(|scene| scene.name.starts_with(&wanted))
        .collect();
    scenes.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!scenes.is_empty(), "no scene begins with {wanted}");
    scenes
}

fn read(folder: PathBuf) -> Scene {
    let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}/expected.json: {error}"));
    Scene { name, folder, expected }
}
