//! Whose rules they are.

use tracecol::store::SnapshotKind;

use super::bench::{Bench, at, datagram, filter};

const ACCEPT: &str = "-p udp -m udp --dport 53 -j ACCEPT";
const DROP: &str = "-p udp -m udp --dport 53 -j DROP";

#[tokio::test]
async fn a_hosts_own_rules_stand_before_those_of_any() {
    let mut bench = Bench::new().await;
    bench.log(&[datagram("gw1", 100, "rule:1"), datagram("gw2", 200, "rule:1")].concat()).await;
    bench.rules(&filter("ACCEPT", &[ACCEPT]), Some(at(50))).await;
    let (kind, own) = (SnapshotKind::Rules, filter("ACCEPT", &[DROP]));
    bench.snapshot(kind, "gw2.rules", &own, Some(at(50)), Some("gw2")).await;
    let report = bench.annotate().await;
    assert_eq!(report.misfits, []);
    assert_eq!(
        bench.verdicts().await,
        [format!("accepted · -A INPUT {ACCEPT}"), format!("dropped · -A INPUT {DROP}")]
    );
}

#[tokio::test]
async fn what_contradicts_one_hosts_rules_says_nothing_of_anothers() {
    let mut bench = Bench::new().await;
    bench.log(&[datagram("gw1", 100, "policy:2"), datagram("gw2", 200, "policy:3")].concat()).await;
    bench.rules(&filter("DROP", &["-p tcp -j ACCEPT"]), Some(at(50))).await;
    let report = bench.annotate().await;
    let hosts: Vec<&str> = report.misfits.iter().map(|misfit| &*misfit.host).collect();
    assert_eq!(hosts, ["gw2"]);
    assert_eq!(
        bench.last_steps().await,
        ["-P INPUT DROP", "? the chain had 2 rules, the snapshot has 1"]
    );
}
