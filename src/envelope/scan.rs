//! Small steps over bytes: numbers, tokens, fractions. Nothing here can run past the end.

/// Reads leading decimal digits. `None` when there are none or the number is too large.
pub(super) fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    let mut used = 0;
    for byte in text {
        if !byte.is_ascii_digit() {
            break;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
        used += 1;
    }
    (used > 0).then(|| (value, text.get(used..).unwrap_or_default()))
}

/// Reads a whole text as one number.
pub(super) fn whole_number(text: &[u8]) -> Option<u64> {
    number(text).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
}

/// Reads exactly two digits at the start.
pub(super) fn two_digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let ([a, b], rest) = text.split_first_chunk::<2>()?;
    (a.is_ascii_digit() && b.is_ascii_digit())
        .then(|| (u32::from(a - b'0') * 10 + u32::from(b - b'0'), rest))
}

/// Reads the digits after a decimal point as microseconds; more than six are cut, not rounded.
pub(super) fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let mut micros = 0;
    let mut used = 0;
    for byte in text {
        if !byte.is_ascii_digit() {
            break;
        }
        if used < 6 {
            micros = micros * 10 + u32::from(byte - b'0');
        }
        used += 1;
    }
    for _ in used..6 {
        micros *= 10;
    }
    (used > 0).then(|| (micros, text.get(used..).unwrap_or_default()))
}

/// Reads `seconds.fraction` as microseconds.
pub(super) fn seconds(text: &[u8]) -> Option<(u64, &[u8])> {
    let (whole, rest) = number(text)?;
    let (micros, rest) = fraction(rest.strip_prefix(b".")?)?;
    Some((whole.checked_mul(1_000_000)?.checked_add(u64::from(micros))?, rest))
}

/// Splits off the text up to the next blank; the rest keeps the blank.
pub(super) fn token(text: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b' ', text).unwrap_or(text.len());
    text.split_at(end)
}

/// Drops leading blanks.
pub(super) fn skip_blanks(text: &[u8]) -> &[u8] {
    let used = text.iter().take_while(|&&byte| byte == b' ').count();
    text.get(used..).unwrap_or_default()
}

/// Reads a 128-bit id written as 32 hexadecimal digits.
pub(super) fn id128(text: &[u8]) -> Option<[u8; 16]> {
    let mut id = [0; 16];
    if text.len() != 32 {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(text.chunks_exact(2)) {
        *byte = hex(pair)?;
    }
    Some(id)
}

/// Reads two hexadecimal digits.
pub(super) fn hex(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_of_any_length_become_microseconds() {
        assert_eq!(fraction(b"5] x"), Some((500_000, b"] x".as_slice())));
        assert_eq!(fraction(b"123456789Z"), Some((123_456, b"Z".as_slice())));
        assert_eq!(fraction(b"Z"), None);
        assert_eq!(seconds(b"99999999999999999999.1"), None);
    }
}
