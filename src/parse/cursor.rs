//! A place in a line, and the few moves the ordered parser makes from it.
//!
//! Every move either succeeds and steps forward or returns `None` and leaves
//! the place as it was. A blank that the grammar demands is also granted at
//! the very end of the line, because editors and shippers strip it there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Mac;

/// The part of a line that is still to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// What is still to be read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether only blanks (or a carriage return) are left.
    pub(super) fn is_spent(&self) -> bool {
        self.rest.iter().all(u8::is_ascii_whitespace)
    }

    /// Steps over `literal`.
    #[inline]
    pub(super) fn eat<const N: usize>(&mut self, literal: &[u8; N]) -> Option<()> {
        self.rest = self.rest.strip_prefix(literal)?;
        Some(())
    }

    /// Steps over `word` and the blank after it.
    #[inline]
    pub(super) fn eat_word<const N: usize>(&mut self, word: &[u8; N]) -> Option<()> {
        self.rest = after_blank(self.rest.strip_prefix(word)?)?;
        Some(())
    }

    /// Steps over `word` where the kernel stops printing: with a blank, without one, or
    /// before the bracket that closes a quoted packet.
    #[inline]
    pub(super) fn eat_last<const N: usize>(&mut self, word: &[u8; N]) -> Option<()> {
        let mut trial = *self;
        trial.eat(word)?;
        trial.last_blank()?;
        *self = trial;
        Some(())
    }

    /// The blank after a last word, or what may stand in its place.
    #[inline]
    pub(super) fn last_blank(&mut self) -> Option<()> {
        if self.rest.starts_with(b"]") {
            return Some(());
        }
        self.blank()
    }

    /// Steps over one blank, or stays at the end.
    #[inline]
    pub(super) fn blank(&mut self) -> Option<()> {
        self.rest = after_blank(self.rest)?;
        Some(())
    }

    /// The bytes up to the next blank, which is stepped over too.
    #[inline]
    pub(super) fn word(&mut self) -> &'a [u8] {
        // Words are short: a loop beats a search by vectors.
        let end = self.rest.iter().position(|&byte| byte == b' ').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, b""));
        self.rest = rest.get(1..).unwrap_or(b"");
        word
    }

    /// A decimal number that fits `T`, and the blank after it.
    #[inline]
    pub(super) fn number<T: TryFrom<u32>>(&mut self) -> Option<T> {
        let mut trial = *self;
        let value = trial.digits()?;
        trial.blank()?;
        *self = trial;
        Some(value)
    }

    /// A decimal number that fits `T`.
    #[inline]
    pub(super) fn digits<T: TryFrom<u32>>(&mut self) -> Option<T> {
        let mut value: u64 = 0;
        let mut rest = self.rest;
        while let Some((digit, more)) = rest.split_first()
            && digit.is_ascii_digit()
        {
            value = value * 10 + u64::from(digit - b'0');
            if value > u64::from(u32::MAX) {
                return None;
            }
            rest = more;
        }
        if rest.len() == self.rest.len() {
            return None;
        }
        let value = T::try_from(u32::try_from(value).ok()?).ok()?;
        self.rest = rest;
        Some(value)
    }

    /// Exactly `N` hexadecimal digits.
    #[inline]
    pub(super) fn hex<const N: usize>(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_first_chunk::<N>()?;
        let value = hex_value(digits)?;
        self.rest = rest;
        Some(value)
    }

    /// A word of one to eight hexadecimal digits, and the blank after it.
    #[inline]
    pub(super) fn hex_number(&mut self) -> Option<u32> {
        let mut trial = *self;
        let value = hex_value(trial.word())?;
        *self = trial;
        Some(value)
    }

    /// An address written as the kernel writes it, and the blank after it.
    #[inline]
    pub(super) fn address(&mut self) -> Option<IpAddr> {
        let mut trial = *self;
        let word = trial.word();
        let address = match ipv4(word) {
            Some(address) => IpAddr::V4(address),
            None => IpAddr::V6(ipv6_full(word)?),
        };
        *self = trial;
        Some(address)
    }

    /// A hardware address of six octets.
    #[inline]
    pub(super) fn mac(&mut self) -> Option<Mac> {
        let (text, rest) = self.rest.split_first_chunk::<17>()?;
        let octets = colon_octets::<6>(text)?;
        self.rest = rest;
        Some(Mac(octets))
    }

    /// `N` octets in `LENGTH` bytes, and the blank after them.
    #[inline]
    pub(super) fn octets<const LENGTH: usize, const N: usize>(&mut self) -> Option<[u8; N]> {
        let (text, rest) = self.rest.split_first_chunk::<LENGTH>()?;
        let octets = colon_octets::<N>(text)?;
        self.rest = after_blank(rest)?;
        Some(octets)
    }
}

fn after_blank(rest: &[u8]) -> Option<&[u8]> {
    match rest.split_first() {
        None => Some(rest),
        Some((b' ', more)) => Some(more),
        Some(_) => None,
    }
}

/// The value of one to eight hexadecimal digits.
pub(super) fn hex_value(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits.iter().try_fold(0, |value: u32, &digit| Some((value << 4) | u32::from(nibble(digit)?)))
}

/// More digits than any header's options have.
const MOST_DIGITS: usize = 256;

/// The bytes that an even number of hexadecimal digits stand for.
pub(super) fn hex_bytes(digits: &[u8]) -> Option<Box<[u8]>> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) || digits.len() > MOST_DIGITS {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    for pair in digits.chunks_exact(2) {
        bytes.push(octet(pair)?);
    }
    Some(bytes.into_boxed_slice())
}

/// The value of decimal digits and nothing else.
pub(super) fn decimal<T: TryFrom<u32>>(word: &[u8]) -> Option<T> {
    let mut cursor = Cursor::new(word);
    let value = cursor.digits()?;
    cursor.rest().is_empty().then_some(value)
}

/// `N` octets of two digits each, joined by colons.
pub(super) fn colon_octets<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() + 1 != N * 3 {
        return None;
    }
    let mut octets = [0; N];
    for (place, group) in octets.iter_mut().zip(text.chunks(3)) {
        let (digits, colon) = group.split_at_checked(2)?;
        if !matches!(colon, b"" | b":") {
            return None;
        }
        *place = octet(digits)?;
    }
    Some(octets)
}

/// A dotted quad.
pub(super) fn ipv4(word: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut cursor = Cursor::new(word);
    for (place, octet) in octets.iter_mut().enumerate() {
        if place > 0 {
            cursor.eat(b".")?;
        }
        *octet = cursor.digits()?;
    }
    cursor.rest().is_empty().then(|| Ipv4Addr::from(octets))
}

/// Eight groups of four digits, the only way in which the kernel's log writes IPv6.
fn ipv6_full(word: &[u8]) -> Option<Ipv6Addr> {
    if word.len() != 39 {
        return None;
    }
    let mut groups = [0; 8];
    for (place, text) in groups.iter_mut().zip(word.chunks(5)) {
        let (digits, colon) = text.split_at_checked(4)?;
        if !matches!(colon, b"" | b":") {
            return None;
        }
        *place = u16::try_from(hex_value(digits)?).ok()?;
    }
    Some(Ipv6Addr::from(groups))
}

fn octet(digits: &[u8]) -> Option<u8> {
    match digits {
        [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
        _ => None,
    }
}

#[inline]
fn nibble(digit: u8) -> Option<u8> {
    match NIBBLES[usize::from(digit)] {
        NO_DIGIT => None,
        value => Some(value),
    }
}

const NO_DIGIT: u8 = 0xff;

/// The value of every byte as a hexadecimal digit.
static NIBBLES: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let digits = b"0123456789abcdef";
    let capitals = b"0123456789ABCDEF";
    let mut value = 0;
    while value < 16 {
        table[digits[value as usize] as usize] = value;
        table[capitals[value as usize] as usize] = value;
        value += 1;
    }
    table
};
