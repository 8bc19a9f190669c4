//! The first step that tells two ways apart, and why: which condition holds for one packet and not for the other.

use crate::explain::narrate::{Account, place, quoted, sentence, shown_of, written};
use crate::explain::{DiffRow, Phrase};
use crate::model::{Header, IfName, Layer};
use crate::rulebook::{Chain, Dialect, Match, Rule, Test};

/// The first difference of two ways.
pub(super) struct Parting<'s, 'a, 'b> {
    left: &'s Account<'a>,
    right: &'s Account<'b>,
    /// The steps at which they part; none where one of them has no further step.
    at: (Option<usize>, Option<usize>),
    /// The last step that both have.
    before: Option<usize>,
    /// Whether both steps are in the same chain.
    is_one_chain: bool,
}

impl<'s, 'a, 'b> Parting<'s, 'a, 'b> {
    /// The first difference; none when there is none.
    pub(super) fn find(
        left: &'s Account<'a>,
        right: &'s Account<'b>,
        rows: &[DiffRow],
    ) -> Option<Self> {
        let first = rows.iter().position(|row| !row.is_same)?;
        let rest = &rows[first..];
        let at = (
            rest.iter().find_map(|row| row.left.as_ref()).map(|step| step.step),
            rest.iter().find_map(|row| row.right.as_ref()).map(|step| step.step),
        );
        let before = rows[..first].last().and_then(|row| row.left.as_ref()).map(|step| step.step);
        let is_one_chain = rows[first].left.is_some() && rows[first].right.is_some();
        Some(Self { left, right, at, before, is_one_chain })
    }

    /// They part at filter:FORWARD: rule 3 against the policy.
    pub(super) fn answer(&self, whose: &str) -> Phrase {
        let they = if whose.is_empty() { "they " } else { whose };
        let phrase = Phrase::text(they.to_owned()).say("part ");
        match self.at {
            (Some(left), Some(right)) if self.is_one_chain => {
                let (chain, one) = short(self.left, left);
                let (_, two) = short(self.right, right);
                phrase.say("at ").place(chain).say(": ").append(one).say(" against ").append(two)
            }
            (left, right) => {
                let (phrase, verb) = match self.before {
                    Some(before) => (
                        phrase.say("after ").place(name(self.left, before)).say(": "),
                        "goes on to ",
                    ),
                    None => (phrase.say("at the very beginning: "), "begins at "),
                };
                let phrase = goes(phrase.say("the first "), verb, self.left, left);
                goes(phrase.say("; the second "), verb, self.right, right)
            }
        }
    }

    /// The conditions that hold for one and not for the other, else the fields that differ.
    pub(super) fn because(&self) -> Vec<Phrase> {
        if let Some(changed) = self.other_rules() {
            return vec![changed];
        }
        let conditions = self.conditions();
        if conditions.is_empty() { self.fields().into_iter().collect() } else { conditions }
    }

    /// The first rule of the chain that was another one for the other packet.
    fn other_rules(&self) -> Option<Phrase> {
        let (left, right) = (self.at.0?, self.at.1?);
        let (one, two) = (self.left.chain(left)?, self.right.chain(right)?);
        if !self.is_one_chain {
            return None;
        }
        let text = |chain: &Chain, number: u32| chain.rule(number).map(|rule| rule.text.clone());
        let mut numbers = 1..=one.len().max(two.len());
        let number = numbers.find(|number| text(one, *number) != text(two, *number))?;
        let phrase = Phrase::text("The rules of ").place(short(self.left, left).0);
        let phrase = phrase.say(format!(" were not the same: rule {number} was "));
        let said = |phrase: Phrase, text: Option<Box<str>>| match text {
            Some(text) => quoted(phrase, &text),
            None => phrase.say("not there"),
        };
        let phrase = said(phrase, text(one, number)).say(" for the first and ");
        Some(said(phrase, text(two, number)).say(" for the second."))
    }

    /// Of the rules that only one of them met in this chain: what they ask that the other does not show.
    fn conditions(&self) -> Vec<Phrase> {
        let (Some(left), Some(right)) = self.at else { return Vec::new() };
        let mut said = Vec::new();
        if !self.is_one_chain {
            return said;
        }
        let number = |account: &Account<'_>, step: usize| {
            account.told[step].place.as_ref().map_or(0, |place| place.number)
        };
        // The rule that comes first in the chain is the one that only one of them met.
        let (ours, theirs) = (number(self.left, left), number(self.right, right));
        let left_met = ours != 0 && (theirs == 0 || ours < theirs);
        if left_met {
            let rule = self.left.rule(left);
            said.extend(rule.map(|rule| self.asked(rule, ours, true)).into_iter().flatten());
        } else if theirs != 0 {
            let rule = self.right.rule(right);
            said.extend(rule.map(|rule| self.asked(rule, theirs, false)).into_iter().flatten());
        }
        said
    }

    fn asked(&self, rule: &Rule, number: u32, left_met: bool) -> Vec<Phrase> {
        let (Some(left), Some(right)) = self.at else { return Vec::new() };
        let own =
            |account: &Account<'_>| account.lore.context.map(crate::context::HostContext::own_nets);
        let (left_own, right_own) = (own(self.left), own(self.right));
        let sights = (
            self.left.sight(left, left_own.as_deref()),
            self.right.sight(right, right_own.as_deref()),
        );
        let (Some(one), Some(two)) = sights else { return Vec::new() };
        let (met, other) = if left_met { (&one, &two) } else { (&two, &one) };
        let (first, second) = if left_met { ("first", "second") } else { ("second", "first") };
        let parts = |condition: &&Match| {
            condition.holds(met) != Some(false) && condition.holds(other) == Some(false)
        };
        let place =
            if left_met { &self.left.told[left].place } else { &self.right.told[right].place };
        let account = |place| {
            if left_met { self.left.dialect_at(place) } else { self.right.dialect_at(place) }
        };
        let dialect = place.as_ref().map_or(Dialect::IptablesSave, account);
        let mut said: Vec<Phrase> = Vec::new();
        for condition in rule.matches.iter().filter(parts) {
            let asks = Phrase::text(format!("Rule {number} asks for "));
            let fact = |phrase: Phrase, sight| match shown_of(condition, sight) {
                Some(fact) => phrase.say(" (").append(fact).say(")"),
                None => phrase,
            };
            let phrase =
                quoted(asks, &written(condition, dialect)).say(": that holds for the ").say(first);
            let phrase = fact(phrase, met).say(", not for the ").say(second);
            said.push(sentence(fact(phrase, other)));
        }
        if said.is_empty() {
            said.extend(untold(rule, number, dialect));
        }
        said
    }

    /// The fields that differ where they part.
    fn fields(&self) -> Option<Phrase> {
        let at = (
            self.at.0.or(self.before).or_else(|| self.left.told.len().checked_sub(1))?,
            self.at.1.or_else(|| self.right.told.len().checked_sub(1))?,
        );
        let (one, two) = (&self.left.told[at.0].step, &self.right.told[at.1].step);
        let mut parts: Vec<(&str, String, String)> = Vec::new();
        let mut differ = |name: &'static str, left: Option<String>, right: Option<String>| {
            if left != right {
                let text = |value: Option<String>| value.unwrap_or_else(|| "none".into());
                parts.push((name, text(left), text(right)));
            }
        };
        let device = |name: Option<IfName>| {
            name.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned())
        };
        if one.hop.layer == two.hop.layer && one.hop.layer != Layer::Bridge {
            differ("IN", device(one.hop.devices.input), device(two.hop.devices.input));
            differ("OUT", device(one.hop.devices.output), device(two.hop.devices.output));
        }
        if let (Some(left), Some(right)) = (one.header.ip(), two.header.ip()) {
            let protocol = |ip: &crate::model::Ip| ip.protocol.map(crate::model::Protocol::name);
            let port = |ip: &crate::model::Ip| ip.ports().map(|(_, port)| port.to_string());
            differ("source", Some(left.src.to_string()), Some(right.src.to_string()));
            differ("destination", Some(left.dst.to_string()), Some(right.dst.to_string()));
            differ("protocol", protocol(left), protocol(right));
            differ("destination port", port(left), port(right));
            differ("mark", Some(mark(&one.header)), Some(mark(&two.header)));
        }
        if parts.is_empty() {
            return Some(Phrase::text(
                "There the lines of both show the same devices and addresses.",
            ));
        }
        let parts = parts.into_iter().map(|(name, left, right)| {
            Phrase::text(format!("{name} ")).address(left).say(" against ").address(right)
        });
        let parts = crate::explain::narrate::listed(parts.collect(), "and");
        Some(sentence(Phrase::text("There they differ in ").append(parts)))
    }
}

fn mark(header: &Header) -> String {
    format!("0x{:x}", header.mark.unwrap_or(0))
}

/// Conditions of which no line tells whether they hold.
fn untold(rule: &Rule, number: u32, dialect: Dialect) -> Option<Phrase> {
    let is_hidden = |one: &&Match| matches!(one.test, Test::ConnectionState(_) | Test::Other(_));
    let hidden: Vec<Phrase> = rule
        .matches
        .iter()
        .filter(is_hidden)
        .map(|one| quoted(Phrase::default(), &written(one, dialect)))
        .collect();
    if hidden.is_empty() {
        return None;
    }
    let phrase = Phrase::text(format!("Rule {number} also asks for "));
    let phrase = phrase.append(crate::explain::narrate::listed(hidden, "and"));
    Some(phrase.say(", and no line tells whether that holds."))
}

fn name(account: &Account<'_>, step: usize) -> String {
    account.told.get(step).map(place).unwrap_or_default()
}

/// The chain, and `rule 3` or `the policy` with its text.
fn short(account: &Account<'_>, step: usize) -> (String, Phrase) {
    let name = name(account, step);
    let (chain, rest) = match name.rsplit_once(" rule ") {
        Some((chain, number)) => (chain.to_owned(), format!("rule {number}")),
        None => match name.rsplit_once(" policy") {
            Some((chain, _)) => (chain.to_owned(), "the policy".to_owned()),
            None => match name.rsplit_once(' ') {
                Some((chain, word)) => (chain.to_owned(), format!("the {word}")),
                None => (name.clone(), "a line".to_owned()),
            },
        },
    };
    let phrase = Phrase::text(rest);
    let rule = account.told.get(step).and_then(|told| told.rule.as_deref());
    (
        chain,
        match rule {
            Some(rule) => quoted(phrase.say(" "), rule),
            None => phrase,
        },
    )
}

/// The next place of a side, with its rule, or that it is not seen any more.
fn goes(phrase: Phrase, verb: &str, account: &Account<'_>, step: Option<usize>) -> Phrase {
    let Some(step) = step else { return phrase.say("is not seen any more") };
    let phrase = phrase.say(verb).place(name(account, step));
    match account.told.get(step).and_then(|told| told.rule.as_deref()) {
        Some(rule) => quoted(phrase.say(", "), rule),
        None => phrase,
    }
}
