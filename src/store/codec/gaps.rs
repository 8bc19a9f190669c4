//! The times from step to step, as text that SQL can read: `7,4,13`.
//!
//! The first step is at 0, so n steps have n − 1 gaps. Whatever does not fit this form (a step without
//! a clock, a first step that is not at 0) is stored number by number in the packet's own bytes instead.

use crate::store::codec::Damaged;
use crate::store::codec::bytes::{Input, put_signed};

/// The usual form; `None` when the offsets do not fit it.
pub(super) fn to_text(offsets: &[Option<i64>]) -> Option<String> {
    let mut text = String::new();
    let (first, rest) = offsets.split_first()?;
    let mut before = first.filter(|offset| *offset == 0)?;
    for offset in rest {
        let gap = (*offset)?.checked_sub(before)?;
        before = (*offset)?;
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&gap.to_string());
    }
    Some(text)
}

/// Undoes [`to_text`].
pub(super) fn from_text(text: &str) -> Result<Vec<Option<i64>>, Damaged> {
    let mut offsets = vec![Some(0)];
    let mut sum = 0i64;
    for gap in text.split(',').filter(|gap| !gap.is_empty()) {
        let gap: i64 = gap.parse().map_err(|_| Damaged("a gap is no number"))?;
        sum = sum.checked_add(gap).ok_or(Damaged("a gap is too large"))?;
        offsets.push(Some(sum));
    }
    Ok(offsets)
}

/// The unusual form, number by number.
pub(super) fn put(offsets: &[Option<i64>], out: &mut Vec<u8>) {
    for offset in offsets {
        out.push(u8::from(offset.is_some()));
        if let Some(offset) = offset {
            put_signed(out, *offset);
        }
    }
}

/// Undoes [`put`].
pub(super) fn read(n_steps: usize, input: &mut Input<'_>) -> Result<Vec<Option<i64>>, Damaged> {
    let mut offsets = Vec::with_capacity(n_steps);
    for _ in 0..n_steps {
        offsets.push(if input.byte()? == 0 { None } else { Some(input.signed()?) });
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_short_text() {
        let offsets = [Some(0), Some(7), Some(11), Some(24)];
        assert_eq!(to_text(&offsets).as_deref(), Some("7,4,13"));
        assert_eq!(from_text("7,4,13").unwrap(), offsets);
        assert_eq!(to_text(&[Some(0)]).as_deref(), Some(""));
        assert_eq!(from_text("").unwrap(), [Some(0)]);
    }

    #[test]
    fn a_missing_clock_needs_the_other_form() {
        for offsets in [
            &[None, Some(3)][..],
            &[Some(0), None],
            &[Some(5)],
            &[Some(0), Some(-1), Some(i64::MAX)],
        ] {
            assert_eq!(to_text(offsets), None, "{offsets:?}");
            let mut out = Vec::new();
            put(offsets, &mut out);
            assert_eq!(read(offsets.len(), &mut Input::new(&out)).unwrap(), offsets);
        }
    }
}
