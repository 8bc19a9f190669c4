//! The names and numbers of syslog facilities and levels.
//!
//! ```text
//! <4>         <134>          kern.warn          kern  :warn  :
//! ```

use super::scan::number;

/// Facility and level of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Priority {
    /// 0 is the kernel.
    pub(super) facility: u8,
    /// 0 (emergency) to 7 (debug).
    pub(super) level: u8,
}

impl Priority {
    /// Takes a priority number apart. Facilities past 255, which nobody defines, become 255.
    pub(super) fn from_number(number: u64) -> Self {
        Self {
            facility: u8::try_from(number >> 3).unwrap_or(u8::MAX),
            level: u8::try_from(number & 7).unwrap_or(0),
        }
    }
}

/// Reads `<n>` at the start.
pub(super) fn bracketed(text: &[u8]) -> Option<(Priority, &[u8])> {
    let (value, rest) = number(text.strip_prefix(b"<")?)?;
    let rest = rest.strip_prefix(b">")?;
    (text.len() - rest.len() <= 5).then(|| (Priority::from_number(value), rest))
}

/// Reads a whole word `facility.level`.
pub(super) fn dotted(word: &[u8]) -> Option<Priority> {
    let dot = memchr::memchr(b'.', word)?;
    let (facility_name, level_name) = word.split_at_checked(dot)?;
    Some(Priority { facility: facility(facility_name)?, level: level(level_name.get(1..)?)? })
}

/// Reads dmesg's `kern  :warn  : ` at the start; what follows starts behind the last blank.
pub(super) fn columns(text: &[u8]) -> Option<(Priority, &[u8])> {
    let (first, rest) = column(text)?;
    let facility = facility(first)?;
    let (second, rest) = column(rest)?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    Some((Priority { facility, level: level(second)? }, rest))
}

/// A word, blanks, a colon.
fn column(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().take(10).position(|byte| !byte.is_ascii_alphanumeric())?;
    let (word, rest) = text.split_at_checked(end)?;
    Some((word, super::scan::skip_blanks(rest).strip_prefix(b":")?))
}

/// A facility's number.
pub(super) fn facility(name: &[u8]) -> Option<u8> {
    Some(match name {
        b"kern" => 0,
        b"user" => 1,
        b"mail" => 2,
        b"daemon" => 3,
        b"auth" | b"security" => 4,
        b"syslog" => 5,
        b"lpr" => 6,
        b"news" => 7,
        b"uucp" => 8,
        b"cron" => 9,
        b"authpriv" => 10,
        b"ftp" => 11,
        b"ntp" => 12,
        b"local0" => 16,
        b"local1" => 17,
        b"local2" => 18,
        b"local3" => 19,
        b"local4" => 20,
        b"local5" => 21,
        b"local6" => 22,
        b"local7" => 23,
        _ => return None,
    })
}

/// A level's number.
pub(super) fn level(name: &[u8]) -> Option<u8> {
    Some(match name {
        b"emerg" | b"panic" => 0,
        b"alert" => 1,
        b"crit" => 2,
        b"err" | b"error" => 3,
        b"warn" | b"warning" => 4,
        b"notice" => 5,
        b"info" => 6,
        b"debug" => 7,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_gives_the_same_numbers() {
        let warn = Priority { facility: 0, level: 4 };
        assert_eq!(bracketed(b"<4>x"), Some((warn, b"x".as_slice())));
        assert_eq!(dotted(b"kern.warn"), Some(warn));
        assert_eq!(columns(b"kern  :warn  : x"), Some((warn, b"x".as_slice())));
        assert_eq!(columns(b"authpriv:notice: x").unwrap().0, Priority { facility: 10, level: 5 });
        assert_eq!(bracketed(b"<1234>x"), None);
        assert_eq!(dotted(b"host.example"), None);
        assert_eq!(Priority::from_number(u64::MAX).facility, 255);
    }
}
