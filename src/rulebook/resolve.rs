//! From a site to what stands there.

use super::ruleset::{Chain, Policy, Rule, Table};

/// What a site stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found<'a> {
    /// The table.
    pub table: &'a Table,
    /// The chain.
    pub chain: &'a Chain,
    /// The place in it.
    pub spot: Spot<'a>,
}

/// A place in a chain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spot<'a> {
    /// A rule, and its number from 1.
    Rule(u32, &'a Rule),
    /// The end of a built-in chain.
    Policy(Policy),
    /// The end of a user chain: back to the caller.
    End,
}

/// Why a rule set cannot be the one that the packet met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// It has no such table.
    NoTable,
    /// It has no such chain.
    NoChain,
    /// The chain had this many rules, the rule set has that many.
    Length {
        /// As the line says.
        had: u32,
        /// As the text says.
        has: u32,
    },
    /// The chain had at least this many rules, the rule set has that many.
    Shorter {
        /// As the line says.
        had: u32,
        /// As the text says.
        has: u32,
    },
    /// The rule at this place would print another kind of line (`policy:n` for `rule:n` or the other way round).
    OtherKind,
    /// No rule prints this prefix.
    NoPrefix,
    /// Several rules print this prefix: their places, `filter:INPUT:rule:4`.
    ManyPrefixes(Vec<String>),
    /// What packets did contradicts the text: a sentence.
    Contradicted(String),
}
