//! What goes in comes out: every field of every line.

use proptest::prelude::*;
use tracecol::model::{Connection, Outcome, Packet, SourceId};
use tracecol::store::{ConnectionQuery, Order, PacketQuery, SourceIdentity, SourceKind, Writer};

use super::arbitrary;
use super::generate::Log;
use super::{Temporary, batch, block_on, host};

fn packets(outcomes: &[Outcome]) -> Vec<Packet> {
    let packets = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Packet(packet) => Some((**packet).clone()),
        _ => None,
    });
    packets.collect()
}

fn connections(outcomes: &[Outcome]) -> Vec<Connection> {
    let connections = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Connection(connection) => Some((**connection).clone()),
        _ => None,
    });
    connections.collect()
}

#[tokio::test]
async fn generated_connections_come_back() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let mut log = Log::new(SourceId(1), 7);
    let mut outcomes = vec![host()];
    for n in 0..20 {
        outcomes.extend(log.connection(2 + n));
    }
    writer.write(batch(outcomes.clone())).await.unwrap();

    let query = ConnectionQuery { order: Order::OldestFirst, ..ConnectionQuery::default() };
    let found = temporary.store.connections(&query).await.unwrap();
    let found: Vec<Connection> = found.into_iter().map(|row| row.connection).collect();
    assert_eq!(found, connections(&outcomes));

    let query = PacketQuery { order: Order::OldestFirst, ..PacketQuery::default() };
    let rows = temporary.store.packets(&query).await.unwrap();
    let found: Vec<Packet> = rows.iter().map(|row| row.packet.clone()).collect();
    assert_eq!(found, packets(&outcomes));

    let row = temporary.store.packet(&rows[3].id).await.unwrap().unwrap();
    assert_eq!(row, rows[3]);
    assert_eq!(row.sources, [(SourceId(1), "kern.log".to_owned())]);
    let connection = row.connection_id.unwrap();
    let all = temporary.store.packets_of(&connection).await.unwrap();
    assert!(all.contains(&row));
    let connection = temporary.store.connection(&connection).await.unwrap().unwrap();
    assert_eq!(connection.connection.key, row.packet.connection.unwrap());
    assert_eq!(connection.host.name, "dhost");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a packet's headers, positions and stamps are, all of them come back.
    #[test]
    fn any_packets_come_back(packets in many(arbitrary::packet)) {
        block_on(|| async {
            let temporary = Temporary::new().await;
            let mut writer = temporary.writer().await;
            second_source(&mut writer).await;
            let (first, second) = packets.split_at(packets.len() / 2);
            let outcome = |packet: &Packet| Outcome::Packet(Box::new(packet.clone()));
            let mut outcomes = vec![host()];
            outcomes.extend(first.iter().map(outcome));
            writer.write(batch(outcomes)).await.unwrap();
            writer.write(batch(second.iter().map(outcome).collect())).await.unwrap();
            let rows = temporary.store.packets(&PacketQuery::default()).await.unwrap();
            let mut found: Vec<Packet> = rows.into_iter().map(|row| row.packet).collect();
            found.sort_by_key(|packet| packet.key);
            assert_eq!(found, packets);
        });
    }

    /// Whatever a connection is, it comes back; a later one with its key replaces it.
    #[test]
    fn any_connections_come_back(connections in many(arbitrary::connection), later in arbitrary::connection(1000)) {
        block_on(|| async {
            let temporary = Temporary::new().await;
            let mut writer = temporary.writer().await;
            let outcome = |connection: &Connection| Outcome::Connection(Box::new(connection.clone()));
            let mut outcomes = vec![host()];
            outcomes.extend(connections.iter().map(outcome));
            writer.write(batch(outcomes)).await.unwrap();
            writer.write(batch(vec![outcome(&later)])).await.unwrap();
            let rows = temporary.store.connections(&ConnectionQuery::default()).await.unwrap();
            let mut found: Vec<Connection> = rows.into_iter().map(|row| row.connection).collect();
            found.sort_by_key(|connection| connection.key);
            assert_eq!(found[0], later);
            assert_eq!(found[1..], connections[1..]);
        });
    }
}

/// Some of them, at offsets 1000, 2000 ….
fn many<S: Strategy>(one: fn(u64) -> S) -> impl Strategy<Value = Vec<S::Value>>
where
    S::Value: std::fmt::Debug,
{
    (1usize..12).prop_flat_map(move |n| (1..=n as u64).map(|n| one(n * 1000)).collect::<Vec<_>>())
}

async fn second_source(writer: &mut Writer) {
    let identity = SourceIdentity::from_head(b"another log\n");
    let registered =
        writer.register_source(&identity, "other.log", SourceKind::File).await.unwrap();
    assert_eq!(registered.id, SourceId(2));
}
