//! Every way to lose, mend, distrust or guess, each with a sentence.

use super::{HostId, Position, Stamp};

/// One line (or guess) that deserves a remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// What kind.
    pub kind: AnomalyKind,
    /// Where it arose.
    pub position: Position,
    /// The bytes concerned, at most 4 KiB of them; empty for guesses about whole packets.
    pub text: Box<[u8]>,
}

/// How bad an anomaly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Mended or harmless; nothing is missing.
    Info,
    /// A guess was needed, or part of a line is missing.
    Warning,
    /// A line could not be used at all.
    Loss,
}

macro_rules! anomalies {
    ($($variant:ident, $name:literal, $severity:ident, $unplaced:literal, $sentence:literal;)*) => {
        /// The kinds of anomaly.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AnomalyKind {
            $(#[doc = $sentence] $variant,)*
        }

        impl AnomalyKind {
            /// Every kind, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name used in JSON and in the database.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// Whether a line with this anomaly is in no packet.
            pub fn is_unplaced(self) -> bool {
                match self { $(Self::$variant => $unplaced,)* }
            }

            /// A sentence for the user.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }
        }
    };
}

anomalies! {
    TornEbtablesLine, "torn_ebtables_line", Info, false,
        "An ebtables line was torn apart by another CPU's output and was put together again.";
    SplitLine, "split_line", Warning, false,
        "Two kernel lines stood in one and were taken apart.";
    CutLine, "cut_line", Warning, false,
        "The line ends before its fields do; what it has was used.";
    UnknownWord, "unknown_word", Info, false,
        "The line has a word this version does not know; the rest was used.";
    AmbiguousJoin, "ambiguous_join", Warning, false,
        "More than one packet could own this line; the oldest fitting one got it.";
    ClockStep, "clock_step", Info, false,
        "The log's clock went backwards.";
    EvictedPacket, "evicted_packet", Warning, false,
        "Too many packets were open at once; the oldest was closed early.";
    EvictedConnection, "evicted_connection", Warning, false,
        "Too many connections were open at once; the oldest was closed early.";
    RepeatNotExpanded, "repeat_not_expanded", Warning, false,
        "The line stands for more copies than could be placed.";
    YearInferred, "year_inferred", Info, false,
        "The stamp has no year; it was inferred.";
    OrphanFragment, "orphan_fragment", Loss, true,
        "A torn-off piece of an ebtables line whose head is not in the log.";
    UnknownTable, "unknown_table", Warning, false,
        "The TRACE line names a table this version does not know.";
    UnreadableNetfilterLine, "unreadable_netfilter_line", Loss, false,
        "The line looks like a netfilter line and could not be read.";
    SuspectOrigin, "suspect_origin", Warning, false,
        "The line did not come from the kernel; it was not placed.";
    BrokenEnvelope, "broken_envelope", Loss, false,
        "The record's wrapping could not be read.";
    LineTooLong, "line_too_long", Loss, false,
        "The line is longer than 64 KiB; the rest was left out.";
}

/// Lines that are known to be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The host concerned.
    pub host: HostId,
    /// Where in the source the loss was noticed.
    pub position: Position,
    /// When it was noticed.
    pub stamp: Stamp,
    /// How many lines are missing; `None` when the source does not say.
    pub lost: Option<u64>,
    /// How they were lost.
    pub reason: GapReason,
}

/// How lines were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapReason {
    /// The kernel ring was overrun (sequence jump on kmsg).
    KmsgOverrun,
    /// journald says it missed kernel messages.
    JournaldMissed,
    /// journald suppressed a service's messages; never kernel lines.
    JournaldSuppressed,
    /// A rate-limited printk; never LOG or TRACE lines.
    PrintkRatelimit,
    /// Userland's writes to kmsg were rate-limited; never kernel lines.
    DevkmsgRatelimit,
    /// The console dropped messages; the ring is intact.
    ConsoleDropped,
    /// rsyslog's rate limit.
    RsyslogRatelimit,
    /// journalctl replaced an unprintable message by its size.
    JournalBlob,
    /// The conntrack table was full: packets vanish between raw and mangle.
    ConntrackTableFull,
    /// The log buffer limit cut a line's tail.
    LineBufferFull,
    /// A run of NUL bytes: the host crashed while writing.
    NulRun,
}

impl GapReason {
    /// The stable name used in JSON and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::KmsgOverrun => "kmsg_overrun",
            Self::JournaldMissed => "journald_missed",
            Self::JournaldSuppressed => "journald_suppressed",
            Self::PrintkRatelimit => "printk_ratelimit",
            Self::DevkmsgRatelimit => "devkmsg_ratelimit",
            Self::ConsoleDropped => "console_dropped",
            Self::RsyslogRatelimit => "rsyslog_ratelimit",
            Self::JournalBlob => "journal_blob",
            Self::ConntrackTableFull => "conntrack_table_full",
            Self::LineBufferFull => "line_buffer_full",
            Self::NulRun => "nul_run",
        }
    }

    /// Whether netfilter lines themselves may be among the lost ones.
    pub fn loses_netfilter_lines(self) -> bool {
        match self {
            Self::KmsgOverrun
            | Self::JournaldMissed
            | Self::RsyslogRatelimit
            | Self::JournalBlob
            | Self::NulRun => true,
            Self::JournaldSuppressed
            | Self::PrintkRatelimit
            | Self::DevkmsgRatelimit
            | Self::ConsoleDropped
            | Self::ConntrackTableFull
            | Self::LineBufferFull => false,
        }
    }
}
