//! The database as people and dashboards see it: views, words, comments, and plans that use indices.

use sqlx::{Connection as _, Row as _, SqliteConnection};
use tracecol::filter::{Clock, parse};
use tracecol::model::*;
use tracecol::store::{ConnectionQuery, PacketQuery};

use super::generate::Log;
use super::{Temporary, batch, host};

/// One row of `v_steps`: step, at, layer, hook, offset, input.
type Row = (i64, String, String, Option<String>, i64, Option<String>);

async fn filled() -> (Temporary, SqliteConnection) {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let mut outcomes = vec![host()];
    let mut log = Log::new(SourceId(1), 2);
    for _ in 0..4 {
        outcomes.extend(log.connection(4));
    }
    writer.write(batch(outcomes)).await.unwrap();
    writer.close().await.unwrap();
    let path = temporary.store.path().to_string_lossy().into_owned();
    (temporary, SqliteConnection::connect(&path).await.unwrap())
}

#[tokio::test]
async fn connections_are_readable() {
    let (temporary, mut sql) = filled().await;
    let rows = temporary.store.connections(&ConnectionQuery::default()).await.unwrap();
    let wanted = &rows[0].connection;
    let row = sqlx::query("select * from v_connections order by time desc limit 1")
        .fetch_one(&mut sql)
        .await
        .unwrap();
    for (column, text) in [
        ("host", "dhost"),
        ("protocol", "tcp"),
        ("dst", "10.146.22.21"),
        ("nat", "dnat"),
        ("state", "established"),
        ("completeness", "whole"),
        ("layers", "ip,bridge"),
        ("interfaces", "eth0,docker0,veth72x2M5"),
        ("trust", "text"),
        ("verdict", "accepted"),
        ("evidence", "policy"),
        ("verdict_at", "mangle:POSTROUTING:policy:1"),
    ] {
        assert_eq!(row.get::<String, _>(column), text, "{column}");
    }
    assert_eq!(row.get::<String, _>("src"), wanted.original.src.addr.unwrap().to_string());
    assert_eq!(row.get::<u16, _>("sport"), wanted.original.src.port.unwrap());
    assert_eq!(row.get::<i64, _>("wall_us"), wanted.first.wall.unwrap().0);
    let time: f64 = row.get("time");
    assert!((time - 1_795_352_867.0).abs() < 60.0, "{time}");
}

#[tokio::test]
async fn packets_and_steps_are_readable() {
    let (temporary, mut sql) = filled().await;
    let rows = temporary.store.packets(&PacketQuery::default()).await.unwrap();
    let wanted = rows.iter().rev().nth(1).unwrap();
    let row = sqlx::query("select * from v_packets order by time limit 1 offset 1")
        .fetch_one(&mut sql)
        .await
        .unwrap();
    for (column, text) in [
        ("host", "dhost"),
        ("direction", "reply"),
        ("protocol", "tcp"),
        ("tcp_flags", "ACK PSH"),
        ("confidence", "exact"),
        ("verdict", "accepted"),
    ] {
        assert_eq!(row.get::<String, _>(column), text, "{column}");
    }
    let ip = wanted.packet.steps[2].header.ip().unwrap();
    assert_eq!(row.get::<String, _>("src"), ip.src.to_string());
    assert_eq!(row.get::<u16, _>("sport"), 6379);
    assert_eq!(row.get::<u32, _>("length"), ip.length.unwrap());
    assert_eq!(row.get::<u16, _>("ip_id"), ip.id.unwrap());
    assert_eq!(
        row.get::<i64, _>("uptime_us").cast_unsigned(),
        wanted.packet.first.uptime.unwrap().0
    );
    assert_eq!(row.get::<i64, _>("lines"), 12);

    let packet: i64 = row.get("packet");
    let steps: Vec<Row> = sqlx::query_as(
        "select step, at, layer, hook, offset_us, input from v_steps where packet = ? order by step",
    )
    .bind(packet)
    .fetch_all(&mut sql)
    .await
    .unwrap();
    assert_eq!(steps.len(), wanted.packet.steps.len());
    for ((n, at, layer, hook, offset, input), step) in steps.iter().zip(&wanted.packet.steps) {
        assert_eq!(*at, step.hop.site.label(), "step {n}");
        assert_eq!(layer, step.hop.layer.name());
        assert_eq!(hook.as_deref(), step.hop.site.hook().map(Hook::name));
        assert_eq!(Some(*offset), step.offset_us);
        let device =
            step.hop.devices.input.map(|d| String::from_utf8(d.as_bytes().to_vec()).unwrap());
        assert_eq!(*input, device);
    }
}

#[tokio::test]
async fn long_and_backward_gaps_are_readable() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let mut outcomes = Log::new(SourceId(1), 2).connection(3);
    let offsets: [&[Option<i64>]; 3] = [
        &[Some(0), Some(5_000_000), Some(4_999_990)],
        &[Some(0), Some(60_000), Some(1_100_000)],
        &[Some(0), None, Some(3)],
    ];
    for (outcome, offsets) in outcomes.iter_mut().zip(offsets) {
        let Outcome::Packet(packet) = outcome else { panic!("three packets come first") };
        packet.steps.truncate(offsets.len());
        for (step, offset) in packet.steps.iter_mut().zip(offsets) {
            step.offset_us = *offset;
        }
    }
    outcomes.insert(0, host());
    writer.write(batch(outcomes)).await.unwrap();
    writer.close().await.unwrap();
    let mut sql =
        SqliteConnection::connect(&temporary.store.path().to_string_lossy()).await.unwrap();
    let found: Vec<Option<i64>> =
        sqlx::query_scalar("select offset_us from v_steps order by packet, step")
            .fetch_all(&mut sql)
            .await
            .unwrap();
    let wanted: Vec<Option<i64>> =
        offsets[..2].concat().into_iter().chain([None, None, None]).collect();
    assert_eq!(found, wanted);
    let rows = temporary.store.packets(&PacketQuery::default()).await.unwrap();
    let first: Vec<Option<i64>> = rows[0].packet.steps.iter().map(|step| step.offset_us).collect();
    assert_eq!(first, offsets[2], "the store itself knows them all");
}

#[tokio::test]
async fn table_word_knows_every_word() {
    let (_temporary, mut sql) = filled().await;
    macro_rules! words {
        ($($type:ty, $kind:literal);*) => {{
            let mut all = Vec::new();
            $(for (code, value) in <$type>::ALL.iter().enumerate() {
                all.push(($kind.to_owned(), i64::try_from(code).unwrap(), value.name().to_owned()));
            })*
            all
        }};
    }
    let mut wanted = words!(
        Layer, "layer"; Direction, "direction"; Trust, "trust"; Confidence, "confidence";
        VerdictKind, "verdict"; VerdictEvidence, "evidence"; ConnectionState, "state";
        Completeness, "completeness"; NatKind, "nat"; EvidenceOf, "nat_evidence"; LinkKind, "link"
    );
    for (protocol, name) in Protocol::NAMED {
        wanted.push(("protocol".to_owned(), i64::from(protocol.0), (*name).to_owned()));
    }
    let others = [
        ("protocol", -1, "arp"),
        ("source", 0, "file"),
        ("source", 1, "stdin"),
        ("site", 0, "rule"),
        ("site", 1, "return"),
        ("site", 2, "policy"),
        ("site", 3, "log"),
        ("site", 4, "bridge"),
        ("site", 5, "bridge_log"),
        ("end", 0, "connection"),
        ("end", 1, "packet"),
    ];
    wanted.extend(others.map(|(kind, code, name)| (kind.to_owned(), code, name.to_owned())));
    wanted.sort();
    let found: Vec<(String, i64, String)> =
        sqlx::query_as("select kind, code, name from word order by kind, code, name")
            .fetch_all(&mut sql)
            .await
            .unwrap();
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn every_table_and_column_is_explained() {
    let (_temporary, mut sql) = filled().await;
    let tables: Vec<(String, String)> = sqlx::query_as(
        "select name, sql from sqlite_schema where type = 'table' and name not like '\\_sqlx%' escape '\\'
            and name not like 'sqlite%'",
    )
    .fetch_all(&mut sql)
    .await
    .unwrap();
    assert!(tables.len() > 25);
    let migration = concat!(
        include_str!("../../migrations/0001_first.sql"),
        include_str!("../../migrations/0002_rules.sql"),
    );
    for (name, text) in tables {
        assert!(text.contains(") strict"), "{name} is strict");
        let before = migration.split(&format!("create table {name} (")).next().unwrap();
        assert!(
            before.trim_end().lines().last().unwrap().starts_with("--"),
            "{name} has a comment"
        );
        // Columns of later migrations stand on the last line, without their comments.
        let columns = text.lines().skip(1).filter(|line| {
            let line = line.trim();
            !line.starts_with([')', '-', ','])
                && !line.starts_with("primary key (")
                && !line.starts_with("unique (")
        });
        for line in columns {
            assert!(line.contains("--"), "{name}: {line}");
        }
    }
}

#[test]
fn every_column_added_later_is_explained() {
    let migration = include_str!("../../migrations/0002_rules.sql");
    let added: Vec<&str> =
        migration.lines().filter(|line| line.starts_with("alter table")).collect();
    assert!(added.len() > 10);
    for line in added {
        assert!(
            line.contains(" add column ") && line.contains("; ") && line.contains("-- "),
            "{line}"
        );
    }
}

/// A page of packets with what is told of them, as the store asks for it.
const TOLD_PACKETS: &str =
    "select p.*, coalesce(t.verdict, w.verdict), exists (select 1 from rule_site)
    from packet p
    join way w on w.id = p.way
    left join boot b on b.host = w.host and b.boot = w.boot
    left join telling t on t.way = p.way and t.from_us =
        (select max(x.from_us) from telling x
            where x.way = p.way and x.from_us <= coalesce(p.wall_us, -9223372036854775808))
    where p.wall_us is not null order by p.wall_us desc, p.id desc limit 50";

/// Lists must not read whole tables: their plans are searches, or scans in the order of an index.
#[tokio::test]
async fn lists_use_indices() {
    let (_temporary, mut sql) = filled().await;
    for (query, wanted) in [
        (
            "select c.* from connection c where c.first_wall_us is not null
             order by c.first_wall_us desc, c.id desc limit 50",
            "USING INDEX connection_first",
        ),
        (
            "select c.* from connection c where c.first_wall_us is not null
             and (c.first_wall_us, c.id) < (5, 7) order by c.first_wall_us desc, c.id desc limit 50",
            "SEARCH c USING INDEX connection_first",
        ),
        (
            "select p.* from packet p join way w on w.id = p.way where p.wall_us is not null
             and (p.wall_us, p.id) < (5, 7) order by p.wall_us desc, p.id desc limit 50",
            "SEARCH p USING INDEX packet_wall",
        ),
        ("select * from v_packets where wall_us between 1 and 2", "SEARCH p USING INDEX packet_wall"),
        ("select * from v_packets where connection = 7", "SEARCH p USING INDEX packet_connection"),
        ("select * from v_steps where packet = 7", "SEARCH p USING INTEGER PRIMARY KEY"),
        ("select * from v_steps where connection = 7", "SEARCH p USING INDEX packet_connection"),
        (
            "select distinct owner from endpoint where addr between x'0a000000' and x'0affffff'",
            "SEARCH endpoint USING PRIMARY KEY",
        ),
        ("select * from link where to_end = 1 and to_id = 5", "INDEX link_to"),
        (TOLD_PACKETS, "SEARCH p USING INDEX packet_wall (wall_us>?)"),
        (TOLD_PACKETS, "SEARCH t USING PRIMARY KEY (way=? AND from_us=?)"),
        (TOLD_PACKETS, "SEARCH x USING PRIMARY KEY (way=? AND from_us<?)"),
        ("select * from v_packets where connection = 7", "SEARCH t USING PRIMARY KEY (way=? AND from_us=?)"),
        (
            "select * from v_steps where packet = 7",
            "SEARCH r USING PRIMARY KEY (host=? AND site=? AND layer=? AND from_us=?)",
        ),
        ("select * from connection where untold = 1 order by id limit 5", "USING INDEX connection_untold"),
        (
            "select p.id from way_block b cross join packet p
                on p.id between b.block << 20 and (b.block << 20) + 1048575 and p.way = b.way
             where b.way = 3 order by b.block desc, p.id desc limit 5",
            "SEARCH p USING INTEGER PRIMARY KEY",
        ),
        (
            "select p.wall_us from way_minute m cross join packet p
                on p.wall_us >= max(3, m.minute * 60000000)
                    and p.wall_us < min(9, (m.minute + 1) * 60000000) and p.way = m.way
             where m.way = 7 and m.minute >= 0 and m.minute <= 5
             order by m.minute desc, p.wall_us desc limit 1",
            "SEARCH p USING INDEX packet_wall (wall_us>? AND wall_us<?)",
        ),
        (
            "select w.id, m.minute / 3, sum(m.packets) from way w
             cross join way_minute m on m.way = w.id and m.minute >= 4 and m.minute < 9
             where w.host = 0 group by 1, 2",
            "SEARCH m USING PRIMARY KEY (way=? AND minute>? AND minute<?)",
        ),
    ] {
        let plan: Vec<String> = sqlx::query(sqlx::AssertSqlSafe(format!("explain query plan {query}")))
            .fetch_all(&mut sql)
            .await
            .unwrap()
            .iter()
            .map(|row| row.get("detail"))
            .collect();
        assert!(plan.iter().any(|line| line.contains(wanted)), "{query}: {plan:#?}");
        assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE FOR ORDER BY")), "{query}: {plan:#?}");
    }
}

#[tokio::test]
async fn counts_anomalies_and_gaps() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let position = |offset| Position { source: SourceId(1), offset, seq: Some(u64::MAX), copy: 2 };
    let anomaly = |kind, offset, text: &str| {
        Outcome::Anomaly(Anomaly { kind, position: position(offset), text: text.as_bytes().into() })
    };
    let gap = Gap {
        host: HostId(0),
        position: position(99),
        stamp: Stamp {
            wall: Some(WallTime(1_795_352_867_158_050)),
            uptime: Some(Uptime(u64::MAX)),
        },
        lost: None,
        reason: GapReason::JournaldMissed,
    };
    let mut outcomes = vec![
        host(),
        anomaly(AnomalyKind::OrphanFragment, 10, "a"),
        anomaly(AnomalyKind::OrphanFragment, 10, "b"),
        anomaly(AnomalyKind::OrphanFragment, 10, "a"),
        anomaly(AnomalyKind::TornEbtablesLine, 5, ""),
        Outcome::Gap(gap.clone()),
    ];
    outcomes.extend(Log::new(SourceId(1), 2).connection(3));
    let counts = Counts { trace: 30, other: 4, placed: 28, unplaced: 2, ..Counts::default() };
    let progress = tracecol::store::Progress {
        source: SourceId(1),
        position: 1000,
        tail_hash: None,
        counts,
        done: true,
    };
    writer.write(tracecol::store::Batch { outcomes, progress: vec![progress] }).await.unwrap();

    let stats = temporary.store.stats().await.unwrap();
    assert_eq!(stats.counts, counts);
    assert_eq!((stats.packets, stats.connections, stats.boots), (3, 1, 1));
    assert_eq!(
        stats.anomalies,
        [(AnomalyKind::TornEbtablesLine, 1), (AnomalyKind::OrphanFragment, 2)]
    );
    assert_eq!(stats.verdicts, [(VerdictKind::Accepted, 1)]);
    assert_eq!(stats.gaps.len(), 1);
    assert_eq!((stats.gaps[0].source.as_str(), &stats.gaps[0].gap), ("kern.log", &gap));
    assert!(stats.database_bytes >= 8192 && stats.database_bytes % 8192 == 0);

    let query =
        tracecol::store::AnomalyQuery { kind: Some(AnomalyKind::OrphanFragment), limit: Some(1) };
    let found = temporary.store.anomalies(&query).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].anomaly.position, position(10));
    let all = temporary.store.anomalies(&tracecol::store::AnomalyQuery::default()).await.unwrap();
    let texts: Vec<&[u8]> = all.iter().map(|row| &*row.anomaly.text).collect();
    assert_eq!(texts.len(), 3);
    assert_eq!(texts[0], b"", "in order of position");
}

#[tokio::test]
async fn a_filter_of_many_values_is_answered() {
    let (temporary, _sql) = filled().await;
    let ports: Vec<String> = (0..256).map(|n| n.to_string()).collect();
    let filter = parse(&format!("port:{}", ports.join(",")), &Clock::default()).unwrap();
    let query = ConnectionQuery { filter: Some(filter), ..ConnectionQuery::default() };
    assert_eq!(temporary.store.connections(&query).await.unwrap(), []);
    let text = vec!["sport:>5"; 256].join(" OR ");
    let filter = parse(&text, &Clock::default()).unwrap();
    let query = ConnectionQuery { filter: Some(filter), ..ConnectionQuery::default() };
    assert_eq!(temporary.store.connections(&query).await.unwrap().len(), 4);
    let text = format!("{}sport:>5{}", "-(".repeat(64), ")".repeat(64));
    let filter = parse(&text, &Clock::default()).unwrap();
    let query = PacketQuery { filter: Some(filter), ..PacketQuery::default() };
    assert_eq!(temporary.store.packets(&query).await.unwrap().len(), 16);
}
