//! The reading side: every question is one transaction, so that its answer is of one moment.

use sqlx::sqlite::SqliteConnection;

use crate::store::key::PublicId;
use crate::store::names::Names;
use crate::store::read_connections::ConnectionRow;
use crate::store::read_list::{ConnectionQuery, PacketQuery};
use crate::store::read_packets::PacketRow;
use crate::store::read_stats::{AnomalyQuery, AnomalyRow, Stats};
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
        /// All snapshots, in order of adding.
        snapshots() -> Vec<Snapshot>
    }

    question! {
        /// All sources, in order of registration.
        sources() -> Vec<SourceRow>
    }
}
