//! `tracecol snapshot`: what this host is, kept in a folder beside its log.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::DateTime;
use clap::Args;
use comfy_table::Color;
use serde::Serialize;

use crate::cli::args::Global;
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::output::{self, Format, List};
use crate::cli::table::{self, Entry, Head};
use crate::cli::talk::{self, HINT};
use crate::cli::{clock, csv};
use crate::probe::Programs;
use crate::probe::snapshot::{self as probe, FolderError, Manifest, Outcome as Piece};
use crate::render::escape_text;

/// How long one program may take.
const TIME: Duration = Duration::from_secs(10);
/// How much one program may say.
const BYTES: usize = 64 * 1024 * 1024;

/// Keep this host's rules, addresses, routes, bridges, containers and connections in a folder.
///
/// Rule sets explain a log only as long as they are the ones the packets met: take a snapshot when tracing is switched on,
/// and again whenever rules change. It needs root for rules and connections, and takes what it can get without. Of
/// containers it keeps names, addresses and ports, never their environment. It changes nothing on the host.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo tracecol snapshot gw1                          then: tracecol ingest kern.log --context gw1
  sudo tracecol snapshot blue --netns blue            of a network namespace, see `ip netns`
  tracecol snapshot gw1 --output json                 what came of each piece

Exit status: 0 something was kept, 1 nothing could be, 2 error.")]
pub(super) struct Snapshot {
    /// The folder; an earlier snapshot in it is replaced, nothing else ever is
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Run every program inside this network namespace
    #[arg(long, value_name = "NAME")]
    netns: Option<String>,
}

/// The manifest, and where it was written.
#[derive(Serialize)]
struct Written<'a> {
    folder: String,
    #[serde(flatten)]
    manifest: &'a Manifest,
}

impl Snapshot {
    pub(super) fn run(self, global: &Global) -> Outcome {
        // What is certain to fail at the end should fail at the beginning.
        probe::check(&self.folder).map_err(|error| explain(&error))?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs = Programs::new(&path, TIME, BYTES);
        self.check_namespace(&programs)?;
        let programs = programs.inside(self.netns.clone());
        let now = DateTime::from_timestamp_micros(clock::now().0).unwrap_or_default();
        let probe::Snapshot { manifest, files } = probe::take(&programs, now);
        if !files.is_empty() {
            probe::write(&self.folder, &files, &manifest).map_err(|error| explain(&error))?;
        }
        self.show(global, &manifest)?;
        if files.is_empty() {
            talk::note(global, "nothing could be collected, nothing was written");
        } else {
            self.say_next(global)?;
        }
        Ok(Ending::found(!files.is_empty()))
    }

    fn check_namespace(&self, programs: &Programs) -> Result<(), Failure> {
        let Some(name) = &self.netns else { return Ok(()) };
        let answer = programs.run("ip", &["netns", "exec", name, "true"])?;
        if answer.is_success() {
            return Ok(());
        }
        let complaint = answer.complaint.unwrap_or_default();
        let name = escape_text(name);
        Err(Failure::new(format!("cannot enter the network namespace `{name}`: {complaint}"))
            .hint("`ip netns` lists them; entering one needs root"))
    }

    fn show(&self, global: &Global, manifest: &Manifest) -> Result<(), Failure> {
        match global.output {
            Format::Table => Ok(draw(global, manifest)?),
            Format::Csv => write_csv(manifest),
            Format::Ndjson => {
                let mut list = List::new(output::data(), Format::Ndjson);
                for piece in &manifest.pieces {
                    list.push(piece)?;
                }
                list.finish()?;
                Ok(())
            }
            Format::Json => {
                let folder = self.folder.to_string_lossy().into_owned();
                let mut out = output::data();
                writeln!(out, "{}", output::pretty_json(&Written { folder, manifest })?)?;
                Ok(out.flush()?)
            }
        }
    }

    fn say_next(&self, global: &Global) -> io::Result<()> {
        if global.quiet {
            return Ok(());
        }
        let folder = word(&self.folder);
        let netns = self
            .netns
            .as_deref()
            .map_or_else(String::new, |name| format!(" --netns {}", word(Path::new(name))));
        let mut out = talk::stderr(global);
        writeln!(
            out,
            "{HINT}next:{HINT:#} tracecol ingest /var/log/kern.log --context {folder}{netns}"
        )
    }
}

fn explain(error: &FolderError) -> Failure {
    let hint = match error {
        FolderError::Foreign { .. } => "name a new folder, or one with a snapshot in it",
        FolderError::Io { .. } => "name a folder that may be written",
    };
    // A file's name may hold anything.
    Failure::new(escape_text(&error.to_string())).hint(hint)
}

/// What a shell reads as this one word.
fn word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,".contains(c);
    if text.chars().all(is_plain) && !text.is_empty() {
        return text.into_owned();
    }
    format!("'{}'", escape_text(&text).replace('\'', r"'\''"))
}

/// First what is there, then what is not, with the reason.
fn draw(global: &Global, manifest: &Manifest) -> io::Result<()> {
    const HEADS: [Head; 4] =
        [table::text("what"), table::text("file"), table::numbers("size"), table::text("said by")];
    let mut pieces: Vec<_> = manifest.pieces.iter().collect();
    pieces.sort_by_key(|piece| piece.outcome != Piece::Kept);
    let rows = pieces.into_iter().map(row).collect();
    let mut out = output::page(global.color);
    table::write(&mut out, &HEADS, rows, global.color, table::width())?;
    out.flush()
}

fn row(piece: &probe::Entry) -> Vec<Entry> {
    let why = || escape_text(piece.why.as_deref().unwrap_or_default()).into();
    let [file, size, by]: [Entry; 3] = match piece.outcome {
        Piece::Kept => {
            let size = talk::bytes(piece.bytes);
            let size = if piece.is_cut { format!("{size}, cut") } else { size };
            let file = escape_text(piece.file.as_deref().unwrap_or_default());
            [file.into(), size.into(), escape_text(&piece.command.join(" ")).into()]
        }
        Piece::None => ["none".into(), Entry::default(), why()],
        Piece::Missing => [Entry::coloured("missing", Color::Yellow), Entry::default(), why()],
    };
    vec![piece.what.as_str().into(), file, size, by]
}

fn write_csv(manifest: &Manifest) -> Result<(), Failure> {
    const HEAD: [&str; 8] =
        ["what", "outcome", "command", "status", "file", "bytes", "is_cut", "why"];
    let mut table = csv::Table::new(&HEAD)?;
    for piece in &manifest.pieces {
        table.push(&vec![
            piece.what.clone(),
            piece.outcome.name().to_owned(),
            piece.command.join(" "),
            piece.status.map(|status| status.to_string()).unwrap_or_default(),
            piece.file.clone().unwrap_or_default(),
            piece.bytes.to_string(),
            piece.is_cut.to_string(),
            piece.why.clone().unwrap_or_default(),
        ])?;
    }
    table.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell() {
        assert_eq!(word(Path::new("snap/gw-1.d")), "snap/gw-1.d");
        assert_eq!(word(Path::new("my snap")), "'my snap'");
        assert_eq!(word(Path::new("it's")), r"'it'\''s'");
        assert_eq!(word(Path::new("")), "''");
    }
}
