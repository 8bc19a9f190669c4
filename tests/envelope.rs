//! The peeler against what real tools wrote, mixed inputs, hostile bytes and the calendar.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use proptest::prelude::*;
use serde_json::Value;
use tracecol::envelope::{Form, PeelOptions, Peeled, Peeler, Timezone};
use tracecol::model::{SourceId, Trust, Uptime, WallTime};

/// 2026-11-22 13:34:42 UTC.
const AT: i64 = 1_795_354_482_000_000;

/// An owned copy of what the peeler gave out.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Out {
    Line(Peel),
    Repeat { host: Option<String>, times: u32 },
    Blob { host: Option<String>, bytes: u64 },
    Noise,
    Broken { offset: u64 },
    Nul { offset: u64, bytes: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Peel {
    payload: Vec<u8>,
    offset: u64,
    seq: Option<u64>,
    uptime: Option<u64>,
    wall: Option<i64>,
    host: Option<String>,
    tag: Option<String>,
    boot: Option<[u8; 16]>,
    facility: Option<u8>,
    level: Option<u8>,
    continuation: bool,
    trust: Trust,
    copies: u32,
    form: Form,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn own(peeled: Peeled<'_>) -> Out {
    match peeled {
        Peeled::Line(line) => Out::Line(Peel {
            payload: line.payload.to_vec(),
            offset: line.position.offset,
            seq: line.position.seq,
            uptime: line.stamp.uptime.map(|Uptime(micros)| micros),
            wall: line.stamp.wall.map(|WallTime(micros)| micros),
            host: line.host.map(text),
            tag: line.tag.map(text),
            boot: line.boot_id,
            facility: line.facility,
            level: line.level,
            continuation: line.continuation,
            trust: line.trust,
            copies: line.copies,
            form: line.form,
        }),
        Peeled::RepeatPrevious { host, times, .. } => Out::Repeat { host: host.map(text), times },
        Peeled::Blob { host, bytes, .. } => Out::Blob { host: host.map(text), bytes },
        Peeled::Noise { .. } => Out::Noise,
        Peeled::Broken { position, .. } => Out::Broken { offset: position.offset },
        Peeled::NulRun { position, bytes } => Out::Nul { offset: position.offset, bytes },
    }
}

fn options() -> PeelOptions {
    PeelOptions { year: Some(2026), timezone: Timezone::Utc, newest: None }
}

/// Peels a whole source, split at newlines as files are.
fn peel_with(options: PeelOptions, source: &[u8]) -> Vec<Out> {
    let mut peeler = Peeler::new(SourceId(7), options);
    let mut out = Vec::new();
    let mut offset = 0;
    let mut lines: Vec<&[u8]> = source.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    for line in lines {
        peeler.push(line, offset, &mut |peeled| out.push(own(peeled)));
        offset += line.len() as u64 + 1;
    }
    peeler.finish(&mut |peeled| out.push(own(peeled)));
    out
}

fn peel(source: impl AsRef<[u8]>) -> Vec<Out> {
    peel_with(options(), source.as_ref())
}

/// The lines alone; anything else fails.
fn lines(source: impl AsRef<[u8]>) -> Vec<Peel> {
    peel(source)
        .into_iter()
        .map(|out| match out {
            Out::Line(line) => line,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn line(source: impl AsRef<[u8]>) -> Peel {
    let found = lines(source);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

fn payloads(found: &[Out]) -> Vec<String> {
    found
        .iter()
        .filter_map(|out| match out {
            Out::Line(line) => Some(text(&line.payload)),
            _ => None,
        })
        .collect()
}

fn data(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

fn forms_of(envelope: &str) -> &'static [Form] {
    match envelope {
        "dmesg" => &[Form::Dmesg, Form::Bare],
        "kmsg" => &[Form::Kmsg],
        // `-o short` looks like a syslog file, `-o cat` like nothing.
        "journal-text" => &[Form::JournalText, Form::Rfc3164, Form::IsoSyslog, Form::Bare],
        "journal-json" => &[Form::JournalJson],
        "iso-file" => &[Form::IsoSyslog],
        "rfc3164" | "rfc3164-without-ident" => &[Form::Rfc3164],
        "rfc5424" => &[Form::Rfc5424],
        "busybox" => &[Form::Busybox],
        "openwrt" => &[Form::OpenWrt],
        "docker-json" => &[Form::DockerJson],
        "cri" => &[Form::Cri],
        "marker" => &[Form::Dmesg, Form::Bare, Form::Rfc3164],
        other => panic!("{other}"),
    }
}

/// The moment that a `stamp` or `wall` of the expectations means, read the slow way.
fn moment(stamp: &str) -> i64 {
    let iso = |text: &str| {
        chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros())
    };
    iso(stamp)
        .or_else(|| iso(&format!("{stamp}Z")))
        .or_else(|| {
            let text = format!("2026 {stamp}");
            let time = chrono::NaiveDateTime::parse_from_str(&text, "%Y %b %d %H:%M:%S").ok()?;
            Some(time.and_utc().timestamp_micros())
        })
        .unwrap_or_else(|| panic!("{stamp}"))
}

#[test]
fn every_known_envelope_gives_the_expected_fields() {
    let records = data("envelopes.jsonl");
    let mut count = 0;
    for record in records.split(|byte| *byte == b'\n').filter(|record| !record.is_empty()) {
        let record: Value = serde_json::from_slice(record).unwrap();
        check_record(&record);
        count += 1;
    }
    assert_eq!(count, 95);
}

fn check_record(record: &Value) {
    let id = record["id"].as_str().unwrap();
    let expect = &record["expect"];
    let mut found = peel(record["line"].as_str().unwrap());
    if expect.get("dict").is_some() {
        assert_eq!(found.split_off(1), [Out::Noise, Out::Noise], "{id}");
    }
    assert_eq!(found.len(), 1, "{id}: {found:?}");
    let line = match (&found[0], expect["lost"].as_str()) {
        (Out::Line(line), None) => line,
        (Out::Blob { host, bytes }, Some(lost)) => {
            assert_eq!((host.as_deref(), *bytes), (Some("vm"), 206), "{id}: {lost}");
            return;
        }
        (Out::Repeat { host, times }, None) => {
            assert_eq!(host.as_deref(), Some("wdc-dev"), "{id}");
            assert_eq!(Some(u64::from(*times)), expect["repeat"].as_u64(), "{id}");
            return;
        }
        (other, _) => panic!("{id}: {other:?}"),
    };
    let form = forms_of(expect["envelope"].as_str().unwrap());
    assert!(form.contains(&line.form), "{id}: {:?}", line.form);
    check_text(id, line, expect);
    check_origin(id, line, expect);
    check_time(id, line, expect);
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn check_text(id: &str, line: &Peel, expect: &Value) {
    if let Some(payload) = expect["payload"].as_str() {
        assert_eq!(text(&line.payload), payload, "{id}");
    }
    if let Some(hex) = expect["payload_bytes_hex"].as_str() {
        assert_eq!(hexadecimal(&line.payload), hex, "{id}");
    }
    if let Some(lost) = expect["lost"].as_u64() {
        assert_eq!(text(&line.payload), format!("Missed {lost} kernel messages"), "{id}");
        assert_eq!(line.tag.as_deref(), Some("systemd-journald"), "{id}");
    }
    if let Some(count) = expect["count"].as_u64() {
        assert!(
            text(&line.payload).contains(&format!("{count} ")),
            "{id}: {}",
            text(&line.payload)
        );
    }
    assert_eq!(u64::from(line.copies), expect["repeat"].as_u64().unwrap_or(1), "{id}");
    assert_eq!(line.continuation, expect["cont"].as_bool().unwrap_or(false), "{id}");
}

fn check_origin(id: &str, line: &Peel, expect: &Value) {
    if let Some(host) = expect.get("host") {
        assert_eq!(line.host.as_deref(), host.as_str(), "{id}");
    }
    if let Some(ident) = expect.get("ident") {
        assert_eq!(line.tag.as_deref(), ident.as_str(), "{id}");
    }
    for (name, value) in [("level", line.level), ("facility", line.facility)] {
        if let Some(number) = expect[name].as_u64() {
            assert_eq!(value.map(u64::from), Some(number), "{id}: {name}");
        }
    }
    if let Some(seq) = expect["seq"].as_u64() {
        assert_eq!(line.seq, Some(seq), "{id}");
    }
    if let Some(boot) = expect["boot"].as_str() {
        let shown = line.boot.map(|id| hexadecimal(&id));
        assert_eq!(shown.as_deref(), Some(boot), "{id}");
    }
    // busybox's old klogd hands the kernel's lines on as `user`.
    let of_busybox = expect["envelope"] == "busybox";
    let foreign_facility = !of_busybox && line.facility.is_some_and(|facility| facility != 0);
    if expect["pid"].is_number() || expect["trusted"] == Value::Bool(false) || foreign_facility {
        assert_eq!(line.trust, Trust::Suspect, "{id}");
    } else if expect["trusted"].is_string() || expect["trusted"] == Value::Bool(true) {
        assert_ne!(line.trust, Trust::Suspect, "{id}");
    }
    let provable = matches!(line.form, Form::Kmsg | Form::JournalJson);
    assert_eq!(line.trust == Trust::Kernel, provable && line.trust != Trust::Suspect, "{id}");
}

fn check_time(id: &str, line: &Peel, expect: &Value) {
    if let Some(uptime) = expect["uptime_us"].as_u64() {
        assert_eq!(line.uptime, Some(uptime), "{id}");
    }
    for (name, unit) in [("wall_us", 1), ("wall_ms", 1000)] {
        if let Some(wall) = expect[name].as_i64() {
            assert_eq!(line.wall, Some(wall * unit), "{id}");
        }
    }
    for name in ["stamp", "wall"] {
        if let Some(stamp) = expect[name].as_str() {
            assert_eq!(line.wall, Some(moment(stamp)), "{id}");
        }
    }
    if expect.get("wall_minute").is_some() {
        assert_eq!(line.wall, Some(moment("Nov 22 13:27:00")), "{id}");
    }
    if expect.get("time").is_some()
        || (expect.get("delta_us").is_some() && expect["wall"].is_null() && line.uptime.is_none())
    {
        assert_eq!((line.uptime, line.wall), (None, None), "{id}");
    }
}

/// Each mode's section of a capture, without its title.
fn sections(capture: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    for line in capture.split_inclusive(|byte| *byte == b'\n') {
        if let Some(title) = line.strip_prefix(b"== ") {
            found.push((text(title.trim_ascii()), Vec::new()));
        } else {
            found.last_mut().unwrap().1.extend_from_slice(line);
        }
    }
    found
}

#[test]
fn every_mode_of_journalctl_tells_the_same_four_messages() {
    let capture = data("envelopes/journal-all-modes.txt");
    let titles: Vec<String> = sections(&capture).into_iter().map(|(title, _)| title).collect();
    assert_eq!(titles.len(), 16, "{titles:?}");
    for (title, section) in sections(&capture) {
        let found = peel(&section);
        let lines: Vec<&Peel> = found
            .iter()
            .filter_map(|out| match out {
                Out::Line(line) => Some(line),
                _ => None,
            })
            .collect();
        assert!(!found.iter().any(|out| matches!(out, Out::Broken { .. })), "{title}");
        assert_eq!(lines.len(), 4, "{title}: {found:#?}");
        assert!(
            text(&lines[0].payload)
                .starts_with("TRACE: security:INPUT:policy:1 IN=tketh0 OUT= MAC="),
            "{title}"
        );
        assert!(text(&lines[0].payload).ends_with(" SEQ=0 "), "{title}");
        assert_eq!(
            text(&lines[1].payload),
            "TRACE: filter:FORWARD:policy:1 IN=tkspoof2 OUT= SRC=10.77.9.9",
            "{title}"
        );
        assert_eq!(text(&lines[3].payload), "Journal stopped", "{title}");
        if title == "-o cat" {
            continue;
        }
        let trust: Vec<Trust> = lines.iter().map(|line| line.trust).collect();
        let provable = ["json", "verbose", "export"].iter().any(|mode| title.contains(mode));
        let first = if provable { Trust::Kernel } else { Trust::Text };
        assert_eq!(trust, [first, Trust::Suspect, Trust::Suspect, Trust::Suspect], "{title}");
        assert!(lines.iter().all(|line| line.host.as_deref() == Some("vm")), "{title}");
        if provable {
            assert_eq!(lines[0].uptime, Some(1_615_001_866), "{title}");
            assert_eq!(lines[0].wall, Some(1_795_354_139_947_697), "{title}");
            assert_eq!(lines[0].boot.map(|id| id[0]), Some(0xe7), "{title}");
        }
    }
}

#[test]
fn every_mode_of_dmesg_tells_the_same_line() {
    let capture = data("envelopes/dmesg-all-modes.txt");
    let mut seen = 0;
    for (title, section) in sections(&capture) {
        let found: Vec<Out> = peel(&section).into_iter().filter(|out| *out != Out::Noise).collect();
        let payloads = payloads(&found);
        assert_eq!(payloads.len(), found.len(), "{title}: {found:?}");
        let last = payloads.last().unwrap();
        assert!(last.starts_with("TRACE: security:INPUT:policy:1 IN=tketh0 "), "{title}: {last}");
        assert!(last.ends_with(" SEQ=0 "), "{title}: {last}");
        seen += 1;
    }
    assert_eq!(seen, 21);
}

#[test]
fn json_of_dmesg_is_read_even_where_grep_cut_it() {
    for (name, level) in [("dmesg-json", 4), ("dmesg-json-decode", 4)] {
        let found = peel(data(&format!("envelopes/{name}.txt")));
        let lines: Vec<&Peel> = found
            .iter()
            .filter_map(|out| match out {
                Out::Line(line) => Some(line),
                _ => None,
            })
            .collect();
        assert_eq!(lines.len(), 1, "{found:?}");
        assert_eq!((lines[0].uptime, lines[0].level), (Some(2_559_610_506), Some(level)), "{name}");
        assert_eq!((lines[0].form, lines[0].trust), (Form::DmesgJson, Trust::Text), "{name}");
    }
}

#[test]
fn json_of_dmesg_on_one_line_or_many() {
    let one = "{\"dmesg\":[{\"pri\":4,\"time\":  1501.098037,\"msg\":\"a\"},{\"fac\":\"user\",\"pri\":\"warn\",\"time\":2.5,\"msg\":\"b\"}]}";
    let many = "{\n   \"dmesg\": [\n      {\n         \"pri\": 4,\n         \"time\":  1501.098037,\n         \"msg\": \"a\"\n      },{\n         \"fac\": \"user\",\n         \"pri\": \"warn\",\n         \"time\":     2.500000,\n         \"msg\": \"b\"\n      }\n   ]\n}\nafter\n";
    for source in [one, many] {
        let found: Vec<Peel> = peel(source)
            .into_iter()
            .filter_map(|out| match out {
                Out::Line(line) => Some(line),
                _ => None,
            })
            .collect();
        assert_eq!((found[0].uptime, found[0].trust), (Some(1_501_098_037), Trust::Text));
        assert_eq!((found[1].uptime, found[1].trust), (Some(2_500_000), Trust::Suspect));
        assert_eq!((found[1].facility, found[1].level), (Some(1), Some(4)));
    }
    assert_eq!(payloads(&peel(many)), ["a", "b", "after"]);
}

#[test]
fn all_rsyslog_formats_tell_the_same_six_messages() {
    let expected = payloads(&peel(data("envelopes/rsyslog-o-FileFormat")));
    assert_eq!(expected.len(), 6);
    assert!(expected[2].starts_with("TRACE: filter:café:return:1 "));
    for name in [
        "ForwardFormat",
        "SysklogdFileFormat",
        "SyslogProtocol23Format",
        "TraditionalFileFormat",
        "TraditionalForwardFormat",
    ] {
        let found = lines(data(&format!("envelopes/rsyslog-o-{name}")));
        let shown: Vec<String> = found.iter().map(|line| text(&line.payload)).collect();
        assert_eq!(shown, expected, "{name}");
        let copies: Vec<u32> = found.iter().map(|line| line.copies).collect();
        assert_eq!(copies, [1, 3, 1, 1, 1, 1], "{name}");
        assert_eq!(found[2].uptime, Some(1_687_924_627), "{name}");
        assert!(found.iter().all(
            |line| line.host.as_deref() == Some("vm") && line.tag.as_deref() == Some("kernel")
        ));
    }
}

#[test]
fn glued_records_keep_their_own_offsets_and_priorities() {
    let source = data("envelopes/rsyslog-o-ForwardFormat");
    for line in lines(&source) {
        let at = usize::try_from(line.offset).unwrap();
        assert!(source[at..].starts_with(b"<"), "{at}");
    }
    let found = lines(&source);
    assert_eq!(found[5].trust, Trust::Suspect);
    assert_eq!((found[5].facility, found[4].facility), (Some(1), Some(0)));
    // A program's own words do not become a line of the kernel.
    let forged =
        line("Nov 22 13:34:42 vm sshd[1]: hi <4>Nov 22 13:34:42 vm kernel: TRACE: x:y:rule:1 IN=");
    assert_eq!(forged.trust, Trust::Suspect);
}

#[test]
fn busybox_with_and_without_its_small_switch() {
    let found = lines(data("envelopes/syslogd.default.txt"));
    let trust: Vec<Trust> = found[1..4].iter().map(|line| line.trust).collect();
    assert_eq!(trust, [Trust::Text, Trust::Text, Trust::Text]);
    assert_eq!(
        (found[1].facility, found[1].level, found[1].host.as_deref()),
        (Some(0), Some(4), Some("vm"))
    );
    let found = lines(data("envelopes/syslogd-S.txt"));
    assert_eq!((found[1].host.as_deref(), found[1].tag.as_deref()), (None, Some("kernel")));
    assert_eq!(found[1].uptime, Some(1_501_098_035));
}

#[test]
fn kmsg_captures_are_records_throughout() {
    for (name, records) in [("torn3.kmsg", 320), ("nftzoo.kmsg", 232)] {
        let source = data(&format!("envelopes/{name}"));
        let count = source.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        assert_eq!(count, records, "{name}");
        let found = lines(&source);
        assert_eq!(found.len(), count, "{name}");
        assert!(
            found.iter().all(|line| line.form == Form::Kmsg && line.trust == Trust::Kernel),
            "{name}"
        );
        assert!(found.iter().any(|line| line.continuation) || name != "torn3.kmsg");
    }
}

#[test]
fn inputs_may_be_mixed_line_by_line() {
    let source = concat!(
        "4,3437,1501098037,-;a\n",
        " SUBSYSTEM=net\n",
        " IP SRC=172.29.0.6 IP DST=172.29.0.5, IP tos=0x00, IP proto=17\n",
        " SUBSYSTEM=net\n",
        "[ 1501.098037] b\n",
        "Nov 22 13:34:42 vm kernel: c\n",
        "__CURSOR=s=1\n_TRANSPORT=kernel\nMESSAGE=d\n\n",
        "{\"MESSAGE\":\"e\",\"_TRANSPORT\":\"kernel\"}\n",
        "{\n\t\"MESSAGE\" : \"f\",\n\t\"_TRANSPORT\" : \"kernel\"\n}\n",
        "2026-11-22T13:34:42.123456789Z stdout F g\n",
        "-- Boot e77df23497184e69be1f5de6a2a10810 --\n",
        "Sun 2026-11-22 13:34:42.000000 UTC [s=9;b=e77df23497184e69be1f5de6a2a10810;t=660dd7a332680]\n",
        "    _TRANSPORT=kernel\n    MESSAGE=h\n",
        "\n",
        "<4>1 2026-11-22T13:34:42Z vm kernel - - - i\n",
        "j\n",
    );
    let found = peel(source);
    let fragment = " IP SRC=172.29.0.6 IP DST=172.29.0.5, IP tos=0x00, IP proto=17";
    assert_eq!(
        payloads(&found),
        ["a", fragment, " SUBSYSTEM=net", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
    );
    assert_eq!(found.iter().filter(|out| **out == Out::Noise).count(), 3);
    assert!(!found.iter().any(|out| matches!(out, Out::Broken { .. })));
}

#[test]
fn an_export_ends_where_other_lines_begin() {
    let source = "__CURSOR=s=1\n_TRANSPORT=kernel\nMESSAGE=a\n__CURSOR=s=2\n_TRANSPORT=kernel\nMESSAGE=b\nNov 22 13:34:42 vm kernel: c\n";
    let found = lines(source);
    let offsets: Vec<u64> = found.iter().map(|line| line.offset).collect();
    assert_eq!(payloads(&peel(source)), ["a", "b", "c"]);
    assert_eq!(offsets, [0, 41, 82]);
}

/// One export record with a binary message.
fn export(message: &[u8]) -> Vec<u8> {
    let mut record = b"__CURSOR=s=1\n_TRANSPORT=kernel\nMESSAGE\n".to_vec();
    record.extend_from_slice(&(message.len() as u64).to_le_bytes());
    record.extend_from_slice(message);
    record.extend_from_slice(b"\nPRIORITY=4\n\n");
    record
}

#[test]
fn binary_fields_hold_newlines_and_lengths_that_look_like_them() {
    for message in [
        b"a\nb\n\nc".as_slice(),
        b"TRACE: filter:caf\xe9:return:1 IN=",
        b"0123456789",
        b"",
        b"\n",
        &[b'x'; 2570],
        b"a\r",
    ] {
        let found = line(export(message));
        assert_eq!(found.payload, message);
        assert_eq!(
            (found.level, found.trust, found.form),
            (Some(4), Trust::Kernel, Form::JournalExport)
        );
    }
}

#[test]
fn a_binary_field_that_cannot_be_is_broken_and_the_rest_is_read() {
    let mut source = b"__CURSOR=s=1\nMESSAGE\n".to_vec();
    source.extend_from_slice(&[0xff; 8]);
    source.extend_from_slice(b"\nNov 22 13:34:42 vm kernel: a\n");
    let found = peel(&source);
    assert_eq!(found[0], Out::Broken { offset: 0 });
    assert_eq!(payloads(&found), ["a"]);
    // One that the source ends in the middle of.
    let cut = export(b"0123456789");
    assert_eq!(peel(&cut[..cut.len() - 20]), [Out::Broken { offset: 0 }]);
}

#[test]
fn a_binary_field_in_a_shortened_line_is_stepped_over_by_its_offsets() {
    let mut peeler = Peeler::new(SourceId(0), options());
    let mut found = Vec::new();
    let mut offset = 0;
    let mut push = |raw: &[u8], whole: usize| {
        peeler.push(raw, offset, &mut |peeled| found.push(own(peeled)));
        offset += whole as u64 + 1;
    };
    let mut field = 100_000_u64.to_le_bytes().to_vec();
    field.extend_from_slice(&vec![b'x'; 60_000]);
    for raw in [b"__CURSOR=s=1".as_slice(), b"_TRANSPORT=kernel", b"MESSAGE=a", b"COREDUMP"] {
        push(raw, raw.len());
    }
    push(&field, 100_008);
    for raw in [b"PRIORITY=3".as_slice(), b"", b"[ 1.5] b"] {
        push(raw, raw.len());
    }
    assert_eq!(payloads(&found), ["a", "b"]);
    assert!(matches!(&found[0], Out::Line(line) if line.level == Some(3)));
}

#[test]
fn records_that_never_end_are_bounded() {
    let mut source = b"__CURSOR=s=1\nMESSAGE\n".to_vec();
    source.extend_from_slice(&(3_u64 << 20).to_le_bytes());
    source.extend(std::iter::repeat_n(b"0123456789\n".as_slice(), (3 << 20) / 11 + 1).flatten());
    source.truncate(21 + 8 + (3 << 20));
    source.extend_from_slice(b"\n\n[ 1.5] after\n");
    let found = peel(&source);
    assert!(matches!(found[0], Out::Broken { offset: 0 }), "{:?}", found[0]);
    assert_eq!(payloads(&found).last().map(String::as_str), Some("after"));
    let part = "2026-11-22T13:34:42Z stdout P 0123456789012345678901234567890123456789\n";
    let source = part.repeat(40_000)
        + "2026-11-22T13:34:42Z stdout F end\n2026-11-22T13:34:42Z stdout F next\n";
    let found = peel(source);
    assert_eq!(found[0], Out::Broken { offset: 0 });
    assert_eq!(payloads(&found), ["next"]);
    let source = format!("{{\n{}}}\nafter\n", "\t\"A\" : \"0123456789\",\n".repeat(100_000));
    let found = peel(source);
    assert!(matches!(found[0], Out::Broken { .. }));
    assert_eq!(payloads(&found).last().map(String::as_str), Some("after"));
}

#[test]
fn parts_of_container_lines_are_joined_by_stream() {
    let source = concat!(
        "2026-11-22T13:34:42.1Z stdout P [ 1501.098037] TRACE: filter:INPUT:pol\n",
        "2026-11-22T13:34:42.2Z stderr F other\n",
        "2026-11-22T13:34:42.3Z stdout P icy:1 IN=eth0\n",
        "2026-11-22T13:34:42.4Z stdout F  OUT=\n",
    );
    let found = lines(source);
    assert_eq!(text(&found[0].payload), "other");
    assert_eq!(text(&found[1].payload), "TRACE: filter:INPUT:policy:1 IN=eth0 OUT=");
    assert_eq!((found[1].uptime, found[1].wall), (Some(1_501_098_037), Some(AT + 100_000)));
    assert_eq!((found[1].form, found[1].offset), (Form::Cri, 0));
    // Docker cuts at 16 KiB; a shorter line without newline is whole.
    let long = "x".repeat(16_384);
    let docker = format!(
        "{{\"log\":\"{long}\",\"stream\":\"stdout\",\"time\":\"2026-11-22T13:34:42Z\"}}\n\
         {{\"log\":\"\\u003cy\\u003e\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T13:34:43Z\"}}\n",
    );
    let found = line(docker);
    assert_eq!(text(&found.payload), long + "<y>");
    assert_eq!((found.form, found.wall), (Form::DockerJson, Some(AT)));
    let bare = "{\"log\":\"IN=a OUT= \"}\n{\"log\":\"IN=b OUT= \"}\n";
    assert_eq!(payloads(&peel(bare)), ["IN=a OUT= ", "IN=b OUT= "]);
}

#[test]
fn what_a_container_prints_proves_nothing() {
    let kmsg = line("{\"log\":\"4,1,1501098037,-;TRACE: x\\n\",\"stream\":\"stdout\"}");
    assert_eq!((kmsg.trust, kmsg.uptime), (Trust::Text, Some(1_501_098_037)));
    let journal =
        line("2026-11-22T13:34:42Z stdout F {\"MESSAGE\":\"x\",\"_TRANSPORT\":\"kernel\"}");
    assert_eq!((journal.trust, journal.form), (Trust::Text, Form::Cri));
    let syslog = line("2026-11-22T13:34:42Z stdout F Nov 22 13:34:41 vm kernel[1]: x");
    assert_eq!((syslog.trust, syslog.wall), (Trust::Suspect, Some(AT - 1_000_000)));
}

#[test]
fn messages_of_the_journal_that_are_bytes_null_or_cut() {
    let spread = "{\n\t\"_TRANSPORT\" : \"kernel\",\n\t\"MESSAGE\" : [\n\t\t84,\n\t\t233\n\t]\n}\n";
    assert_eq!(line(spread).payload, b"T\xe9");
    let null = "{\"MESSAGE\":null,\"_TRANSPORT\":\"kernel\",\"_HOSTNAME\":\"vm\"}";
    assert_eq!(peel(null), [Out::Blob { host: Some("vm".into()), bytes: 0 }]);
    let cut = "{\"_TRANSPORT\":\"kernel\",\"MESSAGE\":\"TRACE: fil";
    assert_eq!(peel(cut), [Out::Broken { offset: 0 }]);
    let cut = format!("{cut}\n[ 1.5] a\n");
    assert_eq!(payloads(&peel(cut)), ["a"]);
}

#[test]
fn zero_bytes_are_counted_and_cut_lines_apart() {
    let found =
        peel(b"Nov 22 13:34:42 vm kernel: IN=et\0\0\0Nov 22 13:34:43 vm kernel: b\n\0\0\n\0c\0\n");
    assert_eq!(payloads(&found), ["IN=et", "b", "c"]);
    let zeros: Vec<&Out> = found.iter().filter(|out| matches!(out, Out::Nul { .. })).collect();
    assert_eq!(
        zeros,
        [
            &Out::Nul { offset: 32, bytes: 3 },
            &Out::Nul { offset: 64, bytes: 2 },
            &Out::Nul { offset: 67, bytes: 1 }
        ]
    );
}

#[test]
fn years_roll_over_and_zones_apply() {
    let source = "Dec 31 23:59:59 vm kernel: a\nJan  1 00:00:01 vm kernel: b\nDec 31 23:59:58 vm kernel: late\nJan  1 00:00:02 vm kernel: c\n";
    let walls = |options| -> Vec<Option<i64>> {
        peel_with(options, source.as_bytes())
            .iter()
            .map(|out| match out {
                Out::Line(line) => line.wall,
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let new_year = moment("2027-01-01T00:00:00");
    let expected = |zone: i64| {
        [-1_000_000, 1_000_000, -2_000_000, 2_000_000]
            .map(|step| Some(new_year + step - zone))
            .to_vec()
    };
    assert_eq!(walls(options()), expected(0));
    let newest = Some(WallTime(moment("2027-01-01T08:00:00")));
    let inferred = PeelOptions { year: None, timezone: Timezone::Utc, newest };
    assert_eq!(walls(inferred), expected(0));
    let east = PeelOptions { timezone: Timezone::Fixed(3600), ..inferred };
    assert_eq!(walls(east), expected(3_600_000_000));
    let named = PeelOptions { timezone: Timezone::Named(chrono_tz::Europe::Berlin), ..inferred };
    assert_eq!(walls(named), expected(3_600_000_000));
    let unknown = PeelOptions { year: None, timezone: Timezone::Utc, newest: None };
    assert_eq!(walls(unknown), [None; 4]);
}

#[test]
fn the_hours_around_a_clock_change_are_read() {
    let berlin = PeelOptions { timezone: Timezone::Named(chrono_tz::Europe::Berlin), ..options() };
    let wall = |stamp: &str| {
        let found = peel_with(berlin, format!("{stamp} vm kernel: a").as_bytes());
        match &found[..] {
            [Out::Line(line)] => line.wall,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(wall("Mar 29 01:59:59"), Some(moment("2026-03-29T00:59:59")));
    assert_eq!(wall("Mar 29 02:30:00"), Some(moment("2026-03-29T01:30:00")));
    assert_eq!(wall("Mar 29 03:00:00"), Some(moment("2026-03-29T01:00:00")));
    assert_eq!(wall("Oct 25 02:30:00"), Some(moment("2026-10-25T00:30:00")));
    assert_eq!(wall("2026-10-25 02:30:00.25"), Some(moment("2026-10-25T00:30:00.25")));
    assert_eq!(wall("Sun 2026-10-25 02:30:00 CET"), Some(moment("2026-10-25T01:30:00")));
}

#[test]
fn relative_stamps_count_from_the_minute_mark() {
    let found = lines(
        "[  +0.000001] a\n[Nov22 13:34] b\n[  +0.000002] c\n[ +12.000000] d\n[<    0.000002>] e\n",
    );
    let minute = AT - 42_000_000;
    let walls: Vec<Option<i64>> = found.iter().map(|line| line.wall).collect();
    assert_eq!(walls, [None, Some(minute), Some(minute + 2), Some(minute + 12_000_002), None]);
    assert!(found.iter().all(|line| line.uptime.is_none()));
}

#[test]
fn other_peoples_syslog_lines() {
    let nf = "IN=eth0 OUT= MAC=aa SRC=192.0.2.1 DST=192.0.2.2 LEN=40 PROTO=TCP SPT=1 DPT=2";
    for (head, host) in [
        ("Mar  8 20:16:44 black kernel: [20474.050964] ", Some("black")),
        ("Mar 8 20:16:44 linux kernel: ", Some("linux")),
        ("Jan 29 00:00:28 10.0.0.1 kernel: ", Some("10.0.0.1")),
        ("Jan 29 00:00:28 2001:db8::1 kernel: ", Some("2001:db8::1")),
        ("Jan 29 00:00:28 fw.example.net kernel: ", Some("fw.example.net")),
        ("Jan 29 00:00:28 (\"U7PG2,788a20,v4.0\") kernel: ", Some("(\"U7PG2,788a20,v4.0\")")),
        ("Jan 29 00:00:28.123 fw kernel: ", Some("fw")),
        ("Jan 29 2026 00:00:28 fw kernel: ", Some("fw")),
        ("Jan 29 00:00:28 kernel: ", None),
        ("Jan 29 00:00:28 [kernel] ", None),
        ("Jan 29 00:00:28 kernel kernel: ", Some("kernel")),
        ("kernel: ", None),
        ("<4>kernel: ", None),
        ("<4>", None),
        ("<4>[    0.500000] ", None),
        ("<4>Jan 29 00:00:28 fw kernel: <4>[   12.5] ", Some("fw")),
        ("2015-03-07T05:09:30.045015+02:00 fw kernel: ", Some("fw")),
        ("2015-03-07T05:09:30Z fw kernel: ", Some("fw")),
        ("2015-03-07T05:09:30,123+0200 fw kernel: ", Some("fw")),
        ("2015-03-07 05:09:30.045 fw kernel: ", Some("fw")),
        ("2015-03-07T05:09:30Z [   12.5] ", None),
        ("2015-03-07T05:09:30Z Jan 29 00:00:28 fw kernel: ", Some("fw")),
        ("Fri Nov 22 13:27:05 2026 kern.warn kernel: [   12.5] ", None),
        ("Fri Nov 22 13:27:05 2026 fw kernel: ", Some("fw")),
        ("messages-3:Mar 17 13:39:13 linux kernel: [956932.522957] ", Some("linux")),
        ("/var/log/kern.log:17:2015-03-07T05:09:30Z fw kernel: ", Some("fw")),
        ("2026/11/22 13:00:00 fw kernel: ", Some("fw")),
        ("    Jan 29 00:00:28 fw kernel: ", Some("fw")),
        ("127 <4>1 2026-11-22T13:34:42Z fw kernel - - - ", Some("fw")),
        ("99 <4>Nov 22 13:34:42 fw kernel: ", Some("fw")),
        ("Mär 17 13:39:13 fw kernel: ", Some("fw")),
        ("[So Mär 22 13:27:05 2026] ", None),
        ("[   12.500000] kernel: ", None),
        ("Jan 29 00:00:28 fw kernel:  [   12.5] ", Some("fw")),
        ("router-1  | [   12.5] ", None),
        ("<174>1 2003-08-24T05:14:15+00:00 - - - - - ", None),
        ("Jan 29 00:00:28 fw ulogd[12]: ", Some("fw")),
        ("Jan 29 00:00:28 fw fw ", Some("fw")),
        ("0 3 PVEFW-HOST-IN 20/Jun/2022:13:09:14 +0200 ", None),
    ] {
        let found = line(format!("{head}{nf}"));
        assert_eq!(text(&found.payload), nf, "{head}");
        assert_eq!(found.host.as_deref(), host, "{head}");
        assert_eq!(found.trust, Trust::Text, "{head}");
    }
}

#[test]
fn old_routers_klogd_hands_kernel_lines_on_as_user() {
    let found = line("Jan  1 00:01:10 DD-WRT user.warn kernel: DROP IN=vlan2 OUT= SRC=1.2.3.4");
    assert_eq!(found.trust, Trust::Text);
    assert_eq!(found.payload, b"DROP IN=vlan2 OUT= SRC=1.2.3.4");
}

#[test]
fn what_did_not_come_from_the_kernel_is_suspect() {
    for head in [
        "Nov 22 13:34:42 vm kernel[30931]: ",
        "Nov 22 13:34:42 vm sshd[1]: ",
        "Nov 22 13:34:42 vm logger: ",
        "Nov 22 13:34:42 vm root: ",
        "Nov 22 13:34:42 vm daemon.warn kernel: ",
        "<12>Nov 22 13:34:42 vm kernel: ",
        "<12>1 2026-11-22T13:34:42Z vm kernel - - - ",
        "<4>1 2026-11-22T13:34:42Z vm kernel 12 - - ",
        "<12>[    0.500000] ",
        "user  :warn  : [    0.500000] ",
        "Fri Nov 22 13:27:05 2026 daemon.info dnsmasq[12]: ",
        "12,3500,1501098037,-;",
        "kernel[1]: ",
    ] {
        let found = line(format!("{head}TRACE: filter:INPUT:policy:1 IN=eth0 OUT= SRC=10.77.9.9"));
        assert_eq!(found.trust, Trust::Suspect, "{head}");
        assert!(found.payload.starts_with(b"TRACE: filter"), "{head}: {}", text(&found.payload));
    }
    // util-linux 2.38 prints a program's warning with a small number; that proves nothing.
    assert_eq!(line("<5>[    0.500000] TRACE: x").trust, Trust::Text);
}

/// Text that can stand in a payload and does not itself look like more wrapping.
fn payload() -> impl Strategy<Value = String> {
    "(TRACE: [a-z]{1,8}:[A-Z]{1,9}:rule:[0-9]{1,2} |[A-Z]{2,8}[:>-]? ?)?IN=[a-z0-9.@]{0,8} OUT=[!-~ é\\\\]{0,60}"
        .prop_filter("no glued record, no list in brackets", |text| !text.contains('<'))
}

proptest! {
    #[test]
    fn a_payload_comes_back_from_every_envelope(payload in payload()) {
        let quoted = serde_json::to_string(&payload).unwrap();
        let logged = serde_json::to_string(&format!("{payload}\n")).unwrap();
        let escaped: String = payload.bytes().fold(String::new(), |mut out, byte| {
            use std::fmt::Write;
            match byte {
                b' '..=b'~' if byte != b'\\' => out.push(char::from(byte)),
                _ => write!(out, "\\x{byte:02x}").unwrap(),
            }
            out
        });
        for wrapped in [
            payload.clone(),
            format!("{payload}\r"),
            format!("4,3437,1501098037,-;{escaped}"),
            format!("[ 1501.098037] {payload}"),
            format!("[ 1501.098037][    C1] {payload}"),
            format!("<4>[ 1501.098037] {payload}"),
            format!("kern  :warn  : [ 1501.098037] {payload}"),
            format!("[Sun Nov 22 13:27:05 2026] {payload}"),
            format!("2026-11-22T13:27:05,098037+00:00 {payload}"),
            format!("\x1b[32m[ 1501.098037] \x1b[0m\x1b[1m{payload}\x1b[0m"),
            format!("Nov 22 13:34:42 vm kernel: {payload}"),
            format!("Nov 22 13:34:42 vm kernel: [ 1501.098037] {payload}"),
            format!("<4>Nov 22 13:34:42 vm kernel: {payload}"),
            format!("2026-11-22T13:34:42.707639+00:00 vm kernel: {payload}"),
            format!("<4>1 2026-11-22T13:34:42.707639+00:00 vm kernel - - - {payload}"),
            format!("[ 1615.001866] vm kernel: {payload}"),
            format!("1795354139.947697 vm kernel: {payload}"),
            format!("Sun 2026-11-22 13:28:59 UTC vm kernel: {payload}"),
            format!("{{\"MESSAGE\":{quoted},\"_TRANSPORT\":\"kernel\"}}"),
            format!("\x1e{{\"MESSAGE\":{quoted},\"_TRANSPORT\":\"kernel\"}}"),
            format!("data: {{\"MESSAGE\":{quoted},\"_TRANSPORT\":\"kernel\"}}"),
            format!("__CURSOR=s=1\n_TRANSPORT=kernel\nMESSAGE={payload}\n\n"),
            String::from_utf8(export(payload.as_bytes())).unwrap_or_else(|_| payload.clone()),
            format!("Nov 22 13:39:21 vm kern.warn kernel: {payload}"),
            format!("Fri Nov 22 13:27:05 2026 [1795354025.098] kern.warn kernel: {payload}"),
            format!("{{\"log\":{logged},\"stream\":\"stdout\",\"time\":\"2026-11-22T13:27:05Z\"}}"),
            format!("2026-11-22T13:27:05Z stdout F {payload}"),
            format!("2026-11-22T13:27:05Z stdout F [ 1501.098037] {payload}"),
        ] {
            let found = line(&wrapped);
            prop_assert_eq!(text(&found.payload), payload.clone(), "{}", wrapped);
            prop_assert_ne!(found.trust, Trust::Suspect);
        }
    }

    #[test]
    fn no_bytes_are_too_strange(source in proptest::collection::vec(hostile(), 0..40), at in any::<u32>()) {
        let mut peeler = Peeler::new(SourceId(0), PeelOptions { year: None, timezone: Timezone::Named(chrono_tz::Asia::Tehran), newest: Some(WallTime(i64::from(at) << 30)) });
        let mut offset = 0;
        let mut taken = 0;
        for piece in source {
            peeler.push(&piece, offset, &mut |peeled| if let Peeled::Line(line) = peeled { taken += line.payload.len(); });
            offset += piece.len() as u64 + u64::from(at % 3);
        }
        peeler.finish(&mut |_| taken += 1);
    }
}

/// Lines of noise, and lines that begin well and end in noise.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let heads = prop::sample::select(vec![
        "",
        "4,1,2,-;",
        "[ 1.5] ",
        "[<",
        "[Sun Nov 22 ",
        "[Nov22 13:27] ",
        "[  +",
        "<4>",
        "<4>1 ",
        "Nov 22 13:34:42 ",
        "Feb 29 23:59:60 ",
        "2026-11-22T13:34:42",
        "9999-12-31T23:59:60-23:59 ",
        "Sun 2026-11-22 13:28:59.9 UTC [s=1;t=fff",
        "    MESSAGE=",
        "__CURSOR=",
        "MESSAGE",
        "_TRANSPORT=kernel",
        "{",
        "{\"MESSAGE\":",
        "{\"log\":\"",
        "},{",
        "\t\"msg\": \"",
        "data: {",
        "\x1e{",
        "\x1b[1m",
        "kern  :warn  : ",
        "1795354139.9 ",
        "0 3 X 20/Jun/2022:13:09:14 ",
        "vm kernel: message repeated 4294967296 times: [",
        "2026-11-22T13:34:42Z stdout P ",
        "2026-11-22T13:34:42Z stdout F ",
        "a:b:Nov 22 ",
        "\u{feff}",
        "-- ",
        "x<4>Nov 22 13:34:42 ",
    ]);
    let tail = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..60),
        "[ -~]{0,60}".prop_map(String::into_bytes),
        Just(vec![0; 9]),
        Just(vec![b'['; 50]),
    ];
    (heads, tail).prop_map(|(head, tail)| [head.as_bytes(), &tail].concat())
}
