//! `rules`, `why`, `diff`, `show --as story`, and the options of `ingest` that feed them.

use super::bench::{Bench, DROPPED, REMOTE};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs");

fn sample(folder: &str, name: &str) -> String {
    format!("{SAMPLES}/{folder}/{name}")
}

fn told(folder: &str) -> Bench {
    let bench = Bench::new();
    let log = sample(folder, "kern.log");
    bench.run(&["ingest", &log, "--context", &sample(folder, "")]).code(0);
    bench
}

#[test]
fn why_answers_first_and_by_the_rule() {
    let bench = told("case3-icc-off-dropped");
    let ran = bench.run(&["why", "172.17.0.2:6379"]);
    let first = ran.code(0).stdout().lines().next().unwrap().to_owned();
    assert!(
        first.starts_with("Dropped at filter:FORWARD rule 1, `-A FORWARD -i docker0"),
        "{first}"
    );
    ran.out_has("inter-container communication").out_has("iptables -I FORWARD 1");
    bench.run(&["why", "172.17.0.2:80"]).code(1).err_has("nothing in this database matches");
    bench.run(&["why"]).code(2);
    let json = bench.run(&["why", "verdict:dropped", "-o", "json"]).json();
    assert_eq!(json["verdict"], "dropped");
    assert!(json["chapters"][0]["steps"].as_array().unwrap().len() > 4, "{json}");
}

#[test]
fn connections_and_steps_carry_the_rules_text() {
    let bench = told("case1-remote");
    let id = bench.ids(&["connections"]).remove(0);
    let json = bench.run(&["show", &id, "-o", "json"]).json();
    assert_eq!(json["verdict"]["rule"], "-P FORWARD ACCEPT");
    assert_eq!(json["nat"][0]["evidence"], "observed");
    assert!(json["nat"][0]["rule"].as_str().unwrap().starts_with("-A DOCKER -d 10.146.22.21/32"));
    let steps = json["packet_list"][0]["steps"].as_array().unwrap();
    let at = |name: &str| steps.iter().find(|step| step["at"] == name).unwrap();
    assert_eq!(
        at("nat:PREROUTING:rule:1")["rule"],
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"
    );
    let route = at("route");
    assert_eq!(route["inferred"], true);
    assert_eq!(route["lines"].as_array().unwrap().len(), 0);
    assert!(route["text"].as_str().unwrap().contains("172.17.0.0/16 dev docker0"), "{route}");
    let lines: usize = steps.iter().map(|step| step["lines"].as_array().unwrap().len()).sum();
    assert!(lines >= 8, "inferred steps have no lines, the others do");
}

#[test]
fn rules_added_later_tell_stored_packets_anew_and_can_be_taken_back() {
    let bench = Bench::with(&[DROPPED]);
    let verdict = |bench: &Bench| {
        let json = bench.run(&["connections", "-o", "ndjson"]).json();
        (json["verdict"]["evidence"].clone(), json["verdict"]["rule"].clone())
    };
    let before = verdict(&bench);
    assert_eq!(before, ("absence".into(), serde_json::Value::Null));
    let rules = sample("case3-icc-off-dropped", "iptables.rules");
    bench.run(&["rules", "add", &rules]).code(0).err_has("1 rule set");
    let after = verdict(&bench);
    assert_eq!(after, ("rule".into(), "-A FORWARD -i docker0 -o docker0 -j DROP".into()));
    bench.run(&["rules", "add", &rules]).code(0).err_has("in the database already");
    bench.run(&["rules", "snapshots"]).code(0).out_has("s1").out_has("as it says itself");
    bench.run(&["rules", "remove", "s1"]).code(0);
    assert_eq!(verdict(&bench), before);
    bench.run(&["rules", "remove", "s7"]).code(0).err_has("no snapshot s7");
    bench.run(&["rules", "remove", "x"]).code(2);
}

#[test]
fn a_rule_set_of_another_host_is_said_and_not_used() {
    let bench = Bench::new();
    let rules = sample("case3-icc-off-linked", "iptables.rules");
    let ran = bench.run(&["ingest", DROPPED, "--rules", &rules]);
    ran.code(0).err_has("is not used");
    let json = bench.run(&["connections", "-o", "ndjson"]).json();
    assert_eq!(json["verdict"]["rule"], serde_json::Value::Null);
    assert_eq!(json["verdict"]["kind"], "dropped");
}

#[test]
fn rules_are_listed_with_four_distinct_words() {
    let bench = told("case1-remote");
    bench
        .run(&["rules"])
        .code(0)
        .out_has("never hit")
        .out_has("never reached")
        .out_has("starts the trace, its own hit is not logged")
        .out_has("-A FORWARD -i docker0 ! -o docker0 -j ACCEPT");
    let json = bench.run(&["rules", "-o", "json"]).json();
    let rules = json["rules"].as_array().unwrap();
    let of = |text: &str| {
        let is_it = |rule: &&serde_json::Value| {
            rule["text"] == text && rule["family"] == "ip" && rule["table"] == "filter"
        };
        rules.iter().find(is_it).unwrap()
    };
    let hit = of("-A FORWARD -i docker0 ! -o docker0 -j ACCEPT");
    assert_eq!(
        (&hit["status"], &hit["hits"], &hit["packets"]),
        (&"hit".into(), &4.into(), &4.into())
    );
    assert_eq!(of("-A FORWARD -i docker0 -o docker0 -j ACCEPT")["status"], "never_hit");
    assert_eq!(of("-P INPUT ACCEPT")["status"], "chain_never_reached");
    let unhit = bench.run(&["rules", "--unhit", "-o", "json"]).json();
    let is_unhit = |rule: &serde_json::Value| rule["hits"] == 0;
    assert!(unhit["rules"].as_array().unwrap().iter().all(is_unhit), "{unhit}");
}

#[test]
fn two_ways_and_two_rule_sets_are_held_against_each_other() {
    let bench = Bench::new();
    for folder in ["case3-icc-off-dropped", "case3-icc-off-linked"] {
        let log = sample(folder, "kern.log");
        bench.run(&["ingest", &log]).code(0);
    }
    let ids = bench.ids(&["connections", "--oldest"]);
    bench.run(&["diff", &ids[0], &ids[1]]).code(1).out_has("filter:FORWARD");
    bench.run(&["diff", &ids[0], &ids[0]]).code(0);
    let old = sample("case3-icc-off-dropped", "iptables.rules");
    let new = sample("case3-icc-off-linked", "iptables.rules");
    bench.run(&["diff", &old, &new]).code(1).out_has("-i docker0 -o docker0 -j DROP");
    bench.run(&["diff", &old, &old]).code(0);
    bench.run(&["diff", &ids[0], &old]).code(2);
    bench.run(&["diff", &ids[0], "nothing"]).code(2);
}

#[test]
fn what_is_no_rule_set_is_refused_before_anything_is_written() {
    let bench = Bench::new();
    let text = bench.file("notes.txt", "nothing of the kind\n");
    bench.run(&["ingest", REMOTE, "--rules", &text]).code(2).err_has("holds no rule set");
    bench.run(&["ingest", REMOTE, "--rules", "missing"]).code(2);
    bench.run(&["ingest", REMOTE, "--context", &text]).code(2);
    assert!(!bench.database().exists());
}
