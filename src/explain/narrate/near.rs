//! Rules that nearly let a packet through: of the chains it walked, those that all but one condition fits, and
//! those that fit and stand behind the rule that ended it.

use crate::context::HostContext;
use crate::explain::{Phrase, RulePlace, root_cause};
use crate::model::{Layer, VerdictKind};
use crate::rulebook::{Chain, Dialect, Family, Match, Rule, Sight, Target, Test};

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
    chain: String,
    number: u32,
    rule: &'a Rule,
    condition: &'a Match,
    dialect: Dialect,
}

/// The near misses of the packet that the answer is about.
pub(crate) fn near_misses(scene: &Scene<'_, '_>) -> Vec<Phrase> {
    if !matches!(scene.kind(), Some(VerdictKind::Dropped | VerdictKind::Rejected)) {
        return Vec::new();
    }
    let Some((account, end)) = scene.end() else { return Vec::new() };
    let own = account.context().map(HostContext::own_nets).filter(|own| !own.is_empty());
    let state = account.is_first(scene.connection()).then_some("NEW");
    let sight = |step: usize| Some(Sight { state, ..account.sight(step, own.as_deref())? });
    let Some(here) = sight(end.step) else { return Vec::new() };
    let mut said = behind(account, &end, &here);
    said.extend(grouped(&misses(account, walked(account, &end), &end, &here), &here));
    let cause = root_cause(&account.told).filter(|cause| cause.ended_at == end.step);
    if let Some((cause, there)) = cause.and_then(|cause| Some((cause, sight(cause.set_at)?))) {
        said.extend(spared(account, cause.set_at, &there));
    }
    said.truncate(SENTENCES);
    said
}

fn misses<'a>(
    account: &Account<'a>,
    walked: Vec<(usize, &'a Chain)>,
    end: &End,
    sight: &Sight<'_>,
) -> Vec<Miss<'a>> {
    let mut misses = Vec::new();
    for (step, chain) in walked {
        let decider = end.place.as_ref().filter(|_| step == end.step);
        let Some(place) = decider.or(account.told[step].place.as_ref()) else { continue };
        let left_at = if place.number == 0 { chain.len() + 1 } else { place.number };
        for (number, rule) in (1..left_at).zip(&chain.rules) {
            if rule.target == Target::Accept
                && let Some(condition) = missing(rule, sight)
            {
                let chain = chain_name(place);
                let dialect = account.dialect_at(place);
                misses.push(Miss { chain, number, rule, condition, dialect });
            }
        }
    }
    misses
}

/// Rules that would have led the packet out of the chains that took it to its mark.
fn spared(account: &Account<'_>, set_at: usize, sight: &Sight<'_>) -> Vec<Phrase> {
    let mut said = Vec::new();
    let mut depth = usize::MAX;
    for step in (0..=set_at).rev() {
        let told = &account.told[step];
        // The last step of each chain that had not been left again.
        let (true, Some(place), Some(chain)) =
            (told.depth < depth, told.place.as_ref(), account.chain(step))
        else {
            continue;
        };
        if told.step.hop.site.table() != account.told[set_at].step.hop.site.table() {
            break;
        }
        depth = told.depth;
        let dialect = account.dialect_at(place);
        for (number, rule) in (1..place.number).zip(&chain.rules) {
            if matches!(rule.target, Target::Return | Target::Accept)
                && let Some(condition) = missing(rule, sight)
                && let Some(fact) = shown(condition, sight)
            {
                let here = rule_place(place.family, &place.table, &place.chain, number);
                let phrase = quoted(Phrase::default().place(here).say(", "), &rule.text);
                let phrase = phrase.say(", would have spared it the mark but for ");
                said.push(sentence(
                    quoted(phrase, &written(condition, dialect)).say(": ").append(fact),
                ));
            }
        }
        if depth == 0 {
            break;
        }
    }
    said
}

fn chain_name(place: &RulePlace) -> String {
    let layer = if place.family == Family::Bridge { "bridge " } else { "" };
    format!("{layer}{}:{}", place.table, place.chain)
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

/// One sentence for all rules that ask for something else of the same kind; those that stand alone first.
fn grouped(misses: &[Miss<'_>], sight: &Sight<'_>) -> Vec<Phrase> {
    let mut groups: Vec<Vec<&Miss<'_>>> = Vec::new();
    for miss in misses {
        let is_alike = |other: &&Miss<'_>| {
            let kind = |miss: &Miss<'_>| std::mem::discriminant(&miss.condition.test);
            kind(other) == kind(miss) && other.condition.negated == miss.condition.negated
        };
        match groups.iter_mut().find(|group| group.first().is_some_and(is_alike)) {
            Some(group) => group.push(miss),
            None => groups.push(vec![miss]),
        }
    }
    groups.sort_by_key(|group| group.len() > 1);
    let told = groups.iter().filter_map(|group| {
        let fact = shown(group.first()?.condition, sight)?;
        Some(sentence(match &**group {
            [one] => single(one, fact),
            several => many(several, fact),
        }))
    });
    told.collect()
}

fn single(miss: &Miss<'_>, fact: Phrase) -> Phrase {
    let place = format!("{} rule {}", miss.chain, miss.number);
    let phrase = quoted(Phrase::default().place(place).say(", "), &miss.rule.text);
    let phrase = phrase.say(", would let it through but for ");
    quoted(phrase, &written(miss.condition, miss.dialect)).say(": ").append(fact)
}

/// `Rules 4, 5 and 7 of filter:INPUT would let it through but for `--dport 22`, `--dport 80` and …: its port is 6380`.
fn many(misses: &[&Miss<'_>], fact: Phrase) -> Phrase {
    let more = misses.len().saturating_sub(NAMED);
    let named = &misses[..misses.len() - more];
    let mut rules: Vec<Phrase> = Vec::new();
    for (at, miss) in named.iter().enumerate() {
        let is_last_of_chain = named.get(at + 1).is_none_or(|next| next.chain != miss.chain);
        let number = Phrase::text(miss.number.to_string());
        rules.push(if is_last_of_chain { number.say(" of ").place(&*miss.chain) } else { number });
    }
    let mut asked: Vec<Phrase> = named
        .iter()
        .map(|miss| quoted(Phrase::default(), &written(miss.condition, miss.dialect)))
        .collect();
    if more > 0 {
        rules.push(Phrase::text(format!("{more} more")));
        asked.push(Phrase::text("the like"));
    }
    let phrase = Phrase::text("Rules ").append(listed(rules, "and"));
    let phrase = phrase.say(" would let it through but for ").append(listed(asked, "and"));
    phrase.say(": ").append(fact)
}
