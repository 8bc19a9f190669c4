//! `doctor`: its forms and its exit codes. What it finds is tested on facts, what it prints in the lab.

use super::bench::Bench;

#[test]
fn the_diagnosis_answers_first() {
    let bench = Bench::new();
    let ran = bench.run(&["doctor", "--output", "json"]);
    let value = ran.json();
    let code = i32::from(value["reaches"] != "yes");
    ran.code(code);
    let findings = value["findings"].as_array().unwrap();
    for check in ["back_end", "loggers", "namespace", "ring", "rate_limits", "reading"] {
        assert!(
            findings.iter().any(|finding| finding["check"] == check),
            "{check} is not in {value}"
        );
    }
    let page = bench.run(&["doctor"]);
    page.code(code).out_has("Will TRACE lines of ").out_has("rate limits");
    let lines = bench.run(&["doctor", "--output", "ndjson"]);
    assert_eq!(lines.stdout().lines().count(), findings.len());
    bench
        .run(&["doctor", "--output", "csv"])
        .code(code)
        .out_has("check,severity,found,why,mend,undo\n");
}

#[test]
fn nothing_is_wider_than_the_terminal_but_commands() {
    let bench = Bench::new();
    let output = bench.command(&["doctor"]).env("COLUMNS", "80").output().unwrap();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let is_command = line.starts_with(&" ".repeat(15)) && !line.starts_with(&" ".repeat(16));
        let is_labelled = ["mend", "undo"].iter().any(|label| line.trim_start().starts_with(label));
        assert!(is_command || is_labelled || line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn the_commands_are_a_script_whose_talk_is_comments() {
    let bench = Bench::new();
    let ran = bench.run(&["doctor", "--for", "tcp", "dport", "40000"]);
    for line in ran.stdout().lines().filter(|line| !line.is_empty()) {
        let is_command =
            ["iptables", "ip6tables", "ebtables"].iter().any(|tool| line.starts_with(tool));
        assert!(is_command || line.starts_with("# "), "{line}");
    }
    ran.out_has(" -t raw -I PREROUTING -p tcp --dport 40000 -j TRACE\n")
        .out_has(" -t raw -D OUTPUT -p tcp --sport 40000 -j TRACE\n");
    let by_filter = bench.run(&["doctor", "--for", "dport:40000 proto:tcp"]);
    assert_eq!(by_filter.stdout(), ran.stdout());
    let csv = bench.run(&["doctor", "--for", "tcp dport 40000", "--output", "csv"]);
    csv.out_has("when,command\n");
}

#[test]
fn what_is_no_flow_is_an_error_that_says_what_to_write() {
    let bench = Bench::new();
    bench
        .run(&["doctor", "--for", "frobnicate"])
        .code(2)
        .err_has("`frobnicate` is no protocol, address or port")
        .err_has("hint: write `tcp dport 40000`");
    bench.run(&["doctor", "--for", "src:10.0.0.300"]).code(2).err_has("is no address");
    bench.run(&["doctor", "--for"]).code(2);
}
