//! Two ways side by side, and two rule sets.

use std::fs;
use std::path::Path;

use expect_test::{ExpectFile, expect_file};
use tracecol::explain::{Subject, TracedWay, diff, diff_rules};
use tracecol::model::Hop;
use tracecol::render;
use tracecol::rulebook::{Book, Moment, Revision};

use super::case::Case;
use super::lines::{Log, Walker};
use super::samples::{bare, whole};

fn check(left: &Subject<'_>, right: &Subject<'_>, expected: &ExpectFile) {
    let diff = diff(left, right);
    let narrow = render::diff(&diff, 80);
    let wide = render::diff(&diff, 200);
    for (text, width) in [(&narrow, 80), (&wide, 200)] {
        for line in &text.lines {
            assert!(line.width() <= width, "wider than {width}: {:?}", line.spans);
        }
    }
    let rule = "═".repeat(80);
    expected.assert_eq(&format!("{}\n{rule}\n\n{}", narrow.plain(), wide.plain()));
}

#[test]
fn a_link_parts_two_containers() {
    let (linked, dropped) = (whole("case3-icc-off-linked"), whole("case3-icc-off-dropped"));
    check(&linked.subject(0), &dropped.subject(0), &expect_file!["told/diff-linked.txt"]);
}

#[test]
fn two_ways_part_without_rules_too() {
    let (linked, dropped) = (bare("case3-icc-off-linked"), bare("case3-icc-off-dropped"));
    let (linked, dropped) = (linked.told(), dropped.told());
    check(&linked.subject(0), &dropped.subject(0), &expect_file!["told/diff-bare.txt"]);
}

#[test]
fn a_connection_against_itself() {
    let case = whole("case3-container-to-container");
    check(&case.subject(0), &case.subject(0), &expect_file!["told/diff-same.txt"]);
}

#[test]
fn routed_against_local() {
    let (remote, local) = (whole("case1-remote"), whole("case2-localhost-proxy"));
    check(&remote.subject(0), &local.subject(0), &expect_file!["told/diff-remote-local.txt"]);
}

const OFFICE: &str = "\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -p icmp -j ACCEPT
-A FORWARD -s 10.1.0.0/16 -o eth1 -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
";

fn office() -> Case {
    let way = "IN=eth0 OUT=eth1 MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00";
    let good = Walker { ttl: 63, ..Walker::default() };
    let bad = Walker { src: "10.3.3.3", sport: 41_000, id: 500, ..good };
    let mut log = Log::default();
    log.trace("filter:FORWARD:rule:3", way, good).trace("filter:FORWARD:policy:4", way, bad);
    Case::of(&log.text).rules(OFFICE, "iptables.rules", None).told()
}

#[test]
fn a_rule_parts_two_senders() {
    let case = office();
    check(&case.subject(0), &case.subject(1), &expect_file!["told/diff-rule-policy.txt"]);
    check(&case.packet(0), &case.packet(1), &expect_file!["told/diff-packets.txt"]);
}

fn moment(text: &str) -> Moment {
    let sets = tracecol::rulebook::read(text, "iptables.rules").sets;
    let revisions = sets.into_iter().map(|set| Revision {
        id: 1,
        from: None,
        name: "iptables.rules".into(),
        rules: set.into(),
    });
    Book { revisions: revisions.collect() }.at(None)
}

#[test]
fn two_rule_sets_say_different_things_of_the_same_places() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs");
    let text = |name: &str| fs::read_to_string(folder.join(name).join("iptables.rules")).unwrap();
    let (old, new) = (text("case3-icc-off-dropped"), text("case3-icc-off-linked"));
    let case = whole("case3-icc-off-dropped");
    let ways: Vec<Vec<Hop>> = case
        .packets
        .iter()
        .map(|packet| packet.steps.iter().map(|step| step.hop.clone()).collect())
        .collect();
    let ways: Vec<TracedWay<'_>> = ways.iter().map(|hops| TracedWay { hops, packets: 1 }).collect();
    let shown = |old: &str, new: &str| {
        render::rules_diff(&diff_rules(&moment(old), &moment(new), &ways), 80).plain()
    };
    let texts = [shown(&old, &new), shown(&new, &old), shown(&old, &old), shown(&old, "")];
    expect_file!["told/rules-diff.txt"].assert_eq(&texts.join("\n---\n"));
}
