//! Packets out of the database, line by line as they were.

use std::collections::BTreeSet;

use foldhash::HashMap;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::model::{
    Boot, Confidence, Direction, HostId, Packet, SourceId, Stamp, StepLines, Trust, Uptime,
    WallTime,
};
use crate::store::StoreError;
use crate::store::codec::{self, Flow, Stored};
use crate::store::key::{IdKind, PublicId, from_row_key};
use crate::store::names::HostName;
use crate::store::read::Reader;
use crate::store::read_connections::VerdictColumns;
use crate::store::read_links::{LinkRow, list};
use crate::store::read_rules::{RuleText, StepRule, StepRules};
use crate::store::words::Coded as _;

/// The rows of table `packet` as `p`, each with its way as `w` and what is told of that at its time as `t`: see
/// [`PacketColumns`]. Ends before `where`.
macro_rules! packets {
    () => {
        "select p.*, w.path, w.shape, w.host, w.boot, w.direction, w.trust, w.confidence, b.base_us,
            coalesce(t.verdict, w.verdict) as verdict,
            iif(t.way is null, w.evidence, t.evidence) as evidence,
            iif(t.way is null, w.verdict_hop, t.verdict_hop) as verdict_hop,
            t.rule as verdict_rule,
            exists (select 1 from rule_site) as has_rules
         from packet p
         join way w on w.id = p.way
         left join boot b on b.host = w.host and b.boot = w.boot
         left join telling t on t.way = p.way and t.from_us =
            (select max(x.from_us) from telling x
                where x.way = p.way and x.from_us <= coalesce(p.wall_us, -9223372036854775808))"
    };
}
pub(crate) use packets;

/// A packet with what surrounds it.
#[derive(Debug, Clone, PartialEq)]
pub struct PacketRow {
    /// Its public id.
    pub id: PublicId,
    /// The connection's, when it has one.
    pub connection_id: Option<PublicId>,
    /// The host that saw it.
    pub host: HostName,
    /// The packet. Its verdict is the told one, when the rules tell one.
    pub packet: Packet,
    /// The text of the rule that decided, when the rules tell it.
    pub verdict_rule: Option<RuleText>,
    /// What the rules tell of its steps, one for each of `packet.steps`.
    pub rules: Vec<Option<StepRule>>,
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

impl Reader<'_> {
    /// The packet with this id.
    pub(crate) async fn packet(&mut self, id: &PublicId) -> Result<Option<PacketRow>, StoreError> {
        let Some(key) = self.key_of(id, IdKind::Packet).await? else { return Ok(None) };
        let found: Option<PacketColumns> = sqlx::query_as(concat!(packets!(), " where p.id = ?",))
            .bind(key)
            .fetch_optional(&mut *self.connection)
            .await?;
        Ok(self.packet_rows(found.into_iter().collect()).await?.pop())
    }

    /// The packets of a connection, in order of time, then of position.
    pub(crate) async fn packets_of(&mut self, id: &PublicId) -> Result<Vec<PacketRow>, StoreError> {
        let Some(key) = self.key_of(id, IdKind::Connection).await? else { return Ok(Vec::new()) };
        let found: Vec<PacketColumns> = sqlx::query_as(concat!(
            packets!(),
            " where p.connection = ?
             order by p.wall_us, iif(p.wall_us is null, p.skew_us, -p.skew_us), p.id",
        ))
        .bind(key)
        .fetch_all(&mut *self.connection)
        .await?;
        self.packet_rows(found).await
    }

    pub(crate) async fn packet_rows(
        &mut self,
        columns: Vec<PacketColumns>,
    ) -> Result<Vec<PacketRow>, StoreError> {
        let keys: Vec<i64> = columns.iter().map(|columns| columns.id).collect();
        let flows = self.flows_for(&columns).await?;
        let mut links = self.links_of(IdKind::Packet, &keys).await?;
        let texts = self.rule_texts(columns.iter().filter_map(|one| one.verdict_rule)).await?;
        let mut step_rules = StepRules::default();
        let mut rows = Vec::with_capacity(columns.len());
        for one in columns {
            let host = self.host(one.host).await?;
            let (key, way) = (one.id, (one.host, one.path));
            let verdict_rule = one.verdict_rule.and_then(|rule| texts.get(&rule).cloned());
            let has_rules = one.has_rules;
            let flow = one.connection.and_then(|connection| flows.get(&connection).copied());
            let packet = self.packet_of(one, flow).await?;
            let n_steps = packet.steps.len();
            let rules = if has_rules {
                self.step_rules(&mut step_rules, way, packet.first.wall, n_steps).await?
            } else {
                vec![None; n_steps]
            };
            let connection_id = match packet.connection {
                Some(key) => Some(self.public_id(IdKind::Connection, key).await?),
                None => None,
            };
            rows.push(PacketRow {
                id: self.public_id(IdKind::Packet, packet.key).await?,
                connection_id,
                host: HostName::clone(&host),
                sources: self.sources_of(&packet).await?,
                verdict_rule,
                rules,
                packet,
                links: links.remove(&key).unwrap_or_default(),
            });
        }
        Ok(rows)
    }

    /// The flows without which some of the packets cannot be read, by connection.
    async fn flows_for(
        &mut self,
        columns: &[PacketColumns],
    ) -> Result<HashMap<i64, Flow>, StoreError> {
        let mut needed = BTreeSet::new();
        for one in columns {
            if codec::needs_flow(&self.shape(one.shape).await?)? {
                needed.extend(one.connection);
            }
        }
        let needed: Vec<i64> = needed.into_iter().collect();
        self.flows(&needed).await
    }

    /// The flows of connections whose first packet is stored.
    pub(crate) async fn flows(
        &mut self,
        connections: &[i64],
    ) -> Result<HashMap<i64, Flow>, StoreError> {
        let mut flows = HashMap::default();
        if connections.is_empty() {
            return Ok(flows);
        }
        let found: Vec<PacketColumns> = sqlx::query_as(concat!(
            packets!(),
            " where p.id in (select value from json_each(?)) and p.behind = 0",
        ))
        .bind(list(connections))
        .fetch_all(&mut *self.connection)
        .await?;
        for first in found {
            let key = first.id;
            let packet = self.packet_of(first, None).await?;
            flows.extend(Flow::of(&packet.steps).map(|flow| (key, flow)));
        }
        Ok(flows)
    }

    async fn packet_of(
        &mut self,
        columns: PacketColumns,
        flow: Option<Flow>,
    ) -> Result<Packet, StoreError> {
        let hops = self.path(columns.path).await?;
        let frames = self.frames(columns.frames).await?;
        let shape = self.shape(columns.shape).await?;
        let key = from_row_key(columns.id);
        let steps = codec::decode(&Stored {
            key,
            columns: columns.columns,
            gaps: columns.gaps.as_deref(),
            shape: &shape,
            frames: &frames,
            detail: &columns.detail,
            hops: &hops,
            flow,
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

    async fn sources_of(&mut self, packet: &Packet) -> Result<Vec<(SourceId, String)>, StoreError> {
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
            sources.push((id, self.source(id).await?.name.clone()));
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
    verdict_rule: Option<i64>,
    has_rules: bool,
    pub first: Stamp,
    columns: codec::Columns,
    gaps: Option<String>,
    frames: i64,
    shape: i64,
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
            verdict_rule: row.try_get("verdict_rule")?,
            has_rules: row.try_get("has_rules")?,
            first: first_stamp(row)?,
            columns: codec::Columns {
                length: number("length")?,
                ip_id: number("ip_id")?,
                tcp_flags: number("tcp_flags")?,
            },
            gaps: row.try_get("gaps")?,
            frames: row.try_get("frames")?,
            shape: row.try_get("shape")?,
            detail: row.try_get("detail")?,
        })
    }
}

/// The stamp of a packet's first line: see the columns `skew_us` and `base_us`.
fn first_stamp(row: &SqliteRow) -> Result<Stamp, sqlx::Error> {
    let wall: Option<i64> = row.try_get("wall_us")?;
    let skew: Option<i64> = row.try_get("skew_us")?;
    let base: Option<i64> = row.try_get("base_us")?;
    let uptime = match (wall, base) {
        (Some(wall), Some(base)) => skew.map(|skew| wall.wrapping_sub(base).wrapping_sub(skew)),
        (Some(_), None) => None,
        (None, _) => skew,
    };
    Ok(Stamp {
        wall: wall.map(WallTime),
        uptime: uptime.map(|uptime| Uptime(uptime.cast_unsigned())),
    })
}
