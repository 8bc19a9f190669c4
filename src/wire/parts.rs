//! What several answers have in common.

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use crate::model::{self, IfName, WallTime};

/// The host's name and network namespace label.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a> {
    /// Its name.
    pub name: &'a str,
    /// The `--netns` label.
    pub netns: Option<&'a str>,
}

/// What became of a connection or packet.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// `accepted`, `dropped`, `rejected`, `consumed`, `unknown`.
    pub kind: &'static str,
    /// The deciding site, or the last place seen.
    pub site: Option<String>,
    /// The rule's text, when a rule book knows it.
    pub rule: Option<String>,
    /// `rule`, `policy`, `absence`, `reply`.
    pub evidence: Option<&'static str>,
}

impl From<&model::Verdict> for Verdict {
    fn from(verdict: &model::Verdict) -> Self {
        Self {
            kind: verdict.kind.name(),
            site: verdict.site.as_ref().map(|hop| hop.site.label()),
            rule: None,
            evidence: verdict.evidence.map(model::VerdictEvidence::name),
        }
    }
}

/// A relation to another connection or packet.
#[derive(Debug, Clone, Serialize)]
pub struct Link {
    /// `proxy`, `icmp_error`, `reset`, `expectation`, `arp_wait`, `retransmission`.
    pub kind: &'static str,
    /// The other end.
    #[serde(flatten)]
    pub other: LinkOther,
    /// Why we say so.
    pub evidence: String,
}

/// The other end of a link: `"connection": id` or `"packet": id`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkOther {
    /// A connection's id.
    Connection(String),
    /// A packet's id.
    Packet(String),
}

/// A time as RFC 3339 in UTC with microseconds; `None` for one that no calendar has.
pub fn wall_time(time: WallTime) -> Option<String> {
    let time = DateTime::from_timestamp_micros(time.0)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

pub(super) fn device(name: Option<IfName>) -> Option<String> {
    name.map(|name| lossy(name.as_bytes()))
}

pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
