//! The history of a host's rules: which rule sets held at a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::resolve::{Found, Misfit, narrowed, only};
use super::ruleset::{Dialect, RuleSet};
use crate::model::{Family, Layer, Site, WallTime};

/// A rule set with the time from which it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// The number under which it is stored.
    pub id: i64,
    /// From when on it holds; none when nobody knows: from the beginning.
    pub from: Option<WallTime>,
    /// The name of the file it came from, for people.
    pub name: Box<str>,
    /// The rules.
    pub rules: Arc<RuleSet>,
}

/// All rule sets known of one host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Book {
    /// In the order in which they were added: of several with one time the last holds.
    pub revisions: Vec<Revision>,
}

/// The rule sets that hold at one moment: for every family the latest that was taken before, or the first one
/// when all were taken later.
///
/// iptables and ebtables rules may come table by table (`iptables-save -t nat`): a table that the latest
/// revision of a family does not have is taken from the one before, which then stands here with only
/// the tables that are still its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moment {
    /// iptables before nft, and the latest of a family first.
    pub revisions: Vec<Revision>,
}

/// Whose rules replace each other: those of one engine and one family. iptables' own rules, iptables' rules on
/// nf_tables and nft's listing of all that nf_tables has stand beside each other.
type Line = (Engine, Family);

/// What runs rules, in the order in which sites are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Engine {
    Xtables,
    XtablesOnNftables,
    Nft,
}

impl Revision {
    fn line(&self) -> Line {
        let engine = match (self.rules.dialect, self.rules.on_nftables) {
            (Dialect::Nft, _) => Engine::Nft,
            (_, true) => Engine::XtablesOnNftables,
            (_, false) => Engine::Xtables,
        };
        (engine, self.rules.family)
    }
}

impl Book {
    /// What holds at a time. Without one, what holds at the beginning.
    pub fn at(&self, time: Option<WallTime>) -> Moment {
        let mut revisions = Vec::new();
        for (line, history) in self.histories() {
            let first = history.first().and_then(|revision| revision.from);
            let reach = time.max(first);
            let past: Vec<_> = history.into_iter().filter(|one| one.from <= reach).collect();
            revisions.extend(holding(&past, line));
        }
        Moment { revisions }
    }

    /// The times at which what holds may change, in order. The first revision of a family is no turn: it reaches
    /// back to the beginning.
    pub fn turns(&self) -> Vec<WallTime> {
        let mut turns = BTreeSet::new();
        for history in self.histories().into_values() {
            let first = history.first().and_then(|revision| revision.from);
            let later = history.iter().filter(|revision| revision.from > first);
            turns.extend(later.filter_map(|revision| revision.from));
        }
        turns.into_iter().collect()
    }

    /// The revisions of each line, oldest first.
    fn histories(&self) -> BTreeMap<Line, Vec<&Revision>> {
        let mut histories: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for revision in &self.revisions {
            histories.entry(revision.line()).or_default().push(revision);
        }
        for history in histories.values_mut() {
            history.sort_by_key(|revision| revision.from);
        }
        histories
    }
}

/// The latest of these, and of those before it the tables that no later one has.
fn holding(past: &[&Revision], (engine, _): Line) -> Vec<Revision> {
    let mut held: Vec<Revision> = Vec::new();
    for revision in past.iter().rev() {
        if engine == Engine::Nft && !held.is_empty() {
            break;
        }
        let is_own = |name: &str| held.iter().all(|later| later.rules.table(name).is_none());
        let own = revision.rules.tables.iter().filter(|table| is_own(&table.name)).count();
        if own == revision.rules.tables.len() {
            held.push((*revision).clone());
        } else if own > 0 {
            let mut rules = RuleSet::clone(&revision.rules);
            rules.tables.retain(|table| is_own(&table.name));
            held.push(Revision { rules: Arc::new(rules), ..(*revision).clone() });
        }
    }
    held
}

impl Moment {
    /// The rule sets whose rules can be behind a line of this layer.
    pub fn of(&self, layer: Layer) -> impl Iterator<Item = &Revision> {
        self.revisions.iter().filter(move |revision| revision.rules.family.sees(layer))
    }

    /// What a site stands for. `None`: there is no rule set for such a line.
    pub fn resolve(
        &self,
        layer: Layer,
        site: &Site,
    ) -> Option<Result<(&Revision, Found<'_>), Misfit>> {
        let asked: Vec<_> = self.of(layer).filter(|one| can_print(&one.rules, site)).collect();
        if asked.is_empty() {
            return None;
        }
        Some(match site {
            Site::Trace { .. } => first_found(&asked, site),
            Site::Log { prefix } | Site::BridgeLog { prefix } => {
                one_found(&asked, |rules| rules.by_prefix(prefix))
            }
            Site::Bridge { table, chain, prefix } => {
                one_found(&asked, |rules| narrowed(rules.by_prefix(prefix), table, chain))
            }
        })
    }
}

/// Whether rules of this form can leave a line of this form.
fn can_print(rules: &RuleSet, site: &Site) -> bool {
    let is_ebtables = matches!(rules.dialect, Dialect::EbtablesSave | Dialect::EbtablesList);
    match site {
        Site::Trace { .. } => matches!(rules.family, Family::Ip4 | Family::Ip6 | Family::Inet),
        Site::Log { .. } => !is_ebtables,
        Site::Bridge { .. } | Site::BridgeLog { .. } => rules.family == Family::Bridge,
    }
}

/// The first rule set in which the site is; else the reason that says most.
fn first_found<'a>(
    asked: &[&'a Revision],
    site: &Site,
) -> Result<(&'a Revision, Found<'a>), Misfit> {
    let mut misfits = Vec::new();
    for revision in asked {
        match revision.rules.resolve(site) {
            Ok(found) => return Ok((revision, found)),
            Err(misfit) => misfits.push(misfit),
        }
    }
    let says_little = |misfit: &Misfit| match misfit {
        Misfit::NoTable => 2,
        Misfit::NoChain => 1,
        _ => 0,
    };
    misfits.sort_by_key(says_little);
    Err(misfits.into_iter().next().unwrap_or(Misfit::NoTable))
}

/// The one rule that all these rule sets have for it.
fn one_found<'a>(
    asked: &[&'a Revision],
    hits: impl Fn(&'a RuleSet) -> Vec<Found<'a>>,
) -> Result<(&'a Revision, Found<'a>), Misfit> {
    let mut all: Vec<(&'a Revision, Found<'a>)> = Vec::new();
    for revision in asked {
        for hit in hits(&revision.rules) {
            // The same rule shows in `iptables-save` and in `nft list ruleset` when iptables sits on nf_tables.
            let is_known = |(other, found): &(&Revision, Found<'_>)| {
                other.rules.family == revision.rules.family && found.label() == hit.label()
            };
            if !all.iter().any(is_known) {
                all.push((revision, hit));
            }
        }
    }
    let hits: Vec<_> = all.iter().map(|(_, hit)| *hit).collect();
    let found = only(&hits)?;
    all.first().map(|(revision, _)| (*revision, found)).ok_or(Misfit::NoPrefix)
}
