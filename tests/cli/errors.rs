//! What goes wrong, and how it is said.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::bench::{Bench, REMOTE};

#[test]
fn a_missing_database_says_what_to_do() {
    let bench = Bench::new();
    for command in ["connections", "packets", "stats", "anomalies"] {
        let ran = bench.run(&[command]);
        ran.code(2)
            .err_has("there is no database at")
            .err_has("hint: read a log first: tracecol ingest");
        assert_eq!(ran.stdout(), "");
    }
    assert!(!bench.database().exists(), "asking makes nothing");
}

#[test]
fn a_foreign_file_is_not_touched() {
    let bench = Bench::new();
    std::fs::write(bench.database(), "no database at all, but somebody's notes").unwrap();
    bench
        .run(&["ingest", REMOTE])
        .code(2)
        .err_has("is not a tracecol database")
        .err_has("was not touched");
    assert_eq!(
        std::fs::read_to_string(bench.database()).unwrap(),
        "no database at all, but somebody's notes"
    );
}

#[test]
fn misuse_is_two_and_help_is_zero() {
    let bench = Bench::new();
    bench.run(&["frobnicate"]).code(2);
    bench.run(&["ingest"]).code(2);
    bench.run(&["--help"]).code(0).out_has("tracecol demo");
    bench.run(&["ls", "--help"]).code(0).out_has("dport:");
    bench.run(&["--version"]).code(0).out_has(env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_closed_pipe_is_quiet() {
    let bench = Bench::with(&[REMOTE]);
    // Nobody reads: the first write fails.
    let id = bench.ids(&["ls"]).remove(0);
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("tracecol"))
        .args(["--db", bench.database().to_str().unwrap(), "show", &id, "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Chain, device and prefix as a hostile namespace could name them.
const HOSTILE: &[u8] = b"Nov 22 13:07:47 h kernel: [    1.000001] TRACE: filter:e\x1b[31mV\xe2\x80\xaeL:rule:1 IN=e\x1b]0;x\x07 OUT= MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00 SRC=10.0.0.1 DST=10.0.0.2 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1 DF PROTO=TCP SPT=1 DPT=2 SEQ=1 ACK=0 WINDOW=1 RES=0x00 SYN URGP=0 \n";

#[test]
fn hostile_names_reach_no_terminal() {
    let bench = Bench::new();
    let log = bench.file("kern\x1b[2J.log", HOSTILE);
    let mut shown = bench.run(&["ingest", "--year", "2026", &log]).stderr();
    let ids = bench.ids(&["ls"]);
    assert_eq!(ids.len(), 1);
    for arguments in [
        vec!["ls"],
        vec!["packets"],
        vec!["show", &ids[0]],
        vec!["show", &ids[0], "--as", "lines"],
        vec!["show", &ids[0], "--output", "json"],
        vec!["show", &ids[0], "--output", "csv"],
        vec!["ls", "--output", "ndjson"],
        vec!["ls", "--output", "csv"],
        vec!["packets", "--output", "csv"],
        vec!["anomalies"],
        vec!["stats"],
        vec!["ls", "e\x1b[31m:x"],
    ] {
        let ran = bench.run(&arguments);
        shown = shown + &ran.stdout() + &ran.stderr();
    }
    assert!(shown.contains("e\\x1b[31mV\\u{202e}L"), "{shown}");
    assert!(shown.chars().all(|character| character == '\n' || !character.is_control()), "{shown}");
    assert!(!shown.contains('\u{202e}'));
}

#[test]
fn an_interrupted_run_keeps_what_it_has_read() {
    let bench = Bench::new();
    let log = std::fs::read(REMOTE).unwrap();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("tracecol"))
        .args(["--db", bench.database().to_str().unwrap(), "ingest", "--output", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The pipe stays open: the program waits for more when the signal comes.
    let mut input = child.stdin.take().unwrap();
    input.write_all(&log).unwrap();
    wait_for_lines(&bench);
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    drop(input);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(errors.contains("interrupted: what was read until then is stored"), "{errors}");
    let stats: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(stats["connections"], 1);
    assert_eq!(bench.ids(&["ls"]).len(), 1);
}

/// Waits until the database has lines: an idle pipe is committed at once.
fn wait_for_lines(bench: &Bench) {
    for _ in 0..200 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let output = bench.command(&["stats", "--output", "json"]).output().unwrap();
        let stats: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if stats["lines"]["total"].as_u64().is_some_and(|total| total > 0) {
            return;
        }
    }
    panic!("nothing was committed");
}
