//! `connections` and `packets`: tables, JSON, CSV, filters.

use super::bench::{Bench, DROPPED, PROXY, REMOTE};

#[test]
fn the_table_tells_who_asked_for_what_and_where_it_went() {
    let bench = Bench::with(&[REMOTE]);
    let ran = bench.run(&["connections"]);
    ran.code(0)
        .out_has("10.110.124.185:")
        .out_has("10.146.22.21:40000")
        .out_has("DNAT 172.17.0.5:6379")
        .out_has("accepted")
        .out_has("2026-");
    assert_eq!(ran.stderr(), "");
}

#[test]
fn narrow_tables_fold_and_say_so() {
    let bench = Bench::with(&[REMOTE, PROXY, DROPPED]);
    for columns in [80, 100, 132] {
        let output = bench.command(&["ls"]).env("COLUMNS", columns.to_string()).output().unwrap();
        let table = String::from_utf8(output.stdout).unwrap();
        for line in table.lines() {
            assert!(line.chars().count() <= columns, "{columns}: {line}");
        }
        assert!(table.contains("172.17.0.5:6379"), "{table}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("need a wider terminal"));
    }
}

#[test]
fn json_follows_the_contract() {
    let bench = Bench::with(&[REMOTE]);
    let connection = bench.run(&["ls", "--output", "ndjson"]).json();
    assert_eq!(connection["family"], "ipv4");
    assert_eq!(connection["protocol"], "tcp");
    assert_eq!(connection["original"]["dst"], "10.146.22.21");
    assert_eq!(connection["original"]["dport"], 40000);
    assert_eq!(connection["reply"]["src"], "172.17.0.5");
    assert_eq!(connection["nat"][0]["kind"], "dnat");
    assert_eq!(connection["nat"][0]["to"], "172.17.0.5:6379");
    assert_eq!(connection["nat"][0]["evidence"], "observed");
    assert_eq!(connection["verdict"]["kind"], "accepted");
    let list = bench.run(&["ls", "--output", "json"]).json();
    assert_eq!(list.as_array().unwrap()[0], connection);
}

#[test]
fn csv_is_flat() {
    let bench = Bench::with(&[REMOTE, PROXY]);
    let text = bench.run(&["ls", "--oldest", "--output", "csv"]).stdout();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let heads = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    let field = |row: &csv::StringRecord, name: &str| {
        row[heads.iter().position(|head| head == name).unwrap()].to_owned()
    };
    let remote = rows
        .iter()
        .find(|row| field(row, "dport") == "40000" && field(row, "src") == "10.110.124.185")
        .unwrap();
    assert_eq!(field(remote, "nat"), "dnat 10.146.22.21:40000>172.17.0.5:6379");
    assert_eq!(field(remote, "protocol"), "tcp");
}

#[test]
fn filters_select() {
    let bench = Bench::with(&[REMOTE, PROXY, DROPPED]);
    let count = |filter: &[&str]| bench.ids(&[&["ls"], filter].concat()).len();
    assert_eq!(count(&[]), 4);
    assert_eq!(count(&["nat:dnat"]), 1);
    assert_eq!(count(&["src:10.110.124.185"]), 1);
    assert_eq!(count(&["-src:10.110.124.185"]), 3, "a leading dash is no option");
    assert_eq!(count(&["dport:40000", "-nat:dnat"]), 1);
    assert_eq!(count(&["dport:40000 -nat:dnat"]), 1, "one word or two, it is the same");
    assert_eq!(count(&["link:proxy"]), 2);
    assert_eq!(count(&["--limit", "2"]), 2);
}

#[test]
fn nothing_found_is_one() {
    let bench = Bench::with(&[REMOTE]);
    let ran = bench.run(&["ls", "dport:1"]);
    ran.code(1).err_has("no connection matches");
    assert_eq!(ran.stdout(), "");
    assert_eq!(bench.run(&["ls", "dport:1", "--output", "json"]).code(1).stdout(), "[]\n");
    bench.run(&["packets", "dport:1"]).code(1).err_has("no packet matches");
}

#[test]
fn order_can_be_turned() {
    let bench = Bench::with(&[REMOTE, PROXY]);
    let newest = bench.ids(&["ls"]);
    let mut oldest = bench.ids(&["ls", "--oldest"]);
    oldest.reverse();
    assert_eq!(newest, oldest);
}

#[test]
fn a_filter_error_points_at_its_column() {
    let bench = Bench::with(&[REMOTE]);
    let ran = bench.run(&["ls", "dport:40000", "foo:bar"]);
    ran.code(2);
    let lines: Vec<String> = ran.stderr().lines().map(str::to_owned).collect();
    assert_eq!(lines[1], "  dport:40000 foo:bar");
    assert_eq!(lines[2], "              ^");
    assert_eq!(ran.stdout(), "");
}

#[test]
fn packets_show_those_without_a_connection_too() {
    let bench = Bench::with(&[REMOTE]);
    let ran = bench.run(&["packets", "--oldest"]);
    ran.code(0).out_has("→  SYN 60 B").out_has("ARP 172.17.0.5 is-at");
    let rows = bench.run(&["packets", "--output", "ndjson"]).stdout();
    let packets: Vec<serde_json::Value> =
        rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(packets.iter().any(|packet| packet["connection"].is_null()));
    assert!(packets.iter().all(|packet| !packet["steps"].as_array().unwrap().is_empty()));
    let csv = bench.run(&["packets", "--output", "csv"]).stdout();
    assert_eq!(csv.lines().count(), packets.len() + 1);
}

#[test]
fn several_hosts_are_told_apart() {
    let bench = Bench::new();
    bench.run(&["ingest", "--year", "2026", "--host", "gw1", REMOTE]).code(0);
    bench.run(&["ingest", "--year", "2026", "--host", "gw2", "--netns", "blue", PROXY]).code(0);
    bench.run(&["ls"]).code(0).out_has("host").out_has("gw1").out_has("gw2 blue");
    assert_eq!(bench.ids(&["ls", "host:gw1"]).len(), 1);
}

#[test]
fn times_are_shown_on_the_clock_that_was_asked_for() {
    let bench = Bench::with(&[REMOTE]);
    bench.run(&["ls"]).out_has("time (UTC)").out_has("2026-11-22 16:17:25.128046");
    bench.run(&["ls", "--uptime"]).out_has("uptime").out_has("3479.537842");
    let output = bench.command(&["ls", "--local"]).env("TZ", "Asia/Tokyo").output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table.contains("time (local)") && table.contains("2026-11-23 01:17:25.128046"),
        "{table}"
    );
    bench.run(&["ls", "--local", "--uptime"]).code(2);
}
