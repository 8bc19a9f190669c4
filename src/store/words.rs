//! The integer codes of the model's small enums; table `word` lists the same, and a test compares them.

use crate::model::{
    Completeness, Confidence, ConnectionState, Direction, EvidenceOf, Layer, LinkKind, NatKind,
    Trust, VerdictEvidence, VerdictKind,
};
use crate::store::StoreError;

/// An enum that is stored as a small integer.
pub(crate) trait Coded: Copy + PartialEq + 'static {
    /// Every value, its code being its place here.
    const VALUES: &'static [Self];

    /// The code.
    fn code(self) -> i64 {
        let place = Self::VALUES.iter().position(|value| *value == self);
        place.and_then(|place| i64::try_from(place).ok()).unwrap_or(-1)
    }

    /// The value of a code.
    fn from_code(code: i64) -> Result<Self, StoreError> {
        let place = usize::try_from(code).unwrap_or(usize::MAX);
        Self::VALUES.get(place).copied().ok_or(StoreError::Damaged("an unknown code"))
    }
}

macro_rules! coded {
    ($($type:ty),* $(,)?) => {
        $(impl Coded for $type {
            const VALUES: &'static [Self] = Self::ALL;
        })*
    };
}

coded!(
    Layer,
    Direction,
    Trust,
    Confidence,
    VerdictKind,
    VerdictEvidence,
    ConnectionState,
    Completeness,
    NatKind,
    EvidenceOf,
    LinkKind,
);
