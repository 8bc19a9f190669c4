//! What rules tell is shown in place of what the log alone says, and can always be taken back.

use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};
use tracecol::filter::{Clock, parse};
use tracecol::model::*;
use tracecol::store::*;

use super::book::{annotate, dropped_by, snapshot, tell_connections, tell_ways};
use super::generate::{Log, endpoint, v4};
use super::same::digest;
use super::{Temporary, batch, host};

/// Connections of a busy host, in batches of one connection each.
fn log(n_connections: usize) -> Vec<Vec<Outcome>> {
    let mut log = Log::new(SourceId(1), 5);
    let mut batches = vec![vec![host()]];
    batches.extend((0..n_connections).map(|n| log.connection(2 + n % 4)));
    batches
}

async fn filled(n_connections: usize) -> (Temporary, Writer) {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    writer.write(batch(log(n_connections).concat())).await.unwrap();
    (temporary, writer)
}

async fn connections(store: &Store) -> Vec<ConnectionRow> {
    let query = ConnectionQuery { order: Order::OldestFirst, ..ConnectionQuery::default() };
    store.connections(&query).await.unwrap()
}

async fn packets(store: &Store) -> Vec<PacketRow> {
    let query = PacketQuery { order: Order::OldestFirst, ..PacketQuery::default() };
    store.packets(&query).await.unwrap()
}

async fn sql(path: &Path) -> SqliteConnection {
    SqliteConnection::connect(&path.to_string_lossy()).await.unwrap()
}

/// A rule's text.
fn text(rule: Option<&RuleText>) -> Option<&str> {
    rule.map(|rule| &*rule.text)
}

#[tokio::test]
async fn what_the_rules_tell_is_shown() {
    let (temporary, mut writer) = filled(3).await;
    let store = &temporary.store;
    assert_eq!(store.pending().await.unwrap(), Pending::default());
    let own = store.ways().await.unwrap();
    writer.add_snapshot(&snapshot("a", None)).await.unwrap();
    let pending = Pending { snapshots: 1, ways: own.len() as u64, connections: true };
    assert_eq!(store.pending().await.unwrap(), pending);

    let (ways, told) = annotate(store, &mut writer, &dropped_by("a")).await;
    assert!(0 < ways && ways < own.len() as u64, "nothing is told of replies: {ways}");
    assert_eq!(told, 3);
    let done = Pending { snapshots: 1, ..Pending::default() };
    assert_eq!(store.pending().await.unwrap(), done);

    for row in packets(store).await {
        let is_reply = row.packet.direction == Some(Direction::Reply);
        let verdict = if is_reply { VerdictKind::Accepted } else { VerdictKind::Dropped };
        assert_eq!(row.packet.verdict.kind, verdict);
        let policy = (!is_reply).then_some("-P POSTROUTING ACCEPT");
        assert_eq!(text(row.verdict_rule.as_ref()), policy);
        assert_eq!(row.rules.len(), row.packet.steps.len());
        for (step, rule) in row.packet.steps.iter().zip(&row.rules) {
            let label = step.hop.site.label();
            let text = |rule: &StepRule| {
                [&rule.text, &rule.place, &rule.misfit]
                    .map(|part| part.as_deref().map(String::from))
            };
            let rule = rule.as_ref().map(text);
            let some = |text: &str| Some(text.to_owned());
            match label.as_str() {
                "filter:FORWARD:rule:3" => assert_eq!(
                    rule,
                    Some([some("-A FORWARD -j a3"), some("filter:FORWARD:rule:3"), None])
                ),
                "mangle:FORWARD:policy:1" => assert_eq!(
                    rule,
                    Some([some("-P FORWARD ACCEPT"), some("mangle:FORWARD:policy"), None])
                ),
                "filter:DOCKER-USER:return:1" => {
                    assert_eq!(rule, Some([None, some("filter:DOCKER-USER:return"), None]));
                }
                "filter:DOCKER-ISOLATION-STAGE-1:return:2" => {
                    let misfit = some("no chain DOCKER-ISOLATION-STAGE-1");
                    assert_eq!(rule, Some([None, None, misfit]));
                }
                _ => assert_eq!(rule.is_some(), step.hop.layer == Layer::Ip, "{label}"),
            }
        }
        assert_eq!(store.packet(&row.id).await.unwrap().unwrap(), row);
    }
    for row in connections(store).await {
        assert_eq!(row.connection.verdict.kind, VerdictKind::Dropped);
        assert_eq!(
            row.connection.verdict.site.as_ref().unwrap().site.label(),
            "nat:POSTROUTING:policy:4"
        );
        assert_eq!(text(row.verdict_rule.as_ref()), Some("-P POSTROUTING ACCEPT"));
        assert_eq!(row.connection.nat[0].kind, NatKind::Redirect);
        assert_eq!(
            row.nat_rules.iter().map(|rule| text(rule.as_ref())).collect::<Vec<_>>(),
            [Some("-A DOCKER -j a2")]
        );
        assert_eq!(store.connection(&row.id).await.unwrap().unwrap(), row);
    }
    assert_eq!(store.stats().await.unwrap().verdicts, [(VerdictKind::Dropped, 3)]);

    // The log's own stays what it was.
    let told: Vec<WayFacts> = store.ways().await.unwrap();
    assert!(told.iter().all(|way| way.is_told));
    let undo = |way: WayFacts| WayFacts { is_told: false, ..way };
    assert_eq!(told.into_iter().map(undo).collect::<Vec<_>>(), own);
}

#[tokio::test]
async fn removing_rules_gives_the_log_alone_back() {
    let (temporary, mut writer) = filled(4).await;
    let store = &temporary.store;
    let before =
        (connections(store).await, packets(store).await, store.stats().await.unwrap().verdicts);
    let first = writer.add_snapshot(&snapshot("a", None)).await.unwrap().id;
    let second = writer.add_snapshot(&snapshot("b", Some(0))).await.unwrap().id;
    annotate(store, &mut writer, &dropped_by("b")).await;
    assert_ne!(connections(store).await, before.0);
    assert_ne!(packets(store).await, before.1);

    assert!(writer.remove_snapshot(first).await.unwrap());
    let now =
        (connections(store).await, packets(store).await, store.stats().await.unwrap().verdicts);
    assert_eq!(now, before, "until the rest is told again");
    let pending = store.pending().await.unwrap();
    assert!(pending.ways > 0 && pending.connections);
    assert!(writer.remove_snapshot(second).await.unwrap());
    assert_eq!(store.pending().await.unwrap(), Pending::default());
    let now =
        (connections(store).await, packets(store).await, store.stats().await.unwrap().verdicts);
    assert_eq!(now, before);
    writer.close().await.unwrap();
    let untouched = filled(4).await;
    untouched.1.close().await.unwrap();
    assert!(digest(store.path()).await == digest(untouched.0.store.path()).await);
}

#[tokio::test]
async fn every_packet_is_told_by_the_rules_of_its_time() {
    let (temporary, mut writer) = filled(4).await;
    let store = &temporary.store;
    let all = packets(store).await;
    let turn = all[all.len() / 2].packet.first.wall.unwrap().0;
    // In the wrong order: what counts is their time.
    writer.add_snapshot(&snapshot("late", Some(turn))).await.unwrap();
    writer.add_snapshot(&snapshot("early", Some(turn - 1_000))).await.unwrap();
    annotate(store, &mut writer, &dropped_by("late")).await;
    let mut n_late = 0;
    for row in packets(store).await {
        let is_late = row.packet.first.wall.unwrap().0 >= turn;
        n_late += usize::from(is_late);
        let tag = if is_late { "late" } else { "early" };
        let texts: Vec<&str> =
            row.rules.iter().flatten().filter_map(|rule| rule.text.as_deref()).collect();
        let is_tagged = |text: &&str| text.starts_with("-P") || text.contains(tag);
        assert!(texts.len() > 3 && texts.iter().all(is_tagged), "{tag}: {texts:?}");
        let is_dropped = row.packet.verdict.kind == VerdictKind::Dropped;
        assert_eq!(is_dropped, is_late && row.packet.direction != Some(Direction::Reply));
    }
    assert_eq!(n_late, all.len() - all.len() / 2);
    for verdict in ["dropped", "accepted"] {
        let filter = parse(&format!("verdict:{verdict}"), &Clock::default()).unwrap();
        let query = PacketQuery { filter: Some(filter), ..PacketQuery::default() };
        let found = store.packets(&query).await.unwrap();
        assert!(!found.is_empty());
        assert!(found.iter().all(|row| row.packet.verdict.kind.name() == verdict));
    }
}

#[tokio::test]
async fn packets_without_a_time_are_told_by_the_first_rules() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let mut outcomes = log(1).concat();
    for outcome in &mut outcomes {
        if let Outcome::Packet(packet) = outcome {
            packet.first.wall = None;
        }
    }
    writer.write(batch(outcomes)).await.unwrap();
    writer.add_snapshot(&snapshot("b", Some(i64::MAX))).await.unwrap();
    writer.add_snapshot(&snapshot("a", Some(i64::MIN))).await.unwrap();
    annotate(&temporary.store, &mut writer, &dropped_by("a")).await;
    let rows = packets(&temporary.store).await;
    assert_eq!(rows[0].packet.verdict.kind, VerdictKind::Dropped);
    assert_eq!(rows[0].rules[2].as_ref().unwrap().text.as_deref(), Some("-A PREROUTING -j a1"));
}

/// Ingests batch by batch; after which batches to tell is the caller's choice.
async fn told_after(tell: impl Fn(usize) -> bool, reopen: bool) -> Vec<u8> {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    writer.add_snapshot(&snapshot("a", None)).await.unwrap();
    writer.add_snapshot(&snapshot("b", Some(1_795_352_867_165_000))).await.unwrap();
    let batches = log(12);
    let last = batches.len() - 1;
    for (n, outcomes) in batches.into_iter().enumerate() {
        writer.write(batch(outcomes)).await.unwrap();
        if tell(n) || n == last {
            annotate(&temporary.store, &mut writer, &dropped_by("b")).await;
            assert!(!temporary.store.pending().await.unwrap().connections);
        }
        if reopen {
            writer.close().await.unwrap();
            writer = temporary.store.writer().await.unwrap();
            writer.write(batch(vec![host()])).await.unwrap();
        }
    }
    writer.close().await.unwrap();
    digest(temporary.store.path()).await
}

#[tokio::test]
async fn telling_often_or_once_gives_the_same_database() {
    let once = told_after(|_| false, false).await;
    assert!(told_after(|_| true, false).await == once, "after every batch");
    assert!(
        told_after(|n| n % 3 == 0, true).await == once,
        "now and then, by a new writer each time"
    );
}

#[tokio::test]
async fn telling_again_changes_nothing() {
    let (temporary, mut writer) = filled(5).await;
    let store = &temporary.store;
    writer.add_snapshot(&snapshot("a", None)).await.unwrap();
    annotate(store, &mut writer, &dropped_by("a")).await;
    assert_eq!(annotate(store, &mut writer, &dropped_by("a")).await, (0, 0));
    writer.close().await.unwrap();
    let before = digest(store.path()).await;
    let mut writer = store.writer().await.unwrap();
    assert_eq!(writer.add_snapshot(&snapshot("a", None)).await.unwrap().id, 1);
    assert_eq!(annotate(store, &mut writer, &dropped_by("a")).await, (0, 0));
    writer.close().await.unwrap();
    assert!(digest(store.path()).await == before);
}

#[tokio::test]
async fn a_run_that_was_killed_is_completed() {
    let whole = told_after(|_| false, false).await;
    for stop in 0..4 {
        let temporary = Temporary::new().await;
        let store = &temporary.store;
        let mut writer = temporary.writer().await;
        writer.add_snapshot(&snapshot("a", None)).await.unwrap();
        writer.add_snapshot(&snapshot("b", Some(1_795_352_867_165_000))).await.unwrap();
        writer.write(batch(log(12).concat())).await.unwrap();
        if stop > 0 {
            let (basis, _) = tell_ways(store, &mut writer, &dropped_by("b")).await;
            for _ in 1..stop {
                assert_eq!(tell_connections(&mut writer, &basis, 4).await, 4);
            }
        }
        drop(writer);
        let pending = store.pending().await.unwrap();
        assert_eq!((pending.ways == 0, pending.connections), (stop > 0, true));
        let mut writer = store.writer().await.unwrap();
        annotate(store, &mut writer, &dropped_by("b")).await;
        writer.close().await.unwrap();
        assert!(digest(store.path()).await == whole, "stopped at {stop}");
    }
}

#[tokio::test]
async fn a_way_told_otherwise_makes_its_connections_wait() {
    let (temporary, mut writer) = filled(5).await;
    let store = &temporary.store;
    writer.add_snapshot(&snapshot("a", None)).await.unwrap();
    annotate(store, &mut writer, &dropped_by("a")).await;
    let ways = store.ways().await.unwrap().len() as u64;
    let (told, connections_told) = annotate(store, &mut writer, &dropped_by("none")).await;
    assert!(told > 0 && told < ways);
    assert_eq!(connections_told, 5);
    assert_eq!(store.stats().await.unwrap().verdicts, [(VerdictKind::Accepted, 5)]);
    // Of replies nothing was told: only those who have other packets are concerned, which is all of them.
    let (told, connections_told) = annotate(store, &mut writer, &|_, _| None).await;
    assert!(told > 0);
    assert_eq!(connections_told, 5);
    assert!(connections(store).await.iter().all(|row| row.verdict_rule.is_none()));
}

#[tokio::test]
async fn a_connection_that_is_replaced_waits_again() {
    let (temporary, mut writer) = filled(2).await;
    let store = &temporary.store;
    writer.add_snapshot(&snapshot("a", None)).await.unwrap();
    annotate(store, &mut writer, &dropped_by("a")).await;
    let told = connections(store).await;
    writer.write(batch(log(2).concat())).await.unwrap();
    assert!(store.pending().await.unwrap().connections);
    let now = connections(store).await;
    assert_eq!(now[0].connection.verdict.kind, VerdictKind::Accepted, "the log's own for a while");
    assert_eq!(now[0].verdict_rule, None);
    assert_eq!(annotate(store, &mut writer, &dropped_by("a")).await, (0, 2));
    assert_eq!(connections(store).await, told);
}

#[tokio::test]
async fn rules_that_changed_meanwhile_are_told_of() {
    let (temporary, mut writer) = filled(2).await;
    let store = &temporary.store;
    writer.add_snapshot(&snapshot("a", None)).await.unwrap();
    let (basis, _) = tell_ways(store, &mut writer, &dropped_by("a")).await;
    let mut other = store.writer().await.unwrap();
    other.add_snapshot(&snapshot("b", None)).await.unwrap();
    let error =
        writer.tell_connections(&basis, 9, |_| ConnectionTelling::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::SnapshotsChanged), "{error}");
    let error = writer.tell(&Tellings { basis, ..Tellings::default() }).await.unwrap_err();
    assert!(error.to_string().contains("run the command again"));
    annotate(store, &mut writer, &dropped_by("b")).await;
    assert_eq!(store.pending().await.unwrap().ways, 0);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_told_of() {
    let (temporary, mut writer) = filled(1).await;
    writer.add_snapshot(&snapshot("a", None)).await.unwrap();
    let telling = WayTelling { way: 77, verdicts: Vec::new() };
    let tellings = Tellings { basis: vec![1], ways: vec![telling], ..Tellings::default() };
    let error = writer.tell(&tellings).await.unwrap_err();
    assert!(matches!(error, StoreError::NoSuch { what: "way", id: 77 }), "{error}");
    let rule = RuleAt { revision: 3, table: "filter".into(), chain: "INPUT".into(), number: 1 };
    let verdict = Verdict { kind: VerdictKind::Dropped, evidence: None, site: None };
    let verdicts = vec![VerdictFrom { from: None, verdict, rule: Some(rule) }];
    let telling = WayTelling { way: 0, verdicts };
    let tellings = Tellings { basis: vec![1], ways: vec![telling], ..Tellings::default() };
    let error = writer.tell(&tellings).await.unwrap_err();
    assert!(error.to_string().contains("no such rule in rule set 3"), "{error}");
    assert_eq!(
        temporary.store.samples(77, 1).await.unwrap_err().to_string(),
        "the database holds no way 77"
    );
}

#[tokio::test]
async fn without_snapshots_nothing_is_written_beside_the_log() {
    let (temporary, writer) = filled(3).await;
    writer.close().await.unwrap();
    let mut sql = sql(temporary.store.path()).await;
    let found: i64 = sqlx::query_scalar(
        "select (select count(*) from connection where untold is not null or told_verdict is not null)
            + (select count(*) from way where told is not null)
            + (select count(*) from nat where coalesce(told_kind, told_evidence, rule, learnt) is not null)
            + (select count(*) from snapshot) + (select count(*) from revision) + (select count(*) from rule)
            + (select count(*) from held) + (select count(*) from rule_site) + (select count(*) from telling)",
    )
    .fetch_one(&mut sql)
    .await
    .unwrap();
    assert_eq!(found, 0);
    let rows = packets(&temporary.store).await;
    assert!(rows.iter().all(|row| row.rules == vec![None; row.packet.steps.len()]));
}

/// A connection whose source was rewritten, which only conntrack saw.
async fn masqueraded() -> (Temporary, Writer) {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    writer.write(batch(masqueraded_outcomes())).await.unwrap();
    (temporary, writer)
}

fn masqueraded_outcomes() -> Vec<Outcome> {
    let mut outcomes = log(2).concat();
    if let Some(Outcome::Connection(connection)) = outcomes.last_mut() {
        connection.reply.dst = Endpoint { addr: None, port: None };
    }
    outcomes
}

/// What conntrack recorded of it.
fn recorded(untold: &UntoldConnection) -> ConnectionTelling {
    let own = untold.connection.reply;
    let outside = endpoint(v4("203.0.113.9"), 61_000);
    let change = NatChange {
        kind: NatKind::Masquerade,
        from: untold.connection.original.src,
        to: outside,
        site: None,
        evidence: EvidenceOf::Observed,
    };
    let is_unknown = own.dst.addr.is_none();
    ConnectionTelling {
        // The log knows the other side itself: that is kept, whatever the record says.
        reply: Some(Tuple { src: endpoint(v4("192.0.2.1"), 1), dst: outside }),
        more_nat: is_unknown.then_some((change, None)).into_iter().collect(),
        ..ConnectionTelling::default()
    }
}

#[tokio::test]
async fn what_conntrack_recorded_is_learnt() {
    let (temporary, mut writer) = masqueraded().await;
    let store = &temporary.store;
    let own = connections(store).await;
    let context = NewSnapshot { kind: SnapshotKind::Context, ..snapshot("conntrack", None) };
    writer.add_snapshot(&context).await.unwrap();
    assert_eq!(writer.tell_connections(&[1], 9, recorded).await.unwrap(), 2);
    let told = connections(store).await;
    assert_eq!(told[0], own[0], "nothing to learn there");
    let one = &told[1].connection;
    assert_eq!(one.reply.dst, endpoint(v4("203.0.113.9"), 61_000));
    assert_eq!(one.reply.src, own[1].connection.reply.src);
    let kinds: Vec<NatKind> = one.nat.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [NatKind::Dnat, NatKind::Masquerade]);
    assert_eq!(told[1].nat_rules, [None, None]);
    for filter in ["addr:203.0.113.0/24", "port:61000", "nat:masquerade", "nat:dnat nat:masquerade"]
    {
        let query = ConnectionQuery {
            filter: Some(parse(filter, &Clock::default()).unwrap()),
            ..ConnectionQuery::default()
        };
        assert_eq!(store.connections(&query).await.unwrap(), told[1..], "{filter}");
    }
    // Each is asked as the log alone has it, however often.
    let mut seen = Vec::new();
    writer.add_snapshot(&snapshot("a", None)).await.unwrap();
    let mut ask = |untold: &UntoldConnection| {
        seen.push(untold.connection.clone());
        recorded(untold)
    };
    assert_eq!(writer.tell_connections(&[1, 2], 9, &mut ask).await.unwrap(), 2);
    assert_eq!(seen, own.iter().map(|row| row.connection.clone()).collect::<Vec<_>>());
    assert_eq!(connections(store).await, told);

    // The log is read again: what was learnt waits to be learnt again.
    writer.write(batch(masqueraded_outcomes())).await.unwrap();
    assert_eq!(connections(store).await, own);
    assert!(store.pending().await.unwrap().connections);
    assert_eq!(writer.tell_connections(&[1, 2], 9, recorded).await.unwrap(), 2);
    assert_eq!(connections(store).await, told);
    // conntrack's record is gone: nothing is left of it.
    writer.remove_snapshot(1).await.unwrap();
    assert_eq!(connections(store).await, own);
    assert_eq!(
        writer.tell_connections(&[2], 9, |_| ConnectionTelling::default()).await.unwrap(),
        2
    );
    assert_eq!(connections(store).await, own);
}

#[tokio::test]
async fn a_connections_verdict_follows_from_its_packets() {
    use VerdictKind::{Accepted, Dropped, Unknown};
    // What is told of the first packet, the later ones and the replies; and of the whole, by the connection's state.
    let cases = [
        ([Some(Dropped), None, None], TcpState::Established, Accepted),
        ([Some(Dropped), None, None], TcpState::SynSent, Dropped),
        ([Some(Unknown), Some(Dropped), Some(Dropped)], TcpState::Established, Dropped),
        ([Some(Unknown), Some(Unknown), Some(Unknown)], TcpState::Established, Unknown),
        ([None, Some(Dropped), None], TcpState::Established, Accepted),
        ([None, Some(Dropped), Some(Unknown)], TcpState::Established, Dropped),
    ];
    for (told, state, wanted) in cases {
        let temporary = Temporary::new().await;
        let mut writer = temporary.writer().await;
        let mut outcomes = vec![host()];
        outcomes.extend(Log::new(SourceId(1), 3).connection(4));
        if let Some(Outcome::Connection(connection)) = outcomes.last_mut() {
            connection.state = ConnectionState::Tcp(state);
        }
        writer.write(batch(outcomes)).await.unwrap();
        writer.add_snapshot(&snapshot("a", None)).await.unwrap();
        let judge = |way: &WayFacts, _: &str| {
            let is_first = way.hops.iter().any(|hop| hop.site.label().starts_with("nat:DOCKER"));
            match (is_first, way.direction) {
                (true, _) => told[0],
                (_, Some(Direction::Reply)) => told[2],
                _ => told[1],
            }
        };
        annotate(&temporary.store, &mut writer, &judge).await;
        let row = connections(&temporary.store).await.remove(0);
        assert_eq!(row.connection.verdict.kind, wanted, "{told:?} {state:?}");
    }
}

#[tokio::test]
async fn frames_of_fragments_do_not_decide() {
    for n_counted in [2, 3] {
        let temporary = Temporary::new().await;
        let mut writer = temporary.writer().await;
        let mut outcomes = vec![host()];
        outcomes.extend(Log::new(SourceId(1), 3).connection(3));
        let mut frame = outcomes
            .iter()
            .find_map(|outcome| match outcome {
                Outcome::Packet(packet) => Some((**packet).clone()),
                _ => None,
            })
            .unwrap();
        frame.key.offset += 1;
        frame.steps.retain(|step| step.hop.layer == Layer::Bridge);
        frame.verdict.kind = VerdictKind::Dropped;
        if let Some(Outcome::Connection(connection)) = outcomes.last_mut() {
            connection.packets_original = n_counted;
            connection.state = ConnectionState::Tcp(TcpState::SynSent);
        }
        outcomes.insert(2, Outcome::Packet(Box::new(frame)));
        writer.write(batch(outcomes)).await.unwrap();
        writer.add_snapshot(&snapshot("a", None)).await.unwrap();
        annotate(&temporary.store, &mut writer, &dropped_by("none")).await;
        let row = connections(&temporary.store).await.remove(0);
        let wanted = if n_counted == 2 { VerdictKind::Accepted } else { VerdictKind::Dropped };
        assert_eq!(row.connection.verdict.kind, wanted, "{n_counted} counted");
    }
}

#[tokio::test]
async fn views_show_what_is_told() {
    let (temporary, mut writer) = filled(3).await;
    writer.add_snapshot(&snapshot("a", None)).await.unwrap();
    annotate(&temporary.store, &mut writer, &dropped_by("a")).await;
    let mut sql = sql(temporary.store.path()).await;
    let rows: Vec<(String, String, String, String, String)> = sqlx::query_as(
        "select nat, verdict, evidence, verdict_at, rule from v_connections order by connection",
    )
    .fetch_all(&mut sql)
    .await
    .unwrap();
    let wanted =
        ["redirect", "dropped", "rule", "nat:POSTROUTING:policy:4", "-P POSTROUTING ACCEPT"];
    assert_eq!(rows.len(), 3);
    for (nat, verdict, evidence, at, rule) in rows {
        assert_eq!([&*nat, &*verdict, &*evidence, &*at, &*rule], wanted);
    }
    for row in packets(&temporary.store).await {
        let key = i64::try_from((u64::from(row.packet.key.source.0) << 42) + row.packet.key.offset);
        let (verdict, rule): (String, Option<String>) =
            sqlx::query_as("select verdict, rule from v_packets where packet = ?")
                .bind(key.unwrap())
                .fetch_one(&mut sql)
                .await
                .unwrap();
        assert_eq!(verdict, row.packet.verdict.kind.name());
        assert_eq!(rule.as_deref(), text(row.verdict_rule.as_ref()));
        let steps: Vec<(Option<String>, Option<String>)> =
            sqlx::query_as("select rule, misfit from v_steps where packet = ? order by step")
                .bind(key.unwrap())
                .fetch_all(&mut sql)
                .await
                .unwrap();
        let wanted = row.rules.iter().map(|rule| match rule {
            Some(rule) => {
                (rule.text.as_deref().map(String::from), rule.misfit.as_deref().map(String::from))
            }
            None => (None, None),
        });
        assert_eq!(steps, wanted.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn ways_and_their_packets() {
    let (temporary, writer) = filled(6).await;
    writer.close().await.unwrap();
    let store = &temporary.store;
    let all = packets(store).await;
    let ways = store.ways().await.unwrap();
    assert_eq!(ways.iter().map(|way| way.packets).sum::<u64>(), all.len() as u64);
    let mut n_seen = 0;
    for way in &ways {
        let own: Vec<&Packet> = all
            .iter()
            .map(|row| &row.packet)
            .filter(|packet| {
                packet.steps.iter().map(|step| &step.hop).eq(way.hops.iter())
                    && packet.direction == way.direction
                    && packet.confidence == Confidence::Exact
            })
            .collect();
        if own.len() as u64 != way.packets {
            continue;
        }
        n_seen += 1;
        let walls: Vec<WallTime> = own.iter().filter_map(|packet| packet.first.wall).collect();
        assert_eq!(way.first_wall, walls.iter().min().copied());
        assert_eq!(way.last_wall, walls.iter().max().copied());
        assert_eq!(way.verdict, own[0].verdict);
        assert_eq!((way.host.name.as_str(), way.boot), ("dhost", Boot(0)));
        assert_eq!(way.protocol, Some(Protocol::TCP.into()));
        for n in [0, 1, 2, 1000] {
            let samples = store.samples(way.id, u32::try_from(n).unwrap()).await.unwrap();
            let mut wanted: Vec<&Packet> = own.iter().take(n).copied().collect();
            let rest = own.get(wanted.len()..).unwrap_or_default();
            wanted.extend(rest.iter().skip(rest.len().saturating_sub(n)));
            assert_eq!(samples.iter().collect::<Vec<_>>(), wanted);
        }
        for from in &walls {
            for until in &walls {
                let within = walls.iter().filter(|wall| from <= *wall && *wall < until);
                let span = store.span(&[way.id], Some(*from), Some(*until)).await.unwrap();
                let wanted = within.clone().min().zip(within.max());
                assert_eq!(span.map(|span| (span.first, span.last)), wanted.map(|(a, b)| (*a, *b)));
            }
        }
    }
    assert!(n_seen >= 3);
    let ids: Vec<i64> = ways.iter().map(|way| way.id).collect();
    let span = store.span(&ids, None, None).await.unwrap().unwrap();
    assert_eq!(Some(span.first), all.first().and_then(|row| row.packet.first.wall));
    assert_eq!(Some(span.last), all.last().and_then(|row| row.packet.first.wall));
    assert_eq!(store.span(&[], None, None).await.unwrap(), None);
}
