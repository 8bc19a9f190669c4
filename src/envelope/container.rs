//! Container logs: another envelope, or none, inside the runtime's own; long lines come in parts.
//!
//! ```text
//! 2026-11-22T13:27:05.123456789Z stdout F [ 1501.098037] TRACE: …      CRI: F is whole, or the last part
//! 2026-11-22T13:27:05.123456789Z stdout P [ 1501.098037] TRACE: filter:INPUT:pol
//! {"log":"[ 1501.098037] TRACE: …\n","stream":"stdout","time":"…Z"}    Docker: a part has no newline
//! ```

use super::journal::RECORD_LIMIT;
use super::line::Form;
use super::text::Head;
use crate::model::WallTime;

/// The two outputs of a container, whose parts mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Stream {
    #[default]
    Stdout,
    Stderr,
}

/// The first parts of a line.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) form: Form,
    pub(super) offset: u64,
    pub(super) wall: Option<WallTime>,
    pub(super) bytes: Vec<u8>,
    pub(super) too_long: bool,
}

/// Unfinished lines, one an output.
#[derive(Debug, Default)]
pub(super) struct Partials {
    stdout: Option<Partial>,
    stderr: Option<Partial>,
}

impl Partials {
    fn slot(&mut self, stream: Stream) -> &mut Option<Partial> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// Whether an output has an unfinished line.
    pub(super) fn pending(&mut self, stream: Stream) -> bool {
        self.slot(stream).is_some()
    }

    /// Adds a part; `offset` and `wall` are those of the first one.
    pub(super) fn add(
        &mut self,
        stream: Stream,
        form: Form,
        offset: u64,
        wall: Option<WallTime>,
        bytes: &[u8],
    ) {
        let partial = self.slot(stream).get_or_insert_with(|| Partial {
            form,
            offset,
            wall,
            bytes: Vec::new(),
            too_long: false,
        });
        let room = RECORD_LIMIT.saturating_sub(partial.bytes.len());
        partial.too_long |= bytes.len() > room;
        partial.bytes.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
    }

    /// Takes the unfinished line of an output.
    pub(super) fn take(&mut self, stream: Stream) -> Option<Partial> {
        self.slot(stream).take()
    }
}

/// A CRI line behind its stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cri<'a> {
    pub(super) stream: Stream,
    /// More of the line follows.
    pub(super) partial: bool,
    pub(super) text: &'a [u8],
}

/// Reads a line as CRI: its stamp and output look like a syslog stamp and host.
pub(super) fn cri<'a>(head: &Head<'a>) -> Option<Cri<'a>> {
    let stream = match head.header.host? {
        b"stdout" => Stream::Stdout,
        b"stderr" => Stream::Stderr,
        _ => return None,
    };
    if head.form != Form::IsoSyslog || head.header.tag.is_some() {
        return None;
    }
    let (flag, rest) = head.header.message.split_first()?;
    let partial = match flag {
        b'F' => false,
        b'P' => true,
        _ => return None,
    };
    // Further flags may follow a colon.
    let rest = match rest.strip_prefix(b":") {
        Some(more) => super::scan::token(more).1,
        None => rest,
    };
    let text = if rest.is_empty() { rest } else { rest.strip_prefix(b" ")? };
    Some(Cri { stream, partial, text })
}
