//! Whether a rule set can be the one that packets met.

use ipnet::IpNet;

use crate::model::{Confidence, Hop, Packet, Verdict, WallTime};
use crate::rulebook::{Family, Revision};

/// What the packets of one way did.
#[derive(Debug, Clone, Copy)]
pub struct Trail<'a> {
    /// The places they passed.
    pub path: &'a [Hop],
    /// What the log alone says of them.
    pub verdict: &'a Verdict,
    /// How sure the joining of their lines is.
    pub confidence: Confidence,
    /// Some of them, for their headers.
    pub samples: &'a [Packet],
}

/// A chain of a rule set that cannot be the one a packet met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// Whose rules.
    pub family: Family,
    /// The table.
    pub table: Box<str>,
    /// The chain.
    pub chain: Box<str>,
    /// How: `the chain had 4 rules, the snapshot has 3`.
    pub sentence: Box<str>,
    /// Who shows it.
    pub witness: Witness,
}

/// Which packets of a way contradict a rule set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// All of them: the way itself cannot be.
    Way,
    /// One whose header does not fit, seen at this time.
    Sample(Option<WallTime>),
}

/// Compares a rule set with what the packets of a way did. `own` are the host's addresses, when known.
pub fn fit(trail: &Trail<'_>, revision: &Revision, own: Option<&[IpNet]>) -> Vec<Contradiction> {
    let _ = (trail, revision, own);
    Vec::new()
}
