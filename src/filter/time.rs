//! Times in filters: `2026-11-22T13:07:47.5Z`, `2026-11-22 13:07`, `2026-11-22`, `15m` (ago).
//!
//! A time written coarsely means the whole of its unit: `until:2026-11-22` includes that day.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use crate::filter::FilterError;
use crate::filter::lex::Value;
use crate::model::WallTime;

/// What relative and zoneless times refer to. An argument, so that the same filter gives the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    /// The present time; without it, relative times are refused.
    pub now: Option<WallTime>,
    /// Seconds east of UTC for times without a zone.
    pub utc_offset: i32,
}

/// The first and last microsecond of a time as written.
pub(super) struct Span {
    pub first: WallTime,
    pub last: WallTime,
}

const SECOND: i64 = 1_000_000;

/// Reads a time.
pub(super) fn span(value: &Value, clock: &Clock) -> Result<Span, FilterError> {
    let text = value.text.as_str();
    if let Some(span) = ago(value, clock)? {
        return Ok(span);
    }
    if let Some((first, unit)) = instant(text, clock) {
        let last = first.checked_add(unit - 1).unwrap_or(first);
        return Ok(Span { first: WallTime(first), last: WallTime(last) });
    }
    let error = FilterError::new(value.column, format!("`{text}` is no time"));
    if time_of_day(text).is_some() {
        return Err(error.hint(format!("it needs a date: \"2026-11-22 {text}\"")));
    }
    Err(error.hint("write 2026-11-22T13:07:47Z, \"2026-11-22 13:07\", 2026-11-22 or 15m (ago)"))
}

/// `15m`, `-15m`, `2h`, `now`: that long before the present.
fn ago(value: &Value, clock: &Clock) -> Result<Option<Span>, FilterError> {
    let text = value.text.strip_prefix('-').unwrap_or(&value.text);
    let micros = if text == "now" { Some(0) } else { duration(text) };
    let Some(micros) = micros else { return Ok(None) };
    let Some(now) = clock.now else {
        return Err(FilterError::new(value.column, format!("`{text}` needs a clock"))
            .hint("write the date and time"));
    };
    let time = WallTime(now.0.saturating_sub(micros));
    Ok(Some(Span { first: time, last: time }))
}

fn duration(text: &str) -> Option<i64> {
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 86_400,
        b'w' => 604_800,
        _ => return None,
    };
    let number: u32 = text.get(..text.len() - 1)?.parse().ok()?;
    i64::from(number).checked_mul(unit)?.checked_mul(SECOND)
}

/// The first microsecond and the length in microseconds of a time with a date.
fn instant(text: &str, clock: &Clock) -> Option<(i64, i64)> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some((time.timestamp_micros(), unit_of(text)));
    }
    let (date, time) = match text.split_once(['T', ' ']) {
        None => (text, None),
        Some((date, time)) => (date, Some(time)),
    };
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let (time, unit) = match time {
        None => (NaiveTime::MIN, 86_400 * SECOND),
        Some(text) => (time_of_day(text)?, unit_of(text)),
    };
    let utc = NaiveDateTime::new(date, time)
        .checked_sub_signed(TimeDelta::seconds(i64::from(clock.utc_offset)))?;
    Some((utc.and_utc().timestamp_micros(), unit))
}

fn time_of_day(text: &str) -> Option<NaiveTime> {
    let forms = ["%H:%M:%S%.f", "%H:%M"];
    forms.iter().find_map(|form| NaiveTime::parse_from_str(text, form).ok())
}

/// How long a time is as written: a minute, a second, or the last digit of its fraction.
fn unit_of(text: &str) -> i64 {
    let time = text.split_once(['T', 't', ' ']).map_or(text, |(_, time)| time);
    if let Some((_, fraction)) = time.split_once('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count().min(6);
        return 10i64.pow(6 - u32::try_from(digits).unwrap_or(6));
    }
    let clock = time.split(['Z', 'z', '+', '-']).next().unwrap_or(time);
    if clock.matches(':').count() < 2 { 60 * SECOND } else { SECOND }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, clock: &Clock) -> Result<(i64, i64), String> {
        let value = Value { column: 7, text: text.to_owned() };
        let span = span(&value, clock).map_err(|error| error.hint.unwrap_or_default())?;
        Ok((span.first.0, span.last.0))
    }

    const NOON: i64 = 1_795_348_800_000_000;

    #[test]
    fn a_time_is_as_long_as_it_is_written() {
        let clock = Clock::default();
        let day = 86_400 * SECOND;
        for (text, first, length) in [
            ("2026-11-22", NOON - day / 2, day),
            ("2026-11-22 12:00", NOON, 60 * SECOND),
            ("2026-11-22T12:00:00", NOON, SECOND),
            ("2026-11-22T12:00:00Z", NOON, SECOND),
            ("2026-11-22T13:00:00+01:00", NOON, SECOND),
            ("2026-11-22T12:00:00.250Z", NOON + 250_000, 1000),
            ("2026-11-22 12:00:00.000001", NOON + 1, 1),
        ] {
            assert_eq!(read(text, &clock), Ok((first, first + length - 1)), "{text}");
        }
    }

    #[test]
    fn zoneless_times_are_local() {
        let clock = Clock { now: None, utc_offset: 3600 };
        assert_eq!(read("2026-11-22 13:00:00", &clock).unwrap().0, NOON);
        assert_eq!(read("2026-11-22T12:00:00Z", &clock).unwrap().0, NOON);
    }

    #[test]
    fn relative_times_need_a_clock() {
        let clock = Clock { now: Some(WallTime(NOON)), utc_offset: 0 };
        assert_eq!(read("15m", &clock), Ok((NOON - 900 * SECOND, NOON - 900 * SECOND)));
        assert_eq!(read("-2h", &clock).unwrap().0, NOON - 7200 * SECOND);
        assert_eq!(read("now", &clock).unwrap().0, NOON);
        assert_eq!(read("15m", &Clock::default()), Err("write the date and time".to_owned()));
    }

    #[test]
    fn a_time_of_day_needs_a_date() {
        let hint = read("13:07:47", &Clock::default()).unwrap_err();
        assert_eq!(hint, "it needs a date: \"2026-11-22 13:07:47\"");
        assert!(read("tomorrow", &Clock::default()).is_err());
        assert!(read("2026-13-01", &Clock::default()).is_err());
    }
}
