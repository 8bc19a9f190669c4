//! Two ways side by side as text, and two rule sets.

use crate::explain::{Diff, RulesDiff};
use crate::render::Text;

/// Writes where two ways part and both of them, at most `width` columns wide.
pub fn diff(diff: &Diff, width: usize) -> Text {
    let _ = (diff, width);
    Text::default()
}

/// Writes what two rule sets say differently.
pub fn rules_diff(diff: &RulesDiff, width: usize) -> Text {
    let _ = (diff, width);
    Text::default()
}
