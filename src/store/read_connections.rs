//! Connections out of the database, as the model knows them.

use std::net::IpAddr;

use foldhash::HashMap;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::model::{
    Boot, Completeness, Connection, ConnectionState, Endpoint, EvidenceOf, HostId, Layer,
    NatChange, NatKind, Protocol, Stamp, Trust, Tuple, Uptime, Verdict, VerdictEvidence,
    VerdictKind, WallTime,
};
use crate::store::StoreError;
use crate::store::key::{IdKind, PublicId, from_row_key, row_key};
use crate::store::learnt::unlearn;
use crate::store::names::HostName;
use crate::store::read::Reader;
use crate::store::read_links::{LinkRow, list};
use crate::store::read_rules::RuleText;
use crate::store::words::Coded;
use crate::store::write_connections::ends;

/// A connection with what surrounds it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionRow {
    /// Its public id.
    pub id: PublicId,
    /// The host that saw it.
    pub host: HostName,
    /// The connection. Its verdict and translations are the told ones, where the rules tell any, and its reply tuple
    /// holds what conntrack's own record adds.
    pub connection: Connection,
    /// The text of the rule that decided, when the rules tell it.
    pub verdict_rule: Option<RuleText>,
    /// The texts of the rules that translated, one for each of `connection.nat`.
    pub nat_rules: Vec<Option<RuleText>>,
    /// Its links.
    pub links: Vec<LinkRow>,
}

impl Reader<'_> {
    /// The connection with this id.
    pub(crate) async fn connection(
        &mut self,
        id: &PublicId,
    ) -> Result<Option<ConnectionRow>, StoreError> {
        let Some(key) = self.key_of(id, IdKind::Connection).await? else { return Ok(None) };
        let found: Option<Columns> = sqlx::query_as("select * from connection where id = ?")
            .bind(key)
            .fetch_optional(&mut *self.connection)
            .await?;
        Ok(self.connection_rows(found.into_iter().collect()).await?.pop())
    }

    /// The row key that a public id stands for; none when it is of the other kind or of no known source.
    pub(crate) async fn key_of(
        &mut self,
        id: &PublicId,
        kind: IdKind,
    ) -> Result<Option<i64>, StoreError> {
        if id.kind() != kind {
            return Ok(None);
        }
        let (tag, offset) = id.parts();
        let source: Option<u32> = sqlx::query_scalar("select id from source where tag = ?")
            .bind(tag)
            .fetch_optional(&mut *self.connection)
            .await?;
        source.map(|source| row_key(crate::model::SourceId(source), offset)).transpose()
    }

    pub(crate) async fn connection_rows(
        &mut self,
        columns: Vec<Columns>,
    ) -> Result<Vec<ConnectionRow>, StoreError> {
        let keys: Vec<i64> = columns.iter().map(|columns| columns.id).collect();
        let mut nat = self.nat_of(&keys).await?;
        let nat_rules = nat.values().flatten().filter_map(|nat| nat.rule);
        let told_rules = columns.iter().filter_map(|columns| columns.told_rule);
        let mut rule_ids: Vec<i64> = told_rules.chain(nat_rules).collect();
        rule_ids.sort_unstable();
        rule_ids.dedup();
        let texts = self.rule_texts(rule_ids.into_iter()).await?;
        let text = |rule: Option<i64>| rule.and_then(|rule| texts.get(&rule).cloned());
        let mut links = self.links_of(IdKind::Connection, &keys).await?;
        let mut rows = Vec::with_capacity(columns.len());
        for one in columns {
            let key = one.id;
            let host = self.host(one.host).await?;
            let verdict_rule = text(one.told_rule);
            let nat = nat.remove(&key).unwrap_or_default();
            let nat_rules = nat.iter().map(|nat| text(nat.rule)).collect();
            let connection = self.connection_of(one, nat, Told::Yes).await?;
            rows.push(ConnectionRow {
                id: self.public_id(IdKind::Connection, connection.key).await?,
                host: HostName::clone(&host),
                verdict_rule,
                nat_rules,
                connection,
                links: links.remove(&key).unwrap_or_default(),
            });
        }
        Ok(rows)
    }

    /// The connection of a row, as told or as the log alone has it.
    pub(crate) async fn connection_of(
        &mut self,
        columns: Columns,
        nat: Vec<NatColumns>,
        told: Told,
    ) -> Result<Connection, StoreError> {
        let mut interfaces = Vec::new();
        for device in numbers(&columns.interfaces)? {
            interfaces.push(self.device(device).await?);
        }
        let layers = numbers(&columns.layers)?.into_iter().map(Layer::from_code);
        let [original_src, original_dst, reply_src, reply_dst] = columns.endpoints;
        let original = Tuple { src: original_src.read()?, dst: original_dst.read()? };
        let mut reply = Tuple { src: reply_src.read()?, dst: reply_dst.read()? };
        let mut verdict = columns.told_verdict.unwrap_or(columns.verdict);
        if told == Told::No {
            reply = unlearn(reply, columns.learnt);
            verdict = columns.verdict;
        }
        Ok(Connection {
            key: from_row_key(columns.id),
            host: HostId(u32::try_from(columns.host).unwrap_or(u32::MAX)),
            boot: Boot(columns.boot),
            protocol: Protocol(columns.protocol),
            original,
            reply,
            icmp_id: columns.icmp_id,
            nat: self.nat_changes(nat, ends(&original, &reply), told).await?,
            state: ConnectionState::from_code(columns.state)?,
            completeness: Completeness::from_code(columns.completeness)?,
            first: columns.first,
            last: columns.last,
            packets_original: columns.packets[0].cast_unsigned(),
            packets_reply: columns.packets[1].cast_unsigned(),
            packets_related: columns.packets[2].cast_unsigned(),
            lines: columns.lines.cast_unsigned(),
            layers: layers.collect::<Result<_, _>>()?,
            interfaces,
            trust: Trust::from_code(columns.trust)?,
            verdict: self.verdict(verdict).await?,
        })
    }

    pub(crate) async fn verdict(&mut self, columns: VerdictColumns) -> Result<Verdict, StoreError> {
        Ok(Verdict {
            kind: VerdictKind::from_code(columns.verdict)?,
            evidence: columns.evidence.map(VerdictEvidence::from_code).transpose()?,
            site: match columns.verdict_hop {
                Some(hop) => Some(self.hop(hop).await?),
                None => None,
            },
        })
    }

    /// The translations of connections (row keys), by key.
    pub(crate) async fn nat_of(
        &mut self,
        keys: &[i64],
    ) -> Result<HashMap<i64, Vec<NatColumns>>, StoreError> {
        let rows: Vec<NatColumns> = sqlx::query_as(
            "select * from nat where connection in (select value from json_each(?))
             order by connection, idx",
        )
        .bind(list(keys))
        .fetch_all(&mut *self.connection)
        .await?;
        let mut nat: HashMap<i64, Vec<NatColumns>> = HashMap::default();
        for row in rows {
            nat.entry(row.connection).or_default().push(row);
        }
        Ok(nat)
    }

    async fn nat_changes(
        &mut self,
        rows: Vec<NatColumns>,
        ends: [Endpoint; 4],
        told: Told,
    ) -> Result<Vec<NatChange>, StoreError> {
        let mut changes = Vec::with_capacity(rows.len());
        for row in rows {
            let (mut kind, mut evidence) = (row.kind, row.evidence);
            match told {
                Told::Yes => {
                    kind = row.told_kind.unwrap_or(kind);
                    evidence = row.told_evidence.unwrap_or(evidence);
                }
                Told::No if row.is_learnt => continue,
                Told::No => {}
            }
            let [from, to] = row.endpoints;
            changes.push(NatChange {
                kind: NatKind::from_code(kind)?,
                from: side(row.sides[0], ends)?.map_or_else(|| from.read(), Ok)?,
                to: side(row.sides[1], ends)?.map_or_else(|| to.read(), Ok)?,
                site: match row.hop {
                    Some(hop) => Some(self.hop(hop).await?),
                    None => None,
                },
                evidence: EvidenceOf::from_code(evidence)?,
            });
        }
        Ok(changes)
    }
}

/// Whether a connection is read as told, or as the log alone has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Yes,
    No,
}

/// The end of the connection's tuples that `nat.from_side` names.
fn side(side: Option<i64>, ends: [Endpoint; 4]) -> Result<Option<Endpoint>, StoreError> {
    let Some(side) = side else { return Ok(None) };
    let end = usize::try_from(side).ok().and_then(|side| ends.get(side));
    Ok(Some(*end.ok_or(StoreError::Damaged("an unknown code"))?))
}

/// `1,4,7`
fn numbers(text: &str) -> Result<Vec<i64>, StoreError> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(|_| StoreError::Damaged("a list is no list"))).collect()
}

/// A row of table `connection`.
pub(crate) struct Columns {
    pub id: i64,
    pub host: i64,
    boot: u32,
    protocol: u8,
    endpoints: [EndpointColumns; 4],
    icmp_id: Option<u16>,
    state: i64,
    completeness: i64,
    pub first: Stamp,
    last: Stamp,
    packets: [i64; 3],
    lines: i64,
    layers: String,
    interfaces: String,
    trust: i64,
    verdict: VerdictColumns,
    told_verdict: Option<VerdictColumns>,
    told_rule: Option<i64>,
    pub learnt: Option<i64>,
}

#[derive(Clone)]
struct EndpointColumns {
    addr: Option<String>,
    port: Option<u16>,
}

impl EndpointColumns {
    fn of(row: &SqliteRow, addr: &str, port: &str) -> Result<Self, sqlx::Error> {
        Ok(Self { addr: row.try_get(addr)?, port: row.try_get(port)? })
    }

    fn read(self) -> Result<Endpoint, StoreError> {
        let addr = self.addr.map(|addr| addr.parse::<IpAddr>()).transpose();
        Ok(Endpoint {
            addr: addr.map_err(|_| StoreError::Damaged("an address is none"))?,
            port: self.port,
        })
    }
}

/// The columns that make a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VerdictColumns {
    pub verdict: i64,
    pub evidence: Option<i64>,
    pub verdict_hop: Option<i64>,
}

impl VerdictColumns {
    pub(crate) fn of(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            verdict: row.try_get("verdict")?,
            evidence: row.try_get("evidence")?,
            verdict_hop: row.try_get("verdict_hop")?,
        })
    }

    /// What is told of a connection, if anything is.
    fn told(row: &SqliteRow) -> Result<Option<Self>, sqlx::Error> {
        let verdict: Option<i64> = row.try_get("told_verdict")?;
        let evidence = row.try_get("told_evidence")?;
        let verdict_hop = row.try_get("told_hop")?;
        Ok(verdict.map(|verdict| Self { verdict, evidence, verdict_hop }))
    }
}

pub(crate) fn stamp(row: &SqliteRow, wall: &str, uptime: &str) -> Result<Stamp, sqlx::Error> {
    Ok(Stamp {
        wall: row.try_get::<Option<i64>, _>(wall)?.map(WallTime),
        uptime: row.try_get::<Option<i64>, _>(uptime)?.map(|uptime| Uptime(uptime.cast_unsigned())),
    })
}

impl FromRow<'_, SqliteRow> for Columns {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            host: row.try_get("host")?,
            boot: row.try_get("boot")?,
            protocol: row.try_get("protocol")?,
            endpoints: [
                EndpointColumns::of(row, "src", "sport")?,
                EndpointColumns::of(row, "dst", "dport")?,
                EndpointColumns::of(row, "reply_src", "reply_sport")?,
                EndpointColumns::of(row, "reply_dst", "reply_dport")?,
            ],
            icmp_id: row.try_get("icmp_id")?,
            state: row.try_get("state")?,
            completeness: row.try_get("completeness")?,
            first: stamp(row, "first_wall_us", "first_uptime_us")?,
            last: stamp(row, "last_wall_us", "last_uptime_us")?,
            packets: [
                row.try_get("packets_original")?,
                row.try_get("packets_reply")?,
                row.try_get("packets_related")?,
            ],
            lines: row.try_get("lines")?,
            layers: row.try_get("layers")?,
            interfaces: row.try_get("interfaces")?,
            trust: row.try_get("trust")?,
            verdict: VerdictColumns::of(row)?,
            told_verdict: VerdictColumns::told(row)?,
            told_rule: row.try_get("told_rule")?,
            learnt: row.try_get("learnt")?,
        })
    }
}

/// A row of table `nat`.
#[derive(Clone)]
pub(crate) struct NatColumns {
    connection: i64,
    pub idx: i64,
    pub is_learnt: bool,
    pub told_kind: Option<i64>,
    pub told_evidence: Option<i64>,
    pub rule: Option<i64>,
    kind: i64,
    sides: [Option<i64>; 2],
    endpoints: [EndpointColumns; 2],
    hop: Option<i64>,
    evidence: i64,
}

impl FromRow<'_, SqliteRow> for NatColumns {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            connection: row.try_get("connection")?,
            idx: row.try_get("idx")?,
            is_learnt: row.try_get::<Option<i64>, _>("learnt")?.is_some(),
            told_kind: row.try_get("told_kind")?,
            told_evidence: row.try_get("told_evidence")?,
            rule: row.try_get("rule")?,
            kind: row.try_get("kind")?,
            sides: [row.try_get("from_side")?, row.try_get("to_side")?],
            endpoints: [
                EndpointColumns::of(row, "from_addr", "from_port")?,
                EndpointColumns::of(row, "to_addr", "to_port")?,
            ],
            hop: row.try_get("hop")?,
            evidence: row.try_get("evidence")?,
        })
    }
}
