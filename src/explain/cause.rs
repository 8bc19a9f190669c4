//! What led to an end: a mark that one rule set and another one asked for.

use crate::explain::ToldStep;
use crate::rulebook::Target;

/// A mark, set by one step and the reason of another one's drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootCause {
    /// The index of the step whose rule set the mark.
    pub set_at: usize,
    /// The index of the step whose rule asked for it and ended the packet.
    pub ended_at: usize,
    /// The mark as it was asked for.
    pub mark: u32,
}

/// Finds the rule that marked a packet which another rule dropped or rejected for that mark.
pub fn root_cause(told: &[ToldStep<'_>]) -> Option<RootCause> {
    let ends =
        |told: &ToldStep<'_>| matches!(told.target, Some(Target::Drop | Target::Reject { .. }));
    let ended_at = told.iter().rposition(ends)?;
    let (value, mask) = told[ended_at].asks_mark?;
    // Line by line, MARK= shows the mark as the rule met it.
    let has = |at: usize| told[at].step.header.mark.unwrap_or(0) & mask == value;
    if !has(ended_at) {
        return None;
    }
    let set_at = (0..ended_at).rev().find(|at| !has(*at))?;
    let sets =
        |told: &ToldStep<'_>| matches!(told.target, Some(Target::Mark { .. } | Target::Connmark));
    // Frames print no mark: the rule may stand a few lines before.
    let set_at = (0..=set_at).rev().find(|at| sets(&told[*at]))?;
    Some(RootCause { set_at, ended_at, mark: value })
}
