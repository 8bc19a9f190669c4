//! An anomaly as JSON.

use serde::Serialize;

use crate::model::{self, Severity};
use crate::wire::parts::lossy;

/// A line that could not be used, or a guess.
#[derive(Debug, Clone, Serialize)]
pub struct Anomaly {
    /// Its stable name.
    pub kind: &'static str,
    /// `info`, `warning`, `loss`.
    pub severity: &'static str,
    /// What it means.
    pub sentence: &'static str,
    /// The source's name.
    pub source: String,
    /// Byte offset in the uncompressed source.
    pub offset: u64,
    /// kmsg sequence number.
    pub seq: Option<u64>,
    /// The bytes concerned, as text.
    pub text: String,
}

impl Anomaly {
    /// Puts an anomaly into its JSON form.
    pub fn new(anomaly: &model::Anomaly, source: &str) -> Self {
        Self {
            kind: anomaly.kind.name(),
            severity: match anomaly.kind.severity() {
                Severity::Info => "info",
                Severity::Warning => "warning",
                Severity::Loss => "loss",
            },
            sentence: anomaly.kind.sentence(),
            source: source.to_owned(),
            offset: anomaly.position.offset,
            seq: anomaly.position.seq,
            text: lossy(&anomaly.text),
        }
    }
}
