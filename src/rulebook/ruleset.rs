//! What a rule set is: tables, chains, rules, each with the text as it was given.

use chrono::NaiveDateTime;

use super::matches::{Match, Sight};
use super::read;
use super::target::Target;
use crate::model::{Family, Hook};

/// The rules of one family at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSet {
    /// Whose rules they are.
    pub family: Family,
    /// The form in which they were given.
    pub dialect: Dialect,
    /// Whether nf_tables runs them, as far as the text tells: `iptables-save v1.8.9 (nf_tables)`. Such rules leave
    /// LOG lines in the kernel's log, but no TRACE lines.
    pub on_nftables: bool,
    /// The time in the text's own header, which has no zone.
    pub taken: Option<NaiveDateTime>,
    /// The tables in the order of the text.
    pub tables: Vec<Table>,
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
    /// `-A FORWARD -i docker0 -j ACCEPT`: as given, without counters, numbers and outer blanks. Rules of
    /// `ebtables -L` get their `-A CHAIN` in front, so that a rule has one text in every form.
    pub text: Box<str>,
    /// Its conditions; empty for a rule that every packet meets.
    pub matches: Vec<Match>,
    /// What it does to the packet before its target: statements of nft before the verdict, ebtables' `mark` with a
    /// `--mark-target`. Empty for iptables.
    pub also: Vec<Target>,
    /// What it does; the verdict when it has one.
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

    /// All it does, in order: [`also`](Self::also), then [`target`](Self::target).
    pub fn acts(&self) -> impl Iterator<Item = &Target> {
        self.also.iter().chain(std::iter::once(&self.target))
    }

    /// Whether a packet that shows this meets all conditions. `None`: the line does not tell.
    pub fn holds(&self, sight: &Sight<'_>) -> Option<bool> {
        let mut all = Some(true);
        for one in &self.matches {
            match one.holds(sight) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => all = None,
            }
        }
        all
    }

    /// The text in two: up to the target, and the target with its options (empty when it has none).
    pub fn parts(&self) -> (String, String) {
        let at = match self.text.strip_prefix("-A ") {
            Some(_) => read::jump_at(&self.text),
            None => read::target_at(&self.text),
        };
        let (conditions, target) = self.text.split_at(at.unwrap_or(self.text.len()));
        (conditions.trim_end().to_owned(), target.to_owned())
    }
}

impl Chain {
    /// How many rules it has.
    pub fn len(&self) -> u32 {
        u32::try_from(self.rules.len()).unwrap_or(u32::MAX)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Rule `number`, counted from 1.
    pub fn rule(&self, number: u32) -> Option<&Rule> {
        self.rules.get(usize::try_from(number).ok()?.checked_sub(1)?)
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
