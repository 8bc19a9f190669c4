//! Rules that nearly let a packet through: of the chains it walked, those that all but one condition fits, and
//! those that fit and stand behind the rule that ended it.

use crate::explain::Phrase;
use crate::model::{Layer, VerdictKind};
use crate::rulebook::{Chain, Match, Rule, Sight, Target, Test};

use super::account::{Account, End};
use super::conditions::{shown, written};
use super::names::{listed, quoted, rule_place, sentence};
use super::scene::Scene;

/// More near misses of one kind are counted only.
const NAMED: usize = 4;

/// More sentences than this say nothing more.
const SENTENCES: usize = 4;

/// A rule that one condition kept from letting the packet through.
struct Miss<'a> {
    place: String,
    rule: &'a Rule,
    condition: &'a Match,
}

/// The near misses of the packet that the answer is about.
pub(crate) fn near_misses(scene: &Scene<'_, '_>) -> Vec<Phrase> {
    if !matches!(scene.kind(), Some(VerdictKind::Dropped | VerdictKind::Rejected)) {
        return Vec::new();
    }
    let Some((account, end)) = scene.end() else { return Vec::new() };
    let own =
        account.context().map(crate::context::HostContext::own_nets).filter(|own| !own.is_empty());
    let Some(mut sight) = account.sight(end.step, own.as_deref()) else { return Vec::new() };
    sight.state = account.is_first(scene.connection()).then_some("NEW");
    let mut said: Vec<Phrase> = behind(account, &end, &sight);
    let mut misses = Vec::new();
    for (step, chain) in walked(account, &end) {
        let decider = end.place.as_ref().filter(|_| step == end.step);
        let Some(place) = decider.or(account.told[step].place.as_ref()) else { continue };
        let left_at = if place.number == 0 { chain.len() + 1 } else { place.number };
        for (number, rule) in (1..left_at).zip(&chain.rules) {
            if let Some(condition) = missing(rule, &sight) {
                let place = rule_place(place.family, &place.table, &place.chain, number);
                misses.push(Miss { place, rule, condition });
            }
        }
    }
    said.extend(grouped(&misses, &sight));
    said.truncate(SENTENCES);
    said
}

/// The chains of the table that ended the packet, each with the last step in it.
fn walked<'a>(account: &Account<'a>, end: &End) -> Vec<(usize, &'a Chain)> {
    let decider = end.place.as_ref().and_then(|place| account.chain_at(place));
    let end = end.step;
    let hook = account.hook(end);
    let table = account.table(end);
    let mut walked: Vec<(usize, &'a Chain)> = Vec::new();
    for step in (0..=end).rev() {
        let is_bridge = account.told[step].step.hop.layer == Layer::Bridge;
        if is_bridge != (account.told[end].step.hop.layer == Layer::Bridge) {
            continue;
        }
        if account.table(step) != table || account.hook(step) != hook {
            break;
        }
        let chain = if step == end { decider } else { account.chain(step) };
        if let Some(chain) = chain
            && !walked.iter().any(|(_, known)| std::ptr::eq(*known, chain))
        {
            walked.push((step, chain));
        }
    }
    walked.reverse();
    walked
}

/// The one condition that kept a rule from letting the packet through.
fn missing<'a>(rule: &'a Rule, sight: &Sight<'_>) -> Option<&'a Match> {
    if rule.target != Target::Accept {
        return None;
    }
    let mut missing = None;
    let mut fits = 0;
    for condition in &rule.matches {
        match condition.holds(sight) {
            Some(true) if matches!(condition.test, Test::Comment(_)) => {}
            Some(true) => fits += 1,
            Some(false) if missing.is_none() => missing = Some(condition),
            Some(false) | None => return None,
        }
    }
    missing.filter(|condition| is_telling(condition, fits))
}

/// Whether it says something that this condition alone is not met: `-i lo` or `-p icmp` alone does not.
fn is_telling(condition: &Match, fits: usize) -> bool {
    match &condition.test {
        Test::ConnectionState(_) | Test::Comment(_) | Test::Other(_) => false,
        Test::Input(name) | Test::Output(name) => &*name.name != b"lo" && fits > 0,
        Test::Source(_) | Test::SourceMac(_) | Test::Mark { .. } => true,
        _ => fits > 0,
    }
}

/// Rules behind the one that ended the packet that would have let it through.
fn behind(account: &Account<'_>, end: &End, sight: &Sight<'_>) -> Vec<Phrase> {
    let Some(place) = end.place.as_ref() else { return Vec::new() };
    let Some(chain) = account.chain_at(place) else { return Vec::new() };
    if place.number == 0 {
        return Vec::new();
    }
    let later = (place.number + 1..).map_while(|number| Some((number, chain.rule(number)?)));
    let mut fitting =
        later.filter(|(_, rule)| rule.target == Target::Accept && rule.holds(sight) == Some(true));
    let Some((number, rule)) = fitting.next() else { return Vec::new() };
    let here = rule_place(place.family, &place.table, &place.chain, number);
    let phrase = quoted(Phrase::default().place(here).say(", "), &rule.text);
    vec![phrase.say(format!(", would let it through, but stands behind rule {}.", place.number))]
}

/// One sentence for all rules that ask for something else of the same kind.
fn grouped(misses: &[Miss<'_>], sight: &Sight<'_>) -> Vec<Phrase> {
    let mut said = Vec::new();
    let mut left: Vec<&Miss<'_>> = misses.iter().collect();
    while let Some(first) = left.first().copied() {
        let kind = std::mem::discriminant(&first.condition.test);
        let (alike, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|miss| {
            std::mem::discriminant(&miss.condition.test) == kind
                && miss.condition.negated == first.condition.negated
        });
        left = others;
        let Some(fact) = shown(&first.condition.clone(), sight) else { continue };
        said.push(sentence(match &*alike {
            [one] => single(one, fact),
            several => many(several, fact),
        }));
    }
    said
}

fn single(miss: &Miss<'_>, fact: Phrase) -> Phrase {
    let phrase = quoted(Phrase::default().place(&*miss.place).say(", "), &miss.rule.text);
    let phrase = phrase.say(", would let it through but for ");
    quoted(phrase, &written(miss.condition)).say(": ").append(fact)
}

fn many(misses: &[&Miss<'_>], fact: Phrase) -> Phrase {
    let named = misses.iter().take(NAMED);
    let mut parts: Vec<Phrase> = named
        .map(|miss| {
            quoted(Phrase::default().place(&*miss.place).say(" but for "), &written(miss.condition))
        })
        .collect();
    if misses.len() > NAMED {
        parts.push(Phrase::text(format!("{} more rules", misses.len() - NAMED)));
    }
    let phrase = Phrase::text("These would let it through: ").append(listed(parts, "and"));
    phrase.say("; ").append(fact)
}
