//! Ways as the rules are asked about them: what every packet on a way has in common, and when packets went it.

use std::sync::Arc;

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::filter::ProtocolName;
use crate::model::{Boot, Confidence, Direction, Hop, Packet, Protocol, Verdict, WallTime};
use crate::store::StoreError;
use crate::store::names::HostName;
use crate::store::read::Reader;
use crate::store::read_connections::VerdictColumns;
use crate::store::read_packets::{PacketColumns, packets};
use crate::store::ways::ARP;
use crate::store::words::Coded as _;

/// What waits to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pending {
    /// Snapshots there are. Without any nothing is ever pending.
    pub snapshots: u64,
    /// Ways that were not told since they came, or since the snapshots changed. While none waits, the snapshots
    /// are those of the last run, as far as they matter.
    pub ways: u64,
    /// Whether connections wait: they were written since, or have a packet on a way that is told otherwise now.
    pub connections: bool,
}

/// A way that packets went, as the log alone tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct WayFacts {
    /// Its number.
    pub id: i64,
    /// The number of the host.
    pub host_id: i64,
    /// The host.
    pub host: HostName,
    /// The boot.
    pub boot: Boot,
    /// The places in order.
    pub hops: Arc<[Hop]>,
    /// The log's own verdict.
    pub verdict: Verdict,
    /// The direction within the connection.
    pub direction: Option<Direction>,
    /// The protocol.
    pub protocol: Option<ProtocolName>,
    /// The time of its first packet that has one.
    pub first_wall: Option<WallTime>,
    /// The time of its last packet that has one.
    pub last_wall: Option<WallTime>,
    /// How many packets went it.
    pub packets: u64,
    /// How sure the joining of its lines is.
    pub confidence: Confidence,
    /// Whether lines of its host are known to be missing while packets went it.
    pub is_lossy: bool,
    /// Whether it has been told under the present snapshots.
    pub is_told: bool,
}

/// The times of some packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The earliest.
    pub first: WallTime,
    /// The latest.
    pub last: WallTime,
}

/// A way with no more blocks than these is read block by block; a busier one is found quickly by time.
const FEW_BLOCKS: i64 = 16;

/// A loss this near to a way's packets may be one of their lines.
const NEAR_US: i64 = 5_000_000;

/// A minute in µs.
pub(crate) const MINUTE_US: i64 = 60_000_000;

/// Wall times from the first to before the second, µs since 1970.
pub(crate) type Times = (i64, i64);

/// All times there are.
pub(crate) const EVER: Times = (i64::MIN, i64::MAX);

impl Reader<'_> {
    /// What waits to be told.
    pub(crate) async fn pending(&mut self) -> Result<Pending, StoreError> {
        let (snapshots, ways, connections): (i64, i64, bool) = sqlx::query_as(
            "select n.snapshots, iif(n.snapshots > 0, (select count(*) from way where told is null), 0),
                exists (select 1 from connection where untold = 1)
             from (select count(*) as snapshots from snapshot) n",
        )
        .fetch_one(&mut *self.connection)
        .await?;
        Ok(Pending {
            snapshots: snapshots.cast_unsigned(),
            ways: ways.cast_unsigned(),
            connections,
        })
    }

    /// All ways, in order of first appearance.
    pub(crate) async fn ways(&mut self) -> Result<Vec<WayFacts>, StoreError> {
        let rows: Vec<WayColumns> = sqlx::query_as(
            "select w.*, (select sum(packets) from way_minute m where m.way = w.id) as packets
             from way w order by w.id",
        )
        .fetch_all(&mut *self.connection)
        .await?;
        let losses = self.losses().await?;
        let mut ways = Vec::with_capacity(rows.len());
        for row in rows {
            let span = self.way_span(row.id, EVER).await?;
            let is_lossy = losses.iter().any(|(host, wall)| {
                let near = |span: Span| {
                    wall.is_none_or(|wall| {
                        span.first.0.saturating_sub(NEAR_US) <= wall
                            && wall <= span.last.0.saturating_add(NEAR_US)
                    })
                };
                *host == row.host && span.is_none_or(near)
            });
            ways.push(WayFacts {
                id: row.id,
                host_id: row.host,
                host: HostName::clone(&*self.host(row.host).await?),
                boot: Boot(row.boot),
                hops: self.path(row.path).await?,
                verdict: self.verdict(row.verdict).await?,
                direction: row.direction.map(Direction::from_code).transpose()?,
                protocol: row.protocol.map(protocol).transpose()?,
                first_wall: span.map(|span| span.first),
                last_wall: span.map(|span| span.last),
                packets: row.packets.unwrap_or_default().cast_unsigned(),
                confidence: Confidence::from_code(row.confidence)?,
                is_lossy,
                is_told: row.told.is_some(),
            });
        }
        Ok(ways)
    }

    /// The hosts of which lines are known to be missing, and when that was noticed.
    async fn losses(&mut self) -> Result<Vec<(i64, Option<i64>)>, StoreError> {
        let gaps = self.gaps().await?;
        let lost = gaps.into_iter().filter(|row| row.gap.reason.loses_netfilter_lines());
        Ok(lost
            .map(|row| (i64::from(row.gap.host.0), row.gap.stamp.wall.map(|wall| wall.0)))
            .collect())
    }

    /// The first `n` and the last `n` packets of a way, in order of position, each once, with the log's own verdict.
    pub(crate) async fn samples(&mut self, way: i64, n: u32) -> Result<Vec<Packet>, StoreError> {
        let own: Option<WayColumns> =
            sqlx::query_as("select w.*, null as packets from way w where w.id = ?")
                .bind(way)
                .fetch_optional(&mut *self.connection)
                .await?;
        let own = own.ok_or(StoreError::NoSuch { what: "way", id: way })?;
        let verdict = self.verdict(own.verdict).await?;
        let mut ids: Vec<i64> = sqlx::query_scalar(
            "select * from (select p.id from way_block b cross join packet p
                on p.id between b.block << 20 and (b.block << 20) + 1048575 and p.way = b.way
                where b.way = ?1 order by b.block, p.id limit ?2)
             union
             select * from (select p.id from way_block b cross join packet p
                on p.id between b.block << 20 and (b.block << 20) + 1048575 and p.way = b.way
                where b.way = ?1 order by b.block desc, p.id desc limit ?2)",
        )
        .bind(way)
        .bind(n)
        .fetch_all(&mut *self.connection)
        .await?;
        ids.sort_unstable();
        let columns: Vec<PacketColumns> = sqlx::query_as(concat!(
            packets!(),
            " where p.id in (select value from json_each(?)) order by p.id",
        ))
        .bind(crate::store::read_links::list(&ids))
        .fetch_all(&mut *self.connection)
        .await?;
        let rows = self.packet_rows(columns).await?;
        Ok(rows.into_iter().map(|row| Packet { verdict: verdict.clone(), ..row.packet }).collect())
    }

    /// From when to when packets went these ways; none when none did that has a wall time.
    pub(crate) async fn span(
        &mut self,
        ways: &[i64],
        from: Option<WallTime>,
        until: Option<WallTime>,
    ) -> Result<Option<Span>, StoreError> {
        let times = (from.map_or(EVER.0, |from| from.0), until.map_or(EVER.1, |until| until.0));
        let mut whole: Option<Span> = None;
        for way in ways {
            if let Some(one) = self.way_span(*way, times).await? {
                whole = Some(whole.map_or(one, |whole| whole.and(one)));
            }
        }
        Ok(whole)
    }

    /// From when to when packets went a way.
    pub(crate) async fn way_span(
        &mut self,
        way: i64,
        (from, until): Times,
    ) -> Result<Option<Span>, StoreError> {
        let blocks: i64 = sqlx::query_scalar(
            "select count(*) from (select 1 from way_block where way = ? limit ?)",
        )
        .bind(way)
        .bind(FEW_BLOCKS + 1)
        .fetch_one(&mut *self.connection)
        .await?;
        let (first, last) = if blocks <= FEW_BLOCKS {
            sqlx::query_as(
                "select min(p.wall_us), max(p.wall_us) from way_block b cross join packet p
                    on p.id between b.block << 20 and (b.block << 20) + 1048575 and p.way = b.way
                 where b.way = ? and p.wall_us >= ? and p.wall_us < ?",
            )
            .bind(way)
            .bind(from)
            .bind(until)
            .fetch_one(&mut *self.connection)
            .await?
        } else {
            // One of the whole minutes between has a packet, or the first or last part of one.
            sqlx::query_as(
                "select
                    (select p.wall_us from way_minute m cross join packet p
                        on p.wall_us >= max(?2, m.minute * 60000000)
                            and p.wall_us < min(?3, (m.minute + 1) * 60000000) and p.way = m.way
                        where m.way = ?1 and m.minute >= ?4 and m.minute <= ?5
                        order by m.minute, p.wall_us limit 1),
                    (select p.wall_us from way_minute m cross join packet p
                        on p.wall_us >= max(?2, m.minute * 60000000)
                            and p.wall_us < min(?3, (m.minute + 1) * 60000000) and p.way = m.way
                        where m.way = ?1 and m.minute >= ?4 and m.minute <= ?5
                        order by m.minute desc, p.wall_us desc limit 1)",
            )
            .bind(way)
            .bind(from)
            .bind(until)
            .bind(from.div_euclid(MINUTE_US))
            .bind(until.div_euclid(MINUTE_US))
            .fetch_one(&mut *self.connection)
            .await?
        };
        let (first, last): (Option<i64>, Option<i64>) = (first, last);
        Ok(first
            .zip(last)
            .map(|(first, last)| Span { first: WallTime(first), last: WallTime(last) }))
    }
}

impl Span {
    /// The span of both.
    fn and(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// Reads the column `way.protocol`.
fn protocol(code: i64) -> Result<ProtocolName, StoreError> {
    if code == ARP {
        return Ok(ProtocolName::Arp);
    }
    let number = u8::try_from(code).map_err(|_| StoreError::Damaged("an unknown protocol"))?;
    Ok(ProtocolName::Ip(Protocol(number)))
}

/// A row of table `way`.
struct WayColumns {
    id: i64,
    path: i64,
    host: i64,
    boot: u32,
    protocol: Option<i64>,
    direction: Option<i64>,
    verdict: VerdictColumns,
    confidence: i64,
    told: Option<i64>,
    packets: Option<i64>,
}

impl FromRow<'_, SqliteRow> for WayColumns {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            path: row.try_get("path")?,
            host: row.try_get("host")?,
            boot: row.try_get("boot")?,
            protocol: row.try_get("protocol")?,
            direction: row.try_get("direction")?,
            verdict: VerdictColumns::of(row)?,
            confidence: row.try_get("confidence")?,
            told: row.try_get("told")?,
            packets: row.try_get("packets")?,
        })
    }
}
