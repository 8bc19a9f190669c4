//! The few rows that a filter can mean at all, when it names something rare.
//!
//! Reading a list newest first is fast when every tenth row fits, and slow when three of a million do.
//! So the filter's necessary parts (those that are not below an `OR` or a `-`) are looked up in the
//! search index first. When one of them has few owners, only those are read.

use sqlx::{QueryBuilder, Sqlite};

use crate::filter::{Expr, Term};
use crate::store::StoreError;
use crate::store::read::Reader;
use crate::store::read_links::list;
use crate::store::select::{Ids, Select, Target, push_endpoint_ranges};

/// More owners than these are not few.
const FEW: usize = 5000;

/// More mebibytes than these are not few: each has some hundred packets.
const FEW_BLOCKS: usize = 200;

/// The row keys of the connections (and lone packets) that can be meant.
pub(crate) struct Candidates {
    owners: String,
}

impl Candidates {
    /// Appends the condition.
    pub(crate) fn push(&self, sql: &mut QueryBuilder<Sqlite>, target: Target) {
        match target {
            Target::Connections => {
                sql.push(" and c.id in (select value from json_each(");
                sql.push_bind(self.owners.clone()).push("))");
            }
            Target::Packets => {
                sql.push(" and (p.connection in (select value from json_each(");
                sql.push_bind(self.owners.clone());
                sql.push(")) or p.id in (select value from json_each(");
                sql.push_bind(self.owners.clone()).push(")))");
            }
        }
    }
}

impl Reader<'_> {
    /// The candidates of a filter; none when nothing in it is rare.
    pub(crate) async fn candidates(
        &mut self,
        filter: &Expr,
        target: Target,
    ) -> Result<Option<Candidates>, StoreError> {
        let mut necessary = Vec::new();
        collect_necessary(filter, &mut necessary);
        let mut fewest: Option<Vec<i64>> = None;
        for term in necessary {
            let Some(owners) = self.owners(term, target).await? else { continue };
            if fewest.as_ref().is_none_or(|fewest| owners.len() < fewest.len()) {
                fewest = Some(owners);
            }
        }
        Ok(fewest.map(|owners| Candidates { owners: list(&owners) }))
    }

    /// Whom a term can mean; none when they are many.
    async fn owners(
        &mut self,
        term: &Term,
        target: Target,
    ) -> Result<Option<Vec<i64>>, StoreError> {
        match term {
            Term::Address(..) | Term::Port(..) => {
                let mut sql = QueryBuilder::new("select distinct owner from endpoint where ");
                push_endpoint_ranges(&mut sql, term);
                self.few(sql, FEW).await
            }
            Term::Device(..) | Term::Rule(_) | Term::Chain(_) | Term::Hook(_) => {
                self.owners_by_way(term, target).await
            }
            Term::Verdict(_) | Term::Protocol(_) if target == Target::Packets => {
                self.owners_by_way(term, target).await
            }
            _ => Ok(None),
        }
    }

    /// Whose packets went a way that the term means, when such ways are rare.
    async fn owners_by_way(
        &mut self,
        term: &Term,
        target: Target,
    ) -> Result<Option<Vec<i64>>, StoreError> {
        let ids = Ids::default();
        let mut blocks = QueryBuilder::new("select b.block from way_block b where b.way in (");
        Select { sql: &mut blocks, target, ids: &ids }.ways(term);
        blocks.push(")");
        if self.few(blocks, FEW_BLOCKS).await?.is_none() {
            return Ok(None);
        }
        let mut sql = QueryBuilder::new(
            "select distinct coalesce(p.connection, p.id) from way_block b cross join packet p
             where p.id between b.block << 20 and (b.block << 20) + 1048575 and p.way = b.way and b.way in (",
        );
        Select { sql: &mut sql, target, ids: &ids }.ways(term);
        sql.push(")");
        self.few(sql, FEW).await
    }

    /// The numbers that a query gives, unless they are more than `limit`.
    async fn few(
        &mut self,
        mut sql: QueryBuilder<Sqlite>,
        limit: usize,
    ) -> Result<Option<Vec<i64>>, StoreError> {
        sql.push(" limit ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1));
        let found: Vec<i64> = sql.build_query_scalar().fetch_all(&mut *self.connection).await?;
        Ok((found.len() <= limit).then_some(found))
    }
}

fn collect_necessary<'a>(expr: &'a Expr, terms: &mut Vec<&'a Term>) {
    match expr {
        Expr::All(many) => many.iter().for_each(|one| collect_necessary(one, terms)),
        Expr::Term(term) => terms.push(term),
        Expr::Any(_) | Expr::Not(_) => {}
    }
}
