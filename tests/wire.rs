//! The JSON that scripts rely on, letter by letter.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::net::IpAddr;
use std::sync::Arc;

use expect_test::{Expect, expect};
use tracecol::explain::{Distrust, Lore, tell};
use tracecol::model::*;
use tracecol::rulebook::Moment;
use tracecol::wire;

fn check(value: &impl serde::Serialize, expected: &Expect) {
    expected.assert_eq(&serde_json::to_string_pretty(value).unwrap());
}

fn endpoint(addr: &str, port: u16) -> Endpoint {
    Endpoint { addr: Some(addr.parse().unwrap()), port: Some(port) }
}

fn name(text: &[u8]) -> Option<IfName> {
    IfName::new(text)
}

fn hop(layer: Layer, site: Site, input: &[u8], output: &[u8]) -> Hop {
    let devices = Devices { input: name(input), output: name(output), ..Devices::default() };
    Hop { layer, site: Arc::new(site), devices }
}

fn trace(table: &str, chain: &str, kind: SiteKind) -> Site {
    Site::Trace { table: table.as_bytes().into(), chain: chain.as_bytes().into(), kind }
}

fn key(offset: u64) -> PacketKey {
    PacketKey { source: SourceId(1), offset }
}

/// A connection of which no rule book tells.
const UNTOLD: wire::ToldConnection<'_> =
    wire::ToldConnection { verdict_rule: None, nat_rules: &[] };

const HOST: wire::Host<'_> = wire::Host { name: "dhost", netns: None };

fn connection() -> Connection {
    Connection {
        key: key(0),
        host: HostId(0),
        boot: Boot(0),
        protocol: Protocol::TCP,
        original: Tuple {
            src: endpoint("10.110.124.185", 51_736),
            dst: endpoint("10.146.22.21", 40_000),
        },
        reply: Tuple { src: endpoint("172.17.0.5", 6379), dst: endpoint("10.110.124.185", 51_736) },
        icmp_id: None,
        nat: vec![NatChange {
            kind: NatKind::Dnat,
            from: endpoint("10.146.22.21", 40_000),
            to: endpoint("172.17.0.5", 6379),
            site: Some(hop(Layer::Ip, trace("nat", "DOCKER", SiteKind::Rule(1)), b"eth0", b"")),
            evidence: EvidenceOf::Observed,
        }],
        state: ConnectionState::Tcp(TcpState::Close),
        completeness: Completeness::Whole,
        first: Stamp {
            wall: Some(WallTime(1_795_352_867_158_050)),
            uptime: Some(Uptime(2_019_160_077)),
        },
        last: Stamp { wall: Some(WallTime(1_795_352_868_000_000)), uptime: None },
        packets_original: 6,
        packets_reply: 4,
        packets_related: 0,
        lines: 51,
        layers: vec![Layer::Ip, Layer::Bridge],
        interfaces: [b"eth0".as_slice(), b"docker0", b"caf\xe9"]
            .into_iter()
            .filter_map(name)
            .collect(),
        trust: Trust::Text,
        verdict: Verdict {
            kind: VerdictKind::Accepted,
            evidence: Some(VerdictEvidence::Policy),
            site: Some(hop(
                Layer::Ip,
                trace("filter", "FORWARD", SiteKind::Policy(4)),
                b"eth0",
                b"docker0",
            )),
        },
    }
}

#[test]
fn a_connection() {
    let link = wire::Link {
        kind: LinkKind::Proxy.name(),
        other: wire::LinkOther::Connection("c0000000000001".into()),
        evidence: "the same payload sizes in step".into(),
    };
    let json = wire::Connection::new(&connection(), &UNTOLD, "c0123456789abc", HOST, vec![link]);
    check(
        &json,
        &expect![[r#"
        {
          "id": "c0123456789abc",
          "host": "dhost",
          "family": "ipv4",
          "protocol": "tcp",
          "original": {
            "src": "10.110.124.185",
            "sport": 51736,
            "dst": "10.146.22.21",
            "dport": 40000
          },
          "reply": {
            "src": "172.17.0.5",
            "sport": 6379,
            "dst": "10.110.124.185",
            "dport": 51736
          },
          "nat": [
            {
              "kind": "dnat",
              "from": "10.146.22.21:40000",
              "to": "172.17.0.5:6379",
              "site": "nat:DOCKER:rule:1",
              "rule": null,
              "evidence": "observed"
            }
          ],
          "state": "closed",
          "completeness": "whole",
          "first_seen": "2026-11-22T13:07:47.158050Z",
          "last_seen": "2026-11-22T13:07:48.000000Z",
          "uptime_us": 2019160077,
          "boot": 0,
          "packets": {
            "original": 6,
            "reply": 4
          },
          "lines": 51,
          "layers": [
            "ip",
            "bridge"
          ],
          "interfaces": [
            "eth0",
            "docker0",
            "caf�"
          ],
          "verdict": {
            "kind": "accepted",
            "site": "filter:FORWARD:policy:4",
            "rule": null,
            "evidence": "policy"
          },
          "trust": "text",
          "links": [
            {
              "kind": "proxy",
              "connection": "c0000000000001",
              "evidence": "the same payload sizes in step"
            }
          ]
        }"#]],
    );
}

#[test]
fn an_unknown_connection_is_null_and_not_guessed() {
    let nothing = Endpoint { addr: None, port: None };
    let verdict = Verdict { kind: VerdictKind::Unknown, evidence: None, site: None };
    let unknown = Connection {
        protocol: Protocol::ICMP,
        original: Tuple {
            src: Endpoint { addr: Some("10.0.0.1".parse().unwrap()), port: None },
            dst: nothing,
        },
        reply: Tuple { src: nothing, dst: nothing },
        icmp_id: Some(7),
        nat: vec![NatChange {
            kind: NatKind::Snat,
            from: Endpoint { addr: Some("2001:db8::1".parse().unwrap()), port: Some(80) },
            to: nothing,
            site: None,
            evidence: EvidenceOf::Inferred,
        }],
        state: ConnectionState::Unreplied,
        completeness: Completeness::BeganBeforeLog,
        first: Stamp::default(),
        last: Stamp::default(),
        packets_related: 2,
        layers: vec![],
        interfaces: vec![],
        trust: Trust::Kernel,
        verdict,
        ..connection()
    };
    let host = wire::Host { name: "", netns: Some("blue") };
    check(
        &wire::Connection::new(&unknown, &UNTOLD, "c0", host, vec![]),
        &expect![[r#"
        {
          "id": "c0",
          "host": "",
          "netns": "blue",
          "family": "ipv4",
          "protocol": "icmp",
          "original": {
            "src": "10.0.0.1",
            "dst": null,
            "icmp_id": 7
          },
          "reply": {
            "src": null,
            "dst": null,
            "icmp_id": 7
          },
          "nat": [
            {
              "kind": "snat",
              "from": "[2001:db8::1]:80",
              "to": null,
              "site": null,
              "rule": null,
              "evidence": "inferred"
            }
          ],
          "state": "unreplied",
          "completeness": "began_before_log",
          "first_seen": null,
          "last_seen": null,
          "uptime_us": null,
          "boot": 0,
          "packets": {
            "original": 6,
            "reply": 4,
            "related": 2
          },
          "lines": 51,
          "layers": [],
          "interfaces": [],
          "verdict": {
            "kind": "unknown",
            "site": null,
            "rule": null,
            "evidence": null
          },
          "trust": "kernel",
          "links": []
        }"#]],
    );
}

fn tcp_header(dst: &str, dport: u16, ttl: u8, mark: Option<u32>) -> Arc<Header> {
    Arc::new(Header {
        mark,
        network: Network::Ip(Box::new(ip(
            dst,
            Some(ttl),
            Transport::Tcp(Tcp {
                sport: 51_736,
                dport,
                seq_ack: Some((3_614_238_104, 0)),
                window: 64_240,
                reserved: 0,
                flags: TcpFlags(TcpFlags::SYN | TcpFlags::ECE),
                urgent: 0,
                options: TcpOptions::Absent,
            }),
        ))),
        ..Header::default()
    })
}

fn ip(dst: &str, ttl: Option<u8>, transport: Transport) -> Ip {
    let protocol = match transport {
        Transport::Icmp(_) => Protocol::ICMP,
        Transport::Udp { .. } => Protocol::UDP,
        _ => Protocol::TCP,
    };
    Ip {
        src: "10.110.124.185".parse().unwrap(),
        dst: dst.parse::<IpAddr>().unwrap(),
        length: ttl.map(|_| 60),
        tos: None,
        ttl,
        id: ttl.map(|_| 36_388),
        flow_label: None,
        flags: IpFlags(2),
        fragment: None,
        options: None,
        extension_headers: 0,
        ah_spi: None,
        truncated: false,
        protocol: Some(protocol),
        transport,
    }
}

fn step(hop: Hop, offset_us: Option<i64>, header: Arc<Header>, line: Position) -> Step {
    Step { hop, offset_us, header, lines: StepLines { head: line, pieces: vec![] } }
}

fn line(offset: u64) -> Position {
    Position { source: SourceId(1), offset, seq: None, copy: 0 }
}

fn packet(steps: Vec<Step>) -> Packet {
    Packet {
        key: key(18_233),
        host: HostId(0),
        boot: Boot(0),
        connection: Some(key(18_233)),
        direction: Some(Direction::Original),
        first: Stamp { wall: Some(WallTime(1_795_352_867_158_050)), uptime: None },
        trust: Trust::Kernel,
        confidence: Confidence::Exact,
        verdict: Verdict {
            kind: VerdictKind::Unknown,
            evidence: Some(VerdictEvidence::Absence),
            site: steps.last().map(|step| step.hop.clone()),
        },
        steps,
    }
}

fn source_name(source: SourceId) -> String {
    format!("source {}", source.0)
}

fn json(packet: &Packet, connection: Option<&str>) -> wire::Packet {
    let rules = Moment::default();
    let lore = Lore { rules: &rules, distrust: &Distrust::default(), context: None };
    let steps = tell(packet, lore);
    let told = wire::Told { steps: &steps, inferred: &[], verdict_rule: None };
    wire::Packet::new(packet, &told, "p0123456789abc", connection, HOST, &source_name, vec![])
}

#[expect(clippy::too_many_lines, reason = "most of them are the answer")]
#[test]
fn a_packet_through_both_layers() {
    let bridge = Header {
        network: Network::Ip(Box::new(ip(
            "172.17.0.5",
            None,
            Transport::Ports { sport: 51_736, dport: 6379 },
        ))),
        ..Header::default()
    };
    let torn = Step {
        hop: hop(
            Layer::Bridge,
            Site::BridgeLog { prefix: b"br \xff".as_slice().into() },
            b"",
            b"veth1",
        ),
        offset_us: None,
        header: Arc::new(bridge),
        lines: StepLines {
            head: Position { source: SourceId(2), offset: 5, seq: Some(6985), copy: 0 },
            pieces: vec![Position { source: SourceId(2), offset: 6, seq: Some(6987), copy: 3 }],
        },
    };
    let packet = packet(vec![
        step(
            hop(Layer::Ip, trace("raw", "PREROUTING", SiteKind::Policy(3)), b"eth0", b""),
            Some(0),
            tcp_header("10.146.22.21", 40_000, 64, None),
            line(18_233),
        ),
        step(
            hop(Layer::Ip, trace("mangle", "FORWARD", SiteKind::Rule(1)), b"eth0", b"docker0"),
            Some(21),
            tcp_header("172.17.0.5", 6379, 63, Some(0x10)),
            line(19_000),
        ),
        torn,
        step(
            hop(Layer::Ip, Site::Log { prefix: b"OUT: ".as_slice().into() }, b"", b"docker0"),
            Some(40),
            tcp_header("172.17.0.5", 6379, 63, None),
            line(19_400),
        ),
    ]);
    check(
        &json(&packet, Some("c0123456789abc")),
        &expect![[r#"
        {
          "id": "p0123456789abc",
          "connection": "c0123456789abc",
          "host": "dhost",
          "direction": "original",
          "protocol": "tcp",
          "first_seen": "2026-11-22T13:07:47.158050Z",
          "uptime_us": null,
          "boot": 0,
          "ip_id": 36388,
          "length": 60,
          "tcp": {
            "flags": [
              "ECE",
              "SYN"
            ],
            "seq": 3614238104,
            "ack": 0,
            "window": 64240
          },
          "verdict": {
            "kind": "unknown",
            "site": "log:OUT:",
            "rule": null,
            "evidence": "absence"
          },
          "confidence": "exact",
          "trust": "kernel",
          "links": [],
          "steps": [
            {
              "at": "raw:PREROUTING:policy:3",
              "layer": "ip",
              "offset_us": 0,
              "in": "eth0",
              "out": null,
              "physin": null,
              "physout": null,
              "src": "10.110.124.185",
              "sport": 51736,
              "dst": "10.146.22.21",
              "dport": 40000,
              "ttl": 64,
              "mark": null,
              "rule": null,
              "changed": [],
              "inferred": false,
              "lines": [
                {
                  "source": "source 1",
                  "offset": 18233,
                  "seq": null
                }
              ]
            },
            {
              "at": "mangle:FORWARD:rule:1",
              "layer": "ip",
              "offset_us": 21,
              "in": "eth0",
              "out": "docker0",
              "physin": null,
              "physout": null,
              "src": "10.110.124.185",
              "sport": 51736,
              "dst": "172.17.0.5",
              "dport": 6379,
              "ttl": 63,
              "mark": 16,
              "rule": null,
              "changed": [
                "dst",
                "dport",
                "ttl",
                "mark"
              ],
              "inferred": false,
              "lines": [
                {
                  "source": "source 1",
                  "offset": 19000,
                  "seq": null
                }
              ]
            },
            {
              "at": "eb:?",
              "prefix": "br �",
              "layer": "bridge",
              "offset_us": null,
              "in": null,
              "out": "veth1",
              "physin": null,
              "physout": null,
              "src": "10.110.124.185",
              "sport": 51736,
              "dst": "172.17.0.5",
              "dport": 6379,
              "ttl": null,
              "mark": null,
              "rule": null,
              "changed": [],
              "inferred": false,
              "lines": [
                {
                  "source": "source 2",
                  "offset": 5,
                  "seq": 6985
                },
                {
                  "source": "source 2",
                  "offset": 6,
                  "seq": 6987,
                  "copy": 3
                }
              ]
            },
            {
              "at": "log:OUT:",
              "layer": "ip",
              "offset_us": 40,
              "in": null,
              "out": "docker0",
              "physin": null,
              "physout": null,
              "src": "10.110.124.185",
              "sport": 51736,
              "dst": "172.17.0.5",
              "dport": 6379,
              "ttl": 63,
              "mark": null,
              "rule": null,
              "changed": [
                "mark"
              ],
              "inferred": false,
              "lines": [
                {
                  "source": "source 1",
                  "offset": 19400,
                  "seq": null
                }
              ]
            }
          ]
        }"#]],
    );
}

#[test]
fn an_icmp_error_tells_what_it_is_about() {
    let inner = ip("192.0.2.1", Some(1), Transport::Udp { sport: 5, dport: 53, length: Some(8) });
    let icmp = Icmp {
        kind: 3,
        code: 4,
        incomplete: None,
        echo: None,
        extra: None,
        mtu: Some(1400),
        inner: Some(Box::new(inner)),
    };
    let header = Header {
        network: Network::Ip(Box::new(ip("10.0.0.9", Some(64), Transport::Icmp(Box::new(icmp))))),
        ..Header::default()
    };
    let site = Site::Bridge {
        table: b"nat".as_slice().into(),
        chain: b"OUTPUT".as_slice().into(),
        prefix: b"TRACE: eb:nat:OUTPUT".as_slice().into(),
    };
    let mut packet = packet(vec![step(
        hop(Layer::Bridge, site, b"", b"eth1"),
        Some(0),
        Arc::new(header),
        line(7),
    )]);
    packet.direction = Some(Direction::Related);
    let json = serde_json::to_value(json(&packet, Some("c1"))).unwrap();
    expect![[r#"
        {
          "at": "eb:nat:OUTPUT",
          "direction": "related",
          "icmp": {
            "code": 4,
            "id": null,
            "mtu": 1400,
            "seq": null,
            "type": 3
          },
          "inner": {
            "dport": 53,
            "dst": "192.0.2.1",
            "ip_id": 36388,
            "length": 60,
            "protocol": "udp",
            "sport": 5,
            "src": "10.110.124.185"
          },
          "tcp": null
        }"#]]
    .assert_eq(
        &serde_json::to_string_pretty(&serde_json::json!({
            "direction": json["direction"], "icmp": json["icmp"], "inner": json["inner"],
            "at": json["steps"][0]["at"], "tcp": json.get("tcp"),
        }))
        .unwrap(),
    );
}

#[test]
fn arp_belongs_to_no_connection() {
    let arp = Arp {
        hardware: 1,
        protocol: 0x0800,
        operation: 2,
        addresses: Some(ArpAddresses {
            sender_mac: Mac([2, 66, 172, 17, 0, 5]),
            sender_ip: "172.17.0.5".parse().unwrap(),
            target_mac: Mac([2, 66, 1, 2, 3, 4]),
            target_ip: "172.17.0.1".parse().unwrap(),
        }),
        incomplete: false,
        incomplete_bytes: None,
    };
    let header = Header { network: Network::Arp(arp), ..Header::default() };
    let site = trace("filter", "INPUT", SiteKind::Return(2));
    let mut packet =
        packet(vec![step(hop(Layer::Arp, site, b"br0", b""), Some(0), Arc::new(header), line(7))]);
    (packet.connection, packet.direction) = (None, None);
    let json = serde_json::to_value(json(&packet, None)).unwrap();
    expect![[r#"
        {
          "arp": {
            "operation": "reply",
            "sender_ip": "172.17.0.5",
            "sender_mac": "02:42:ac:11:00:05",
            "target_ip": "172.17.0.1",
            "target_mac": "02:42:01:02:03:04"
          },
          "connection": null,
          "direction": null,
          "dst": "172.17.0.1",
          "layer": "arp",
          "protocol": "arp",
          "src": "172.17.0.5"
        }"#]].assert_eq(&serde_json::to_string_pretty(&serde_json::json!({
        "connection": json["connection"], "direction": json["direction"],
        "protocol": json["protocol"], "arp": json["arp"],
        "src": json["steps"][0]["src"], "dst": json["steps"][0]["dst"], "layer": json["steps"][0]["layer"],
    })).unwrap());
}

#[test]
fn show_prints_packets_under_packet_list() {
    let connection = wire::Connection::new(&connection(), &UNTOLD, "c1", HOST, vec![]);
    let whole = wire::ConnectionWithPackets { connection, packet_list: vec![] };
    let json = serde_json::to_value(&whole).unwrap();
    assert_eq!(json["packets"], serde_json::json!({"original": 6, "reply": 4}));
    assert_eq!(json["packet_list"], serde_json::json!([]));
}

#[test]
fn statistics() {
    let counts = Counts { trace: 443, ebtables: 187, placed: 630, ..Counts::default() };
    let gap = Gap {
        host: HostId(0),
        position: line(3),
        stamp: Stamp { wall: Some(WallTime(-1)), uptime: None },
        lost: Some(137),
        reason: GapReason::KmsgOverrun,
    };
    let json = wire::Stats::new(
        &counts,
        [132, 13, 1],
        vec![wire::Gap::new(&gap, "kern.log")],
        &[(AnomalyKind::TornEbtablesLine, 17)],
        &[(VerdictKind::Accepted, 12), (VerdictKind::Dropped, 1)],
        524_288,
    );
    check(
        &json,
        &expect![[r#"
        {
          "lines": {
            "total": 630,
            "trace": 443,
            "log": 0,
            "ebtables": 187,
            "nft": 0,
            "marker": 0,
            "other": 0,
            "rejected": 0,
            "suspect": 0
          },
          "packets": 132,
          "connections": 13,
          "boots": 1,
          "gaps": [
            {
              "source": "kern.log",
              "lost": 137,
              "reason": "kmsg_overrun",
              "at": "1969-12-31T23:59:59.999999Z"
            }
          ],
          "anomalies": {
            "torn_ebtables_line": 17
          },
          "verdicts": {
            "accepted": 12,
            "dropped": 1
          },
          "database_bytes": 524288,
          "placed": 630,
          "unplaced": 0
        }"#]],
    );
}

#[test]
fn an_anomaly() {
    let anomaly = Anomaly {
        kind: AnomalyKind::OrphanFragment,
        position: Position { seq: Some(9), ..line(77) },
        text: b" IP SRC=\xff\x1b[31m".as_slice().into(),
    };
    check(
        &wire::Anomaly::new(&anomaly, "kern.log"),
        &expect![[r#"
        {
          "kind": "orphan_fragment",
          "severity": "loss",
          "sentence": "A torn-off piece of an ebtables line whose head is not in the log.",
          "source": "kern.log",
          "offset": 77,
          "seq": 9,
          "text": " IP SRC=�\u001b[31m"
        }"#]],
    );
}
