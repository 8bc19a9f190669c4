//! What comes out: one peeled line, or a word about bytes that are none.

use crate::model::{Position, Stamp, Trust};

/// One line without its wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The text as the kernel printed it: no envelope, no carriage return.
    pub payload: &'a [u8],
    /// Where the line (or the record's first line) stands.
    pub position: Position,
    /// When it was written, by whichever clocks the envelope kept.
    pub stamp: Stamp,
    /// The host as the envelope names it.
    pub host: Option<&'a [u8]>,
    /// The syslog tag or journal identifier, without process id: `kernel`, `sshd`.
    pub tag: Option<&'a [u8]>,
    /// The journal's id of the boot.
    pub boot_id: Option<[u8; 16]>,
    /// The syslog facility; 0 is the kernel's.
    pub facility: Option<u8>,
    /// The syslog level, 0 to 7.
    pub level: Option<u8>,
    /// The record continues an earlier one (kmsg flag `c`).
    pub continuation: bool,
    /// How far the origin can be trusted.
    pub trust: Trust,
    /// 1, or N when the line says that its payload was repeated N more times.
    pub copies: u32,
    /// The outermost envelope that was taken off.
    pub form: Form,
}

/// What was found at one place of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peeled<'a> {
    /// A line.
    Line(Line<'a>),
    /// "last message repeated N times": stands for the previous line of this host.
    RepeatPrevious {
        /// Where it stands.
        position: Position,
        /// The host it speaks of.
        host: Option<&'a [u8]>,
        /// When it was written.
        stamp: Stamp,
        /// How many more times.
        times: u32,
    },
    /// A kernel line that the journal withheld and replaced by its size.
    Blob {
        /// Where it stands.
        position: Position,
        /// The host.
        host: Option<&'a [u8]>,
        /// When it was written.
        stamp: Stamp,
        /// The size as told, rounded by the teller; 0 when it was not told.
        bytes: u64,
    },
    /// Structure that carries no line: separators, brackets, dictionary lines, blank lines.
    Noise {
        /// Where it stands.
        position: Position,
    },
    /// Began like a wrapping and could not be read.
    Broken {
        /// Where it stands.
        position: Position,
        /// The bytes, or the first of them.
        text: &'a [u8],
    },
    /// Zero bytes, as a crash leaves them.
    NulRun {
        /// Where the run starts.
        position: Position,
        /// How many.
        bytes: u64,
    },
}

/// The envelopes this folder knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// No envelope: the line is the payload.
    Bare,
    /// A `/dev/kmsg` record.
    Kmsg,
    /// dmesg in any of its text modes, `/proc/kmsg`.
    Dmesg,
    /// `dmesg -J`.
    DmesgJson,
    /// A syslog file or datagram with the month-day-time stamp; `journalctl -o short` looks the same.
    Rfc3164,
    /// A syslog file or datagram with an ISO stamp; `journalctl -o short-iso` looks the same.
    IsoSyslog,
    /// RFC 5424.
    Rfc5424,
    /// journalctl's text modes that no syslog daemon writes.
    JournalText,
    /// `journalctl -o json` and its relatives.
    JournalJson,
    /// `journalctl -o export`.
    JournalExport,
    /// `journalctl -o verbose`.
    JournalVerbose,
    /// busybox syslogd, with or without host.
    Busybox,
    /// OpenWrt's logread.
    OpenWrt,
    /// Docker's json-file around another envelope.
    DockerJson,
    /// The container runtime interface's log around another envelope.
    Cri,
    /// Proxmox VE's firewall log.
    Proxmox,
    /// A header of unknown make that ends in `kernel: `.
    OtherHeader,
}
