//! Packets on their way into the database.

use std::sync::Arc;

use foldhash::{HashMap, HashSet, HashSetExt as _};
use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteConnection;

use crate::filter::shown_endpoints;
use crate::model::{Endpoint, Header, Outcome, Packet};
use crate::store::StoreError;
use crate::store::codec::{self, Columns};
use crate::store::endpoint::address_key;
use crate::store::insert::{Insert, Values, insert};
use crate::store::intern::Intern;
use crate::store::key::packet_row_key;
use crate::store::write::{Minutes, Mode, Written};

/// Shapes that the packets of one connection share. Beyond that each packet keeps its own.
const SHAPES: usize = 64;

/// Owners whose shapes are kept in memory.
const OWNERS: usize = 32_768;

/// Endpoints kept in memory.
const ENDPOINTS: usize = 131_072;

/// `packet.shape` of a packet that has its own.
pub(crate) const OWN_SHAPE: i64 = -1;

/// What the database is known to hold. Depends on nothing but what was stored: forgetting costs time only.
#[derive(Default)]
pub(crate) struct Known {
    shapes: HashMap<i64, Vec<ShapeKey>>,
    endpoints: HashSet<EndpointKey>,
    new_endpoints: Vec<EndpointKey>,
}

#[derive(PartialEq, Eq)]
struct ShapeKey {
    frames: i64,
    bytes: Box<[u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct EndpointKey {
    owner: i64,
    endpoint: Endpoint,
}

impl Known {
    pub(crate) fn forget(&mut self) {
        self.shapes.clear();
        self.endpoints.clear();
        self.new_endpoints.clear();
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

/// A row of table `packet`.
struct PacketColumns {
    id: i64,
    connection: Option<i64>,
    way: i64,
    shape: i64,
    wall_us: Option<i64>,
    uptime_us: Option<i64>,
    columns: Columns,
    gaps: Option<String>,
    detail: Vec<u8>,
}

/// A row of table `shape`.
struct ShapeColumns {
    owner: i64,
    n: i64,
    frames: i64,
    bytes: Box<[u8]>,
}

/// The packets of a batch.
pub(crate) struct Packets {
    mode: Mode,
    stored_before: HashSet<i64>,
    rows: Vec<PacketColumns>,
    shapes: Vec<ShapeColumns>,
    minutes: Minutes,
}

impl Packets {
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            mode,
            stored_before: HashSet::new(),
            rows: Vec::new(),
            shapes: Vec::new(),
            minutes: Minutes::new(),
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
        let encoded = codec::encode(packet).ok_or(StoreError::EmptyPacket)?;
        let way = intern.way(connection, packet).await?;
        let frames = intern.frames(connection, &encoded.frames).await?;
        let owner = packet.connection.map(packet_row_key).transpose()?;
        let shape = ShapeKey { frames, bytes: encoded.shape.into() };
        let shape = self.shape(connection, known, id, owner.unwrap_or(id), shape).await?;
        show_endpoints(known, owner.unwrap_or(id), packet);
        let wall_us = packet.first.wall.map(|wall| wall.0);
        let minute = wall_us.map_or(-1, |wall| wall.div_euclid(60_000_000));
        *self.minutes.entry((way, minute)).or_default() += 1;
        self.rows.push(PacketColumns {
            id,
            connection: owner,
            way,
            shape,
            wall_us,
            uptime_us: packet.first.uptime.map(|uptime| uptime.0.cast_signed()),
            columns: encoded.columns,
            gaps: encoded.gaps,
            detail: encoded.detail,
        });
        Ok(())
    }

    /// The number of a packet's shape among those of its owner.
    async fn shape(
        &mut self,
        connection: &mut SqliteConnection,
        known: &mut Known,
        id: i64,
        owner: i64,
        shape: ShapeKey,
    ) -> Result<i64, StoreError> {
        if !known.shapes.contains_key(&owner) {
            let stored = if id == owner && self.mode == Mode::New {
                Vec::new()
            } else {
                self.stored_shapes(connection, owner).await?
            };
            if known.shapes.len() >= OWNERS {
                known.shapes.clear();
            }
            known.shapes.insert(owner, stored);
        }
        let shapes = known.shapes.entry(owner).or_default();
        if let Some(n) = shapes.iter().position(|stored| *stored == shape) {
            return Ok(i64::try_from(n).unwrap_or(OWN_SHAPE));
        }
        let ShapeKey { frames, bytes } = shape;
        if shapes.len() >= SHAPES && id != owner {
            self.shapes.push(ShapeColumns { owner: id, n: 0, frames, bytes });
            return Ok(OWN_SHAPE);
        }
        let n = i64::try_from(shapes.len()).unwrap_or(OWN_SHAPE);
        shapes.push(ShapeKey { frames, bytes: bytes.clone() });
        self.shapes.push(ShapeColumns { owner, n, frames, bytes });
        Ok(n)
    }

    /// The shapes of an owner that are in the database or wait in this batch.
    async fn stored_shapes(
        &self,
        connection: &mut SqliteConnection,
        owner: i64,
    ) -> Result<Vec<ShapeKey>, StoreError> {
        let rows: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("select frames, bytes from shape where owner = ? order by n")
                .bind(owner)
                .fetch_all(connection)
                .await?;
        let waiting = self.shapes.iter().filter(|shape| shape.owner == owner);
        let waiting = waiting.map(|shape| (shape.frames, shape.bytes.to_vec()));
        let all = rows.into_iter().chain(waiting);
        Ok(all.map(|(frames, bytes)| ShapeKey { frames, bytes: bytes.into() }).collect())
    }

    pub(crate) async fn store(
        self,
        connection: &mut SqliteConnection,
    ) -> Result<Written, StoreError> {
        let n_rows = self.rows.len() as u64;
        let n_shapes = self.shapes.len() as u64;
        let stored = insert(connection, &PACKETS, self.rows, bind_packet).await?
            + insert(connection, &SHAPE_ROWS, self.shapes, bind_shape).await?;
        if stored < n_rows + n_shapes {
            return Ok(Written::Again);
        }
        let minutes = self.minutes.into_iter().collect();
        insert(connection, &MINUTES, minutes, |values, ((way, minute), packets)| {
            values.push_bind(way).push_bind(minute).push_bind(packets);
        })
        .await?;
        Ok(Written::Done)
    }
}

fn show_endpoints(known: &mut Known, owner: i64, packet: &Packet) {
    let mut before: Option<&Arc<Header>> = None;
    for step in &packet.steps {
        if before.is_some_and(|before| Arc::ptr_eq(before, &step.header)) {
            continue;
        }
        before = Some(&step.header);
        if let Some((src, dst)) = shown_endpoints(&step.header) {
            known.show(owner, src);
            known.show(owner, dst);
        }
    }
}

const PACKETS: Insert = Insert {
    head: "insert or ignore into packet (id, connection, way, shape, wall_us, uptime_us, length, ip_id,
        tcp_flags, seq, ack, window, gaps, detail) ",
    tail: "",
    columns: 14,
};

fn bind_packet(values: &mut Values<'_>, row: PacketColumns) {
    let number = |value: Option<u64>| value.map(u64::cast_signed);
    values
        .push_bind(row.id)
        .push_bind(row.connection)
        .push_bind(row.way)
        .push_bind(row.shape)
        .push_bind(row.wall_us)
        .push_bind(row.uptime_us)
        .push_bind(number(row.columns.length))
        .push_bind(number(row.columns.ip_id))
        .push_bind(number(row.columns.tcp_flags))
        .push_bind(number(row.columns.seq))
        .push_bind(number(row.columns.ack))
        .push_bind(number(row.columns.window))
        .push_bind(row.gaps)
        .push_bind(row.detail);
}

const SHAPE_ROWS: Insert =
    Insert { head: "insert or ignore into shape (owner, n, frames, bytes) ", tail: "", columns: 4 };

fn bind_shape(values: &mut Values<'_>, row: ShapeColumns) {
    values
        .push_bind(row.owner)
        .push_bind(row.n)
        .push_bind(row.frames)
        .push_bind(row.bytes.into_vec());
}

const MINUTES: Insert = Insert {
    head: "insert into way_minute (way, minute, packets) ",
    tail: " on conflict (way, minute) do update set packets = packets + excluded.packets",
    columns: 3,
};
