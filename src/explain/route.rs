//! The ways into a chain: from which built-in chain, by which jumps.

use super::imply::follows;
use crate::model::{Hook, Stop, StopSet};
use crate::rulebook::{Chain, Found, Rule, Sight, Spot, Table, Target};

/// More ways into one chain than this are not looked at.
const ROUTES: usize = 64;
/// Chains call each other no deeper than this.
const DEPTH: usize = 32;

/// One way into a chain.
#[derive(Debug, Clone)]
pub(super) struct Route<'m> {
    /// The rules that jump, as chain and index, the built-in chain's first; empty in a built-in chain.
    pub(super) jumps: Vec<(&'m Chain, usize)>,
    /// The chain it leads to.
    pub(super) chain: &'m Chain,
}

impl<'m> Route<'m> {
    /// The built-in chain it begins in.
    pub(super) fn root(&self) -> &'m Chain {
        self.jumps.first().map_or(self.chain, |(chain, _)| *chain)
    }

    /// The hook it begins at.
    pub(super) fn hook(&self) -> Option<Hook> {
        self.root().hook
    }

    /// The rules that jump, the built-in chain's first.
    pub(super) fn rules(&self) -> impl Iterator<Item = &'m Rule> {
        self.jumps.iter().filter_map(|(chain, index)| chain.rules.get(*index))
    }
}

/// The ways into a chain of a table; none when nothing jumps to it.
pub(super) fn routes<'m>(table: &'m Table, chain: &'m Chain) -> Vec<Route<'m>> {
    let mut found = Vec::new();
    climb(table, chain, &mut vec![], chain, &mut found);
    found
}

fn climb<'m>(
    table: &'m Table,
    from: &'m Chain,
    below: &mut Vec<(&'m Chain, usize)>,
    to: &'m Chain,
    found: &mut Vec<Route<'m>>,
) {
    if from.hook.is_some() {
        let jumps = below.iter().rev().copied().collect();
        found.push(Route { jumps, chain: to });
        return;
    }
    for chain in &table.chains {
        for (index, rule) in chain.rules.iter().enumerate() {
            let (Target::Jump(name) | Target::Goto(name)) = &rule.target else { continue };
            if *name != from.name || below.len() == DEPTH || found.len() >= ROUTES {
                continue;
            }
            below.push((chain, index));
            climb(table, chain, below, to, found);
            below.pop();
        }
    }
}

/// The ways by which a packet that shows this can have come to a rule.
pub(super) fn routes_to<'m>(
    found: &Found<'m>,
    stops: StopSet,
    sight: &Sight<'_>,
) -> Vec<Route<'m>> {
    let Spot::Rule(number, rule) = found.spot else { return Vec::new() };
    let index = usize::try_from(number).unwrap_or_default().saturating_sub(1);
    if rule.holds(sight) == Some(false) || is_cut_off(found.chain, index, sight) {
        return Vec::new();
    }
    let mut routes = routes(found.table, found.chain);
    routes.retain(|route| {
        let conditions = || route.rules().chain([rule]).flat_map(|rule| &rule.matches);
        route.hook().is_none_or(|hook| is_at(hook, stops))
            && route.rules().all(|jump| jump.holds(sight) != Some(false))
            && route.jumps.iter().all(|(chain, index)| !is_cut_off(chain, *index, sight))
            && conditions().all(|one| conditions().all(|other| follows(one, other) != Some(false)))
    });
    routes
}

/// Whether a rule before this one takes away every packet that shows this.
fn is_cut_off(chain: &Chain, index: usize, sight: &Sight<'_>) -> bool {
    let takes_away = |rule: &Rule| {
        matches!(
            rule.target,
            Target::Accept
                | Target::Drop
                | Target::Reject { .. }
                | Target::Return
                | Target::Goto(_)
        ) && rule.holds(sight) == Some(true)
    };
    chain.rules.iter().take(index).any(takes_away)
}

/// Whether one of these stops is that hook, of the bridge or of IP: nft's bridge rules print the lines of both.
fn is_at(hook: Hook, stops: StopSet) -> bool {
    [true, false]
        .into_iter()
        .filter_map(|is_bridge| Stop::of_hook(hook, is_bridge))
        .any(|stop| stops.has(stop))
}
