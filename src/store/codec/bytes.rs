//! Numbers to bytes and back: LEB128 varints, zigzag for signed ones, big-endian for fixed widths.

use crate::store::codec::Damaged;

/// Appends `value` as a varint: seven bits a byte, lowest first, the top bit says "more".
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a signed value: small magnitudes stay short.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
}

/// Appends the low 0, 1, 2, 4 or 8 bytes of `value`, highest first.
pub(super) fn put_fixed(out: &mut Vec<u8>, value: u64, width: usize) {
    let [.., e, f, g, h] = value.to_be_bytes();
    match width {
        0 => {}
        1 => out.push(h),
        2 => out.extend_from_slice(&[g, h]),
        4 => out.extend_from_slice(&[e, f, g, h]),
        _ => out.extend_from_slice(&value.to_be_bytes()),
    }
}

/// Appends a byte string after its length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the functions above wrote. Never panics: what does not fit is [`Damaged`].
#[derive(Clone)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], Damaged> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(Damaged("ends too early"))?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Damaged> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Damaged("ends too early"))?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn varint(&mut self) -> Result<u64, Damaged> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Damaged("a number is too long"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, Damaged> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(super) fn fixed(&mut self, width: usize) -> Result<u64, Damaged> {
        let bytes = self.take(width)?;
        Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let length = self.varint()?;
        self.take(usize::try_from(length).map_err(|_| Damaged("a length is too large"))?)
    }

    /// Reads a varint that must fit into a narrower type.
    pub(super) fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, Damaged> {
        narrow(self.varint()?)
    }
}

/// A number that must fit into a narrower type.
pub(super) fn narrow<T: TryFrom<u64>>(value: u64) -> Result<T, Damaged> {
    T::try_from(value).map_err(|_| Damaged("a number is too large for its field"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            put_signed(&mut out, value.cast_signed());
            put_fixed(&mut out, value, 8);
            let mut input = Input::new(&out);
            assert_eq!(input.varint().unwrap(), value);
            assert_eq!(input.signed().unwrap(), value.cast_signed());
            assert_eq!(input.fixed(8).unwrap(), value);
            assert!(input.is_empty());
        }
    }

    #[test]
    fn small_signed_numbers_are_short() {
        for value in [-64, -1, 0, 63] {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            assert_eq!(out.len(), 1, "{value}");
        }
    }

    #[test]
    fn a_number_of_eleven_bytes_is_damage() {
        assert_eq!(Input::new(&[0xff; 11]).varint(), Err(Damaged("a number is too long")));
        assert_eq!(Input::new(&[0x80]).varint(), Err(Damaged("ends too early")));
        assert_eq!(Input::new(&[5, 1]).bytes(), Err(Damaged("ends too early")));
    }
}
