//! Reads the date stamps of all envelopes as microseconds UTC, remembering the last minute read.
//!
//! ```text
//! Nov 22 13:34:42            Nov 22 13:28:59.947697        Nov 22 2026 13:00:00
//! 2026-11-22T13:34:42.707639+00:00   2026-11-22T13:27:05,098037+00:00   2026-11-22 13:34:42.123
//! Sun Nov 22 13:27:05 2026   Sun 2026-11-22 13:28:59.947697 UTC         Nov22 13:27
//! ```
//!
//! Lines of one minute share all but their seconds, so the bytes of the minute are compared
//! with the last ones before anything is computed.

use super::calendar::{Date, MINUTE, date_of, month, month_word};
use super::scan::{fraction, number, skip_blanks, token, two_digits};
use super::years::Years;
use super::zone::Timezone;
use crate::model::WallTime;

/// A stamp that was read, and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamped<'a> {
    /// `None` when the year is not known.
    pub(super) wall: Option<WallTime>,
    /// The text after the stamp.
    pub(super) rest: &'a [u8],
    /// The fraction stood after a comma, as dmesg writes it.
    pub(super) comma: bool,
}

/// Reads stamps of one source.
#[derive(Debug)]
pub(super) struct Clock {
    zone: Timezone,
    years: Years,
    /// `Nov 22 13:34` and its moment.
    short: ([u8; 12], Option<i64>),
    /// `2026-11-22T13:34` and its moment as local time.
    iso: ([u8; 16], i64),
    /// A local minute and its moment.
    minute: (i64, i64),
    /// dmesg's last minute mark, and the time that the relative stamps after it add up to.
    mark: Option<i64>,
    since_mark: i64,
}

impl Clock {
    pub(super) fn new(zone: Timezone, year: Option<i32>, newest: Option<WallTime>) -> Self {
        Self {
            zone,
            years: Years::new(year, newest.map(|time| time.0)),
            short: ([0; 12], None),
            iso: ([0; 16], 0),
            minute: (i64::MIN, 0),
            mark: None,
            since_mark: 0,
        }
    }

    /// Whether any stamp so far got an inferred year.
    pub(super) fn year_was_inferred(&self) -> bool {
        self.years.inferred()
    }

    /// `Nov 22 13:34:42`, perhaps with a fraction or a year.
    pub(super) fn month_day<'a>(&mut self, text: &'a [u8]) -> Option<Stamped<'a>> {
        if let Some((stamp, rest)) = text.split_first_chunk::<15>()
            && stamp.starts_with(&self.short.0)
            && stamp.get(12) == Some(&b':')
            && let Some((seconds, _)) = two_digits(&stamp[13..])
            && trailing_year(rest).is_none()
        {
            return Some(with_seconds(self.short.1, seconds, rest));
        }
        let (month, after) = month_word(text)?;
        let (day, after) = day(after)?;
        let after = after.strip_prefix(b" ")?;
        let (leading_year, after) = match year(after) {
            Some((year, rest)) => (Some(year), rest.strip_prefix(b" ")?),
            None => (None, after),
        };
        let (hour, minute, seconds, rest) = time_of_day(after)?;
        let within_day = i64::from(hour * 60 + minute) * MINUTE;
        let trailing = trailing_year(rest);
        let base = match leading_year.or(trailing.map(|(year, _)| year)) {
            Some(year) => {
                let local = Date { year, month, day }.micros() + within_day;
                self.years.note_full_stamp(local);
                Some(self.utc(local))
            }
            None => self.years.year_of(month, day, within_day).map(|year| {
                let local = Date { year, month, day }.micros() + within_day;
                self.utc(local)
            }),
        };
        let year_free = leading_year.is_none() && trailing.is_none();
        if year_free
            && let Some(stamp) = text.first_chunk::<12>()
            && stamp[3] == b' '
            && stamp[6] == b' '
        {
            self.short = (*stamp, base);
        }
        let rest = trailing.map_or(rest, |(_, rest)| rest);
        Some(with_seconds(base, seconds, rest))
    }

    /// `2026-11-22T13:34:42.707639+00:00` and its variants; must be followed by a blank or nothing.
    pub(super) fn iso<'a>(&mut self, text: &'a [u8]) -> Option<Stamped<'a>> {
        let (stamp, rest) = text.split_first_chunk::<16>()?;
        if *stamp != self.iso.0 {
            let local = iso_minute(stamp)?;
            self.iso = (*stamp, local);
            self.years.note_full_stamp(local);
        }
        let (seconds, rest) = two_digits(rest.strip_prefix(b":")?)?;
        if seconds > 60 {
            return None;
        }
        let comma = rest.first() == Some(&b',');
        let (micros, rest) = match rest.split_first() {
            Some((b'.' | b',', digits)) => fraction(digits)?,
            _ => (0, rest),
        };
        let local = self.iso.1 + i64::from(seconds) * 1_000_000 + i64::from(micros);
        let (wall, rest) = match zone(rest) {
            Some((east, rest)) => (local - east * 1_000_000, rest),
            None => self.zone_after_blank(rest, local),
        };
        matches!(rest.first(), None | Some(b' ' | b'\t')).then_some(Stamped {
            wall: Some(WallTime(wall)),
            rest,
            comma,
        })
    }

    /// `Sun Nov 22 13:27:05 2026`; the weekday may be in any language.
    pub(super) fn ctime<'a>(&mut self, text: &'a [u8]) -> Option<Stamped<'a>> {
        let (month, after) = month_word(after_weekday(text)?)?;
        let (day, after) = day(after)?;
        let (hour, minute, seconds, after) = time_of_day(after.strip_prefix(b" ")?)?;
        let (year, rest) = year(after.strip_prefix(b" ")?)?;
        let local = Date { year, month, day }.micros() + i64::from(hour * 60 + minute) * MINUTE;
        self.years.note_full_stamp(local);
        Some(with_seconds(Some(self.utc(local)), seconds, rest))
    }

    /// `Sun 2026-11-22 13:28:59.947697 UTC`, as journalctl's long modes have it.
    pub(super) fn weekday_iso<'a>(&mut self, text: &'a [u8]) -> Option<Stamped<'a>> {
        let after = after_weekday(text)?;
        let (stamp, rest) = after.split_first_chunk::<16>()?;
        let minute = iso_minute(stamp)?;
        let (seconds, rest) = two_digits(rest.strip_prefix(b":")?)?;
        let (micros, rest) = match rest.strip_prefix(b".") {
            Some(digits) => fraction(digits)?,
            None => (0, rest),
        };
        let (name, rest) = token(rest.strip_prefix(b" ")?);
        let local = minute + i64::from(seconds) * 1_000_000 + i64::from(micros);
        self.years.note_full_stamp(local);
        let wall = match zone(name) {
            Some((east, b"")) => local - east * 1_000_000,
            _ => self.zone.to_utc_as(name, local),
        };
        Some(Stamped { wall: Some(WallTime(wall)), rest, comma: false })
    }

    /// `20/Jun/2022:13:09:14 +0200`, as web servers and Proxmox write it.
    pub(super) fn slashed<'a>(&mut self, text: &'a [u8]) -> Option<Stamped<'a>> {
        let (day, after) = two_digits(text)?;
        let (month, after) = month(after.strip_prefix(b"/")?)?;
        let (year, after) = year(after.strip_prefix(b"/")?)?;
        let (hour, minute, seconds, after) = time_of_day(after.strip_prefix(b":")?)?;
        let (east, rest) = zone(after.strip_prefix(b" ")?)?;
        let local = Date { year, month, day }.micros() + i64::from(hour * 60 + minute) * MINUTE;
        self.years.note_full_stamp(local);
        Some(with_seconds(Some(local - east * 1_000_000), seconds, rest))
    }

    /// dmesg's minute mark `Nov22 13:27`. What follows is counted from it.
    pub(super) fn minute_mark<'a>(&mut self, text: &'a [u8]) -> Option<Stamped<'a>> {
        let (month, after) = month(text)?;
        let (day, after) = day(after)?;
        let (hour, after) = two_digits(after.strip_prefix(b" ")?)?;
        let (minute, rest) = two_digits(after.strip_prefix(b":")?)?;
        if hour > 23 || minute > 59 {
            return None;
        }
        let within_day = i64::from(hour * 60 + minute) * MINUTE;
        let year = self.years.year_of(month, day, within_day);
        self.mark = year.map(|year| self.utc(Date { year, month, day }.micros() + within_day));
        self.since_mark = 0;
        Some(Stamped { wall: self.mark.map(WallTime), rest, comma: false })
    }

    /// The time of a line that came `micros` after the line before it; `None` without a minute mark.
    pub(super) fn after_mark(&mut self, micros: u64) -> Option<WallTime> {
        let mark = self.mark?;
        self.since_mark = self.since_mark.saturating_add(i64::try_from(micros).unwrap_or(i64::MAX));
        Some(WallTime(mark.saturating_add(self.since_mark)))
    }

    /// Local minute to UTC, through the one-minute memory.
    fn utc(&mut self, local: i64) -> i64 {
        if self.minute.0 != local {
            self.minute = (local, self.zone.to_utc(local));
        }
        self.minute.1
    }

    /// A zone that stands apart (` +0100`, ` UTC`), else the zone of the source.
    fn zone_after_blank<'a>(&mut self, rest: &'a [u8], local: i64) -> (i64, &'a [u8]) {
        if let Some(after) = rest.strip_prefix(b" ") {
            let (name, behind) = token(after);
            if matches!(name, b"UTC" | b"GMT") {
                return (local, behind);
            }
            if let Some((east, b"")) = zone(name).filter(|_| name.len() >= 5) {
                return (local - east * 1_000_000, behind);
            }
        }
        let within = local.rem_euclid(MINUTE);
        (self.utc(local - within) + within, rest)
    }
}

/// Adds seconds and a fraction, if one follows, to a minute.
fn with_seconds(minute: Option<i64>, seconds: u32, rest: &[u8]) -> Stamped<'_> {
    let (micros, rest) = match rest.split_first() {
        Some((b'.' | b',', digits)) => fraction(digits).unwrap_or((0, rest)),
        _ => (0, rest),
    };
    let wall = minute.map(|minute| {
        WallTime(minute.saturating_add(i64::from(seconds) * 1_000_000 + i64::from(micros)))
    });
    Stamped { wall, rest, comma: false }
}

/// One or two digits, the first perhaps a blank.
fn day(text: &[u8]) -> Option<(u32, &[u8])> {
    let (day, rest) = number(text.strip_prefix(b" ").unwrap_or(text))?;
    (1..=31).contains(&day).then_some((u32::try_from(day).ok()?, rest))
}

/// Four digits.
fn year(text: &[u8]) -> Option<(i32, &[u8])> {
    let (high, rest) = two_digits(text)?;
    let (low, rest) = two_digits(rest)?;
    let year = i32::try_from(high * 100 + low).ok()?;
    (year > 0).then_some((year, rest))
}

/// A plausible year between the time of day and the host: ` 2026 host`.
fn trailing_year(rest: &[u8]) -> Option<(i32, &[u8])> {
    let (year, rest) = year(rest.strip_prefix(b" ")?)?;
    ((1970..2200).contains(&year) && rest.first() == Some(&b' ')).then_some((year, rest))
}

/// `13:34:42`.
fn time_of_day(text: &[u8]) -> Option<(u32, u32, u32, &[u8])> {
    let (hour, rest) = two_digits(text)?;
    let (minute, rest) = two_digits(rest.strip_prefix(b":")?)?;
    let (seconds, rest) = two_digits(rest.strip_prefix(b":")?)?;
    (hour < 24 && minute < 60 && seconds <= 60).then_some((hour, minute, seconds, rest))
}

/// `2026-11-22T13:34` as local time.
fn iso_minute(stamp: &[u8; 16]) -> Option<i64> {
    let (year, rest) = year(stamp)?;
    let (month, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let (day, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let (b'T' | b't' | b' ', rest) = rest.split_first()? else { return None };
    let (hour, rest) = two_digits(rest)?;
    let (minute, _) = two_digits(rest.strip_prefix(b":")?)?;
    let plausible =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    plausible.then(|| Date { year, month, day }.micros() + i64::from(hour * 60 + minute) * MINUTE)
}

/// `Z`, `+00:00`, `+0000` or `+00`, as seconds east.
fn zone(text: &[u8]) -> Option<(i64, &[u8])> {
    let (sign, rest) = match text.split_first()? {
        (b'Z' | b'z', rest) => return Some((0, rest)),
        (b'+', rest) => (1, rest),
        (b'-', rest) => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = two_digits(rest)?;
    let (minutes, rest) = two_digits(rest.strip_prefix(b":").unwrap_or(rest)).unwrap_or((0, rest));
    (hours < 24 && minutes < 60).then(|| (sign * i64::from(hours * 60 + minutes) * 60, rest))
}

/// The text behind a weekday and its blank. A weekday is a short word without digits.
fn after_weekday(text: &[u8]) -> Option<&[u8]> {
    let (word, rest) =
        text.split_at_checked(text.iter().take(12).position(|&byte| byte == b' ')?)?;
    let is_word = word.len() >= 2
        && word.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80 || *byte == b'.');
    is_word.then(|| skip_blanks(rest))
}

/// Microseconds of the text before `.`: used by stamps that count seconds since 1970.
pub(super) fn unix(text: &[u8]) -> Option<(WallTime, &[u8])> {
    let (micros, rest) = super::scan::seconds(text)?;
    let micros = i64::try_from(micros).ok()?;
    // Nine to eleven digits of seconds: 1973 to the year 5138.
    let plausible = (100_000_000_000_000..100_000_000_000_000_000).contains(&micros);
    (plausible && date_of(micros).year < 5139).then_some((WallTime(micros), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::new(Timezone::Utc, Some(2026), None)
    }

    /// 2026-11-22 13:34:42 UTC.
    const AT: i64 = 1_795_354_482_000_000;

    #[test]
    fn all_shapes_give_the_same_moment() {
        let mut clock = clock();
        for text in [
            "Nov 22 13:34:42 h",
            "Nov 22 2026 13:34:42 h",
            "Nov 22 13:34:42 2026 h",
            "nov 22 13:34:42 h",
        ] {
            let stamped = clock.month_day(text.as_bytes()).unwrap();
            assert_eq!(
                (stamped.wall, stamped.rest),
                (Some(WallTime(AT)), b" h".as_slice()),
                "{text}"
            );
        }
        for text in [
            "2026-11-22T13:34:42Z h",
            "2026-11-22T14:34:42+0100 h",
            "2026-11-22T08:04:42-05:30 h",
            "2026-11-22 13:34:42 h",
            "2026-11-22 13:34:42 UTC h",
            "2026-11-22 14:34:42 +0100 h",
        ] {
            let stamped = clock.iso(text.as_bytes()).unwrap();
            assert_eq!(
                (stamped.wall, stamped.rest),
                (Some(WallTime(AT)), b" h".as_slice()),
                "{text}"
            );
        }
        let ctime = clock.ctime(b"Sun Nov 22 13:34:42 2026]").unwrap();
        assert_eq!((ctime.wall, ctime.rest), (Some(WallTime(AT)), b"]".as_slice()));
        let long = clock.weekday_iso(b"So 2026-11-22 13:34:42.000001 UTC h").unwrap();
        assert_eq!(long.wall, Some(WallTime(AT + 1)));
        assert_eq!(
            clock.slashed(b"22/Nov/2026:15:34:42 +0200 x").unwrap().wall,
            Some(WallTime(AT))
        );
        assert_eq!(unix(b"1795354482.000000 h").unwrap().0, WallTime(AT));
    }

    #[test]
    fn the_remembered_minute_is_the_same_minute() {
        let mut clock = clock();
        for (text, after) in [
            ("Nov 22 13:34:42 h", 0),
            ("Nov 22 13:34:43.5 h", 1_500_000),
            ("Nov 22 13:35:00 h", 18_000_000),
        ] {
            assert_eq!(clock.month_day(text.as_bytes()).unwrap().wall, Some(WallTime(AT + after)));
        }
    }

    #[test]
    fn what_is_no_stamp_is_refused() {
        let mut clock = clock();
        for text in ["Nov 32 13:34:42 h", "Nov 22 24:00:00 h", "Nov 22 13:34 h", "Nov", ""] {
            assert_eq!(clock.month_day(text.as_bytes()), None, "{text}");
        }
        for text in [
            "2026-13-22T13:34:42Z",
            "2026-11-22T13:34:42Zx",
            "2026-11-22T13:34",
            "0000-01-01T00:00:00Z",
        ] {
            assert_eq!(clock.iso(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn relative_stamps_count_from_a_minute_mark_only() {
        let mut clock = clock();
        assert_eq!(clock.after_mark(2), None);
        let minute = AT - 42_000_000;
        assert_eq!(clock.minute_mark(b"Nov22 13:34]").unwrap().wall, Some(WallTime(minute)));
        assert_eq!(clock.after_mark(2), Some(WallTime(minute + 2)));
        assert_eq!(clock.after_mark(3), Some(WallTime(minute + 5)));
    }
}
