//! Whole captures of the kernel's ring: every payload understood to its last byte.

use std::path::{Path, PathBuf};

use tracecol::model::{AnomalyKind, LineKind, Site};
use tracecol::render::kernel_line;

use super::{Output, Read, payload_of, read_lines};

/// The payloads of one capture.
fn payloads(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let records = bytes.split(|&byte| byte == b'\n').filter(|record| !record.is_empty());
    records.map(payload_of).collect()
}

fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kmsg").join(name)
}

fn captures() -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(capture(""))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "kmsg"))
        .collect();
    all.sort();
    all
}

fn read(payloads: &[Vec<u8>]) -> Output {
    read_lines(payloads.iter().map(Vec::as_slice))
}

/// Printing what was read gives the payload back, so nothing in it was overlooked.
#[test]
fn every_payload_is_consumed_to_the_last_byte() {
    let mut lines = 0;
    let mut pieces = 0;
    for path in captures() {
        let payloads = payloads(&path);
        let output = read(&payloads);
        for entry in &output.entries {
            let first = usize::try_from(entry.position.offset).unwrap();
            let mut expected = payloads[first].clone();
            for &piece in &entry.pieces {
                expected.extend(&payloads[usize::try_from(piece).unwrap()]);
                pieces += 1;
            }
            let printed = kernel_line(&entry.site, &entry.header);
            assert_eq!(
                String::from_utf8_lossy(&printed),
                String::from_utf8_lossy(&expected),
                "{}:{}",
                path.display(),
                first + 1
            );
            assert_eq!(printed, expected);
            lines += 1;
        }
    }
    assert_eq!((lines, pieces), (2113, 32));
}

/// `torn-ebt`: 8 heads stop before the network part, 3 before the ports, and 7
/// newlines came alone behind complete lines.
#[test]
fn torn_lines_are_put_together_again() {
    let output = read(&payloads(&capture("torn-ebt.kmsg")));
    assert_eq!(output.anomaly_kinds(), [AnomalyKind::TornEbtablesLine; 11]);
    assert_eq!(count(&output, LineKind::Other), 7);
    for entry in bridge_entries(&output) {
        assert_eq!(entry.header.ip().unwrap().ports().unwrap().1, 7778);
    }
}

/// `torn3`: 20 heads stop before the network part. Of 8 lines the capture lacks the ports.
#[test]
fn a_piece_that_is_missing_leaves_a_cut_line() {
    let output = read(&payloads(&capture("torn3.kmsg")));
    let of_kind = |kind| output.anomalies.iter().filter(|a| a.kind == kind).count();
    assert_eq!(of_kind(AnomalyKind::TornEbtablesLine), 20);
    assert_eq!(of_kind(AnomalyKind::CutLine), 8);
    assert_eq!(output.anomalies.len(), 28);
    assert_eq!(count(&output, LineKind::Other), 0);
    for entry in bridge_entries(&output) {
        let ip = entry.header.ip().unwrap();
        assert_eq!(ip.ports().is_none(), entry.header.cut, "{entry:?}");
    }
}

fn bridge_entries(output: &Output) -> impl Iterator<Item = &Read> {
    output.entries.iter().filter(|entry| entry.site.is_bridge())
}

fn count(output: &Output, kind: LineKind) -> usize {
    output.kinds.iter().filter(|&&k| k == kind).count()
}

/// `zooeb` logs the same frames with and without `--log-ip`; the bare lines are whole.
#[test]
fn bare_lines_are_nobodys_heads() {
    let output = read(&payloads(&capture("zooeb.kmsg")));
    assert_eq!(output.anomalies, []);
    let bare = Site::BridgeLog { prefix: b"".as_slice().into() };
    assert_eq!(output.entries.iter().filter(|entry| entry.site == bare).count(), 34);
}
