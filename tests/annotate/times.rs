//! Which rules hold when, and when they cannot have held.

use super::bench::{Bench, at, datagram, filter};

const ACCEPT: &str = "-p udp -m udp --dport 53 -j ACCEPT";
const DROP: &str = "-p udp -m udp --dport 53 -j DROP";

#[tokio::test]
async fn every_packet_is_told_by_the_rules_of_its_time() {
    let mut bench = Bench::new().await;
    bench.log(&[datagram("gw", 100, "rule:1"), datagram("gw", 300, "rule:1")].concat()).await;
    bench.rules(&filter("ACCEPT", &[ACCEPT]), Some(at(50))).await;
    bench.rules(&filter("ACCEPT", &[DROP]), Some(at(200))).await;
    let report = bench.annotate().await;
    assert_eq!((report.revisions, report.misfits.len()), (2, 0), "{report:?}");
    assert_eq!(
        bench.verdicts().await,
        [format!("accepted · -A INPUT {ACCEPT}"), format!("dropped · -A INPUT {DROP}")]
    );
    assert_eq!(
        bench.last_steps().await,
        [format!("-A INPUT {ACCEPT}"), format!("-A INPUT {DROP}")]
    );
}

#[tokio::test]
async fn new_packets_on_an_old_way_are_told_by_their_own_time() {
    let mut bench = Bench::new().await;
    bench.log(&datagram("gw", 100, "rule:1")).await;
    bench.rules(&filter("ACCEPT", &[ACCEPT]), Some(at(50))).await;
    bench.rules(&filter("ACCEPT", &[DROP]), Some(at(200))).await;
    bench.annotate().await;
    bench.log(&datagram("gw", 300, "rule:1")).await;
    bench.annotate().await;
    assert_eq!(
        bench.verdicts().await,
        [format!("accepted · -A INPUT {ACCEPT}"), format!("dropped · -A INPUT {DROP}")]
    );
}

#[tokio::test]
async fn running_again_changes_nothing_and_removing_takes_back() {
    let mut bench = Bench::new().await;
    bench.log(&[datagram("gw", 100, "rule:1"), datagram("gw", 300, "policy:2")].concat()).await;
    let untold = bench.verdicts().await;
    let id = bench.rules(&filter("DROP", &[ACCEPT]), Some(at(50))).await;
    let first = bench.annotate().await;
    assert_eq!((first.ways, first.connections), (2, 2));
    let told = bench.verdicts().await;
    assert_eq!(told, [&format!("accepted · -A INPUT {ACCEPT}"), "dropped · -P INPUT DROP"]);
    let again = bench.annotate().await;
    assert_eq!((again.ways, again.connections), (0, 0));
    assert_eq!(bench.verdicts().await, told);

    let mut writer = bench.store.writer().await.unwrap();
    assert!(writer.remove_snapshot(id).await.unwrap());
    writer.close().await.unwrap();
    bench.annotate().await;
    assert_eq!(bench.verdicts().await, untold);
    assert_eq!(bench.last_steps().await, ["-", "-"]);
}

/// The chain had one rule at noon; before and after it had two.
#[tokio::test]
async fn a_chain_is_trusted_between_what_contradicts_it() {
    let mut bench = Bench::new().await;
    let noon = 12 * 3600;
    let log: String = [
        datagram("gw", noon - 300, "policy:3"),
        datagram("gw", noon - 200, "policy:2"),
        datagram("gw", noon + 200, "policy:2"),
        datagram("gw", noon + 300, "policy:3"),
        datagram("gw", noon + 400, "policy:2"),
    ]
    .concat();
    bench.log(&log).await;
    bench.rules(&filter("DROP", &["-p tcp -j ACCEPT"]), Some(at(noon))).await;
    let report = bench.annotate().await;
    let why = "? the chain had 2 rules, the snapshot has 1";
    assert_eq!(
        bench.last_steps().await,
        [why, "-P INPUT DROP", "-P INPUT DROP", why, why],
        "after the first contradiction since it was taken, nothing is sure any more"
    );
    assert_eq!(
        bench.verdicts().await,
        [
            "unknown · -",
            "dropped · -P INPUT DROP",
            "dropped · -P INPUT DROP",
            "unknown · -",
            "unknown · -"
        ]
    );
    let times: Vec<_> = report.misfits.iter().map(|misfit| (misfit.since, misfit.until)).collect();
    let micros = |seconds: i64, us: i64| Some(tracecol::model::WallTime(at(seconds).0 + us));
    assert_eq!(times, [(None, micros(noon - 300, 11)), (micros(noon + 300, 10), None)]);
    assert_eq!(&*report.misfits[0].sentence, "the chain had 2 rules, the snapshot has 1");
    assert_eq!((&*report.misfits[0].table, &*report.misfits[0].chain), ("filter", "INPUT"));
}

#[tokio::test]
async fn rules_of_which_nobody_knows_the_time_are_trusted_always_or_never() {
    let mut bench = Bench::new().await;
    bench.log(&[datagram("gw", 100, "policy:2"), datagram("gw", 300, "policy:3")].concat()).await;
    bench.rules(&filter("DROP", &["-p tcp -j ACCEPT"]), None).await;
    let report = bench.annotate().await;
    assert_eq!(report.misfits.len(), 1);
    assert_eq!((report.misfits[0].since, report.misfits[0].until), (None, None));
    let why = "? the chain had 2 rules, the snapshot has 1";
    assert_eq!(bench.last_steps().await, [why, why]);
}

/// Packets without a time of day are told by what held at the beginning, and speak of no other time.
#[tokio::test]
async fn packets_without_a_time() {
    let mut bench = Bench::new().await;
    let untimed = |place: &str| {
        datagram("gw", 100, place)
            .replace("2026-11-22T00:01:40.000010+00:00 gw kernel: ", "[  100.000010] ")
            .replace("2026-11-22T00:01:40.000020+00:00 gw kernel: ", "[  100.000020] ")
    };
    bench.log(&untimed("rule:1")).await;
    bench.rules(&filter("ACCEPT", &[ACCEPT]), Some(at(50))).await;
    bench.rules(&filter("ACCEPT", &[DROP]), Some(at(200))).await;
    bench.annotate().await;
    assert_eq!(bench.verdicts().await, [format!("accepted · -A INPUT {ACCEPT}")]);
}

/// Contexts and rules that do not touch each other's packets leave them alone.
#[tokio::test]
async fn a_second_table_in_a_second_file() {
    let mut bench = Bench::new().await;
    bench.log(&datagram("gw", 100, "rule:1")).await;
    bench.rules(&filter("ACCEPT", &[DROP]), Some(at(50))).await;
    bench
        .rules(
            "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -p udp -j TRACE\nCOMMIT\n",
            Some(at(60)),
        )
        .await;
    let report = bench.annotate().await;
    assert_eq!(report.misfits, []);
    assert_eq!(bench.verdicts().await, [format!("dropped · -A INPUT {DROP}")]);
}
