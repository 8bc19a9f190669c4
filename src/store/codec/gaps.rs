//! The times from step to step, as text that SQL can read: one character a gap.
//!
//! A character's code is the gap in microseconds plus 32 (codes from 0xd800 on are moved up by 2048, because
//! no text may hold those), so most gaps are one byte: `'+-` is 7, 11, 13. When a gap is negative or longer
//! than a second, all of them are written out, after a tab: `<tab>7,11,4000000`.
//!
//! The first step is at 0, so n steps have n − 1 gaps. Whatever does not fit at all (a step without a
//! clock, a first step that is not at 0) is stored number by number in the packet's own bytes instead.

use crate::store::codec::Damaged;
use crate::store::codec::bytes::{Input, put_signed};

const TAB: char = '\t';
const FIRST_CODE: u32 = 32;
const SURROGATES: std::ops::Range<u32> = 0xd800..0xe000;
const N_SURROGATES: u32 = 0x800;

/// The usual form; `None` when the offsets do not fit it.
pub(super) fn to_text(offsets: impl Iterator<Item = Option<i64>> + Clone) -> Option<String> {
    let gaps = gaps(offsets.clone());
    let mut short = String::with_capacity(24);
    for gap in gaps {
        match to_char(gap?) {
            Some(code) => short.push(code),
            None => return in_full(offsets),
        }
    }
    Some(short)
}

/// The gaps; one that is `None` says that there are none.
fn gaps(offsets: impl Iterator<Item = Option<i64>>) -> impl Iterator<Item = Option<i64>> {
    let mut before = None;
    offsets.filter_map(move |offset| {
        let last = std::mem::replace(&mut before, offset);
        match (last, offset) {
            (None, Some(0)) => None,
            (Some(last), Some(offset)) => Some(offset.checked_sub(last)),
            _ => Some(None),
        }
    })
}

/// All gaps written out.
fn in_full(offsets: impl Iterator<Item = Option<i64>>) -> Option<String> {
    let gaps: Option<Vec<String>> =
        gaps(offsets).map(|gap| gap.map(|gap| gap.to_string())).collect();
    Some(format!("{TAB}{}", gaps?.join(",")))
}

fn to_char(gap: i64) -> Option<char> {
    let code = u32::try_from(gap).ok()?.checked_add(FIRST_CODE)?;
    char::from_u32(if code < SURROGATES.start { code } else { code.checked_add(N_SURROGATES)? })
}

fn from_char(code: char) -> Result<i64, Damaged> {
    let code = u32::from(code);
    let code = if code < SURROGATES.end { code } else { code - N_SURROGATES };
    let gap = code.checked_sub(FIRST_CODE).ok_or(Damaged("a gap is no gap"))?;
    Ok(i64::from(gap))
}

/// Undoes [`to_text`].
pub(super) fn from_text(text: &str) -> Result<Vec<Option<i64>>, Damaged> {
    let gaps: Vec<i64> = match text.strip_prefix(TAB) {
        None => text.chars().map(from_char).collect::<Result<_, _>>()?,
        Some(numbers) => numbers
            .split(',')
            .map(|gap| gap.parse().map_err(|_| Damaged("a gap is no number")))
            .collect::<Result<_, _>>()?,
    };
    let mut offsets = vec![Some(0)];
    let mut sum = 0i64;
    for gap in gaps {
        sum = sum.checked_add(gap).ok_or(Damaged("a gap is too large"))?;
        offsets.push(Some(sum));
    }
    Ok(offsets)
}

/// The unusual form, number by number.
pub(super) fn put(offsets: impl Iterator<Item = Option<i64>>, out: &mut Vec<u8>) {
    for offset in offsets {
        out.push(u8::from(offset.is_some()));
        if let Some(offset) = offset {
            put_signed(out, offset);
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
        for (offsets, text) in [
            (&[Some(0), Some(7), Some(18), Some(31)][..], "'+-"),
            (&[Some(0)], ""),
            (&[Some(0), Some(0), Some(0xd800 - 33)], " \u{d7ff}"),
            (&[Some(0), Some(0xd800 - 32)], "\u{e000}"),
            (&[Some(0), Some(1_112_031)], "\u{10ffff}"),
            (&[Some(0), Some(1_200_000), Some(1_200_007)], "\t1200000,7"),
            (&[Some(0), Some(7), Some(4)], "\t7,-3"),
        ] {
            assert_eq!(to_text(offsets.iter().copied()).as_deref(), Some(text), "{offsets:?}");
            assert_eq!(from_text(text).unwrap(), offsets, "{text:?}");
        }
    }

    #[test]
    fn a_missing_clock_needs_the_other_form() {
        for offsets in [
            &[None, Some(3)][..],
            &[Some(0), None],
            &[Some(5)],
            &[Some(0), Some(-1), Some(i64::MAX)],
        ] {
            assert_eq!(to_text(offsets.iter().copied()), None, "{offsets:?}");
            let mut out = Vec::new();
            put(offsets.iter().copied(), &mut out);
            assert_eq!(read(offsets.len(), &mut Input::new(&out)).unwrap(), offsets);
        }
    }
}
