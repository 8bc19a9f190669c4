//! What is known beside the log, host by host and moment by moment, for everything that is told.

use std::net::IpAddr;
use std::sync::Arc;

use crate::context::HostContext;
use crate::explain::{Distrust, Inferred, Lore, ToldStep, infer, tell};
use crate::model::{Connection, LinkKind, WallTime};
use crate::rulebook::{Moment, Revision};
use crate::store::{HostName, PacketRow, Store, StoreError};

/// The snapshots of a database, read and sorted by host.
#[derive(Debug, Default)]
pub struct Library {}

/// What is known of one host at one moment.
#[derive(Debug, Default)]
pub struct HostLore {
    rules: Moment,
    distrust: Distrust,
    context: Option<HostContext>,
}

impl Library {
    /// Reads the snapshots of a database.
    #[expect(clippy::unused_async, reason = "it will ask the store")]
    pub async fn load(store: &Store) -> Result<Self, StoreError> {
        let _ = store;
        Ok(Self::default())
    }

    /// What is known of a host at a time.
    pub fn of(&self, host: &HostName, at: Option<WallTime>) -> Arc<HostLore> {
        let _ = (self, host, at);
        Arc::default()
    }

    /// The rule sets of one snapshot, the last of each family; none when there is no such snapshot of rules.
    pub fn snapshot(&self, id: i64) -> Option<Moment> {
        let _ = (self, id);
        None
    }

    /// The addresses of the containers of this name, on any host.
    pub fn addresses_of(&self, container: &str) -> Vec<IpAddr> {
        let _ = (self, container);
        Vec::new()
    }
}

impl HostLore {
    /// For telling.
    pub fn lore(&self) -> Lore<'_> {
        Lore { rules: &self.rules, distrust: &self.distrust, context: self.context.as_ref() }
    }

    /// The rule sets that held.
    pub fn revisions(&self) -> impl Iterator<Item = &Revision> {
        self.rules.revisions.iter()
    }

    /// A packet's steps with their rules, and the steps between them that no line shows.
    pub fn tell<'a>(
        &self,
        row: &'a PacketRow,
        connection: Option<&Connection>,
    ) -> (Vec<ToldStep<'a>>, Vec<Inferred>) {
        let told = tell(&row.packet, self.lore());
        let has_waited = row.links.iter().any(|link| link.kind == LinkKind::ArpWait);
        let inferred = infer(&row.packet, connection, has_waited, &told, self.lore());
        (told, inferred)
    }
}
