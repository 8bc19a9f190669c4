//! Headers such as the kernel can print, and lines that are nearly right.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tracecol::model::{
    Arp, ArpAddresses, Devices, Fragment, Header, Icmp, IcmpExtra, IfName, Ip, IpFlags, LinkHeader,
    Mac, Network, Protocol, Site, SiteKind, Tcp, TcpFlags, TcpOptions, Transport, Vlan,
};

fn name() -> impl Strategy<Value = IfName> {
    "[a-zA-Z0-9._@-]{1,15}".prop_map(|name| IfName::new(name.as_bytes()).unwrap())
}

fn mac() -> impl Strategy<Value = Mac> {
    any::<[u8; 6]>().prop_map(Mac)
}

fn devices() -> impl Strategy<Value = Devices> {
    (option::of(name()), option::of(name()), option::of(name()), option::of(name()))
        .prop_map(|(input, output, physin, physout)| Devices { input, output, physin, physout })
}

fn bytes(most: usize) -> impl Strategy<Value = Box<[u8]>> {
    vec(any::<u8>(), 1..most).prop_map(Into::into)
}

fn link() -> impl Strategy<Value = LinkHeader> {
    prop_oneof![
        Just(LinkHeader::Absent),
        (mac(), mac(), any::<u16>()).prop_map(|(dst, src, ethertype)| LinkHeader::Ethernet {
            dst,
            src,
            ethertype
        }),
        prop_oneof![Just(0), 1..14usize, 15..20usize]
            .prop_flat_map(|length| vec(any::<u8>(), length))
            .prop_map(|octets| LinkHeader::Octets(octets.into())),
        (mac(), mac(), option::of((any::<u16>(), any::<u16>())), any::<u16>()).prop_map(
            |(src, dst, vlan, ethertype)| LinkHeader::Decoded {
                src,
                dst,
                vlan: vlan.map(|(protocol, tci)| Vlan { protocol, tci }),
                ethertype: Some(ethertype),
            }
        ),
    ]
}

fn tcp() -> impl Strategy<Value = Transport> {
    let options = prop_oneof![
        Just(TcpOptions::Absent),
        bytes(40).prop_map(TcpOptions::Bytes),
        Just(TcpOptions::Truncated)
    ];
    (any::<(u16, u16, u16, u16)>(), any::<Option<(u32, u32)>>(), 0..64u8, 0..512u16, options)
        .prop_map(|((sport, dport, window, urgent), seq_ack, reserved, flags, options)| {
            Transport::Tcp(Tcp {
                sport,
                dport,
                seq_ack,
                window,
                reserved,
                flags: TcpFlags(flags),
                urgent,
                options,
            })
        })
}

fn udp() -> impl Strategy<Value = Transport> {
    any::<(u16, u16, u16)>().prop_map(|(sport, dport, length)| Transport::Udp {
        sport,
        dport,
        length: Some(length),
    })
}

fn incomplete() -> impl Strategy<Value = Transport> {
    any::<u32>().prop_map(|bytes| Transport::Incomplete(Some(bytes)))
}

fn plain_icmp(kind: u8, code: u8) -> Icmp {
    Icmp { kind, code, incomplete: None, echo: None, extra: None, mtu: None, inner: None }
}

/// ICMP with the fields that its type prints, in either family.
fn icmp(v6: bool, inner: Option<BoxedStrategy<Ip>>) -> BoxedStrategy<Transport> {
    let (echo, parameter, others, errors): (u8, u8, u8, [u8; 2]) =
        if v6 { (128, 4, 135, [1, 2]) } else { (8, 12, 13, [3, 11]) };
    let with_echo = any::<(u8, u16, u16)>()
        .prop_map(move |(code, id, seq)| Icmp { echo: Some((id, seq)), ..plain_icmp(echo, code) });
    let other = any::<u8>().prop_map(move |code| plain_icmp(others, code));
    let quoted = match inner {
        Some(inner) => inner.prop_map(|ip| Some(Box::new(ip))).boxed(),
        None => Just(None).boxed(),
    };
    let error = (any::<u8>(), 0..2usize, quoted.clone(), any::<Option<u16>>()).prop_map(
        move |(code, which, inner, mtu)| Icmp {
            inner,
            mtu: mtu.map(u32::from),
            ..plain_icmp(errors[which], code)
        },
    );
    let problem = (any::<u8>(), any::<u32>(), quoted.clone()).prop_map(move |(code, at, inner)| {
        if v6 {
            Icmp { extra: Some(IcmpExtra::Pointer(at)), inner, ..plain_icmp(parameter, code) }
        } else {
            Icmp { extra: Some(IcmpExtra::Parameter(at)), ..plain_icmp(parameter, code) }
        }
    });
    let redirect = (any::<u8>(), any::<u32>(), quoted).prop_map(move |(code, gateway, inner)| {
        let gateway = IpAddr::V4(Ipv4Addr::from(gateway));
        if v6 {
            plain_icmp(137, code)
        } else {
            Icmp { extra: Some(IcmpExtra::Gateway(gateway)), inner, ..plain_icmp(5, code) }
        }
    });
    prop_oneof![with_echo, other, error, problem, redirect]
        .prop_map(|icmp| Transport::Icmp(Box::new(icmp)))
        .boxed()
}

fn transport(v6: bool, inner: Option<BoxedStrategy<Ip>>) -> BoxedStrategy<(Protocol, Transport)> {
    let of = |protocol: Protocol, transport: BoxedStrategy<Transport>| {
        transport.prop_map(move |transport| (protocol, transport)).boxed()
    };
    let icmp_protocol = if v6 { Protocol::ICMPV6 } else { Protocol::ICMP };
    let number =
        (if v6 { 0..6u8 } else { 2..6u8 }).prop_map(|number| (Protocol(number), Transport::Absent));
    let common = prop_oneof![
        of(Protocol::TCP, tcp().boxed()),
        of(Protocol::UDP, udp().boxed()),
        of(Protocol::UDPLITE, udp().boxed()),
        of(Protocol::TCP, incomplete().boxed()),
        of(icmp_protocol, incomplete().boxed()),
        of(icmp_protocol, icmp(v6, inner)),
        number,
    ];
    if v6 {
        common.boxed()
    } else {
        let spi = any::<u32>().prop_map(Transport::Spi).boxed();
        prop_oneof![common, of(Protocol::AH, spi.clone()), of(Protocol::ESP, spi)].boxed()
    }
}

fn bare(src: IpAddr, dst: IpAddr) -> Ip {
    Ip {
        src,
        dst,
        length: None,
        tos: None,
        ttl: None,
        id: None,
        flow_label: None,
        flags: IpFlags::default(),
        fragment: None,
        options: None,
        extension_headers: 0,
        ah_spi: None,
        truncated: false,
        protocol: None,
        transport: Transport::Absent,
    }
}

fn ip4(depth: u8) -> BoxedStrategy<Ip> {
    let inner = (depth == 0).then(|| ip4(1));
    let fixed = any::<(u32, u32, u16, u8, u8, u16)>();
    let rest = (0..8u8, option::of(0..8192u32), option::of(bytes(40)));
    (fixed, rest, transport(false, inner), 0..12u8)
        .prop_map(|(fixed, (flags, offset, options), (protocol, transport), how)| {
            let (src, dst, length, tos, ttl, id) = fixed;
            let more = flags & IpFlags::MF != 0;
            let offset = offset.unwrap_or(0) * 8;
            let fragment = (more || offset > 0).then_some(Fragment { offset, more, id: None });
            let truncated = how == 0 && options.is_none();
            let silent = how == 1 && offset > 0;
            Ip {
                length: Some(u32::from(length)),
                // The lowest bit of TOS is never printed.
                tos: Some(tos & 0xfe),
                ttl: Some(ttl),
                id: Some(id),
                flags: IpFlags(flags),
                fragment,
                options,
                truncated,
                protocol: (!truncated && !silent).then_some(protocol),
                transport: if truncated || offset > 0 { Transport::Absent } else { transport },
                ..bare(Ipv4Addr::from(src).into(), Ipv4Addr::from(dst).into())
            }
        })
        .boxed()
}

fn ip6(depth: u8) -> BoxedStrategy<Ip> {
    let inner = (depth == 0).then(|| ip6(1));
    let fixed = any::<(u128, u128, u16, u8, u8)>();
    let fragment = option::of((0..8192u32, any::<bool>(), any::<u32>()));
    let rest = (0..0x10_0000u32, fragment, 0..3u8, any::<bool>(), option::of(any::<u32>()));
    (fixed, rest, transport(true, inner), 0..16u8)
        .prop_map(|(fixed, rest, (protocol, transport), how)| {
            let (src, dst, length, tos, ttl) = fixed;
            let (flow_label, fragment, plain, grouped, ah_spi) = rest;
            let fragment = fragment.map(|(offset, more, id)| Fragment {
                offset: offset * 8,
                more,
                id: Some(id),
            });
            let later = fragment.is_some_and(|fragment| fragment.offset > 0);
            // Without the option flag no group is printed, and no AH.
            let ah_spi = ah_spi.filter(|_| grouped && !later);
            let extension_headers = if grouped && !later {
                plain + u8::from(fragment.is_some()) + u8::from(ah_spi.is_some())
            } else {
                u8::from(grouped && later)
            };
            let unknown = how == 0 && !later;
            let esp = how == 1 && grouped && !later;
            Ip {
                length: Some(u32::from(length)),
                tos: Some(tos),
                ttl: Some(ttl),
                flow_label: Some(flow_label),
                fragment,
                extension_headers: extension_headers + u8::from(esp),
                ah_spi,
                truncated: unknown,
                protocol: Some(if esp { Protocol::ESP } else { protocol }),
                transport: if later || unknown {
                    Transport::Absent
                } else if esp {
                    Transport::Spi(flow_label)
                } else {
                    transport
                },
                ..bare(Ipv6Addr::from(src).into(), Ipv6Addr::from(dst).into())
            }
        })
        .boxed()
}

fn addresses() -> impl Strategy<Value = ArpAddresses> {
    (mac(), any::<u32>(), mac(), any::<u32>()).prop_map(
        |(sender_mac, sender_ip, target_mac, target_ip)| ArpAddresses {
            sender_mac,
            sender_ip: sender_ip.into(),
            target_mac,
            target_ip: target_ip.into(),
        },
    )
}

fn arp() -> impl Strategy<Value = Arp> {
    (any::<(u16, u16, u16)>(), option::of(addresses()), any::<Option<u32>>()).prop_map(
        |((hardware, protocol, operation), addresses, incomplete)| {
            let incomplete_bytes = incomplete.filter(|_| addresses.is_none());
            let incomplete = incomplete_bytes.is_some();
            Arp { hardware, protocol, operation, addresses, incomplete, incomplete_bytes }
        },
    )
}

fn network() -> impl Strategy<Value = Network> {
    prop_oneof![
        4 => ip4(0).prop_map(|ip| Network::Ip(Box::new(ip))),
        4 => ip6(0).prop_map(|ip| Network::Ip(Box::new(ip))),
        1 => arp().prop_map(Network::Arp),
        1 => Just(Network::Truncated),
    ]
}

/// The kernel stops before `UID=` and `MARK=` when it cannot read a header to its end.
fn has_tail(network: &Network) -> bool {
    let Network::Ip(ip) = network else { return false };
    let ends = match &ip.transport {
        Transport::Incomplete(_) => ip.protocol != Some(Protocol::ICMP),
        Transport::Tcp(tcp) => tcp.options == TcpOptions::Truncated,
        _ => false,
    };
    let esp = ip.src.is_ipv6() && ip.protocol == Some(Protocol::ESP);
    !(ends || ip.truncated || esp)
}

prop_compose! {
    pub(crate) fn header()(
        devices in devices(),
        link in link(),
        tunnel in option::of(any::<(u32, u32)>()),
        network in network(),
        owner in any::<Option<(u32, u32)>>(),
        mark in option::of(1..u32::MAX),
    ) -> Header {
        let raw = matches!(link, LinkHeader::Ethernet { .. } | LinkHeader::Octets(_));
        let tunnel = tunnel.filter(|_| raw);
        let tail = has_tail(&network);
        Header {
            devices,
            link,
            tunnel: tunnel.map(|(from, to)| (Ipv4Addr::from(from).into(), Ipv4Addr::from(to).into())),
            owner: owner.filter(|_| tail),
            mark: mark.filter(|_| tail),
            network,
            unknown: None,
            cut: false,
        }
    }
}

pub(crate) fn site() -> impl Strategy<Value = Site> {
    let kind = (0..3u8, any::<u32>()).prop_map(|(kind, number)| match kind {
        0 => SiteKind::Rule(number),
        1 => SiteKind::Return(number),
        _ => SiteKind::Policy(number),
    });
    prop_oneof![
        ("[a-z_]{1,12}", "[A-Za-z:_.-]{1,28}", kind).prop_map(|(table, chain, kind)| Site::Trace {
            table: table.into_bytes().into(),
            chain: chain.into_bytes().into(),
            kind,
        }),
        "[A-Za-z\\[\\]:\" _<>{}#-]{0,29}"
            .prop_map(|prefix| Site::Log { prefix: prefix.into_bytes().into() }),
    ]
}

/// A frame as ebtables prints it, whole enough not to wait for pieces.
pub(crate) fn frame() -> impl Strategy<Value = Header> {
    let ports = prop_oneof![
        Just(Transport::Incomplete(None)),
        any::<(u16, u16)>().prop_map(|(sport, dport)| Transport::Ports { sport, dport }),
    ];
    let with_ports = (prop_oneof![Just(6u8), Just(17), Just(33), Just(132), Just(136)], ports);
    let transport = prop_oneof![
        with_ports.prop_map(|(protocol, transport)| (protocol, transport)),
        Just((1, Transport::Absent)),
        Just((58, Transport::Absent)),
    ];
    let ip = (any::<(u128, u128, u8)>(), transport, any::<bool>()).prop_map(
        |((src, dst, tos), (protocol, transport), v6)| {
            let protocol = Some(Protocol(protocol));
            let ip = if v6 {
                let ip = bare(Ipv6Addr::from(src).into(), Ipv6Addr::from(dst).into());
                Ip { tos: Some(tos & 0xf0), protocol, transport, ..ip }
            } else {
                let low = |wide: u128| Ipv4Addr::from((wide & 0xffff_ffff) as u32);
                Ip { tos: Some(tos), protocol, transport, ..bare(low(src).into(), low(dst).into()) }
            };
            (if v6 { 0x86dd } else { 0x0800 }, Network::Ip(Box::new(ip)))
        },
    );
    let arp = (addresses(), any::<u16>()).prop_map(|(addresses, operation)| {
        let arp = Arp {
            hardware: 1,
            protocol: 0x0800,
            operation,
            addresses: Some(addresses),
            incomplete: false,
            incomplete_bytes: None,
        };
        (0x0806, Network::Arp(arp))
    });
    let network = prop_oneof![
        3 => ip,
        2 => arp,
        1 => prop_oneof![Just(0x0800u16), Just(0x86dd), Just(0x0806), Just(0x8035)]
            .prop_map(|ethertype| (ethertype, Network::Incomplete)),
        1 => (0..0x0600u16).prop_map(|length| (length, Network::Absent)),
    ];
    (option::of(name()), option::of(name()), mac(), mac(), network).prop_map(
        |(input, output, src, dst, (ethertype, network))| Header {
            devices: Devices { input, output, physin: None, physout: None },
            link: LinkHeader::Frame { src, dst, ethertype },
            network,
            ..Header::default()
        },
    )
}

/// Words of the grammar, to build lines that are nearly right.
pub(crate) fn nearly_a_line() -> impl Strategy<Value = Vec<u8>> {
    #[rustfmt::skip]
    let words = prop::sample::select(vec![
        "IN=eth0 ", "OUT=eth1 ", "IN= ", "OUT= ", "PHYSIN=a ", "MAC=00:01 ", "MACSRC=", "SRC=10.0.0.1 ",
        "DST=10.0.0.2 ", "SRC=2001:db8::1 ", "LEN=60 ", "TOS=0x00 ", "TTL=64 ", "ID=1 ", "DF ", "FRAG:1 ",
        "OPT (", "OPT ( ", "0204) ", ") ", "PROTO=TCP ", "PROTO=UDP ", "PROTO=ICMP ", "PROTO=ICMPv6 ",
        "SPT=1 ", "DPT=2 ", "SEQ=1 ", "ACK=1 ", "ACK ", "WINDOW=1 ", "RES=0x00 ", "URGP=0 ", "TYPE=3 ",
        "CODE=1 ", "[", "] ", "[SRC=", "INCOMPLETE ", "[8 bytes] ", "TRUNCATED", "UID=0 ", "GID=0 ", "MARK=0x1 ",
        "ARP ", "HTYPE=1 ", "MAC source = ", "02:00:00:00:00:01", " MAC dest = ", " proto = 0x0800",
        " IP SRC=10.0.0.1 IP DST=10.0.0.2,", " IP tos=0x00,", " IP proto=6", " SPT=1 DPT=2", "TRACE: ", "raw:",
        "rule:1 ", "kernel: [ 1.5] ", "<4>", "=", ":", " ", "\u{e9}", "Unknown Ext Hdr ", "AH ", "ESP ", "SPI=0x1 ",
    ]);
    vec(words, 0..24).prop_map(|words| words.concat().into_bytes())
}
