//! What dmesg, `/proc/kmsg` and the kernel itself put before a text: bracketed stamps in all modes.
//!
//! ```text
//! [ 1501.098037] P                          dmesg; the kernel's own stamp in syslog files
//! [ 1501.098037][  T123] P                  with the caller
//! [ 1501.098037 <    0.000002>] P           -d
//! [Sun Nov 22 13:27:05 2026] P              -T
//! [Sun Nov 22 13:27:05 2026 <    0.000002>] P
//! [<    0.000002>] P                        --time-format delta
//! [Nov22 13:27] P   and   [  +0.000002] P   -e, -H: minute marks, and steps since the last line
//! [ 1615.001866 <    0.162214 >] vm kernel: P     journalctl -o short-delta
//! ```

use super::clock::Clock;
use super::scan::{number, seconds, skip_blanks};
use crate::model::{Stamp, Uptime};

/// Reads the kernel's stamp, a step and a caller that may follow it; the rest keeps its blank.
pub(super) fn kernel_stamp(text: &[u8]) -> Option<(Uptime, &[u8])> {
    let (uptime, rest) = seconds(skip_blanks(text.strip_prefix(b"[")?))?;
    let rest = match rest.split_first()? {
        (b']', rest) => rest,
        _ => tail(rest)?,
    };
    Some((Uptime(uptime), caller(rest).unwrap_or(rest)))
}

/// Reads any bracketed stamp. The ones that only tell a step leave both clocks empty.
pub(super) fn stamp<'a>(clock: &mut Clock, text: &'a [u8]) -> Option<(Stamp, &'a [u8])> {
    if let Some((uptime, rest)) = kernel_stamp(text) {
        return Some((Stamp { wall: None, uptime: Some(uptime) }, rest));
    }
    let inner = text.strip_prefix(b"[")?;
    if let Some(step) = skip_blanks(inner).strip_prefix(b"+") {
        let (step, rest) = seconds(skip_blanks(step))?;
        let rest = rest.strip_prefix(b"]")?;
        return Some((Stamp { wall: clock.after_mark(step), uptime: None }, rest));
    }
    if inner.first() == Some(&b'<') {
        return Some((Stamp::default(), tail(inner)?));
    }
    if let Some(stamped) = clock.ctime(inner) {
        return Some((Stamp { wall: stamped.wall, uptime: None }, tail(stamped.rest)?));
    }
    let end = memchr::memchr(b']', inner).filter(|end| (11..=12).contains(end))?;
    let (mark, rest) = inner.split_at_checked(end)?;
    let stamped = clock.minute_mark(mark).filter(|stamped| stamped.rest.is_empty())?;
    Some((Stamp { wall: stamped.wall, uptime: None }, rest.get(1..)?))
}

/// The end of a bracket: blanks, perhaps a step in angle brackets, perhaps a processor (`,0`), then `]`.
fn tail(text: &[u8]) -> Option<&[u8]> {
    let text = match text.strip_prefix(b",") {
        Some(processor) => number(processor)?.1,
        None => skip_blanks(text),
    };
    let text = match text.strip_prefix(b"<") {
        Some(step) => skip_blanks(skip_blanks(seconds(skip_blanks(step))?.1).strip_prefix(b">")?),
        None => text,
    };
    text.strip_prefix(b"]")
}

/// `[  T123]` or `[    C1]`.
fn caller(text: &[u8]) -> Option<&[u8]> {
    let inner = skip_blanks(text.strip_prefix(b"[")?);
    let (b'T' | b'C', digits) = inner.split_first()? else { return None };
    number(digits)?.1.strip_prefix(b"]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_stamps_of_all_widths() {
        for (text, micros) in [
            ("[ 1501.098037] P", 1_501_098_037),
            ("[50028442.088484] P", 50_028_442_088_484),
            ("[ 10.5] P", 10_500_000),
            ("[ 1501.098037][  T123] P", 1_501_098_037),
            ("[ 1501.098037][    C1] P", 1_501_098_037),
            ("[ 1501.098037,0] P", 1_501_098_037),
            ("[ 1501.098037 <    0.000002>] P", 1_501_098_037),
            ("[ 1501.098037                ] P", 1_501_098_037),
            ("[ 1501.098037 <    0.162214 >] P", 1_501_098_037),
        ] {
            assert_eq!(
                kernel_stamp(text.as_bytes()),
                Some((Uptime(micros), b" P".as_slice())),
                "{text}"
            );
        }
        for text in ["[1501] P", "[UFW BLOCK] IN=", "[1501.1", "[206B blob data]", "[1.2 x] P", "["]
        {
            assert_eq!(kernel_stamp(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_bracket_behind_the_stamp_is_text_unless_it_is_a_caller() {
        let rest = kernel_stamp(b"[ 1.000000][WAN_IN-D]IN=eth0").unwrap().1;
        assert_eq!(rest, b"[WAN_IN-D]IN=eth0");
    }
}
