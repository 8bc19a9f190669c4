//! Cuts a physical line where two records were written without a newline between them.
//!
//! ```text
//! <6>Nov 22 13:34:42 vm kernel: TRACE: … DPT=6379<4>Nov 22 13:34:42 vm kernel: [ 1687.924627] TRACE: …
//! ```
//!
//! rsyslog's forwarding templates end without a newline, so a file made with one is a single line.
//! Syslog over TCP writes the length of each record before it: `127 <4>1 2026-…`.

use super::calendar::month;
use super::facility::bracketed;
use super::scan::{number, two_digits};

/// Where the next glued record starts, if one does.
pub(super) fn next_record(line: &[u8]) -> Option<usize> {
    let after_first = line.get(1..)?;
    memchr::memchr_iter(b'<', after_first)
        .map(|at| at + 1)
        .find(|&at| line.get(at..).is_some_and(starts_record))
}

/// The length of a record that says its length, the number and its blank included.
pub(super) fn counted_record(line: &[u8]) -> Option<usize> {
    let (count, rest) = number(line)?;
    let record = rest.strip_prefix(b" ").filter(|record| starts_record(record))?;
    usize::try_from(count).ok()?.checked_add(line.len() - record.len())
}

/// `<pri>` and a date.
fn starts_record(text: &[u8]) -> bool {
    let Some((_, rest)) = bracketed(text) else { return false };
    let rest = rest.strip_prefix(b"1 ").unwrap_or(rest);
    is_iso_date(rest) || is_month_day(rest)
}

fn is_iso_date(text: &[u8]) -> bool {
    text.len() > 19
        && text.get(4) == Some(&b'-')
        && text.get(7) == Some(&b'-')
        && text.get(10) == Some(&b'T')
        && text.get(13) == Some(&b':')
        && two_digits(text).is_some()
}

fn is_month_day(text: &[u8]) -> bool {
    month(text).is_some_and(|(_, rest)| {
        rest.first() == Some(&b' ')
            && rest.get(3) == Some(&b' ')
            && rest.get(6) == Some(&b':')
            && rest.get(9) == Some(&b':')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_priority_with_a_date_starts_a_record() {
        assert_eq!(
            next_record(b"<6>Nov 22 13:34:42 vm kernel: x<4>Nov 22 13:34:42 vm kernel: y"),
            Some(31)
        );
        assert_eq!(next_record(b"MAC=<12>2026-11-22T13:34:44.702366+00:00 vm"), Some(4));
        assert_eq!(next_record(b"x<4>1 2026-11-22T13:34:44.702366+00:00 vm"), Some(1));
        assert_eq!(next_record(b"<6>Nov 22 13:34:42 vm kernel: a < b <4>IN="), None);
        assert_eq!(next_record(b""), None);
    }

    #[test]
    fn counted_records_tell_their_end() {
        assert_eq!(counted_record(b"35 <4>1 2026-11-22T13:34:42Z vm k - - - a40 <4>1"), Some(38));
        assert_eq!(counted_record(b"35 <4>IN=eth0"), None);
    }
}
