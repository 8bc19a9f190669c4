//! What is known beside the log, host by host and moment by moment, for everything that is told.

use crate::cli::failure::Failure;
use crate::context::HostContext;
use crate::explain::{Distrust, Inferred, Lore, ToldStep, infer, tell};
use crate::model::{Connection, LinkKind, WallTime};
use crate::rulebook::Moment;
use crate::store::{HostName, PacketRow, Store};

/// The snapshots of a database, read and sorted by host.
#[derive(Debug, Default)]
pub(super) struct Library {}

/// What is known of one host at one moment.
#[derive(Debug, Default)]
pub(super) struct HostLore {
    rules: Moment,
    distrust: Distrust,
    context: Option<HostContext>,
}

impl Library {
    #[expect(clippy::unused_async, reason = "it will ask the store")]
    pub(super) async fn load(store: &Store) -> Result<Self, Failure> {
        let _ = store;
        Ok(Self::default())
    }

    pub(super) fn of(&self, host: &HostName, at: Option<WallTime>) -> HostLore {
        let _ = (self, host, at);
        HostLore::default()
    }
}

impl HostLore {
    pub(super) fn lore(&self) -> Lore<'_> {
        Lore { rules: &self.rules, distrust: &self.distrust, context: self.context.as_ref() }
    }

    /// A packet's steps with their rules, and the steps between them that no line shows.
    pub(super) fn tell<'a>(
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
