//! `tracecol demo`: built-in captures of a real kernel, read and shown, and what to do next.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::annotate;
use crate::cli::args::Global;
use crate::cli::connections;
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::list::Pages;
use crate::cli::output::Format;
use crate::cli::show::Show;
use crate::cli::talk::{self, HINT};
use crate::cli::times::{Zone, parse_time};
use crate::cli::{clock, database, ingest, knowledge};
use crate::envelope::Timezone;
use crate::model::WallTime;
use crate::pipeline::{self, Input, Options};
use crate::stitch::StitchOptions;
use crate::store::{ConnectionRow, FromHow, NewSnapshot, SnapshotKind, Store};

/// A file at hand: its name and its bytes.
type FileText = (&'static str, &'static [u8]);

/// A capture: the log, and what was taken on the host beside it.
struct Sample {
    log: FileText,
    /// The log's first moment, from which on the rest holds.
    begin: &'static str,
    rules: [FileText; 2],
    context: [FileText; 4],
}

macro_rules! file {
    ($folder:literal, $name:literal) => {
        (
            concat!("sample-logs/", $folder, "/", $name),
            include_bytes!(concat!("../../sample-logs/", $folder, "/", $name)),
        )
    };
}

macro_rules! sample {
    ($folder:literal, $begin:literal) => {
        Sample {
            log: file!($folder, "kern.log"),
            begin: $begin,
            rules: [file!($folder, "iptables.rules"), file!($folder, "ebtables.rules")],
            context: [
                file!($folder, "ip-addr.txt"),
                file!($folder, "ip-route.txt"),
                file!($folder, "bridge-fdb.txt"),
                file!($folder, "bridge-link.txt"),
            ],
        }
    };
}

/// The same container service, asked from another host, from its own host, and from a container.
const SAMPLES: [Sample; 4] = [
    sample!("case1-remote", "2026-11-22T16:17:25.128046Z"),
    sample!("case2-localhost-proxy", "2026-11-22T16:17:25.870958Z"),
    sample!("case3-container-to-container", "2026-11-22T16:17:26.593179Z"),
    sample!("case3-icc-off-dropped", "2026-11-22T16:17:27.303328Z"),
];

/// See it work: read built-in captures and show what is in them.
///
/// The captures were made on a real kernel. A redis server in a container is asked through a published port from another
/// host, through docker-proxy from its own host, and from another container, once allowed and once not.
#[derive(Debug, Args)]
pub(super) struct Demo {}

impl Demo {
    pub(super) async fn run(self, global: &Global) -> Outcome {
        let path = place(global)?;
        let store = database::open(&path).await?;
        let mut writer = store.writer().await?;
        knowledge::store(&mut writer, &snapshots()).await?;
        writer.close().await?;
        let inputs = SAMPLES.map(|Sample { log: (name, bytes), .. }| Input::Memory {
            name: name.to_owned(),
            bytes,
        });
        let options = Options {
            stitch: StitchOptions::default(),
            year: None,
            timezone: Timezone::Utc,
            now: clock::now(),
        };
        let watch = Box::new(|_: pipeline::Event<'_>| {});
        let report = pipeline::ingest(&store, inputs.into(), options, watch)
            .await
            .map_err(ingest::explain)?;
        if report.interrupted {
            return Ok(Ending::Interrupted);
        }
        annotate::run(&store).await?;
        if global.output != Format::Table {
            let count = connections::write(global, &mut Pages::all(&store)).await?;
            return Ok(Ending::found(count > 0));
        }
        let rows = all(&store).await?;
        talk::note(
            global,
            "four captures of a redis server in a container, asked in different ways:",
        );
        connections::draw(global, &rows)?;
        if let Some(first) = rows.first() {
            talk::note(global, "the first of them, hook by hook:");
            Show::lanes_of(global, &store, &first.id).await?;
        }
        next(global, &path, &rows)?;
        store.close().await;
        Ok(Ending::found(!rows.is_empty()))
    }
}

/// What was taken on the host beside each capture.
fn snapshots() -> Vec<NewSnapshot> {
    let mut snapshots = Vec::new();
    for Sample { begin, rules, context, .. } in SAMPLES {
        let from = parse_time(begin, Zone::Utc, WallTime(0)).ok();
        let rules = rules.map(|file| (SnapshotKind::Rules, file));
        let context = context.map(|file| (SnapshotKind::Context, file));
        let snapshot = |(kind, (name, bytes)): (SnapshotKind, FileText)| NewSnapshot {
            kind,
            host: None,
            netns: None,
            from,
            from_how: FromHow::Given,
            name: name.to_owned(),
            text: bytes.to_vec(),
        };
        snapshots.extend(rules.into_iter().chain(context).map(snapshot));
    }
    snapshots
}

async fn all(store: &Store) -> Result<Vec<ConnectionRow>, Failure> {
    let mut pages = Pages::all(store);
    let mut rows = Vec::new();
    while let Some(page) = pages.next().await? {
        rows.extend(page);
    }
    Ok(rows)
}

/// The database named on the command line, else a new one that is thrown away with the temporary files.
///
/// A database named by the environment is the user's own: captures have no business in there.
fn place(global: &Global) -> Result<PathBuf, Failure> {
    let from_environment = std::env::var_os("TRACECOL_DB").map(PathBuf::from);
    if let Some(path) = global.db.clone().filter(|path| Some(path) != from_environment.as_ref()) {
        return Ok(path);
    }
    let folder = new_folder().map_err(|error| {
        Failure::from(anyhow::Error::new(error).context("cannot make a temporary folder"))
            .hint("name a database with --db FILE")
    })?;
    Ok(folder.join("demo.db"))
}

/// A folder that did not exist before and that nobody else may enter.
fn new_folder() -> io::Result<PathBuf> {
    let stem = format!("tracecol-demo-{}", std::process::id());
    let mut attempt = 0;
    loop {
        let folder = std::env::temp_dir().join(format!("{stem}-{attempt}"));
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1_000 => {
                attempt += 1;
            }
            result => return result.map(|()| folder),
        }
    }
}

fn next(global: &Global, path: &Path, rows: &[ConnectionRow]) -> io::Result<()> {
    use std::io::Write;
    if global.quiet {
        return Ok(());
    }
    let database = crate::render::escape_text(&path.to_string_lossy());
    let mut out = talk::stderr(global);
    writeln!(out)?;
    writeln!(out, "{HINT}next:{HINT:#} export TRACECOL_DB={database}")?;
    if let Some(last) = rows.last() {
        writeln!(out, "      tracecol why {}       the last one: why was it dropped?", last.id)?;
    }
    writeln!(
        out,
        "      tracecol connections link:proxy    the two halves that docker-proxy joins"
    )?;
    writeln!(out, "      tracecol connections nat:dnat      what was redirected")?;
    writeln!(
        out,
        "{HINT}your own:{HINT:#} tracecol doctor --for 'tcp dport 80'    how to trace it, and whether the lines will come"
    )?;
    writeln!(out, "      tracecol ingest /var/log/kern.log*")
}
