//! The database: one SQLite file that holds every packet, and can give every line back field by field.
//!
//! All SQL of the program is in this folder and in `migrations/`. It knows the model and the filter
//! language; it knows no log format, no JSON and no terminal.
//!
//! What rules and host context tell is kept beside what the log alone says, and shown in its place: see
//! [`Tellings`] for how it gets there. The store knows rules as rows and texts only; what they mean is told to it.
//!
//! Two readings of the same sources in the same order give the same rows, however they are cut into
//! batches: keys are functions of the input, no row holds the time of its writing.

mod candidates;
mod codec;
mod endpoint;
mod error;
mod hits;
mod insert;
mod inspect;
mod intern;
mod key;
mod known;
mod learnt;
mod names;
mod open;
mod read;
mod read_connections;
mod read_hits;
mod read_links;
mod read_list;
mod read_packets;
mod read_revisions;
mod read_rules;
mod read_stats;
mod read_ways;
mod rules;
mod select;
mod select_hops;
mod sift;
mod snapshots;
mod source;
mod tell;
mod tell_connections;
mod ways;
mod words;
mod write;
mod write_connections;
mod write_packets;
mod write_remarks;

pub use error::StoreError;
pub use hits::{HitQuery, HitReport, Hits, RuleHits, RuleRow, SiteHits};
pub use key::{BadId, IdKind, PublicId};
pub use names::HostName;
pub use open::Store;
pub use read_connections::ConnectionRow;
pub use read_links::{LinkEnd, LinkRow};
pub use read_list::{ConnectionQuery, Cursor, Order, PacketQuery};
pub use read_packets::PacketRow;
pub use read_revisions::{RevisionRow, SiteTold};
pub use read_rules::{RuleText, StepRule};
pub use read_stats::{AnomalyQuery, AnomalyRow, GapRow, Stats};
pub use read_ways::{Pending, Span, WayFacts};
pub use rules::{NewRevision, NewRule, RuleAt};
pub use snapshots::{Added, FromHow, NewSnapshot, Snapshot, SnapshotKind};
pub use source::{HEAD, Registered, SourceIdentity, SourceKind, SourceRow, TAIL, hash_tail};
pub use tell::{
    HostRules, RulesFrom, SiteTelling, Stands, StandsFrom, Tellings, VerdictFrom, WayTelling,
};
pub use tell_connections::{ConnectionTelling, NatTelling, UntoldConnection};
pub use write::{Batch, Progress, Writer};
