//! What one JSON object is: a journal record, a container's line, a record of `dmesg -J`.
//!
//! ```text
//! {"MESSAGE":"TRACE: …","_TRANSPORT":"kernel","SYSLOG_FACILITY":"0","__REALTIME_TIMESTAMP":"1795354139947697"}
//! {"log":"[ 1501.098037] TRACE: …\n","stream":"stdout","time":"2026-11-22T13:27:05.123456789Z"}
//! {"pri": 4, "time":  1501.098037, "msg": "TRACE: …"}        {"fac": "kern", "pri": "warn", …}
//! {"@timestamp":"2026-11-22T13:27:05.123Z","host":"fw1","message":"DROP IN=…"}            a log shipper's
//! ```

use super::clock::Clock;
use super::container::Stream;
use super::dmesg;
use super::facility::{Priority, facility, level};
use super::journal::Fields;
use super::json::Value;
use super::scan::{seconds, whole_number};
use crate::model::{Stamp, Uptime, WallTime};

/// The members of an object that matter, and which kinds of record they speak for.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) fields: Fields,
    text: Vec<u8>,
    time: Vec<u8>,
    host: Vec<u8>,
    stream: Stream,
    facility: Option<u8>,
    level: Option<u8>,
    text_of: TextOf,
    has_dmesg_key: bool,
    is_frame: bool,
}

/// Whose member `text` is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum TextOf {
    #[default]
    Nobody,
    Container,
    Dmesg,
    Shipper,
}

/// The kinds of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Journal,
    /// A container's line; a whole one ends in a newline.
    Container {
        log: &'a [u8],
        stream: Stream,
    },
    Dmesg {
        text: &'a [u8],
    },
    /// A line that a log shipper took out of its envelope.
    Shipped {
        text: &'a [u8],
        host: &'a [u8],
    },
    /// `{"dmesg":[…]}` around its records.
    Frame,
    Unknown,
}

impl Members {
    pub(super) fn clear(&mut self) {
        let (mut fields, mut text, mut time, mut host) = (
            std::mem::take(&mut self.fields),
            std::mem::take(&mut self.text),
            std::mem::take(&mut self.time),
            std::mem::take(&mut self.host),
        );
        fields.clear();
        text.clear();
        time.clear();
        host.clear();
        *self = Self { fields, text, time, host, ..Self::default() };
    }

    /// Takes one member.
    pub(super) fn take(&mut self, key: &[u8], value: Value<'_>) {
        match (key, value) {
            (b"log", Value::Text(text)) => {
                self.text_of = TextOf::Container;
                replace(&mut self.text, text);
            }
            (b"msg", Value::Text(text)) if self.text_of != TextOf::Container => {
                self.text_of = TextOf::Dmesg;
                replace(&mut self.text, text);
            }
            (b"message" | b"short_message", Value::Text(text))
                if self.text_of == TextOf::Nobody =>
            {
                self.text_of = TextOf::Shipper;
                replace(&mut self.text, text);
            }
            (b"host" | b"hostname", Value::Text(name)) => replace(&mut self.host, name),
            (b"@timestamp" | b"timestamp", Value::Text(text)) => replace(&mut self.time, text),
            (b"stream", Value::Text(b"stderr")) => self.stream = Stream::Stderr,
            (b"time", Value::Text(text) | Value::Number(text)) => {
                self.has_dmesg_key = true;
                replace(&mut self.time, text);
            }
            (b"pri", Value::Number(digits)) => {
                let priority = whole_number(digits).map(Priority::from_number);
                self.level = priority.map(|priority| priority.level);
                self.facility = self.facility.or(priority.map(|priority| priority.facility));
                self.has_dmesg_key = true;
            }
            (b"pri", Value::Text(name)) => {
                self.level = level(name);
                self.has_dmesg_key = true;
            }
            (b"fac", Value::Text(name)) => {
                self.facility = Some(facility(name).unwrap_or(u8::MAX));
                self.has_dmesg_key = true;
            }
            (b"dmesg", Value::Other) => self.is_frame = true,
            (b"MESSAGE", Value::Null) => self.fields.set_message_null(),
            (key, Value::Text(text) | Value::Number(text)) => self.fields.set(key, text),
            // A field that came several times is an array; the trusted ones never do.
            (b"_TRANSPORT" | b"SYSLOG_FACILITY", Value::Other) => self.fields.set(key, b""),
            _ => {}
        }
    }

    /// What the members make together.
    pub(super) fn kind(&self) -> Kind<'_> {
        match self.text_of {
            _ if self.fields.any => Kind::Journal,
            TextOf::Container => Kind::Container { log: &self.text, stream: self.stream },
            TextOf::Dmesg => Kind::Dmesg { text: &self.text },
            TextOf::Shipper => Kind::Shipped { text: &self.text, host: &self.host },
            TextOf::Nobody if self.is_frame => Kind::Frame,
            TextOf::Nobody => Kind::Unknown,
        }
    }

    /// Whether any member belongs to a record that is known.
    pub(super) fn known(&self) -> bool {
        self.kind() != Kind::Unknown || self.has_dmesg_key
    }

    /// Whether an object that was cut short still has all that matters: dmesg writes the text last.
    pub(super) fn is_dmesg(&self) -> bool {
        matches!(self.kind(), Kind::Dmesg { .. })
    }

    pub(super) fn priority(&self) -> (Option<u8>, Option<u8>) {
        (self.facility, self.level)
    }

    /// The moment at which the container runtime or the shipper took the line.
    pub(super) fn container_time(&self, clock: &mut Clock) -> Option<WallTime> {
        clock.iso(&self.time).and_then(|stamped| stamped.wall)
    }

    /// dmesg's time: seconds since boot, or a text in one of its modes.
    pub(super) fn dmesg_time(&self, clock: &mut Clock) -> Stamp {
        if let Some((uptime, b"")) = seconds(&self.time) {
            return Stamp { wall: None, uptime: Some(Uptime(uptime)) };
        }
        if let Some((stamp, _)) = dmesg::stamp(clock, &self.time) {
            return stamp;
        }
        let wall = clock.iso(&self.time).or_else(|| clock.ctime(&self.time));
        Stamp { wall: wall.and_then(|stamped| stamped.wall), uptime: None }
    }
}

fn replace(kept: &mut Vec<u8>, text: &[u8]) {
    kept.clear();
    kept.extend_from_slice(text);
}
