//! The fields of one journal record, from whichever export they came.
//!
//! ```text
//! MESSAGE  PRIORITY  SYSLOG_FACILITY  SYSLOG_IDENTIFIER  _TRANSPORT  _HOSTNAME  _BOOT_ID
//! __REALTIME_TIMESTAMP  _SOURCE_REALTIME_TIMESTAMP  _SOURCE_MONOTONIC_TIMESTAMP (the kernel's own clock)
//! ```
//!
//! Only the kernel's transport with its own facility proves that the kernel spoke: root may write
//! to the kernel's log as well, and any program may call itself `kernel`. An export that was
//! told to leave the transport out proves nothing either way.

use std::ops::Range;

use super::message::{Message, blob};
use super::scan::{id128, whole_number};
use crate::model::{Stamp, Trust, Uptime, WallTime};

/// The most bytes that one record may hold.
pub(super) const RECORD_LIMIT: usize = 1 << 20;

/// The fields that matter, gathered one by one.
#[derive(Debug, Default)]
pub(super) struct Fields {
    bytes: Vec<u8>,
    message: MessageField,
    host: Option<Range<usize>>,
    identifier: Option<Range<usize>>,
    transport: Transport,
    has_pid: bool,
    pub(super) facility: Option<u8>,
    pub(super) level: Option<u8>,
    pub(super) boot_id: Option<[u8; 16]>,
    realtime: Option<u64>,
    source_realtime: Option<u64>,
    source_monotonic: Option<u64>,
    /// Some field of the journal was seen.
    pub(super) any: bool,
    too_long: bool,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum MessageField {
    #[default]
    Missing,
    /// The exporter left it out because of its size.
    Null,
    Bytes(Range<usize>),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Transport {
    #[default]
    Untold,
    Kernel,
    Other,
}

/// The message of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content<'a> {
    Text(&'a [u8]),
    /// Withheld: its size, 0 when untold.
    Withheld(u64),
    Missing,
}

impl Fields {
    /// Empties the record and keeps its memory.
    pub(super) fn clear(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        *self = Self { bytes, ..Self::default() };
    }

    /// Takes one field. Unknown ones are left out.
    pub(super) fn set(&mut self, key: &[u8], value: &[u8]) {
        let number = whole_number(value);
        let small = number.and_then(|number| u8::try_from(number).ok());
        match key {
            b"MESSAGE" => {
                self.message = self.keep(value).map_or(MessageField::Null, MessageField::Bytes);
            }
            b"_HOSTNAME" => self.host = self.keep(value),
            b"SYSLOG_IDENTIFIER" => self.identifier = self.keep(value),
            b"_TRANSPORT" => {
                let kernel = value == b"kernel" && self.transport != Transport::Other;
                self.transport = if kernel { Transport::Kernel } else { Transport::Other };
            }
            b"_PID" | b"SYSLOG_PID" => self.has_pid = true,
            // A facility that is no number is not the kernel's.
            b"SYSLOG_FACILITY" => self.facility = Some(small.unwrap_or(u8::MAX)),
            b"PRIORITY" => self.level = small.filter(|level| *level < 8),
            b"_BOOT_ID" => self.boot_id = id128(value),
            b"__REALTIME_TIMESTAMP" => self.realtime = number,
            b"_SOURCE_REALTIME_TIMESTAMP" => self.source_realtime = number,
            b"_SOURCE_MONOTONIC_TIMESTAMP" => self.source_monotonic = number,
            b"__CURSOR" | b"__MONOTONIC_TIMESTAMP" | b"_MACHINE_ID" => {}
            _ => return,
        }
        self.any = true;
    }

    /// The time of receipt, where it is told otherwise than by its field.
    pub(super) fn set_realtime(&mut self, micros: u64) {
        self.realtime = self.realtime.or(Some(micros));
    }

    /// The message field is there and says nothing.
    pub(super) fn set_message_null(&mut self) {
        self.message = MessageField::Null;
        self.any = true;
    }

    /// Adds a further line to the message that was set last.
    pub(super) fn continue_message(&mut self, line: &[u8]) {
        if let MessageField::Bytes(range) = &mut self.message
            && range.end == self.bytes.len()
            && self.bytes.len() + line.len() < RECORD_LIMIT
        {
            self.bytes.push(b'\n');
            self.bytes.extend_from_slice(line);
            range.end = self.bytes.len();
        }
    }

    fn keep(&mut self, value: &[u8]) -> Option<Range<usize>> {
        let start = self.bytes.len();
        if start + value.len() > RECORD_LIMIT {
            self.too_long = true;
            return None;
        }
        self.bytes.extend_from_slice(value);
        Some(start..self.bytes.len())
    }

    fn kept(&self, range: Option<&Range<usize>>) -> Option<&[u8]> {
        self.bytes.get(range?.clone())
    }

    pub(super) fn host(&self) -> Option<&[u8]> {
        self.kept(self.host.as_ref())
    }

    pub(super) fn tag(&self) -> Option<&[u8]> {
        self.kept(self.identifier.as_ref())
    }

    /// Whether a field was longer than a record may be.
    pub(super) fn too_long(&self) -> bool {
        self.too_long
    }

    /// Whether the record can be judged although its end was not seen.
    pub(super) fn is_complete(&self) -> bool {
        self.transport != Transport::Untold && self.message != MessageField::Missing
    }

    pub(super) fn content(&self) -> Content<'_> {
        match &self.message {
            MessageField::Missing => Content::Missing,
            MessageField::Null => Content::Withheld(0),
            MessageField::Bytes(range) => {
                let text = self.kept(Some(range)).unwrap_or_default();
                match blob(text) {
                    Some(Message::Blob { bytes }) => Content::Withheld(bytes),
                    _ => Content::Text(text),
                }
            }
        }
    }

    pub(super) fn stamp(&self) -> Stamp {
        let wall =
            self.realtime.or(self.source_realtime).and_then(|micros| i64::try_from(micros).ok());
        Stamp { wall: wall.map(WallTime), uptime: self.source_monotonic.map(Uptime) }
    }

    pub(super) fn trust(&self) -> Trust {
        let kernels_facility = matches!(self.facility, None | Some(0));
        let kernels_name = self.tag().is_none_or(|tag| tag == b"kernel") && !self.has_pid;
        match self.transport {
            Transport::Kernel if kernels_facility => Trust::Kernel,
            Transport::Untold if kernels_facility && kernels_name => Trust::Text,
            _ => Trust::Suspect,
        }
    }
}

/// Whether a text is the name of a journal field.
pub(super) fn is_key(text: &[u8]) -> bool {
    let named = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    (1..=64).contains(&text.len()) && text.iter().all(named) && !text[0].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (key, value) in pairs {
            fields.set(key.as_bytes(), value.as_bytes());
        }
        fields
    }

    #[test]
    fn only_transport_and_facility_prove_the_kernel() {
        let kernel = ("_TRANSPORT", "kernel");
        assert_eq!(fields(&[kernel]).trust(), Trust::Kernel);
        assert_eq!(fields(&[kernel, ("SYSLOG_FACILITY", "0")]).trust(), Trust::Kernel);
        assert_eq!(fields(&[kernel, ("SYSLOG_FACILITY", "1")]).trust(), Trust::Suspect);
        assert_eq!(fields(&[kernel, ("SYSLOG_FACILITY", "zero")]).trust(), Trust::Suspect);
        assert_eq!(fields(&[("_TRANSPORT", "syslog"), kernel]).trust(), Trust::Suspect);
        assert_eq!(fields(&[("SYSLOG_IDENTIFIER", "kernel")]).trust(), Trust::Text);
        assert_eq!(
            fields(&[("SYSLOG_IDENTIFIER", "kernel"), ("_PID", "7")]).trust(),
            Trust::Suspect
        );
    }

    #[test]
    fn receipt_time_is_the_wall_and_the_source_time_the_fallback() {
        let both = [("_SOURCE_REALTIME_TIMESTAMP", "5"), ("__REALTIME_TIMESTAMP", "9")];
        assert_eq!(fields(&both).stamp().wall, Some(WallTime(9)));
        assert_eq!(fields(&both[..1]).stamp().wall, Some(WallTime(5)));
    }
}
