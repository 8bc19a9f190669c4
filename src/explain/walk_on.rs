//! From the rule that printed a line on through its chains: what must have become of the packet.
//!
//! A line shows devices only; of the rest it is known that it meets the conditions of the rule that printed
//! it. Each following rule then matches, does not match, or may match. What counts is only what comes out
//! the same for everything that may be.

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

/// What must have become of a packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome<'m> {
    /// Accepted, dropped or rejected.
    pub(super) kind: VerdictKind,
    /// The place that decided; none when several could have, all alike.
    pub(super) place: Option<Known<'m>>,
}

impl Outcome<'_> {
    /// What holds for both.
    pub(super) fn merge(self, other: Self) -> Option<Self> {
        if self.kind != other.kind {
            return None;
        }
        let same = match (self.place, other.place) {
            (Some(one), Some(two)) => one.found.label() == two.found.label(),
            _ => false,
        };
        Some(Self { kind: self.kind, place: self.place.filter(|_| same) })
    }
}

/// What must have become of a packet that came to this rule by this way and met it.
pub(super) fn walk_on<'m>(
    known: Known<'m>,
    route: &Route<'m>,
    sight: &Sight<'_>,
) -> Option<Outcome<'m>> {
    let Spot::Rule(number, rule) = known.found.spot else { return None };
    let mut walk = WalkOn { known, sight, facts: Vec::new(), is_marked: false, budget: RULES };
    for jump in route.rules() {
        // A mark may have been set since.
        walk.facts.extend(jump.matches.iter().filter(|one| !is_about_marks(one)));
    }
    walk.facts.extend(&rule.matches);
    let index = usize::try_from(number).ok()?;
    let mut flow = match walk.act(rule, known.found.chain, number, 0) {
        Act::GoOn => walk.run(known.found.chain, index, route.jumps.len()),
        Act::Ends(flow) => flow,
    };
    let mut jumps = route.jumps.as_slice();
    while let Flow::Through = flow {
        let Some(((chain, index), outer)) = jumps.split_last() else {
            return walk.end_of(route.root());
        };
        jumps = outer;
        let is_goto =
            chain.rules.get(*index).is_some_and(|rule| matches!(rule.target, Target::Goto(_)));
        if !is_goto {
            flow = walk.run(chain, index + 1, jumps.len());
        }
    }
    match flow {
        Flow::Ended(outcome) => Some(outcome),
        Flow::Through | Flow::Unknown => None,
    }
}

/// How the walk through a chain ends.
#[derive(Debug, Clone, Copy)]
enum Flow<'m> {
    /// The packet's fate is decided.
    Ended(Outcome<'m>),
    /// Back to the caller.
    Through,
    /// It cannot be told.
    Unknown,
}

/// What a rule that matches does to the walk.
#[derive(Debug, Clone, Copy)]
enum Act<'m> {
    GoOn,
    Ends(Flow<'m>),
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
        // What a rule that may have matched would have done.
        let mut perhaps: Option<Outcome<'m>> = None;
        for (number, rule) in (1..).zip(&chain.rules).skip(from) {
            let Some(rest) = self.budget.checked_sub(1) else { return Flow::Unknown };
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
            match (holds, act) {
                (_, Act::GoOn) => {}
                (Some(_), Act::Ends(flow)) => return finish(perhaps, flow),
                (None, Act::Ends(Flow::Ended(outcome))) => {
                    let merged = perhaps.map_or(Some(outcome), |other| other.merge(outcome));
                    let Some(merged) = merged else { return Flow::Unknown };
                    perhaps = Some(merged);
                }
                (None, Act::Ends(_)) => return Flow::Unknown,
            }
        }
        // A user chain of ebtables may have a policy of its own.
        let has_policy = matches!(chain.policy, Some(Policy::Accept | Policy::Drop));
        if chain.hook.is_none() && !has_policy {
            return finish(perhaps, Flow::Through);
        }
        self.end_of(chain).map_or(Flow::Unknown, |outcome| finish(perhaps, Flow::Ended(outcome)))
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
            let spot = Spot::Rule(number, rule);
            Act::Ends(Flow::Ended(Outcome { kind, place: Some(self.at(chain, spot)) }))
        };
        match &rule.target {
            Target::Drop if self.is_broute() => Act::Ends(Flow::Unknown),
            Target::Drop => decided(VerdictKind::Dropped),
            Target::Reject { .. } => decided(VerdictKind::Rejected),
            Target::Accept => decided(VerdictKind::Accepted),
            Target::Return => Act::Ends(Flow::Through),
            Target::Jump(name) => match self.call(name, depth) {
                Flow::Through => Act::GoOn,
                flow => Act::Ends(flow),
            },
            Target::Goto(name) => Act::Ends(self.call(name, depth)),
            target if target.goes_on() == Some(true) => Act::GoOn,
            _ => Act::Ends(Flow::Unknown),
        }
    }

    fn call(&mut self, name: &str, depth: usize) -> Flow<'m> {
        let table: &'m Table = self.known.found.table;
        let chain = table.chains.iter().find(|chain| &*chain.name == name);
        match chain {
            Some(chain) if depth < DEPTH => self.run(chain, 0, depth + 1),
            _ => Flow::Unknown,
        }
    }

    /// The policy of a built-in chain.
    fn end_of(&self, chain: &'m Chain) -> Option<Outcome<'m>> {
        let policy = chain.policy?;
        let kind = match policy {
            Policy::Drop if self.is_broute() => return None,
            Policy::Drop => VerdictKind::Dropped,
            Policy::Accept => VerdictKind::Accepted,
            Policy::Return => return None,
        };
        Some(Outcome { kind, place: Some(self.at(chain, Spot::Policy(policy))) })
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

/// A chain's end together with what may have happened before it.
fn finish<'m>(perhaps: Option<Outcome<'m>>, flow: Flow<'m>) -> Flow<'m> {
    match (perhaps, flow) {
        (None, flow) => flow,
        (Some(perhaps), Flow::Ended(outcome)) => {
            perhaps.merge(outcome).map_or(Flow::Unknown, Flow::Ended)
        }
        (Some(_), Flow::Through | Flow::Unknown) => Flow::Unknown,
    }
}

fn is_about_marks(one: &Match) -> bool {
    matches!(one.test, Test::Mark { .. })
}

fn sets_marks(target: &Target) -> bool {
    matches!(target, Target::Mark { .. } | Target::Connmark)
}
