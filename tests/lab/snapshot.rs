//! `tracecol snapshot` on the real kernel: every file it keeps is one that the readers understand.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tracecol::{context, rulebook};

use super::doctor::Bridged;
use super::ground::Ground;
use super::namespace::succeed;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tracecol");

#[test]
fn a_snapshot_of_a_namespace_is_understood() {
    let Some(_ground) = Ground::take() else { return };
    let bridged = Bridged::new();
    bridged.host.script(
        "ping -c 1 -W 1 172.17.0.5 > /dev/null || true
         echo hello | nc -u -w 1 172.17.0.5 9 || true
         ip6tables-legacy -A INPUT -p tcp --dport 22 -j ACCEPT
         iptables-nft -A INPUT -j LOG --log-prefix 'in: '
         ebtables -A FORWARD -p IPv4 --log-level info --log-prefix 'TRACE: eb:filter:FORWARD' --log-ip -j CONTINUE",
    );
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
    succeed(bridged.host.command(PROGRAM).arg("snapshot").arg(&inside));
    let by_name = ["--netns", bridged.host.name(), "--output", "json"];
    let text = succeed(Command::new(PROGRAM).arg("snapshot").arg(&outside).args(by_name));
    let manifest: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(manifest["netns"], bridged.host.name());
    assert_eq!(names(&inside), names(&outside));
    for name in [
        "iptables-legacy-save.txt",
        "ip6tables-legacy-save.txt",
        "iptables-nft-save.txt",
        "ebtables-nft-save.txt",
        "nft-ruleset.txt",
        "ip-addr.txt",
        "ip-route.txt",
        "ip-rule.txt",
        "ip-neigh.txt",
        "bridge-fdb.txt",
        "bridge-link.txt",
        "conntrack.txt",
        "sysctl.txt",
    ] {
        assert!(outside.join(name).exists(), "{name} is not in {:?}", names(&outside));
        understood(&outside, name);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn understood(folder: &Path, name: &str) {
    let text = fs::read_to_string(folder.join(name)).unwrap();
    let (rules, facts) = (rulebook::read(&text, name), context::read(&text, name));
    assert!(!rules.sets.is_empty() || facts.kind.is_some(), "{name} is not understood:\n{text}");
    if rules.sets.is_empty() {
        assert!(facts.remarks.is_empty(), "{name}: {:?}\n{text}", facts.remarks);
    } else {
        assert!(rules.remarks.is_empty(), "{name}: {:?}\n{text}", rules.remarks);
    }
}
