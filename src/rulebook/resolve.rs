//! From a site to what stands there.

use super::ruleset::{Chain, Dialect, Policy, Rule, RuleSet, Table};
use super::target::Target;
use crate::model::{Family, Site, SiteKind};

/// What a site stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found<'a> {
    /// The rule set.
    pub set: &'a RuleSet,
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
    /// It has the chain without its policy line, so that the chain's end says nothing.
    NoPolicy,
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
    /// The rule at this place would print another kind of line: `policy:n` or `return:n` when it accepts, drops or
    /// returns whatever comes, `rule:n` otherwise.
    OtherKind {
        /// The place.
        number: u32,
        /// Whether the line is `rule:n`.
        is_rule: bool,
        /// How many rules the chain has by the text.
        has: u32,
    },
    /// The chain is built in, and the line is that of a user chain's end; or the other way round.
    OtherChain,
    /// No rule prints this prefix.
    NoPrefix,
    /// Several rules print this prefix: their places, `filter:INPUT:rule:4`.
    ManyPrefixes(Vec<String>),
    /// What packets did contradicts the text: a sentence.
    Contradicted(String),
}

impl Misfit {
    /// What a person is told: `the chain had 4 rules, the snapshot has 3`.
    pub fn sentence(&self) -> String {
        let rules = |count: u32| match count {
            1 => "1 rule".to_owned(),
            _ => format!("{count} rules"),
        };
        match self {
            Self::NoTable => "the snapshot has no such table".to_owned(),
            Self::NoChain => "the snapshot has no such chain".to_owned(),
            Self::NoPolicy => "the snapshot does not give the policy of this chain".to_owned(),
            Self::Length { had, has } => {
                format!("the chain had {}, the snapshot has {has}", rules(*had))
            }
            Self::Shorter { had, has } => {
                format!("the chain had at least {}, the snapshot has {has}", rules(*had))
            }
            Self::OtherKind { number, is_rule: true, .. } => format!(
                "rule {number} of the snapshot has no condition and would have been logged like the chain's end"
            ),
            Self::OtherKind { number, is_rule: false, has } => {
                let had = rules(number.saturating_sub(1));
                format!(
                    "the chain had {had}, the snapshot has {has} (or rule {number} had no condition)"
                )
            }
            Self::OtherChain => {
                "the chain's end was logged as that of another kind of chain".to_owned()
            }
            Self::NoPrefix => "no rule of the snapshot logs with this prefix".to_owned(),
            Self::ManyPrefixes(places) => {
                format!("several rules of the snapshot log with this prefix: {}", places.join(", "))
            }
            Self::Contradicted(sentence) => sentence.clone(),
        }
    }
}

impl<'a> Found<'a> {
    /// The rule's text, `-P FORWARD DROP` for a policy, nothing for the end of a user chain.
    pub fn text(&self) -> Option<String> {
        match self.spot {
            Spot::Rule(_, rule) => Some(rule.text.to_string()),
            Spot::Policy(policy) if self.set.dialect == Dialect::Nft => {
                Some(format!("policy {}", policy.name().to_ascii_lowercase()))
            }
            Spot::Policy(policy) => Some(format!("-P {} {}", self.chain.name, policy.name())),
            Spot::End => None,
        }
    }

    /// What is done there; for a policy ACCEPT, DROP or RETURN, nothing for the end of a user chain.
    pub fn target(&self) -> Option<Target> {
        match self.spot {
            Spot::Rule(_, rule) => Some(rule.target.clone()),
            Spot::Policy(Policy::Accept) => Some(Target::Accept),
            Spot::Policy(Policy::Drop) => Some(Target::Drop),
            Spot::Policy(Policy::Return) => Some(Target::Return),
            Spot::End => None,
        }
    }

    /// The rule.
    pub fn rule(&self) -> Option<&'a Rule> {
        match self.spot {
            Spot::Rule(_, rule) => Some(rule),
            Spot::Policy(_) | Spot::End => None,
        }
    }

    /// The rule's number from 1; 0 for the end of a chain.
    pub fn number(&self) -> u32 {
        match self.spot {
            Spot::Rule(number, _) => number,
            Spot::Policy(_) | Spot::End => 0,
        }
    }

    /// The place as sites are written: `filter:FORWARD:rule:2`, `filter:FORWARD:policy`, `filter:DOCKER:return`;
    /// `eb:` stands before those of a bridge.
    pub fn label(&self) -> String {
        let layer = if self.set.family == Family::Bridge { "eb:" } else { "" };
        let (table, chain) = (&self.table.name, &self.chain.name);
        match self.spot {
            Spot::Rule(number, _) => format!("{layer}{table}:{chain}:rule:{number}"),
            Spot::Policy(_) => format!("{layer}{table}:{chain}:policy"),
            Spot::End => format!("{layer}{table}:{chain}:return"),
        }
    }
}

impl RuleSet {
    /// What a site stands for, or why these cannot be the rules that the packet met.
    pub fn resolve(&self, site: &Site) -> Result<Found<'_>, Misfit> {
        match site {
            Site::Trace { table, chain, kind } => self.resolve_trace(table, chain, *kind),
            Site::Log { prefix } | Site::BridgeLog { prefix } => only(&self.by_prefix(prefix)),
            Site::Bridge { table, chain, prefix } => {
                only(&narrowed(self.by_prefix(prefix), table, chain))
            }
        }
    }

    /// The rules that log with this prefix; blanks around it do not count. Rules that hand it to a program (NFLOG)
    /// stand back behind those whose line the kernel prints.
    pub fn by_prefix(&self, prefix: &[u8]) -> Vec<Found<'_>> {
        let logs = |found: &Found<'_>| {
            let own = found.rule().and_then(|rule| rule.log_prefix.as_deref());
            own.is_some_and(|own| same(own, prefix))
        };
        let is_printed = |found: &Found<'_>| {
            found.rule().is_some_and(|rule| !matches!(rule.target, Target::Passes(_)))
        };
        let (printed, handed): (Vec<_>, Vec<_>) = self.places().filter(logs).partition(is_printed);
        if printed.is_empty() { handed } else { printed }
    }

    /// Every place in order: each chain's rules, then its end. A built-in chain whose policy is not known has none.
    pub fn places(&self) -> impl Iterator<Item = Found<'_>> {
        self.tables.iter().flat_map(move |table| {
            table.chains.iter().flat_map(move |chain| {
                let rules = (1..).zip(&chain.rules).map(|(number, rule)| Spot::Rule(number, rule));
                let end = match (chain.hook, chain.policy) {
                    (_, Some(policy)) => Some(Spot::Policy(policy)),
                    (None, None) => Some(Spot::End),
                    (Some(_), None) => None,
                };
                rules.chain(end).map(move |spot| Found { set: self, table, chain, spot })
            })
        })
    }

    fn resolve_trace(
        &self,
        table: &[u8],
        chain: &[u8],
        kind: SiteKind,
    ) -> Result<Found<'_>, Misfit> {
        let table = self.tables.iter().find(|one| one.name.as_bytes() == table);
        let table = table.ok_or(Misfit::NoTable)?;
        let chain = table.chains.iter().find(|one| one.name.as_bytes() == chain);
        let chain = chain.ok_or(Misfit::NoChain)?;
        let spot = match kind {
            SiteKind::Rule(number) => matched(chain, number, self.dialect)?,
            SiteKind::Policy(_) if chain.hook.is_none() => return Err(Misfit::OtherChain),
            SiteKind::Return(_) if chain.hook.is_some() => return Err(Misfit::OtherChain),
            SiteKind::Policy(number) | SiteKind::Return(number) => {
                ended(chain, number, self.dialect)?
            }
        };
        Ok(Found { set: self, table, chain, spot })
    }
}

/// What `rule:n` stands for.
fn matched(chain: &Chain, number: u32, dialect: Dialect) -> Result<Spot<'_>, Misfit> {
    let Some(rule) = chain.rule(number) else {
        return Err(Misfit::Shorter { had: number, has: chain.len() });
    };
    // Only ip_tables prints a match-less verdict as the chain's end.
    if dialect != Dialect::Nft && rule.prints_as_chain_end() {
        return Err(Misfit::OtherKind { number, is_rule: true, has: chain.len() });
    }
    Ok(Spot::Rule(number, rule))
}

/// What `policy:n` and `return:n` stand for: the chain's end, or a rule without any condition.
fn ended(chain: &Chain, number: u32, dialect: Dialect) -> Result<Spot<'_>, Misfit> {
    // nf_tables did not count up to the policy: it printed -1.
    let is_uncounted = dialect == Dialect::Nft && number == u32::MAX;
    match chain.rule(number) {
        Some(rule) if rule.prints_as_chain_end() => Ok(Spot::Rule(number, rule)),
        Some(rule) if dialect == Dialect::Nft && rule.target == Target::Return => {
            Ok(Spot::Rule(number, rule))
        }
        Some(_) => Err(Misfit::OtherKind { number, is_rule: false, has: chain.len() }),
        None if number == chain.len() + 1 || is_uncounted => match (chain.hook, chain.policy) {
            (None, _) => Ok(Spot::End),
            (Some(_), Some(policy)) => Ok(Spot::Policy(policy)),
            (Some(_), None) => Err(Misfit::NoPolicy),
        },
        None => Err(Misfit::Length { had: number.saturating_sub(1), has: chain.len() }),
    }
}

/// The kernel keeps this much of a prefix.
const PREFIX_BYTES: usize = 29;

/// Whether a rule with the prefix `own` prints `seen`.
fn same(own: &str, seen: &[u8]) -> bool {
    let (own, seen) = (own.as_bytes(), seen.trim_ascii());
    own.trim_ascii() == seen
        || own.get(..PREFIX_BYTES).is_some_and(|kept| kept.trim_ascii() == seen)
}

/// The hits in the chain that the prefix itself names; all of them when that has none.
pub(super) fn narrowed<'a>(hits: Vec<Found<'a>>, table: &[u8], chain: &[u8]) -> Vec<Found<'a>> {
    let is_there =
        |hit: &Found<'_>| hit.table.name.as_bytes() == table && hit.chain.name.as_bytes() == chain;
    let there: Vec<_> = hits.iter().copied().filter(is_there).collect();
    if there.is_empty() { hits } else { there }
}

/// The one hit.
pub(super) fn only<'a>(hits: &[Found<'a>]) -> Result<Found<'a>, Misfit> {
    match hits {
        [] => Err(Misfit::NoPrefix),
        [one] => Ok(*one),
        _ => Err(Misfit::ManyPrefixes(hits.iter().map(Found::label).collect())),
    }
}
