//! The kind of a translation, once the rule is known.

use crate::model::{NatChange, NatKind};
use crate::rulebook::Target;

/// The kind of a translation that a rule with this target made. Without the rule, or with one that cannot have made it,
/// the kind stays what the lines tell: destination or source.
pub fn nat_kind(change: &NatChange, target: Option<&Target>) -> NatKind {
    match (change.kind, target) {
        (NatKind::Snat, Some(Target::Masquerade)) => NatKind::Masquerade,
        (NatKind::Dnat, Some(Target::Redirect { .. })) => NatKind::Redirect,
        (NatKind::Dnat | NatKind::Snat, Some(Target::Netmap { .. })) => NatKind::Netmap,
        (kind, _) => kind,
    }
}
