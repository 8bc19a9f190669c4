//! Two lines in one: a printk without a level was glued onto an open line, or a writer died.

use tracecol::model::{AnomalyKind, LineKind};
use tracecol::render::kernel_line;

use super::read_lines;

const FIRST: &str = "[UFW BLOCK] IN=eth0 OUT= SRC=192.0.2.9 DST=192.0.2.1 LEN=28 TOS=0x00 PREC=0x00 TTL=9 ID=7 PROTO=UDP SPT=1 DPT=2 LEN=8 ";
const SECOND: &str = "TRACE: raw:PREROUTING:policy:2 IN=eth1 OUT= SRC=198.51.100.7 DST=192.0.2.1 LEN=36 TOS=0x00 PREC=0x00 TTL=9 ID=7 PROTO=2 ";
const FRAME: &str =
    "x IN=veth0 OUT= MAC source = 02:00:00:00:00:01 MAC dest = 02:00:00:00:00:02 proto = 0x0800";
const IP: &str = " IP SRC=192.0.2.9 IP DST=192.0.2.1, IP tos=0x00, IP proto=1";

/// Reads one physical line and gives back what each line in it says.
fn parts(line: &str) -> (LineKind, Vec<String>) {
    let output = read_lines([line.as_bytes()]);
    let splits = output.anomaly_kinds().iter().filter(|&&k| k == AnomalyKind::SplitLine).count();
    assert_eq!(splits + 1, output.entries.len(), "{line}: {:?}", output.anomaly_kinds());
    let mut copies: Vec<u32> = output.entries.iter().map(|entry| entry.position.copy).collect();
    copies.sort_unstable();
    assert!(
        copies.windows(2).all(|pair| pair[0] < pair[1]),
        "two entries, one position: {copies:?}"
    );
    let text = |e: &super::Read| String::from_utf8(kernel_line(&e.site, &e.header)).unwrap();
    (output.kinds[0], output.entries.iter().map(text).collect())
}

#[test]
fn two_whole_lines() {
    let both = [FIRST.to_owned(), SECOND.to_owned()];
    assert_eq!(parts(&format!("{FIRST}{SECOND}")), (LineKind::Log, both.to_vec()));
    let both = [SECOND.to_owned(), FIRST.to_owned()];
    assert_eq!(parts(&format!("{SECOND}{FIRST}")), (LineKind::Trace, both.to_vec()));
}

#[test]
fn an_envelope_in_the_middle_belongs_to_neither() {
    for envelope in [
        "Nov 22 13:27:05 gw kernel: [ 1501.098037] ",
        "Nov  2 13:27:05 gw kernel: ",
        "2026-11-22T13:27:05.1+00:00 gw kernel: [ 1501.098037] ",
    ] {
        let (kind, parts) = parts(&format!("{FIRST}{envelope}{SECOND}"));
        assert_eq!((kind, parts), (LineKind::Log, vec![FIRST.to_owned(), SECOND.to_owned()]));
    }
}

#[test]
fn the_first_line_may_stop_anywhere() {
    let half = &FIRST[..FIRST.find("TTL").unwrap()];
    let (_, read) = parts(&format!("{half}{SECOND}"));
    assert_eq!(read, [half, SECOND]);
    let (_, read) = parts(&format!("{half}TNov 22 13:27:05 gw kernel: [ 1501.098037] {SECOND}"));
    assert_eq!(read, [half, SECOND]);
}

#[test]
fn a_line_is_glued_onto_an_open_ebtables_line() {
    let output = read_lines([format!("{FRAME}{SECOND}").as_bytes(), IP.as_bytes()]);
    assert_eq!(output.kinds, [LineKind::Ebtables; 2]);
    assert_eq!(output.anomaly_kinds(), [AnomalyKind::SplitLine, AnomalyKind::TornEbtablesLine]);
    let text: Vec<_> = output.entries.iter().map(|e| kernel_line(&e.site, &e.header)).collect();
    assert_eq!(text, [SECOND.as_bytes().to_vec(), format!("{FRAME}{IP}").into_bytes()]);

    let (_, read) = parts(&format!("{FRAME}[UFW BLOCK] {}", &FIRST["[UFW BLOCK] ".len()..]));
    assert_eq!(read, [FIRST, FRAME]);
}

#[test]
fn a_line_is_glued_onto_a_piece() {
    let output = read_lines([FRAME.as_bytes(), format!("{IP}{SECOND}").as_bytes()]);
    assert_eq!(output.kinds, [LineKind::Ebtables; 2]);
    let text: Vec<_> = output.entries.iter().map(|e| kernel_line(&e.site, &e.header)).collect();
    assert_eq!(text, [format!("{FRAME}{IP}").into_bytes(), SECOND.as_bytes().to_vec()]);
}

#[test]
fn three_lines_in_one() {
    let (_, read) = parts(&format!("{FIRST}{SECOND}{FIRST}"));
    assert_eq!(read, [FIRST, SECOND, FIRST]);
}

#[test]
fn a_field_torn_in_two_ends_its_line() {
    let (_, read) = parts(
        "IN=eth0 OUT= SRC=192.0.2.9 DST=192.0.2.1 LEN=IN=eth1 OUT= SRC=192.0.2.8 DST=192.0.2.1 LEN=36 TOS=0x00 PREC=0x00 TTL=9 ID=7 PROTO=2 ",
    );
    assert_eq!(read[0], "IN=eth0 OUT= SRC=192.0.2.9 DST=192.0.2.1 ");
    assert!(read[1].starts_with("IN=eth1 OUT= SRC=192.0.2.8 "), "{read:?}");
}
