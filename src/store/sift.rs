//! Keeps of the packets that the SQL let through those that the filter really means.
//!
//! `Expr::matches` decides, so that the database and the live view are one; what a packet's facts take
//! from its connection is read for a whole page at once.

use foldhash::{HashMap, HashMapExt as _};

use crate::filter::{ConnectionFacts, Expr, Facts, Term};
use crate::model::{ConnectionState, LinkKind, NatKind};
use crate::store::StoreError;
use crate::store::key::{PublicId, packet_row_key};
use crate::store::read::Reader;
use crate::store::read_links::list;
use crate::store::read_packets::PacketRow;
use crate::store::words::Coded as _;

impl Reader<'_> {
    /// Keeps the rows that the filter really means.
    pub(crate) async fn sift(
        &mut self,
        filter: &Expr,
        rows: Vec<PacketRow>,
    ) -> Result<Vec<PacketRow>, StoreError> {
        let mut surroundings = Surroundings::default();
        if asks_connection(filter) {
            surroundings = self.surroundings(&rows).await?;
        }
        let keep =
            |row: &PacketRow| {
                let id = row.id.to_string();
                let connection_id = row.connection_id.map(|id| id.to_string());
                let around = row.connection_id.and_then(|id| surroundings.connections.get(&id));
                let facts = connection_id.as_deref().zip(around).map(|(id, around)| {
                    ConnectionFacts { id, nat: &around.nat, state: around.state }
                });
                let mut links: Vec<LinkKind> = row.links.iter().map(|link| link.kind).collect();
                links.extend(around.iter().flat_map(|around| around.links.iter().copied()));
                let mut facts = Facts::of_packet(&row.packet, facts, &id, &row.host.name, &links);
                facts.ids.extend(connection_id.filter(|id| !facts.ids.contains(id)));
                filter.matches(&facts)
            };
        Ok(rows.into_iter().filter(keep).collect())
    }

    /// What packets' connections contribute to their facts.
    async fn surroundings(&mut self, rows: &[PacketRow]) -> Result<Surroundings, StoreError> {
        let mut keys = Vec::new();
        let mut ids = HashMap::new();
        for row in rows {
            if let (Some(id), Some(key)) = (row.connection_id, row.packet.connection) {
                let key = packet_row_key(key)?;
                if ids.insert(key, id).is_none() {
                    keys.push(key);
                }
            }
        }
        let mut around = Surroundings::default();
        let states: Vec<(i64, i64)> = sqlx::query_as(
            "select id, state from connection where id in (select value from json_each(?))",
        )
        .bind(list(&keys))
        .fetch_all(&mut *self.connection)
        .await?;
        for (key, state) in states {
            let state = ConnectionState::from_code(state)?;
            if let Some(id) = ids.get(&key) {
                let one = Surrounding { nat: Vec::new(), state, links: Vec::new() };
                around.connections.insert(*id, one);
            }
        }
        let nat: Vec<(i64, i64)> = sqlx::query_as(
            "select connection, coalesce(told_kind, kind) from nat
             where connection in (select value from json_each(?))",
        )
        .bind(list(&keys))
        .fetch_all(&mut *self.connection)
        .await?;
        for (key, kind) in nat {
            if let Some(one) = ids.get(&key).and_then(|id| around.connections.get_mut(id)) {
                one.nat.push(NatKind::from_code(kind)?);
            }
        }
        let links: Vec<(i64, i64)> = sqlx::query_as(
            "with wanted as materialized (select value as id from json_each(?))
             select w.id, l.kind from wanted w join link l on l.from_end = 0 and l.from_id = w.id
             union select w.id, l.kind from wanted w join link l on l.to_end = 0 and l.to_id = w.id
             union select w.id, l.kind from wanted w join packet p on p.connection = w.id
                join link l on l.from_end = 1 and l.from_id = p.id
             union select w.id, l.kind from wanted w join packet p on p.connection = w.id
                join link l on l.to_end = 1 and l.to_id = p.id",
        )
        .bind(list(&keys))
        .fetch_all(&mut *self.connection)
        .await?;
        for (key, kind) in links {
            if let Some(one) = ids.get(&key).and_then(|id| around.connections.get_mut(id)) {
                one.links.push(LinkKind::from_code(kind)?);
            }
        }
        Ok(around)
    }
}

/// What packets take from their connections, by the connection's id.
#[derive(Default)]
struct Surroundings {
    connections: HashMap<PublicId, Surrounding>,
}

struct Surrounding {
    nat: Vec<NatKind>,
    state: ConnectionState,
    links: Vec<LinkKind>,
}

fn asks_connection(expr: &Expr) -> bool {
    match expr {
        Expr::All(many) | Expr::Any(many) => many.iter().any(asks_connection),
        Expr::Not(one) => asks_connection(one),
        Expr::Term(term) => matches!(term, Term::Nat(_) | Term::State(_) | Term::Link(_)),
    }
}
