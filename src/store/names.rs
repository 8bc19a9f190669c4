//! The small tables, read once: rows that are never changed are kept for all later questions.

use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{FromRow, Row as _};

use crate::model::{Devices, Hop, IfName, Layer, LinkHeader, PacketKey, Site, SiteKind, SourceId};
use crate::store::StoreError;
use crate::store::codec::read_frames;
use crate::store::key::{IdKind, PublicId};
use crate::store::read::Reader;
use crate::store::words::Coded as _;

/// A host as people name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName {
    /// Its name, bytes that are not UTF-8 replaced; empty when the log does not tell.
    pub name: String,
    /// The `--netns` label.
    pub netns: Option<String>,
}

/// A source as packets refer to it.
#[derive(Debug)]
pub(crate) struct SourceName {
    pub tag: u32,
    pub name: String,
}

/// What was read of the small tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    tables: Arc<Mutex<Tables>>,
}

#[derive(Debug, Default)]
struct Tables {
    hosts: HashMap<i64, Arc<HostName>>,
    sources: HashMap<SourceId, Arc<SourceName>>,
    hops: HashMap<i64, Hop>,
    paths: HashMap<i64, Arc<[Hop]>>,
    frames: HashMap<i64, Arc<[LinkHeader]>>,
    shapes: HashMap<i64, Arc<[u8]>>,
    devices: HashMap<i64, IfName>,
}

/// Entries kept of each table that can grow without bound.
const CAPACITY: usize = 16_384;

macro_rules! cached {
    ($name:ident, $table:ident, $key:ty, $value:ty, $load:ident) => {
        pub(crate) async fn $name(&mut self, key: $key) -> Result<$value, StoreError> {
            if let Some(value) = self.names.tables().$table.get(&key) {
                return Ok(value.clone());
            }
            let value = $load(self.connection, key).await?;
            let mut tables = self.names.tables();
            if tables.$table.len() >= CAPACITY {
                tables.$table.clear();
            }
            tables.$table.insert(key, value.clone());
            Ok(value)
        }
    };
}

impl Names {
    /// Forgets all: what was read inside a transaction that was rolled back never was.
    pub(crate) fn forget(&self) {
        *self.tables() = Tables::default();
    }

    fn tables(&self) -> std::sync::MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader<'_> {
    cached!(host, hosts, i64, Arc<HostName>, load_host);
    cached!(source, sources, SourceId, Arc<SourceName>, load_source);
    cached!(hop, hops, i64, Hop, load_hop);
    cached!(path, paths, i64, Arc<[Hop]>, load_path);
    cached!(frames, frames, i64, Arc<[LinkHeader]>, load_frames);
    cached!(shape, shapes, i64, Arc<[u8]>, load_shape);
    cached!(device, devices, i64, IfName, load_device);

    /// The public id of a connection or packet.
    pub(crate) async fn public_id(
        &mut self,
        kind: IdKind,
        key: PacketKey,
    ) -> Result<PublicId, StoreError> {
        let source = self.source(key.source).await?;
        Ok(PublicId::new(kind, source.tag, key))
    }
}

async fn load_host(
    connection: &mut SqliteConnection,
    id: i64,
) -> Result<Arc<HostName>, StoreError> {
    let found: Option<(String, Option<String>)> =
        sqlx::query_as("select label, netns from host where id = ?")
            .bind(id)
            .fetch_optional(connection)
            .await?;
    let (name, netns) = found.ok_or(StoreError::Damaged("a host is missing"))?;
    Ok(Arc::new(HostName { name, netns }))
}

async fn load_source(
    connection: &mut SqliteConnection,
    id: SourceId,
) -> Result<Arc<SourceName>, StoreError> {
    let found: Option<(u32, String)> = sqlx::query_as("select tag, name from source where id = ?")
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    let (tag, name) = found.ok_or(StoreError::Damaged("a source is missing"))?;
    Ok(Arc::new(SourceName { tag, name }))
}

async fn load_device(connection: &mut SqliteConnection, id: i64) -> Result<IfName, StoreError> {
    let found: Option<Vec<u8>> = sqlx::query_scalar("select name from device where id = ?")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    found.and_then(|name| IfName::new(&name)).ok_or(StoreError::Damaged("a device is missing"))
}

async fn load_frames(
    connection: &mut SqliteConnection,
    id: i64,
) -> Result<Arc<[LinkHeader]>, StoreError> {
    let found: Option<Vec<u8>> = sqlx::query_scalar("select bytes from frames where id = ?")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    let bytes = found.ok_or(StoreError::Damaged("a list of frames is missing"))?;
    Ok(read_frames(&bytes)?.into())
}

async fn load_shape(connection: &mut SqliteConnection, id: i64) -> Result<Arc<[u8]>, StoreError> {
    let found: Option<Vec<u8>> = sqlx::query_scalar("select bytes from shape where id = ?")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    Ok(found.ok_or(StoreError::Damaged("a shape is missing"))?.into())
}

async fn load_hop(connection: &mut SqliteConnection, id: i64) -> Result<Hop, StoreError> {
    let found: Option<HopRow> = sqlx::query_as(
        "select h.layer, s.kind, s.table_name, s.chain, s.number, s.prefix,
            i.name as input, o.name as output, pi.name as physin, po.name as physout
         from hop h
         join site s on s.id = h.site
         left join device i on i.id = h.input
         left join device o on o.id = h.output
         left join device pi on pi.id = h.physin
         left join device po on po.id = h.physout
         where h.id = ?",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    found.ok_or(StoreError::Damaged("a hop is missing"))?.read()
}

async fn load_path(connection: &mut SqliteConnection, id: i64) -> Result<Arc<[Hop]>, StoreError> {
    let found: Vec<HopRow> = sqlx::query_as(
        "select h.layer, s.kind, s.table_name, s.chain, s.number, s.prefix,
            i.name as input, o.name as output, pi.name as physin, po.name as physout
         from path_hop p
         join hop h on h.id = p.hop
         join site s on s.id = h.site
         left join device i on i.id = h.input
         left join device o on o.id = h.output
         left join device pi on pi.id = h.physin
         left join device po on po.id = h.physout
         where p.path = ? order by p.idx",
    )
    .bind(id)
    .fetch_all(connection)
    .await?;
    if found.is_empty() {
        return Err(StoreError::Damaged("a path is missing"));
    }
    found.into_iter().map(HopRow::read).collect()
}

struct HopRow {
    layer: i64,
    kind: i64,
    table: Option<Vec<u8>>,
    chain: Option<Vec<u8>>,
    number: Option<u32>,
    prefix: Option<Vec<u8>>,
    devices: [Option<Vec<u8>>; 4],
}

impl FromRow<'_, SqliteRow> for HopRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            layer: row.try_get("layer")?,
            kind: row.try_get("kind")?,
            table: row.try_get("table_name")?,
            chain: row.try_get("chain")?,
            number: row.try_get("number")?,
            prefix: row.try_get("prefix")?,
            devices: [
                row.try_get("input")?,
                row.try_get("output")?,
                row.try_get("physin")?,
                row.try_get("physout")?,
            ],
        })
    }
}

impl HopRow {
    fn read(self) -> Result<Hop, StoreError> {
        let [input, output, physin, physout] =
            self.devices.map(|name| name.and_then(|name| IfName::new(&name)));
        Ok(Hop {
            layer: Layer::from_code(self.layer)?,
            site: Arc::new(read_site(self.kind, self.table, self.chain, self.number, self.prefix)?),
            devices: Devices { input, output, physin, physout },
        })
    }
}

fn read_site(
    kind: i64,
    table: Option<Vec<u8>>,
    chain: Option<Vec<u8>>,
    number: Option<u32>,
    prefix: Option<Vec<u8>>,
) -> Result<Site, StoreError> {
    let missing = StoreError::Damaged("a site is not whole");
    match (kind, table, chain, number, prefix) {
        (0..=2, Some(table), Some(chain), Some(number), None) => Ok(Site::Trace {
            table: table.into(),
            chain: chain.into(),
            kind: match kind {
                0 => SiteKind::Rule(number),
                1 => SiteKind::Return(number),
                _ => SiteKind::Policy(number),
            },
        }),
        (3, None, None, None, Some(prefix)) => Ok(Site::Log { prefix: prefix.into() }),
        (4, Some(table), Some(chain), None, Some(prefix)) => {
            Ok(Site::Bridge { table: table.into(), chain: chain.into(), prefix: prefix.into() })
        }
        (5, None, None, None, Some(prefix)) => Ok(Site::BridgeLog { prefix: prefix.into() }),
        _ => Err(missing),
    }
}
