//! RFC 5424, on the wire and in files.
//!
//! ```text
//! <6>1 2026-11-22T13:34:42.707639+00:00 vm kernel - - - TRACE: eb:nat:OUTPUT IN= OUT=tkvR2M5 …
//! <4>1 2026-11-22T13:34:44.702332+00:00 vm kernel - - -  TRACE: filter:FORWARD:policy:1 …
//! <174>1 2003-08-24T05:14:15+00:00 - - - - - IN=enx503f560021dc OUT= …
//! ```
//!
//! Version, time, host, application, process, message id, structured data, text; `-` where there is
//! nothing. Messages that rsyslog got from a socket have a second blank before the text.

use super::clock::Clock;
use super::header::{Header, kernel_tag};
use super::message::after_blank;
use super::scan::{number, token};
use crate::model::WallTime;

/// Reads what follows `<pri>`.
pub(super) fn read<'a>(
    clock: &mut Clock,
    text: &'a [u8],
) -> Option<(Option<WallTime>, Header<'a>)> {
    let (version, rest) = number(text)?;
    let rest = rest.strip_prefix(b" ").filter(|_| (1..100).contains(&version))?;
    let (wall, rest) = if let Some(rest) = rest.strip_prefix(b"- ") {
        (None, rest)
    } else {
        let stamped = clock.iso(rest)?;
        (stamped.wall, stamped.rest.strip_prefix(b" ")?)
    };
    let (host, rest) = field(rest)?;
    let (application, rest) = field(rest)?;
    let (process, rest) = field(rest)?;
    let (_, rest) = field(rest)?;
    let message = structured_data(rest)?;
    let mut header =
        Header { host, priority: None, tag: application, has_pid: process.is_some(), message };
    if application.is_none()
        && let Some(tag) = kernel_tag(text_of(message))
    {
        header.tag = Some(tag.name);
        header.has_pid |= tag.has_pid;
        header.message = tag.message;
    }
    header.message = behind_blanks(header.message);
    Some((wall, header))
}

/// One word and the blank behind it; `-` is nothing.
fn field(text: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (word, rest) = token(text);
    let rest = rest.strip_prefix(b" ")?;
    Some(((word != b"-").then_some(word), rest))
}

/// Skips `-` or `[id key="value" …]…`; what is left is the message at its blank.
fn structured_data(text: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = text.strip_prefix(b"-") {
        return matches!(rest.first(), None | Some(b' ')).then_some(rest);
    }
    let mut rest = text;
    while let Some(element) = rest.strip_prefix(b"[") {
        rest = element.get(element_length(element)?..)?;
    }
    (rest.len() < text.len() && matches!(rest.first(), None | Some(b' '))).then_some(rest)
}

/// The length of an element behind its bracket, closing bracket included; quotes may hold escaped ones.
fn element_length(element: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in element.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The message without its blank and without a byte order mark.
fn text_of(message: &[u8]) -> &[u8] {
    let text = message.strip_prefix(b" ").unwrap_or(message);
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// The message behind its blank, and behind the second one where what follows cannot be a text that begins with a blank itself.
fn behind_blanks(message: &[u8]) -> &[u8] {
    let starts = [b"[".as_slice(), b"TRACE: ", b"message repeated "];
    let text = text_of(message);
    match text.strip_prefix(b" ") {
        Some(inner) if starts.iter().any(|start| inner.starts_with(start)) => inner,
        Some(_) => text,
        None if text.len() + 1 < message.len() => text,
        None => after_blank(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::zone::Timezone;

    fn message(text: &str) -> Option<String> {
        let mut clock = Clock::new(Timezone::Utc, None, None);
        let (_, header) = read(&mut clock, text.as_bytes())?;
        Some(String::from_utf8_lossy(header.message).into_owned())
    }

    #[test]
    fn structured_data_and_the_mark_are_skipped() {
        let head = "1 2026-11-22T13:34:42Z vm kernel - - ";
        assert_eq!(message(&format!("{head}- P")).unwrap(), "P");
        assert_eq!(message(&format!("{head}-")).unwrap(), "");
        assert_eq!(message(&format!(r#"{head}[a b="]\"]"][c] P"#)).unwrap(), "P");
        assert_eq!(message(&format!("{head}- \u{feff}P")).unwrap(), "P");
        assert_eq!(message(&format!("{head}-  TRACE: x")).unwrap(), "TRACE: x");
        assert_eq!(message(&format!("{head}-  IP SRC=1")).unwrap(), " IP SRC=1");
        assert_eq!(message(&format!("{head}[a P")), None);
    }
}
