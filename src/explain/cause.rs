//! What led to an end: a mark that one rule set and another one asked for.

use crate::explain::ToldStep;

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
    let _ = told;
    None
}
