//! What the database is known to hold, so that it need not be asked for every packet.
//!
//! Depends on nothing but what was stored: forgetting it costs time only, and never changes a row.

use foldhash::{HashMap, HashSet};
use sqlx::sqlite::SqliteConnection;

use crate::model::{Endpoint, Packet, Stamp};
use crate::store::StoreError;
use crate::store::codec::Flow;
use crate::store::endpoint::address_key;
use crate::store::insert::{Insert, insert};
use crate::store::names::Names;
use crate::store::read::Reader;

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
    pub(crate) async fn skew(
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
    pub(crate) async fn flow(
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

    /// Takes note of the first packet of a connection.
    pub(crate) fn first_packet(&mut self, id: i64, packet: &Packet) {
        self.flows.insert(id, Flow::of(&packet.steps));
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
