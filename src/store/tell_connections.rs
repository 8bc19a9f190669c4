//! What the rules, and conntrack's own record, tell of connections.
//!
//! A connection's verdict follows from the told verdicts of its packets as it does from their own in the log.
//! What NAT did, and by which rule, is asked of the caller, connection by connection, within the transaction:
//! so nothing can come between what is read and what is written.

use crate::model::{Connection, EvidenceOf, NatChange, NatKind, Tuple};
use crate::store::names::HostName;
use crate::store::rules::RuleAt;
use crate::store::{StoreError, Writer};

/// A connection that waits to be told, as the log alone tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct UntoldConnection {
    /// The number of the host.
    pub host_id: i64,
    /// The host.
    pub host: HostName,
    /// The connection: verdict, translations and tuples are the log's own.
    pub connection: Connection,
}

/// What is told of a connection.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConnectionTelling {
    /// What is told of its translations, in the order of `Connection::nat`; those beyond the end are not told.
    pub nat: Vec<NatTelling>,
    /// The reply tuple as conntrack recorded it; only parts that the log left unknown are taken.
    pub reply: Option<Tuple>,
    /// Translations that only conntrack's record shows.
    pub more_nat: Vec<(NatChange, Option<RuleAt>)>,
}

/// What is told of one translation; none leaves what the log says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatTelling {
    /// Its kind.
    pub kind: Option<NatKind>,
    /// Whether it was seen.
    pub evidence: Option<EvidenceOf>,
    /// The rule that did it.
    pub rule: Option<RuleAt>,
}

impl Writer {
    /// Tells at most `limit` of the connections that wait, in order of their keys, in one transaction; gives how many.
    ///
    /// `basis` is that of [`Tellings`](super::Tellings). `tell` is asked for each of them.
    pub fn tell_connections(
        &mut self,
        basis: &[i64],
        limit: u32,
        tell: impl FnMut(&UntoldConnection) -> ConnectionTelling + Send,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send {
        let _ = (&self, basis, limit, tell);
        async move { Err(StoreError::Damaged("not written yet")) }
    }
}
