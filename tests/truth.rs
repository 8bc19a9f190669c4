//! The connections rebuilt from a capture against those conntrack reported while it was made.
//!
//! Every `NAME.kmsg` with a `NAME.conntrack.txt` beside it counts; more folders
//! of such pairs can be named in `TRACECOL_CAPTURES`, separated by colons.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tracecol::envelope::PeelOptions;
use tracecol::model::{Connection, NatKind, Outcome, Protocol, SourceId, Tuple};
use tracecol::stitch::{Stitch, StitchOptions};

/// Reads a capture through the pure chain.
pub(crate) fn outcomes_of(capture: &[u8]) -> (Vec<Outcome>, tracecol::model::Counts) {
    let mut stitch = Stitch::new(StitchOptions::default());
    let source = SourceId(1);
    stitch.add_source(source, PeelOptions::default());
    let mut offset = 0;
    for line in capture.split_inclusive(|byte| *byte == b'\n') {
        stitch.line(source, line.strip_suffix(b"\n").unwrap_or(line), offset);
        offset += line.len() as u64;
    }
    stitch.finish();
    let counts = *stitch.counts();
    (stitch.drain(), counts)
}

pub(crate) fn connections(outcomes: &[Outcome]) -> Vec<Connection> {
    let connection = |outcome: &Outcome| match outcome {
        Outcome::Connection(connection) => Some((**connection).clone()),
        _ => None,
    };
    outcomes.iter().filter_map(connection).collect()
}

/// One connection as both sides can tell it: protocol, both tuples, what was translated.
type Told = (String, String, String, bool, bool);

fn told_by_conntrack(text: &str) -> BTreeSet<Told> {
    text.lines().filter(|line| line.contains("[NEW]")).map(told_by_line).collect()
}

fn told_by_line(line: &str) -> Told {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let protocol = fields
        .iter()
        .find(|field| matches!(**field, "tcp" | "udp" | "icmp" | "icmpv6" | "sctp" | "gre"));
    let value = |key: &str, nth: usize| {
        let found = fields.iter().filter_map(|field| field.strip_prefix(key)).nth(nth);
        found.unwrap_or("").to_owned()
    };
    let port = |key: &str, nth: usize| {
        if line.contains(" id=") { value("id=", nth) } else { value(key, nth) }
    };
    let tuple = |nth: usize| {
        let (src, dst) = (value("src=", nth), value("dst=", nth));
        format!("{src}:{} > {dst}:{}", port("sport=", nth), port("dport=", nth))
    };
    let source = value("src=", 0) != value("dst=", 1) || port("sport=", 0) != port("dport=", 1);
    let destination =
        value("dst=", 0) != value("src=", 1) || port("dport=", 0) != port("sport=", 1);
    (protocol.map_or("?", |name| *name).to_owned(), tuple(0), tuple(1), source, destination)
}

fn told_by_us(connection: &Connection) -> Told {
    let protocol = match connection.protocol {
        Protocol::TCP => "tcp".to_owned(),
        Protocol::UDP => "udp".to_owned(),
        Protocol::ICMP => "icmp".to_owned(),
        Protocol::ICMPV6 => "icmpv6".to_owned(),
        other => other.0.to_string(),
    };
    let id = connection.icmp_id;
    let tuple = |tuple: &Tuple| {
        let side = |side: tracecol::model::Endpoint| {
            let addr = side.addr.map_or("?".to_owned(), |addr| addr.to_string());
            let port = side.port.or(id).map_or(String::new(), |port| port.to_string());
            format!("{addr}:{port}")
        };
        format!("{} > {}", side(tuple.src), side(tuple.dst))
    };
    let has =
        |wanted: &[NatKind]| connection.nat.iter().any(|change| wanted.contains(&change.kind));
    (
        protocol,
        tuple(&connection.original),
        tuple(&connection.reply),
        has(&[NatKind::Snat, NatKind::Masquerade]),
        has(&[NatKind::Dnat, NatKind::Redirect]),
    )
}

fn captures() -> Vec<PathBuf> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/kmsg").to_owned();
    let more = std::env::var("TRACECOL_CAPTURES").unwrap_or_default();
    let folders =
        std::iter::once(own.as_str()).chain(more.split(':').filter(|folder| !folder.is_empty()));
    let mut found = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(Path::new(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "kmsg") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn tuples_and_nat_equal_conntracks() {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for capture in captures() {
        let Ok(events) = fs::read_to_string(capture.with_extension("conntrack.txt")) else {
            continue;
        };
        compared += 1;
        let (outcomes, _) = outcomes_of(&fs::read(&capture).unwrap());
        let ours: BTreeSet<Told> = connections(&outcomes).iter().map(told_by_us).collect();
        let truth = told_by_conntrack(&events);
        let missing: Vec<&Told> = truth.difference(&ours).collect();
        let extra: Vec<&Told> = ours.difference(&truth).collect();
        if !missing.is_empty() || !extra.is_empty() {
            let name = capture.file_name().unwrap().to_string_lossy().into_owned();
            wrong.push(format!(
                "{name} ({} connections)\n  missing {missing:#?}\n  extra {extra:#?}",
                truth.len()
            ));
        }
    }
    assert!(compared >= 5, "only {compared} captures with conntrack events");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_line_is_placed_or_counted_as_an_anomaly() {
    for capture in captures() {
        let (outcomes, counts) = outcomes_of(&fs::read(&capture).unwrap());
        assert_eq!(
            counts.placed + counts.unplaced,
            counts.netfilter(),
            "{}: {counts:?}",
            capture.display()
        );
        let in_packets: usize = outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Packet(packet) => Some(packet),
                _ => None,
            })
            .flat_map(|packet| &packet.steps)
            .map(|step| 1 + step.lines.pieces.len())
            .sum();
        assert_eq!(in_packets as u64, counts.placed, "{}", capture.display());
    }
}

/// One packet passes one place once, and its ID, length and sequence numbers stay.
///
/// Flooded copies of a frame leave by other ports, so their devices differ.
#[test]
fn no_packet_passes_a_place_twice_or_changes_its_identity() {
    let mut wrong = Vec::new();
    for capture in captures() {
        let (outcomes, _) = outcomes_of(&fs::read(&capture).unwrap());
        let name = capture.file_name().unwrap().to_string_lossy().into_owned();
        for outcome in &outcomes {
            let Outcome::Packet(packet) = outcome else { continue };
            let mut places = BTreeSet::new();
            let mut identities = BTreeSet::new();
            for step in &packet.steps {
                let is_user_chain =
                    step.hop.site.hook().is_none() && step.hop.site.table().is_some();
                let is_new = places.insert((step.hop.site.clone(), step.hop.devices));
                if !is_new && !is_user_chain {
                    wrong
                        .push(format!("{name}: {:?} passes {:?} twice", packet.key, step.hop.site));
                }
                if let Some(ip) = step.header.ip().filter(|ip| ip.length.is_some()) {
                    let sequence = ip.tcp().and_then(|tcp| tcp.seq_ack);
                    identities.insert((ip.id, ip.length, ip.tcp().map(|tcp| tcp.flags)));
                    if let Some(sequence) = sequence {
                        identities.insert((None, Some(sequence.0), None));
                    }
                }
            }
            let kinds = identities.iter().filter(|identity| identity.0.is_some()).count();
            if kinds > 1 {
                wrong.push(format!("{name}: {:?} has lines of {identities:?}", packet.key));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
