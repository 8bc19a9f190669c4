//! The filter in the database and the filter in memory are one: they choose the same rows.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use tracecol::filter::{Clock, ConnectionFacts, Expr, Facts, parse};
use tracecol::model::*;
use tracecol::store::{
    ConnectionQuery, ConnectionRow, ConnectionTelling, LinkRow, NatTelling, Order, PacketQuery,
    PacketRow, Store, UntoldConnection, WayFacts,
};

use super::book::{snapshot, tell_ways};
use super::generate::{Dice, Log, bridge, endpoint, name, trace, v4};
use super::{Temporary, batch, block_on, host};

/// A database with a bit of everything.
async fn everything() -> Temporary {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let mut log = Log::new(SourceId(1), 5);
    let mut outcomes = vec![
        host(),
        Outcome::Host { id: HostId(1), name: b"GW1".as_slice().into(), netns: Some("blue".into()) },
    ];
    for n in [1, 2, 3, 5, 8] {
        outcomes.extend(log.connection(n));
    }
    let keys: Vec<PacketKey> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Connection(connection) => Some(connection.key),
            _ => None,
        })
        .collect();
    vary(&mut outcomes);
    let arp = arp(&mut log);
    let lone = lone(&mut log, None);
    let error = lone_related(&mut log, keys[1]);
    let (from, to) = (LinkTarget::Packet(lone.key), LinkTarget::Packet(arp.key));
    let link = |kind, from, to| Outcome::Link(Link { kind, from, to, evidence: "seen".into() });
    outcomes.extend([
        link(LinkKind::ArpWait, from, to),
        link(LinkKind::Proxy, LinkTarget::Connection(keys[3]), LinkTarget::Connection(keys[0])),
        link(LinkKind::IcmpError, LinkTarget::Packet(error.key), LinkTarget::Connection(keys[1])),
    ]);
    outcomes.extend([arp, lone, error].map(|packet| Outcome::Packet(Box::new(packet))));
    writer.write(batch(outcomes)).await.unwrap();
    temporary
}

/// Makes the connections differ in state, verdict, host and clock.
fn vary(outcomes: &mut [Outcome]) {
    let mut n = 0;
    for outcome in outcomes {
        match outcome {
            Outcome::Connection(connection) => {
                n += 1;
                match n {
                    1 => {
                        connection.state = ConnectionState::Unreplied;
                        connection.protocol = Protocol::UDP;
                        connection.nat.clear();
                        connection.reply = Tuple {
                            src: connection.original.dst,
                            dst: Endpoint { addr: None, port: None },
                        };
                    }
                    2 => {
                        connection.verdict.kind = VerdictKind::Dropped;
                        connection.first.wall = None;
                        connection.last.wall = None;
                    }
                    3 => connection.nat[0].kind = NatKind::Redirect,
                    4 => connection.host = HostId(1),
                    _ => {}
                }
            }
            Outcome::Packet(packet) if packet.steps.len() > 14 => {
                packet.verdict.kind = VerdictKind::Rejected;
            }
            Outcome::Packet(packet) if packet.confidence == Confidence::Likely => {
                packet.first.wall = None;
                packet.steps.truncate(3);
            }
            _ => {}
        }
    }
}

fn lone_hop(site: Arc<Site>) -> Hop {
    Hop { layer: Layer::Ip, site, devices: Devices { input: name("wg0"), ..Devices::default() } }
}

/// A packet without a connection, of protocol UDP.
fn lone(log: &mut Log, connection: Option<PacketKey>) -> Packet {
    let (position, wall) = log.line();
    let hop = lone_hop(Arc::new(Site::Log { prefix: b"DROP IN ".as_slice().into() }));
    let header = Header {
        devices: hop.devices,
        network: Network::Ip(Box::new(Ip {
            src: v4("192.0.2.7"),
            dst: v4("172.17.0.5"),
            length: Some(120),
            tos: None,
            ttl: Some(1),
            id: Some(0),
            flow_label: None,
            flags: IpFlags(0),
            fragment: None,
            options: None,
            extension_headers: 0,
            ah_spi: None,
            truncated: false,
            protocol: Some(Protocol::UDP),
            transport: Transport::Udp { sport: 53, dport: 6379, length: Some(100) },
        })),
        ..Header::default()
    };
    Packet {
        key: position.into(),
        host: HostId(1),
        boot: Boot(2),
        connection,
        direction: connection.map(|_| Direction::Related),
        first: Stamp { wall: Some(WallTime(wall)), uptime: None },
        trust: Trust::Suspect,
        confidence: Confidence::Ambiguous,
        verdict: Verdict { kind: VerdictKind::Unknown, evidence: None, site: Some(hop.clone()) },
        steps: vec![Step {
            hop,
            offset_us: Some(0),
            header: Arc::new(header),
            lines: StepLines { head: position, pieces: vec![position, position] },
        }],
    }
}

fn lone_related(log: &mut Log, connection: PacketKey) -> Packet {
    let mut packet = lone(log, Some(connection));
    packet.steps[0].hop = lone_hop(trace("filter", "ICMP/IN", SiteKind::Rule(7)));
    packet
}

fn arp(log: &mut Log) -> Packet {
    let mut packet = lone(log, None);
    let mac = |last| Mac([2, 66, 0, 0, 0, last]);
    packet.steps[0].hop.site = bridge("nat", "OUTPUT");
    packet.steps[0].header = Arc::new(Header {
        link: LinkHeader::Frame { src: mac(1), dst: mac(9), ethertype: 0x0806 },
        network: Network::Arp(Arp {
            hardware: 1,
            protocol: 0x0800,
            operation: 1,
            addresses: Some(ArpAddresses {
                sender_mac: mac(1),
                sender_ip: "172.17.0.1".parse().unwrap(),
                target_mac: mac(9),
                target_ip: "172.17.0.9".parse().unwrap(),
            }),
            incomplete: false,
            incomplete_bytes: None,
        }),
        ..Header::default()
    });
    packet
}

/// The same, with rules and conntrack's record: three rule sets in time that tell of every way and translation what
/// the dice say, or nothing.
async fn everything_told(seed: u64) -> Temporary {
    let temporary = everything().await;
    let store = &temporary.store;
    let mut writer = store.writer().await.unwrap();
    let walls: Vec<i64> = store
        .packets(&PacketQuery { order: Order::OldestFirst, ..PacketQuery::default() })
        .await
        .unwrap()
        .iter()
        .filter_map(|row| row.packet.first.wall.map(|wall| wall.0))
        .collect();
    let mut dice = Dice::new(seed);
    for tag in ["a", "b", "c"] {
        let from = dice.pick(&walls) + i64::try_from(dice.below(3)).unwrap() - 1;
        writer.add_snapshot(&snapshot(tag, Some(from))).await.unwrap();
    }
    let verdicts = RefCell::new(Dice::new(seed + 1000));
    let judge = |_: &WayFacts, _: &str| {
        let mut dice = verdicts.borrow_mut();
        (dice.below(4) > 0).then(|| dice.pick(VerdictKind::ALL))
    };
    let (basis, _) = tell_ways(store, &mut writer, &judge).await;
    let tell = |untold: &UntoldConnection| {
        let mut telling = ConnectionTelling::default();
        for _ in 0..dice.below(1 + untold.connection.nat.len() as u64) {
            let kind = Some(dice.pick(NatKind::ALL));
            telling.nat.push(NatTelling { kind, ..NatTelling::default() });
        }
        let outside = endpoint(v4("192.0.2.200"), 443);
        if dice.below(2) == 0 {
            telling.reply = Some(Tuple { src: outside, dst: outside });
        }
        if dice.below(3) == 0 {
            let change = NatChange {
                kind: NatKind::Masquerade,
                from: untold.connection.original.src,
                to: outside,
                site: None,
                evidence: EvidenceOf::Observed,
            };
            telling.more_nat.push((change, None));
        }
        telling
    };
    assert_eq!(writer.tell_connections(&basis, 100, tell).await.unwrap(), 5);
    temporary
}

/// All rows, with all that their facts need.
struct World {
    connections: Vec<(ConnectionRow, Vec<PacketRow>)>,
    packets: Vec<PacketRow>,
}

impl World {
    async fn read(store: &Store) -> Self {
        let packets = store.packets(&PacketQuery::default()).await.unwrap();
        let mut connections = Vec::new();
        for row in store.connections(&ConnectionQuery::default()).await.unwrap() {
            let own = store.packets_of(&row.id).await.unwrap();
            connections.push((row, own));
        }
        Self { connections, packets }
    }

    fn connections(&self, filter: &Expr) -> BTreeSet<String> {
        let chosen = self.connections.iter().filter(|(row, packets)| {
            let plain: Vec<Packet> = packets.iter().map(|row| row.packet.clone()).collect();
            let links = links_of(row, packets);
            let id = row.id.to_string();
            let facts = Facts::of_connection(&row.connection, &plain, &id, &row.host.name, &links);
            filter.matches(&facts)
        });
        chosen.map(|(row, _)| row.id.to_string()).collect()
    }

    fn packets(&self, filter: &Expr) -> BTreeSet<String> {
        let chosen = self.packets.iter().filter(|row| {
            let around =
                self.connections.iter().find(|(other, _)| Some(other.id) == row.connection_id);
            let mut links: Vec<LinkKind> = row.links.iter().map(kind).collect();
            links.extend(around.iter().flat_map(|(row, packets)| links_of(row, packets)));
            let nat = around.map(|(row, _)| row.connection.nat.iter().map(|n| n.kind).collect());
            let nat: Vec<NatKind> = nat.unwrap_or_default();
            let id = row.connection_id.map(|id| id.to_string());
            let connection = around.map(|(other, _)| ConnectionFacts {
                id: id.as_deref().unwrap(),
                nat: &nat,
                state: other.connection.state,
            });
            let id = row.id.to_string();
            filter.matches(&Facts::of_packet(&row.packet, connection, &id, &row.host.name, &links))
        });
        chosen.map(|row| row.id.to_string()).collect()
    }
}

fn kind(link: &LinkRow) -> LinkKind {
    link.kind
}

fn links_of(row: &ConnectionRow, packets: &[PacketRow]) -> Vec<LinkKind> {
    row.links.iter().chain(packets.iter().flat_map(|row| &row.links)).map(kind).collect()
}

const TERMS: &[&str] = &[
    "addr:10.110.0.0/16",
    "addr:172.17.0.9,192.0.2.0/24",
    "addr:2001:db8::/32",
    "src:172.17.0.5-172.17.0.6",
    "src:10.0.0.0/8",
    "dst:172.17.0.0/24",
    "dst:10.146.22.21",
    "dst:172.17.0.9",
    "port:6379",
    "port:53",
    "sport:>30000",
    "sport:6379",
    "dport:40000,443",
    "dport:<7000",
    "proto:tcp",
    "proto:udp",
    "proto:arp,icmp",
    "host:gw1",
    "host:dhost,nobody",
    "in:eth0",
    "in:veth72x2M5,wg0",
    "out:docker0",
    "out:veth72x2M5",
    "mac:02:42:ac:11:00:05",
    "mac:02:42:00:00:00:09",
    "nat:dnat",
    "nat:redirect,snat",
    "nat:none",
    "nat:any",
    "verdict:dropped,rejected",
    "verdict:accepted",
    "verdict:unknown",
    "verdict:consumed,dropped",
    "rule:filter/FORWARD/2",
    "rule:filter/FORWARD",
    "rule:mangle/POSTROUTING/policy",
    "rule:filter/DOCKER-USER/return",
    "rule:filter/ICMP/IN/7",
    "rule:eb:nat:OUTPUT",
    "rule:\"log:DROP IN\"",
    "chain:DOCKER",
    "chain:nat/DOCKER,filter/OUTPUT",
    "hook:forward",
    "hook:brouting,input",
    "state:established",
    "state:unreplied,closed",
    "link:any",
    "link:none",
    "link:proxy,icmp_error",
    "link:arp_wait",
    "since:2026-11-22T13:07:47.165Z",
    "until:2026-11-22T13:07:47.160Z",
    "lines:>12",
    "lines:1-3,15",
    "id:ID0",
    "id:ID1,c0000000000000",
];

fn filter_text() -> impl Strategy<Value = String> {
    let term = proptest::sample::select(TERMS).prop_map(ToOwned::to_owned);
    term.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("-({one})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} {b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a} OR -{b})")),
        ]
    })
}

fn fill_in(text: &str, world: &World) -> String {
    let connection = world.connections[1].0.id.to_string();
    text.replace("ID0", &connection).replace("ID1", &world.packets[2].id.to_string())
}

async fn check(store: &Store, world: &World, text: &str) -> (usize, usize) {
    let text = fill_in(text, world);
    let filter = parse(&text, &Clock::default()).unwrap();
    let (mut n_connections, mut n_packets) = (0, 0);
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let query =
            ConnectionQuery { filter: Some(filter.clone()), order, ..ConnectionQuery::default() };
        let found = store.connections(&query).await.unwrap();
        let ids: BTreeSet<String> = found.iter().map(|row| row.id.to_string()).collect();
        assert_eq!(ids, world.connections(&filter), "connections {text}");
        n_connections = ids.len();
        let query = PacketQuery { filter: Some(filter.clone()), order, ..PacketQuery::default() };
        let found = store.packets(&query).await.unwrap();
        let ids: BTreeSet<String> = found.iter().map(|row| row.id.to_string()).collect();
        assert_eq!(ids, world.packets(&filter), "packets {text}");
        n_packets = ids.len();
    }
    (n_connections, n_packets)
}

#[tokio::test]
async fn every_key_chooses_the_same_rows() {
    let temporary = everything().await;
    let world = World::read(&temporary.store).await;
    assert_eq!((world.connections.len(), world.packets.len()), (5, 22));
    let mut idle = Vec::new();
    for text in TERMS {
        let (connections, packets) = check(&temporary.store, &world, text).await;
        let (others, other_packets) = check(&temporary.store, &world, &format!("-{text}")).await;
        assert_eq!((connections + others, packets + other_packets), (5, 22), "{text}");
        if !(1..22).contains(&packets) && !(1..5).contains(&connections) {
            idle.push(*text);
        }
    }
    assert_eq!(idle, ["addr:2001:db8::/32"], "every other term chooses some and not all");
}

#[test]
fn any_filter_chooses_the_same_rows() {
    block_on(|| async {
        let temporary = everything().await;
        let world = World::read(&temporary.store).await;
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        for _ in 0..300 {
            let text = filter_text().new_tree(&mut runner).unwrap().current();
            check(&temporary.store, &world, &text).await;
        }
    });
}

#[test]
fn any_filter_chooses_the_same_rows_of_what_is_told() {
    block_on(|| async {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut told = BTreeSet::new();
        for seed in 0..6 {
            let temporary = everything_told(seed).await;
            let world = World::read(&temporary.store).await;
            for text in
                TERMS.iter().filter(|text| text.contains("verdict:") || text.contains("nat:"))
            {
                check(&temporary.store, &world, text).await;
                check(&temporary.store, &world, &format!("-{text}")).await;
            }
            for _ in 0..16 {
                let text = filter_text().new_tree(&mut runner).unwrap().current();
                check(&temporary.store, &world, &text).await;
            }
            told.extend(world.packets.iter().map(|row| row.packet.verdict.kind));
            told.extend(world.connections.iter().map(|(row, _)| row.connection.verdict.kind));
        }
        assert_eq!(told.len(), VerdictKind::ALL.len(), "{told:?}");
    });
}

#[tokio::test]
async fn pages_cover_the_list_once() {
    let temporary = everything().await;
    let store = &temporary.store;
    for order in [Order::NewestFirst, Order::OldestFirst] {
        for text in ["", "dst:172.17.0.0/24"] {
            let filter = parse(text, &Clock::default()).ok();
            let all = PacketQuery { filter: filter.clone(), order, limit: None, after: None };
            let all = store.packets(&all).await.unwrap();
            let mut paged = Vec::new();
            let mut after = None;
            loop {
                let query = PacketQuery { filter: filter.clone(), order, limit: Some(3), after };
                let page = store.packets(&query).await.unwrap();
                let Some(last) = page.last() else { break };
                assert!(page.len() <= 3);
                after = Some(last.cursor());
                paged.extend(page);
            }
            assert_eq!(paged, all, "{order:?} {text}");

            let all = ConnectionQuery { filter: filter.clone(), order, limit: None, after: None };
            let all = store.connections(&all).await.unwrap();
            let mut paged = Vec::new();
            let mut after = None;
            loop {
                let query =
                    ConnectionQuery { filter: filter.clone(), order, limit: Some(2), after };
                let page = store.connections(&query).await.unwrap();
                let Some(last) = page.last() else { break };
                assert!(page.len() <= 2);
                after = Some(last.cursor());
                paged.extend(page);
            }
            assert_eq!(paged, all, "{order:?} {text}");
        }
    }
    let newest = store.connections(&ConnectionQuery::default()).await.unwrap();
    let times: Vec<_> = newest.iter().map(|row| row.connection.first.wall).collect();
    let mut sorted = times.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    assert_eq!(times, sorted, "newest first, those without a time last");
    assert_eq!(times.last(), Some(&None));
}
