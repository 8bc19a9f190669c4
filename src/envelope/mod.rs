//! Peels the wrapping off a line: who wrote it, when, how far to trust it, and the bare kernel text.
//!
//! Knows every way in which kernel lines are stored and shown (kmsg records,
//! dmesg, syslog files and wire forms, journal exports, container logs), and
//! nothing of what the text inside means. It recognises each line by itself,
//! so inputs may be mixed; only records that span lines leave state behind.
//! No file, no clock: positions, the year and the zone come as arguments.

mod calendar;
mod clock;
mod colour;
mod container;
mod dmesg;
mod facility;
mod header;
mod journal;
mod journal_export;
mod journal_verbose;
mod json;
mod json_record;
mod json_stream;
mod kmsg;
mod line;
mod message;
mod peel;
mod peel_container;
mod peel_journal;
mod peel_json;
mod place;
mod rfc5424;
mod scan;
mod split;
mod text;
mod years;
mod zone;

pub use line::{Form, Line, Peeled};
pub use peel::{PeelOptions, Peeler};
pub use zone::Timezone;
