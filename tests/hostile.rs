//! Hostile logs: whatever stands in a file, the program ends in time, counts every line, and prints nothing that a
//! terminal could act upon.
//!
//! The files are made here, small enough for every run. Names, numbers and nesting are what attackers and broken
//! disks make of them, not what a kernel prints.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::Value;

use crate::cli::bench::Bench;

const PACKET: &str = "IN=eth0 OUT= MAC=c2:8d:13:dc:ac:4f:aa:51:e1:0d:58:f6:08:00 SRC=10.1.1.1 DST=10.2.2.2 LEN=60 TOS=0x00 \
                      PREC=0x00 TTL=64 ID=1 DF PROTO=TCP SPT=1000 DPT=80 SEQ=1 ACK=0 WINDOW=64240 RES=0x00 SYN URGP=0 ";

/// A line as rsyslog writes it.
fn logged(host: &str, payload: &str) -> String {
    format!("2026-11-22T13:27:05.5+00:00 {host} kernel: [ 1501.098037] {payload}\n")
}

fn traced(payload: &str) -> String {
    format!("TRACE: raw:PREROUTING:policy:3 {payload}")
}

/// What every run must hold, whatever the file: the counts agree, and twice is once.
fn ingest(bench: &Bench, bytes: impl AsRef<[u8]>) -> Value {
    let path = bench.file("hostile", bytes);
    let ran = bench.run(&["ingest", "--output", "json", &path]);
    harmless(&ran.0.stderr);
    let stats = ran.code(0).json();
    let lines = stats["lines"].as_object().unwrap();
    let sum = |keys: &[&str]| keys.iter().map(|key| lines[*key].as_u64().unwrap()).sum::<u64>();
    let netfilter = sum(&["trace", "log", "ebtables", "nft"]);
    assert_eq!(sum(&["total"]), netfilter + sum(&["marker", "other", "rejected", "suspect"]));
    assert_eq!(
        stats["placed"].as_u64().unwrap() + stats["unplaced"].as_u64().unwrap(),
        netfilter,
        "{stats}"
    );
    let again = bench.run(&["ingest", "--output", "json", &path]).code(0).json();
    assert_eq!(again["lines"]["total"], 0, "{again}");
    stats
}

/// Neither control characters nor bidirectional ones.
fn harmless(printed: &[u8]) {
    let text = std::str::from_utf8(printed).unwrap();
    let acts = |character: char| {
        (character.is_control() && character != '\n')
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if let Some(at) = text.find(acts) {
        panic!("{:?}", text[at..].chars().take(80).collect::<String>());
    }
}

fn show_everything(bench: &Bench) {
    for command in ["stats", "anomalies", "connections", "packets"] {
        for form in ["table", "json", "ndjson", "csv"] {
            let ran = bench.run(&[command, "--output", form]);
            assert!(
                matches!(ran.0.status.code(), Some(0 | 1)),
                "{command} {form}: {}",
                ran.stderr()
            );
            harmless(&ran.0.stdout);
            harmless(&ran.0.stderr);
        }
    }
    for id in bench.ids(&["connections"]).iter().take(3) {
        harmless(&bench.run(&["show", id]).code(0).0.stdout);
        harmless(&bench.run(&["show", id, "--output", "json"]).code(0).0.stdout);
    }
}

#[test]
fn the_highest_sequence_number_does_not_overflow() {
    let bench = Bench::new();
    let mut log = String::new();
    for (seq, usec) in [(u64::MAX, u64::MAX), (0, 0), (u64::MAX, 1), (u64::MAX, 2), (1 << 63, 3)] {
        writeln!(log, "4,{seq},{usec},-;{}", traced(PACKET)).unwrap();
    }
    let stats = ingest(&bench, log);
    assert_eq!(stats["lines"]["trace"], 5);
    let lost: Vec<_> = stats["gaps"].as_array().unwrap().iter().map(|gap| &gap["lost"]).collect();
    assert_eq!(lost, [&Value::from(u64::MAX - 1)]);
    show_everything(&bench);
}

#[test]
fn thousands_of_hosts_are_closed_and_known_again() {
    let bench = Bench::new();
    let packet = traced(PACKET);
    let hosts = 4_200;
    let names = (0..hosts).chain(0..50);
    let log: String = names.map(|host| logged(&format!("host{host}"), &packet)).collect();
    let stats = ingest(&bench, log);
    assert_eq!(stats["lines"]["trace"], hosts + 50);
    let of_first = bench.ids(&["packets", "host:host0"]);
    assert_eq!(of_first.len(), 2, "closed when 4,096 others came, and begun again");
    assert_eq!(bench.ids(&["packets", "host:host4000"]).len(), 1);
}

#[test]
fn many_prefixes_take_no_quadratic_time() {
    let bench = Bench::new();
    let log: String = (0..8_000)
        .map(|n| logged("vm", &format!("drop{n} {}", PACKET.replace("eth0", &format!("e{n}")))))
        .collect();
    assert_eq!(ingest(&bench, log)["lines"]["log"], 8_000);
}

#[test]
fn a_packed_file_without_anything_to_unpack_is_damaged() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&logged("vm", PACKET).repeat(50).into_bytes()).unwrap();
    let mut bytes = encoder.finish().unwrap();
    for byte in bytes.iter_mut().skip(10) {
        *byte = 0xff;
    }
    for bytes in [bytes.clone(), bytes[..3].to_vec()] {
        let bench = Bench::new();
        let path = bench.file("kern.log.gz", bytes);
        bench.run(&["ingest", &path]).code(2).err_has("kern.log.gz");
    }
}

#[test]
fn names_that_act_on_terminals_are_printed_harmless_everywhere() {
    let acts = [
        "\x1b[31m",
        "\x1b]0;own\x07",
        "\u{9b}31m",
        "\u{202e}",
        "\u{2066}",
        "\u{200b}",
        "\x08",
        "\x7f",
        "\u{85}",
        "\u{2028}",
        "\x1bP",
        "=cmd|'/C'!A0",
        "<b>\"'\\",
    ];
    let mut log = String::new();
    for act in acts {
        log += &logged("vm", &format!("{act} {PACKET}"));
        log += &logged(&format!("h{act}"), &traced(PACKET));
        log += &logged("vm", &traced(&PACKET.replace("eth0", &format!("e{act}"))));
        log += &logged("vm", &format!("TRACE: filter:{act}:rule:1 {PACKET}"));
        log += &logged("vm", &format!("{act} IN=a OUT= {act}"));
        log += &logged("vm", &format!("TRACE: {act}"));
        log += &logged("vm", &traced(&PACKET.replace("LEN=60", &format!("LEN={act}"))));
    }
    let bench = Bench::new();
    ingest(&bench, log);
    show_everything(&bench);
}

#[test]
fn numbers_out_of_range_break_nothing() {
    let numbers = [
        "99999999999999999999999",
        "18446744073709551615",
        "9223372036854775808",
        "4294967296",
        "-1",
        "",
        "0x1",
        "1e9",
    ];
    let mut log = String::new();
    for n in numbers {
        for key in ["SPT", "DPT", "SEQ", "ACK", "LEN", "TTL", "ID", "WINDOW", "SRC", "TOS", "URGP"]
        {
            let at = PACKET.find(&format!(" {key}=")).unwrap() + key.len() + 2;
            let (front, back) = PACKET.split_at(at);
            let back = back.split_once(' ').unwrap().1;
            log += &logged("vm", &traced(&format!("{front}{n} {back}")));
        }
        log += &logged("vm", &format!("TRACE: filter:FORWARD:rule:{n} {PACKET}"));
        log += &logged("vm", &format!("message repeated {n} times: [{PACKET}]"));
        writeln!(log, "Nov 22 13:27:05 vm last message repeated {n} times").unwrap();
        writeln!(log, "Nov 22 13:27:05 vm systemd-journald[1]: Missed {n} kernel messages")
            .unwrap();
        writeln!(log, "{n},{n},{n},-;{PACKET}\n4,1,{n},-;{PACKET}\n[{n}.{n}] {PACKET}").unwrap();
        write!(
            log,
            "{n}-02-30T25:61:61+99:99 vm kernel: {PACKET}\nFeb {n} 13:27:05 vm kernel: {PACKET}\n"
        )
        .unwrap();
        writeln!(log, "{{\"pri\":{n},\"time\":{n},\"msg\":\"{PACKET}\"}}").unwrap();
        writeln!(log, "{{\"MESSAGE\":\"{PACKET}\",\"__REALTIME_TIMESTAMP\":\"{n}\",\"_TRANSPORT\":\"kernel\"}}").unwrap();
    }
    let bench = Bench::new();
    ingest(&bench, log);
    show_everything(&bench);
}

#[test]
fn shapes_that_nest_or_never_end_are_survived() {
    let line = logged("vm", &traced(PACKET));
    let frame =
        "eb IN=a OUT=b MAC source = aa:51:e1:0d:58:f6 MAC dest = c2:8d:13:dc:ac:4f proto = 0x0800";
    let export = |length: u64| {
        let mut bytes =
            b"__CURSOR=s\n__REALTIME_TIMESTAMP=1\n_TRANSPORT=kernel\nMESSAGE\n".to_vec();
        bytes.extend(length.to_le_bytes());
        bytes.extend(PACKET.as_bytes());
        bytes.extend(b"\n\n");
        bytes
    };
    let mut files: Vec<Vec<u8>> = vec![
        vec![0; 300_000],
        vec![b'\n'; 300_000],
        vec![b'x'; 3_000_000],
        line.trim_end().repeat(3_000).into_bytes(),
        line.replace('\n', "\r\r\n").repeat(20).into_bytes(),
        line.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "[".repeat(200_000).into_bytes(),
        "{\"a\":".repeat(100_000).into_bytes(),
        "{\n\"a\":\n".repeat(50_000).into_bytes(),
        "<4>".repeat(100_000).into_bytes(),
        "IN= OUT= ".repeat(30_000).into_bytes(),
        "TRACE: ".repeat(30_000).into_bytes(),
        logged("vm", &format!("{}{}", traced(PACKET), "[SRC=1.2.3.4 ".repeat(5_000))).into_bytes(),
        logged("vm", frame).repeat(2_000).into_bytes(),
        frame
            .bytes()
            .cycle()
            .take(8_000)
            .map(char::from)
            .map(|c| logged("vm", &c.to_string()))
            .collect::<String>()
            .into(),
        logged("vm", " IP SRC=1.1.1.1 IP DST=2.2.2.2,").repeat(2_000).into_bytes(),
        logged("vm", &traced(&PACKET.replace("TCP", "UDP"))).repeat(2_000).into_bytes(),
    ];
    files.extend([u64::MAX, 1 << 63, 1 << 40, 0, 1].map(export));
    let noise = (0u32..200_000).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]);
    files.push(noise.collect());
    for file in files {
        let bench = Bench::new();
        ingest(&bench, file);
    }
}

#[test]
fn filters_of_any_kind_end_in_a_message() {
    let bench = Bench::with(&[crate::cli::bench::REMOTE]);
    let deep = "(".repeat(20_000);
    let nots = "-".repeat(20_000) + "src:1.1.1.1";
    let many = "src:1.1.1.1 ".repeat(5_000);
    let ors = "src:1.1.1.1 OR ".repeat(5_000) + "src:1.1.1.1";
    for filter in [
        deep.as_str(),
        &nots,
        "src:1.1.1.1/33",
        "dst:::/129",
        "port:70000",
        "port:9-1",
        "lines:>99999999999999999999",
        "since:0000-00-00",
        "since:99999999999999999999d",
        "id:c'; drop table packet;--",
        "😀:😀",
        "src:\u{202e}",
        "\"",
        "OR",
        "-",
        "()",
        "AND",
        "chain:\"\\\"",
        "rule:a/b/99999999999999999999",
        &many,
        &ors,
    ] {
        let ran = bench.run(&["ls", "--", filter]);
        assert!(matches!(ran.0.status.code(), Some(0..=2)), "{:.80}: {}", filter, ran.stderr());
        harmless(&ran.0.stderr);
        assert!(ran.0.stderr.len() < 200_000, "{filter:.80}");
    }
}

#[test]
fn a_shipper_s_json_gives_host_and_prefix() {
    let mut log = String::new();
    for (host, keys) in [
        ("rs", ["timestamp", "message"]),
        ("el", ["@timestamp", "message"]),
        ("ge", ["x", "short_message"]),
    ] {
        writeln!(
            log,
            r#"{{"{}":"2026-11-22T13:27:05.5Z","host":"{host}","{}":"[UFW BLOCK] {PACKET}"}}"#,
            keys[0], keys[1]
        )
        .unwrap();
    }
    let line = logged("inner", &format!("[UFW BLOCK] {PACKET}"));
    writeln!(log, r#"{{"host":"shipper","message":"{}"}}"#, line.trim_end()).unwrap();
    let bench = Bench::new();
    assert_eq!(ingest(&bench, log)["lines"]["log"], 4);
    assert_eq!(bench.ids(&["packets", "host:inner"]).len(), 1);
    for host in ["rs", "el", "ge"] {
        let found =
            bench.run(&["packets", "--output", "ndjson", &format!("host:{host}")]).code(0).json();
        assert_eq!(found["steps"][0]["at"], "log:[UFW BLOCK]");
        assert_eq!(found["first_seen"].is_null(), host == "ge");
    }
}
