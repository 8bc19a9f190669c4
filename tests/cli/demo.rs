//! `demo`: the first thing anybody runs.

use super::bench::Bench;

#[test]
fn the_demo_shows_connections_and_lanes_and_what_to_do_next() {
    let bench = Bench::new();
    let ran = bench.run(&["demo"]);
    ran.code(0)
        .out_has("DNAT 172.17.0.5:6379")
        .out_has("→ SYN 60 B")
        .out_has("packet 1 in words")
        .err_has("next: export TRACECOL_DB=")
        .err_has("tracecol ingest /var/log/kern.log*");
    assert!(!bench.database().exists(), "the user's own database is left alone");
}

#[test]
fn the_demo_can_be_kept() {
    let bench = Bench::new();
    let kept = bench.path("kept.db");
    bench.command(&["demo", "--db", kept.to_str().unwrap()]).assert().code(0);
    bench.command(&["ls", "--db", kept.to_str().unwrap(), "verdict:accepted"]).assert().code(0);
    let again = bench
        .command(&["demo", "--db", kept.to_str().unwrap(), "--output", "ndjson"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(again.stdout).unwrap().lines().count(),
        5,
        "nothing is added twice"
    );
}

#[test]
fn every_case_is_in_it() {
    let bench = Bench::new();
    let ran = bench.run(&["demo", "--output", "ndjson"]);
    let values: Vec<serde_json::Value> =
        ran.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let has = |test: &dyn Fn(&serde_json::Value) -> bool| values.iter().any(test);
    assert!(has(&|value| value["nat"][0]["kind"] == "dnat"), "from another host");
    assert!(has(&|value| value["links"][0]["kind"] == "proxy"), "through docker-proxy");
    assert!(has(&|value| value["original"]["src"] == "172.17.0.4"), "from a container");
}
