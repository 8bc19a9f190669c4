//! The rule sets that are filed, and where packets contradict them: what is needed to tell a packet once more.

use std::sync::Arc;

use crate::model::{Layer, WallTime};
use crate::store::StoreError;
use crate::store::names::HostName;
use crate::store::read::Reader;
use crate::store::words::Coded as _;

/// A rule set that is filed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevisionRow {
    /// Its number.
    pub id: i64,
    /// The number of the snapshot it is in.
    pub snapshot: i64,
    /// Its place in the snapshot's text, from 0.
    pub index: usize,
    /// From when on it holds; none when nobody knows.
    pub from: Option<WallTime>,
}

/// What is told of a traced place of a host, from a time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteTold {
    /// The host.
    pub host: Arc<HostName>,
    /// The layer of its lines.
    pub layer: Layer,
    /// The table's name.
    pub table: String,
    /// The chain's name.
    pub chain: String,
    /// The site's number: tells the sites of one chain apart.
    pub site: i64,
    /// The time; none is the beginning.
    pub from: Option<WallTime>,
    /// Why the rule set cannot be the one that packets met; none when it can.
    pub misfit: Option<String>,
}

impl Reader<'_> {
    /// The rule sets that are filed, in order of filing.
    pub(crate) async fn revisions(&mut self) -> Result<Vec<RevisionRow>, StoreError> {
        let rows: Vec<(i64, i64, i64, Option<i64>)> =
            sqlx::query_as("select id, snapshot, idx, from_us from revision order by id")
                .fetch_all(&mut *self.connection)
                .await?;
        let row = |(id, snapshot, index, from): (i64, i64, i64, Option<i64>)| RevisionRow {
            id,
            snapshot,
            index: usize::try_from(index).unwrap_or(usize::MAX),
            from: from.map(WallTime),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// What is told of traced sites that do not fit their rule set at some time: also the times at which they do.
    pub(crate) async fn misfits(&mut self) -> Result<Vec<SiteTold>, StoreError> {
        type Row = (i64, i64, i64, Vec<u8>, Vec<u8>, i64, Option<String>);
        let rows: Vec<Row> = sqlx::query_as(
            "select t.host, t.site, t.layer, s.table_name, s.chain, t.from_us, t.misfit
             from rule_site t join site s on s.id = t.site
             where s.number is not null and exists (
                select 1 from rule_site o
                where o.host = t.host and o.site = t.site and o.layer = t.layer and o.misfit is not null)
             order by t.host, t.site, t.layer, t.from_us",
        )
        .fetch_all(&mut *self.connection)
        .await?;
        let mut told = Vec::with_capacity(rows.len());
        for (host, site, layer, table, chain, from, misfit) in rows {
            told.push(SiteTold {
                host: self.host(host).await?,
                layer: Layer::from_code(layer)?,
                table: String::from_utf8_lossy(&table).into_owned(),
                chain: String::from_utf8_lossy(&chain).into_owned(),
                site,
                from: (from != i64::MIN).then_some(WallTime(from)),
                misfit,
            });
        }
        Ok(told)
    }
}
