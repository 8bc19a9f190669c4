//! One connection or packet with everything that belongs to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::explain::{self, Inferred, LinkFact, Seen, SnapshotFact, ToldStep, Wait, infer, tell};
use crate::filter::{Expr, Term};
use crate::library::{HostLore, Library};
use crate::model::{Connection, Endpoint, LinkKind, PacketKey};
use crate::store::{
    ConnectionQuery, ConnectionRow, IdKind, LinkEnd, LinkRow, Order, PacketRow, PublicId, Store,
    StoreError,
};

/// A connection with its packets, or one packet.
#[derive(Debug)]
pub struct Subject {
    /// The connection, or the one that the packet belongs to.
    pub connection: Option<ConnectionRow>,
    /// In the order in which they came; with ARP packets that others waited for.
    pub packets: Vec<PacketRow>,
    /// What was known of their host when they came, one for one.
    lore: Vec<Arc<HostLore>>,
    /// What stands at the other ends of links, in a few words.
    others: BTreeMap<PublicId, String>,
}

impl Subject {
    /// Looks up an id; none when nothing has it.
    pub async fn find(
        store: &Store,
        library: &mut Library,
        id: &PublicId,
    ) -> Result<Option<Self>, StoreError> {
        let (connection, packets) = match id.kind() {
            IdKind::Connection => {
                let Some(row) = store.connection(id).await? else { return Ok(None) };
                let mut packets = store.packets_of(id).await?;
                add_waits(store, &mut packets).await?;
                (Some(row), packets)
            }
            IdKind::Packet => {
                let Some(row) = store.packet(id).await? else { return Ok(None) };
                let connection = match &row.connection_id {
                    Some(connection) => store.connection(connection).await?,
                    None => None,
                };
                (connection, vec![row])
            }
        };
        let lore = packets.iter().map(|row| library.at(&row.host, row.packet.first.wall)).collect();
        let others = others(store, connection.as_ref(), &packets).await?;
        Ok(Some(Self { connection, packets, lore, others }))
    }

    /// The connection that a packet belongs to; an ARP packet that others waited for belongs to none.
    pub fn connection_of(&self, row: &PacketRow) -> Option<&Connection> {
        let own = self.connection.as_ref().filter(|own| Some(own.id) == row.connection_id)?;
        Some(&own.connection)
    }

    /// The packets, each with what was known of its host.
    pub fn packets(&self) -> impl Iterator<Item = (&PacketRow, &HostLore)> {
        self.packets.iter().zip(self.lore.iter().map(|lore| &**lore))
    }

    /// The public id of a packet in this subject, by its key.
    pub fn packet_id(&self, key: PacketKey) -> String {
        let row = self.packets.iter().find(|row| row.packet.key == key);
        row.map_or_else(String::new, |row| row.id.to_string())
    }

    /// What a story is told of. `taken` writes the time of a snapshot.
    pub fn to_tell(&self, taken: &dyn Fn(&HostLore) -> Vec<SnapshotFact>) -> explain::Subject<'_> {
        let packets = self
            .packets()
            .map(|(row, lore)| Seen { packet: &row.packet, lore: lore.lore() })
            .collect();
        explain::Subject {
            connection: self.connection.as_ref().map(|row| &row.connection),
            packets,
            waits: self.waits(),
            links: self.link_facts(),
            snapshots: self.lore.first().map(|lore| taken(lore)).unwrap_or_default(),
        }
    }

    fn waits(&self) -> Vec<Wait> {
        let key =
            |id: PublicId| self.packets.iter().find(|row| row.id == id).map(|row| row.packet.key);
        let mut waits = Vec::new();
        for row in &self.packets {
            for link in row.links.iter().filter(|link| link.kind == LinkKind::ArpWait) {
                let LinkEnd::Packet(other) = link.other else { continue };
                let Some(other) = key(other).filter(|_| row.packet.connection.is_some()) else {
                    continue;
                };
                waits.push(Wait { waiting: row.packet.key, arp: other });
            }
        }
        waits
    }

    fn link_facts(&self) -> Vec<LinkFact> {
        let of_connection =
            self.connection.iter().flat_map(|row| row.links.iter().map(|link| (None, link)));
        let of_packets = self
            .packets
            .iter()
            .flat_map(|row| row.links.iter().map(|link| (Some(row.packet.key), link)));
        of_connection.chain(of_packets).map(|(packet, link)| self.link_fact(packet, link)).collect()
    }

    fn link_fact(&self, packet: Option<PacketKey>, link: &LinkRow) -> LinkFact {
        let (LinkEnd::Connection(id) | LinkEnd::Packet(id)) = link.other;
        let number = self.packets.iter().position(|row| row.id == id);
        let other = match (number, self.others.get(&id)) {
            (Some(number), _) => format!("packet {}", number + 1),
            (None, Some(words)) => format!("{id}, {words}"),
            (None, None) => id.to_string(),
        };
        LinkFact {
            kind: link.kind,
            packet,
            is_later: link.is_later,
            other,
            evidence: link.evidence.clone(),
        }
    }
}

/// A packet's steps with their rules, and the steps between them that no line shows.
pub fn tell_row<'a>(
    row: &'a PacketRow,
    connection: Option<&Connection>,
    lore: &HostLore,
) -> (Vec<ToldStep<'a>>, Vec<Inferred>) {
    let told = tell(&row.packet, lore.lore());
    let has_waited = row.links.iter().any(|link| link.kind == LinkKind::ArpWait);
    let inferred = infer(&row.packet, connection, has_waited, &told, lore.lore());
    (told, inferred)
}

/// Adds the ARP packets that some packet waited for, in their places.
async fn add_waits(store: &Store, packets: &mut Vec<PacketRow>) -> Result<(), StoreError> {
    let waits: Vec<PublicId> = packets
        .iter()
        .flat_map(|row| &row.links)
        .filter(|link| link.kind == LinkKind::ArpWait)
        .filter_map(|link| match link.other {
            LinkEnd::Packet(id) => Some(id),
            LinkEnd::Connection(_) => None,
        })
        .collect();
    for id in waits {
        if packets.iter().all(|row| row.id != id)
            && let Some(row) = store.packet(&id).await?
        {
            packets.push(row);
        }
    }
    packets.sort_by_key(|row| {
        (row.packet.boot, row.packet.first.uptime, row.packet.first.wall, row.packet.key)
    });
    Ok(())
}

/// What stands at the other ends of links that are connections, in a few words.
async fn others(
    store: &Store,
    connection: Option<&ConnectionRow>,
    packets: &[PacketRow],
) -> Result<BTreeMap<PublicId, String>, StoreError> {
    let of_packets = packets.iter().flat_map(|row| &row.links);
    let links = connection.iter().flat_map(|row| &row.links).chain(of_packets);
    let ids: BTreeSet<PublicId> = links
        .filter_map(|link| match link.other {
            LinkEnd::Connection(id) => Some(id),
            LinkEnd::Packet(_) => None,
        })
        .collect();
    let rows = connections(store, ids).await?;
    Ok(rows.into_iter().map(|row| (row.id, ends(&row.connection))).collect())
}

/// The connections that packets belong to, by id.
pub async fn packet_connections(
    store: &Store,
    packets: &[PacketRow],
) -> Result<BTreeMap<PublicId, Connection>, StoreError> {
    let ids = packets.iter().filter_map(|row| row.connection_id).collect();
    let rows = connections(store, ids).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.connection)).collect())
}

async fn connections(
    store: &Store,
    ids: BTreeSet<PublicId>,
) -> Result<Vec<ConnectionRow>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let filter = Some(Expr::Term(Term::Id(ids.iter().map(PublicId::to_string).collect())));
    let order = Order::OldestFirst;
    store.connections(&ConnectionQuery { filter, order, limit: None, after: None }).await
}

/// `172.17.42.1:54062 → 172.17.0.5:6379`
fn ends(connection: &Connection) -> String {
    let side = |endpoint: Endpoint| match (endpoint.addr, endpoint.port) {
        (Some(addr), Some(port)) => std::net::SocketAddr::new(addr, port).to_string(),
        (Some(addr), None) => addr.to_string(),
        (None, _) => "?".to_owned(),
    };
    format!("{} → {}", side(connection.original.src), side(connection.original.dst))
}
