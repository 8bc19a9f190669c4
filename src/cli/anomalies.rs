//! `tracecol anomalies`: what was not understood and why, ready to be pasted into a bug report.

use std::io::{self, Write};

use clap::Args;

use crate::cli::args::Global;
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::output::{self, Format, List};
use crate::cli::talk::{DIM, many};
use crate::cli::{csv, database, talk};
use crate::model::{AnomalyKind, Severity};
use crate::query::json;
use crate::render::{escape, escape_text, grouped};
use crate::store::{AnomalyQuery, AnomalyRow, Store};

/// Longer lines are quoted in part.
const QUOTE: usize = 400;

/// Show what was not understood, and every guess, with the lines concerned.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tracecol anomalies                       grouped by kind, with the first lines of each
  tracecol anomalies --output ndjson       every one of them")]
pub(super) struct Anomalies {
    /// How many lines to show of each kind
    #[arg(long, value_name = "N", default_value_t = 3)]
    lines: u32,
}

impl Anomalies {
    pub(super) async fn run(self, global: &Global) -> Outcome {
        database::read(global, async |store| {
            let count = match global.output {
                Format::Table => self.page(global, store).await?,
                format => write_all(format, store).await?,
            };
            if count == 0 {
                talk::note(global, "everything was understood");
            }
            Ok(Ending::found(count > 0))
        })
        .await
    }

    /// Groups by kind, the worst first. Of each kind only the lines that are shown are read.
    async fn page(&self, global: &Global, store: &Store) -> Result<u64, Failure> {
        let mut kinds = store.stats().await?.anomalies;
        kinds.sort_by_key(|(kind, _)| std::cmp::Reverse(kind.severity()));
        let mut out = output::page(global.color);
        if !kinds.is_empty() {
            let version = env!("CARGO_PKG_VERSION");
            writeln!(out, "{DIM}tracecol {version} on {}{DIM:#}", std::env::consts::OS)?;
        }
        for (kind, count) in &kinds {
            let query = AnomalyQuery { kind: Some(*kind), limit: Some(self.lines) };
            let rows = store.anomalies(&query).await?;
            group(&mut out, *kind, *count, &rows)?;
        }
        out.flush()?;
        Ok(kinds.iter().map(|(_, count)| count).sum())
    }
}

/// Writes one kind: how often, what it means, the first lines.
fn group(
    out: &mut dyn Write,
    kind: AnomalyKind,
    count: u64,
    rows: &[AnomalyRow],
) -> io::Result<()> {
    let weight = match kind.severity() {
        Severity::Info => "nothing is missing",
        Severity::Warning => "a guess was needed, or something is missing",
        Severity::Loss => "could not be used",
    };
    writeln!(out, "\n{} × {}  {DIM}{weight}{DIM:#}", grouped(count), kind.name())?;
    writeln!(out, "  {}", kind.sentence())?;
    for row in rows {
        writeln!(out, "    {}", quote(row))?;
    }
    let more = count.saturating_sub(rows.len() as u64);
    if more > 0 {
        writeln!(out, "    {DIM}and {} more: --lines {count}{DIM:#}", grouped(more))?;
    }
    Ok(())
}

async fn write_all(format: Format, store: &Store) -> Result<u64, Failure> {
    let rows = store.anomalies(&AnomalyQuery::default()).await?;
    if format == Format::Csv {
        csv::anomalies(&rows)?;
    } else {
        let mut list = List::new(output::data(), format);
        for row in &rows {
            list.push(&json::anomaly(row))?;
        }
        list.finish()?;
    }
    Ok(rows.len() as u64)
}

/// `kern.log:18233  the line`.
fn quote(row: &AnomalyRow) -> String {
    let place = format!("{}:{}", escape_text(&row.source), row.anomaly.position.offset);
    let bytes = &row.anomaly.text;
    let shown = escape(&bytes[..bytes.len().min(QUOTE)]);
    let more = bytes.len().saturating_sub(QUOTE);
    match (shown.is_empty(), more) {
        (true, _) => place,
        (false, 0) => format!("{place}  {shown}"),
        (false, more) => {
            format!("{place}  {shown} … and {} more", many(more as u64, "byte", "bytes"))
        }
    }
}
