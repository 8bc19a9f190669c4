//! The links of connections and packets.

use foldhash::HashMap;

use crate::model::LinkKind;
use crate::store::StoreError;
use crate::store::key::{IdKind, PublicId, from_row_key};
use crate::store::read::Reader;
use crate::store::words::Coded as _;

/// A link, as seen from one of its ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// What kind.
    pub kind: LinkKind,
    /// Whether this end is the later one, which refers to the other.
    pub is_later: bool,
    /// The other end.
    pub other: LinkEnd,
    /// Why we say so.
    pub evidence: String,
}

/// What a link's end names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEnd {
    /// A connection.
    Connection(PublicId),
    /// A packet.
    Packet(PublicId),
}

impl LinkEnd {
    fn new(id: PublicId) -> Self {
        match id.kind() {
            IdKind::Connection => Self::Connection(id),
            IdKind::Packet => Self::Packet(id),
        }
    }
}

impl IdKind {
    /// The word `end`.
    pub(crate) fn end(self) -> i64 {
        match self {
            Self::Connection => 0,
            Self::Packet => 1,
        }
    }
}

impl Reader<'_> {
    /// The links of the given connections or packets (row keys), by key.
    pub(crate) async fn links_of(
        &mut self,
        kind: IdKind,
        keys: &[i64],
    ) -> Result<HashMap<i64, Vec<LinkRow>>, StoreError> {
        let list = list(keys);
        let rows: Vec<(i64, i64, i64, i64, String, bool)> = sqlx::query_as(
            "select from_id, kind, to_end, to_id, evidence, 1 from link
             where from_end = ?1 and from_id in (select value from json_each(?2))
             union all
             select to_id, kind, from_end, from_id, evidence, 0 from link
             where to_end = ?1 and to_id in (select value from json_each(?2))
             order by 1, 2, 3, 4, 5, 6",
        )
        .bind(kind.end())
        .bind(list)
        .fetch_all(&mut *self.connection)
        .await?;
        let mut links: HashMap<i64, Vec<LinkRow>> = HashMap::default();
        for (own, link, other_end, other, evidence, is_later) in rows {
            let other_kind = if other_end == 0 { IdKind::Connection } else { IdKind::Packet };
            let other = self.public_id(other_kind, from_row_key(other)).await?;
            let row = LinkRow {
                kind: LinkKind::from_code(link)?,
                is_later,
                other: LinkEnd::new(other),
                evidence,
            };
            links.entry(own).or_default().push(row);
        }
        Ok(links)
    }
}

/// Numbers as a JSON array, to be bound as one value.
pub(crate) fn list(numbers: &[i64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("[{}]", numbers.join(","))
}
