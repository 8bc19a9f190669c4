//! Asks every program, keeps what it says.

use std::fs;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::bridges;
use super::containers;
use super::manifest::{Entry, Manifest};
use super::pieces::{BackEnd, FACTS, Keep, Piece, RULES, Way};
use super::settings;
use crate::probe::program::{Answer, Programs};

/// What was collected, not yet written.
#[derive(Debug)]
pub struct Snapshot {
    /// Its head.
    pub manifest: Manifest,
    /// Its files by name.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Collects everything. `now` is the snapshot's time: rules may change while others are still being asked for.
pub fn take(programs: &Programs, now: DateTime<Utc>) -> Snapshot {
    let netns = programs.netns().map(ToOwned::to_owned);
    let host = kernel_says("hostname").unwrap_or_else(|| "localhost".to_owned());
    let release = kernel_says("osrelease").unwrap_or_default();
    let manifest = Manifest::new(host, netns, now, release);
    let mut collector = Collector { programs, snapshot: Snapshot { manifest, files: Vec::new() } };
    collector.collect_all(RULES);
    bridges::collect(&mut collector);
    collector.collect_all(FACTS);
    collector.containers();
    collector.snapshot
}

fn kernel_says(name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A snapshot that is growing.
pub(super) struct Collector<'a> {
    pub programs: &'a Programs,
    snapshot: Snapshot,
}

impl Collector<'_> {
    fn collect_all(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            self.collect(piece);
        }
    }

    /// Asks for a piece by the first of its ways that is open.
    pub(super) fn collect(&mut self, piece: &Piece) {
        let entry = Entry::new(piece.what);
        if let Some((proc, otherwise)) = piece.needs
            && !fs::exists(proc).unwrap_or(true)
        {
            return self.lacks(entry.none(otherwise));
        }
        let open = piece.ways.iter().find(|way| self.is_open(way));
        let Some(Way { command: [program, arguments @ ..], .. }) = open else {
            let names: Vec<_> =
                piece.ways.iter().filter_map(|way| way.command.first()).copied().collect();
            let why = format!("`{}` is not installed", names.join("`, `"));
            return self.lacks(entry.missing(why));
        };
        let entry = entry.asked(program, arguments);
        match self.ask(program, arguments, piece.keep) {
            Ok((bytes, is_cut)) => {
                self.keep(Entry { is_cut, ..entry.ended(Some(0)) }, piece.file, bytes);
            }
            Err((status, why)) => self.lacks(entry.ended(status).missing(why)),
        }
    }

    fn is_open(&self, way: &Way) -> bool {
        let is_installed =
            way.command.first().is_some_and(|program| self.programs.find(program).is_some());
        is_installed && way.only_if.is_none_or(|(tool, wanted)| self.back_end(tool) == Some(wanted))
    }

    /// The back end of the plain tool of a family: `iptables`, `ip6tables`, `ebtables`.
    pub(super) fn back_end(&self, tool: &str) -> Option<BackEnd> {
        let answer = self.programs.run(tool, &["-V"]).ok()?;
        Some(BackEnd::of_version(&answer.text()))
    }

    /// Runs a program: what it said and whether that was cut, or its status and why there is nothing to keep.
    pub(super) fn ask(
        &self,
        program: &str,
        arguments: &[&str],
        keep: Keep,
    ) -> Result<(Vec<u8>, bool), (Option<i32>, String)> {
        let answer =
            self.programs.run(program, arguments).map_err(|silence| (None, silence.to_string()))?;
        let is_some_use = keep != Keep::Whole && !answer.out.is_empty();
        if !answer.is_success() && !is_some_use {
            return Err((answer.status, failure(&answer)));
        }
        let Answer { out, is_cut, .. } = answer;
        let bytes = match keep {
            Keep::Whole if is_cut => {
                return Err((Some(0), "it is too large to be kept".to_owned()));
            }
            Keep::Whole => out,
            Keep::Lines => whole_lines(out, is_cut),
            Keep::Settings => settings::pick(&whole_lines(out, is_cut)),
        };
        Ok((bytes, is_cut))
    }

    /// Keeps a file; an empty one says that there is nothing of its kind.
    pub(super) fn keep(&mut self, entry: Entry, file: &str, bytes: Vec<u8>) {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return self.lacks(entry.none("there are none"));
        }
        self.snapshot.manifest.pieces.push(entry.kept(file, bytes.len() as u64));
        self.snapshot.files.push((file.to_owned(), bytes));
    }

    /// Notes what could not be had.
    pub(super) fn lacks(&mut self, entry: Entry) {
        self.snapshot.manifest.pieces.push(entry);
    }

    fn containers(&mut self) {
        let engines = ["docker", "podman"];
        let Some(engine) = engines.into_iter().find(|name| self.programs.find(name).is_some())
        else {
            let why = "`docker`, `podman` is not installed";
            return self.lacks(Entry::new("containers").missing(why));
        };
        for inspection in &INSPECTIONS {
            self.inspect(engine, inspection);
        }
    }

    /// Lists ids, inspects them, and keeps the part that packets care about.
    fn inspect(&mut self, engine: &str, inspection: &Inspection) {
        let Inspection { what, file, list, inspect, strip } = *inspection;
        let entry = Entry::new(what);
        let ids = match self.ask(engine, list, Keep::Whole) {
            Ok((bytes, _)) => String::from_utf8_lossy(&bytes).into_owned(),
            Err((status, why)) => {
                return self.lacks(entry.asked(engine, list).ended(status).missing(why));
            }
        };
        let entry = entry.asked(engine, inspect);
        let ids: Vec<&str> = ids.split_whitespace().collect();
        let mut all = Vec::new();
        for ids in ids.chunks(IDS_AT_ONCE) {
            let answer = self.ask(engine, &[inspect, ids].concat(), Keep::Whole);
            match answer.map(|(bytes, _)| strip(&bytes)) {
                Ok(Some(kept)) => all.extend(kept),
                Ok(None) => return self.lacks(entry.missing("its answer is no list in JSON")),
                Err((status, why)) => return self.lacks(entry.ended(status).missing(why)),
            }
        }
        if all.is_empty() {
            return self.lacks(entry.none("there are none"));
        }
        let bytes = serde_json::to_vec_pretty(&all).unwrap_or_default();
        self.keep(entry.ended(Some(0)), file, bytes);
    }
}

/// How many ids one command is given: they must fit on its line.
const IDS_AT_ONCE: usize = 200;

/// Something of a container engine that is listed first and then looked into.
struct Inspection {
    what: &'static str,
    file: &'static str,
    list: &'static [&'static str],
    inspect: &'static [&'static str],
    strip: fn(&[u8]) -> Option<Vec<Value>>,
}

const INSPECTIONS: [Inspection; 2] = [
    Inspection {
        what: "containers",
        file: "containers.json",
        list: &["ps", "-aq", "--no-trunc"],
        inspect: &["inspect"],
        strip: containers::containers,
    },
    Inspection {
        what: "container networks",
        file: "container-networks.json",
        list: &["network", "ls", "-q", "--no-trunc"],
        inspect: &["network", "inspect"],
        strip: containers::networks,
    },
];

/// Why a program's answer is not kept.
fn failure(answer: &Answer) -> String {
    let status = match answer.status {
        Some(status) => format!("exit status {status}"),
        None => "ended by a signal".to_owned(),
    };
    match &answer.complaint {
        Some(complaint) => format!("{status}: {complaint}"),
        None => status,
    }
}

/// Of an answer that was cut, the lines that are whole.
fn whole_lines(mut out: Vec<u8>, is_cut: bool) -> Vec<u8> {
    if is_cut {
        let end = out.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        out.truncate(end);
    }
    out
}
