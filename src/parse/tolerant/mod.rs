//! The tolerant way: fields in any order, unknown words between them, an early end.
//!
//! What other kernels, vendors and tools print, in the same words:
//!
//! ```text
//! IN=eth0 OUT= MAC=… TAG=5 SRC=192.0.2.1 DST=192.0.2.2 LEN=40 TOS=00 PREC=0x00 TTL=64 ID=7 PROTO=TCP SPT=1 DPT=2 WINDOW=9 SYN
//! OUT=vmbr0 SRC=2001:db8::1 DST=2001:db8::2 LEN=40 TC=0 FLOWLBL=6 HOPLIMIT=64 PROTO=UDP SPT=1 DPT=2 LEN=8
//! IN=eth0 OUT= MAC=… <1>SRC=192.0.2.1 DST=192.0.2.2 <1>LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID=7 <1>PROTO=2
//! ```
//!
//! A key that occurs twice is told apart by its place: `LEN`, `ID` and `SEQ`
//! before and after `PROTO=`, `MACSRC` before and after `ARP`, and all of
//! them inside the brackets of an ICMP error.

mod arp;
mod link;
mod packet;
mod reading;
mod transport;
mod values;
mod words;

use crate::model::Header;
use packet::PacketDraft;
use reading::{Last, Reading};
use words::{Word, Words};

/// Reads a line from its first field on. Never fails; an empty header is one that says nothing.
pub(super) fn header(tail: &[u8]) -> Header {
    let reading = Reading::of(tail, Last::Kept);
    if !reading.ends_early() {
        return reading.into_header();
    }
    let reading = if reading.has_doubtful_end() {
        // The last value may have been longer: it would be a lie to show it.
        Reading::of(tail, Last::Doubted)
    } else {
        reading
    };
    Header { cut: true, ..reading.into_header() }
}

/// Where the first word stands that no field of this line can be.
///
/// Half a field name at the very end is the line's own: it was torn there.
pub(super) fn first_foreign_word(tail: &[u8]) -> Option<usize> {
    let mut reading = Reading::default();
    let mut words = Words::new(tail);
    loop {
        let before = words.offset();
        let word = words.next()?;
        if !reading.take(word) {
            if words.touches_end() && reading::is_half_a_word(word) {
                return None;
            }
            let blanks = tail.get(before..)?.iter().take_while(|b| b.is_ascii_whitespace());
            return Some(before + blanks.count());
        }
    }
}

/// Whether a text begins with `SRC=` and `DST=` and an address behind each.
pub(super) fn begins_with_addresses(text: &[u8]) -> bool {
    let mut draft = PacketDraft::default();
    let fields = Words::new(text).take(2).all(|word| match word {
        Word::Field(key, value) => draft.field(key, value),
        _ => false,
    });
    fields && draft.has_both_addresses()
}

/// Fills an empty place; `false` when it was full or there is nothing to fill it with.
fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    if place.is_some() || value.is_none() {
        return false;
    }
    *place = value;
    true
}
