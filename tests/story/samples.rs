//! The sample logs with the rules and the context beside them.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;

use super::case::Case;
use super::check;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs").join(name)
}

/// The log alone.
pub(super) fn bare(name: &str) -> Case {
    Case::of(&fs::read_to_string(folder(name).join("kern.kmsg")).unwrap())
}

/// The log with everything that lies beside it.
pub(super) fn whole(name: &str) -> Case {
    let mut case = bare(name);
    for file in ["iptables.rules", "ebtables.rules"] {
        let text = fs::read_to_string(folder(name).join(file)).unwrap();
        case = case.rules(&text, file, None);
    }
    for file in ["ip-addr.txt", "ip-route.txt", "bridge-fdb.txt", "bridge-link.txt"] {
        let text = fs::read_to_string(folder(name).join(file)).unwrap();
        case = case.context(&text, file);
    }
    case.told()
}

#[test]
fn a_remote_user_reaches_a_container() {
    let case = whole("case1-remote");
    check(&case.subject(0), &expect_file!["told/case1-remote.txt"]);
}

#[test]
fn the_same_without_rules_and_context() {
    let case = bare("case1-remote").told();
    check(&case.subject(0), &expect_file!["told/case1-bare.txt"]);
}

#[test]
fn the_host_asks_its_own_published_port() {
    let case = whole("case2-localhost-proxy");
    check(&case.subject(0), &expect_file!["told/case2-client.txt"]);
    check(&case.subject(1), &expect_file!["told/case2-proxy.txt"]);
}

#[test]
fn a_container_asks_another() {
    let case = whole("case3-container-to-container");
    check(&case.subject(0), &expect_file!["told/case3.txt"]);
}

#[test]
fn a_container_may_not_ask_another() {
    let case = whole("case3-icc-off-dropped");
    check(&case.subject(0), &expect_file!["told/case3-dropped.txt"]);
}

#[test]
fn a_link_lets_a_container_ask_another() {
    let case = whole("case3-icc-off-linked");
    check(&case.subject(0), &expect_file!["told/case3-linked.txt"]);
}

/// The `log` blocks of the walk-throughs.
fn walkthrough_logs() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/walkthroughs");
    let mut logs = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "md") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let blocks = text.split("\n```log").skip(1);
        logs.extend(blocks.map(|block| {
            let block = block.split_once('\n').unwrap().1;
            (name.clone(), block.split("\n```").next().unwrap().to_owned() + "\n")
        }));
    }
    logs.sort();
    logs
}

#[test]
fn every_walkthrough_can_be_told() {
    for (name, log) in walkthrough_logs() {
        let case = Case::of(&log).told();
        let connections = (0..case.connections.len()).map(|at| case.subject(at));
        let packets = (0..case.packets.len()).map(|at| case.packet(at));
        for subject in connections.chain(packets) {
            let story = tracecol::explain::story(&subject);
            let page = tracecol::render::story(&story, 100, false);
            assert!(page.lines.iter().all(|line| line.width() <= 100), "{name}: {}", page.plain());
            assert!(page.plain().len() > 40, "{name}");
        }
    }
}
