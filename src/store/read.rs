//! The reading side: every question is one transaction, so that its answer is of one moment.

use sqlx::sqlite::SqliteConnection;

use crate::model::{Packet, WallTime};
use crate::store::hits::{HitQuery, HitReport};
use crate::store::key::PublicId;
use crate::store::names::Names;
use crate::store::read_connections::ConnectionRow;
use crate::store::read_list::{ConnectionQuery, PacketQuery};
use crate::store::read_packets::PacketRow;
use crate::store::read_revisions::{RevisionRow, SiteTold};
use crate::store::read_stats::{AnomalyQuery, AnomalyRow, Stats};
use crate::store::read_ways::{Pending, Span, WayFacts};
use crate::store::snapshots::Snapshot;
use crate::store::source::SourceRow;
use crate::store::{Store, StoreError};

/// A connection inside a transaction, with the small tables.
pub(crate) struct Reader<'a> {
    pub connection: &'a mut SqliteConnection,
    pub names: &'a Names,
}

macro_rules! question {
    ($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $answer:ty) => {
        $(#[$doc])*
        // Spelt out, because the compiler cannot tell for every lifetime that an `async fn` here is `Send`.
        pub fn $name(
            &self,
            $($argument: $type),*
        ) -> impl Future<Output = Result<$answer, StoreError>> + Send {
            async move {
                let mut transaction = self.readers.begin().await?;
                let mut reader = Reader { connection: &mut transaction, names: &self.names };
                reader.$name($($argument),*).await
            }
        }
    };
}

impl Store {
    question! {
        /// The connections that a filter lets through.
        connections(query: &ConnectionQuery) -> Vec<ConnectionRow>
    }

    question! {
        /// The connection with this id.
        connection(id: &PublicId) -> Option<ConnectionRow>
    }

    question! {
        /// The packets of a connection, in order of time, then of position.
        packets_of(id: &PublicId) -> Vec<PacketRow>
    }

    question! {
        /// The packet with this id.
        packet(id: &PublicId) -> Option<PacketRow>
    }

    question! {
        /// The packets that a filter lets through.
        packets(query: &PacketQuery) -> Vec<PacketRow>
    }

    question! {
        /// Counts what the database holds.
        stats() -> Stats
    }

    question! {
        /// Anomalies in order of position.
        anomalies(query: &AnomalyQuery) -> Vec<AnomalyRow>
    }

    question! {
        /// What waits to be told.
        pending() -> Pending
    }

    question! {
        /// All ways, in order of first appearance.
        ways() -> Vec<WayFacts>
    }

    question! {
        /// The first `n` and the last `n` packets of a way, in order of position, each once, with the log's own verdict.
        samples(way: i64, n: u32) -> Vec<Packet>
    }

    question! {
        /// From when to when packets went these ways, at or after `from` and before `until`; none when none did that
        /// has a wall time.
        span(ways: &[i64], from: Option<WallTime>, until: Option<WallTime>) -> Option<Span>
    }

    question! {
        /// How often each rule was met.
        rule_hits(query: &HitQuery) -> HitReport
    }

    question! {
        /// All snapshots, in order of adding.
        snapshots() -> Vec<Snapshot>
    }

    question! {
        /// The rule sets that are filed, in order of filing.
        revisions() -> Vec<RevisionRow>
    }

    question! {
        /// What is told of traced sites that do not fit their rule set at some time: also the times at which they do.
        misfits() -> Vec<SiteTold>
    }

    question! {
        /// All sources, in order of registration.
        sources() -> Vec<SourceRow>
    }
}
