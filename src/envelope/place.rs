//! Where a line stands, and what the container's envelope around it adds.

use super::line::Form;
use crate::model::{Position, SourceId, Stamp, Trust, WallTime};

/// Where a line stands, and the container's envelope around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) source: SourceId,
    pub(super) offset: u64,
    pub(super) wrapper: Option<Wrapper>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Wrapper {
    pub(super) form: Form,
    pub(super) wall: Option<WallTime>,
    /// How many envelopes of this kind may still stand inside.
    pub(super) depth: u32,
}

impl Place {
    /// A place at top level.
    pub(super) fn at(source: SourceId, offset: u64) -> Self {
        Self { source, offset, wrapper: None }
    }

    pub(super) fn position(self) -> Position {
        Position { source: self.source, offset: self.offset, seq: None, copy: 0 }
    }

    pub(super) fn advanced(self, bytes: usize) -> Self {
        Self { offset: self.offset.saturating_add(bytes as u64), ..self }
    }

    /// The place of what a container's envelope holds; `None` when they stand too deep in each other.
    pub(super) fn inside(self, form: Form, wall: Option<WallTime>) -> Option<Self> {
        let depth = self.wrapper.map_or(3, |wrapper| wrapper.depth).checked_sub(1)?;
        let form = self.form(form);
        Some(Self { wrapper: Some(Wrapper { form, wall, depth }), ..self })
    }

    /// The outermost form.
    pub(super) fn form(self, form: Form) -> Form {
        self.wrapper.map_or(form, |wrapper| wrapper.form)
    }

    /// The stamp, with the container's time where the line has none.
    pub(super) fn completed(self, stamp: Stamp) -> Stamp {
        let wall = stamp.wall.or(self.wrapper.and_then(|wrapper| wrapper.wall));
        Stamp { wall, ..stamp }
    }

    /// What a container printed proves nothing, whatever it looks like.
    pub(super) fn lowered(self, trust: Trust) -> Trust {
        if self.wrapper.is_some() { trust.max(Trust::Text) } else { trust }
    }
}
