//! Lines that say that lines are missing, and lines of doubtful origin.

use tracecol::model::{AnomalyKind, GapReason, LineKind, Trust};
use tracecol::parse::Parser;

use super::{Output, input, read_lines};

fn one(payload: &str, tag: Option<&str>, trust: Trust) -> Output {
    let mut output = Output::default();
    let mut parser = Parser::new();
    let mut line = input(0, payload.as_bytes());
    line.tag = tag.map(str::as_bytes);
    line.trust = trust;
    let kind = parser.push(&line, &mut |parsed| output.take(parsed));
    output.kinds.push(kind);
    parser.finish(&mut |parsed| output.take(parsed));
    output
}

#[test]
fn losses_are_gaps() {
    use GapReason as R;
    #[rustfmt::skip]
    let cases = [
        ("Missed 137 kernel messages", Some("systemd-journald"), R::JournaldMissed, Some(137)),
        ("systemd-journald[205]: Missed 8 kernel messages", None, R::JournaldMissed, Some(8)),
        ("Suppressed 4711 messages from app.service", Some("systemd-journald"), R::JournaldSuppressed, Some(4711)),
        ("net_ratelimit: 42 callbacks suppressed", Some("kernel"), R::PrintkRatelimit, Some(42)),
        ("printk: 3 messages suppressed.", Some("kernel"), R::PrintkRatelimit, Some(3)),
        ("printk: sh: 12 output lines suppressed due to ratelimiting", Some("kernel"), R::DevkmsgRatelimit, Some(12)),
        ("** 91 printk messages dropped **", None, R::ConsoleDropped, Some(91)),
        ("imklog: 1033 messages lost due to rate-limiting (500 allowed within 5 seconds)", Some("rsyslogd"), R::RsyslogRatelimit, Some(1033)),
        ("imuxsock lost 35 messages from pid 1290 due to rate-limiting", Some("rsyslogd"), R::RsyslogRatelimit, Some(35)),
        ("imklog: begin to drop messages due to rate-limiting", Some("rsyslogd"), R::RsyslogRatelimit, None),
        ("nf_conntrack: nf_conntrack: table full, dropping packet", Some("kernel"), R::ConntrackTableFull, None),
        ("ip_conntrack: table full, dropping packet.", Some("kernel"), R::ConntrackTableFull, None),
        ("please increase S_SIZE", Some("kernel"), R::LineBufferFull, None),
    ];
    for (payload, tag, reason, lost) in cases {
        let output = one(payload, tag, Trust::Text);
        assert_eq!(output.kinds, [LineKind::Marker], "{payload}");
        assert_eq!(output.gaps, [(reason, lost)], "{payload}");
        // They come from userland as well.
        assert_eq!(one(payload, tag, Trust::Suspect).gaps, [(reason, lost)], "{payload}");
    }
}

#[test]
fn other_peoples_sentences_are_not_markers() {
    for payload in [
        "device eth0 entered promiscuous mode",
        "martian source 192.0.2.1 from 127.0.0.1, on dev eth0",
        "mailer: Missed 3 kernel messages in the queue",
        "3 messages from bob lost",
        "usb 1-1: new high-speed USB device",
    ] {
        let output = one(payload, Some("app"), Trust::Text);
        assert_eq!(
            (output.kinds.as_slice(), output.gaps.len()),
            ([LineKind::Other].as_slice(), 0),
            "{payload}"
        );
    }
}

#[test]
fn a_console_puts_its_marker_in_front_of_a_line() {
    let output = read_lines([b"** 91 printk messages dropped ** [   12.345678] x: IN=eth0 OUT= \
        SRC=192.0.2.9 DST=192.0.2.1 LEN=36 TOS=0x00 PREC=0xC0 TTL=1 ID=0 PROTO=2 "
        .as_slice()]);
    assert_eq!(output.kinds, [LineKind::Log]);
    assert_eq!(output.gaps, [(GapReason::ConsoleDropped, Some(91))]);
    let prefix = b"x: ".as_slice().into();
    assert_eq!(output.entries[0].site, tracecol::model::Site::Log { prefix });
}

#[test]
fn suspect_lines_are_remarked_and_never_used() {
    for payload in [
        "TRACE: raw:PREROUTING:policy:1 IN=eth0 OUT= SRC=192.0.2.9 DST=192.0.2.1 LEN=36 ",
        "x IN= OUT=a MAC source = 02:00:00:00:00:01 MAC dest = 02:00:00:00:00:02 proto = 0x0800",
        " IP SRC=192.0.2.9 IP DST=192.0.2.1, IP tos=0x00, IP proto=17",
        "SRC=192.0.2.9 DST=192.0.2.1 LEN=36 ",
    ] {
        let output = one(payload, None, Trust::Suspect);
        assert_eq!(output.kinds, [LineKind::Suspect], "{payload}");
        assert_eq!(output.anomaly_kinds(), [AnomalyKind::SuspectOrigin], "{payload}");
        assert_eq!(*output.anomalies[0].text, *payload.as_bytes());
        assert_eq!(output.entries, []);
    }
    let output = one("session opened for user root", Some("sshd"), Trust::Suspect);
    assert_eq!(
        (output.kinds.as_slice(), output.anomalies.len()),
        ([LineKind::Other].as_slice(), 0)
    );
}
