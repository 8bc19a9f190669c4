//! What a run has found, tallied while it goes by.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{AnomalyKind, Counts, Gap, Outcome, SourceId, VerdictKind};
use crate::source::SourceError;

/// What a run has found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Every line once.
    pub counts: Counts,
    /// Packets stored.
    pub packets: u64,
    /// Connections stored.
    pub connections: u64,
    /// Boots seen.
    pub boots: u64,
    /// What became of the connections.
    pub verdicts: BTreeMap<VerdictKind, u64>,
    /// How often each kind of anomaly arose.
    pub anomalies: BTreeMap<AnomalyKind, u64>,
    /// Known losses, the first thousand of them.
    pub gaps: Vec<Gap>,
    /// How many losses there were.
    pub gap_count: u64,
    /// How many lines are known to be lost.
    pub lost: u64,
    /// Unpacked bytes read.
    pub bytes: u64,
    /// How each input ended, in the order in which they were read.
    pub sources: Vec<(SourceId, String, SourceEnd)>,
    /// Inputs that could not be opened.
    pub refused: Vec<(String, Arc<SourceError>)>,
    /// Whether the run was interrupted.
    pub interrupted: bool,
}

/// How reading a source ended.
#[derive(Debug, Clone)]
pub enum SourceEnd {
    /// It was read to its end.
    Whole,
    /// Every byte of it had been ingested before.
    Known,
    /// It has no bytes.
    Empty,
    /// The archive ends early or is damaged; what it has was used.
    Damaged(String),
    /// Reading failed; what had been read was used.
    Failed(Arc<SourceError>),
    /// It begins as one that is known, and goes on differently: nothing was read.
    Changed,
    /// The run was interrupted.
    Interrupted,
}

impl Report {
    /// Interrupted without a tally.
    pub(super) fn interrupted() -> Self {
        Self { interrupted: true, ..Self::default() }
    }

    pub(super) fn tally(&mut self, outcome: &Outcome) {
        /// More are counted, not kept.
        const KEPT_GAPS: usize = 1_000;
        match outcome {
            Outcome::Packet(_) => self.packets += 1,
            Outcome::Connection(connection) => {
                self.connections += 1;
                *self.verdicts.entry(connection.verdict.kind).or_default() += 1;
            }
            Outcome::Anomaly(anomaly) => *self.anomalies.entry(anomaly.kind).or_default() += 1,
            Outcome::Gap(gap) => {
                self.gap_count += 1;
                self.lost = self.lost.saturating_add(gap.lost.unwrap_or(0));
                if self.gaps.len() < KEPT_GAPS {
                    self.gaps.push(gap.clone());
                }
            }
            Outcome::Host { .. } | Outcome::Link(_) => {}
        }
    }

    /// Whether some input could not be read, or not to its end.
    pub fn has_failures(&self) -> bool {
        let failed = |end: &SourceEnd| match end {
            SourceEnd::Damaged(_) | SourceEnd::Failed(_) | SourceEnd::Changed => true,
            SourceEnd::Whole | SourceEnd::Known | SourceEnd::Empty | SourceEnd::Interrupted => {
                false
            }
        };
        !self.refused.is_empty() || self.sources.iter().any(|(_, _, end)| failed(end))
    }

    /// Lines that look like netfilter lines and were not used.
    pub fn unparsed(&self) -> u64 {
        self.counts.rejected + self.counts.unplaced
    }
}
