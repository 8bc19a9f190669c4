//! What the rule book and the host's context add to a packet's steps.

use std::collections::BTreeMap;

use crate::context::HostContext;
use crate::explain::Phrase;
use crate::model::{Step, Verdict};
use crate::rulebook::{Family, Moment, Target};

/// What is known beside the log, of one host at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Lore<'a> {
    /// The rule sets that held.
    pub rules: &'a Moment,
    /// The chains of them that cannot be those the packets met.
    pub distrust: &'a Distrust,
    /// The host's context, when given.
    pub context: Option<&'a HostContext>,
}

/// The chains of a moment's rule sets that what packets did contradicts, with the sentence that says how:
/// `the chain had 4 rules, the snapshot has 3`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distrust(pub BTreeMap<(Family, Box<str>, Box<str>), Box<str>>);

/// A place in a rule set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePlace {
    /// The stored number of the revision it is in.
    pub revision: i64,
    /// Whose rules.
    pub family: Family,
    /// The table.
    pub table: Box<str>,
    /// The chain.
    pub chain: Box<str>,
    /// The rule's number from 1; 0 for the policy.
    pub number: u32,
}

/// A step with what the rule book says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToldStep<'a> {
    /// The step.
    pub step: &'a Step,
    /// How deep in user chains it is: 0 in the built-in chain.
    pub depth: usize,
    /// Where it is in the rule book; none when that does not say, or for the end of a user chain.
    pub place: Option<RulePlace>,
    /// The rule's text, `-P FORWARD ACCEPT` for a policy.
    pub rule: Option<Box<str>>,
    /// What the rule does; for a policy ACCEPT or DROP.
    pub target: Option<Target>,
    /// The mark that the rule asks for, as value and mask.
    pub asks_mark: Option<(u32, u32)>,
    /// Whether it is the end of a user chain: back to the caller.
    pub is_chain_end: bool,
    /// Why the rule book's text is not used here.
    pub misfit: Option<Box<str>>,
    /// The rules that may have written the line, when several log with its prefix.
    pub one_of: Vec<RulePlace>,
}

/// What became of a packet, with the rule that decided.
#[derive(Debug, Clone, PartialEq)]
pub struct ToldVerdict {
    /// The verdict.
    pub verdict: Verdict,
    /// The deciding place in the rule book.
    pub place: Option<RulePlace>,
    /// Its text.
    pub rule: Option<Box<str>>,
}

/// A step that no line shows and that must have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Inferred {
    /// It comes before the packet's step with this index; `steps.len()` for one at the end.
    pub before: usize,
    /// What it is.
    pub at: InferredAt,
    /// What was decided, with what it rests on: `routed to docker0: 172.17.0.0/16 dev docker0`.
    pub sentence: Phrase,
}

/// The kinds of inferred steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InferredAt {
    /// The routing decision.
    Route,
    /// The bridge's decision: out of a port, to all ports, or up to the host.
    Bridge,
    /// conntrack makes an entry.
    ConntrackNew,
    /// conntrack puts addresses back that NAT had changed.
    ConntrackRestored,
    /// The packet waits for its next hop's hardware address.
    NeighbourWait,
    /// A local process has it.
    Local,
    /// It leaves the host.
    Wire,
}

impl InferredAt {
    /// The contract's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Bridge => "bridge",
            Self::ConntrackNew => "conntrack:new",
            Self::ConntrackRestored => "conntrack:restored",
            Self::NeighbourWait => "neighbour:wait",
            Self::Local => "local",
            Self::Wire => "wire",
        }
    }
}
