//! What the lists have in common: a filter, an order, a limit, and rows that come page by page.

use clap::Args;

use crate::cli::args::{Filter, Global};
use crate::cli::failure::Failure;
use crate::cli::search;
use crate::filter::Expr;
use crate::store::{
    ConnectionQuery, ConnectionRow, Order, PacketQuery, PacketRow, Store, StoreError,
};

/// How many rows are fetched at a time.
const PAGE: u32 = 1_000;

/// Options of every list.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: Filter,

    /// Show no more than this many
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,

    /// Oldest first
    #[arg(long)]
    oldest: bool,
}

impl ListArgs {
    pub(super) fn filter(&self, global: &Global) -> Result<Option<Expr>, Failure> {
        search::expression(&self.filter.text(), global)
    }

    pub(super) fn order(&self) -> Order {
        if self.oldest { Order::OldestFirst } else { Order::NewestFirst }
    }
}

/// A question that has a page as its answer.
pub(super) trait Query {
    /// What the page consists of.
    type Row;

    /// The next page of at most `limit` rows; moves on behind it.
    async fn page(&mut self, store: &Store, limit: u32) -> Result<Vec<Self::Row>, StoreError>;
}

impl Query for ConnectionQuery {
    type Row = ConnectionRow;

    async fn page(&mut self, store: &Store, limit: u32) -> Result<Vec<ConnectionRow>, StoreError> {
        self.limit = Some(limit);
        let rows = store.connections(self).await?;
        self.after = rows.last().map(ConnectionRow::cursor);
        Ok(rows)
    }
}

impl Query for PacketQuery {
    type Row = PacketRow;

    async fn page(&mut self, store: &Store, limit: u32) -> Result<Vec<PacketRow>, StoreError> {
        self.limit = Some(limit);
        let rows = store.packets(self).await?;
        self.after = rows.last().map(PacketRow::cursor);
        Ok(rows)
    }
}

/// Rows page by page, so that memory does not grow with the database.
pub(super) struct Pages<'a, Q> {
    store: &'a Store,
    query: Q,
    left: Option<u32>,
    ended: bool,
}

impl<'a, Q: Query> Pages<'a, Q> {
    /// The rows of a query, at most `limit` of them.
    pub(super) fn new(store: &'a Store, query: Q, limit: Option<u32>) -> Self {
        Self { store, query, left: limit, ended: false }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Vec<Q::Row>>, StoreError> {
        let wanted = self.left.map_or(PAGE, |left| left.min(PAGE));
        if self.ended || wanted == 0 {
            return Ok(None);
        }
        let rows = self.query.page(self.store, wanted).await?;
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        self.ended = count < wanted;
        self.left = self.left.map(|left| left.saturating_sub(count));
        Ok(Some(rows))
    }
}

impl<'a> Pages<'a, ConnectionQuery> {
    /// Every connection, oldest first.
    pub(super) fn all(store: &'a Store) -> Self {
        let order = Order::OldestFirst;
        Self::new(store, ConnectionQuery { filter: None, order, limit: None, after: None }, None)
    }
}
