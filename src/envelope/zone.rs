//! Local time to UTC, for stamps that do not say their zone or name it by letters only.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeZone};

use super::calendar::MINUTE;

/// The zone of stamps that have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timezone {
    /// Coordinated universal time.
    #[default]
    Utc,
    /// A fixed distance, in seconds east of UTC.
    Fixed(i32),
    /// A named zone with its daylight-saving rules.
    Named(chrono_tz::Tz),
}

impl Timezone {
    /// Turns local microseconds into UTC. An hour that comes twice means its first pass;
    /// an hour that is skipped is read as if the clock had not yet been moved.
    pub(super) fn to_utc(self, local: i64) -> i64 {
        local.saturating_sub(self.offset(local).saturating_mul(1_000_000))
    }

    fn offset(self, local: i64) -> i64 {
        match self {
            Self::Utc => 0,
            Self::Fixed(east) => i64::from(east),
            Self::Named(zone) => named_offset(zone, local),
        }
    }

    /// The offset a zone's printed name stands for at a local time: the own zone's, where it
    /// uses that name then (which also tells the two passes of a doubled hour apart), else a well-known one.
    pub(super) fn to_utc_as(self, name: &[u8], local: i64) -> i64 {
        let east = match self {
            Self::Named(zone) => offset_called(zone, name, local),
            Self::Utc | Self::Fixed(_) => None,
        };
        match east.or_else(|| known_offset(name)) {
            Some(east) => local.saturating_sub(east.saturating_mul(1_000_000)),
            None => self.to_utc(local),
        }
    }
}

fn naive(local: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(local).map(|time| time.naive_utc())
}

fn named_offset(zone: chrono_tz::Tz, local: i64) -> i64 {
    // The longest jump on record is a whole day (Samoa, 2011).
    for step in 0..100 {
        let Some(time) = naive(local.saturating_sub(step * 15 * MINUTE)) else { return 0 };
        if let Some(offset) = zone.offset_from_local_datetime(&time).earliest() {
            return i64::from(offset.fix().local_minus_utc());
        }
    }
    0
}

fn offset_called(zone: chrono_tz::Tz, name: &[u8], local: i64) -> Option<i64> {
    let called =
        |offset: &<chrono_tz::Tz as TimeZone>::Offset| offset.to_string().as_bytes() == name;
    let offset = match zone.offset_from_local_datetime(&naive(local)?) {
        MappedLocalTime::Single(offset) => Some(offset).filter(called),
        MappedLocalTime::Ambiguous(first, second) => [first, second].into_iter().find(called),
        MappedLocalTime::None => None,
    }?;
    Some(i64::from(offset.fix().local_minus_utc()))
}

/// Offsets of zone names that mean the same everywhere, or nearly so.
fn known_offset(name: &[u8]) -> Option<i64> {
    let quarters = match name {
        b"UTC" | b"GMT" | b"WET" | b"Z" => 0,
        b"CET" | b"BST" | b"WEST" => 4,
        b"CEST" | b"EET" | b"SAST" => 8,
        b"EEST" | b"MSK" => 12,
        b"IST" => 22,
        b"HKT" | b"AWST" => 32,
        b"JST" | b"KST" => 36,
        b"AEST" => 40,
        b"AEDT" => 44,
        b"NZST" => 48,
        b"NZDT" => 52,
        b"EDT" => -16,
        b"EST" | b"CDT" => -20,
        b"CST" | b"MDT" => -24,
        b"MST" | b"PDT" => -28,
        b"PST" => -32,
        _ => return None,
    };
    Some(quarters * 900)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::calendar::Date;

    const HOUR: i64 = 60 * MINUTE;

    fn local(month: u32, day: u32, hour: i64, minute: i64) -> i64 {
        Date { year: 2026, month, day }.micros() + hour * HOUR + minute * MINUTE
    }

    #[test]
    fn a_skipped_hour_shifts_and_a_doubled_hour_is_its_first_pass() {
        let berlin = Timezone::Named(chrono_tz::Europe::Berlin);
        assert_eq!(berlin.to_utc(local(11, 22, 13, 0)), local(11, 22, 12, 0));
        assert_eq!(berlin.to_utc(local(3, 29, 2, 30)), local(3, 29, 1, 30));
        assert_eq!(berlin.to_utc(local(10, 25, 2, 30)), local(10, 25, 0, 30));
    }

    #[test]
    fn a_printed_zone_name_tells_the_passes_apart() {
        let berlin = Timezone::Named(chrono_tz::Europe::Berlin);
        assert_eq!(berlin.to_utc_as(b"CET", local(10, 25, 2, 30)), local(10, 25, 1, 30));
        assert_eq!(berlin.to_utc_as(b"CEST", local(10, 25, 2, 30)), local(10, 25, 0, 30));
        assert_eq!(Timezone::Utc.to_utc_as(b"CET", local(11, 22, 13, 0)), local(11, 22, 12, 0));
    }

    #[test]
    fn no_time_is_too_far() {
        for zone in [Timezone::Fixed(i32::MIN), Timezone::Named(chrono_tz::Pacific::Apia)] {
            for local in [i64::MIN, i64::MAX, 0] {
                zone.to_utc(local);
                zone.to_utc_as(b"LMT", local);
            }
        }
    }
}
