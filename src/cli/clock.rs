//! The only place that asks what time it is, and what "local" means.

use std::time::SystemTime;

use chrono::{DateTime, Local, Offset, Utc};
use chrono_tz::Tz;

use crate::model::WallTime;

/// The time now.
#[expect(clippy::disallowed_methods, reason = "the one clock of the program")]
pub(super) fn now() -> WallTime {
    WallTime(Utc::now().timestamp_micros())
}

/// A file's time.
pub(super) fn wall(time: SystemTime) -> WallTime {
    WallTime(DateTime::<Utc>::from(time).timestamp_micros())
}

/// The machine's time zone by name: `TZ`, else what `/etc/localtime` points to.
pub(super) fn local_zone() -> Option<Tz> {
    let named = std::env::var("TZ").ok().map(|text| text.trim_start_matches(':').to_owned());
    if let Some(zone) = named.filter(|text| !text.is_empty()) {
        return zone.parse().ok();
    }
    let target = std::fs::canonicalize("/etc/localtime").ok()?;
    let (_, name) = target.to_str()?.split_once("zoneinfo/")?;
    name.parse().ok()
}

/// The machine's offset from UTC at some time, in seconds east.
pub(super) fn local_offset(at: WallTime) -> i32 {
    DateTime::from_timestamp_micros(at.0)
        .map_or(0, |time| time.with_timezone(&Local).offset().fix().local_minus_utc())
}
