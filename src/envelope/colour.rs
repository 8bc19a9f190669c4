//! Colour sequences that dmesg and journalctl put around their text.
//!
//! ```text
//! ESC[32m[ 1501.098037] ESC[0mESC[33mTRACE: ESC[0mESC[1msecurity:INPUT:policy:1 …ESC[0m
//! ```
//!
//! Taken off only where a line begins with one: inside a plain line the same bytes can be part of
//! an interface's name.

/// The length of a colour sequence at the start of `text`.
fn sequence(text: &[u8]) -> Option<usize> {
    let inner = text.strip_prefix(b"\x1b[")?;
    let length = inner.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
    (inner.get(length) == Some(&b'm')).then_some(length + 3)
}

/// Whether `text` begins in colour.
pub(super) fn begins(text: &[u8]) -> bool {
    sequence(text).is_some()
}

/// Copies `text` without colour sequences.
pub(super) fn strip(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(0x1b, text) {
        let (plain, rest) = text.split_at(at);
        out.extend_from_slice(plain);
        let length = sequence(rest).unwrap_or(0);
        if length == 0 {
            out.push(0x1b);
        }
        text = rest.get(length.max(1)..).unwrap_or_default();
    }
    out.extend_from_slice(text);
}

/// The text inside a colour that spans it whole, as journalctl marks warnings.
pub(super) fn inside(text: &[u8]) -> &[u8] {
    let (mut inner, mut coloured) = (text, false);
    while let Some(length) = sequence(inner) {
        inner = inner.get(length..).unwrap_or_default();
        coloured = true;
    }
    match inner.strip_suffix(b"\x1b[0m") {
        Some(inner) if coloured => inner,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_sequences_go() {
        let mut out = Vec::new();
        strip(b"\x1b[32m[ 1.5] \x1b[0m\x1b[33ma: \x1b[0;1;38;5;185mb\x1b[0m\x1b]x\x1b[3", &mut out);
        assert_eq!(out, b"[ 1.5] a: b\x1b]x\x1b[3");
        assert_eq!(inside(b"\x1b[0;1mIN=eth0\x1b[0m"), b"IN=eth0");
        assert_eq!(inside(b"\x1b[0;1mIN=eth0"), b"\x1b[0;1mIN=eth0");
    }
}
