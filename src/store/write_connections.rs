//! Connections on their way into the database: a later one with the same key replaces the earlier.

use std::net::IpAddr;

use sqlx::sqlite::SqliteConnection;

use crate::model::{Connection, Endpoint, Stamp, Tuple};
use crate::store::StoreError;
use crate::store::endpoint::address_key;
use crate::store::insert::{Insert, Values, insert};
use crate::store::intern::Intern;
use crate::store::key::packet_row_key;
use crate::store::known::Known;
use crate::store::words::Coded as _;
use crate::store::write::Latest;

/// The connections of a batch.
#[derive(Default)]
pub(crate) struct Connections {
    rows: Latest<Row>,
}

struct Row {
    id: i64,
    host: i64,
    state: Settled,
    verdict: (i64, Option<i64>, Option<i64>),
    layers: String,
    interfaces: String,
    nat: Vec<NatRow>,
}

/// The plain columns, copied.
struct Settled {
    boot: u32,
    protocol: u8,
    original: Tuple,
    reply: Tuple,
    icmp_id: Option<u16>,
    state: i64,
    completeness: i64,
    first: Stamp,
    last: Stamp,
    packets: [i64; 3],
    lines: i64,
    trust: i64,
}

struct NatRow {
    connection: i64,
    idx: i64,
    kind: i64,
    from: (Option<i64>, Endpoint),
    to: (Option<i64>, Endpoint),
    hop: Option<i64>,
    evidence: i64,
}

impl Connections {
    pub(crate) async fn add(
        &mut self,
        connection: &mut SqliteConnection,
        intern: &mut Intern,
        known: &mut Known,
        one: &Connection,
    ) -> Result<(), StoreError> {
        let id = packet_row_key(one.key)?;
        for tuple in [one.original, one.reply] {
            known.show(id, tuple.src);
            known.show(id, tuple.dst);
        }
        let mut interfaces = Vec::with_capacity(one.interfaces.len());
        for name in &one.interfaces {
            interfaces.extend(intern.device(connection, Some(*name)).await?);
        }
        let mut nat = Vec::with_capacity(one.nat.len());
        for (idx, change) in one.nat.iter().enumerate() {
            let hop = match &change.site {
                Some(hop) => Some(intern.hop(connection, hop).await?),
                None => None,
            };
            nat.push(NatRow {
                connection: id,
                idx: i64::try_from(idx).unwrap_or(i64::MAX),
                kind: change.kind.code(),
                from: (side_of(one, change.from), change.from),
                to: (side_of(one, change.to), change.to),
                hop,
                evidence: change.evidence.code(),
            });
        }
        let row = Row {
            id,
            host: intern.host(connection, one.host).await?,
            state: settled(one),
            verdict: intern.verdict(connection, &one.verdict).await?,
            layers: list(one.layers.iter().map(|layer| layer.code())),
            interfaces: list(interfaces),
            nat,
        };
        self.rows.put(id, row);
        Ok(())
    }

    /// Stores them; when there are snapshots, they wait to be told.
    pub(crate) async fn store(
        self,
        connection: &mut SqliteConnection,
        has_snapshots: bool,
    ) -> Result<(), StoreError> {
        let mut rows = self.rows.into_rows();
        if rows.is_empty() {
            return Ok(());
        }
        let ids = list(rows.iter().map(|row| row.id));
        sqlx::query(
            "delete from nat where connection in (select value from json_each('[' || ? || ']'))",
        )
        .bind(&ids)
        .execute(&mut *connection)
        .await?;
        let nat = rows.iter_mut().flat_map(|row| std::mem::take(&mut row.nat)).collect();
        insert(connection, &CONNECTIONS, rows, bind_connection).await?;
        insert(connection, &NAT, nat, bind_nat).await?;
        if has_snapshots {
            sqlx::query(
                "update connection set untold = 1
                 where id in (select value from json_each('[' || ? || ']'))",
            )
            .bind(&ids)
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }
}

/// Which end of the connection's tuples this is, in the order of column `nat.from_side`.
fn side_of(one: &Connection, endpoint: Endpoint) -> Option<i64> {
    let place = ends(&one.original, &one.reply).iter().position(|end| *end == endpoint)?;
    i64::try_from(place).ok()
}

/// The ends of a connection's tuples, in the order of column `nat.from_side`.
pub(crate) fn ends(original: &Tuple, reply: &Tuple) -> [Endpoint; 4] {
    [original.src, original.dst, reply.src, reply.dst]
}

fn list(numbers: impl IntoIterator<Item = i64>) -> String {
    numbers.into_iter().map(|number| number.to_string()).collect::<Vec<_>>().join(",")
}

fn settled(one: &Connection) -> Settled {
    Settled {
        boot: one.boot.0,
        protocol: one.protocol.0,
        original: one.original,
        reply: one.reply,
        icmp_id: one.icmp_id,
        state: one.state.code(),
        completeness: one.completeness.code(),
        first: one.first,
        last: one.last,
        packets: [one.packets_original, one.packets_reply, one.packets_related]
            .map(u64::cast_signed),
        lines: one.lines.cast_signed(),
        trust: one.trust.code(),
    }
}

const CONNECTIONS: Insert = Insert {
    head: "insert into connection (id, host, boot, protocol, src, sport, dst, dport,
        reply_src, reply_sport, reply_dst, reply_dport, src_key, dst_key, reply_src_key, reply_dst_key,
        icmp_id, state, completeness, first_wall_us, first_uptime_us, last_wall_us, last_uptime_us,
        packets_original, packets_reply, packets_related, lines, layers, interfaces, trust,
        verdict, evidence, verdict_hop) ",
    tail: " on conflict (id) do update set host = excluded.host, boot = excluded.boot,
        protocol = excluded.protocol, src = excluded.src, sport = excluded.sport, dst = excluded.dst,
        dport = excluded.dport, reply_src = excluded.reply_src, reply_sport = excluded.reply_sport,
        reply_dst = excluded.reply_dst, reply_dport = excluded.reply_dport, src_key = excluded.src_key,
        dst_key = excluded.dst_key, reply_src_key = excluded.reply_src_key,
        reply_dst_key = excluded.reply_dst_key, icmp_id = excluded.icmp_id, state = excluded.state,
        completeness = excluded.completeness, first_wall_us = excluded.first_wall_us,
        first_uptime_us = excluded.first_uptime_us, last_wall_us = excluded.last_wall_us,
        last_uptime_us = excluded.last_uptime_us, packets_original = excluded.packets_original,
        packets_reply = excluded.packets_reply, packets_related = excluded.packets_related,
        lines = excluded.lines, layers = excluded.layers, interfaces = excluded.interfaces,
        trust = excluded.trust, verdict = excluded.verdict, evidence = excluded.evidence,
        verdict_hop = excluded.verdict_hop, untold = null, told_verdict = null, told_evidence = null,
        told_hop = null, told_rule = null, learnt = null",
    columns: 33,
};

fn bind_connection(values: &mut Values<'_>, row: Row) {
    let Settled { original, reply, first, last, packets, .. } = row.state;
    let [packets_original, packets_reply, packets_related] = packets;
    values
        .push_bind(row.id)
        .push_bind(row.host)
        .push_bind(row.state.boot)
        .push_bind(row.state.protocol);
    for endpoint in [original.src, original.dst, reply.src, reply.dst] {
        values.push_bind(endpoint.addr.map(text)).push_bind(endpoint.port);
    }
    let unlike =
        |endpoint: Endpoint, other: Endpoint| endpoint.addr.filter(|_| endpoint.addr != other.addr);
    for addr in [
        original.src.addr,
        original.dst.addr,
        unlike(reply.src, original.dst),
        unlike(reply.dst, original.src),
    ] {
        values.push_bind(addr.map(address_key));
    }
    values
        .push_bind(row.state.icmp_id)
        .push_bind(row.state.state)
        .push_bind(row.state.completeness);
    for stamp in [first, last] {
        values
            .push_bind(stamp.wall.map(|wall| wall.0))
            .push_bind(stamp.uptime.map(|uptime| uptime.0.cast_signed()));
    }
    let (verdict, evidence, verdict_hop) = row.verdict;
    values
        .push_bind(packets_original)
        .push_bind(packets_reply)
        .push_bind(packets_related)
        .push_bind(row.state.lines)
        .push_bind(row.layers)
        .push_bind(row.interfaces)
        .push_bind(row.state.trust)
        .push_bind(verdict)
        .push_bind(evidence)
        .push_bind(verdict_hop);
}

const NAT: Insert = Insert {
    head: "insert into nat (connection, idx, kind, from_side, from_addr, from_port, to_side, to_addr, to_port,
        hop, evidence) ",
    tail: "",
    columns: 11,
};

#[expect(clippy::needless_pass_by_value, reason = "all binding functions take their row")]
fn bind_nat(values: &mut Values<'_>, row: NatRow) {
    values.push_bind(row.connection).push_bind(row.idx).push_bind(row.kind);
    for (side, endpoint) in [row.from, row.to] {
        let written = side.is_none().then_some(endpoint);
        values
            .push_bind(side)
            .push_bind(written.and_then(|endpoint| endpoint.addr).map(text))
            .push_bind(written.and_then(|endpoint| endpoint.port));
    }
    values.push_bind(row.hop).push_bind(row.evidence);
}

fn text(address: IpAddr) -> String {
    address.to_string()
}
