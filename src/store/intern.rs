//! Stores each name, site, hop and path once; ways are in `ways.rs`.
//!
//! Ids are given in order of first appearance, so they depend on the input alone. What is not in memory
//! is looked for in the database, so it does not matter what is in memory, and memory stays bounded.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::HashMap;
use sqlx::sqlite::SqliteConnection;

use crate::model::{Devices, Hop, HostId, IfName, Layer, Packet, Site, SiteKind};
use crate::store::StoreError;
use crate::store::ways::Way;
use crate::store::words::Coded as _;

/// Entries kept in memory of each kind.
const CAPACITY: usize = 65_536;

/// What is known of the database's small tables.
#[derive(Default)]
pub(crate) struct Intern {
    /// By the run's own number.
    hosts: HashMap<HostId, i64>,
    /// The same, as told by the outcomes: survives [`Intern::forget`].
    introduced: HashMap<HostId, Introduced>,
    devices: HashMap<IfName, i64>,
    sites: HashMap<Arc<Site>, i64>,
    hops: HashMap<HopKey, (Arc<Site>, i64)>,
    paths: HashMap<Vec<i64>, i64>,
    pub frames: HashMap<Vec<u8>, i64>,
    pub shapes: HashMap<Vec<u8>, i64>,
    pub ways: HashMap<Way, i64>,
}

/// A host's name and label.
type Introduced = (Box<[u8]>, Option<Box<str>>);

/// A hop by the address of its site, which the map keeps alive: equal sites at other addresses only cost a look-up.
#[derive(PartialEq, Eq)]
struct HopKey {
    layer: Layer,
    site: usize,
    devices: Devices,
}

impl HopKey {
    fn of(hop: &Hop) -> Self {
        Self { layer: hop.layer, site: Arc::as_ptr(&hop.site).addr(), devices: hop.devices }
    }
}

/// Looks at the ends of the IP layer's device names only: every line is hashed, and those tell hops apart.
impl Hash for HopKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let end = |name: Option<IfName>| {
            name.map_or(0, |name| {
                name.as_bytes().iter().fold(0u64, |end, byte| end << 8 | u64::from(*byte))
            })
        };
        state.write_usize(self.site);
        state.write_u64(end(self.devices.input));
        state.write_u64(end(self.devices.output));
    }
}

pub(crate) fn keep<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, value: V) {
    if map.len() >= CAPACITY {
        map.clear();
    }
    map.insert(key, value);
}

impl Intern {
    /// Forgets all ids: another process wrote, or a transaction was rolled back.
    pub(crate) fn forget(&mut self) {
        let introduced = std::mem::take(&mut self.introduced);
        *self = Self { introduced, ..Self::default() };
    }

    /// Takes note of a host's name; its row is made when something names it.
    pub(crate) fn introduce(&mut self, id: HostId, name: &[u8], netns: Option<&str>) {
        self.hosts.remove(&id);
        self.introduced.insert(id, (name.into(), netns.map(Into::into)));
    }

    pub(crate) async fn host(
        &mut self,
        connection: &mut SqliteConnection,
        host: HostId,
    ) -> Result<i64, StoreError> {
        if let Some(id) = self.hosts.get(&host) {
            return Ok(*id);
        }
        let (name, netns) = self.introduced.get(&host).ok_or(StoreError::UnknownHost(host.0))?;
        let known: Option<i64> =
            sqlx::query_scalar("select id from host where name = ? and netns is ?")
                .bind(&**name)
                .bind(netns.as_deref())
                .fetch_optional(&mut *connection)
                .await?;
        let id = match known {
            Some(id) => id,
            None => {
                sqlx::query_scalar(
                    "insert into host (id, name, label, netns)
                     values ((select coalesce(max(id) + 1, 0) from host), ?, ?, ?) returning id",
                )
                .bind(&**name)
                .bind(String::from_utf8_lossy(name).into_owned())
                .bind(netns.as_deref())
                .fetch_one(&mut *connection)
                .await?
            }
        };
        self.hosts.insert(host, id);
        Ok(id)
    }

    pub(crate) async fn device(
        &mut self,
        connection: &mut SqliteConnection,
        name: Option<IfName>,
    ) -> Result<Option<i64>, StoreError> {
        let Some(name) = name else { return Ok(None) };
        if let Some(id) = self.devices.get(&name) {
            return Ok(Some(*id));
        }
        let known: Option<i64> = sqlx::query_scalar("select id from device where name = ?")
            .bind(name.as_bytes())
            .fetch_optional(&mut *connection)
            .await?;
        let id = match known {
            Some(id) => id,
            None => {
                sqlx::query_scalar(
                    "insert into device (id, name, label)
                     values ((select coalesce(max(id) + 1, 0) from device), ?, ?) returning id",
                )
                .bind(name.as_bytes())
                .bind(String::from_utf8_lossy(name.as_bytes()).into_owned())
                .fetch_one(&mut *connection)
                .await?
            }
        };
        keep(&mut self.devices, name, id);
        Ok(Some(id))
    }

    /// The id of a site.
    pub(crate) async fn site(
        &mut self,
        connection: &mut SqliteConnection,
        site: &Arc<Site>,
    ) -> Result<i64, StoreError> {
        if let Some(id) = self.sites.get(site) {
            return Ok(*id);
        }
        let columns = SiteColumns::of(site);
        let known: Option<i64> = sqlx::query_scalar(
            "select id from site
             where kind = ? and chain is ? and table_name is ? and number is ? and prefix is ?",
        )
        .bind(columns.kind)
        .bind(columns.chain)
        .bind(columns.table)
        .bind(columns.number)
        .bind(columns.prefix)
        .fetch_optional(&mut *connection)
        .await?;
        let id = match known {
            Some(id) => id,
            None => {
                sqlx::query_scalar(
                    "insert into site (id, kind, table_name, chain, number, prefix, hook, label)
                     values ((select coalesce(max(id) + 1, 0) from site), ?, ?, ?, ?, ?, ?, ?) returning id",
                )
                .bind(columns.kind)
                .bind(columns.table)
                .bind(columns.chain)
                .bind(columns.number)
                .bind(columns.prefix)
                .bind(site.hook().map(crate::model::Hook::name))
                .bind(site.label())
                .fetch_one(&mut *connection)
                .await?
            }
        };
        keep(&mut self.sites, Arc::clone(site), id);
        Ok(id)
    }

    fn known_hop(&self, hop: &Hop) -> Option<i64> {
        self.hops.get(&HopKey::of(hop)).map(|(_, id)| *id)
    }

    pub(crate) async fn hop(
        &mut self,
        connection: &mut SqliteConnection,
        hop: &Hop,
    ) -> Result<i64, StoreError> {
        if let Some(id) = self.known_hop(hop) {
            return Ok(id);
        }
        let site = self.site(connection, &hop.site).await?;
        let Devices { input, output, physin, physout } = hop.devices;
        let mut devices = [None; 4];
        for (id, name) in devices.iter_mut().zip([input, output, physin, physout]) {
            *id = self.device(connection, name).await?;
        }
        let [input, output, physin, physout] = devices;
        let known: Option<i64> = sqlx::query_scalar(
            "select id from hop
             where site = ? and layer = ? and input is ? and output is ? and physin is ? and physout is ?",
        )
        .bind(site)
        .bind(hop.layer.code())
        .bind(input)
        .bind(output)
        .bind(physin)
        .bind(physout)
        .fetch_optional(&mut *connection)
        .await?;
        let id = match known {
            Some(id) => id,
            None => {
                sqlx::query_scalar(
                    "insert into hop (id, site, layer, input, output, physin, physout)
                     values ((select coalesce(max(id) + 1, 0) from hop), ?, ?, ?, ?, ?, ?) returning id",
                )
                .bind(site)
                .bind(hop.layer.code())
                .bind(input)
                .bind(output)
                .bind(physin)
                .bind(physout)
                .fetch_one(&mut *connection)
                .await?
            }
        };
        keep(&mut self.hops, HopKey::of(hop), (Arc::clone(&hop.site), id));
        Ok(id)
    }

    pub(crate) async fn path(
        &mut self,
        connection: &mut SqliteConnection,
        packet: &Packet,
    ) -> Result<i64, StoreError> {
        let mut hops = Vec::with_capacity(packet.steps.len());
        for step in &packet.steps {
            hops.push(match self.known_hop(&step.hop) {
                Some(id) => id,
                None => self.hop(connection, &step.hop).await?,
            });
        }
        if let Some(id) = self.paths.get(&hops) {
            return Ok(*id);
        }
        let text = hops.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        let known: Option<i64> = sqlx::query_scalar("select id from path where hops = ?")
            .bind(&text)
            .fetch_optional(&mut *connection)
            .await?;
        let id = match known {
            Some(id) => id,
            None => add_path(connection, &text).await?,
        };
        keep(&mut self.paths, hops, id);
        Ok(id)
    }
}

async fn add_path(connection: &mut SqliteConnection, hops: &str) -> Result<i64, StoreError> {
    let id: i64 = sqlx::query_scalar(
        "insert into path (id, hops)
         values ((select coalesce(max(id) + 1, 0) from path), ?) returning id",
    )
    .bind(hops)
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query(
        "insert into path_hop (path, idx, hop)
         select ?, key, value from json_each('[' || ? || ']')",
    )
    .bind(id)
    .bind(hops)
    .execute(&mut *connection)
    .await?;
    Ok(id)
}

/// A site's columns.
struct SiteColumns<'a> {
    kind: i64,
    table: Option<&'a [u8]>,
    chain: Option<&'a [u8]>,
    number: Option<u32>,
    prefix: Option<&'a [u8]>,
}

impl<'a> SiteColumns<'a> {
    fn of(site: &'a Site) -> Self {
        let none = Self { kind: 0, table: None, chain: None, number: None, prefix: None };
        match site {
            Site::Trace { table, chain, kind } => {
                let (kind, number) = match kind {
                    SiteKind::Rule(number) => (0, *number),
                    SiteKind::Return(number) => (1, *number),
                    SiteKind::Policy(number) => (2, *number),
                };
                Self { kind, table: Some(table), chain: Some(chain), number: Some(number), ..none }
            }
            Site::Log { prefix } => Self { kind: 3, prefix: Some(prefix), ..none },
            Site::Bridge { table, chain, prefix } => Self {
                kind: 4,
                table: Some(table),
                chain: Some(chain),
                prefix: Some(prefix),
                ..none
            },
            Site::BridgeLog { prefix } => Self { kind: 5, prefix: Some(prefix), ..none },
        }
    }
}
