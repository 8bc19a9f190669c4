//! What must hold for any input: no panic, no line lost, no difference by batching or interleaving.

use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;
use tracecol::envelope::PeelOptions;
use tracecol::model::{Confidence, Counts, Outcome, Packet, SourceId};
use tracecol::stitch::{Stitch, StitchOptions};

const CASE1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs/case1-remote/kern.kmsg");
const TORN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/kmsg/torn3.kmsg");

/// Reads lines through the pure chain; `drains` says after which lines the outcomes are taken out.
fn run(lines: &[Vec<u8>], drains: &BTreeSet<usize>) -> (Vec<Outcome>, Counts) {
    let mut stitch = Stitch::new(StitchOptions::default());
    stitch.add_source(SourceId(1), PeelOptions::default());
    let mut outcomes = Vec::new();
    let mut offset = 0;
    for (number, line) in lines.iter().enumerate() {
        stitch.line(SourceId(1), line, offset);
        offset += line.len() as u64 + 1;
        if drains.contains(&number) {
            outcomes.extend(stitch.drain());
        }
    }
    stitch.finish();
    outcomes.extend(stitch.drain());
    (outcomes, *stitch.counts())
}

fn lines_of(path: &str) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

fn packets(outcomes: &[Outcome]) -> Vec<&Packet> {
    outcomes.iter().filter_map(packet).collect()
}

fn packet(outcome: &Outcome) -> Option<&Packet> {
    match outcome {
        Outcome::Packet(packet) => Some(packet),
        _ => None,
    }
}

/// The payload of a kmsg record, by which a line is told in any order of lines.
fn payload(line: &[u8]) -> Vec<u8> {
    let start = line.iter().position(|byte| *byte == b';').map_or(0, |semicolon| semicolon + 1);
    line[start..].to_vec()
}

/// Each packet as the set of its lines' numbers.
fn line_sets(outcomes: &[Outcome], lines: &[Vec<u8>]) -> BTreeSet<BTreeSet<usize>> {
    let mut starts = Vec::new();
    let mut offset = 0;
    for line in lines {
        starts.push(offset);
        offset += line.len() as u64 + 1;
    }
    let number = |offset: u64| starts.binary_search(&offset).unwrap();
    let lines_of = |packet: &&Packet| {
        let heads = packet.steps.iter().map(|step| number(step.lines.head.offset));
        let pieces = packet
            .steps
            .iter()
            .flat_map(|step| &step.lines.pieces)
            .map(|piece| number(piece.offset));
        heads.chain(pieces).collect()
    };
    packets(outcomes).iter().map(lines_of).collect()
}

/// The connection of the first case as another client would have made it: same numbers everywhere else.
fn copy_of_case1(client: u8) -> Vec<Vec<u8>> {
    let address = format!("10.110.124.{client} ");
    let with_comma = format!("10.110.124.{client},");
    let lines = lines_of(CASE1).into_iter().map(|line| String::from_utf8(line).unwrap());
    lines
        .filter(|line| !line.contains("0x0806"))
        .map(|line| {
            line.replace("10.110.124.185 ", &address)
                .replace("10.110.124.185,", &with_comma)
                .into_bytes()
        })
        .collect()
}

/// Merges logs in the order that `choices` tells, each log's own order kept, under fresh stamps.
fn merge(logs: &[Vec<Vec<u8>>], choices: &[u8]) -> (Vec<Vec<u8>>, Vec<(usize, usize)>) {
    let mut next = vec![0; logs.len()];
    let mut merged = Vec::new();
    let mut origins = Vec::new();
    let mut turn = choices.iter().cycle();
    while next.iter().zip(logs).any(|(next, log)| *next < log.len()) {
        let open: Vec<usize> =
            (0..logs.len()).filter(|log| next[*log] < logs[*log].len()).collect();
        let log = open[usize::from(*turn.next().unwrap()) % open.len()];
        let number = merged.len();
        let mut line = format!("4,{number},{},-;", 1_000_000 + number * 3).into_bytes();
        line.extend(payload(&logs[log][next[log]]));
        merged.push(line);
        origins.push((log, next[log]));
        next[log] += 1;
    }
    (merged, origins)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_come_through(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let (_, counts) = run(&lines, &BTreeSet::new());
        prop_assert_eq!(counts.placed + counts.unplaced, counts.netfilter());
    }

    #[test]
    fn damaged_lines_come_through(seed in any::<u64>(), damage in proptest::collection::vec((any::<u16>(), any::<u16>(), any::<u8>()), 1..40)) {
        let path = if seed % 2 == 0 { CASE1 } else { TORN };
        let mut lines = lines_of(path);
        for (line, at, byte) in damage {
            let line_number = usize::from(line) % lines.len();
            let line = &mut lines[line_number];
            let at = usize::from(at) % line.len().max(1);
            match byte % 4 {
                0 => line.truncate(at),
                1 => { line.insert(at, byte); }
                2 => { let copy = line.clone(); line.extend(copy); }
                _ => { if let Some(cell) = line.get_mut(at) { *cell = byte; } }
            }
        }
        let (outcomes, counts) = run(&lines, &BTreeSet::new());
        prop_assert_eq!(counts.placed + counts.unplaced, counts.netfilter());
        for packet in packets(&outcomes) {
            prop_assert!(!packet.steps.is_empty());
        }
    }

    #[test]
    fn batching_changes_nothing(cuts in proptest::collection::btree_set(0..320_usize, 0..40)) {
        for path in [CASE1, TORN] {
            let lines = lines_of(path);
            prop_assert_eq!(run(&lines, &cuts), run(&lines, &BTreeSet::new()));
        }
    }

    #[test]
    fn interleaving_changes_no_packet(clients in 2..5_u8, choices in proptest::collection::vec(any::<u8>(), 7..60)) {
        let logs: Vec<Vec<Vec<u8>>> = (1..=clients).map(copy_of_case1).collect();
        let (merged, origins) = merge(&logs, &choices);
        let (outcomes, _) = run(&merged, &BTreeSet::new());
        let mut expected = BTreeSet::new();
        for (log, lines) in logs.iter().enumerate() {
            let (alone, _) = merge(std::slice::from_ref(lines), &[0]);
            for set in line_sets(&run(&alone, &BTreeSet::new()).0, &alone) {
                let merged_number = |line: &usize| origins.iter().position(|origin| *origin == (log, *line)).unwrap();
                expected.insert(set.iter().map(merged_number).collect::<BTreeSet<usize>>());
            }
        }
        prop_assert_eq!(line_sets(&outcomes, &merged), expected);
        for packet in packets(&outcomes) {
            prop_assert_eq!(packet.confidence, Confidence::Exact);
        }
    }
}
