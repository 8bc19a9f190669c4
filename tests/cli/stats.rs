//! `stats` and `anomalies`.

use super::bench::{Bench, PROXY, REMOTE};

#[test]
fn statistics_as_page_json_and_csv() {
    let bench = Bench::with(&[REMOTE, PROXY]);
    bench.run(&["stats"]).code(0).out_has("connections 3: 3 accepted").out_has("packets");
    let stats = bench.run(&["stats", "--output", "json"]).json();
    assert_eq!(stats["connections"], 3);
    let lines = [REMOTE, PROXY].map(|log| std::fs::read_to_string(log).unwrap().lines().count());
    assert_eq!(stats["lines"]["total"], lines.iter().sum::<usize>());
    bench
        .run(&["stats", "--output", "csv"])
        .code(0)
        .out_has("connections,3\n")
        .out_has("lines.trace,");
}

#[test]
fn anomalies_quote_the_lines_concerned() {
    let bench = Bench::new();
    let line = "Nov 22 13:07:47 h kernel: [ 1.000001] TRACE: raw:PREROUTING:policy:3 garbage";
    let log = bench.file("odd.log", format!("{line}\n").repeat(5));
    bench.run(&["ingest", "--year", "2026", &log]).code(0);
    let ran = bench.run(&["anomalies"]);
    ran.code(0)
        .out_has("tracecol ")
        .out_has("odd.log:")
        .out_has("TRACE: raw:PREROUTING:policy:3")
        .out_has("and 2 more: --lines 5");
    let all = bench.run(&["anomalies", "--output", "ndjson"]).stdout();
    assert!(all.lines().count() >= 5);
    let first: serde_json::Value = serde_json::from_str(all.lines().next().unwrap()).unwrap();
    assert!(first["kind"].is_string() && first["offset"].is_u64(), "{first}");
}

#[test]
fn no_anomaly_is_one() {
    let bench = Bench::new();
    let log = bench.file("quiet.log", "2026-11-22T13:07:47.000001+00:00 h sshd[1]: hello\n");
    bench.run(&["ingest", &log]).code(0);
    let ran = bench.run(&["anomalies"]);
    ran.code(1).err_has("everything was understood");
    assert_eq!(ran.stdout(), "");
}

#[test]
fn questions_leave_no_files_beside_the_database() {
    let bench = Bench::with(&[REMOTE]);
    let id = bench.ids(&["connections"]).remove(0);
    for question in [
        &["connections"][..],
        &["packets"],
        &["show", &id],
        &["stats"],
        &["anomalies"],
        &["show", "c0123456789abc"],
    ] {
        bench.run(question);
        let beside: Vec<_> = std::fs::read_dir(bench.path("."))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("tracecol.db-"))
            .collect();
        assert!(beside.is_empty(), "{question:?} left {beside:?}");
    }
}
