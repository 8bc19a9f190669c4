//! Many rows in one statement: a thousand rows at a time cost a sixth of a row at a time.

use sqlx::query_builder::Separated;
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};

use crate::store::StoreError;

/// Rows in one statement.
const ROWS: usize = 1000;

/// SQLite's limit of bound values in one statement.
const BINDS: usize = 32_766;

/// The fixed parts of an insert.
pub(crate) struct Insert {
    /// `insert into t (a, b) `
    pub head: &'static str,
    /// ` on conflict …`, or nothing.
    pub tail: &'static str,
    /// Values in a row.
    pub columns: usize,
}

pub(crate) type Values<'q> = Separated<'q, Sqlite, &'static str>;

/// Inserts all rows; tells how many were added or changed.
pub(crate) async fn insert<T>(
    connection: &mut SqliteConnection,
    statement: &Insert,
    rows: Vec<T>,
    bind: fn(&mut Values<'_>, T),
) -> Result<u64, StoreError> {
    let full = ROWS.min(BINDS / statement.columns.max(1));
    let mut changed = 0;
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let n_rows = rows.len().min(full);
        let mut query = QueryBuilder::new(statement.head);
        query.push_values(rows.by_ref().take(n_rows), |mut values, row| bind(&mut values, row));
        query.push(statement.tail);
        // Only the full statement is worth keeping prepared: the short ones are all different.
        let query = query.build().persistent(n_rows == full);
        changed += query.execute(&mut *connection).await?.rows_affected();
    }
    Ok(changed)
}
