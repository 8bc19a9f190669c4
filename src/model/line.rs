//! Where a line stands, what kind it is, and how far it may be trusted.

/// One source of lines within one run: a file, standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// One host (and network namespace label) within one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

/// The place of a line: leads back to its very bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The source it was read from.
    pub source: SourceId,
    /// Byte offset of the line (or record) in the uncompressed source.
    pub offset: u64,
    /// The kernel's record sequence number, where the source has one (`/dev/kmsg`).
    pub seq: Option<u64>,
    /// 0 for the line itself; n for the n-th copy that a "message repeated" line stands for.
    pub copy: u32,
}

/// How far a line's origin can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trust {
    /// Provably printed by the kernel: kmsg facility 0, journal transport `kernel`.
    Kernel,
    /// A text file: the form is right, the origin cannot be proved.
    Text,
    /// Proved not to come from the kernel. Counted, shown, never placed in a path.
    Suspect,
}

/// What a line turned out to be. Every line is exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineKind {
    /// A TRACE line of ip(6)tables.
    Trace,
    /// A LOG line: `-j LOG`, nft `log`, conntrack's `log_invalid`.
    Log,
    /// A line of ebtables `--log`, or a torn-off piece of one.
    Ebtables,
    /// A trace event of nf_tables, read as text.
    Nft,
    /// A loss or noise marker (formats 6.1): recorded as a gap or a note.
    Marker,
    /// Somebody else's log.
    Other,
    /// Looked like a netfilter line and could not be used.
    Rejected,
    /// Proved not to come from the kernel.
    Suspect,
}
