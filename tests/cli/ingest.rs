//! `ingest`: what is read, what is said, and what is not read twice.

use super::bench::{Bench, DROPPED, PROXY, REMOTE};

#[test]
fn the_summary_is_talk_and_standard_output_stays_empty() {
    let bench = Bench::new();
    let ran = bench.run(&["ingest", "--year", "2026", REMOTE]);
    ran.code(0);
    assert_eq!(ran.stdout(), "");
    let lines = std::fs::read_to_string(REMOTE).unwrap().lines().count();
    ran.err_has(&format!("lines       {lines}: "));
    ran.err_has("connections 1: 1 accepted");
    ran.err_has("tracecol.db (");
    ran.err_has("next: tracecol connections");
}

#[test]
fn quiet_says_nothing() {
    let bench = Bench::new();
    let ran = bench.run(&["-q", "ingest", REMOTE]);
    ran.code(0);
    assert_eq!(ran.stdout() + &ran.stderr(), "");
}

#[test]
fn json_gives_the_statistics_of_the_run() {
    let bench = Bench::with(&[PROXY]);
    let ran = bench.run(&["ingest", "--output", "json", REMOTE]);
    ran.code(0);
    let stats = ran.json();
    let lines = std::fs::read_to_string(REMOTE).unwrap().lines().count();
    assert_eq!(stats["lines"]["total"], lines);
    assert_eq!(stats["connections"], 1);
    assert_eq!(stats["verdicts"]["accepted"], 1);
    assert!(stats["database_bytes"].as_u64().unwrap() > 0);
    let placed = stats["placed"].as_u64().unwrap() + stats["unplaced"].as_u64().unwrap();
    let parts: u64 = ["trace", "log", "ebtables", "nft"]
        .iter()
        .map(|kind| stats["lines"][kind].as_u64().unwrap())
        .sum();
    assert_eq!(placed, parts);
}

#[test]
fn the_same_log_again_adds_nothing() {
    let bench = Bench::with(&[REMOTE]);
    let before = bench.run(&["stats", "--output", "json"]).json();
    let ran = bench.run(&["ingest", REMOTE]);
    ran.code(0).err_has("is already ingested, nothing to do");
    let copy = bench.file("copy.log", std::fs::read(REMOTE).unwrap());
    bench.run(&["ingest", &copy]).code(0).err_has("is already ingested");
    let after = bench.run(&["stats", "--output", "json"]).json();
    assert_eq!(before["lines"], after["lines"]);
    assert_eq!(before["packets"], after["packets"]);
}

#[test]
fn named_twice_in_one_run_it_is_read_once() {
    let bench = Bench::new();
    let ran = bench.run(&["ingest", "--output", "json", REMOTE, REMOTE]);
    let lines = std::fs::read_to_string(REMOTE).unwrap().lines().count();
    assert_eq!(ran.json()["lines"]["total"], lines);
    ran.err_has("is already ingested");
}

#[test]
fn a_log_that_has_grown_is_read_from_where_it_ended() {
    let bench = Bench::new();
    let whole = std::fs::read(REMOTE).unwrap();
    let cut = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(20).unwrap().0 + 1;
    let log = bench.file("kern.log", &whole[..cut]);
    let first = bench.run(&["ingest", "--output", "json", &log]).json();
    assert_eq!(first["lines"]["total"], 21);
    bench.file("kern.log", &whole);
    let second = bench.run(&["ingest", "--output", "json", &log]).json();
    let lines = String::from_utf8(whole).unwrap().lines().count();
    assert_eq!(second["lines"]["total"], lines - 21);
}

#[test]
fn a_log_that_goes_on_differently_is_refused() {
    let bench = Bench::new();
    let whole = std::fs::read(REMOTE).unwrap();
    let log = bench.file("kern.log", &whole);
    bench.run(&["ingest", &log]).code(0);
    let mut other = whole.clone();
    let last = other.len() - 10;
    other[last..].copy_from_slice(b"xxxxxxxxx\n");
    other.extend_from_slice(b"more\n");
    bench.file("kern.log", other);
    let ran = bench.run(&["ingest", "--output", "json", &log]);
    ran.code(2).err_has("goes on differently");
    assert_eq!(ran.json()["lines"]["total"], 0);
}

#[test]
fn standard_input_is_a_source() {
    let bench = Bench::new();
    let output = bench
        .command(&["ingest", "--output", "json", "-"])
        .write_stdin(std::fs::read(REMOTE).unwrap())
        .output()
        .unwrap();
    let stats: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(stats["connections"], 1);
    let again = bench
        .command(&["ingest", "-"])
        .write_stdin(std::fs::read(REMOTE).unwrap())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("`-` is already ingested"));
}

#[test]
fn a_missing_file_is_reported_and_the_others_are_read() {
    let bench = Bench::new();
    let ran = bench.run(&["ingest", "--output", "json", "no-such.log", REMOTE]);
    ran.code(2);
    ran.err_has("error: cannot open `no-such.log`: No such file or directory");
    ran.err_has("hint: check the spelling");
    assert_eq!(ran.json()["connections"], 1);
}

#[test]
fn a_directory_is_refused() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("logs")).unwrap();
    let ran = bench.run(&["ingest", "logs"]);
    ran.code(2)
        .err_has("error: `logs` is a directory")
        .err_has("hint: name the files in it: logs/kern.log*");
}

#[test]
fn an_empty_file_is_no_error() {
    let bench = Bench::new();
    let empty = bench.file("kern.log", "");
    bench.run(&["ingest", &empty]).code(0).err_has("is empty");
    bench.file("kern.log", std::fs::read(REMOTE).unwrap());
    let stats = bench.run(&["ingest", "--output", "json", &empty]).json();
    assert_eq!(stats["connections"], 1, "it is read once it has something");
}

#[test]
fn strict_minds_what_was_not_understood() {
    let bench = Bench::new();
    bench.run(&["ingest", "--strict", REMOTE]).code(0);
    let odd = bench.file(
        "odd.log",
        "Nov 22 13:07:47 h kernel: [ 1.000001] TRACE: raw:PREROUTING:policy:3 garbage\n",
    );
    bench.run(&["ingest", "--strict", &odd]).code(1);
    let other = Bench::new();
    other.run(&["ingest", &odd]).code(0);
}

#[test]
fn lines_outside_the_time_range_are_left_out() {
    let bench = Bench::new();
    let ran = bench.run(&[
        "ingest",
        "--year",
        "2026",
        "--until",
        "2026-01-01",
        "--output",
        "json",
        REMOTE,
    ]);
    assert_eq!(ran.json()["connections"], 0);
    let bench = Bench::new();
    let ran = bench.run(&[
        "ingest",
        "--year",
        "2026",
        "--since",
        "2026-01-01",
        "--output",
        "json",
        REMOTE,
    ]);
    assert_eq!(ran.json()["connections"], 1);
    bench.run(&["ingest", "--since", "yesterday", REMOTE]).code(2).err_has("no point in time");
    bench
        .run(&["ingest", "--timezone", "Mars/Olympus", REMOTE])
        .code(2)
        .err_has("no such time zone");
}

#[test]
fn host_and_namespace_can_be_given() {
    let bench = Bench::new();
    bench.run(&["ingest", "--host", "gw1", "--netns", "blue", REMOTE]).code(0);
    let connection = bench.run(&["ls", "--output", "ndjson"]).json();
    assert_eq!(connection["host"], "gw1");
    assert_eq!(connection["netns"], "blue");
}

#[test]
fn rotated_siblings_are_read_oldest_first() {
    let bench = Bench::new();
    let whole = std::fs::read(REMOTE).unwrap();
    let cut = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(20).unwrap().0 + 1;
    bench.file("kern.log.1", &whole[..cut]);
    bench.file("kern.log", &whole[cut..]);
    let ran = bench.run(&["ingest", "--output", "json", "kern.log", "kern.log.1"]);
    assert_eq!(ran.json()["connections"], 1, "the connection is whole across both files");
    assert_eq!(bench.run(&["ls", "--output", "ndjson"]).json()["completeness"], "whole");
}

#[test]
fn several_logs_make_one_database() {
    let bench = Bench::with(&[REMOTE, PROXY, DROPPED]);
    let stats = bench.run(&["stats", "--output", "json"]).json();
    assert_eq!(stats["connections"], 4);
}

#[test]
fn a_log_without_netfilter_lines_gets_a_hint() {
    let bench = Bench::new();
    let log = bench.file("messages", "Nov 22 13:07:47 h sshd[1]: hello\n");
    bench.run(&["ingest", &log]).code(0).err_has("no netfilter lines");
}

#[test]
fn the_folder_of_the_database_is_made() {
    let bench = Bench::new();
    let database = bench.path("deep/down/tracecol.db");
    bench.command(&["ingest", REMOTE]).env("TRACECOL_DB", &database).assert().code(0);
    assert!(database.exists());
    let state = bench.path("state");
    bench
        .command(&["ingest", REMOTE])
        .env_remove("TRACECOL_DB")
        .env("STATE_DIRECTORY", &state)
        .assert()
        .code(0);
    assert!(state.join("tracecol.db").exists());
}

#[test]
fn a_line_that_is_too_long_is_an_anomaly() {
    let bench = Bench::new();
    let mut log = vec![b'x'; 100_000];
    log.push(b'\n');
    log.extend(std::fs::read(REMOTE).unwrap());
    let log = bench.file("kern.log", log);
    let stats = bench.run(&["ingest", "--output", "json", &log]).json();
    assert_eq!(stats["anomalies"]["line_too_long"], 1);
    assert_eq!(stats["connections"], 1);
}
