//! The integer codes of the model's small enums; table `word` lists the same, and a test compares them.

use crate::model::{
    Completeness, Confidence, ConnectionState, Direction, EvidenceOf, Layer, LinkKind, NatKind,
    Trust, VerdictEvidence, VerdictKind,
};
use crate::store::StoreError;

/// An enum that is stored as a small integer.
pub(crate) trait Coded: Copy + PartialEq + 'static {
    /// The name of the codes in table `word`.
    const KIND: &'static str;
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
    ($($type:ty => $kind:literal),* $(,)?) => {
        $(impl Coded for $type {
            const KIND: &'static str = $kind;
            const VALUES: &'static [Self] = Self::ALL;
        })*
    };
}

coded!(
    Layer => "layer",
    Direction => "direction",
    Trust => "trust",
    Confidence => "confidence",
    VerdictKind => "verdict",
    VerdictEvidence => "evidence",
    ConnectionState => "state",
    Completeness => "completeness",
    NatKind => "nat",
    EvidenceOf => "nat_evidence",
    LinkKind => "link",
);
