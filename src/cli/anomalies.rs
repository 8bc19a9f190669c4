//! `tracecol anomalies`: what was not understood and why, ready to be pasted into a bug report.

use std::collections::BTreeMap;
use std::io::Write;

use clap::Args;

use crate::cli::args::Global;
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::output::{self, Format, List};
use crate::cli::talk::{DIM, many};
use crate::cli::{csv, database, json, talk};
use crate::model::{AnomalyKind, Severity};
use crate::render::{escape, escape_text};
use crate::store::{AnomalyQuery, AnomalyRow};

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
    lines: usize,
}

impl Anomalies {
    pub(super) async fn run(self, global: &Global) -> Outcome {
        let store = database::open_read_only(global).await?;
        let rows = store.anomalies(&AnomalyQuery::default()).await?;
        match global.output {
            Format::Table => self.page(global, &rows)?,
            Format::Csv => csv::anomalies(&rows)?,
            Format::Json | Format::Ndjson => {
                let mut list = List::new(output::data(), global.output);
                for row in &rows {
                    list.push(&json::anomaly(row))?;
                }
                list.finish()?;
            }
        }
        if rows.is_empty() {
            talk::note(global, "everything was understood");
        }
        Ok(Ending::found(!rows.is_empty()))
    }

    fn page(&self, global: &Global, rows: &[AnomalyRow]) -> Result<(), Failure> {
        let mut groups: BTreeMap<(std::cmp::Reverse<Severity>, AnomalyKind), Vec<&AnomalyRow>> =
            BTreeMap::new();
        for row in rows {
            let kind = row.anomaly.kind;
            groups.entry((std::cmp::Reverse(kind.severity()), kind)).or_default().push(row);
        }
        let mut out = output::page(global.color);
        if !groups.is_empty() {
            writeln!(
                out,
                "{DIM}tracecol {} on {}{DIM:#}",
                env!("CARGO_PKG_VERSION"),
                std::env::consts::OS
            )?;
        }
        for ((_, kind), rows) in groups {
            let weight = match kind.severity() {
                Severity::Info => "mended, nothing is missing",
                Severity::Warning => "a guess was needed, or something is missing",
                Severity::Loss => "could not be used",
            };
            writeln!(out, "\n{} × {}  {DIM}{weight}{DIM:#}", rows.len(), kind.name())?;
            writeln!(out, "  {}", kind.sentence())?;
            for row in rows.iter().take(self.lines) {
                writeln!(out, "    {}", quote(row))?;
            }
            let more = rows.len().saturating_sub(self.lines);
            if more > 0 {
                writeln!(
                    out,
                    "    {DIM}and {} more: --lines {}{DIM:#}",
                    many(more as u64, "line", "lines"),
                    rows.len()
                )?;
            }
        }
        out.flush()?;
        Ok(())
    }
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
