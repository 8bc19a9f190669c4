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
use crate::store::select::{Target, push_address_range, push_number_range};

/// More owners than these are not few.
const FEW: usize = 5000;

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
    ) -> Result<Option<Candidates>, StoreError> {
        let mut necessary = Vec::new();
        collect_necessary(filter, &mut necessary);
        let mut fewest: Option<Vec<i64>> = None;
        for term in necessary {
            let Some(owners) = self.owners(term).await? else { continue };
            if fewest.as_ref().is_none_or(|fewest| owners.len() < fewest.len()) {
                fewest = Some(owners);
            }
        }
        Ok(fewest.map(|owners| Candidates { owners: list(&owners) }))
    }

    /// Who showed one of the term's addresses or ports; none when there are many.
    async fn owners(&mut self, term: &Term) -> Result<Option<Vec<i64>>, StoreError> {
        let mut sql = QueryBuilder::new("select distinct owner from endpoint where 0");
        match term {
            Term::Address(_, ranges) => {
                for range in ranges {
                    push_address_range(sql.push(" or "), "addr", range);
                }
            }
            Term::Port(_, ranges) => {
                for range in ranges {
                    push_number_range(sql.push(" or "), "port", range);
                }
            }
            _ => return Ok(None),
        }
        sql.push(" limit ").push_bind(i64::try_from(FEW).unwrap_or(i64::MAX) + 1);
        let owners: Vec<i64> = sql.build_query_scalar().fetch_all(&mut *self.connection).await?;
        Ok((owners.len() <= FEW).then_some(owners))
    }
}

fn collect_necessary<'a>(expr: &'a Expr, terms: &mut Vec<&'a Term>) {
    match expr {
        Expr::All(many) => many.iter().for_each(|one| collect_necessary(one, terms)),
        Expr::Term(term) => terms.push(term),
        Expr::Any(_) | Expr::Not(_) => {}
    }
}
