//! Finds where the prefix ends and the fields begin.
//!
//! ```text
//! with "quotes" IN=x OUT=y IN=eth0 OUT= MAC=…     the last `IN=… OUT=…` begins the fields
//! DROP: OUT=vmbr0 SRC=10.0.0.1 DST=10.0.0.2 …     other producers leave empty devices out
//! ```

use memchr::memmem;

use crate::parse::cursor::Cursor;
use crate::parse::tolerant;

/// No device name is longer, by far; bounds the search in hostile lines.
const LONGEST_NAME: usize = 64;

/// No two addresses are longer; bounds the search as well.
const LONGEST_ADDRESSES: usize = 128;

/// How far before `SRC=` the devices of a line may stand.
const LONGEST_LINK: usize = 512;

/// The first `IN=`; right for every line whose prefix does not hold one.
#[inline]
pub(super) fn first_in(payload: &[u8]) -> Option<usize> {
    for equals in memchr::memchr_iter(b'=', payload) {
        let Some(before) = payload.get(..equals) else { break };
        if before.ends_with(b"IN") {
            let start = equals.checked_sub(2)?;
            return Some(start + last_in_of_word(payload.get(start..)?));
        }
    }
    None
}

/// `FWIN=IN=eth0`: within one word the last `IN=` counts.
fn last_in_of_word(text: &[u8]) -> usize {
    name_window(text).windows(3).rposition(|bytes| bytes == b"IN=").unwrap_or(0)
}

/// The bytes up to the next blank, or as many as a device name could ever have.
fn name_window(text: &[u8]) -> &[u8] {
    let window = text.get(..LONGEST_NAME).unwrap_or(text);
    let end = window.iter().position(u8::is_ascii_whitespace).unwrap_or(window.len());
    window.get(..end).unwrap_or(window)
}

/// One `IN=… OUT=…`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Devices {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Every `IN=… OUT=…` of a line, in order.
pub(super) fn devices(payload: &[u8]) -> impl Iterator<Item = Devices> {
    memmem::find_iter(payload, b"IN=").filter_map(move |start| {
        let input = name_window(payload.get(start..)?).len();
        let after = payload.get(start + input..)?;
        let blanks = after.iter().take_while(|&&byte| byte == b' ').count();
        let output = name_window(after.get(blanks..)?);
        (blanks > 0 && output.starts_with(b"OUT="))
            .then_some(Devices { start, end: start + input + blanks + output.len() })
    })
}

/// Where the fields begin: at the last `IN=… OUT=…`.
pub(super) fn fields(payload: &[u8]) -> Option<usize> {
    devices(payload).last().map(|devices| devices.start)
}

/// Where the fields of a line begin that does not have both devices.
pub(super) fn loose_fields(payload: &[u8]) -> Option<usize> {
    let source = memmem::find_iter(payload, b"SRC=").find(|&at| has_addresses(payload, at))?;
    let from = source.saturating_sub(LONGEST_LINK);
    let before = payload.get(from..source)?;
    let keys: [&[u8]; 4] = [b"IN=", b"OUT=", b"PHYSIN=", b"MAC="];
    let found = keys.iter().find_map(|key| last_key(before, key));
    Some(found.map_or(source, |at| from + at))
}

/// Whether `SRC=` is followed by an address and `DST=` with another.
fn has_addresses(payload: &[u8], at: usize) -> bool {
    let quoted = at.checked_sub(1).and_then(|before| payload.get(before)) == Some(&b'[');
    let text = payload.get(at..).unwrap_or_default();
    let window = text.get(..LONGEST_ADDRESSES).unwrap_or(text);
    !quoted && tolerant::begins_with_addresses(window)
}

/// The last place where `key` begins a word.
fn last_key(text: &[u8], key: &[u8]) -> Option<usize> {
    memmem::rfind_iter(text, key).find(|&at| begins_word(text, at))
}

fn begins_word(text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| text.get(before));
    before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
}

/// Whether a line has any key without which it cannot be netfilter's.
pub(super) fn has_signs(payload: &[u8]) -> bool {
    const SIGNS: [&[u8]; 11] = [
        b"IN",
        b"OUT",
        b"SRC",
        b"DST",
        b"source ",
        b"dest ",
        b"tos",
        b"priority",
        b"TTL",
        b"HOPLIMIT",
        b"WINDOW",
    ];
    memchr::memchr_iter(b'=', payload).any(|equals| {
        let before = payload.get(..equals).unwrap_or_default();
        SIGNS.iter().any(|sign| before.ends_with(sign))
    })
}

/// Whether a line has the words that only netfilter's lines begin with.
pub(super) fn looks_like_netfilter(payload: &[u8]) -> bool {
    has_all(payload, &[b"IN=", b"OUT="]) || has_all(payload, &[b"MAC source ="])
}

/// Whether a line is a piece out of the middle of one: kernels that print each field by itself
/// leave such pieces, and so do writers that die.
pub(super) fn looks_like_a_middle(payload: &[u8]) -> bool {
    const SETS: [&[&[u8]]; 8] = [
        &[b"TOS=0x", b"PREC=0x", b"TTL="],
        &[b"SRC=", b"DST="],
        &[b"MACDST=", b"IPDST="],
        &[b"HOPLIMIT=", b"FLOWLBL="],
        &[b"WINDOW=", b"URGP="],
        &[b"MAC dest =", b"proto = 0x"],
        &[b"IP tos=0x", b"IP proto="],
        &[b"IPv6 priority=0x", b"Next Header="],
    ];
    SETS.iter().any(|set| has_all(payload, set))
}

/// Whether a line ends between `IN=` and `OUT=`.
pub(super) fn ends_in_devices(payload: &[u8]) -> bool {
    let Some(at) = last_key(payload, b"IN=") else { return false };
    let rest = payload.get(at..).unwrap_or_default();
    let after = rest.get(name_window(rest).len()..).unwrap_or_default();
    after.len() < b" OUT=".len() && b" OUT=".starts_with(after)
}

/// Whether every one of `keys` begins a word somewhere.
fn has_all(payload: &[u8], keys: &[&[u8]]) -> bool {
    keys.iter().all(|key| last_key(payload, key).is_some())
}

/// `PACKET: 2 2d66b5b7 …` of `xtables-monitor`: netlink's text, not the log's.
pub(super) fn is_monitor_text(payload: &[u8]) -> bool {
    let mut cursor = Cursor::new(payload.trim_ascii_start());
    let begins = cursor.eat(b"PACKET: ").or_else(|| cursor.eat(b"TRACE: "));
    begins.is_some()
        && cursor.number::<u8>().is_some()
        && cursor.hex::<8>().is_some()
        && cursor.rest().starts_with(b" ")
}
