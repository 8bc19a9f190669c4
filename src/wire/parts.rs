//! What several answers have in common.

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use crate::model::{self, IfName, Site, WallTime};

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

/// A rule of a rule book.
#[derive(Debug, Clone, Copy)]
pub struct RuleText<'a> {
    /// `filter:FORWARD:rule:3`.
    pub at: &'a str,
    /// `-A FORWARD …`, or `-P FORWARD DROP`.
    pub text: &'a str,
}

impl Verdict {
    /// A verdict with the rule that decided. A log line's prefix is no place: there the rule's place says where.
    pub fn new(verdict: &model::Verdict, rule: Option<RuleText<'_>>) -> Self {
        let site = verdict.site.as_ref().map(|hop| match (&*hop.site, rule) {
            (Site::Log { .. } | Site::BridgeLog { .. }, Some(rule)) => rule.at.to_owned(),
            (site, _) => site.label(),
        });
        Self {
            kind: verdict.kind.name(),
            site,
            rule: rule.map(|rule| rule.text.to_owned()),
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
