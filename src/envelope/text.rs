//! One line of text to its header and message, whatever wrote it; the first byte decides what is tried.
//!
//! ```text
//! Nov 22 13:34:42 vm kernel: [ 1687.924627] P          <4>Nov 22 13:34:42 vm kernel: P
//! 2026-11-22T13:34:42.707639+00:00 vm kernel: P        <6>1 2026-11-22T… vm kernel - - - P
//! 2026-11-22T13:27:05,098037+00:00 P                   kern  :warn  : [ 1501.098037] P
//! Sun 2026-11-22 13:28:59 UTC vm kernel: P             [ 1615.001866] vm kernel: P
//! Fri Nov 22 13:27:05 2026 [1795354025.098] kern.warn kernel: P
//! 1795354139.947697 vm kernel: P                       kern.log:12:Nov 22 13:34:42 vm kernel: P
//! 0 3 PVEFW-HOST-IN 20/Jun/2022:13:09:14 +0200 policy DROP: P
//! ```

use super::clock::{Clock, Stamped, unix};
use super::dmesg::{kernel_stamp, stamp};
use super::facility::{Priority, bracketed, columns};
use super::header::{self, Header, kernel_tag};
use super::line::Form;
use super::message::after_blank;
use super::rfc5424;
use super::scan::{number, token};
use crate::model::{Stamp, Trust};

/// A line with its wrapping told apart from its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) form: Form,
    pub(super) stamp: Stamp,
    pub(super) header: Header<'a>,
}

/// How often one text envelope may stand in another.
const DEPTH: u32 = 3;

/// Reads a line; what no envelope explains is a bare payload.
pub(super) fn read<'a>(clock: &mut Clock, line: &'a [u8]) -> Head<'a> {
    // The commonest bare payload, which no envelope begins like.
    if line.starts_with(b"TRACE: ") {
        return plain(Form::Bare, Stamp::default(), line);
    }
    envelope(clock, line, DEPTH)
        .or_else(|| indented(clock, line))
        .or_else(|| behind_file_name(clock, line))
        .or_else(|| behind_service_name(clock, line))
        .or_else(|| unknown_header(line))
        .unwrap_or_else(|| plain(Form::Bare, Stamp::default(), line))
}

impl Head<'_> {
    /// Text can be forged by anybody who may write to the log; what names another origin is not the kernel's.
    /// Relays stamp the local facilities on whatever they pass on, so those prove nothing, unless dmesg printed them.
    /// (`dmesg -r` of util-linux 2.38 garbles the facility, but never makes the kernel's into another.)
    pub(super) fn trust(&self) -> Trust {
        let foreign_tag = self.header.tag.is_some_and(|tag| {
            let relayed = tag == b"ulogd";
            !relayed && (self.header.has_pid || !tag.eq_ignore_ascii_case(b"kernel"))
        });
        let untagged_process = self.header.has_pid && self.header.tag.is_none();
        let facility = self.header.priority.map_or(0, |priority| priority.facility);
        let relayed = self.form != Form::Dmesg && (16..24).contains(&facility);
        // The klogd of old busybox routers (DD-WRT, Tomato) hands kernel lines on as `user`.
        let old_klogd = matches!(self.form, Form::Busybox | Form::OpenWrt)
            && facility == 1
            && self.header.tag.is_some_and(|tag| tag.eq_ignore_ascii_case(b"kernel"));
        let foreign_facility = facility != 0 && !relayed && !old_klogd;
        if foreign_tag || untagged_process || foreign_facility {
            Trust::Suspect
        } else {
            Trust::Text
        }
    }
}

fn envelope<'a>(clock: &mut Clock, line: &'a [u8], depth: u32) -> Option<Head<'a>> {
    if depth == 0 {
        return None;
    }
    match line.first()? {
        b'<' => with_priority(clock, line, depth),
        b'[' => with_bracket(clock, line),
        b'0'..=b'9' => with_digit(clock, line, depth),
        byte if byte.is_ascii_alphabetic() || *byte >= 0x80 => with_word(clock, line, depth),
        _ => None,
    }
}

/// `<4>…`: the wire forms, `dmesg -r`, `/proc/kmsg`.
fn with_priority<'a>(clock: &mut Clock, line: &'a [u8], depth: u32) -> Option<Head<'a>> {
    let (priority, rest) = bracketed(line)?;
    let mut head = if let Some((wall, header)) = rfc5424::read(clock, rest) {
        Head { form: Form::Rfc5424, stamp: Stamp { wall, uptime: None }, header }
    } else if let Some(head) = envelope(clock, rest, depth - 1) {
        head
    } else {
        let (form, header) = match kernel_tag(rest) {
            Some(_) => (Form::Rfc3164, header::read(rest)),
            None => (Form::Dmesg, Header { message: rest, ..Header::default() }),
        };
        Head { form, stamp: Stamp::default(), header }
    };
    head.header.priority = Some(priority);
    Some(head)
}

/// `[ 1501.098037] P` and its kin. journalctl puts host and tag behind such a stamp; dmesg does not.
fn with_bracket<'a>(clock: &mut Clock, line: &'a [u8]) -> Option<Head<'a>> {
    let (stamp, rest) = stamp(clock, line)?;
    if stamp.uptime.is_some()
        && let Some(header) = header::follows_uptime(rest)
    {
        return Some(Head { form: Form::JournalText, stamp, header });
    }
    Some(plain(Form::Dmesg, stamp, after_blank(rest)))
}

/// A line with a stamp at most, and no header.
fn plain(form: Form, stamp: Stamp, message: &[u8]) -> Head<'_> {
    Head { form, stamp, header: Header { message, ..Header::default() } }
}

fn with_digit<'a>(clock: &mut Clock, line: &'a [u8], depth: u32) -> Option<Head<'a>> {
    if line.get(4) == Some(&b'-') {
        let stamped = clock.iso(line)?;
        return Some(behind_iso(clock, stamped, depth));
    }
    if let Some((wall, rest)) = unix(line) {
        let header = header::read(rest.strip_prefix(b" ").map(|_| rest)?);
        let stamp = Stamp { wall: Some(wall), uptime: None };
        return header.tag.map(|_| Head { form: Form::JournalText, stamp, header });
    }
    let (_, rest) = number(line)?;
    let after = rest.strip_prefix(b" ")?;
    // The octet count of syslog over TCP.
    if bracketed(after).is_some() {
        return with_priority(clock, after, depth);
    }
    if let Some((wall, header)) = rfc5424::read(clock, line) {
        return Some(Head { form: Form::Rfc5424, stamp: Stamp { wall, uptime: None }, header });
    }
    proxmox(clock, after)
}

/// Behind an ISO stamp: dmesg's text (its fraction has a comma), another envelope that a
/// relay stamped, or a syslog header.
fn behind_iso<'a>(clock: &mut Clock, stamped: Stamped<'a>, depth: u32) -> Head<'a> {
    let stamp = Stamp { wall: stamped.wall, uptime: None };
    let text = stamped.rest.get(1..).unwrap_or_default();
    if let Some(mut inner) = inner_envelope(clock, text, depth) {
        inner.stamp.wall = inner.stamp.wall.or(stamp.wall);
        return inner;
    }
    if kernel_stamp(text).is_some() {
        return plain(Form::IsoSyslog, stamp, text);
    }
    if stamped.comma && header::follows_uptime(stamped.rest).is_none() {
        return plain(Form::Dmesg, stamp, after_blank(stamped.rest));
    }
    let header = header::read(stamped.rest);
    let form = if header.priority.is_some() { Form::Busybox } else { Form::IsoSyslog };
    Head { form, stamp, header }
}

/// A whole other envelope behind a stamp, as `docker logs -t` and relays produce.
fn inner_envelope<'a>(clock: &mut Clock, text: &'a [u8], depth: u32) -> Option<Head<'a>> {
    let starts = match text.first()? {
        b'<' => bracketed(text).is_some(),
        b'0'..=b'9' => text.get(4) == Some(&b'-') || unix(text).is_some(),
        b'A'..=b'Z' => text.get(3) == Some(&b' '),
        _ => false,
    };
    if starts { envelope(clock, text, depth - 1) } else { None }
}

fn with_word<'a>(clock: &mut Clock, line: &'a [u8], depth: u32) -> Option<Head<'a>> {
    if let Some(stamped) = clock.month_day(line) {
        return behind_month_day(clock, stamped, depth);
    }
    if let Some((priority, rest)) = columns(line) {
        let mut head = dmesg_columns(clock, rest);
        head.header.priority = Some(priority);
        return Some(head);
    }
    if let Some(tag) = kernel_tag(line).filter(|tag| tag.has_pid || line.get(6) == Some(&b':')) {
        let header = Header {
            tag: Some(tag.name),
            has_pid: tag.has_pid,
            message: after_blank(tag.message),
            ..Header::default()
        };
        return Some(Head { form: Form::Rfc3164, stamp: Stamp::default(), header });
    }
    if let Some(stamped) = clock.ctime(line) {
        return behind_ctime(stamped);
    }
    let stamped = clock.weekday_iso(line)?;
    let header = header::read(blank_or_end(stamped.rest)?);
    let stamp = Stamp { wall: stamped.wall, uptime: None };
    Some(Head { form: Form::JournalText, stamp, header })
}

/// Behind `Nov 22 13:34:42`.
fn behind_month_day<'a>(clock: &mut Clock, stamped: Stamped<'a>, depth: u32) -> Option<Head<'a>> {
    let rest = blank_or_end(stamped.rest)?;
    let stamp = Stamp { wall: stamped.wall, uptime: None };
    if let Some(mut inner) = rest.get(1..).and_then(|text| inner_envelope(clock, text, depth)) {
        inner.stamp.wall = inner.stamp.wall.or(stamp.wall);
        return Some(inner);
    }
    let header = header::read(rest);
    let busybox = header.priority.is_some() || (header.host.is_none() && header.tag.is_some());
    let form = if busybox { Form::Busybox } else { Form::Rfc3164 };
    Some(Head { form, stamp, header })
}

/// Behind `Fri Nov 22 13:27:05 2026`: OpenWrt, whose `-t` adds the exact time in brackets.
fn behind_ctime(stamped: Stamped<'_>) -> Option<Head<'_>> {
    let mut rest = blank_or_end(stamped.rest)?;
    let mut stamp = Stamp { wall: stamped.wall, uptime: None };
    if let Some((wall, after)) = rest.strip_prefix(b" [").and_then(unix)
        && let Some(after) = after.strip_prefix(b"]")
    {
        stamp.wall = Some(wall);
        rest = after;
    }
    let header = header::read(rest);
    let form = if header.priority.is_some() { Form::OpenWrt } else { Form::Rfc3164 };
    Some(Head { form, stamp, header })
}

/// Behind dmesg's facility and level.
fn dmesg_columns<'a>(clock: &mut Clock, rest: &'a [u8]) -> Head<'a> {
    if let Some((stamp, message)) = stamp(clock, rest) {
        plain(Form::Dmesg, stamp, after_blank(message))
    } else if let Some(stamped) = clock.iso(rest) {
        let stamp = Stamp { wall: stamped.wall, uptime: None };
        plain(Form::Dmesg, stamp, after_blank(stamped.rest))
    } else {
        plain(Form::Dmesg, Stamp::default(), rest)
    }
}

/// Behind the guest's number in Proxmox VE's firewall log: level, chain, time.
fn proxmox<'a>(clock: &mut Clock, text: &'a [u8]) -> Option<Head<'a>> {
    let (level, rest) = number(text)?;
    let (_chain, rest) = token(rest.strip_prefix(b" ")?);
    let stamped = clock.slashed(rest.strip_prefix(b" ")?)?;
    let level = u8::try_from(level).ok().filter(|level| *level < 8)?;
    let header = Header {
        priority: Some(Priority { facility: 0, level }),
        message: after_blank(blank_or_end(stamped.rest)?),
        ..Header::default()
    };
    Some(Head { form: Form::Proxmox, stamp: Stamp { wall: stamped.wall, uptime: None }, header })
}

/// A stamp must end its word.
fn blank_or_end(rest: &[u8]) -> Option<&[u8]> {
    matches!(rest.first(), None | Some(b' ')).then_some(rest)
}

/// Lines that were moved to the right in passing.
fn indented<'a>(clock: &mut Clock, line: &'a [u8]) -> Option<Head<'a>> {
    let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    let text = line.get(start..).filter(|_| start > 0)?;
    envelope(clock, text, DEPTH)
}

/// `kern.log:Nov 22 …`, `kern.log:12:Nov 22 …`: what grep puts before the lines of several files.
fn behind_file_name<'a>(clock: &mut Clock, line: &'a [u8]) -> Option<Head<'a>> {
    let (word, _) = token(line.get(..line.len().min(256))?);
    for colon in memchr::memchr_iter(b':', word) {
        let text = line.get(colon + 1..)?;
        let starts = match text.first() {
            Some(b'A'..=b'Z') => text.get(3) == Some(&b' '),
            Some(b'0'..=b'9') => text.get(4) == Some(&b'-'),
            Some(b'[') => kernel_stamp(text).is_some(),
            _ => false,
        };
        if starts && let Some(head) = envelope(clock, text, DEPTH) {
            return Some(head);
        }
    }
    None
}

/// `router-1  | [ 1501.098037] P`: what docker compose puts before the lines of a service.
fn behind_service_name<'a>(clock: &mut Clock, line: &'a [u8]) -> Option<Head<'a>> {
    let (name, rest) = token(line.get(..line.len().min(128))?);
    let gap = rest.iter().take_while(|byte| **byte == b' ').count();
    let text = line.get(name.len() + gap..)?.strip_prefix(b"| ")?;
    envelope(clock, text, DEPTH)
}

/// A header that is not known but ends in `kernel: `, the first colon before a blank.
fn unknown_header(line: &[u8]) -> Option<Head<'_>> {
    let near = line.get(..line.len().min(128))?;
    let colon =
        memchr::memchr_iter(b':', near).find(|&colon| near.get(colon + 1) == Some(&b' '))?;
    let before = near.get(..colon)?.strip_suffix(b" kernel")?;
    if before.contains(&b'=') {
        return None;
    }
    let host = before.rsplit(|byte| *byte == b' ').next();
    let host =
        host.filter(|word| !word.is_empty() && !word.iter().any(|byte| b":/[]<>()".contains(byte)));
    let message = after_blank(line.get(colon + 1..)?);
    let header = Header { host, tag: Some(b"kernel"), message, ..Header::default() };
    Some(Head { form: Form::OtherHeader, stamp: Stamp::default(), header })
}
