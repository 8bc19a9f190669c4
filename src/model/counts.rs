//! The tally of lines: every line is counted once by kind, and netfilter lines once more as placed or not.

use super::LineKind;

/// How many lines of each kind were read. `total()` is the sum of the eight kinds;
/// `placed + unplaced` equals `trace + log + ebtables + nft`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// TRACE lines of ip(6)tables.
    pub trace: u64,
    /// LOG lines.
    pub log: u64,
    /// ebtables lines and their torn-off pieces.
    pub ebtables: u64,
    /// Trace events of nf_tables.
    pub nft: u64,
    /// Loss and noise markers.
    pub marker: u64,
    /// Somebody else's log.
    pub other: u64,
    /// Looked like netfilter lines and could not be used.
    pub rejected: u64,
    /// Proved not to come from the kernel.
    pub suspect: u64,
    /// Netfilter lines that are part of a packet.
    pub placed: u64,
    /// Netfilter lines that are not; each has an anomaly that says why.
    pub unplaced: u64,
}

impl Counts {
    /// Counts one line of `kind`.
    pub fn add(&mut self, kind: LineKind) {
        let cell = match kind {
            LineKind::Trace => &mut self.trace,
            LineKind::Log => &mut self.log,
            LineKind::Ebtables => &mut self.ebtables,
            LineKind::Nft => &mut self.nft,
            LineKind::Marker => &mut self.marker,
            LineKind::Other => &mut self.other,
            LineKind::Rejected => &mut self.rejected,
            LineKind::Suspect => &mut self.suspect,
        };
        *cell += 1;
    }

    /// All lines.
    pub fn total(&self) -> u64 {
        self.netfilter() + self.marker + self.other + self.rejected + self.suspect
    }

    /// The lines that belong into packets.
    pub fn netfilter(&self) -> u64 {
        self.trace + self.log + self.ebtables + self.nft
    }

    /// Adds another tally, field by field.
    pub fn merge(&mut self, more: &Self) {
        self.trace += more.trace;
        self.log += more.log;
        self.ebtables += more.ebtables;
        self.nft += more.nft;
        self.marker += more.marker;
        self.other += more.other;
        self.rejected += more.rejected;
        self.suspect += more.suspect;
        self.placed += more.placed;
        self.unplaced += more.unplaced;
    }
}
