//! What a rule set is: tables, chains, rules, each with the text as it was given.

use chrono::NaiveDateTime;

use super::matches::Match;
use super::target::Target;
use crate::model::{Hook, Layer};

/// The rules of one family at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSet {
    /// Whose rules they are.
    pub family: Family,
    /// The form in which they were given.
    pub dialect: Dialect,
    /// The time in the text's own header, which has no zone.
    pub taken: Option<NaiveDateTime>,
    /// The tables in the order of the text.
    pub tables: Vec<Table>,
}

/// Whose packets a rule set sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4: iptables, nft `ip`.
    Ip4,
    /// IPv6: ip6tables, nft `ip6`.
    Ip6,
    /// Both: nft `inet`.
    Inet,
    /// Frames on a bridge: ebtables, nft `bridge`.
    Bridge,
    /// ARP: arptables, nft `arp`.
    Arp,
    /// A device's own hooks: nft `netdev`.
    Netdev,
}

impl Family {
    /// Whether its rules can be behind a line of this layer.
    pub fn sees(self, layer: Layer) -> bool {
        match self {
            Self::Ip4 => layer == Layer::Ip,
            Self::Ip6 => layer == Layer::Ip6,
            Self::Inet => matches!(layer, Layer::Ip | Layer::Ip6),
            // A bridge's LOG rule prints whatever the frame carries.
            Self::Bridge | Self::Netdev => true,
            Self::Arp => layer == Layer::Arp,
        }
    }
}

/// The form in which rules were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// `iptables-save`, `ip6tables-save`.
    IptablesSave,
    /// `ebtables-save`.
    EbtablesSave,
    /// `ebtables -L`, with any of `--Lx`, `--Lc`, `--Ln`.
    EbtablesList,
    /// `nft list ruleset`.
    Nft,
}

/// One table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name.
    pub name: Box<str>,
    /// Its chains in the order of the text.
    pub chains: Vec<Chain>,
}

/// One chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// Its name.
    pub name: Box<str>,
    /// The hook it is called from; none for a user chain.
    pub hook: Option<Hook>,
    /// What happens at the end of a built-in chain.
    pub policy: Option<Policy>,
    /// The policy's counters.
    pub counters: Option<Counters>,
    /// Its rules; rule n of a line is `rules[n - 1]`.
    pub rules: Vec<Rule>,
}

/// What happens to a packet at the end of a built-in chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// It goes on.
    Accept,
    /// It ends here.
    Drop,
    /// A user chain of ebtables whose policy is RETURN.
    Return,
}

impl Policy {
    /// The word as `iptables-save` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Drop => "DROP",
            Self::Return => "RETURN",
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// `-A FORWARD -i docker0 -j ACCEPT`: as given, without counters, numbers and outer blanks.
    pub text: Box<str>,
    /// Its conditions; empty for a rule that every packet meets.
    pub matches: Vec<Match>,
    /// What it does.
    pub target: Target,
    /// The prefix of the line it prints: LOG, ebtables `--log`, nft `log`.
    pub log_prefix: Option<Box<str>>,
    /// How often it was met, when the text says.
    pub counters: Option<Counters>,
}

impl Rule {
    /// Whether the kernel prints `policy:n` or `return:n` for it in place of `rule:n`:
    /// it has no condition at all and its target is a plain verdict (`ip_tables.c`, `get_chainname_rulenum`).
    pub fn prints_as_chain_end(&self) -> bool {
        self.matches.is_empty() && self.target.is_plain_verdict()
    }
}

/// Packets and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl RuleSet {
    /// The table of this name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| &*table.name == name)
    }

    /// The chain of this name in this table.
    pub fn chain(&self, table: &str, chain: &str) -> Option<&Chain> {
        self.table(table)?.chains.iter().find(|one| &*one.name == chain)
    }
}
