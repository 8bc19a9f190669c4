//! Lines that are cut, and lines that are not lines at all.

use serde_json::Value;
use tracecol::model::{AnomalyKind, LineKind, LinkHeader, Network};

use super::rendered::rendered;
use super::{input, payload_of, read_lines};

/// Cut anywhere, a line gives no field that the whole line does not have, but for a number or
/// address that was cut itself.
#[test]
fn a_line_cut_at_any_byte_gives_the_fields_it_still_has() {
    let (mut cuts, mut with_addresses) = (0, 0);
    for record in include_str!("../data/lines.jsonl").lines() {
        let record: Value = serde_json::from_str(record).unwrap();
        if !matches!(record["expect"]["kind"].as_str().unwrap(), "trace" | "log") {
            continue;
        }
        let payload = payload_of(record["kmsg"].as_str().unwrap().as_bytes());
        let fields = payload.windows(5).rposition(|bytes| bytes == b" OUT=").unwrap() + 5;
        let output = read_lines((0..payload.len()).map(|length| &payload[..length]));
        cuts += payload.len();
        let mut lengths = Vec::new();
        for entry in &output.entries {
            let length = usize::try_from(entry.position.offset).unwrap();
            lengths.push(length);
            let read = rendered(&entry.site, &entry.header);
            check_fields(&read, &record["expect"], &payload[..length]);
            with_addresses += usize::from(matches!(entry.header.network, Network::Ip(_)));
        }
        let all: Vec<usize> = (fields + 1..payload.len()).collect();
        assert!(lengths.ends_with(&all), "{}: {lengths:?}", record["id"]);
    }
    assert!(cuts > 60_000 && with_addresses > 30_000, "{cuts} {with_addresses}");
}

fn check_fields(read: &Value, whole: &Value, line: &[u8]) {
    // Ports and addresses are kept although they may be cut; zeros stand for what a cut
    // TCP header lacks; a cut MAC is no Ethernet header; behind `FRAG:` nothing need follow.
    let doubtful = [
        "src",
        "dst",
        "spt",
        "dpt",
        "window",
        "res",
        "flags",
        "urgp",
        "mac_raw",
        "out",
        "frag_bytes",
        "cut",
    ];
    for (key, value) in read.as_object().unwrap() {
        // `PROTO=13` ends a whole line as well as one that is cut in `PROTO=132`.
        let last = line.rsplit(|&byte| byte == b' ').next().unwrap();
        if key == "proto" && last.starts_with(b"PROTO=") {
            continue;
        }
        // Kernels before 2.6.14 printed the user alone, so that is no cut.
        if key == "unknown" && value.as_str().unwrap().starts_with("UID=") {
            continue;
        }
        if let ("inner", Some(inner)) = (key.as_str(), whole.get(key)) {
            check_fields(value, inner, line);
        } else if !doubtful.contains(&key.as_str()) && !is_shorter(value, whole.get(key)) {
            let line = String::from_utf8_lossy(line);
            panic!("`{key}` is {value}, not {:?}: {line}", whole.get(key));
        }
    }
}

/// The last number of a line that is otherwise whole cannot be told from a shorter one.
fn is_shorter(value: &Value, whole: Option<&Value>) -> bool {
    let Some(whole) = whole else { return false };
    if let (Some(value), Some(whole)) = (value.as_u64(), whole.as_u64()) {
        return whole.to_string().starts_with(&value.to_string())
            || format!("{whole:x}").starts_with(&format!("{value:x}"));
    }
    let starts = |whole: &str| value.as_str().is_some_and(|value| whole.starts_with(value));
    value == whole || whole.as_str().is_some_and(starts)
}

/// The same for lines of ebtables. Each comes out once, whether it had to wait or not.
#[test]
fn an_ebtables_line_cut_at_any_byte_gives_the_fields_it_still_has() {
    let mut cuts = 0;
    for record in include_str!("../data/lines.jsonl").lines() {
        let record: Value = serde_json::from_str(record).unwrap();
        if record["expect"]["kind"] != "ebt" {
            continue;
        }
        let payload = payload_of(record["kmsg"].as_str().unwrap().as_bytes());
        let frame = payload.windows(4).position(|bytes| bytes == b"MAC ").unwrap() + 4;
        for length in frame..payload.len() {
            let output = read_lines([&payload[..length]]);
            let [entry] = output.entries.as_slice() else { panic!("{}: {length}", record["id"]) };
            assert_eq!(output.kinds, [LineKind::Ebtables]);
            assert!(entry.header.unknown.is_none());
            if let Some(ip) = entry.header.ip() {
                let (src, dst) = (ip.src.to_string(), ip.dst.to_string());
                let expected = |key: &str| -> std::net::IpAddr {
                    record["expect"][key].as_str().unwrap().parse().unwrap()
                };
                assert_eq!(src, expected("src").to_string());
                assert!(expected("dst").to_string().starts_with(&dst));
            }
            cuts += 1;
        }
    }
    assert!(cuts > 2_000, "{cuts}");
}

#[test]
fn a_cut_line_says_so() {
    let whole = "DROP IN=eth0 OUT= SRC=192.0.2.9 DST=192.0.2.100 LEN=60 TOS=0x00 PREC=0x00 TTL=64 \
                 ID=7 DF PROTO=TCP SPT=48224 DPT=6379 WINDOW=64240 RES=0x00 SYN URGP=0 ";
    let tuple = whole.find("WINDOW").unwrap();
    for length in tuple..whole.find("URGP=0").unwrap() + 5 {
        let output = read_lines([&whole.as_bytes()[..length]]);
        assert_eq!(output.anomaly_kinds(), [AnomalyKind::CutLine], "{}", &whole[..length]);
        let header = &output.entries[0].header;
        assert!(header.cut);
        assert_eq!(header.ip().unwrap().ports(), Some((48224, 6379)));
        assert_eq!(header.unknown, None, "{}", &whole[..length]);
    }
    assert_eq!(read_lines([whole.trim_end().as_bytes()]).anomalies, []);
}

#[test]
fn a_value_that_may_have_been_longer_is_left_out() {
    let output = read_lines([b"IN=a OUT= SRC=192.0.2.9 DST=192.0.2.1 LEN=6".as_slice()]);
    assert_eq!(output.entries[0].header.ip().unwrap().length, None);
    let output = read_lines([b"IN=a OUT= SRC=192.0.2.9 DST=192.0.2.1 LEN=60 TOS=0".as_slice()]);
    let ip = output.entries[0].header.ip().unwrap();
    assert_eq!((ip.length, ip.tos), (Some(60), None));
}

#[test]
fn a_trace_line_without_devices_is_lost_but_not_silently() {
    use AnomalyKind::{CutLine, UnreadableNetfilterLine};
    use LineKind::{Ebtables, Rejected, Trace};
    let output = read_lines([
        b"TRACE: raw:PREROUTING:pol".as_slice(),
        b"TRACE: raw:PREROUTING:policy:3 IN=eth",
        b"LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=7 DF PROTO=TCP SPT=1 DPT=2 ",
        b"x IN=a OUT= MAC source = 02:00:00:00:00:01 MAC dest = 02:00",
        b"x IN=a OUT= MAC source = 02:zz",
    ]);
    assert_eq!(output.kinds, [Rejected, Trace, Rejected, Ebtables, Rejected]);
    let unreadable = UnreadableNetfilterLine;
    assert_eq!(output.anomaly_kinds(), [unreadable, CutLine, unreadable, CutLine, unreadable]);
}

/// The head is gone: nothing to place the line by, but it is not somebody else's.
#[test]
fn a_line_whose_head_is_gone_is_lost_but_not_silently() {
    for line in [
        "51:e1:0d:58:f6:08:00 SRC=192.0.2.9 DST=192.0.",
        "40 TOS=0x00 PREC=0x00 TTL=41 ID=45599 PROTO=TCP SPT=43348 DPT=1100 ",
        "TC=0 HOPLIMIT=255 FLOWLBL=0 PROTO=ICMPv6 TYPE=135 CODE=0 ",
        "ACK=3468773411 WINDOW=63 RES=0x00 ACK URGP=0 OPT (0101080A) ",
        "e:31 MAC dest = 02:00:00:00:00:02 proto = 0x0800 IP SRC=192.0.2.9 IP DST=192.0.2.1, IP tos=0x00, IP proto=1",
        "92.0.2.1, IP tos=0x00, IP proto=17 SPT=60651 DPT=7778",
        "MACSRC=02:00:00:00:00:01 IPSRC=192.0.2.9 MACDST=00:00:00:00:00:00 IPDST=192.0.2.1",
        "[UFW BLOCK] IN=eth0",
        "[UFW BLOCK] IN=eth0 OUT",
        "0:0005, IPv6 priority=0x0, Next Header=6 SPT=51078 DPT=6379",
    ] {
        let output = read_lines([line.as_bytes()]);
        assert_eq!(output.kinds, [LineKind::Rejected], "{line}");
        assert_eq!(output.anomaly_kinds(), [AnomalyKind::UnreadableNetfilterLine], "{line}");
    }
    let mut line = input(0, b"copy SRC=left DST=right done");
    line.tag = Some(b"app");
    let kind = tracecol::parse::Parser::new().push(&line, &mut |_| panic!("nothing to say"));
    assert_eq!(kind, LineKind::Other);
}

#[test]
fn an_anomaly_keeps_four_kibibytes_at_most() {
    let line = format!("IN=a OUT= {}", "x ".repeat(20_000));
    let output = read_lines([line.as_bytes()]);
    assert_eq!(output.kinds, [LineKind::Rejected]);
    assert_eq!(output.anomalies[0].text.len(), 4096);
}

/// However long the line, its header stays small: it may be kept for a long time.
#[test]
fn a_header_stays_small() {
    let line = format!(
        "IN=a OUT= MAC={} SRC=192.0.2.9 DST=192.0.2.1 LEN=60 OPT ({}) {}",
        "00:".repeat(5_000),
        "00".repeat(5_000),
        "word ".repeat(5_000)
    );
    let output = read_lines([line.as_bytes()]);
    let header = &output.entries[0].header;
    assert_eq!(header.unknown.as_ref().map(|unknown| unknown.len()), Some(1024));
    assert_eq!(header.link, LinkHeader::Absent);
    assert_eq!(header.ip().unwrap().options, None);
}

/// Lines made to be slow: each would take seconds if any step looked at all pairs of bytes.
#[test]
fn hostile_lines_take_no_time() {
    let many = |text: &str| text.repeat(65_536 / text.len());
    for line in [
        many("IN="),
        many("IN= OUT= "),
        many("IN= OUT= SRC=1.1.1.1 DST=1.1.1.1 "),
        many("SRC="),
        many("SRC=1.1.1.1 DST="),
        many("MAC source = "),
        many("TRACE: "),
        many("kernel: "),
        many("IN=a OUT=b kernel: "),
        many("IN=PHYSIN="),
        many("["),
        many("OPT ( "),
        many("INCOMPLETE "),
        format!("IN=a OUT= SRC={}", many("1")),
        format!("IN=a OUT= MAC={}", many("00:")),
        format!("IN=a OUT= {}", many("MAC=")),
        format!("IN=a OUT= SRC=1.1.1.1 DST=1.1.1.1 {}", many("[SRC=")),
    ] {
        let begun = std::time::Instant::now();
        read_lines([line.as_bytes()]);
        let taken = begun.elapsed();
        assert!(taken.as_millis() < 500, "{taken:?} for {}…", &line[..40]);
    }
}

#[test]
fn a_hundred_thousand_prefixes_are_read_and_not_all_kept() {
    let lines: Vec<String> = (0..100_000)
        .map(|n| format!("{n} IN=a OUT= SRC=192.0.2.9 DST=192.0.2.1 LEN=36 TOS=0x00 PREC=0xC0 TTL=1 ID=0 PROTO=2 "))
        .collect();
    let output = read_lines(lines.iter().map(String::as_bytes));
    let last = tracecol::model::Site::Log { prefix: b"99999 ".as_slice().into() };
    assert_eq!(output.entries.last().unwrap().site, last);
    assert_eq!(output.entries.len(), 100_000);
}
