//! `snapshot`: what it keeps, what it leaves out, what it refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::bench::{Bench, Ran, text};

/// A program that prints this and exits so. Ours stand before the host's own on the path.
fn fake(bench: &Bench, name: &str, script: &str) {
    let folder = bench.path("bin");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A host of fakes: what is not faked is taken from the machine that tests.
fn host() -> Bench {
    let bench = Bench::new();
    fake(
        &bench,
        "ip",
        "case \"$*\" in addr) echo '2: docker0    inet 172.17.0.1/16 scope global docker0';; *) exit 0;; esac",
    );
    fake(&bench, "bridge", "exit 1");
    fake(&bench, "conntrack", "echo 'conntrack v1.4.7: You need to be root' >&2; exit 1");
    fake(&bench, "nft", "exit 0");
    fake(
        &bench,
        "sysctl",
        "echo 'net.ipv4.ip_forward = 1'; echo 'kernel.random.uuid = secret'; exit 255",
    );
    fake(
        &bench,
        "docker",
        "case \"$*\" in
           'ps -aq --no-trunc') echo 5f1c;;
           'inspect 5f1c') echo '[{\"Id\":\"5f1c\",\"Name\":\"/myredis\",\"Config\":{\"Env\":[\"PASSWORD=hunter2\"]},\
             \"NetworkSettings\":{\"IPAddress\":\"172.17.0.5\"}}]';;
           'network ls -q --no-trunc') ;;
           *) exit 125;;
         esac",
    );
    bench
}

fn snapshot(bench: &Bench, arguments: &[&str]) -> Ran {
    let path = format!("{}:/usr/bin:/bin", text(&bench.path("bin")));
    let arguments = [&["snapshot"], arguments].concat();
    Ran(bench.command(&arguments).env("PATH", path).output().unwrap())
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn a_folder_is_made_and_the_next_command_named() {
    let bench = host();
    snapshot(&bench, &["my snap"])
        .code(0)
        .out_has("ip-addr.txt")
        .out_has("container networks")
        .err_has("tracecol ingest /var/log/kern.log --context 'my snap'");
    let folder = bench.path("my snap");
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o750);
    assert_eq!(read(&folder, "sysctl.txt"), "net.ipv4.ip_forward = 1\n");
    let containers = read(&folder, "containers.json");
    assert!(containers.contains("myredis") && !containers.contains("hunter2"), "{containers}");
    let manifest: serde_json::Value =
        serde_json::from_str(&read(&folder, "manifest.json")).unwrap();
    assert_eq!(manifest["tracecol_snapshot"], 1);
    assert!(manifest["time"].as_str().unwrap().ends_with('Z'));
    let piece = |what: &str| {
        let pieces = manifest["pieces"].as_array().unwrap();
        pieces.iter().find(|piece| piece["what"] == what).unwrap().clone()
    };
    assert_eq!(piece("bridge forwarding")["why"], "exit status 1");
    assert_eq!(piece("container networks")["outcome"], "none");
    assert_eq!(piece("addresses")["command"], serde_json::json!(["ip", "addr"]));
}

#[test]
fn an_earlier_snapshot_is_replaced_and_nothing_else() {
    let bench = host();
    snapshot(&bench, &["gw"]).code(0);
    fake(&bench, "docker", "exit 1");
    snapshot(&bench, &["gw", "--quiet"]).code(0);
    assert!(!bench.path("gw/containers.json").exists(), "what is no more is no longer there");
    assert!(bench.path("gw/ip-addr.txt").exists());

    fs::create_dir(bench.path("mine")).unwrap();
    bench.file("mine/notes.txt", "mine");
    let ran = snapshot(&bench, &["mine"]);
    ran.code(2).err_has("mine holds notes.txt").err_has("hint: name a new folder");
    assert_eq!(fs::read_dir(bench.path("mine")).unwrap().count(), 1);
}

#[test]
fn the_manifest_as_json_and_the_pieces_as_lines() {
    let bench = host();
    let manifest = snapshot(&bench, &["gw", "--output", "json"]).json();
    assert_eq!(manifest["folder"], "gw");
    let count = manifest["pieces"].as_array().unwrap().len();
    let lines = snapshot(&bench, &["gw", "--output", "ndjson"]);
    assert_eq!(lines.stdout().lines().count(), count);
    snapshot(&bench, &["gw", "--output", "csv"])
        .code(0)
        .out_has("what,outcome,command,status,file,bytes,is_cut,why\n")
        .out_has("kernel settings,kept,sysctl -a,0,sysctl.txt,");
}

#[test]
fn a_namespace_that_is_not_there_is_an_error() {
    let bench = host();
    fake(&bench, "ip", "echo 'Cannot open network namespace \"nope\": No such file' >&2; exit 1");
    snapshot(&bench, &["gw", "--netns", "nope"])
        .code(2)
        .err_has("cannot enter the network namespace `nope`: Cannot open network namespace");
    assert!(!bench.path("gw").exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    let bench = host();
    bench.file("file", "");
    snapshot(&bench, &["file/gw"]).code(2).err_has("cannot write into file/gw");
}
