//! The history of a host's rules: which rule sets held at a moment.

use std::sync::Arc;

use super::ruleset::RuleSet;
use crate::model::WallTime;

/// A rule set with the time from which it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// The number under which it is stored.
    pub id: i64,
    /// From when on it holds; none when nobody knows.
    pub from: Option<WallTime>,
    /// The name of the file it came from, for people.
    pub name: Box<str>,
    /// The rules.
    pub rules: Arc<RuleSet>,
}

/// All rule sets known of one host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Book {
    /// In any order.
    pub revisions: Vec<Revision>,
}

/// The rule sets that hold at one moment: for every family the latest that was taken before, or the first one
/// when all were taken later.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moment {
    /// One a family (several for nft beside iptables).
    pub revisions: Vec<Revision>,
}
