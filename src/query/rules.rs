//! Rules with their hits.

use crate::store::{HitReport, Hits, RuleHits, SiteHits};
use crate::wire;

/// How a rule stands to what was logged. Four different things, which must not be mistaken for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleStatus {
    /// Some line came from it.
    Hit,
    /// Lines came from its chain, none from it.
    NeverHit,
    /// No line came from its chain at all.
    ChainNeverReached,
    /// It switches tracing on: its own hit is not logged.
    StartsTrace,
}

impl RuleStatus {
    /// The status of a rule.
    pub fn of(rule: &RuleHits) -> Self {
        let starts_trace = rule.rule.target.as_deref() == Some("TRACE");
        match (rule.hits.hits, starts_trace) {
            (0, true) => Self::StartsTrace,
            (0, false) if rule.chain_reached => Self::NeverHit,
            (0, false) => Self::ChainNeverReached,
            _ => Self::Hit,
        }
    }

    /// The word in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::NeverHit => "never_hit",
            Self::ChainNeverReached => "chain_never_reached",
            Self::StartsTrace => "starts_trace",
        }
    }
}

/// The report as JSON.
pub fn rule_report(report: &HitReport) -> wire::RuleReport {
    wire::RuleReport {
        rules: report.rules.iter().map(rule).collect(),
        misfits: report.misfits.iter().map(site).collect(),
    }
}

fn rule(one: &RuleHits) -> wire::Rule {
    let row = &one.rule;
    wire::Rule {
        snapshot: row.snapshot,
        host: row.host.clone(),
        netns: row.netns.clone(),
        from: row.from.and_then(wire::wall_time),
        family: row.family.name(),
        table: row.table.clone(),
        chain: row.chain.clone(),
        number: row.number,
        text: row.text.clone(),
        target: row.target.clone(),
        status: RuleStatus::of(one).name(),
        hits: hits(&one.hits),
    }
}

fn site(one: &SiteHits) -> wire::UnexplainedSite {
    wire::UnexplainedSite {
        host: one.host.clone(),
        netns: one.netns.clone(),
        at: one.at.clone(),
        misfit: one.misfit.clone(),
        hits: hits(&one.hits),
    }
}

fn hits(hits: &Hits) -> wire::Hits {
    wire::Hits::new((hits.hits, hits.packets), (hits.first, hits.last), &hits.minutes)
}
