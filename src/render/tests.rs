//! Drawn pages of hand-made connections: what a user sees is what is pinned here.

#![expect(clippy::needless_raw_string_hashes, reason = "UPDATE_EXPECT=1 writes them")]

use std::net::IpAddr;
use std::sync::Arc;

use expect_test::{Expect, expect};

use crate::model::{
    Boot, Completeness, Confidence, Connection, ConnectionState, Devices, Direction, Endpoint,
    EvidenceOf, Header, Hop, HostId, IfName, Ip, IpFlags, Layer, NatChange, NatKind, Network,
    Packet, PacketKey, Position, Protocol, Site, SiteKind, SourceId, Stamp, Step, StepLines, Tcp,
    TcpFlags, TcpOptions, TcpState, Transport, Trust, Tuple, Uptime, Verdict, VerdictEvidence,
    VerdictKind,
};
use crate::render::{Facts, Lane, escape, head, lanes, words};

const CLIENT: &str = "10.110.124.185:51736";
const ASKED: &str = "10.146.22.21:40000";
const REAL: &str = "172.17.0.5:6379";

/// A packet from lines such as `+21 nat:DOCKER:rule:1 eth0>docker0 10.0.0.1:1>10.0.0.2:2 ttl=63`.
fn packet(start_us: u64, direction: Direction, flags: u16, length: u32, lines: &[&str]) -> Packet {
    Packet {
        key: PacketKey { source: SourceId(1), offset: start_us },
        host: HostId(1),
        boot: Boot(0),
        connection: Some(PacketKey { source: SourceId(1), offset: 0 }),
        direction: Some(direction),
        first: stamp(start_us),
        trust: Trust::Text,
        confidence: Confidence::Exact,
        verdict: Verdict { kind: VerdictKind::Accepted, evidence: None, site: None },
        steps: lines.iter().map(|line| step(line, flags, length)).collect(),
    }
}

fn stamp(us: u64) -> Stamp {
    Stamp { wall: None, uptime: Some(Uptime(1_133_158_025 + us)) }
}

fn step(line: &str, flags: u16, length: u32) -> Step {
    let words: Vec<&str> = line.split(' ').collect();
    let bridge = words[1].starts_with("eb:");
    let devices = devices(words[2]);
    let (src, dst) = words[3].split_once('>').unwrap();
    let ((src, sport), (dst, dport)) = (address(src), address(dst));
    let flags = TcpFlags(flags);
    let transport = if bridge {
        Transport::Ports { sport, dport }
    } else {
        Transport::Tcp(Tcp {
            sport,
            dport,
            seq_ack: None,
            window: 64240,
            reserved: 0,
            flags,
            urgent: 0,
            options: TcpOptions::Absent,
        })
    };
    let ttl = words.get(4).map(|word| word.strip_prefix("ttl=").unwrap().parse().unwrap());
    let ip = Ip {
        src,
        dst,
        length: (!bridge).then_some(length),
        tos: None,
        ttl,
        id: None,
        flow_label: None,
        flags: IpFlags(0),
        fragment: None,
        options: None,
        extension_headers: 0,
        ah_spi: None,
        truncated: false,
        protocol: Some(Protocol::TCP),
        transport,
    };
    let header = Header { devices, network: Network::Ip(Box::new(ip)), ..Header::default() };
    let layer = if bridge { Layer::Bridge } else { Layer::Ip };
    let position = Position { source: SourceId(1), offset: 0, seq: None, copy: 0 };
    Step {
        hop: Hop { layer, site: Arc::new(site(words[1])), devices },
        offset_us: words[0].parse().ok(),
        header: Arc::new(header),
        lines: StepLines { head: position, pieces: Vec::new() },
    }
}

fn site(text: &str) -> Site {
    let parts: Vec<&str> = text.split(':').collect();
    let bytes = |text: &str| text.replace("ESC", "\x1b").into_bytes().into_boxed_slice();
    match parts[..] {
        ["eb", table, chain] => {
            Site::Bridge { table: bytes(table), chain: bytes(chain), prefix: bytes(text) }
        }
        ["log", prefix] => Site::Log { prefix: bytes(&prefix.replace('_', " ")) },
        [table, chain, kind, number] => {
            let number = number.parse().unwrap();
            let kind = match kind {
                "rule" => SiteKind::Rule(number),
                "return" => SiteKind::Return(number),
                _ => SiteKind::Policy(number),
            };
            Site::Trace { table: bytes(table), chain: bytes(chain), kind }
        }
        _ => panic!("no site: {text}"),
    }
}

/// `eth0>docker0`, `docker0(veth1)>eth0`, `>lo`.
fn devices(text: &str) -> Devices {
    let (input, output) = text.split_once('>').unwrap();
    let (input, physin) = input.trim_end_matches(')').split_once('(').unwrap_or((input, ""));
    let name = |text: &str| IfName::new(text.replace("ESC", "\x1b").as_bytes());
    Devices { input: name(input), output: name(output), physin: name(physin), physout: None }
}

fn address(text: &str) -> (IpAddr, u16) {
    let address: std::net::SocketAddr = text.parse().unwrap();
    (address.ip(), address.port())
}

fn endpoint(text: &str) -> Endpoint {
    let (addr, port) = address(text);
    Endpoint { addr: Some(addr), port: Some(port) }
}

fn syn() -> Packet {
    packet(
        0,
        Direction::Original,
        TcpFlags::SYN,
        60,
        &[
            &format!("+0 raw:PREROUTING:policy:3 eth0> {CLIENT}>{ASKED} ttl=64"),
            &format!("+21 nat:PREROUTING:rule:1 eth0> {CLIENT}>{ASKED} ttl=64"),
            &format!("+25 nat:DOCKER:rule:1 eth0> {CLIENT}>{ASKED} ttl=64"),
            &format!("+38 filter:FORWARD:policy:4 eth0>docker0 {CLIENT}>{REAL} ttl=63"),
            &format!("+41 nat:POSTROUTING:policy:2 eth0>docker0 {CLIENT}>{REAL} ttl=63"),
            &format!("+120 eb:filter:OUTPUT >veth72x2M5 {CLIENT}>{REAL}"),
            &format!("+124 eb:nat:OUTPUT >veth72x2M5 {CLIENT}>{REAL}"),
            &format!("+126 eb:nat:POSTROUTING >veth72x2M5 {CLIENT}>{REAL}"),
        ],
    )
}

fn reply(start_us: u64, flags: u16, length: u32, last_us: u32) -> Packet {
    packet(
        start_us,
        Direction::Reply,
        flags,
        length,
        &[
            &format!("+0 eb:nat:PREROUTING veth72x2M5> {REAL}>{CLIENT}"),
            &format!("+6 raw:PREROUTING:policy:3 docker0(veth72x2M5)> {REAL}>{CLIENT} ttl=64"),
            &format!("+9 eb:filter:INPUT veth72x2M5> {REAL}>{CLIENT}"),
            &format!(
                "+{last_us} filter:FORWARD:rule:2 docker0(veth72x2M5)>eth0 {REAL}>{CLIENT} ttl=63"
            ),
        ],
    )
}

fn later(start_us: u64, flags: u16, length: u32) -> Packet {
    packet(
        start_us,
        Direction::Original,
        flags,
        length,
        &[
            &format!("+0 raw:PREROUTING:policy:3 eth0> {CLIENT}>{ASKED} ttl=64"),
            &format!("+4 filter:FORWARD:rule:3 eth0>docker0 {CLIENT}>{REAL} ttl=63"),
            &format!("+5 eb:filter:OUTPUT >veth72x2M5 {CLIENT}>{REAL}"),
            &format!("+8 eb:nat:OUTPUT >veth72x2M5 {CLIENT}>{REAL}"),
            &format!("+10 eb:nat:POSTROUTING >veth72x2M5 {CLIENT}>{REAL}"),
        ],
    )
}

fn case_1() -> Vec<Packet> {
    vec![
        syn(),
        reply(142, TcpFlags::SYN | TcpFlags::ACK, 60, 14),
        later(178, TcpFlags::ACK, 52),
        later(221, TcpFlags::PSH | TcpFlags::ACK, 90),
        reply(3_584, TcpFlags::FIN | TcpFlags::ACK, 52, 37),
    ]
}

fn connection() -> Connection {
    let hop = |line: &str| step(line, 0, 0).hop;
    let any = "10.0.0.1:1>10.0.0.2:2";
    Connection {
        key: PacketKey { source: SourceId(1), offset: 0 },
        host: HostId(1),
        boot: Boot(0),
        protocol: Protocol::TCP,
        original: Tuple { src: endpoint(CLIENT), dst: endpoint(ASKED) },
        reply: Tuple { src: endpoint(REAL), dst: endpoint(CLIENT) },
        icmp_id: None,
        nat: vec![NatChange {
            kind: NatKind::Dnat,
            from: endpoint(ASKED),
            to: endpoint(REAL),
            site: Some(hop(&format!("+0 nat:DOCKER:rule:1 eth0> {any}"))),
            evidence: EvidenceOf::Observed,
        }],
        state: ConnectionState::Tcp(TcpState::TimeWait),
        completeness: Completeness::Whole,
        first: stamp(0),
        last: stamp(3_656),
        packets_original: 3,
        packets_reply: 2,
        packets_related: 0,
        lines: 26,
        layers: vec![Layer::Ip, Layer::Bridge],
        interfaces: ["eth0", "docker0", "veth72x2M5"]
            .iter()
            .filter_map(|name| IfName::new(name.as_bytes()))
            .collect(),
        trust: Trust::Text,
        verdict: Verdict {
            kind: VerdictKind::Accepted,
            evidence: Some(VerdictEvidence::Policy),
            site: Some(hop(&format!("+0 filter:FORWARD:policy:4 eth0>docker0 {any}"))),
        },
    }
}

fn rows(packets: &[Packet]) -> Vec<Lane<'_>> {
    packets.iter().map(|packet| Lane { packet, notes: Vec::new() }).collect()
}

fn check_lanes(packets: &[Packet], width: usize, expected: &Expect) {
    let drawn = lanes(&rows(packets), packets[0].first, width).plain();
    for line in drawn.lines() {
        assert!(crate::render::span::width(line) <= width, "too wide: {line}");
    }
    expected.assert_eq(&drawn);
}

#[test]
fn lanes_at_200_columns() {
    check_lanes(
        &case_1(),
        200,
        &expect![[r#"
            #      µs      Δ  packet          path  in          eb nat      raw          nat                  NAT              eb filter  filter        nat           eb filter  eb nat    eb nat       out
                                                                PREROUTING  PREROUTING   PREROUTING           destination      INPUT      FORWARD       POSTROUTING   OUTPUT     OUTPUT    POSTROUTING
            1      +0         → SYN 60 B         A  eth0        ────────────○────────────■─■──────────────────◆───────────────────────────○─────────────○─── 79 µs ───▪──────────▪─────────▪────────────▶ veth72x2M5
                                                                            policy 3 +0  rule 1 +21           172.17.0.5:6379             policy 4 +38  policy 2 +41  log +120   log +124  log +126
                                                                                         › DOCKER rule 1 +25
            2    +142    142  ← SYN·ACK 60 B     B  veth72x2M5  ▪───────────○──────────────────────────────────────────────────▪──────────■─────────────────────────────────────────────────────────────▶ eth0
                                                                log +0      policy 3 +6                                        log +9     rule 2 +14
            3    +178     36  → ACK 52 B         C  eth0        ────────────○─────────────────────────────────◆───────────────────────────■───────────────────────────▪──────────▪─────────▪────────────▶ veth72x2M5
                                                                            policy 3 +0                       172.17.0.5:6379             rule 3 +4                   log +5     log +8    log +10
            4    +221     43  → PSH·ACK 90 B     C  eth0        ────────────○─────────────────────────────────◆───────────────────────────■───────────────────────────▪──────────▪─────────▪────────────▶ veth72x2M5
                                                                            policy 3 +0                       172.17.0.5:6379             rule 3 +4                   log +5     log +8    log +10
            5  +3,584  3,363  ← FIN·ACK 52 B     B  veth72x2M5  ▪───────────○──────────────────────────────────────────────────▪──────────■─────────────────────────────────────────────────────────────▶ eth0
                                                                log +0      policy 3 +6                                        log +9     rule 2 +37

            paths  A×1   B×2   C×2
            marks  ■ rule that matched   ○ policy   ◆ new address   ▪ ebtables log   +n µs since the packet's first line
        "#]],
    );
}

#[test]
fn lanes_at_80_columns() {
    check_lanes(
        &case_1(),
        80,
        &expect![[r#"
            #      µs  packet          path  eb nat  raw    nat            NAT
                                             PRE     PRE    PRE            dst
            1      +0  → SYN 60 B         A          ○3 +0──■1 +21─────────◆172.17.0.5:6379─
                                                            ■DOCKER:1 +25
            2    +142  ← SYN·ACK 60 B     B  ▪+0─────○3 +6──────────────────────────────────
            3    +178  → ACK 52 B         C          ○3 +0─────────────────◆172.17.0.5:6379─
            4    +221  → PSH·ACK 90 B     C          ○3 +0─────────────────◆172.17.0.5:6379─
            5  +3,584  ← FIN·ACK 52 B     B  ▪+0─────○3 +6──────────────────────────────────

            #     eb filter  filter  nat     eb filter  eb nat  eb nat
                  IN         FWD     POST    OUT        OUT     POST
            1  →  ───────────○4 +38──○2 +41──▪+120──────▪+124───▪+126───▶
                                             Δ79 µs
            2  ←  ▪+9────────■2 +14─────────────────────────────────────▶
            3  →  ───────────■3 +4───────────▪+5────────▪+8─────▪+10────▶
            4  →  ───────────■3 +4───────────▪+5────────▪+8─────▪+10────▶
            5  ←  ▪+9────────■2 +37─────────────────────────────────────▶

            paths  A×1 eth0 ▶ veth72x2M5   B×2 veth72x2M5 ▶ eth0   C×2 eth0 ▶ veth72x2M5
            marks  ■n rule that matched   ○n policy   ◆ new address   ▪ ebtables log
                   Δ long wait before   +n µs since the packet's first line
        "#]],
    );
}

#[test]
fn lanes_at_120_columns() {
    check_lanes(
        &case_1(),
        120,
        &expect![[r#"
            #      µs  packet          path  eb nat  raw    nat            NAT               eb filter  filter  nat     eb filter
                                             PRE     PRE    PRE            dst               IN         FWD     POST    OUT
            1      +0  → SYN 60 B         A          ○3 +0──■1 +21─────────◆172.17.0.5:6379─────────────○4 +38──○2 +41──▪+120─────
                                                            ■DOCKER:1 +25                                               Δ79 µs
            2    +142  ← SYN·ACK 60 B     B  ▪+0─────○3 +6───────────────────────────────────▪+9────────■2 +14────────────────────
            3    +178  → ACK 52 B         C          ○3 +0─────────────────◆172.17.0.5:6379─────────────■3 +4───────────▪+5───────
            4    +221  → PSH·ACK 90 B     C          ○3 +0─────────────────◆172.17.0.5:6379─────────────■3 +4───────────▪+5───────
            5  +3,584  ← FIN·ACK 52 B     B  ▪+0─────○3 +6───────────────────────────────────▪+9────────■2 +37────────────────────

            #     eb nat  eb nat
                  OUT     POST
            1  →  ▪+124───▪+126───▶
            2  ←  ────────────────▶
            3  →  ▪+8─────▪+10────▶
            4  →  ▪+8─────▪+10────▶
            5  ←  ────────────────▶

            paths  A×1 eth0 ▶ veth72x2M5   B×2 veth72x2M5 ▶ eth0   C×2 eth0 ▶ veth72x2M5
            marks  ■n rule that matched   ○n policy   ◆ new address   ▪ ebtables log   Δ long wait before
                   +n µs since the packet's first line
        "#]],
    );
}

#[test]
fn a_drop_ends_its_lane() {
    let mut dropped = packet(
        0,
        Direction::Original,
        TcpFlags::SYN,
        60,
        &[
            "+0 raw:PREROUTING:policy:3 eth0> 10.0.0.1:1>10.0.0.2:22",
            "+3 filter:INPUT:rule:4 eth0> 10.0.0.1:1>10.0.0.2:22",
            "+5 filter:ufw-user-input:return:9 eth0> 10.0.0.1:1>10.0.0.2:22",
            "+9 log:[UFW_BLOCK]_ eth0> 10.0.0.1:1>10.0.0.2:22",
            "+11 log:a_prefix_that_is_far_too_long eth0> 10.0.0.1:1>10.0.0.2:22",
            "+12 filter:INPUT:policy:9 eth0> 10.0.0.1:1>10.0.0.2:22",
        ],
    );
    dropped.verdict.kind = VerdictKind::Dropped;
    dropped.confidence = Confidence::Likely;
    check_lanes(
        &[dropped.clone()],
        120,
        &expect![[r##"
            #  µs  Δ  packet        path  in    raw          filter                                   out
                                                PREROUTING   INPUT
            1  +0     → SYN 60 B ~     A  eth0  ○────────────■─○─▪─▪─○✗                               ✗ dropped
                                                policy 3 +0  rule 4 +3
                                                             › ufw-user-input return 9 +5
                                                             log "[UFW BLOCK] " +9
                                                             log "a prefix that is far too long" +11
                                                             policy 9 +12

            paths  A×1
            marks  ■ rule that matched   ○ policy, or end of a chain (return)   ▪ LOG line   ✗ ends here   ~ likely joined right
                   +n µs since the packet's first line
        "##]],
    );
    check_lanes(
        &[dropped],
        80,
        &expect![[r##"
        #  µs  packet        path  raw    filter
                                   PRE    IN
        1  +0  → SYN 60 B ~     A  ○3 +0──■4 +3✗
                                          ○ufw-user-input:9 +5
                                          ▪"[UFW BLOCK] " +9
                                          ▪"a prefix that is far too long" +11
                                          ○9 +12

        paths  A×1 eth0 ✗ dropped
        marks  ■n rule that matched   ○n policy, or end of a chain (return)   ▪ LOG line
               ✗ ends here   ~ likely joined right   +n µs since the packet's first line
    "##]],
    );
}

#[test]
fn log_lines_without_a_trace_have_columns_of_their_own() {
    let packet = packet(
        0,
        Direction::Original,
        TcpFlags::SYN,
        60,
        &[
            "+0 log:[UFW_AUDIT]_ eth0> 10.0.0.1:1>10.0.0.2:22",
            "+4 log:a_prefix_that_is_far_too_long eth0> 10.0.0.1:1>10.0.0.2:22",
        ],
    );
    check_lanes(
        &[packet],
        100,
        &expect![[r##"
        #  µs  Δ  packet      path  in    LOG          LOG     out
                                          [UFW AUDIT]  #1
        1  +0     → SYN 60 B     A  eth0  ▪────────────▪───────▶ ?
                                          log +0       log +4

        paths  A×1
        marks  ▪ LOG line   +n µs since the packet's first line
        #1     prefix "a prefix that is far too long"
    "##]],
    );
}

#[test]
fn loopback_passes_twice() {
    let packet = packet(
        0,
        Direction::Original,
        TcpFlags::SYN,
        60,
        &[
            "+0 raw:OUTPUT:policy:1 >lo 127.0.0.1:1>127.0.0.1:80",
            "+2 nat:OUTPUT:policy:1 >lo 127.0.0.1:1>127.0.0.1:80",
            "+3 filter:OUTPUT:policy:1 >lo 127.0.0.1:1>127.0.0.1:80",
            "+5 nat:POSTROUTING:policy:1 >lo 127.0.0.1:1>127.0.0.1:80",
            "+9 raw:PREROUTING:policy:1 lo> 127.0.0.1:1>127.0.0.1:80",
            "+11 filter:INPUT:policy:1 lo> 127.0.0.1:1>127.0.0.1:80",
        ],
    );
    check_lanes(
        &[packet],
        120,
        &expect![[r#"
            #  µs  packet      path  raw    nat    filter  nat    raw again  filter again
                                     OUT    OUT    OUT     POST   PRE        IN
            1  +0  → SYN 60 B     A  ○1 +0──○1 +2──○1 +3───○1 +5──○1 +9──────○1 +11────────▶

            paths  A×1 local ▶ local
            marks  ○n policy   +n µs since the packet's first line
        "#]],
    );
}

#[test]
fn hostile_names_are_harmless_and_fit() {
    let chain = "KUBE-SEP-ABCDEFGHIJKLMNOPESC";
    let packet = packet(
        0,
        Direction::Original,
        TcpFlags::SYN,
        60,
        &[
            &format!("+0 nat:{chain}:rule:1 eESC[31mX> [2001:db8::1]:1>[2001:db8:1:2:3:4:5:6]:80"),
            "+1 filter:FORWARD:rule:1 eESC[31mX>o [2001:db8::1]:1>[2001:db8:9:9:9:9:9:9]:8080",
        ],
    );
    check_lanes(
        std::slice::from_ref(&packet),
        80,
        &expect![[r#"
            #  µs  packet      path  nat
                                     ?
            1  +0  → SYN 60 B     A  ■KUBE-SEP-ABCDEFGHIJKLMNOP\x1b:1 +0─

            #     NAT                           filter
                  dst                           FWD
            1  →  ◆[2001:db8:9:9:9:9:9:9]:8080──■1 +1───▶

            paths  A×1 e\x1b[31mX ▶ o
            marks  ■n rule that matched   ◆ new address
                   +n µs since the packet's first line
        "#]],
    );
    expect![[r#"
        packet 1 in words  SYN 60 B · accepted
          +0  nat:KUBE-SEP-ABCDEFGHIJKLMNOP\x1b:rule:1 · in e\x1b[31mX
          +1  filter:FORWARD:rule:1 · out o
                · destination [2001:db8:1:2:3:4:5:6]:80 → [2001:db8:9:9:9:9:9:9]:8080
    "#]]
    .assert_eq(&words(&packet, "packet 1 in words", 80).plain());
}

#[test]
fn the_head_tells_the_story() {
    let facts = Facts {
        id: "c0123456789abc".into(),
        host: "dhost".into(),
        netns: None,
        time: "2026-11-22 13:07:47.158050 UTC, lasted 3,656 µs".into(),
        links: vec![(
            "proxy".into(),
            "cabcdefghijklm".into(),
            "same bytes 1 ms later, from docker-proxy".into(),
        )],
    };
    expect![[r#"
        tcp  10.110.124.185:51736 → 10.146.22.21:40000  ◆ DNAT → 172.17.0.5:6379   accepted

          verdict     accepted at filter:FORWARD:policy:4 · the policy decided
          state       time_wait
          nat         ◆ DNAT 10.146.22.21:40000 → 172.17.0.5:6379 by nat:DOCKER:rule:1 · seen in the log
          packets     3 → · 2 ← · 26 lines
          interfaces  eth0, docker0, veth72x2M5
          log holds   the whole connection
          link        proxy cabcdefghijklm · same bytes 1 ms later, from docker-proxy
          host        dhost · from text: the origin cannot be proved
          time        2026-11-22 13:07:47.158050 UTC, lasted 3,656 µs
          id          c0123456789abc
    "#]].assert_eq(&head(&connection(), &facts, 100).plain());
    expect![[r#"
        tcp  10.110.124.185:51736 → 10.146.22.21:40000
          ◆ DNAT → 172.17.0.5:6379   accepted

          verdict     accepted at filter:FORWARD:policy:4
                      · the policy decided
          state       time_wait
          nat         ◆ DNAT 10.146.22.21:40000 → 172.17.0.5:6379
                      by nat:DOCKER:rule:1 · seen in the log
          packets     3 → · 2 ← · 26 lines
          interfaces  eth0, docker0, veth72x2M5
          log holds   the whole connection
          link        proxy cabcdefghijklm · same bytes 1 ms later,
                      from docker-proxy
          host        dhost · from text: the origin cannot be proved
          time        2026-11-22 13:07:47.158050 UTC, lasted 3,656
                      µs
          id          c0123456789abc
    "#]]
    .assert_eq(&head(&connection(), &facts, 60).plain());
}

#[test]
fn a_packet_in_words() {
    expect![[r#"
        packet 1 in words  SYN 60 B · accepted
            +0  raw:PREROUTING:policy:3  · in eth0
           +21  nat:PREROUTING:rule:1
           +25  nat:DOCKER:rule:1
           +38  filter:FORWARD:policy:4  · out docker0
                  · destination 10.146.22.21:40000 → 172.17.0.5:6379 · ttl 64 → 63
           +41  nat:POSTROUTING:policy:2
          +120  eb:filter:OUTPUT         · after 79 µs · out veth72x2M5
          +124  eb:nat:OUTPUT
          +126  eb:nat:POSTROUTING
    "#]]
    .assert_eq(&words(&syn(), "packet 1 in words", 80).plain());
}

#[test]
fn notes_stand_below_their_row() {
    let packets = case_1();
    let mut rows = rows(&packets);
    rows[1].notes.push("packet 1 waited for this answer before its frame could leave".into());
    let drawn = lanes(&rows, packets[0].first, 200).plain();
    assert!(drawn.contains("\n   packet 1 waited for this answer before its frame could leave\n"));
}

#[test]
fn ascii_has_no_other_characters() {
    let page = lanes(&rows(&case_1()), stamp(0), 80).into_ascii().plain();
    assert!(page.is_ascii(), "{page}");
}

#[test]
fn nothing_dangerous_survives() {
    assert_eq!(escape(b"a\x1b[31m\tb\x7f\r\n"), "a\\x1b[31m\\x09b\\x7f\\x0d\\x0a");
    assert_eq!(escape(b"\xff\xfeok\xc3"), "\\xff\\xfeok\\xc3");
    assert_eq!(escape("x\u{202e}y\u{200b}z\u{85}".as_bytes()), "x\\u{202e}y\\u{200b}z\\u{85}");
    assert_eq!(escape("Grüße 日本 → ok".as_bytes()), "Grüße 日本 → ok");
    assert_eq!(escape(b"C:\\x0a"), "C:\\x0a");
}

proptest::proptest! {
    #[test]
    fn escaped_text_is_printable(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let text = escape(&bytes);
        let unsafe_one = text.chars().find(|character| {
            character.is_control()
                || ('\u{202a}'..='\u{202e}').contains(character)
                || ('\u{2066}'..='\u{2069}').contains(character)
        });
        proptest::prop_assert_eq!(unsafe_one, None);
    }
}
