//! A packet's way as the steps of a chapter: numbered, user chains below the rule that called them, what no line
//! shows between them, and chains that did nothing in one step.

use std::collections::BTreeSet;

use crate::explain::{Inferred, InferredAt, Phrase, RunKind, StoryStep, ToldStep};
use crate::model::{Connection, Hook, Layer, Site, SiteKind, Table, VerdictKind};
use crate::rulebook::Target;

use super::account::Account;
use super::deeds::{deeds, use_of_chain};
use super::names::{listed, lossy, place, rule_place, sentence};
use super::shown::{Shown, Told};

/// The steps of a packet's way. `is_stuck`: it was never sent. `said` remembers what has been explained in the story
/// already.
pub(crate) fn walk(
    account: &Account<'_>,
    connection: Option<&Connection>,
    is_stuck: bool,
    said: &mut BTreeSet<String>,
) -> Vec<StoryStep> {
    let mut walk = Walk {
        account,
        connection,
        is_stuck,
        said,
        shown: Shown::of(account.packet),
        numbers: Numbers::default(),
        out: Vec::new(),
    };
    let steps = account.told.len();
    let mut at = 0;
    while at < steps {
        walk.inferred_before(at);
        let (end, frames) = (walk.quiet_run(at), walk.frames_run(at));
        if frames > at + 1 {
            walk.push_frames(at, frames);
            at = frames;
        } else if end > at + 1 {
            walk.push_quiet(at, end);
            at = end;
        } else {
            at = walk.push(at);
        }
    }
    walk.inferred_before(steps);
    walk.beyond();
    walk.out
}

struct Walk<'a, 's> {
    account: &'s Account<'a>,
    connection: Option<&'s Connection>,
    is_stuck: bool,
    said: &'s mut BTreeSet<String>,
    shown: Shown,
    numbers: Numbers,
    out: Vec<StoryStep>,
}

impl Walk<'_, '_> {
    fn inferred_before(&mut self, at: usize) {
        let inferred: Vec<&Inferred> = self
            .account
            .inferred
            .iter()
            .filter(|one| one.before == at && !self.cannot_be(one))
            .collect();
        for inferred in inferred {
            let layer = self.layer_near(at);
            let number = self.numbers.inferred();
            self.out.push(StoryStep {
                number,
                steps: Vec::new(),
                layer,
                place: Phrase::text(inferred_place(inferred.at)),
                shown: Phrase::default(),
                sentences: vec![sentence(cited(&inferred.sentence))],
                rule: None,
                rule_place: None,
                depth: 0,
                inferred: true,
            });
        }
    }

    /// What is handed to a queue goes to whoever listens there, not to a socket; and what is never sent does not leave.
    fn cannot_be(&self, inferred: &Inferred) -> bool {
        let end = self.account.end.as_ref().and_then(|end| end.target.as_ref());
        let is_queued = matches!(end, Some(Target::Nfqueue { .. } | Target::Queue));
        match inferred.at {
            InferredAt::Local => is_queued,
            InferredAt::Wire => self.is_stuck,
            _ => false,
        }
    }

    /// The rule that decided behind the LOG rule whose line is the last.
    fn beyond(&mut self) {
        let Some(end) = self.account.end.as_ref().filter(|end| end.is_beyond) else { return };
        let Some(at) = end.place.as_ref() else { return };
        let what = match end.target {
            Some(Target::Drop) => (VerdictKind::Dropped, "Dropped here."),
            Some(Target::Reject { .. }) => (VerdictKind::Rejected, "Rejected here."),
            Some(Target::Accept) => (VerdictKind::Accepted, "Let through here."),
            _ => (VerdictKind::Unknown, "Decided here."),
        };
        let verdict = Phrase::default().and(RunKind::Verdict(what.0), what.1);
        let number = self.numbers.inferred();
        self.out.push(StoryStep {
            number,
            steps: Vec::new(),
            layer: self.layer_near(end.step),
            place: Phrase::default().place(rule_place(at.family, &at.table, &at.chain, at.number)),
            shown: Phrase::default(),
            sentences: vec![verdict],
            rule: end.rule.as_deref().map(str::to_owned),
            rule_place: Some(at.clone()),
            depth: 0,
            inferred: true,
        });
    }

    fn layer_near(&self, at: usize) -> Layer {
        let steps = &self.account.packet.steps;
        let step = steps.get(at).or(steps.last());
        step.map_or(Layer::Ip, |step| step.hop.layer)
    }

    /// Puts one step down, with the LOG line that its own rule wrote; gives the index after it.
    fn push(&mut self, at: usize) -> usize {
        let account = self.account;
        let told = &account.told[at];
        let mut end = at + 1;
        while account.told.get(end).is_some_and(|next| is_log_of(next, told)) {
            end += 1;
        }
        // A LOG line of which no rule is known stands where its packet was.
        let is_placeless = told.place.is_none() && matches!(&*told.step.hop.site, Site::Log { .. });
        let number =
            self.numbers.next(if is_placeless { self.numbers.depth() } else { told.depth });
        let shown = self.shown_at(at, end);
        let mut sentences = deeds(account, at, self.connection, self.said);
        if told.rule.is_none() {
            sentences.extend(account.told[at + 1..end].iter().filter_map(wrote));
        }
        sentences.extend(self.chain_use(at));
        self.out.push(StoryStep {
            number,
            steps: (at..end).collect(),
            layer: told.step.hop.layer,
            place: Phrase::default().place(place(told)),
            shown,
            sentences,
            rule: told.rule.as_deref().map(str::to_owned),
            rule_place: told.place.clone(),
            depth: self.numbers.depth(),
            inferred: false,
        });
        end
    }

    fn shown_at(&mut self, at: usize, end: usize) -> Phrase {
        let shown = self.shown.advance(self.account.told[at].step, self.told_elsewhere(at));
        for later in at + 1..end {
            self.shown.advance(self.account.told[later].step, self.told_elsewhere(later));
        }
        shown
    }

    /// Changes that the sentence of the rule that made them has told, or that of an inferred step.
    fn told_elsewhere(&self, at: usize) -> Told {
        let restored =
            self.account.inferred.iter().any(|inferred| {
                inferred.at == InferredAt::ConntrackRestored && inferred.before == at
            });
        let is_told = |is_source: bool| {
            let mut here = self.account.rewrites.iter().filter(|one| one.seen_at == at);
            here.any(|one| one.is_source == is_source && (one.by.is_some() || restored))
        };
        let before =
            self.account.told[..at].iter().rfind(|told| told.step.hop.layer != Layer::Bridge);
        let marked = before.is_some_and(|told| matches!(told.target, Some(Target::Mark { .. })));
        Told { source: is_told(true), destination: is_told(false), mark: marked }
    }

    /// What the chain that the packet goes into is used for, once in a story.
    fn chain_use(&mut self, at: usize) -> Option<Phrase> {
        let what = use_of_chain(self.account, at)?;
        self.said.insert(what.to_owned()).then(|| sentence(Phrase::text(what)))
    }

    /// The end of the run of chains from here on that did nothing to the packet.
    fn quiet_run(&self, at: usize) -> usize {
        let mut end = at;
        while self.is_quiet(end) && (end == at || self.continues(end)) {
            end += 1;
        }
        end
    }

    fn is_quiet(&self, at: usize) -> bool {
        let account = self.account;
        let Some(told) = account.told.get(at) else { return false };
        let Site::Trace { chain, kind: SiteKind::Policy(_), .. } = &*told.step.hop.site else {
            return false;
        };
        let number = told.place.as_ref().map_or(0, |place| place.number);
        let is_end = at + 1 == account.told.len() || account.decides(at);
        Hook::from_chain(chain).is_some()
            && number == 0
            && told.misfit.is_none()
            && matches!(told.target, None | Some(Target::Accept))
            && !matches!(account.table(at), None | Some(Table::Filter))
            && (!is_end || account.packet.verdict.kind == VerdictKind::Accepted)
            && account.rewrites.iter().all(|rewrite| rewrite.by != Some(at))
            && account.unseen_change(at, self.connection).is_none()
    }

    /// Whether a quiet step stands beside the one before it: same hook, same devices, nothing between.
    fn continues(&self, at: usize) -> bool {
        let account = self.account;
        let (Some(before), Some(here)) = (account.told.get(at - 1), account.told.get(at)) else {
            return false;
        };
        account.hook(at - 1) == account.hook(at)
            && before.step.hop.devices == here.step.hop.devices
            && before.step.header.mark == here.step.header.mark
            && before.rule == here.rule
            && account.inferred.iter().all(|inferred| inferred.before != at)
            && account.rewrites.iter().all(|rewrite| rewrite.seen_at != at)
    }

    /// The end of the run of a bridge's lines from here on of which no rule is known and that show the same devices.
    fn frames_run(&self, at: usize) -> usize {
        let account = self.account;
        let is_bare = |at: usize| {
            account.told.get(at).is_some_and(|told| {
                matches!(&*told.step.hop.site, Site::Bridge { .. })
                    && told.rule.is_none()
                    && told.misfit.is_none()
                    && (!account.decides(at)
                        || account.packet.verdict.kind == VerdictKind::Accepted)
            })
        };
        let mut end = at;
        while is_bare(end)
            && (end == at
                || (account.told[end].step.hop.devices == account.told[at].step.hop.devices
                    && account.inferred.iter().all(|inferred| inferred.before != end)))
        {
            end += 1;
        }
        end
    }

    fn push_frames(&mut self, at: usize, end: usize) {
        let told = &self.account.told[at..end];
        let names = told.iter().filter_map(|told| match &*told.step.hop.site {
            Site::Bridge { table, chain, .. } => {
                Some(Phrase::default().place(format!("{}:{}", lossy(table), lossy(chain))))
            }
            _ => None,
        });
        let place = Phrase::default().place("bridge ").append(listed(names.collect(), "and"));
        let number = self.numbers.next(0);
        let shown = self.shown_at(at, end);
        self.out.push(StoryStep {
            number,
            steps: (at..end).collect(),
            layer: told[0].step.hop.layer,
            place,
            shown,
            sentences: Vec::new(),
            rule: None,
            rule_place: None,
            depth: 0,
            inferred: false,
        });
    }

    fn push_quiet(&mut self, at: usize, end: usize) {
        let account = self.account;
        let told = &account.told[at..end];
        let names: Vec<Phrase> = told
            .iter()
            .filter_map(|told| match &*told.step.hop.site {
                Site::Trace { table, .. } => Some(lossy(table)),
                _ => None,
            })
            .map(|name| Phrase::default().place(name))
            .collect();
        let hook = account.hook(at).map_or("", Hook::name);
        let place = listed(names, "and").say(" of ").place(format!("{hook} policy"));
        let number = self.numbers.next(told[0].depth);
        let shown = self.shown_at(at, end);
        let is_nat = (at..end).any(|at| account.table(at) == Some(Table::Nat));
        let mut sentences: Vec<Phrase> = deeds(account, at, self.connection, self.said);
        // The first one's own sentence on its policy is the last it has.
        sentences.pop();
        sentences.push(quiet_words(is_nat, told.iter().all(|told| told.target.is_some())));
        self.out.push(StoryStep {
            number,
            steps: (at..end).collect(),
            layer: told[0].step.hop.layer,
            place,
            shown,
            sentences,
            rule: told[0].rule.as_deref().map(str::to_owned),
            rule_place: None,
            depth: self.numbers.depth(),
            inferred: false,
        });
    }
}

/// The phrase with its citations between backquotes, as rules are.
fn cited(phrase: &Phrase) -> Phrase {
    phrase.0.iter().fold(Phrase::default(), |said, run| match run.kind {
        RunKind::Cite => said.say("`").and(run.kind, &*run.text).say("`"),
        kind => said.and(kind, &*run.text),
    })
}

fn quiet_words(is_nat: bool, is_known: bool) -> Phrase {
    Phrase::text(match (is_known, is_nat) {
        (true, true) => "No rule stops it or rewrites it.",
        (true, false) => "No rule stops it.",
        (false, _) => "The ends of these chains, or rules without conditions. It goes on.",
    })
}

/// A LOG rule that is traced too writes two lines.
fn is_log_of(next: &ToldStep<'_>, told: &ToldStep<'_>) -> bool {
    matches!(&*next.step.hop.site, Site::Log { .. })
        && matches!(&*told.step.hop.site, Site::Trace { kind: SiteKind::Rule(_), .. })
        && next.place == told.place
        && next.misfit.is_none()
        && (next.place.is_some() || next.step.header == told.step.header)
}

/// What a LOG line says of the rule that wrote it.
fn wrote(told: &ToldStep<'_>) -> Option<Phrase> {
    let Site::Log { prefix } = &*told.step.hop.site else { return None };
    let prefix = lossy(prefix.trim_ascii());
    Some(Phrase::text(if prefix.is_empty() {
        "It wrote a line and let the packet go on.".to_owned()
    } else {
        format!("It wrote a line that begins with \"{prefix}\" and let the packet go on.")
    }))
}

fn inferred_place(at: InferredAt) -> &'static str {
    match at {
        InferredAt::Route => "routing decision",
        InferredAt::Bridge => "bridge decision",
        InferredAt::ConntrackNew | InferredAt::ConntrackRestored => "conntrack",
        InferredAt::NeighbourWait => "wait for a hardware address",
        InferredAt::Local => "local process",
        InferredAt::Wire => "on its way out",
    }
}

/// The numbers of steps: 1, 2, 2.1, 2.1.1, 2.2, 3.
#[derive(Debug, Default)]
struct Numbers {
    levels: Vec<usize>,
    /// Nothing stands below a step that no line shows.
    is_inferred: bool,
}

impl Numbers {
    fn next(&mut self, depth: usize) -> String {
        // A trace may begin inside of a user chain: there is nothing to stand below then.
        let deepest = if self.is_inferred { 0 } else { self.levels.len() };
        self.is_inferred = false;
        self.count(depth.min(deepest))
    }

    fn inferred(&mut self) -> String {
        self.is_inferred = true;
        self.count(0)
    }

    fn count(&mut self, depth: usize) -> String {
        self.levels.truncate(depth + 1);
        match self.levels.get_mut(depth) {
            Some(last) => *last += 1,
            None => self.levels.push(1),
        }
        let numbers: Vec<String> = self.levels.iter().map(usize::to_string).collect();
        numbers.join(".")
    }

    /// How deep the last number is.
    fn depth(&self) -> usize {
        self.levels.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_chains_are_numbered_below_their_rule() {
        let mut numbers = Numbers::default();
        let depths = [0, 0, 1, 2, 2, 1, 0, 3, 0];
        let made: Vec<String> = depths.into_iter().map(|depth| numbers.next(depth)).collect();
        assert_eq!(made, ["1", "2", "2.1", "2.1.1", "2.1.2", "2.2", "3", "3.1", "4"]);
        assert_eq!(numbers.inferred(), "5");
        assert_eq!(numbers.next(1), "6");
        assert_eq!(numbers.next(1), "6.1");
    }
}
