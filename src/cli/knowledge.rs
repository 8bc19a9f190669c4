//! Rule sets and host context from files into the database: what they are is told by their content.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use crate::cli::args::Global;
use crate::cli::failure::Failure;
use crate::cli::times::{Zone, parse_time};
use crate::cli::{clock, talk};
use crate::context;
use crate::model::WallTime;
use crate::render::escape_text;
use crate::rulebook::{self, Book, Moment, Revision};
use crate::store::{FromHow, NewSnapshot, SnapshotKind, Writer};

/// Longer files are no rule sets and no host context.
const LONGEST: u64 = 256 << 20;

/// What the user gave, and whose it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Given<'a> {
    /// Files of rule sets.
    pub rules: &'a [PathBuf],
    /// Folders of host context, which may hold rule sets too.
    pub context: Option<&'a Path>,
    /// The host they were taken on; none for any.
    pub host: Option<&'a str>,
    /// Its namespace's label.
    pub netns: Option<&'a str>,
    /// From when on they hold; else their own time.
    pub from: Option<WallTime>,
    /// The zone of times in their headers.
    pub timezone: Zone,
}

/// What a file was found to be.
#[derive(Debug)]
struct FileText {
    name: String,
    bytes: Vec<u8>,
    modified: Option<WallTime>,
}

/// Reads what was given. Nothing is written yet, so that a mistake costs nothing.
pub(super) fn read(global: &Global, given: &Given<'_>) -> Result<Vec<NewSnapshot>, Failure> {
    let mut snapshots = Vec::new();
    for path in given.rules {
        let file = file(path)?;
        let found = given.snapshots(&file, None);
        if found.is_empty() {
            let name = escape_text(&file.name);
            return Err(Failure::new(format!("`{name}` holds no rule set")).hint(
                "expected is what iptables-save, ip6tables-save, ebtables-save or `nft list ruleset` prints",
            ));
        }
        snapshots.extend(found);
    }
    if let Some(folder) = given.context {
        snapshots.extend(read_folder(global, given, folder)?);
    }
    Ok(snapshots)
}

/// Every file of a folder that holds a rule set or host context.
fn read_folder(
    global: &Global,
    given: &Given<'_>,
    folder: &Path,
) -> Result<Vec<NewSnapshot>, Failure> {
    let place = || format!("cannot read the folder `{}`", escape_text(&folder.to_string_lossy()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(place)? {
        let path = entry.with_context(place)?.path();
        if path.metadata().is_ok_and(|facts| facts.is_file() && facts.len() <= LONGEST) {
            paths.push(path);
        }
    }
    paths.sort();
    let taken = manifest_time(folder);
    let mut snapshots = Vec::new();
    for path in paths {
        let file = file(&path)?;
        let found = given.snapshots(&file, taken);
        if found.is_empty() {
            talk::detail(
                global,
                &format!("`{}` is no rule set and no host context", escape_text(&file.name)),
            );
        }
        snapshots.extend(found);
    }
    if snapshots.is_empty() {
        let name = escape_text(&folder.to_string_lossy());
        return Err(Failure::new(format!("no file in `{name}` holds a rule set or host context"))
            .hint("`tracecol snapshot DIR` collects them on a live host"));
    }
    Ok(snapshots)
}

/// The time in the manifest that `tracecol snapshot` writes.
fn manifest_time(folder: &Path) -> Option<WallTime> {
    let bytes = fs::read(folder.join("manifest.json")).ok()?;
    let manifest: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    let time = manifest.get("time")?.as_str()?;
    parse_time(time, Zone::Utc, clock::now()).ok()
}

fn file(path: &Path) -> Result<FileText, Failure> {
    let name = path.to_string_lossy().into_owned();
    let place = || format!("cannot read `{}`", escape_text(&name));
    let facts = fs::metadata(path).with_context(place)?;
    if facts.len() > LONGEST {
        return Err(Failure::new(format!("`{}` is too long for a rule set", escape_text(&name))));
    }
    let bytes = fs::read(path).with_context(place)?;
    let modified = facts.modified().ok().map(clock::wall);
    Ok(FileText { name, bytes, modified })
}

impl Given<'_> {
    /// What a file holds: rule sets, host context, both or neither.
    fn snapshots(&self, file: &FileText, taken: Option<WallTime>) -> Vec<NewSnapshot> {
        let text = String::from_utf8_lossy(&file.bytes);
        let rules = rulebook::read(&text, &file.name);
        let own =
            rules.sets.iter().find_map(|set| set.taken).and_then(|time| self.timezone.to_utc(time));
        // A manifest knows the time to the microsecond and in UTC; a rule set's header does not.
        let (from, from_how) = match (self.from, taken.or(own), file.modified) {
            (Some(from), ..) => (Some(from), FromHow::Given),
            (None, Some(own), _) => (Some(own), FromHow::Header),
            (None, None, Some(modified)) => (Some(modified), FromHow::File),
            (None, None, None) => (None, FromHow::Unknown),
        };
        let snapshot = |kind| NewSnapshot {
            kind,
            host: self.host.map(str::to_owned),
            netns: self.netns.map(str::to_owned),
            from,
            from_how,
            name: file.name.clone(),
            text: file.bytes.clone(),
        };
        let mut found = Vec::new();
        if !rules.sets.is_empty() {
            found.push(snapshot(SnapshotKind::Rules));
        }
        if context::read(&text, &file.name).kind.is_some() {
            found.push(snapshot(SnapshotKind::Context));
        }
        found
    }
}

/// Puts snapshots into the database; gives how many were not there before.
pub(super) async fn store(
    writer: &mut Writer,
    snapshots: &[NewSnapshot],
) -> Result<usize, Failure> {
    let mut new = 0;
    for snapshot in snapshots {
        new += usize::from(writer.add_snapshot(snapshot).await?.is_new);
    }
    Ok(new)
}

/// The rule sets of one file, the last of each family.
pub(super) fn rules_of(path: &Path) -> Result<Moment, Failure> {
    let file = file(path)?;
    let reading = rulebook::read(&String::from_utf8_lossy(&file.bytes), &file.name);
    if reading.sets.is_empty() {
        return Err(Failure::new(format!("`{}` holds no rule set", escape_text(&file.name))));
    }
    let mut book = Book::default();
    for (id, rules) in (0..).zip(reading.sets) {
        let name = file.name.clone().into_boxed_str();
        book.revisions.push(Revision { id, from: None, name, rules: Arc::new(rules) });
    }
    Ok(book.at(None))
}
