//! `tracecol doctor` on the real kernel: what it prints is typed in, does what it says, and can be undone.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::ground::Ground;
use super::namespace::{Namespace, succeed};
use super::recorder::Recorder;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tracecol");

/// A host with a bridge, a container behind it, and a published port.
pub(super) struct Bridged {
    pub(super) host: Namespace,
    container: Namespace,
}

impl Bridged {
    pub(super) fn new() -> Self {
        let bridged = Self { host: Namespace::new("dhost"), container: Namespace::new("dweb") };
        let Self { host, container } = &bridged;
        host.ip("link add br0 type bridge");
        host.ip("addr add 172.17.0.1/16 dev br0");
        host.ip("link set br0 up");
        host.ip(&format!("link add veth0 type veth peer name eth0 netns {}", container.name()));
        host.ip("link set veth0 master br0 up");
        host.ip("addr add 10.99.0.1/32 dev lo");
        container.ip("addr add 172.17.0.5/16 dev eth0");
        container.ip("link set eth0 up");
        container.ip("route add default via 172.17.0.1");
        host.script(
            "iptables-legacy -t nat -N DOCKER
             iptables-legacy -t nat -A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER
             iptables-legacy -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o br0 -j MASQUERADE
             iptables-legacy -t nat -A DOCKER ! -i br0 -p tcp --dport 40000 -j DNAT --to-destination 172.17.0.5:6379
             iptables-legacy -A FORWARD -i br0 -j ACCEPT",
        );
        bridged
    }

    /// Asks for the published port. Nobody listens in the container: it answers with a RST.
    fn ask(&self) {
        self.host.attempt("nc -z -w 2 10.99.0.1 40000");
    }

    /// The rules in force, without what counts or tells the time.
    fn rules(&self) -> String {
        let text = self.host.script(
            "iptables-legacy-save; iptables-nft-save; ip6tables-legacy-save; ip6tables-nft-save; ebtables-save",
        );
        text.lines().filter(|line| line.starts_with('-')).flat_map(|line| [line, "\n"]).collect()
    }

    fn doctor(&self, arguments: &[&str]) -> Value {
        let mut command = self.host.command(PROGRAM);
        command.args(["doctor", "--output", "json"]).args(arguments);
        let output = command.output().expect("the program starts");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{complaint}");
        serde_json::from_slice(&output.stdout).expect("the diagnosis is JSON")
    }

    /// What is not as it should be.
    fn findings(&self) -> Vec<Value> {
        let findings = self.doctor(&[])["findings"].as_array().expect("findings").clone();
        findings.into_iter().filter(|finding| finding["severity"] != "ok").collect()
    }
}

fn commands(value: &Value) -> Vec<String> {
    let texts = value.as_array().expect("a list of commands").iter();
    texts.map(|text| text.as_str().expect("a command is text").to_owned()).collect()
}

#[test]
fn the_commands_for_a_flow_show_it_whole_and_leave_nothing_behind() {
    let Some(_ground) = Ground::take() else { return };
    let bridged = Bridged::new();
    bridged.ask();
    let before = bridged.rules();
    let plan = bridged.doctor(&["--for", "tcp dport 40000"]);
    assert_eq!(plan["translations"][0]["flow"], "tcp to 172.17.0.5 port 6379");
    let on: Vec<String> = plan["on"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| commands(&group["commands"]))
        .collect();
    bridged.host.script(&on.join("\n"));
    assert_eq!(bridged.rules().lines().count(), before.lines().count() + on.len());

    let recorder = Recorder::start();
    bridged.ask();
    let records = String::from_utf8(recorder.finish().records).unwrap();
    for expected in [
        "TRACE: raw:OUTPUT:policy:",
        "TRACE: nat:DOCKER:rule:1 ",
        "TRACE: eb:nat:POSTROUTING IN= OUT=veth0",
        "TRACE: eb:nat:PREROUTING IN=veth0 OUT= ",
        "TRACE: raw:PREROUTING:policy:",
    ] {
        assert!(records.contains(expected), "`{expected}` is not in:\n{records}");
    }
    let connection = told(&records);
    assert_eq!(connection["nat"][0]["kind"], "dnat", "{connection}");
    assert_eq!(connection["packets"]["original"], 1, "{connection}");
    assert_eq!(connection["packets"]["reply"], 1, "{connection}");

    bridged.host.script(&commands(&plan["off"]).join("\n"));
    assert_eq!(bridged.rules(), before);
    let recorder = Recorder::start();
    bridged.ask();
    let records = String::from_utf8(recorder.finish().records).unwrap();
    assert!(!records.contains("DPT=40000") && !records.contains("SPT=6379"), "{records}");
}

/// The one connection that the product makes of the lines.
fn told(records: &str) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("kern.kmsg");
    std::fs::write(&log, records).expect("the log is written");
    let run = |arguments: &[&str]| {
        succeed(Command::new(PROGRAM).args(arguments).arg("--db").arg(folder.path().join("t.db")))
    };
    run(&["ingest", log.to_str().expect("the path is UTF-8")]);
    let text = run(&["connections", "dport:40000", "--output", "ndjson"]);
    let mut lines = text.lines();
    let connection = lines.next().expect("a connection is found");
    assert_eq!(lines.next(), None, "one connection only");
    serde_json::from_str(connection).expect("a connection as JSON")
}

#[test]
fn every_kind_of_flow_is_accepted_by_the_tools() {
    let Some(_ground) = Ground::take() else { return };
    let bridged = Bridged::new();
    bridged.host.sysctl("net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 net.ipv6.conf.br0.disable_ipv6=0");
    bridged.host.ip("addr add fd00:99::1/64 dev br0 nodad");
    let before = bridged.rules();
    for flow in [
        "tcp dport 40000",
        "10.0.0.5 udp 53",
        "icmp from 10.1.1.1",
        "icmpv6",
        "sctp dport 5000-5010",
        "gre",
        "from 10.0.0.0/8 to 192.0.2.1",
        "tcp to fd00::2 port 443",
        "arp 10.0.0.7",
        "port 53",
    ] {
        let plan = bridged.doctor(&["--for", flow]);
        let groups = plan["on"].as_array().unwrap();
        let on: Vec<String> =
            groups.iter().flat_map(|group| commands(&group["commands"])).collect();
        assert!(!on.is_empty(), "{flow}");
        bridged.host.script(&on.join("\n"));
        assert_ne!(bridged.rules(), before, "{flow}");
        bridged.host.script(&commands(&plan["off"]).join("\n"));
        assert_eq!(bridged.rules(), before, "{flow}");
    }
}

/// Whether a command touches nothing outside of its network namespace.
fn stays_inside(command: &str) -> bool {
    let own = ["iptables", "ip6tables", "ebtables"].iter().any(|tool| command.starts_with(tool));
    own || (command.starts_with("sysctl -w net.") && !command.contains("nf_log_all_netns"))
}

#[test]
fn what_is_said_to_mend_does_and_can_be_undone() {
    let Some(_ground) = Ground::take() else { return };
    let bridged = Bridged::new();
    bridged.host.sysctl(
        "net.netfilter.nf_log.2=NONE net.netfilter.nf_log.10=NONE net.netfilter.nf_log.7=NONE",
    );
    bridged
        .host
        .sysctl("net.bridge.bridge-nf-call-iptables=0 net.netfilter.nf_conntrack_log_invalid=0");
    bridged.host.script("iptables-nft -t raw -A PREROUTING -p tcp --dport 9 -j TRACE");
    let sick = bridged.findings();
    let mut mended = BTreeSet::new();
    for finding in &sick {
        let (mend, undo) = (commands(&finding["mend"]), commands(&finding["undo"]));
        if mend.is_empty() || !mend.iter().chain(&undo).all(|command| stays_inside(command)) {
            mend.iter().chain(&undo).for_each(|command| exists(command));
            continue;
        }
        bridged.host.script(&mend.join("\n"));
        let now = bridged.findings();
        assert!(!now.contains(finding), "{mend:?} did not mend {finding}");
        bridged.host.script(&undo.join("\n"));
        assert!(bridged.findings() == sick, "{undo:?} did not undo {mend:?}");
        mended.insert(finding["check"].as_str().unwrap().to_owned());
    }
    for check in ["loggers", "bridge_calls", "trace_rules", "conntrack"] {
        assert!(mended.contains(check), "{check} is not among {mended:?}");
    }
    assert_eq!(bridged.doctor(&[])["reaches"], "no");
}

/// Of a command that would change the whole machine: at least what it names is there.
fn exists(command: &str) {
    let setting = command.strip_prefix("sysctl -w ").map(|rest| rest.trim_start_matches('\''));
    if let Some((name, _)) = setting.and_then(|setting| setting.split_once('=')) {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        assert!(std::path::Path::new(&path).exists(), "{command}: there is no {path}");
    }
    if let Some(rest) = command.strip_prefix("update-alternatives --set ") {
        let (name, path) = rest.split_once(' ').expect("a name and a path");
        let known = succeed(Command::new("update-alternatives").args(["--query", name]));
        assert!(known.contains(&format!("Alternative: {path}")), "{command}");
    }
}
