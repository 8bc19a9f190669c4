//! Row keys and public ids.
//!
//! A row key is `source << 42 | offset`: 21 bits of source, 42 bits (4 TiB) of offset.
//! A public id is the same with the source's 22-bit tag in place of its number, mixed reversibly and
//! printed in base 32. So it needs no column, and it stays the same when the log is read into another database.

use std::fmt;
use std::str::FromStr;

use crate::model::{PacketKey, SourceId};
use crate::store::StoreError;

const OFFSET_BITS: u32 = 42;
const OFFSET_MASK: u64 = (1 << OFFSET_BITS) - 1;

/// How many bits of a source's hash stand in public ids.
pub(crate) const TAG_BITS: u32 = 64 - OFFSET_BITS;

/// The highest source number that fits beside an offset in a positive 64-bit integer.
pub(crate) const MAX_SOURCE: u32 = (1 << (63 - OFFSET_BITS)) - 1;

/// The row key of a position.
pub(crate) fn row_key(source: SourceId, offset: u64) -> Result<i64, StoreError> {
    if offset > OFFSET_MASK || source.0 > MAX_SOURCE {
        return Err(StoreError::OutOfRange { number: source.0, offset });
    }
    Ok((u64::from(source.0) << OFFSET_BITS | offset).cast_signed())
}

/// The row key of a packet or connection.
pub(crate) fn packet_row_key(key: PacketKey) -> Result<i64, StoreError> {
    row_key(key.source, key.offset)
}

/// Undoes [`row_key`].
pub(crate) fn from_row_key(key: i64) -> PacketKey {
    let bits = key.cast_unsigned();
    let source = u32::try_from(bits >> OFFSET_BITS).unwrap_or(u32::MAX);
    PacketKey { source: SourceId(source), offset: bits & OFFSET_MASK }
}

/// A stable name for a connection (`c…`) or packet (`p…`), for users and scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicId {
    kind: IdKind,
    bits: u64,
}

/// What a public id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdKind {
    /// A connection.
    Connection,
    /// A packet.
    Packet,
}

impl PublicId {
    /// Whether it names a connection or a packet.
    pub fn kind(&self) -> IdKind {
        self.kind
    }

    pub(crate) fn new(kind: IdKind, tag: u32, key: PacketKey) -> Self {
        Self { kind, bits: mix(u64::from(tag) << OFFSET_BITS | (key.offset & OFFSET_MASK)) }
    }

    /// The source's tag and the offset.
    pub(crate) fn parts(&self) -> (u32, u64) {
        let bits = unmix(self.bits);
        (u32::try_from(bits >> OFFSET_BITS).unwrap_or(u32::MAX), bits & OFFSET_MASK)
    }
}

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const N_DIGITS: u32 = 13;

impl fmt::Display for PublicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(14);
        text.push(match self.kind {
            IdKind::Connection => 'c',
            IdKind::Packet => 'p',
        });
        for place in (0..N_DIGITS).rev() {
            let digit = usize::try_from(self.bits >> (5 * place) & 31).unwrap_or_default();
            text.push(char::from(DIGITS[digit]));
        }
        f.pad(&text)
    }
}

/// A text that is no public id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no id: ids are `c` or `p` and 13 letters or digits")]
pub struct BadId(pub String);

impl FromStr for PublicId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        Self::read(text).ok_or_else(|| BadId(text.to_owned()))
    }
}

impl PublicId {
    fn read(text: &str) -> Option<Self> {
        let (first, digits) = text.as_bytes().split_first()?;
        let kind = match first.to_ascii_lowercase() {
            b'c' => IdKind::Connection,
            b'p' => IdKind::Packet,
            _ => return None,
        };
        if digits.len() != N_DIGITS as usize {
            return None;
        }
        let mut bits = 0u64;
        for digit in digits {
            let digit = digit.to_ascii_lowercase();
            let value = DIGITS.iter().position(|known| *known == digit)? as u64;
            if bits >> 59 != 0 {
                return None;
            }
            bits = bits << 5 | value;
        }
        Some(Self { kind, bits })
    }
}

const FIRST: u64 = 0xd6e8_feb8_6659_fd93;
const SECOND: u64 = 0xa5cb_3b1f_62c4_0f2d;

/// Spreads neighbouring values over the whole range; every step can be undone.
fn mix(mut x: u64) -> u64 {
    x ^= x >> 32;
    x = x.wrapping_mul(FIRST);
    x ^= x >> 29;
    x = x.wrapping_mul(SECOND);
    x ^ x >> 32
}

/// Undoes [`mix`].
fn unmix(mut x: u64) -> u64 {
    x ^= x >> 32;
    x = x.wrapping_mul(inverse(SECOND));
    x ^= x >> 29 ^ x >> 58;
    x = x.wrapping_mul(inverse(FIRST));
    x ^ x >> 32
}

/// The inverse of an odd number modulo 2^64; each round doubles the right bits.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut round = 0;
    while round < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_can_be_undone() {
        for x in [0, 1, 2, 1 << 42, u64::MAX, 0x0123_4567_89ab_cdef] {
            assert_eq!(unmix(mix(x)), x);
        }
    }

    #[test]
    fn an_id_is_a_letter_and_thirteen_digits() {
        let key = PacketKey { source: SourceId(1), offset: 18_233 };
        let id = PublicId::new(IdKind::Connection, 0x2a_bcde, key);
        let text = id.to_string();
        assert_eq!(text.len(), 14);
        assert!(text.starts_with('c'));
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text.to_uppercase().parse(), Ok(id));
        assert_eq!(id.parts(), (0x2a_bcde, 18_233));
        let other = PublicId::new(IdKind::Packet, 0x2a_bcde, key);
        assert_eq!(other.to_string()[1..], text[1..], "same place, other kind");
    }

    #[test]
    fn what_is_no_id() {
        for text in [
            "",
            "c",
            "x0000000000000",
            "c000000000000",
            "c00000000000000",
            "cg000000000000",
            "cu111111111111",
        ] {
            assert_eq!(text.parse::<PublicId>(), Err(BadId(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_row_key_holds_source_and_offset() {
        let key = row_key(SourceId(3), 77).unwrap();
        assert_eq!(key, 3 * (1 << 42) + 77);
        assert_eq!(from_row_key(key), PacketKey { source: SourceId(3), offset: 77 });
        assert!(row_key(SourceId(1), 1 << 42).is_err());
        assert!(row_key(SourceId(1 << 21), 0).is_err());
        assert!(row_key(SourceId(MAX_SOURCE), OFFSET_MASK).unwrap() > 0);
    }
}
