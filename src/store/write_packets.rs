//! Packets on their way into the database.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::{HashMap, HashSet, HashSetExt as _};
use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteConnection;

use crate::filter::shown_endpoints;
use crate::model::{Endpoint, Header, Outcome, Packet, Stamp};
use crate::store::StoreError;
use crate::store::codec::{Columns, Encoder, Flow};
use crate::store::endpoint::address_key;
use crate::store::insert::{Insert, Values, insert};
use crate::store::intern::Intern;
use crate::store::key::packet_row_key;
use crate::store::names::Names;
use crate::store::read::Reader;
use crate::store::write::{Minutes, Mode, Written};

/// A block is this many bits of packet keys: 1 MiB of a source.
pub(crate) const BLOCK_BITS: u32 = 20;

/// Flows kept in memory.
const FLOWS: usize = 32_768;

/// Endpoints kept in memory.
const ENDPOINTS: usize = 131_072;

/// What the database is known to hold. Depends on nothing but what was stored: forgetting costs time only.
#[derive(Default)]
pub(crate) struct Known {
    endpoints: HashSet<EndpointKey>,
    new_endpoints: Vec<EndpointKey>,
    /// The flow of a connection; none when its first packet is not stored.
    flows: HashMap<i64, Option<Flow>>,
    /// `boot.base_us` by host and boot.
    bases: HashMap<(i64, u32), i64>,
    /// The small tables, for reading a flow back.
    names: Names,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct EndpointKey {
    owner: i64,
    endpoint: Endpoint,
}

impl Known {
    pub(crate) fn forget(&mut self) {
        self.endpoints.clear();
        self.new_endpoints.clear();
        self.flows.clear();
        self.bases.clear();
        self.names.forget();
    }

    /// Makes room. Not within a batch: what a batch holds back is not in the database yet.
    pub(crate) fn begin(&mut self) {
        if self.flows.len() >= FLOWS {
            self.flows.clear();
        }
    }

    /// The column `skew_us` of a packet.
    async fn skew(
        &mut self,
        connection: &mut SqliteConnection,
        boot: (i64, u32),
        stamp: Stamp,
    ) -> Result<Option<i64>, StoreError> {
        let Some(uptime) = stamp.uptime.map(|uptime| uptime.0.cast_signed()) else {
            return Ok(None);
        };
        let Some(wall) = stamp.wall else { return Ok(Some(uptime)) };
        let base = if let Some(base) = self.bases.get(&boot) {
            *base
        } else {
            let base = boot_base(connection, boot, wall.0.wrapping_sub(uptime)).await?;
            self.bases.insert(boot, base);
            base
        };
        Ok(Some(wall.0.wrapping_sub(base).wrapping_sub(uptime)))
    }

    /// The flow that a packet of this connection may refer to.
    async fn flow(
        &mut self,
        connection: &mut SqliteConnection,
        owner: i64,
    ) -> Result<Option<Flow>, StoreError> {
        if let Some(flow) = self.flows.get(&owner) {
            return Ok(*flow);
        }
        let mut reader = Reader { connection, names: &self.names };
        let flow = reader.flows(&[owner]).await?.remove(&owner);
        self.flows.insert(owner, flow);
        Ok(flow)
    }

    /// Takes note that `owner` showed an address or port.
    pub(crate) fn show(&mut self, owner: i64, endpoint: Endpoint) {
        if endpoint.addr.is_none() && endpoint.port.is_none() {
            return;
        }
        if self.endpoints.len() >= ENDPOINTS {
            self.endpoints.clear();
        }
        let key = EndpointKey { owner, endpoint };
        if self.endpoints.insert(key) {
            self.new_endpoints.push(key);
        }
    }

    pub(crate) async fn store_endpoints(
        &mut self,
        connection: &mut SqliteConnection,
    ) -> Result<(), StoreError> {
        const INSERT: Insert = Insert {
            head: "insert or ignore into endpoint (addr, port, owner) ",
            tail: "",
            columns: 3,
        };
        let rows = std::mem::take(&mut self.new_endpoints);
        insert(connection, &INSERT, rows, |values, key| {
            values
                .push_bind(key.endpoint.addr.map(address_key).unwrap_or_default())
                .push_bind(key.endpoint.port.map_or(-1, i64::from))
                .push_bind(key.owner);
        })
        .await?;
        Ok(())
    }
}

/// The base of a boot; `base` when it has none yet.
async fn boot_base(
    connection: &mut SqliteConnection,
    (host, boot): (i64, u32),
    base: i64,
) -> Result<i64, StoreError> {
    sqlx::query("insert or ignore into boot (host, boot, base_us) values (?, ?, ?)")
        .bind(host)
        .bind(boot)
        .bind(base)
        .execute(&mut *connection)
        .await?;
    let known = sqlx::query_scalar("select base_us from boot where host = ? and boot = ?")
        .bind(host)
        .bind(boot)
        .fetch_one(&mut *connection)
        .await?;
    Ok(known)
}

/// A row of table `packet`.
struct PacketColumns {
    id: i64,
    behind: Option<i64>,
    way: i64,
    frames: i64,
    wall_us: Option<i64>,
    skew_us: Option<i64>,
    columns: Columns,
    gaps: Option<String>,
    detail: Vec<u8>,
}

/// The packets of a batch.
pub(crate) struct Packets {
    mode: Mode,
    encoder: Encoder,
    stored_before: HashSet<i64>,
    rows: Vec<PacketColumns>,
    minutes: Minutes,
    blocks: BTreeSet<(i64, i64)>,
}

impl Packets {
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            mode,
            encoder: Encoder::default(),
            stored_before: HashSet::new(),
            rows: Vec::new(),
            minutes: Minutes::new(),
            blocks: BTreeSet::new(),
        }
    }

    /// When care is needed, asks which packets of the batch are stored already.
    pub(crate) async fn look_for(
        &mut self,
        connection: &mut SqliteConnection,
        outcomes: &[Outcome],
    ) -> Result<(), StoreError> {
        if self.mode == Mode::New {
            return Ok(());
        }
        let mut keys = Vec::new();
        for outcome in outcomes {
            if let Outcome::Packet(packet) = outcome {
                keys.push(packet_row_key(packet.key)?);
            }
        }
        for keys in keys.chunks(1000) {
            let mut query = QueryBuilder::new("select id from packet where id in (");
            let mut list = query.separated(", ");
            for key in keys {
                list.push_bind(*key);
            }
            query.push(")");
            let found: Vec<i64> = query.build_query_scalar().fetch_all(&mut *connection).await?;
            self.stored_before.extend(found);
        }
        Ok(())
    }

    pub(crate) async fn add(
        &mut self,
        connection: &mut SqliteConnection,
        intern: &mut Intern,
        known: &mut Known,
        packet: &Packet,
    ) -> Result<(), StoreError> {
        let id = packet_row_key(packet.key)?;
        if self.mode == Mode::Careful && !self.stored_before.insert(id) {
            return Ok(());
        }
        let owner = packet.connection.map(packet_row_key).transpose()?;
        let flow = match owner {
            Some(owner) if owner != id => known.flow(connection, owner).await?,
            _ => None,
        };
        let encoded = self.encoder.encode(packet, flow.as_ref()).ok_or(StoreError::EmptyPacket)?;
        if owner == Some(id) {
            known.flows.insert(id, Flow::of(&packet.steps));
        }
        let way = intern.way(connection, packet, encoded.shape).await?;
        let frames = intern.frames(connection, encoded.frames).await?;
        show_endpoints(known, owner.unwrap_or(id), packet);
        let wall_us = packet.first.wall.map(|wall| wall.0);
        let minute = wall_us.map_or(-1, |wall| wall.div_euclid(60_000_000));
        *self.minutes.entry((way.id, minute)).or_default() += 1;
        self.blocks.insert((way.id, id >> BLOCK_BITS));
        self.rows.push(PacketColumns {
            id,
            behind: owner.map(|owner| id - owner),
            way: way.id,
            frames,
            wall_us,
            skew_us: known.skew(connection, way.boot, packet.first).await?,
            columns: encoded.columns,
            gaps: encoded.gaps,
            detail: encoded.detail,
        });
        Ok(())
    }

    pub(crate) async fn store(
        self,
        connection: &mut SqliteConnection,
    ) -> Result<Written, StoreError> {
        let n_rows = self.rows.len() as u64;
        if insert(connection, &PACKETS, self.rows, bind_packet).await? < n_rows {
            return Ok(Written::Again);
        }
        let minutes = self.minutes.into_iter().collect();
        insert(connection, &MINUTES, minutes, |values, ((way, minute), packets)| {
            values.push_bind(way).push_bind(minute).push_bind(packets);
        })
        .await?;
        let blocks = self.blocks.into_iter().collect();
        insert(connection, &BLOCKS, blocks, |values, (way, block)| {
            values.push_bind(way).push_bind(block);
        })
        .await?;
        Ok(Written::Done)
    }
}

fn show_endpoints(known: &mut Known, owner: i64, packet: &Packet) {
    let mut before: Option<&Arc<Header>> = None;
    let mut shown = None;
    for step in &packet.steps {
        if before.is_some_and(|before| Arc::ptr_eq(before, &step.header)) {
            continue;
        }
        before = Some(&step.header);
        let now = shown_endpoints(&step.header);
        if now.is_some() && now != shown {
            for endpoint in now.into_iter().flat_map(|(src, dst)| [src, dst]) {
                known.show(owner, endpoint);
            }
            shown = now;
        }
    }
}

const PACKETS: Insert = Insert {
    head: "insert or ignore into packet (id, behind, way, frames, wall_us, skew_us, length, ip_id,
        tcp_flags, gaps, detail) ",
    tail: "",
    columns: 11,
};

fn bind_packet(values: &mut Values<'_>, row: PacketColumns) {
    let number = |value: Option<u64>| value.map(u64::cast_signed);
    values
        .push_bind(row.id)
        .push_bind(row.behind)
        .push_bind(row.way)
        .push_bind(row.frames)
        .push_bind(row.wall_us)
        .push_bind(row.skew_us)
        .push_bind(number(row.columns.length))
        .push_bind(number(row.columns.ip_id))
        .push_bind(number(row.columns.tcp_flags))
        .push_bind(row.gaps)
        .push_bind(row.detail);
}

const MINUTES: Insert = Insert {
    head: "insert into way_minute (way, minute, packets) ",
    tail: " on conflict (way, minute) do update set packets = packets + excluded.packets",
    columns: 3,
};

const BLOCKS: Insert =
    Insert { head: "insert or ignore into way_block (way, block) ", tail: "", columns: 2 };
