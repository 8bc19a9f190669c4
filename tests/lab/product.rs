//! Whether the product, through its own command line, tells of a capture what conntrack tells.
//!
//! Nothing but the public contract is used: `ingest`, `connections` and `show`, as JSON.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::capture::Capture;
use super::conntrack::{Flow, Tuple};
use super::truth::{Expected, is_one_of, shape};

/// A database the product made of one capture.
struct Product {
    folder: tempfile::TempDir,
}

impl Product {
    /// Ingests the text under a name; gives the product and the figures of its run.
    fn ingest(name: &str, text: &str) -> (Self, Value) {
        let product = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let log = product.folder.path().join(name);
        std::fs::write(&log, text).expect("the log is written");
        let log = log.to_str().expect("the path is UTF-8");
        let stats = product.run(&["ingest", log, "--output", "json"]);
        (product, serde_json::from_str(&stats).expect("ingest prints its figures as JSON"))
    }

    fn run(&self, arguments: &[&str]) -> String {
        let database = self.folder.path().join("lab.db");
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_tracecol")));
        command.args(arguments).arg("--db").arg(database);
        super::namespace::succeed(&mut command)
    }

    fn connections(&self) -> Vec<Value> {
        let text = self.run(&["connections", "--output", "ndjson"]);
        text.lines().map(|line| serde_json::from_str(line).expect("a connection as JSON")).collect()
    }

    fn show(&self, connection: &Value) -> Value {
        let id = connection["id"].as_str().expect("a connection has an id");
        serde_json::from_str(&self.run(&["show", id, "--output", "json"])).expect("JSON")
    }
}

/// Holds the product against one of the seed's cases, from the kernel's records and from a log file.
pub(crate) fn check_product(name: &str, capture: &Capture, expected: &[Expected]) {
    for (file, text) in [("kern.kmsg", &capture.kmsg), ("kern.log", &capture.syslog)] {
        let name = format!("{name}/{file}");
        let (product, stats) = Product::ingest(file, text);
        check_stats(&name, capture, &stats);
        let connections = product.connections();
        assert_eq!(connections.len(), expected.len(), "{name}: connections");
        // conntrack confirms an entry when its first packet has come through: a dropped one has none.
        let confirmed: Vec<Value> = connections
            .iter()
            .filter(|connection| connection["verdict"]["kind"] != "dropped")
            .cloned()
            .collect();
        check_tuples(&name, &capture.account.flows(), &confirmed);
        for one in expected {
            let is_it = |connection: &&Value| {
                tuple(connection, "original").is_some_and(|tuple| shape(&tuple) == one.original)
            };
            let connection = connections.iter().find(is_it);
            let connection =
                connection.unwrap_or_else(|| panic!("{name}: {} is missing", one.original));
            check_story(&name, one, &product.show(connection));
        }
    }
}

/// Holds the product against a scene: conntrack's connections, and no others but the unconfirmed.
pub(crate) fn check_scene(name: &str, capture: &Capture, unconfirmed: &[&str]) {
    for (file, text) in [("kern.kmsg", &capture.kmsg), ("kern.log", &capture.syslog)] {
        let name = format!("{name}/{file}");
        let (product, stats) = Product::ingest(file, text);
        check_stats(&name, capture, &stats);
        let mut connections = product.connections();
        connections.retain(|connection| {
            tuple(connection, "original").is_none_or(|tuple| !is_one_of(unconfirmed, &tuple))
        });
        check_tuples(&name, &capture.account.flows(), &connections);
    }
}

/// Holds the product against a scene conntrack knows nothing of: every line is placed all the same.
pub(crate) fn check_lines(name: &str, capture: &Capture) {
    let (_, stats) = Product::ingest("kern.kmsg", &capture.kmsg);
    check_stats(name, capture, &stats);
}

fn check_stats(name: &str, capture: &Capture, stats: &Value) {
    let lines = &stats["lines"];
    let count = |key: &str| lines[key].as_u64().unwrap_or_else(|| panic!("{name}: no lines.{key}"));
    let printed = super::capture::records(&capture.kmsg).count() as u64;
    assert_eq!(count("total"), printed, "{name}: lines in all");
    assert_eq!(
        (count("rejected"), count("suspect")),
        (0, 0),
        "{name}: lines not believed: {stats}"
    );
    assert_eq!(stats["unplaced"], 0, "{name}: lines in no packet: {stats}");
    assert_eq!(stats["gaps"].as_array().map(Vec::len), Some(0), "{name}: gaps: {stats}");
}

type Counts = BTreeMap<(String, Tuple, Tuple), (u64, u64)>;

/// Tuples and packets per direction are conntrack's. What used one tuple in turn is counted together.
fn check_tuples(name: &str, flows: &[Flow], connections: &[Value]) {
    let mut wanted = Counts::new();
    for flow in flows {
        let key = (flow.protocol.clone(), flow.original, flow.reply);
        add(&mut wanted, key, (flow.packets_original, flow.packets_reply));
    }
    let mut told = Counts::new();
    for connection in connections {
        let protocol = connection["protocol"].as_str().unwrap_or_default().to_owned();
        let original = tuple(connection, "original");
        let original =
            original.unwrap_or_else(|| panic!("{name}: no original tuple: {connection}"));
        let reply = tuple(connection, "reply").or_else(|| unanswered(connection, original, flows));
        let reply = reply.unwrap_or_else(|| panic!("{name}: no reply tuple: {connection}"));
        let packets = |side: &str| connection["packets"][side].as_u64().unwrap_or(0);
        add(&mut told, (protocol, original, reply), (packets("original"), packets("reply")));
    }
    assert_eq!(told, wanted, "{name}: the product's connections and conntrack's");
}

fn add(counts: &mut Counts, key: (String, Tuple, Tuple), packets: (u64, u64)) {
    let count = counts.entry(key).or_default();
    *count = (count.0 + packets.0, count.1 + packets.1);
}

/// conntrack's reply tuple, where nobody answered: the log cannot tell a masqueraded source then,
/// and the product must leave it open. What it does tell must be conntrack's.
fn unanswered(connection: &Value, original: Tuple, flows: &[Flow]) -> Option<Tuple> {
    let flow = flows.iter().find(|flow| flow.original == original && flow.packets_reply == 0)?;
    let (told, reply) = (&connection["reply"], flow.reply);
    let agrees = |key: &str, truth: Value| told[key].is_null() || told[key] == truth;
    let is_true = agrees("src", reply.src.to_string().into())
        && agrees("sport", reply.sport.into())
        && agrees("dst", reply.dst.to_string().into())
        && agrees("dport", reply.dport.into());
    is_true.then_some(reply)
}

/// A side of a connection; an ICMP echo's identifier stands for its ports.
fn tuple(connection: &Value, side: &str) -> Option<Tuple> {
    let side = &connection[side];
    let address = |key: &str| side[key].as_str()?.parse::<IpAddr>().ok();
    let port = |key: &str| {
        let numbers = [&side[key], &side["icmp_id"], &connection["icmp_id"]];
        u16::try_from(numbers.into_iter().find_map(Value::as_u64)?).ok()
    };
    Some(Tuple {
        src: address("src")?,
        sport: port("sport")?,
        dst: address("dst")?,
        dport: port("dport")?,
    })
}

/// What the product tells of one connection: verdict, NAT, links, and the ways of its first packets.
fn check_story(name: &str, expected: &Expected, shown: &Value) {
    assert_eq!(shown["verdict"]["kind"], expected.verdict, "{name}: verdict");
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let list = |key: &str| shown[key].as_array().cloned().unwrap_or_default();
    let nat: Vec<_> = list("nat")
        .iter()
        .map(|one| format!("{} {} → {}", text(&one["kind"]), text(&one["from"]), text(&one["to"])))
        .collect();
    assert_eq!(nat, expected.nat, "{name}: NAT");
    let links: Vec<_> = list("links")
        .iter()
        .filter(|link| link["connection"].is_string())
        .map(|link| text(&link["kind"]))
        .collect();
    assert_eq!(links, expected.links, "{name}: links");
    let packets = list("packet_list");
    assert_eq!(first_way(&packets, "original"), expected.first_original, "{name}: first packet");
    assert_eq!(first_way(&packets, "reply"), expected.first_reply, "{name}: first answer");
}

/// The places the first packet of a direction passed, as far as they were seen.
fn first_way(packets: &[Value], direction: &str) -> Vec<String> {
    let first = packets.iter().find(|packet| packet["direction"] == direction);
    let steps = first.and_then(|packet| packet["steps"].as_array()).map_or(&[][..], Vec::as_slice);
    let seen = steps.iter().filter(|step| step["inferred"] != true);
    seen.map(|step| step["at"].as_str().unwrap_or("?").to_owned()).collect()
}
