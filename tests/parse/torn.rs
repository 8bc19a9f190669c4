//! Torn ebtables lines: which piece belongs to which head, and when a head stops waiting.

use tracecol::model::{AnomalyKind, LineKind, Stamp, Uptime, WallTime};
use tracecol::parse::Parser;
use tracecol::render::kernel_line;

use super::{Output, input, read_lines};

const BARE: &str =
    "IN=veth0 OUT= MAC source = 02:00:00:00:00:01 MAC dest = 02:00:00:00:00:02 proto = 0x";
const IP: &str = " IP SRC=192.0.2.9 IP DST=192.0.2.1, IP tos=0x00, IP proto=17";
const PORTS: &str = " SPT=60651 DPT=7778";
const NF: &str =
    "IN=eth0 OUT= SRC=192.0.2.9 DST=192.0.2.1 LEN=36 TOS=0x00 PREC=0xC0 TTL=1 ID=0 PROTO=2 ";
const ARP: &str = " ARP HTYPE=1, PTYPE=0x0800, OPCODE=1";
const ARP_ADDRESSES: &str = " ARP MAC SRC=02:00:00:00:00:01 ARP IP SRC=192.0.2.9 ARP MAC DST=00:00:00:00:00:00 ARP IP DST=192.0.2.1";

fn head(prefix: &str, ethertype: &str) -> String {
    format!("{prefix} {BARE}{ethertype}")
}

fn read(lines: &[&str]) -> Output {
    read_lines(lines.iter().map(|line| line.as_bytes()))
}

/// The ebtables lines that came out, as text.
fn mended(output: &Output) -> Vec<String> {
    let bridge = output.entries.iter().filter(|entry| entry.site.is_bridge());
    bridge.map(|e| String::from_utf8(kernel_line(&e.site, &e.header)).unwrap()).collect()
}

#[test]
fn three_pieces_with_other_lines_between() {
    let head = head("x", "0800");
    let output = read(&[&head, NF, IP, NF, NF, PORTS]);
    assert_eq!(mended(&output), [format!("{head}{IP}{PORTS}")]);
    assert_eq!(output.anomaly_kinds(), [AnomalyKind::TornEbtablesLine]);
    let entry = output.entries.last().unwrap();
    assert_eq!((entry.position.offset, entry.pieces.as_slice()), (0, [2, 5].as_slice()));
    let (eb, log) = (LineKind::Ebtables, LineKind::Log);
    assert_eq!(output.kinds, [eb, log, eb, log, log, eb]);
}

#[test]
fn arp_is_torn_before_its_body_and_before_its_addresses() {
    let request = head("x", "0806");
    assert_eq!(
        mended(&read(&[&request, ARP, ARP_ADDRESSES])),
        [format!("{request}{ARP}{ARP_ADDRESSES}")]
    );
    let whole = format!("{request}{ARP}");
    assert_eq!(mended(&read(&[&whole, NF, ARP_ADDRESSES])), [format!("{whole}{ARP_ADDRESSES}")]);
    let reverse = head("x", "8035");
    assert_eq!(
        mended(&read(&[&reverse, " INCOMPLETE ARP header"])),
        [format!("{reverse} INCOMPLETE ARP header")]
    );
}

#[test]
fn pieces_may_have_lost_their_blank_in_a_text_file() {
    let head = head("x", "0800");
    let output = read(&[&head, IP.trim(), PORTS.trim()]);
    assert_eq!(mended(&output), [format!("{head}{IP}{PORTS}")]);
}

#[test]
fn a_new_head_closes_the_one_before() {
    let (first, second) = (head("a", "0800"), head("b", "0800"));
    let output = read(&[&first, &second, IP, PORTS]);
    assert_eq!(mended(&output), [first, format!("{second}{IP}{PORTS}")]);
    assert_eq!(output.anomaly_kinds(), [AnomalyKind::TornEbtablesLine]);
}

#[test]
fn a_piece_must_fit_its_head() {
    let v6 = head("x", "86dd");
    let output = read(&[&v6, IP, PORTS]);
    assert_eq!(output.anomaly_kinds(), [AnomalyKind::OrphanFragment; 2]);
    assert_eq!(output.kinds, [LineKind::Ebtables; 3]);
    assert_eq!(mended(&output), [v6]);
}

#[test]
fn a_lone_newline_ends_an_open_head_and_is_nothing_otherwise() {
    let head = head("x", "0800");
    let output = read(&[&head, NF, "", NF, ""]);
    assert_eq!(mended(&output), [head]);
    assert_eq!(output.entries[1].pieces, [2]);
    assert_eq!(output.kinds[2], LineKind::Ebtables);
    assert_eq!(output.kinds[4], LineKind::Other);
    assert_eq!(output.anomaly_kinds(), [AnomalyKind::TornEbtablesLine]);
}

#[test]
fn a_cut_piece_gives_what_it_has() {
    let head = head("x", "0800");
    let piece = " IP SRC=192.0.2.9 IP DST=192.0.2.1, IP to";
    let output = read(&[&head, piece, NF]);
    assert_eq!(mended(&output), [format!("{head} IP SRC=192.0.2.9 IP DST=192.0.2.1")]);
    assert_eq!(output.anomaly_kinds(), [AnomalyKind::TornEbtablesLine, AnomalyKind::CutLine]);
}

#[test]
fn missing_ports_leave_a_cut_line() {
    let head = format!("{}{IP}", head("x", "0800"));
    let output = read(&[&head]);
    assert_eq!(mended(&output), [head]);
    assert!(output.entries[0].header.cut);
    assert_eq!(output.anomaly_kinds(), [AnomalyKind::CutLine]);
}

/// Without `--log-ip` every line is bare. After the first one that is known.
#[test]
fn a_prefix_that_prints_no_network_part_is_learnt() {
    let bare = head("x", "0800");
    let output = read(&[&bare, NF, &bare, NF, &bare, NF]);
    let order: Vec<u64> = output.entries.iter().map(|entry| entry.position.offset).collect();
    assert_eq!(order, [1, 0, 2, 3, 4, 5]);
    assert_eq!(output.anomalies, []);
}

/// Learnt too early: the first pieces were lost. The next orphan shows it.
#[test]
fn a_wrong_lesson_is_forgotten() {
    let bare = head("x", "0800");
    let output = read(&[&bare, &bare, IP, PORTS, &bare, IP, PORTS]);
    assert_eq!(mended(&output), [bare.clone(), bare.clone(), format!("{bare}{IP}{PORTS}")]);
    assert_eq!(
        output.anomaly_kinds(),
        [AnomalyKind::OrphanFragment, AnomalyKind::OrphanFragment, AnomalyKind::TornEbtablesLine]
    );
}

#[test]
fn a_head_waits_for_64_lines_and_no_longer() {
    let head = head("x", "0800");
    for (between, joined) in [(63, true), (64, false)] {
        let mut lines = vec![head.as_str()];
        lines.extend(std::iter::repeat_n(NF, between));
        lines.extend([IP, PORTS]);
        let output = read(&lines);
        assert_eq!(
            output.anomaly_kinds().contains(&AnomalyKind::OrphanFragment),
            !joined,
            "{between}"
        );
        assert_eq!(mended(&output).len(), 1);
    }
}

#[test]
fn a_head_waits_for_a_second_of_log_time() {
    let head = head("x", "0800");
    for (later, joined) in [(1_000_000, true), (1_000_001, false)] {
        let uptime = |us| Stamp { wall: None, uptime: Some(Uptime(us)) };
        let wall =
            |us: u64| Stamp { wall: Some(WallTime(i64::try_from(us).unwrap())), uptime: None };
        for stamps in [[uptime(5), uptime(5 + later)], [wall(5), wall(5 + later)]] {
            let mut parser = Parser::new();
            let mut output = Output::default();
            let piece = format!("{IP}{PORTS}");
            for (stamp, payload) in stamps.into_iter().zip([&head, &piece]) {
                let mut line = input(0, payload.as_bytes());
                line.stamp = stamp;
                parser.push(&line, &mut |parsed| output.take(parsed));
            }
            parser.finish(&mut |parsed| output.take(parsed));
            let torn = output.anomaly_kinds() == [AnomalyKind::TornEbtablesLine];
            assert_eq!(torn, joined, "{later}");
        }
    }
}

#[test]
fn ipv6_ports_may_come_behind_extension_headers() {
    let text = format!(
        "{} IPv6 SRC=2001:0db8:0000:0000:0000:0000:0000:0006 IPv6 DST=2001:0db8:0000:0000:0000:0000:0000:0005, \
         IPv6 priority=0x0, Next Header=44",
        head("x", "86dd")
    );
    assert_eq!(mended(&read(&[&text, PORTS])), [format!("{text}{PORTS}")]);
    // A later fragment has none, and that is no flaw.
    let output = read(&[&text]);
    assert_eq!((mended(&output), output.anomalies.len()), (vec![text], 0));
}

#[test]
fn old_kernels_put_two_blanks_behind_hardware_addresses() {
    let output = read(&[
        "x IN=a OUT= MAC source = 02:00:00:00:00:01  MAC dest = 02:00:00:00:00:02  proto = 0x0806 \
        ARP HTYPE=1, PTYPE=0x0800, OPCODE=1 ARP MAC SRC=02:00:00:00:00:01  ARP IP SRC=192.0.2.9 \
        ARP MAC DST=00:00:00:00:00:00  ARP IP DST=192.0.2.1",
    ]);
    assert_eq!(output.anomalies, []);
    assert_eq!(
        mended(&output),
        [format!("x IN=a OUT={}0806{ARP}{ARP_ADDRESSES}", &BARE["IN=veth0 OUT=".len()..])]
    );
}
