//! Properties: nothing panics, and what was printed is read back.

use proptest::collection::vec;
use proptest::prelude::*;
use tracecol::model::{LineKind, Site};
use tracecol::render::kernel_line;

use super::read_lines;
use super::strategies::{frame, header, nearly_a_line, site};

fn is_silent_free(line: &[u8]) {
    let output = read_lines([line]);
    let netfilter = matches!(output.kinds[0], LineKind::Trace | LineKind::Log);
    if netfilter {
        assert!(!output.entries.is_empty(), "{:?}", String::from_utf8_lossy(line));
    }
    if output.kinds[0] == LineKind::Rejected {
        assert!(!output.anomalies.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(lines in vec(vec(any::<u8>(), 0..200), 1..4)) {
        read_lines(lines.iter().map(Vec::as_slice));
    }

    #[test]
    fn nearly_right_lines_are_survived(lines in vec(nearly_a_line(), 1..6)) {
        read_lines(lines.iter().map(Vec::as_slice));
        for line in &lines {
            is_silent_free(line);
        }
    }

    #[test]
    fn what_is_printed_is_read_back(site in site(), header in header()) {
        let line = kernel_line(&site, &header);
        let output = read_lines([line.as_slice()]);
        let text = String::from_utf8_lossy(&line).into_owned();
        prop_assert_eq!(output.entries.len(), 1, "{}", &text);
        prop_assert_eq!(&output.entries[0].header, &header, "{}", &text);
        prop_assert_eq!(&output.entries[0].site, &site, "{}", &text);
        prop_assert_eq!(output.anomalies.len(), 0, "{}", &text);
    }

    #[test]
    fn frames_that_are_printed_are_read_back(prefix in "[a-z :]{0,29}", header in frame()) {
        let site = Site::BridgeLog { prefix: prefix.into_bytes().into() };
        let line = kernel_line(&site, &header);
        let output = read_lines([line.as_slice()]);
        let text = String::from_utf8_lossy(&line).into_owned();
        prop_assert_eq!(output.entries.len(), 1, "{}", &text);
        prop_assert_eq!(&output.entries[0].header, &header, "{}", &text);
        prop_assert_eq!(output.anomalies.len(), 0, "{}", &text);
    }

    /// However a torn line's pieces are mixed with other lines, it comes out whole.
    #[test]
    fn torn_frames_are_mended(header in frame(), others in vec(0..20usize, 4)) {
        let site = Site::BridgeLog { prefix: b"x".as_slice().into() };
        let line = kernel_line(&site, &header);
        let other = b"y IN=a OUT=b SRC=192.0.2.9 DST=192.0.2.1 LEN=36 TOS=0x00 PREC=0x00 TTL=1 ID=0 PROTO=2 ";
        let mut lines = Vec::new();
        for (piece, others) in tear(&line).into_iter().zip(others) {
            lines.push(piece);
            lines.extend(std::iter::repeat_n(other.as_slice(), others));
        }
        let torn = lines.iter().filter(|line| **line != other.as_slice()).count() > 1;
        let output = read_lines(lines.iter().copied());
        let frames: Vec<_> = output.entries.iter().filter(|e| e.site.is_bridge()).collect();
        prop_assert_eq!(frames.len(), 1);
        prop_assert_eq!(&frames[0].header, &header, "{}", String::from_utf8_lossy(&line));
        prop_assert_eq!(output.anomalies.len(), usize::from(torn));
    }
}

/// Tears a line at every place where the kernel ends a printk call.
fn tear(line: &[u8]) -> Vec<&[u8]> {
    let ip: [&[u8]; 5] =
        [b" IP SRC=", b" IPv6 SRC=", b" SPT=", b" INCOMPLETE TCP", b" INCOMPLETE IP"];
    let arp: [&[u8]; 3] = [b" ARP HTYPE=", b" ARP MAC SRC=", b" INCOMPLETE ARP"];
    let is_arp = line.windows(4).any(|bytes| bytes == b"ARP ");
    let places = if is_arp { arp.as_slice() } else { ip.as_slice() };
    let mut cuts: Vec<usize> = places
        .iter()
        .filter_map(|place| line.windows(place.len()).position(|bytes| bytes == *place))
        .collect();
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts {
        pieces.push(&line[from..cut]);
        from = cut;
    }
    pieces.push(&line[from..]);
    pieces
}
