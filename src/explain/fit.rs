//! Whether a rule set can be the one that packets met.
//!
//! Some contradictions need one line only: a rule number that the chain does not have, a device or a header that the
//! rule's conditions rule out. Others need two: a final rule that packets went on behind, a jump that led elsewhere.
//! Those of the second sort that a lost line would explain as well count only when more packets speak against the
//! rule than for it. A chain is contradicted, or nothing is said.

use std::collections::{BTreeMap, BTreeSet};

use super::fit_lines;
use super::fit_order::{self, Ballot, Shown};
use crate::model::{Confidence, Hop, Packet, Verdict, WallTime};
use crate::rulebook::{Dialect, Family, Revision};

/// What the packets of one way did.
#[derive(Debug, Clone, Copy)]
pub struct Trail<'a> {
    /// The places they passed.
    pub path: &'a [Hop],
    /// What the log alone says became of them.
    pub verdict: &'a Verdict,
    /// How sure the joining of their lines is.
    pub confidence: Confidence,
    /// How many they are.
    pub packets: u64,
    /// Whether lines are known to be missing in the log while they came.
    pub is_lossy: bool,
    /// Some of them, for their headers.
    pub samples: &'a [Packet],
}

/// A chain of a rule set that cannot be the one that packets met.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contradiction {
    /// Whose rules.
    pub family: Family,
    /// The table.
    pub table: Box<str>,
    /// The chain.
    pub chain: Box<str>,
    /// What shows it.
    pub clue: Clue,
    /// How: `the chain had 4 rules, the snapshot has 3`.
    pub sentence: Box<str>,
    /// The index of the trail that shows it.
    pub trail: usize,
    /// Which of its packets show it.
    pub witness: Witness,
}

/// What shows that a chain does not fit, the clearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clue {
    /// How many rules it has.
    Length,
    /// How many rules it has at least.
    LeastLength,
    /// A rule that a line names.
    Line,
    /// The order of lines.
    Order,
}

/// Which packets of a way contradict a rule set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Witness {
    /// All of them: the way itself cannot be.
    Way,
    /// One whose header does not fit, seen at this time.
    Sample(Option<WallTime>),
}

/// A contradiction as the checks find it, before it is known whose it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flaw {
    pub(super) table: Box<str>,
    pub(super) chain: Box<str>,
    pub(super) clue: Clue,
    pub(super) sentence: Box<str>,
    pub(super) witness: Witness,
}

/// Compares a rule set with what packets did. Only lines that tell their place are asked: those of TRACE.
pub fn fit(trails: &[Trail<'_>], revision: &Revision) -> Vec<Contradiction> {
    let rules = &revision.rules;
    // nft's rules print no such lines; those that do stand beside it.
    let prints = matches!(rules.family, Family::Ip4 | Family::Ip6);
    if !prints || rules.dialect == Dialect::Nft {
        return Vec::new();
    }
    let mut flaws: BTreeSet<(usize, Flaw)> = BTreeSet::new();
    let mut ballots: BTreeMap<Ballot, Count> = BTreeMap::new();
    let shown = Shown::by(trails);
    for (index, trail) in trails.iter().enumerate() {
        let on_lines = fit_lines::check(trail, rules);
        let is_flawed = !on_lines.is_empty();
        flaws.extend(on_lines.into_iter().map(|flaw| (index, flaw)));
        if trail.confidence != Confidence::Exact {
            continue;
        }
        let order = fit_order::check(trail, rules, &shown);
        flaws.extend(order.certain.into_iter().map(|flaw| (index, flaw)));
        if trail.is_lossy {
            continue;
        }
        for (ballot, flaw) in order.votes {
            let count = ballots.entry(ballot).or_default();
            match flaw {
                Some(flaw) => {
                    count.against += trail.packets;
                    count.flaws.push((index, flaw));
                }
                // What a way shows whose own lines do not fit speaks for nothing.
                None if is_flawed => {}
                None => count.supporting += trail.packets,
            }
        }
    }
    let outvoted = ballots.into_values().filter(|count| count.against > count.supporting);
    flaws.extend(outvoted.flat_map(|count| count.flaws));
    flaws
        .into_iter()
        .map(|(trail, flaw)| Contradiction {
            family: rules.family,
            table: flaw.table,
            chain: flaw.chain,
            clue: flaw.clue,
            sentence: flaw.sentence,
            trail,
            witness: flaw.witness,
        })
        .collect()
}

/// How many packets speak for and against what the text says of one rule.
#[derive(Debug, Default)]
struct Count {
    supporting: u64,
    against: u64,
    flaws: Vec<(usize, Flaw)>,
}
