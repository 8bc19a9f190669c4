//! Judges the facts of a host: will its TRACE, LOG and `ebtables` lines reach us, and what mends it if not?
//!
//! Pure: facts in, findings out. One function a question; the table below is the whole list.

mod bridges;
mod daemons;
mod finding;
mod log;
mod loggers;
mod rules;

pub use finding::{Finding, Severity};

use serde::Serialize;

use super::facts::Facts;

/// One question.
struct Check {
    /// Its name in the data.
    name: &'static str,
    /// Its name for people.
    title: &'static str,
    /// Who answers it.
    find: fn(&Facts) -> Vec<Finding>,
}

/// Every question, from where a line is born to where it is read.
const CHECKS: &[Check] = &[
    Check { name: "back_end", title: "rules", find: rules::back_end },
    Check { name: "trace_rules", title: "TRACE rules", find: rules::tracing },
    Check { name: "loggers", title: "loggers", find: loggers::loggers },
    Check { name: "namespace", title: "namespace", find: loggers::namespace },
    Check { name: "bridge_calls", title: "bridges", find: bridges::calls },
    Check { name: "ebtables", title: "ebtables", find: bridges::logging },
    Check { name: "conntrack", title: "conntrack", find: loggers::conntrack },
    Check { name: "ring", title: "kernel ring", find: log::ring },
    Check { name: "console", title: "console", find: log::console },
    Check { name: "rate_limits", title: "rate limits", find: log::rate_limits },
    Check { name: "stamps", title: "time stamps", find: log::stamps },
    Check { name: "journald", title: "journald", find: daemons::journald },
    Check { name: "rsyslog", title: "rsyslog", find: daemons::rsyslog },
    Check { name: "reading", title: "rights", find: log::reading },
];

/// What the findings come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// TRACE lines will reach us.
    Yes,
    /// They will not.
    No,
    /// Something that decides it is out of our sight.
    Unknown,
}

impl Answer {
    /// Its word in the data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// All findings, the gravest first; of equal ones in the order of the questions.
pub fn diagnose(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = CHECKS
        .iter()
        .flat_map(|check| {
            (check.find)(facts).into_iter().map(|found| found.of(check.name, check.title))
        })
        .collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// Whether TRACE lines will reach us.
pub fn answer(findings: &[Finding]) -> Answer {
    if findings.iter().any(|finding| finding.severity == Severity::Problem) {
        Answer::No
    } else if findings.iter().any(|finding| finding.is_hidden) {
        Answer::Unknown
    } else {
        Answer::Yes
    }
}

#[cfg(test)]
mod tests;
