//! From the rule that printed a line on through its chains: what may have become of the packet.
//!
//! A line shows devices only; of the rest it is known that it meets the conditions of the rule that printed
//! it. Each following rule then matches, does not match, or may match; what each of those leads to is
//! collected. What is the same for all that may be is certain.

use super::course::Known;
use super::imply::follows;
use super::route::Route;
use crate::model::VerdictKind;
use crate::rulebook::{
    Chain, Dialect, Found, Match, Policy, Rule, Sight, Spot, Table, Target, Test,
};

/// More rules than this are not looked at for one line.
const RULES: usize = 20_000;
/// Chains call each other no deeper than this.
const DEPTH: usize = 32;

/// What may have become of a packet.
#[derive(Debug, Clone, Default)]
pub(super) struct Fates<'m> {
    outcomes: Vec<Outcome<'m>>,
    /// Something else may have happened, too.
    is_open: bool,
}

/// One thing that may have become of a packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome<'m> {
    /// Accepted, dropped or rejected.
    pub(super) kind: VerdictKind,
    /// The place that decided; none when several could have, all alike.
    pub(super) place: Option<Known<'m>>,
}

impl<'m> Fates<'m> {
    /// Nobody knows.
    pub(super) fn open() -> Self {
        Self { outcomes: Vec::new(), is_open: true }
    }

    /// What is certain: all that may be is of one kind. The place is certain when it is the same, too.
    pub(super) fn certain(&self) -> Option<Outcome<'m>> {
        let (first, rest) = self.outcomes.split_first()?;
        if self.is_open || rest.iter().any(|other| other.kind != first.kind) {
            return None;
        }
        let place = first.place.filter(|_| rest.is_empty());
        Some(Outcome { place, ..*first })
    }

    /// What may be when it is known that the packet was not let on.
    #[must_use]
    pub(super) fn without_acceptance(mut self) -> Self {
        self.outcomes.retain(|outcome| outcome.kind != VerdictKind::Accepted);
        self
    }

    /// This, or that.
    pub(super) fn add(&mut self, other: Self) {
        self.is_open |= other.is_open;
        for outcome in other.outcomes {
            self.put(outcome);
        }
    }

    fn put(&mut self, outcome: Outcome<'m>) {
        let label = |outcome: &Outcome<'_>| outcome.place.map(|place| place.found.label());
        let is_known =
            |known: &Outcome<'_>| known.kind == outcome.kind && label(known) == label(&outcome);
        if !self.outcomes.iter().any(is_known) {
            self.outcomes.push(outcome);
        }
    }
}

/// What may have become of a packet that came to this rule by this way and met it.
pub(super) fn walk_on<'m>(known: Known<'m>, route: &Route<'m>, sight: &Sight<'_>) -> Fates<'m> {
    let Spot::Rule(number, rule) = known.found.spot else { return Fates::open() };
    let Ok(index) = usize::try_from(number) else { return Fates::open() };
    let mut walk = WalkOn { known, sight, facts: Vec::new(), is_marked: false, budget: RULES };
    for jump in route.rules() {
        // A mark may have been set since.
        walk.facts.extend(jump.matches.iter().filter(|one| !is_about_marks(one)));
    }
    walk.facts.extend(&rule.matches);
    let act = walk.act(rule, known.found.chain, number, route.jumps.len());
    let mut flow = act.flow;
    if act.goes_on {
        flow.add(walk.run(known.found.chain, index, route.jumps.len()));
    }
    let mut jumps = route.jumps.as_slice();
    while std::mem::take(&mut flow.is_through) {
        let Some(((chain, index), outer)) = jumps.split_last() else {
            flow.fates.add(walk.end_of(route.root()));
            break;
        };
        jumps = outer;
        let is_goto =
            chain.rules.get(*index).is_some_and(|rule| matches!(rule.target, Target::Goto(_)));
        if is_goto {
            // The chain that went there for good is not come back to.
            flow.is_through = true;
        } else {
            flow.add(walk.run(chain, index + 1, jumps.len()));
        }
    }
    flow.fates
}

/// How the walk through a chain may end.
#[derive(Debug, Clone, Default)]
struct Flow<'m> {
    /// With the packet's fate decided.
    fates: Fates<'m>,
    /// It may come back to the caller.
    is_through: bool,
}

impl Flow<'_> {
    fn add(&mut self, other: Self) {
        self.fates.add(other.fates);
        self.is_through |= other.is_through;
    }

    fn open() -> Self {
        Self { fates: Fates::open(), is_through: false }
    }
}

/// What a rule that matches does to the walk.
#[derive(Debug, Clone)]
struct Act<'m> {
    /// How it may end the walk.
    flow: Flow<'m>,
    /// The next rule may be asked.
    goes_on: bool,
}

impl<'m> Act<'m> {
    fn ends(flow: Flow<'m>) -> Self {
        Self { flow, goes_on: false }
    }
}

struct WalkOn<'w, 'm> {
    known: Known<'m>,
    sight: &'w Sight<'w>,
    /// Conditions that are known to hold.
    facts: Vec<&'m Match>,
    /// A rule may have set the packet's mark: what is known of that is old.
    is_marked: bool,
    budget: usize,
}

impl<'m> WalkOn<'_, 'm> {
    /// Walks through a chain from a rule on.
    fn run(&mut self, chain: &'m Chain, from: usize, depth: usize) -> Flow<'m> {
        let mut flow = Flow::default();
        for (number, rule) in (1..).zip(&chain.rules).skip(from) {
            let Some(rest) = self.budget.checked_sub(1) else {
                flow.fates.is_open = true;
                return flow;
            };
            self.budget = rest;
            let holds = self.holds(rule);
            if holds == Some(false) {
                continue;
            }
            let facts = self.facts.len();
            self.facts.extend(&rule.matches);
            let act = self.act(rule, chain, number, depth);
            // What was true inside a chain that was perhaps not entered does not count outside.
            self.facts.truncate(facts);
            self.is_marked |= rule.acts().any(sets_marks);
            flow.add(act.flow);
            if holds == Some(true) && !act.goes_on {
                return flow;
            }
        }
        // A user chain of ebtables may have a policy of its own.
        let has_policy = matches!(chain.policy, Some(Policy::Accept | Policy::Drop));
        if chain.hook.is_none() && !has_policy {
            flow.is_through = true;
        } else {
            flow.fates.add(self.end_of(chain));
        }
        flow
    }

    /// Whether a rule matches, as far as is known.
    fn holds(&self, rule: &Rule) -> Option<bool> {
        let mut all = Some(true);
        for one in &rule.matches {
            let holds = one
                .holds(self.sight)
                .or_else(|| self.known_facts().find_map(|fact| follows(fact, one)));
            match holds {
                Some(false) => return Some(false),
                Some(true) => {}
                None => all = None,
            }
        }
        all
    }

    fn known_facts(&self) -> impl Iterator<Item = &'m Match> {
        self.facts.iter().copied().filter(|one| !self.is_marked || !is_about_marks(one))
    }

    /// What a rule that matches does.
    fn act(&mut self, rule: &'m Rule, chain: &'m Chain, number: u32, depth: usize) -> Act<'m> {
        let decided = |kind| {
            let place = Some(self.at(chain, Spot::Rule(number, rule)));
            let fates = Fates { outcomes: vec![Outcome { kind, place }], is_open: false };
            Act::ends(Flow { fates, is_through: false })
        };
        match &rule.target {
            Target::Drop if self.is_broute() => Act::ends(Flow::open()),
            Target::Drop => decided(VerdictKind::Dropped),
            Target::Reject { .. } => decided(VerdictKind::Rejected),
            Target::Accept => decided(VerdictKind::Accepted),
            Target::Return => Act::ends(Flow { is_through: true, ..Flow::default() }),
            Target::Jump(name) => {
                let mut flow = self.call(name, depth);
                let goes_on = std::mem::take(&mut flow.is_through);
                Act { flow, goes_on }
            }
            Target::Goto(name) => Act::ends(self.call(name, depth)),
            target if target.goes_on() == Some(true) => {
                Act { flow: Flow::default(), goes_on: true }
            }
            _ => Act::ends(Flow::open()),
        }
    }

    fn call(&mut self, name: &str, depth: usize) -> Flow<'m> {
        let table: &'m Table = self.known.found.table;
        let chain = table.chains.iter().find(|chain| &*chain.name == name);
        match chain {
            Some(chain) if depth < DEPTH => self.run(chain, 0, depth + 1),
            _ => Flow::open(),
        }
    }

    /// The policy of a built-in chain.
    fn end_of(&self, chain: &'m Chain) -> Fates<'m> {
        let (kind, policy) = match chain.policy {
            Some(Policy::Drop) if self.is_broute() => return Fates::open(),
            Some(policy @ Policy::Drop) => (VerdictKind::Dropped, policy),
            Some(policy @ Policy::Accept) => (VerdictKind::Accepted, policy),
            Some(Policy::Return) | None => return Fates::open(),
        };
        let place = Some(self.at(chain, Spot::Policy(policy)));
        Fates { outcomes: vec![Outcome { kind, place }], is_open: false }
    }

    fn at(&self, chain: &'m Chain, spot: Spot<'m>) -> Known<'m> {
        let found = Found { chain, spot, ..self.known.found };
        Known { revision: self.known.revision, found }
    }

    /// In ebtables' broute table DROP means: do not bridge it, route it.
    fn is_broute(&self) -> bool {
        self.known.found.set.dialect != Dialect::Nft && &*self.known.found.table.name == "broute"
    }
}

fn is_about_marks(one: &Match) -> bool {
    matches!(one.test, Test::Mark { .. })
}

fn sets_marks(target: &Target) -> bool {
    matches!(target, Target::Mark { .. } | Target::Connmark)
}
