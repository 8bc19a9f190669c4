//! What two moments' rule sets say of the places that packets met.

use crate::explain::narrate::{count, rule_place};
use crate::explain::{Phrase, RulesDiff, SiteDiff, TracedWay};
use crate::model::{Layer, Site};
use crate::rulebook::{Found, Misfit, Moment, Revision, Spot};

/// Looks up every place of the ways in both moments' rule sets.
pub fn diff_rules(old: &Moment, new: &Moment, ways: &[TracedWay<'_>]) -> RulesDiff {
    let mut met: Vec<(Layer, &Site, u64)> = Vec::new();
    for way in ways {
        let mut own: Vec<(Layer, &Site)> = Vec::new();
        for hop in way.hops {
            let here = (hop.layer, &*hop.site);
            // A packet that meets a place twice is one packet.
            if own.contains(&here) {
                continue;
            }
            own.push(here);
            match met.iter_mut().find(|(layer, site, _)| (*layer, *site) == here) {
                Some((.., packets)) => *packets += way.packets,
                None => met.push((here.0, here.1, way.packets)),
            }
        }
    }
    let sites: Vec<SiteDiff> = met
        .iter()
        .filter_map(|(layer, site, packets)| compare(old, new, *layer, site, *packets))
        .collect();
    RulesDiff { answer: answer(met.len(), &sites), sites }
}

fn answer(met: usize, sites: &[SiteDiff]) -> Phrase {
    let places = count(met as u64, "place");
    match (met, sites.len()) {
        (0, _) => Phrase::text("No packet met any rule."),
        (_, 0) => Phrase::text(format!("Of the {places} that packets met, none has another text.")),
        (_, changed) => {
            let have = if changed == 1 { "has" } else { "have" };
            Phrase::text(format!(
                "Of the {places} that packets met, {changed} {have} another text."
            ))
        }
    }
}

type Answer<'a> = Option<Result<(&'a Revision, Found<'a>), Misfit>>;

fn compare(
    old: &Moment,
    new: &Moment,
    layer: Layer,
    site: &Site,
    packets: u64,
) -> Option<SiteDiff> {
    let (then, now) = (old.resolve(layer, site), new.resolve(layer, site));
    let (old_text, new_text) = (words(&then), words(&now));
    if old_text == new_text {
        return None;
    }
    let moved = moved(&then, new, layer);
    Some(SiteDiff {
        layer,
        place: Phrase::default()
            .place(place(&then).or_else(|| place(&now)).unwrap_or_else(|| site.label())),
        old: old_text,
        new: match moved {
            Some(number) => new_text.say(format!(" (that rule is rule {number} now)")),
            None => new_text,
        },
        packets,
    })
}

fn place(answer: &Answer<'_>) -> Option<String> {
    let Some(Ok((revision, found))) = answer else { return None };
    let family = revision.rules.family;
    Some(match found.spot {
        Spot::End => format!("{}:{} end", found.table.name, found.chain.name),
        Spot::Rule(..) | Spot::Policy(_) => {
            rule_place(family, &found.table.name, &found.chain.name, found.number())
        }
    })
}

fn words(answer: &Answer<'_>) -> Phrase {
    match answer {
        None => Phrase::text("no rules were given"),
        Some(Err(misfit)) => Phrase::text(misfit.sentence()),
        Some(Ok((_, found))) => match found.text() {
            Some(text) => Phrase::default().rule(text),
            None => Phrase::text("the end of the chain"),
        },
    }
}

/// Where the rule of then stands now, when it is another place of the same chain.
fn moved(then: &Answer<'_>, new: &Moment, layer: Layer) -> Option<u32> {
    let Some(Ok((revision, then))) = then else { return None };
    let rule = then.rule()?;
    let family = revision.rules.family;
    let mut sets = new.of(layer).filter(|revision| revision.rules.family == family);
    let chain =
        sets.find_map(|revision| revision.rules.chain(&then.table.name, &then.chain.name))?;
    let place = chain.rules.iter().position(|other| other.text == rule.text)?;
    let number = u32::try_from(place).ok()? + 1;
    (number != then.number()).then_some(number)
}
