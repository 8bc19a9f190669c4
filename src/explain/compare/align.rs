//! Two ways side by side: steps of the same chain stand in one row.

use crate::explain::narrate::{Account, Shown, Told, place};
use crate::explain::{DiffRow, DiffStep, Phrase};
use crate::model::Site;

/// Longer ways are compared up to here.
const STEPS: usize = 400;

/// What two steps have in common.
const SAME_SITE: usize = 3;
const SAME_CHAIN: usize = 2;

/// Puts two ways side by side so that as many steps as can be stand beside one of their own chain.
pub(super) fn align(left: &Account<'_>, right: &Account<'_>) -> Vec<DiffRow> {
    let (lefts, rights) = (steps(left), steps(right));
    let best = table(left, right, lefts.len(), rights.len());
    let (mut at, mut other) = (0, 0);
    let mut rows = Vec::new();
    while at < lefts.len() || other < rights.len() {
        let here = best[at][other];
        let in_both = at < lefts.len() && other < rights.len();
        let gain = if in_both { likeness(left, at, right, other) } else { 0 };
        if gain > 0 && here == best[at + 1][other + 1] + gain {
            let is_same = is_same(left, at, right, other);
            rows.push(DiffRow {
                left: Some(lefts[at].clone()),
                right: Some(rights[other].clone()),
                is_same,
            });
            at += 1;
            other += 1;
        } else if at < lefts.len() && here == best[at + 1][other] {
            rows.push(DiffRow { left: Some(lefts[at].clone()), right: None, is_same: false });
            at += 1;
        } else {
            rows.push(DiffRow { left: None, right: rights.get(other).cloned(), is_same: false });
            other += 1;
        }
    }
    rows
}

/// One way with nothing beside it.
pub(super) fn alone(account: &Account<'_>, is_left: bool) -> Vec<DiffRow> {
    let row = |step: DiffStep| {
        let (left, right) = if is_left { (Some(step), None) } else { (None, Some(step)) };
        DiffRow { left, right, is_same: false }
    };
    steps(account).into_iter().map(row).collect()
}

fn steps(account: &Account<'_>) -> Vec<DiffStep> {
    let mut shown = Shown::of(account.packet);
    let told = account.told.iter().take(STEPS).enumerate();
    told.map(|(at, told)| DiffStep {
        step: at,
        layer: told.step.hop.layer,
        place: Phrase::default().place(place(told)),
        rule: told.rule.as_deref().map(str::to_owned),
        rule_place: told.place.clone(),
        depth: told.depth,
        shown: shown.advance(told.step, Told::default()),
    })
    .collect()
}

/// For every pair of rests, the greatest likeness that can be had of them.
fn table(left: &Account<'_>, right: &Account<'_>, lefts: usize, rights: usize) -> Vec<Vec<usize>> {
    let mut best = vec![vec![0; rights + 1]; lefts + 1];
    for at in (0..lefts).rev() {
        for other in (0..rights).rev() {
            let gain = likeness(left, at, right, other);
            let paired = if gain > 0 { best[at + 1][other + 1] + gain } else { 0 };
            best[at][other] = paired.max(best[at + 1][other]).max(best[at][other + 1]);
        }
    }
    best
}

/// How much two steps have in common; nothing when they are of different chains.
fn likeness(left: &Account<'_>, at: usize, right: &Account<'_>, other: usize) -> usize {
    let (Some(one), Some(two)) = (left.told.get(at), right.told.get(other)) else { return 0 };
    if one.step.hop.site.is_bridge() != two.step.hop.site.is_bridge()
        || left.hook(at) != right.hook(other)
    {
        return 0;
    }
    let (one, two) = (&one.step.hop.site, &two.step.hop.site);
    if one == two {
        SAME_SITE
    } else if chain(one).is_some() && chain(one) == chain(two) {
        SAME_CHAIN
    } else {
        0
    }
}

fn chain(site: &Site) -> Option<(&[u8], &[u8])> {
    match site {
        Site::Trace { table, chain, .. } | Site::Bridge { table, chain, .. } => {
            Some((table, chain))
        }
        Site::Log { .. } | Site::BridgeLog { .. } => None,
    }
}

/// Whether both are at the same place with the same text.
fn is_same(left: &Account<'_>, at: usize, right: &Account<'_>, other: usize) -> bool {
    match (left.told.get(at), right.told.get(other)) {
        (Some(one), Some(two)) => {
            one.step.hop.site == two.step.hop.site
                && (one.rule == two.rule || one.rule.is_none() || two.rule.is_none())
        }
        _ => false,
    }
}
