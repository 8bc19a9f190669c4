//! What a story does not know, has assumed, or found contradicted; and what it was told from.

use std::collections::BTreeSet;

use crate::explain::Phrase;
use crate::model::{Completeness, Confidence, Layer, Site, VerdictKind};
use crate::rulebook::{Misfit, Revision};

use super::account::Account;
use super::answer::writers;
use super::names::{lasting, listed, lossy, place, sentence};
use super::scene::Scene;

pub(crate) fn doubts(scene: &Scene<'_, '_>) -> Vec<Phrase> {
    let mut doubts = Vec::new();
    doubts.extend(no_rules(scene));
    doubts.extend(misfits(scene));
    doubts.extend(later_snapshots(scene));
    doubts.extend(incomplete(scene));
    doubts.extend(ambiguous(scene));
    doubts.extend(one_direction(scene));
    doubts.extend(no_context(scene));
    doubts
}

/// Layers of which lines were seen and no rule set is known.
fn no_rules(scene: &Scene<'_, '_>) -> Vec<Phrase> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for account in &scene.accounts {
        for told in account.told.iter().filter(|told| told.place.is_none() && told.misfit.is_none())
        {
            let site = &told.step.hop.site;
            let has_any = account.lore.rules.of(told.step.hop.layer).next().is_some();
            if !has_any && !told.is_chain_end {
                let layer = told.step.hop.layer;
                seen.insert(match layer {
                    _ if site.is_bridge() => "ebtables",
                    Layer::Ip6 => "ip6tables",
                    Layer::Bridge | Layer::Arp => "ebtables",
                    Layer::Ip => "iptables",
                });
            }
        }
    }
    if seen.is_empty() {
        return Vec::new();
    }
    let names = listed(seen.into_iter().map(Phrase::text).collect(), "and");
    vec![
        Phrase::text("No rules of ")
            .append(names)
            .say(" were given: a line tells the number of a rule, not what it says or does."),
    ]
}

/// The chains whose text is not used, each once.
fn misfits(scene: &Scene<'_, '_>) -> Vec<Phrase> {
    let mut seen = BTreeSet::new();
    let mut said = Vec::new();
    let mut tables = BTreeSet::new();
    let mut chains: Vec<(String, &str)> = Vec::new();
    for told in scene.accounts.iter().flat_map(|account| &account.told) {
        let Some(misfit) = &told.misfit else { continue };
        if let Some(writers) = writers(told) {
            let line = place(told);
            if seen.insert((line.clone(), misfit.clone())) {
                let phrase = Phrase::default().place(line).say(" does not tell its rule: ");
                said.push(sentence(phrase.append(writers).say(" log alike.")));
            }
            continue;
        }
        let chain = match &*told.step.hop.site {
            Site::Trace { table, .. } if **misfit == *Misfit::NoTable.sentence() => {
                tables.insert(lossy(table));
                continue;
            }
            Site::Trace { table, chain, .. } => {
                format!("{}:{}", String::from_utf8_lossy(table), String::from_utf8_lossy(chain))
            }
            Site::Log { .. } | Site::Bridge { .. } | Site::BridgeLog { .. } => place(told),
        };
        // Later lines of a chain know more of its length.
        match chains.iter_mut().find(|(known, _)| *known == chain) {
            Some((_, why)) => *why = misfit,
            None => chains.push((chain, &**misfit)),
        }
    }
    said.extend(chains.into_iter().map(|(chain, misfit)| {
        let phrase = Phrase::text("The text that was given for ").place(chain);
        sentence(phrase.say(" is not used: ").say(misfit))
    }));
    if !tables.is_empty() {
        let word = if tables.len() == 1 { "table " } else { "tables " };
        let names = tables.into_iter().map(|name| Phrase::default().place(name)).collect();
        let phrase = Phrase::text("The rules that were given do not have the ").say(word);
        said.push(phrase.append(listed(names, "and")).say(": what was asked there is not known."));
    }
    said
}

/// Rule sets that were taken after the packet, or nobody knows when.
fn later_snapshots(scene: &Scene<'_, '_>) -> Vec<Phrase> {
    let Some(account) = scene.main() else { return Vec::new() };
    let Some(seen) = account.packet.first.wall else { return Vec::new() };
    let later = used(scene).into_iter().filter_map(|revision| {
        let after =
            u64::try_from(revision.from?.0.checked_sub(seen.0)?).ok().filter(|us| *us > 0)?;
        Some((taken(scene, revision)?, after))
    });
    let mut told = BTreeSet::new();
    let mut said = Vec::new();
    for (taken, after) in later {
        if told.insert(taken.clone()) {
            said.push(Phrase::text(format!(
                "The rules are those of {taken}, {} after this packet: they may have been others when it came.",
                lasting(after)
            )));
        }
    }
    said
}

/// The rule sets that the story quotes.
fn used<'a>(scene: &Scene<'a, '_>) -> Vec<&'a Revision> {
    let mut used: Vec<&'a Revision> = Vec::new();
    for account in &scene.accounts {
        for place in account.told.iter().filter_map(|told| told.place.as_ref()) {
            let revision = account.lore.rules.revisions.iter().find(|one| one.id == place.revision);
            if let Some(revision) = revision
                && !used.iter().any(|known| known.id == revision.id)
            {
                used.push(revision);
            }
        }
    }
    used
}

fn taken(scene: &Scene<'_, '_>, revision: &Revision) -> Option<String> {
    let fact = scene.subject.snapshots.iter().find(|fact| fact.revision == revision.id)?;
    Some(fact.taken.clone())
}

fn incomplete(scene: &Scene<'_, '_>) -> Option<Phrase> {
    let words = match scene.connection()?.completeness {
        Completeness::Whole => return None,
        Completeness::BeganBeforeLog => {
            "The connection was under way when the log began: its first packets, and with them NAT's decision, are not in it."
        }
        Completeness::Cut => "The log holds not all of the connection: its end was cut off.",
        Completeness::Lossy => {
            "Lines of the log are missing while the connection lived: packets, or steps of one, may be missing here."
        }
    };
    Some(words.into())
}

fn ambiguous(scene: &Scene<'_, '_>) -> Option<Phrase> {
    let is_ambiguous = |account: &&Account<'_>| account.packet.confidence == Confidence::Ambiguous;
    let mut numbers: Vec<Phrase> = scene
        .accounts
        .iter()
        .filter(is_ambiguous)
        .map(|account| Phrase::text(account.number.to_string()))
        .collect();
    let count = numbers.len();
    if count == 0 {
        return None;
    }
    if count > 5 {
        numbers.truncate(4);
        numbers.push(Phrase::text(format!("{} more", count - 4)));
    }
    let word = if count == 1 { "packet " } else { "packets " };
    let phrase = Phrase::text("Some lines of ").say(word).append(listed(numbers, "and"));
    Some(phrase.say(" fit another packet as well; the oldest fitting one got them."))
}

/// An answer may be missing because nothing traces it.
fn one_direction(scene: &Scene<'_, '_>) -> Option<Phrase> {
    let connection = scene.whole()?;
    let is_accepted = connection.verdict.kind == VerdictKind::Accepted;
    (is_accepted && connection.packets_reply == 0).then(|| {
        Phrase::text("Only what a TRACE or LOG rule matches is logged: an answer may have come without a line.")
    })
}

fn no_context(scene: &Scene<'_, '_>) -> Option<Phrase> {
    let is_missing = scene.context().is_none()
        && scene.accounts.iter().any(|account| !account.inferred.is_empty());
    is_missing.then(|| {
        Phrase::text(
            "No addresses, routes or bridge tables of the host were given: where it was routed or bridged is told from the \
             devices on its lines alone.",
        )
    })
}

/// What the story was told from: `Told from 51 lines, the rules of 13:10:02 and the host's routes.`
pub(crate) fn basis(scene: &Scene<'_, '_>) -> Phrase {
    let lines: usize = scene
        .accounts
        .iter()
        .flat_map(|account| &account.packet.steps)
        .map(|step| 1 + step.lines.pieces.len())
        .sum();
    let mut parts = vec![Phrase::text(super::names::count(lines as u64, "line"))];
    let mut named = BTreeSet::new();
    for revision in used(scene) {
        let name = match taken(scene, revision) {
            Some(taken) => format!("the rules of {taken}"),
            None => "rules without a date".to_owned(),
        };
        if named.insert(name.clone()) {
            parts.push(Phrase::text(name));
        }
    }
    if scene.context().is_some() {
        parts.push(Phrase::text("what is known of the host"));
    }
    Phrase::text("Told from ").append(listed(parts, "and")).say(".")
}
