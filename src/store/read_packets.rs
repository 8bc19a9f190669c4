//! Packets out of the database, line by line as they were.

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::model::{
    Boot, Confidence, Direction, HostId, Packet, SourceId, Stamp, StepLines, Trust,
};
use crate::store::codec::{self, Stored};
use crate::store::key::{IdKind, PublicId, from_row_key};
use crate::store::names::HostName;
use crate::store::read_connections::{VerdictColumns, stamp};
use crate::store::read_links::LinkRow;
use crate::store::words::Coded as _;
use crate::store::{Store, StoreError};

/// A packet with what surrounds it.
#[derive(Debug, Clone, PartialEq)]
pub struct PacketRow {
    /// Its public id.
    pub id: PublicId,
    /// The connection's, when it has one.
    pub connection_id: Option<PublicId>,
    /// The host that saw it.
    pub host: HostName,
    /// The packet.
    pub packet: Packet,
    /// The names of the sources in which its lines stand.
    pub sources: Vec<(SourceId, String)>,
    /// Its links.
    pub links: Vec<LinkRow>,
}

impl PacketRow {
    /// The name of the source with this number.
    pub fn source_name(&self, source: SourceId) -> Option<&str> {
        self.sources.iter().find(|(id, _)| *id == source).map(|(_, name)| name.as_str())
    }
}

impl Store {
    /// The packet with this id.
    pub async fn packet(&self, id: &PublicId) -> Result<Option<PacketRow>, StoreError> {
        let Some(key) = self.key_of(id, IdKind::Packet).await? else { return Ok(None) };
        let found: Option<PacketColumns> = sqlx::query_as(
            "select p.*, s.frames, s.bytes, w.path, w.host, w.boot, w.direction, w.trust, w.confidence,
                w.verdict, w.evidence, w.verdict_hop
             from packet p
             join way w on w.id = p.way
             join shape s on s.n = max(p.shape, 0)
                and s.owner = iif(p.shape < 0 or p.connection is null, p.id, p.connection)
             where p.id = ?",
        )
        .bind(key)
        .fetch_optional(&self.readers)
        .await?;
        Ok(self.packet_rows(found.into_iter().collect()).await?.pop())
    }

    /// The packets of a connection, in order of time, then of position.
    pub async fn packets_of(&self, id: &PublicId) -> Result<Vec<PacketRow>, StoreError> {
        let Some(key) = self.key_of(id, IdKind::Connection).await? else { return Ok(Vec::new()) };
        let found: Vec<PacketColumns> = sqlx::query_as(
            "select p.*, s.frames, s.bytes, w.path, w.host, w.boot, w.direction, w.trust, w.confidence,
                w.verdict, w.evidence, w.verdict_hop
             from packet p
             join way w on w.id = p.way
             join shape s on s.n = max(p.shape, 0)
                and s.owner = iif(p.shape < 0 or p.connection is null, p.id, p.connection)
             where p.connection = ?
             order by p.wall_us, p.uptime_us, p.id",
        )
        .bind(key)
        .fetch_all(&self.readers)
        .await?;
        self.packet_rows(found).await
    }

    pub(crate) async fn packet_rows(
        &self,
        columns: Vec<PacketColumns>,
    ) -> Result<Vec<PacketRow>, StoreError> {
        let keys: Vec<i64> = columns.iter().map(|columns| columns.id).collect();
        let mut links = self.links_of(IdKind::Packet, &keys).await?;
        let mut rows = Vec::with_capacity(columns.len());
        for one in columns {
            let host = self.names.host(&self.readers, one.host).await?;
            let key = one.id;
            let packet = self.packet_of(one).await?;
            let connection_id = match packet.connection {
                Some(key) => {
                    Some(self.names.public_id(&self.readers, IdKind::Connection, key).await?)
                }
                None => None,
            };
            rows.push(PacketRow {
                id: self.names.public_id(&self.readers, IdKind::Packet, packet.key).await?,
                connection_id,
                host: HostName::clone(&host),
                sources: self.sources_of(&packet).await?,
                packet,
                links: links.remove(&key).unwrap_or_default(),
            });
        }
        Ok(rows)
    }

    async fn packet_of(&self, columns: PacketColumns) -> Result<Packet, StoreError> {
        let hops = self.names.path(&self.readers, columns.path).await?;
        let frames = self.names.frames(&self.readers, columns.frames).await?;
        let key = from_row_key(columns.id);
        let steps = codec::decode(&Stored {
            key,
            columns: columns.columns,
            gaps: columns.gaps.as_deref(),
            shape: &columns.shape,
            frames: &frames,
            detail: &columns.detail,
            hops: &hops,
        })?;
        Ok(Packet {
            key,
            host: HostId(u32::try_from(columns.host).unwrap_or(u32::MAX)),
            boot: Boot(columns.boot),
            connection: columns.connection.map(from_row_key),
            direction: columns.direction.map(Direction::from_code).transpose()?,
            first: columns.first,
            trust: Trust::from_code(columns.trust)?,
            confidence: Confidence::from_code(columns.confidence)?,
            verdict: self.verdict(columns.verdict).await?,
            steps,
        })
    }

    async fn sources_of(&self, packet: &Packet) -> Result<Vec<(SourceId, String)>, StoreError> {
        let mut ids = Vec::new();
        for StepLines { head, pieces } in packet.steps.iter().map(|step| &step.lines) {
            for position in std::iter::once(head).chain(pieces) {
                if !ids.contains(&position.source) {
                    ids.push(position.source);
                }
            }
        }
        let mut sources = Vec::with_capacity(ids.len());
        for id in ids {
            sources.push((id, self.names.source(&self.readers, id).await?.name.clone()));
        }
        Ok(sources)
    }
}

/// A row of table `packet` with its way and shape.
pub(crate) struct PacketColumns {
    pub id: i64,
    pub connection: Option<i64>,
    path: i64,
    pub host: i64,
    boot: u32,
    direction: Option<i64>,
    trust: i64,
    confidence: i64,
    verdict: VerdictColumns,
    pub first: Stamp,
    columns: codec::Columns,
    gaps: Option<String>,
    frames: i64,
    shape: Vec<u8>,
    detail: Vec<u8>,
}

impl FromRow<'_, SqliteRow> for PacketColumns {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let number = |column: &str| {
            row.try_get::<Option<i64>, _>(column).map(|number| number.map(i64::cast_unsigned))
        };
        Ok(Self {
            id: row.try_get("id")?,
            connection: row.try_get("connection")?,
            path: row.try_get("path")?,
            host: row.try_get("host")?,
            boot: row.try_get("boot")?,
            direction: row.try_get("direction")?,
            trust: row.try_get("trust")?,
            confidence: row.try_get("confidence")?,
            verdict: VerdictColumns::of(row)?,
            first: stamp(row, "wall_us", "uptime_us")?,
            columns: codec::Columns {
                length: number("length")?,
                ip_id: number("ip_id")?,
                tcp_flags: number("tcp_flags")?,
                seq: number("seq")?,
                ack: number("ack")?,
                window: number("window")?,
            },
            gaps: row.try_get("gaps")?,
            frames: row.try_get("frames")?,
            shape: row.try_get("bytes")?,
            detail: row.try_get("detail")?,
        })
    }
}
