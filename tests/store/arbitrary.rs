//! Packets that no kernel ever saw: every field in every state.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tracecol::model::*;

fn bytes(max: usize) -> impl Strategy<Value = Box<[u8]>> {
    vec(any::<u8>(), 0..max).prop_map(Into::into)
}

fn address() -> BoxedStrategy<IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        (0u32..4).prop_map(|n| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        any::<u32>().prop_map(|bits| { IpAddr::V6(Ipv4Addr::from_bits(bits).to_ipv6_mapped()) }),
    ]
    .boxed()
}

fn mac() -> BoxedStrategy<Mac> {
    prop_oneof![any::<[u8; 6]>().prop_map(Mac), (0u8..3).prop_map(|n| Mac([2, 66, 0, 0, 0, n]))]
        .boxed()
}

fn device() -> BoxedStrategy<Option<IfName>> {
    option::of(prop_oneof![
        Just(IfName::new(b"eth0").unwrap()),
        vec(any::<u8>(), 1..16).prop_map(|name| IfName::new(&name).unwrap()),
    ])
    .boxed()
}

prop_compose! {
    fn devices()(input in device(), output in device(), physin in device(), physout in device()) -> Devices {
        Devices { input, output, physin, physout }
    }
}

fn link() -> BoxedStrategy<LinkHeader> {
    let vlan = (any::<u16>(), any::<u16>()).prop_map(|(protocol, tci)| Vlan { protocol, tci });
    prop_oneof![
        Just(LinkHeader::Absent),
        (mac(), mac(), any::<u16>()).prop_map(|(dst, src, ethertype)| LinkHeader::Ethernet {
            dst,
            src,
            ethertype
        }),
        bytes(20).prop_map(LinkHeader::Octets),
        (mac(), mac(), option::of(vlan), option::of(any::<u16>())).prop_map(
            |(src, dst, vlan, ethertype)| LinkHeader::Decoded { src, dst, vlan, ethertype }
        ),
        (mac(), mac(), any::<u16>()).prop_map(|(src, dst, ethertype)| LinkHeader::Frame {
            src,
            dst,
            ethertype
        }),
    ]
    .boxed()
}

fn tcp_options() -> BoxedStrategy<TcpOptions> {
    prop_oneof![
        Just(TcpOptions::Absent),
        Just(TcpOptions::Truncated),
        bytes(40).prop_map(TcpOptions::Bytes),
        any::<u64>().prop_map(|stamps| {
            TcpOptions::Bytes([&[1, 1, 8, 10][..], &stamps.to_be_bytes()].concat().into())
        }),
        any::<u32>().prop_map(|short| {
            TcpOptions::Bytes([&[1, 1, 8, 10][..], &short.to_be_bytes()].concat().into())
        }),
    ]
    .boxed()
}

prop_compose! {
    fn tcp()(
        (sport, dport, window, urgent) in any::<(u16, u16, u16, u16)>(),
        seq_ack in option::of(any::<(u32, u32)>()),
        reserved in any::<u8>(),
        flags in any::<u16>(),
        options in tcp_options(),
    ) -> Tcp {
        let flags = TcpFlags(flags);
        Tcp { sport, dport, seq_ack, window, reserved, flags, urgent, options }
    }
}

fn transport(depth: u32) -> BoxedStrategy<Transport> {
    let plain = prop_oneof![
        Just(Transport::Absent),
        option::of(any::<u32>()).prop_map(Transport::Incomplete),
        tcp().prop_map(Transport::Tcp),
        (any::<u16>(), any::<u16>(), option::of(any::<u16>()))
            .prop_map(|(sport, dport, length)| Transport::Udp { sport, dport, length }),
        (any::<u16>(), any::<u16>()).prop_map(|(sport, dport)| Transport::Ports { sport, dport }),
        any::<u32>().prop_map(Transport::Spi),
    ];
    if depth == 0 {
        return plain.boxed();
    }
    let extra = prop_oneof![
        any::<u32>().prop_map(IcmpExtra::Parameter),
        address().prop_map(IcmpExtra::Gateway),
        any::<u32>().prop_map(IcmpExtra::Pointer),
    ];
    let icmp = (
        any::<(u8, u8)>(),
        option::of(any::<u32>()),
        option::of(any::<(u16, u16)>()),
        option::of(extra),
        option::of(any::<u32>()),
        option::of(ip(depth - 1)),
    );
    let icmp = icmp.prop_map(|((kind, code), incomplete, echo, extra, mtu, inner)| {
        let inner = inner.map(Box::new);
        Transport::Icmp(Box::new(Icmp { kind, code, incomplete, echo, extra, mtu, inner }))
    });
    prop_oneof![3 => plain, 1 => icmp].boxed()
}

fn ip(depth: u32) -> BoxedStrategy<Ip> {
    let fragment = (any::<u32>(), any::<bool>(), option::of(any::<u32>()))
        .prop_map(|(offset, more, id)| Fragment { offset, more, id });
    let numbers = (
        option::of(any::<u32>()),
        option::of(any::<u8>()),
        option::of(any::<u8>()),
        option::of(any::<u16>()),
        option::of(any::<u32>()),
        any::<u8>(),
    );
    let rest = (
        option::of(fragment),
        option::of(bytes(12)),
        any::<u8>(),
        option::of(any::<u32>()),
        any::<bool>(),
        option::of(any::<u8>().prop_map(Protocol)),
    );
    (address(), address(), numbers, rest, transport(depth))
        .prop_map(|(src, dst, numbers, rest, transport)| {
            let (length, tos, ttl, id, flow_label, flags) = numbers;
            let (fragment, options, extension_headers, ah_spi, truncated, protocol) = rest;
            let flags = IpFlags(flags);
            Ip {
                src,
                dst,
                length,
                tos,
                ttl,
                id,
                flow_label,
                flags,
                fragment,
                options,
                extension_headers,
                ah_spi,
                truncated,
                protocol,
                transport,
            }
        })
        .boxed()
}

fn arp() -> BoxedStrategy<Arp> {
    let addresses =
        (mac(), any::<u32>(), mac(), any::<u32>()).prop_map(|(sender, from, target, to)| {
            ArpAddresses {
                sender_mac: sender,
                sender_ip: Ipv4Addr::from_bits(from),
                target_mac: target,
                target_ip: Ipv4Addr::from_bits(to),
            }
        });
    (any::<(u16, u16, u16)>(), option::of(addresses), any::<bool>(), option::of(any::<u32>()))
        .prop_map(|((hardware, protocol, operation), addresses, incomplete, incomplete_bytes)| {
            Arp { hardware, protocol, operation, addresses, incomplete, incomplete_bytes }
        })
        .boxed()
}

fn network() -> BoxedStrategy<Network> {
    prop_oneof![
        1 => Just(Network::Absent),
        1 => Just(Network::Truncated),
        1 => Just(Network::Incomplete),
        1 => arp().prop_map(Network::Arp),
        6 => ip(2).prop_map(|ip| Network::Ip(Box::new(ip))),
    ]
    .boxed()
}

prop_compose! {
    pub(crate) fn header()(
        devices in devices(),
        link in link(),
        tunnel in option::weighted(0.1, (address(), address())),
        network in network(),
        owner in option::of(any::<(u32, u32)>()),
        mark in option::of(any::<u32>()),
        unknown in option::weighted(0.1, bytes(20)),
        cut in any::<bool>(),
    ) -> Header {
        Header { devices, link, tunnel, network, owner, mark, unknown, cut }
    }
}

fn site() -> BoxedStrategy<Site> {
    let kind = prop_oneof![
        any::<u32>().prop_map(SiteKind::Rule),
        any::<u32>().prop_map(SiteKind::Return),
        (0u32..4).prop_map(SiteKind::Policy),
    ];
    let chain = prop_oneof![
        Just(b"FORWARD".as_slice().into()),
        Just(b"PREROUTING".as_slice().into()),
        bytes(8),
    ];
    let table = prop_oneof![Just(b"filter".as_slice().into()), bytes(4)];
    prop_oneof![
        (table, chain.clone(), kind).prop_map(|(table, chain, kind)| Site::Trace {
            table,
            chain,
            kind
        }),
        bytes(10).prop_map(|prefix| Site::Log { prefix }),
        (bytes(3), chain, bytes(20)).prop_map(|(table, chain, prefix)| Site::Bridge {
            table,
            chain,
            prefix
        }),
        bytes(10).prop_map(|prefix| Site::BridgeLog { prefix }),
    ]
    .boxed()
}

pub(crate) fn hop() -> BoxedStrategy<Hop> {
    let layer =
        prop_oneof![Just(Layer::Ip), Just(Layer::Ip6), Just(Layer::Bridge), Just(Layer::Arp)];
    (layer, site(), devices())
        .prop_map(|(layer, site, devices)| Hop { layer, site: Arc::new(site), devices })
        .boxed()
}

/// Positions in the sources 1 and 2, which the tests register.
fn position() -> BoxedStrategy<Position> {
    (1u32..3, 0u64..1 << 42, option::of(any::<u64>()), 0u32..3)
        .prop_map(|(source, offset, seq, copy)| Position {
            source: SourceId(source),
            offset,
            seq,
            copy,
        })
        .boxed()
}

/// The lines of a step near the packet's key, or anywhere.
fn lines(offset: u64) -> BoxedStrategy<StepLines> {
    let near = (0u64..10_000).prop_map(move |distance| Position {
        source: SourceId(1),
        offset: offset + distance,
        seq: None,
        copy: 0,
    });
    prop_oneof![
        4 => near.prop_map(|head| StepLines { head, pieces: Vec::new() }),
        1 => (position(), vec(position(), 0..3)).prop_map(|(head, pieces)| StepLines { head, pieces }),
    ]
    .boxed()
}

fn stamp() -> BoxedStrategy<Stamp> {
    let wall = prop_oneof![any::<i64>(), 1_795_352_867_000_000i64..1_795_352_868_000_000];
    let uptime = prop_oneof![any::<u64>(), 0u64..10_000_000];
    (option::of(wall.prop_map(WallTime)), option::of(uptime.prop_map(Uptime)))
        .prop_map(|(wall, uptime)| Stamp { wall, uptime })
        .boxed()
}

pub(crate) fn verdict() -> BoxedStrategy<Verdict> {
    let kinds = proptest::sample::select(VerdictKind::ALL.to_vec());
    let evidence = option::of(proptest::sample::select(VerdictEvidence::ALL.to_vec()));
    (kinds, evidence, option::weighted(0.3, hop()))
        .prop_map(|(kind, evidence, site)| Verdict { kind, evidence, site })
        .boxed()
}

fn step(offset: u64) -> BoxedStrategy<(Option<Header>, Hop, Option<i64>, StepLines)> {
    let time = prop_oneof![
        2 => (0i64..3_000_000).prop_map(Some),
        1 => any::<i64>().prop_map(Some),
        1 => Just(None),
    ];
    (option::of(header().boxed()), hop(), time, lines(offset)).boxed()
}

/// A packet at this offset of source 1. About half of its steps share the header before.
pub(crate) fn packet(offset: u64) -> BoxedStrategy<Packet> {
    let steps = (header().boxed(), vec(step(offset), 1..8)).prop_map(|(first, steps)| {
        let mut before = Arc::new(first);
        let join =
            |(header, hop, offset_us, lines): (Option<Header>, Hop, Option<i64>, StepLines)| {
                before = header.map_or_else(|| Arc::clone(&before), Arc::new);
                Step { hop, offset_us, header: Arc::clone(&before), lines }
            };
        steps.into_iter().map(join).collect::<Vec<_>>()
    });
    let words = (
        option::of(proptest::sample::select(Direction::ALL.to_vec())),
        proptest::sample::select(Trust::ALL.to_vec()),
        proptest::sample::select(Confidence::ALL.to_vec()),
    );
    (steps, any::<u32>(), stamp(), words, verdict(), any::<bool>())
        .prop_map(move |(steps, boot, first, (direction, trust, confidence), verdict, belongs)| {
            Packet {
                key: PacketKey { source: SourceId(1), offset },
                host: HostId(0),
                boot: Boot(boot % 3),
                connection: belongs.then_some(PacketKey { source: SourceId(1), offset: 1000 }),
                direction,
                first,
                trust,
                confidence,
                verdict,
                steps,
            }
        })
        .boxed()
}

fn tuple() -> BoxedStrategy<Tuple> {
    (endpoint(), endpoint()).prop_map(|(src, dst)| Tuple { src, dst }).boxed()
}

fn endpoint() -> BoxedStrategy<Endpoint> {
    (option::of(address()), option::of(any::<u16>()))
        .prop_map(|(addr, port)| Endpoint { addr, port })
        .boxed()
}

/// A connection at this offset of source 1.
pub(crate) fn connection(offset: u64) -> BoxedStrategy<Connection> {
    let nat = (
        proptest::sample::select(NatKind::ALL.to_vec()),
        endpoint(),
        endpoint(),
        option::of(hop()),
        proptest::sample::select(EvidenceOf::ALL.to_vec()),
    )
        .prop_map(|(kind, from, to, site, evidence)| NatChange {
            kind,
            from,
            to,
            site,
            evidence,
        });
    let words = (
        proptest::sample::select(ConnectionState::ALL.to_vec()),
        proptest::sample::select(Completeness::ALL.to_vec()),
        proptest::sample::select(Trust::ALL.to_vec()),
        vec(proptest::sample::select(Layer::ALL.to_vec()), 0..4),
    );
    let names =
        vec(device(), 0..4).prop_map(|names| names.into_iter().flatten().collect::<Vec<_>>());
    let tuples = (any::<u8>(), tuple(), tuple(), option::of(any::<u16>()), vec(nat, 0..3));
    let counts = any::<[u32; 4]>();
    (tuples, words, names, counts, stamp(), stamp(), verdict())
        .prop_map(move |(tuples, words, interfaces, counts, first, last, verdict)| {
            let (protocol, original, reply, icmp_id, mut nat) = tuples;
            let (state, completeness, trust, layers) = words;
            if let Some(change) = nat.first_mut() {
                change.from = original.dst;
            }
            Connection {
                key: PacketKey { source: SourceId(1), offset },
                host: HostId(0),
                boot: Boot(0),
                protocol: Protocol(protocol),
                original,
                reply,
                icmp_id,
                nat,
                state,
                completeness,
                first,
                last,
                packets_original: u64::from(counts[0]),
                packets_reply: u64::from(counts[1]),
                packets_related: u64::from(counts[2]),
                lines: u64::from(counts[3]),
                layers,
                interfaces,
                trust,
                verdict,
            }
        })
        .boxed()
}
