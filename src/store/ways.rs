//! Stores each way, shape and list of frames once: what a packet shares with thousands of others.

use sqlx::sqlite::SqliteConnection;

use crate::filter::{ProtocolName, shown_protocol};
use crate::model::{Direction, LinkHeader, Packet, Verdict};
use crate::store::StoreError;
use crate::store::codec::read_frames;
use crate::store::intern::{Intern, keep};
use crate::store::words::Coded as _;

/// `way.protocol` of ARP.
pub(crate) const ARP: i64 = -1;

/// A row of table `way`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Way {
    pub path: i64,
    pub shape: i64,
    pub host: i64,
    pub boot: u32,
    pub protocol: Option<i64>,
    pub direction: Option<Direction>,
    pub trust: i64,
    pub confidence: i64,
    pub verdict: i64,
    pub evidence: Option<i64>,
    pub verdict_hop: Option<i64>,
    pub lines: i64,
}

/// A way's row, with the host and boot it belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WayId {
    pub id: i64,
    pub boot: (i64, u32),
}

impl Intern {
    pub(crate) async fn frames(
        &mut self,
        connection: &mut SqliteConnection,
        bytes: &[u8],
    ) -> Result<i64, StoreError> {
        if let Some(id) = self.frames.get(bytes) {
            return Ok(*id);
        }
        let known: Option<i64> = sqlx::query_scalar("select id from frames where bytes = ?")
            .bind(bytes)
            .fetch_optional(&mut *connection)
            .await?;
        let id = match known {
            Some(id) => id,
            None => add_frames(connection, bytes).await?,
        };
        keep(&mut self.frames, bytes.to_vec(), id);
        Ok(id)
    }

    pub(crate) async fn verdict(
        &mut self,
        connection: &mut SqliteConnection,
        verdict: &Verdict,
    ) -> Result<(i64, Option<i64>, Option<i64>), StoreError> {
        let hop = match &verdict.site {
            Some(hop) => Some(self.hop(connection, hop).await?),
            None => None,
        };
        Ok((verdict.kind.code(), verdict.evidence.map(crate::store::words::Coded::code), hop))
    }

    async fn shape(
        &mut self,
        connection: &mut SqliteConnection,
        bytes: &[u8],
    ) -> Result<i64, StoreError> {
        if let Some(id) = self.shapes.get(bytes) {
            return Ok(*id);
        }
        let known: Option<i64> = sqlx::query_scalar("select id from shape where bytes = ?")
            .bind(bytes)
            .fetch_optional(&mut *connection)
            .await?;
        let id = match known {
            Some(id) => id,
            None => {
                sqlx::query_scalar(
                    "insert into shape (id, bytes)
                     values ((select coalesce(max(id) + 1, 0) from shape), ?) returning id",
                )
                .bind(bytes)
                .fetch_one(&mut *connection)
                .await?
            }
        };
        keep(&mut self.shapes, bytes.to_vec(), id);
        Ok(id)
    }

    /// The way of a packet.
    pub(crate) async fn way(
        &mut self,
        connection: &mut SqliteConnection,
        packet: &Packet,
        shape: &[u8],
    ) -> Result<WayId, StoreError> {
        let n_pieces: usize = packet.steps.iter().map(|step| step.lines.pieces.len()).sum();
        let (verdict, evidence, verdict_hop) = self.verdict(connection, &packet.verdict).await?;
        let way = Way {
            path: self.path(connection, packet).await?,
            shape: self.shape(connection, shape).await?,
            host: self.host(connection, packet.host).await?,
            boot: packet.boot.0,
            protocol: protocol(packet),
            direction: packet.direction,
            trust: packet.trust.code(),
            confidence: packet.confidence.code(),
            verdict,
            evidence,
            verdict_hop,
            lines: i64::try_from(packet.steps.len() + n_pieces).unwrap_or(i64::MAX),
        };
        let boot = (way.host, way.boot);
        if let Some(id) = self.ways.get(&way) {
            return Ok(WayId { id: *id, boot });
        }
        let id = find_or_add_way(connection, &way).await?;
        keep(&mut self.ways, way, id);
        Ok(WayId { id, boot })
    }
}

/// The protocol of a packet's first line, as `way.protocol` has it.
fn protocol(packet: &Packet) -> Option<i64> {
    match shown_protocol(&packet.steps.first()?.header)? {
        ProtocolName::Ip(protocol) => Some(i64::from(protocol.0)),
        ProtocolName::Arp => Some(ARP),
    }
}

async fn add_frames(connection: &mut SqliteConnection, bytes: &[u8]) -> Result<i64, StoreError> {
    let id: i64 = sqlx::query_scalar(
        "insert into frames (id, bytes)
         values ((select coalesce(max(id) + 1, 0) from frames), ?) returning id",
    )
    .bind(bytes)
    .fetch_one(&mut *connection)
    .await?;
    for (src, dst) in read_frames(bytes)?.iter().filter_map(LinkHeader::addresses) {
        for mac in [src, dst] {
            sqlx::query("insert or ignore into frame_mac (mac, frames) values (?, ?)")
                .bind(mac.0.to_vec())
                .bind(id)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(id)
}

async fn find_or_add_way(connection: &mut SqliteConnection, way: &Way) -> Result<i64, StoreError> {
    let known: Option<i64> = sqlx::query_scalar(
        "select id from way where path = ? and shape = ? and host = ? and boot = ? and protocol is ?
            and direction is ? and trust = ? and confidence = ? and verdict = ? and evidence is ? and verdict_hop is ? and lines = ?",
    )
    .bind(way.path)
    .bind(way.shape)
    .bind(way.host)
    .bind(way.boot)
    .bind(way.protocol)
    .bind(way.direction.map(crate::store::words::Coded::code))
    .bind(way.trust)
    .bind(way.confidence)
    .bind(way.verdict)
    .bind(way.evidence)
    .bind(way.verdict_hop)
    .bind(way.lines)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(id) = known {
        return Ok(id);
    }
    let added = sqlx::query_scalar(
        "insert into way (id, path, shape, host, boot, protocol, direction, trust, confidence, verdict,
            evidence, verdict_hop, lines)
         values ((select coalesce(max(id) + 1, 0) from way), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning id",
    )
    .bind(way.path)
    .bind(way.shape)
    .bind(way.host)
    .bind(way.boot)
    .bind(way.protocol)
    .bind(way.direction.map(crate::store::words::Coded::code))
    .bind(way.trust)
    .bind(way.confidence)
    .bind(way.verdict)
    .bind(way.evidence)
    .bind(way.verdict_hop)
    .bind(way.lines)
    .fetch_one(&mut *connection)
    .await?;
    Ok(added)
}
