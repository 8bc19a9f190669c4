//! What happened, told as a person would: the rule at every step, the decisions between the steps, why a packet
//! ended, what to change, and where two ways part.
//!
//! It reads packets as they are stored, the rule sets of the moment ([`crate::rulebook`]) and what is known of
//! the host ([`crate::context`]). What follows from the lines alone is said plainly; what follows from something
//! else cites it; what nobody can know is said to be unknown.

mod diff;
mod phrase;
mod story;
mod subject;
mod tell_story;
mod told;

pub use diff::{
    Diff, DiffRow, DiffStep, RulesDiff, SiteDiff, TracedWay, WayDiff, diff, diff_rules,
};
pub use phrase::{Phrase, Run, RunKind};
pub use story::{Advice, Chapter, Story, StoryStep, Term};
pub use subject::{LinkFact, Seen, SnapshotFact, Subject, Wait};
pub use tell_story::story;
pub use told::{Distrust, Inferred, InferredAt, Lore, RulePlace, ToldStep, ToldVerdict};
