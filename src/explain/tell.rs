//! The rule at every step, and how deep in user chains the step is.

use super::course::{Candidate, Course, Glance, Stand};
use crate::explain::{Lore, RulePlace, ToldStep};
use crate::model::{Hop, Packet, Step};
use crate::rulebook::{Misfit, Rule, Spot, Test};

/// Says of every step of a packet which rule it stands for. One told step for each step, in their order.
pub fn tell<'a>(packet: &'a Packet, lore: Lore<'_>) -> Vec<ToldStep<'a>> {
    let glance = |step: &'a Step| Glance { hop: &step.hop, header: Some(&step.header) };
    let course = Course::of(packet.steps.iter().map(glance).collect(), lore);
    packet.steps.iter().enumerate().map(|(index, step)| told(&course, index, step)).collect()
}

fn told<'a>(course: &Course<'_, '_>, index: usize, step: &'a Step) -> ToldStep<'a> {
    let mut told = ToldStep {
        step,
        depth: course.depth(index),
        place: None,
        rule: None,
        target: None,
        asks_mark: None,
        is_chain_end: false,
        misfit: None,
        one_of: Vec::new(),
    };
    match &course.stands[index] {
        Stand::Silent => {}
        Stand::Misfit(why) => told.misfit = Some(why.clone()),
        Stand::OneOf(rules) => {
            told.misfit = Some(several(rules));
            told.one_of = rules.iter().filter_map(|rule| rule.known.place()).collect();
        }
        Stand::At(known) => {
            told.place = known.place();
            told.rule = known.text();
            told.target = known.target();
            told.asks_mark = known.found.rule().and_then(asked_mark);
            told.is_chain_end = known.found.spot == Spot::End;
        }
    }
    told
}

/// What stands in the rule book at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// No rule set is for such a line.
    Silent,
    /// This rule; number 0 for a policy, and for the end of a user chain.
    At(RulePlace),
    /// The rule book's text is not used: why.
    Misfit(Box<str>),
}

/// Says of every place of a way which rule it stands for, from places and devices alone. One for each, in their order.
pub fn stands(path: &[Hop], lore: Lore<'_>) -> Vec<Stands> {
    let glances = path.iter().map(|hop| Glance { hop, header: None }).collect();
    let course = Course::of(glances, lore);
    let stands = course.stands.iter().map(|stand| match stand {
        Stand::Silent => Stands::Silent,
        Stand::Misfit(why) => Stands::Misfit(why.clone()),
        Stand::OneOf(rules) => Stands::Misfit(several(rules)),
        Stand::At(known) => Stands::At(known.spot()),
    });
    stands.collect()
}

/// The mark that a rule's conditions name.
fn asked_mark(rule: &Rule) -> Option<(u32, u32)> {
    rule.matches.iter().find_map(|one| match one.test {
        Test::Mark { value, mask } if !one.negated => Some((value, mask)),
        _ => None,
    })
}

fn several(rules: &[Candidate<'_>]) -> Box<str> {
    let places = rules.iter().map(|rule| rule.known.found.label()).collect();
    Misfit::ManyPrefixes(places).sentence().into()
}
