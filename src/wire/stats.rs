//! Statistics as JSON.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::model::{self, AnomalyKind, Counts, VerdictKind};
use crate::wire::parts::wall_time;

/// What a database, or one run, holds.
#[derive(Debug, Clone, Serialize)]
pub struct Stats {
    /// Lines by kind.
    pub lines: Lines,
    /// Packets.
    pub packets: u64,
    /// Connections.
    pub connections: u64,
    /// Boots of all hosts.
    pub boots: u64,
    /// Missing lines.
    pub gaps: Vec<Gap>,
    /// Anomalies by kind, as an object.
    #[serde(serialize_with = "as_object")]
    pub anomalies: Vec<(&'static str, u64)>,
    /// Connections by verdict, as an object.
    #[serde(serialize_with = "as_object")]
    pub verdicts: Vec<(&'static str, u64)>,
    /// The size of the database file.
    pub database_bytes: u64,
    /// Netfilter lines that are part of a packet.
    pub placed: u64,
    /// Netfilter lines that are not.
    pub unplaced: u64,
}

/// Lines by kind.
#[derive(Debug, Clone, Serialize)]
pub struct Lines {
    /// The sum of all others.
    pub total: u64,
    /// TRACE lines of ip(6)tables.
    pub trace: u64,
    /// LOG lines.
    pub log: u64,
    /// ebtables lines.
    pub ebtables: u64,
    /// Trace events of nf_tables.
    pub nft: u64,
    /// Loss and noise markers.
    pub marker: u64,
    /// Somebody else's log.
    pub other: u64,
    /// Looked like netfilter lines and could not be used.
    pub rejected: u64,
    /// Proved not to come from the kernel.
    pub suspect: u64,
}

impl From<&Counts> for Lines {
    fn from(counts: &Counts) -> Self {
        Self {
            total: counts.total(),
            trace: counts.trace,
            log: counts.log,
            ebtables: counts.ebtables,
            nft: counts.nft,
            marker: counts.marker,
            other: counts.other,
            rejected: counts.rejected,
            suspect: counts.suspect,
        }
    }
}

/// Missing lines.
#[derive(Debug, Clone, Serialize)]
pub struct Gap {
    /// The source's name.
    pub source: String,
    /// How many; `null` when the source does not say.
    pub lost: Option<u64>,
    /// How they were lost.
    pub reason: &'static str,
    /// When it was noticed.
    pub at: Option<String>,
}

impl Gap {
    /// Puts a gap into its JSON form.
    pub fn new(gap: &model::Gap, source: &str) -> Self {
        Self {
            source: source.to_owned(),
            lost: gap.lost,
            reason: gap.reason.name(),
            at: gap.stamp.wall.and_then(wall_time),
        }
    }
}

impl Stats {
    /// Puts counts into their JSON form.
    pub fn new(
        counts: &Counts,
        [packets, connections, boots]: [u64; 3],
        gaps: Vec<Gap>,
        anomalies: &[(AnomalyKind, u64)],
        verdicts: &[(VerdictKind, u64)],
        database_bytes: u64,
    ) -> Self {
        Self {
            lines: counts.into(),
            packets,
            connections,
            boots,
            gaps,
            anomalies: anomalies.iter().map(|(kind, count)| (kind.name(), *count)).collect(),
            verdicts: verdicts.iter().map(|(kind, count)| (kind.name(), *count)).collect(),
            database_bytes,
            placed: counts.placed,
            unplaced: counts.unplaced,
        }
    }
}

fn as_object<S: Serializer>(
    pairs: &[(&'static str, u64)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(pairs.len()))?;
    for (name, count) in pairs {
        map.serialize_entry(name, count)?;
    }
    map.end()
}
