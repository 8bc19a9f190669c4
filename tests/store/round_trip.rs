//! What goes in comes out: every field of every line.

use tracecol::model::{Connection, Outcome, Packet, SourceId};
use tracecol::store::{ConnectionQuery, Order, PacketQuery};

use super::generate::Log;
use super::{Temporary, batch, host};

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
