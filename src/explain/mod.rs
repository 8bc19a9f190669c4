//! What happened, told as a person would: the rule at every step, the decisions between the steps, why a packet
//! ended, what to change, and where two ways part.
//!
//! It reads packets as they are stored, the rule sets of the moment ([`crate::rulebook`]) and what is known of
//! the host ([`crate::context`]). What follows from the lines alone is said plainly; what follows from something
//! else cites it; what nobody can know is said to be unknown.

// The core: what the rule book and the host's context say of steps, ways and verdicts.
mod cause;
mod chains;
mod course;
mod fit;
mod fit_lines;
mod fit_order;
mod imply;
mod infer;
mod infer_words;
mod judge;
mod nat;
mod route;
mod tell;
mod told;
mod walk_on;

// The story: the same as a person would tell it.
mod compare;
mod diff;
mod narrate;
mod phrase;
mod story;
mod subject;

pub use cause::{RootCause, root_cause};
pub use fit::{Clue, Contradiction, Trail, Witness, fit};
pub use infer::infer;
pub use judge::judge;
pub(crate) use judge::judge_packet;
pub use nat::nat_kind;
pub use tell::{Stands, stands, tell};
pub use told::{Distrust, Inferred, InferredAt, Lore, RulePlace, ToldStep, ToldVerdict};

pub use compare::{diff, diff_rules};
pub use diff::{Diff, DiffRow, DiffStep, RulesDiff, SiteDiff, TracedWay, WayDiff};
pub use narrate::story;
pub use phrase::{Phrase, Run, RunKind};
pub use story::{Advice, Chapter, Story, StoryStep, Term};
pub use subject::{LinkFact, Seen, SnapshotFact, Subject, Wait};
