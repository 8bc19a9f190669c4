//! Lists of connections and packets: filtered, in order of time, page by page.
//!
//! What has a wall time comes first, in its order; what has none follows, in order of position. A page
//! begins after a cursor, never at an offset, so that a page costs the same at the end as at the start.

use foldhash::HashMapExt as _;
use sqlx::{QueryBuilder, Sqlite};

use crate::filter::{Expr, Term};
use crate::model::WallTime;
use crate::store::StoreError;
use crate::store::candidates::Candidates;
use crate::store::key::{IdKind, PublicId};
use crate::store::read::Reader;
use crate::store::read_connections::{Columns, ConnectionRow};
use crate::store::read_packets::{PacketColumns, PacketRow, packets};
use crate::store::select::{Ids, Select, Target, is_exact};

/// Which connections are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionQuery {
    /// All when there is none.
    pub filter: Option<Expr>,
    /// By the time of the first line.
    pub order: Order,
    /// At most so many.
    pub limit: Option<u32>,
    /// Only what comes after this one.
    pub after: Option<Cursor>,
}

/// Which packets are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PacketQuery {
    /// All when there is none.
    pub filter: Option<Expr>,
    /// By the time of the first line.
    pub order: Order,
    /// At most so many.
    pub limit: Option<u32>,
    /// Only what comes after this one.
    pub after: Option<Cursor>,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// A place in a list: that of one of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The row's time.
    pub wall: Option<WallTime>,
    /// The row.
    pub id: PublicId,
}

impl ConnectionRow {
    /// The place of this row in a list.
    pub fn cursor(&self) -> Cursor {
        Cursor { wall: self.connection.first.wall, id: self.id }
    }
}

impl PacketRow {
    /// The place of this row in a list.
    pub fn cursor(&self) -> Cursor {
        Cursor { wall: self.packet.first.wall, id: self.id }
    }
}

/// What both lists have in common.
struct Page<'a> {
    target: Target,
    filter: Option<&'a Expr>,
    order: Order,
    ids: Ids,
    candidates: Option<Candidates>,
}

/// The place after which a page begins, as columns: the time and the row key.
type Place = (Option<i64>, i64);

/// Rows asked for at once when the SQL cannot decide alone.
const CHUNK: u32 = 512;

impl Reader<'_> {
    /// The connections that a filter lets through.
    pub(crate) async fn connections(
        &mut self,
        query: &ConnectionQuery,
    ) -> Result<Vec<ConnectionRow>, StoreError> {
        let page = self.page(Target::Connections, query.filter.as_ref(), query.order).await?;
        let Some(mut place) = self.place(query.after, IdKind::Connection).await? else {
            return Ok(Vec::new());
        };
        let mut columns: Vec<Columns> = Vec::new();
        for timed in phases(place) {
            let limit = query.limit.map(|limit| limit.saturating_sub(count(columns.len())));
            if limit == Some(0) {
                break;
            }
            let mut sql = page.sql(timed, place, limit);
            columns.extend(sql.build_query_as::<Columns>().fetch_all(&mut *self.connection).await?);
            place = None;
        }
        self.connection_rows(columns).await
    }

    /// The packets that a filter lets through.
    pub(crate) async fn packets(
        &mut self,
        query: &PacketQuery,
    ) -> Result<Vec<PacketRow>, StoreError> {
        let page = self.page(Target::Packets, query.filter.as_ref(), query.order).await?;
        let Some(mut place) = self.place(query.after, IdKind::Packet).await? else {
            return Ok(Vec::new());
        };
        let doubtful = query.filter.as_ref().filter(|filter| !is_exact(filter, Target::Packets));
        let wanted = query.limit.map_or(usize::MAX, |limit| limit as usize);
        let mut rows = Vec::new();
        for timed in phases(place) {
            let mut chunk = CHUNK;
            while rows.len() < wanted {
                let rest = count(wanted - rows.len());
                let limit = if doubtful.is_some() { chunk } else { rest };
                let mut sql = page.sql(timed, place, Some(limit));
                let columns: Vec<PacketColumns> =
                    sql.build_query_as().fetch_all(&mut *self.connection).await?;
                let is_last = columns.len() < limit as usize;
                let last = columns.last().map(|row| (row.first.wall.map(|wall| wall.0), row.id));
                let found = self.packet_rows(columns).await?;
                match doubtful {
                    Some(filter) => rows.extend(self.sift(filter, found).await?),
                    None => rows.extend(found),
                }
                if is_last {
                    break;
                }
                place = last;
                chunk = chunk.saturating_mul(2).min(16_384);
            }
            place = None;
        }
        rows.truncate(wanted);
        Ok(rows)
    }

    async fn page<'a>(
        &mut self,
        target: Target,
        filter: Option<&'a Expr>,
        order: Order,
    ) -> Result<Page<'a>, StoreError> {
        let mut ids = Ids::new();
        let mut candidates = None;
        if let Some(filter) = filter {
            self.look_up_ids(filter, &mut ids).await?;
            candidates = self.candidates(filter, target).await?;
        }
        Ok(Page { target, filter, order, ids, candidates })
    }

    /// The cursor as columns. `Some(None)` is the start; `None` is a cursor that names no row of ours.
    async fn place(
        &mut self,
        after: Option<Cursor>,
        kind: IdKind,
    ) -> Result<Option<Option<Place>>, StoreError> {
        let Some(after) = after else { return Ok(Some(None)) };
        let key = self.key_of(&after.id, kind).await?;
        Ok(key.map(|key| Some((after.wall.map(|wall| wall.0), key))))
    }

    async fn look_up_ids(&mut self, filter: &Expr, ids: &mut Ids) -> Result<(), StoreError> {
        let mut texts = Vec::new();
        collect_ids(filter, &mut texts);
        for text in texts {
            let Ok(id) = text.parse::<PublicId>() else { continue };
            if let Some(key) = self.key_of(&id, id.kind()).await? {
                ids.insert(text.clone(), key);
            }
        }
        Ok(())
    }
}

fn count(n_rows: usize) -> u32 {
    u32::try_from(n_rows).unwrap_or(u32::MAX)
}

/// First what has a wall time, then what has none.
fn phases(place: Option<Place>) -> impl Iterator<Item = bool> {
    let begins_untimed = matches!(place, Some((None, _)));
    [true, false].into_iter().filter(move |timed| !(*timed && begins_untimed))
}

fn collect_ids<'a>(expr: &'a Expr, ids: &mut Vec<&'a String>) {
    match expr {
        Expr::All(many) | Expr::Any(many) => many.iter().for_each(|one| collect_ids(one, ids)),
        Expr::Not(one) => collect_ids(one, ids),
        Expr::Term(Term::Id(own)) => ids.extend(own),
        Expr::Term(_) => {}
    }
}

impl Page<'_> {
    /// The query for one page of rows with (or without) a wall time, after `place`.
    fn sql(&self, timed: bool, place: Option<Place>, limit: Option<u32>) -> QueryBuilder<Sqlite> {
        let (head, wall, id) = match self.target {
            Target::Connections => {
                ("select c.* from connection c where ", "c.first_wall_us", "c.id")
            }
            Target::Packets => (concat!(packets!(), " where "), "p.wall_us", "p.id"),
        };
        let mut sql = QueryBuilder::new(head);
        sql.push(wall).push(if timed { " is not null" } else { " is null" });
        self.push_place(&mut sql, wall, id, place);
        if let Some(candidates) = &self.candidates {
            candidates.push(&mut sql, self.target);
        }
        if let Some(filter) = self.filter {
            sql.push(" and ");
            Select { sql: &mut sql, target: self.target, ids: &self.ids }.push(filter, true);
        }
        let direction = match self.order {
            Order::NewestFirst => " desc",
            Order::OldestFirst => "",
        };
        sql.push(" order by ");
        if timed {
            sql.push(wall).push(direction).push(", ");
        }
        sql.push(id).push(direction);
        if let Some(limit) = limit {
            sql.push(" limit ").push_bind(limit);
        }
        sql
    }

    fn push_place(
        &self,
        sql: &mut QueryBuilder<Sqlite>,
        wall: &str,
        id: &str,
        place: Option<Place>,
    ) {
        let beyond = match self.order {
            Order::NewestFirst => " < ",
            Order::OldestFirst => " > ",
        };
        match place {
            None => {}
            Some((Some(time), key)) => {
                sql.push(" and (").push(wall).push(", ").push(id).push(")").push(beyond);
                sql.push("(").push_bind(time).push(", ").push_bind(key).push(")");
            }
            Some((None, key)) => {
                sql.push(" and ").push(id).push(beyond).push_bind(key);
            }
        }
    }
}
