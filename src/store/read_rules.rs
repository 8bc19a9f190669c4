//! The rules that packets and connections met, as text beside the rows.

use std::sync::Arc;

/// What the rules tell of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRule {
    /// The rule's text; none for the end of a user chain, and with a misfit.
    pub text: Option<Arc<str>>,
    /// Where it stands: `filter:FORWARD:rule:2`, `filter:FORWARD:policy`, `filter:DOCKER:return`, `eb:nat:OUTPUT:rule:1`;
    /// none with a misfit.
    pub place: Option<Arc<str>>,
    /// Why no rule is shown: the rule set that is there cannot be the one that the packet met.
    pub misfit: Option<Arc<str>>,
}
