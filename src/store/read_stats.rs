//! Counts, anomalies and gaps.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, QueryBuilder, Row as _};

use crate::model::{Anomaly, AnomalyKind, Counts, Gap, GapReason, HostId, Position, VerdictKind};
use crate::store::StoreError;
use crate::store::key::from_row_key;
use crate::store::read::Reader;
use crate::store::read_connections::stamp;
use crate::store::words::Coded as _;

/// What the database holds, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Lines by kind, placed and not.
    pub counts: Counts,
    /// Packets.
    pub packets: u64,
    /// Connections.
    pub connections: u64,
    /// Boots of all hosts that have packets.
    pub boots: u64,
    /// Missing lines, in order of position.
    pub gaps: Vec<GapRow>,
    /// Anomalies by kind, in the order of declaration; kinds without any are left out.
    pub anomalies: Vec<(AnomalyKind, u64)>,
    /// Connections by verdict, as told; verdicts without any are left out.
    pub verdicts: Vec<(VerdictKind, u64)>,
    /// The size of the database file.
    pub database_bytes: u64,
}

/// A gap with its source's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapRow {
    /// The source's name.
    pub source: String,
    /// The gap.
    pub gap: Gap,
}

/// Which anomalies are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnomalyQuery {
    /// One kind only.
    pub kind: Option<AnomalyKind>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// An anomaly with its source's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnomalyRow {
    /// The source's name.
    pub source: String,
    /// The anomaly.
    pub anomaly: Anomaly,
}

impl Reader<'_> {
    /// Counts what the database holds.
    pub(crate) async fn stats(&mut self) -> Result<Stats, StoreError> {
        let mut counts = Counts::default();
        for source in self.sources().await? {
            counts.merge(&source.counts);
        }
        Ok(Stats {
            counts,
            packets: self.count("select coalesce(sum(packets), 0) from way_minute").await?,
            connections: self.count("select count(*) from connection").await?,
            boots: self.count("select count(*) from (select distinct host, boot from way)").await?,
            gaps: self.gaps().await?,
            anomalies: self.anomaly_counts().await?,
            verdicts: self.verdict_counts().await?,
            database_bytes: self
                .count("select page_count * page_size from pragma_page_count, pragma_page_size")
                .await?,
        })
    }

    async fn count(&mut self, query: &'static str) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(query).fetch_one(&mut *self.connection).await?;
        Ok(count.cast_unsigned())
    }

    pub(crate) async fn gaps(&mut self) -> Result<Vec<GapRow>, StoreError> {
        let columns: Vec<GapColumns> =
            sqlx::query_as("select * from gap order by position, copy, reason")
                .fetch_all(&mut *self.connection)
                .await?;
        let mut rows = Vec::with_capacity(columns.len());
        for GapColumns(gap) in columns {
            let source = self.source(gap.position.source).await?;
            rows.push(GapRow { source: source.name.clone(), gap });
        }
        Ok(rows)
    }

    async fn anomaly_counts(&mut self) -> Result<Vec<(AnomalyKind, u64)>, StoreError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select kind, count(*) from anomaly group by kind")
                .fetch_all(&mut *self.connection)
                .await?;
        let counts: BTreeMap<AnomalyKind, u64> = rows
            .into_iter()
            .map(|(kind, count)| Ok((anomaly_kind(&kind)?, count.cast_unsigned())))
            .collect::<Result<_, StoreError>>()?;
        Ok(counts.into_iter().collect())
    }

    async fn verdict_counts(&mut self) -> Result<Vec<(VerdictKind, u64)>, StoreError> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select coalesce(told_verdict, verdict), count(*) from connection group by 1 order by 1",
        )
        .fetch_all(&mut *self.connection)
        .await?;
        let read = |(verdict, count): (i64, i64)| {
            Ok((VerdictKind::from_code(verdict)?, count.cast_unsigned()))
        };
        rows.into_iter().map(read).collect()
    }

    /// Anomalies in order of position.
    pub(crate) async fn anomalies(
        &mut self,
        query: &AnomalyQuery,
    ) -> Result<Vec<AnomalyRow>, StoreError> {
        let mut sql = QueryBuilder::new("select position, copy, kind, seq, text from anomaly");
        if let Some(kind) = query.kind {
            sql.push(" where kind = ").push_bind(kind.name());
        }
        sql.push(" order by position, copy, kind, digest");
        if let Some(limit) = query.limit {
            sql.push(" limit ").push_bind(limit);
        }
        let columns: Vec<AnomalyColumns> =
            sql.build_query_as().fetch_all(&mut *self.connection).await?;
        let mut rows = Vec::with_capacity(columns.len());
        for columns in columns {
            let kind = anomaly_kind(&columns.kind)?;
            let source = self.source(columns.position.source).await?;
            let anomaly = Anomaly { kind, position: columns.position, text: columns.text.into() };
            rows.push(AnomalyRow { source: source.name.clone(), anomaly });
        }
        Ok(rows)
    }
}

fn anomaly_kind(name: &str) -> Result<AnomalyKind, StoreError> {
    let kind = AnomalyKind::ALL.iter().copied().find(|kind| kind.name() == name);
    kind.ok_or(StoreError::Damaged("an unknown kind of anomaly"))
}

const REASONS: [GapReason; 11] = [
    GapReason::KmsgOverrun,
    GapReason::JournaldMissed,
    GapReason::JournaldSuppressed,
    GapReason::PrintkRatelimit,
    GapReason::DevkmsgRatelimit,
    GapReason::ConsoleDropped,
    GapReason::RsyslogRatelimit,
    GapReason::JournalBlob,
    GapReason::ConntrackTableFull,
    GapReason::LineBufferFull,
    GapReason::NulRun,
];

fn position(row: &SqliteRow) -> Result<Position, sqlx::Error> {
    let key = from_row_key(row.try_get("position")?);
    Ok(Position {
        source: key.source,
        offset: key.offset,
        seq: row.try_get::<Option<i64>, _>("seq")?.map(i64::cast_unsigned),
        copy: row.try_get("copy")?,
    })
}

struct GapColumns(Gap);

impl FromRow<'_, SqliteRow> for GapColumns {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let name: String = row.try_get("reason")?;
        let reason = REASONS.into_iter().find(|reason| reason.name() == name);
        Ok(Self(Gap {
            host: HostId(row.try_get("host")?),
            position: position(row)?,
            stamp: stamp(row, "wall_us", "uptime_us")?,
            lost: row.try_get::<Option<i64>, _>("lost")?.map(i64::cast_unsigned),
            reason: reason
                .ok_or_else(|| sqlx::Error::Decode("an unknown reason for a gap".into()))?,
        }))
    }
}

struct AnomalyColumns {
    position: Position,
    kind: String,
    text: Vec<u8>,
}

impl FromRow<'_, SqliteRow> for AnomalyColumns {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            position: position(row)?,
            kind: row.try_get("kind")?,
            text: row.try_get("text")?,
        })
    }
}
