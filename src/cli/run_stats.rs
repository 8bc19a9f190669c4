//! The statistics of one ingest run, in the same shape as those of the whole database.

use std::collections::BTreeMap;

use crate::cli::args::Global;
use crate::cli::failure::Failure;
use crate::cli::stats;
use crate::model::{Gap, SourceId};
use crate::pipeline::Report;
use crate::store::{GapRow, Stats};

/// Writes the run's statistics to standard output.
pub(super) fn write(global: &Global, report: &Report, database_bytes: u64) -> Result<(), Failure> {
    let names: BTreeMap<SourceId, &str> =
        report.sources.iter().map(|(id, name, _)| (*id, name.as_str())).collect();
    let gap = |gap: &Gap| GapRow {
        source: names.get(&gap.position.source).copied().unwrap_or_default().to_owned(),
        gap: gap.clone(),
    };
    let stats = Stats {
        counts: report.counts,
        packets: report.packets,
        connections: report.connections,
        boots: report.boots,
        gaps: report.gaps.iter().map(gap).collect(),
        anomalies: report.anomalies.iter().map(|(kind, count)| (*kind, *count)).collect(),
        verdicts: report.verdicts.iter().map(|(kind, count)| (*kind, *count)).collect(),
        database_bytes,
    };
    stats::data(global.output, &stats)
}
