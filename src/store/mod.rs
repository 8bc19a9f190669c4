//! The database: one SQLite file that holds every packet, and can give every line back field by field.
//!
//! All SQL of the program is in this folder and in `migrations/`. It knows the model and the filter
//! language; it knows no log format, no JSON and no terminal.
//!
//! Two readings of the same sources in the same order give the same rows, however they are cut into
//! batches: keys are functions of the input, no row holds the time of its writing.

mod candidates;
mod codec;
mod endpoint;
mod error;
mod insert;
mod inspect;
mod intern;
mod key;
mod known;
mod names;
mod open;
mod read;
mod read_connections;
mod read_links;
mod read_list;
mod read_packets;
mod read_stats;
mod select;
mod select_hops;
mod sift;
mod source;
mod ways;
mod words;
mod write;
mod write_connections;
mod write_packets;
mod write_remarks;

pub use error::StoreError;
pub use key::{BadId, IdKind, PublicId};
pub use names::HostName;
pub use open::Store;
pub use read_connections::ConnectionRow;
pub use read_links::{LinkEnd, LinkRow};
pub use read_list::{ConnectionQuery, Cursor, Order, PacketQuery};
pub use read_packets::PacketRow;
pub use read_stats::{AnomalyQuery, AnomalyRow, GapRow, Stats};
pub use source::{HEAD, Registered, SourceIdentity, SourceKind, SourceRow, TAIL, hash_tail};
pub use write::{Batch, Progress, Writer};
