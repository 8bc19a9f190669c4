//! The rules of the snapshots, one row each, so that a line's place can point at its rule.

use crate::model::{Layer, WallTime};
use crate::store::{StoreError, Writer};

/// Whose packets a rule set sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleFamily {
    /// IPv4.
    Ip4,
    /// IPv6.
    Ip6,
    /// Both.
    Inet,
    /// Frames on a bridge.
    Bridge,
    /// ARP.
    Arp,
    /// A device's own hooks.
    Netdev,
}

impl RuleFamily {
    /// Every family, in an order that never changes.
    pub const ALL: &'static [Self] =
        &[Self::Ip4, Self::Ip6, Self::Inet, Self::Bridge, Self::Arp, Self::Netdev];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ip4 => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
            Self::Bridge => "bridge",
            Self::Arp => "arp",
            Self::Netdev => "netdev",
        }
    }

    /// Reads the word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|family| family.name() == name)
    }

    /// Whether its rules can be behind a line of this layer.
    pub fn sees(self, layer: Layer) -> bool {
        match self {
            Self::Ip4 => layer == Layer::Ip,
            Self::Ip6 => layer == Layer::Ip6,
            Self::Inet => matches!(layer, Layer::Ip | Layer::Ip6),
            Self::Bridge | Self::Netdev => true,
            Self::Arp => layer == Layer::Arp,
        }
    }
}

/// One rule set of a snapshot, with the time from which it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRevision {
    /// Whose rules they are.
    pub family: RuleFamily,
    /// From when on it holds; none when nobody knows.
    pub from: Option<WallTime>,
    /// Its rules in order, with one row of number 0 for every chain, before the chain's rules.
    pub rules: Vec<NewRule>,
}

/// A rule, a policy, or the end of a user chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRule {
    /// The table's name.
    pub table: Box<str>,
    /// The chain's name.
    pub chain: Box<str>,
    /// The rule's number from 1; 0 for the policy of a built-in chain and for the end of a user chain.
    pub number: u32,
    /// `-A FORWARD -i docker0 -j ACCEPT`, `-P FORWARD DROP`; none for the end of a user chain.
    pub text: Option<Box<str>>,
    /// What it does, as a word: `ACCEPT`, `jump DOCKER`, `TRACE`; none when it does nothing.
    pub target: Option<Box<str>>,
}

/// Names a row of the rules: the place of a rule in a stored rule set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleAt {
    /// The number of the rule set, as [`Writer::file_rules`] gave it.
    pub revision: i64,
    /// The table's name.
    pub table: Box<str>,
    /// The chain's name.
    pub chain: Box<str>,
    /// The rule's number from 1; 0 for the policy or the end of the chain.
    pub number: u32,
}

impl Writer {
    /// Files the rule sets that a snapshot's text holds, in the order of the text, and gives their numbers.
    ///
    /// When the very same were filed before, nothing is written. When others were (another version read the text
    /// otherwise), they are replaced, and all that was told by them is forgotten.
    pub fn file_rules(
        &mut self,
        snapshot: i64,
        revisions: &[NewRevision],
    ) -> impl Future<Output = Result<Vec<i64>, StoreError>> + Send {
        let _ = (&self, snapshot, revisions);
        async move { Err(StoreError::Damaged("not written yet")) }
    }
}
