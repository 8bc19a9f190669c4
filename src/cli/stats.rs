//! `tracecol stats`: what the database holds.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;

use crate::cli::args::Global;
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::output::{self, Format};
use crate::cli::talk::{DIM, bytes};
use crate::cli::{csv, database};
use crate::model::Counts;
use crate::query::json;
use crate::render::{escape_text, grouped};
use crate::store::Stats;

/// Show what the database holds.
#[derive(Debug, Args)]
pub(super) struct StatsCommand {}

impl StatsCommand {
    pub(super) async fn run(self, global: &Global) -> Outcome {
        database::read(global, async |store| {
            let stats = store.stats().await?;
            match global.output {
                Format::Table => page(global, &stats, store.path())?,
                _ => data(global.output, &stats)?,
            }
            Ok(Ending::Done)
        })
        .await
    }
}

/// Writes statistics as data.
pub(super) fn data(format: Format, stats: &Stats) -> Result<(), Failure> {
    if format == Format::Csv {
        return csv::stats(stats);
    }
    let stats = json::stats(stats);
    let text =
        if format == Format::Json { output::pretty_json(&stats)? } else { output::json(&stats)? };
    let mut out = output::data();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

fn page(global: &Global, stats: &Stats, path: &Path) -> io::Result<()> {
    let mut out = output::page(global.color);
    let mut row = |name: &str, text: String| writeln!(out, "{DIM}{name:<12}{DIM:#}{text}");
    row(
        "database",
        format!("{} ({})", escape_text(&path.to_string_lossy()), bytes(stats.database_bytes)),
    )?;
    row("lines", counted(stats.counts.total(), &kinds(&stats.counts)))?;
    row(
        "placed",
        format!("{}, not placed {}", grouped(stats.counts.placed), grouped(stats.counts.unplaced)),
    )?;
    row("packets", grouped(stats.packets))?;
    let verdicts: Vec<_> =
        stats.verdicts.iter().map(|(kind, count)| (kind.name(), *count)).collect();
    row("connections", counted(stats.connections, &verdicts))?;
    row("boots", grouped(stats.boots))?;
    row("gaps", grouped(stats.gaps.len() as u64))?;
    for gap in &stats.gaps {
        let lost = gap.gap.lost.map_or_else(|| "some".to_owned(), grouped);
        let place = format!("{}:{}", escape_text(&gap.source), gap.gap.position.offset);
        row("", format!("{lost} lines lost before {place} ({})", gap.gap.reason.name()))?;
    }
    let kinds: Vec<_> = stats.anomalies.iter().map(|(kind, count)| (kind.name(), *count)).collect();
    row("anomalies", counted(kinds.iter().map(|(_, count)| count).sum(), &kinds))?;
    out.flush()
}

/// The tally by kind, with the names of the contract.
pub(super) fn kinds(counts: &Counts) -> [(&'static str, u64); 8] {
    [
        ("trace", counts.trace),
        ("log", counts.log),
        ("ebtables", counts.ebtables),
        ("nft", counts.nft),
        ("marker", counts.marker),
        ("other", counts.other),
        ("rejected", counts.rejected),
        ("suspect", counts.suspect),
    ]
}

/// `630: 443 trace, 187 ebtables`.
pub(super) fn counted(total: u64, parts: &[(&str, u64)]) -> String {
    let shown: Vec<String> = parts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{} {name}", grouped(*count)))
        .collect();
    if shown.is_empty() {
        grouped(total)
    } else {
        format!("{}: {}", grouped(total), shown.join(", "))
    }
}
