//! Times as the user wants to see them, and as the user may type them.
//!
//! ```text
//! shown  2026-11-22 13:07:47.158050    in UTC or local time; 1133.158025 as uptime
//! typed  2026-11-22T13:07:47Z   2026-11-22 13:07:47.5   2026-11-22   @1795352867   2h  30m  3d (ago)
//! ```

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;

use crate::cli::clock;
use crate::model::{Stamp, Uptime, WallTime};

/// How to show times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeStyle {
    Utc,
    Local,
    Uptime,
}

/// How exactly to show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Date, time, microseconds.
    Full,
    /// Date, time to the second.
    Seconds,
    /// Time to the second.
    Short,
}

impl TimeStyle {
    /// What stands behind times: ` UTC`, ` +02:00`, or nothing.
    pub(super) fn zone(self, stamp: &Stamp) -> String {
        match (self, stamp.wall) {
            (Self::Utc, Some(_)) => " UTC".into(),
            (Self::Local, Some(wall)) => {
                local(wall).map_or_else(String::new, |time| time.format(" %:z").to_string())
            }
            _ => String::new(),
        }
    }

    /// The name for a column's head.
    pub(super) fn head(self) -> &'static str {
        match self {
            Self::Utc => "time (UTC)",
            Self::Local => "time (local)",
            Self::Uptime => "uptime",
        }
    }

    /// A stamp as text. Where the wanted clock is missing, the other one is shown.
    pub(super) fn show(self, stamp: &Stamp, detail: Detail) -> String {
        let wall = stamp.wall.and_then(|wall| self.wall(wall, detail));
        let uptime = stamp.uptime.map(|uptime| seconds(uptime, detail));
        let shown = if self == Self::Uptime { uptime.or(wall) } else { wall.or(uptime) };
        shown.unwrap_or_else(|| "–".into())
    }

    fn wall(self, wall: WallTime, detail: Detail) -> Option<String> {
        let format = match detail {
            Detail::Full => "%Y-%m-%d %H:%M:%S%.6f",
            Detail::Seconds => "%Y-%m-%d %H:%M:%S",
            Detail::Short => "%H:%M:%S",
        };
        let text = match self {
            Self::Local => local(wall)?.format(format).to_string(),
            Self::Utc | Self::Uptime => {
                DateTime::from_timestamp_micros(wall.0)?.format(format).to_string()
            }
        };
        Some(text)
    }
}

fn local(wall: WallTime) -> Option<DateTime<FixedOffset>> {
    let offset = FixedOffset::east_opt(clock::local_offset(wall))?;
    Some(DateTime::from_timestamp_micros(wall.0)?.with_timezone(&offset))
}

/// `1133.158025`, as the kernel prints it.
fn seconds(uptime: Uptime, detail: Detail) -> String {
    match detail {
        Detail::Full => format!("{}.{:06}", uptime.0 / 1_000_000, uptime.0 % 1_000_000),
        Detail::Seconds | Detail::Short => {
            format!("{}.{:03}", uptime.0 / 1_000_000, uptime.0 / 1_000 % 1_000)
        }
    }
}

/// A zone for times that are written without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Zone {
    #[default]
    Utc,
    Local,
    Fixed(i32),
    Named(Tz),
}

/// Reads `utc`, `local`, `+02:00`, `-0330`, `Europe/Berlin`.
pub(super) fn parse_zone(text: &str) -> Result<Zone, String> {
    match text.to_ascii_lowercase().as_str() {
        "utc" | "z" => return Ok(Zone::Utc),
        "local" => return Ok(Zone::Local),
        _ => {}
    }
    if let Some(seconds) = parse_offset(text) {
        return Ok(Zone::Fixed(seconds));
    }
    text.parse().map(Zone::Named).map_err(|_| {
        "no such time zone; write `utc`, `local`, `+02:00` or a name such as `Europe/Berlin`".into()
    })
}

fn parse_offset(text: &str) -> Option<i32> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = text.get(1..)?.chars().filter(|character| *character != ':').collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(digits.len(), 2 | 4) {
        return None;
    }
    let hours: i32 = digits.get(..2)?.parse().ok()?;
    let minutes: i32 = digits.get(2..4).map_or(Some(0), |text| text.parse().ok())?;
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Reads a point in time; `now` is the base of relative ones.
pub(super) fn parse_time(text: &str, zone: Zone, now: WallTime) -> Result<WallTime, String> {
    let text = text.trim();
    relative(text, now)
        .or_else(|| since_epoch(text))
        .or_else(|| with_zone(text))
        .or_else(|| in_zone(text, zone))
        .ok_or_else(|| "no point in time; write `2026-11-22T13:07:47Z`, `2026-11-22 13:07`, `2026-11-22`, `@1795352867` or `2h` for two hours ago".into())
}

/// `90s`, `30m`, `2h`, `3d`, `1w`, with or without `ago`.
fn relative(text: &str, now: WallTime) -> Option<WallTime> {
    let text = text.strip_suffix("ago").unwrap_or(text).trim_end();
    if text == "now" {
        return Some(now);
    }
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        b'w' => 604_800,
        _ => return None,
    };
    let count: i64 = text.get(..text.len() - 1)?.trim_end().parse().ok()?;
    let back = count.checked_mul(unit)?.checked_mul(1_000_000)?;
    now.0.checked_sub(back).map(WallTime)
}

fn since_epoch(text: &str) -> Option<WallTime> {
    let (seconds, fraction) =
        text.strip_prefix('@')?.split_once('.').unwrap_or((text.get(1..)?, ""));
    let micros = format!("{fraction:0<6}");
    let seconds: i64 = seconds.parse().ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(micros.get(..6)?.parse().ok()?).map(WallTime)
}

fn with_zone(text: &str) -> Option<WallTime> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(WallTime(time.timestamp_micros()))
}

fn in_zone(text: &str, zone: Zone) -> Option<WallTime> {
    let text = text.replacen('T', " ", 1);
    let formats = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let naive = formats
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok())
        .or_else(|| {
            Some(NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN))
        })?;
    zone.to_utc(naive)
}

impl Zone {
    /// A local time as UTC; none for one that a change of clocks leaves out.
    pub(super) fn to_utc(self, local: NaiveDateTime) -> Option<WallTime> {
        let utc = local.and_utc().timestamp_micros();
        let micros = match self {
            Self::Utc => utc,
            Self::Fixed(seconds) => utc - i64::from(seconds) * 1_000_000,
            Self::Named(zone) => zone.from_local_datetime(&local).earliest()?.timestamp_micros(),
            Self::Local => match clock::local_zone() {
                Some(zone) => zone.from_local_datetime(&local).earliest()?.timestamp_micros(),
                None => utc - i64::from(clock::local_offset(WallTime(utc))) * 1_000_000,
            },
        };
        Some(WallTime(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_795_352_867_000_000);

    #[test]
    fn points_in_time() {
        let read = |text| parse_time(text, Zone::Fixed(7_200), NOW).map(|wall| wall.0);
        assert_eq!(read("2026-11-22T13:07:47Z"), Ok(1_795_352_867_000_000));
        assert_eq!(read("2026-11-22T15:07:47.25+02:00"), Ok(1_795_352_867_250_000));
        assert_eq!(read("2026-11-22 15:07:47.5"), Ok(1_795_352_867_500_000));
        assert_eq!(read("2026-11-22 15:07"), Ok(1_795_352_820_000_000));
        assert_eq!(read("2026-11-22"), Ok(1_795_298_400_000_000));
        assert_eq!(read("@1795352867.5"), Ok(1_795_352_867_500_000));
        assert_eq!(read("2h"), Ok(1_795_345_667_000_000));
        assert_eq!(read("30 m ago"), Ok(1_795_351_067_000_000));
        assert_eq!(read("now"), Ok(1_795_352_867_000_000));
        for wrong in ["", "h", "yesterday", "2026-13-01", "9223372036854775807w", "@", "@x"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn zones() {
        assert_eq!(parse_zone("UTC"), Ok(Zone::Utc));
        assert_eq!(parse_zone("+02:00"), Ok(Zone::Fixed(7_200)));
        assert_eq!(parse_zone("-0330"), Ok(Zone::Fixed(-12_600)));
        assert_eq!(parse_zone("Europe/Berlin"), Ok(Zone::Named(Tz::Europe__Berlin)));
        for wrong in ["", "+", "+25:00", "+1:00:00", "Mars/Olympus"] {
            assert!(parse_zone(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn stamps() {
        let stamp = Stamp { wall: Some(NOW), uptime: Some(Uptime(1_133_158_025)) };
        assert_eq!(TimeStyle::Utc.show(&stamp, Detail::Full), "2026-11-22 13:07:47.000000");
        assert_eq!(TimeStyle::Utc.show(&stamp, Detail::Short), "13:07:47");
        assert_eq!(TimeStyle::Uptime.show(&stamp, Detail::Full), "1133.158025");
        let neither = Stamp::default();
        assert_eq!(TimeStyle::Local.show(&neither, Detail::Full), "–");
        let boot_only = Stamp { wall: None, ..stamp };
        assert_eq!(TimeStyle::Utc.show(&boot_only, Detail::Full), "1133.158025");
        assert_eq!(TimeStyle::Utc.zone(&boot_only), "");
    }
}
