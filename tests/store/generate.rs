//! Makes logs' outcomes as a busy Docker host would give them, the same for the same seed.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use tracecol::model::*;

/// A small reproducible source of numbers.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::try_from(self.below(1 << 32)).unwrap()
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::try_from(self.below(1 << 16)).unwrap()
    }
}

pub(crate) fn name(text: &str) -> Option<IfName> {
    IfName::new(text.as_bytes())
}

pub(crate) fn trace(table: &str, chain: &str, kind: SiteKind) -> Arc<Site> {
    Arc::new(Site::Trace { table: table.as_bytes().into(), chain: chain.as_bytes().into(), kind })
}

pub(crate) fn bridge(table: &str, chain: &str) -> Arc<Site> {
    Arc::new(Site::Bridge {
        table: table.as_bytes().into(),
        chain: chain.as_bytes().into(),
        prefix: format!("TRACE: eb:{table}:{chain}").into_bytes().into(),
    })
}

pub(crate) fn v4(text: &str) -> IpAddr {
    IpAddr::V4(text.parse::<Ipv4Addr>().unwrap())
}

pub(crate) fn endpoint(addr: IpAddr, port: u16) -> Endpoint {
    Endpoint { addr: Some(addr), port: Some(port) }
}

/// A log being read: where it stands and what time it is.
pub(crate) struct Log {
    pub(crate) source: SourceId,
    pub(crate) offset: u64,
    pub(crate) wall: i64,
    pub(crate) dice: Dice,
    sites: Vec<Arc<Site>>,
}

/// Which way a packet goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leg {
    First,
    Later,
    Reply,
}

impl Log {
    pub(crate) fn new(source: SourceId, seed: u64) -> Self {
        Self {
            source,
            offset: 0,
            wall: 1_795_352_867_158_050,
            dice: Dice::new(seed),
            sites: Vec::new(),
        }
    }

    /// The site as the parser shares it: one allocation for all lines that name it.
    fn shared(&mut self, site: &Arc<Site>) -> Arc<Site> {
        if let Some(known) = self.sites.iter().find(|known| *known == site) {
            return Arc::clone(known);
        }
        self.sites.push(Arc::clone(site));
        Arc::clone(site)
    }

    /// The next line, with lines of other packets before it.
    pub(crate) fn line(&mut self) -> (Position, i64) {
        let others = self.dice.below(12);
        self.offset += 310 + self.dice.below(40) + others * 330;
        self.wall += 3 + i64::try_from(self.dice.below(30) + others * 3).unwrap();
        (Position { source: self.source, offset: self.offset, seq: None, copy: 0 }, self.wall)
    }

    /// One connection through DNAT into a container: SYN, SYN-ACK, then `n_packets − 2` more.
    pub(crate) fn connection(&mut self, n_packets: usize) -> Vec<Outcome> {
        let client = IpAddr::V4(Ipv4Addr::from_bits(0x0a6e_0000 | (self.dice.u32() & 0xffff)));
        let flow = Flow {
            client: endpoint(client, 32_768 + self.dice.u16() % 28_000),
            public: endpoint(v4("10.146.22.21"), self.dice.pick(&[40_000, 443, 8080])),
            container: endpoint(
                self.dice.pick(&[v4("172.17.0.5"), v4("172.17.0.6"), v4("172.17.0.7")]),
                6379,
            ),
            key: None,
        };
        self.flow(flow, n_packets)
    }

    pub(crate) fn flow(&mut self, mut flow: Flow, n_packets: usize) -> Vec<Outcome> {
        let mut packets = Vec::new();
        for n in 0..n_packets {
            let leg = match n {
                0 => Leg::First,
                _ if n % 2 == 1 => Leg::Reply,
                _ => Leg::Later,
            };
            let packet = self.packet(&mut flow, leg, n);
            packets.push(packet);
            self.wall += 400;
        }
        let connection = whole(&flow, &packets);
        let mut outcomes: Vec<Outcome> =
            packets.into_iter().map(|packet| Outcome::Packet(Box::new(packet))).collect();
        outcomes.push(Outcome::Connection(Box::new(connection)));
        outcomes
    }

    fn packet(&mut self, flow: &mut Flow, leg: Leg, n: usize) -> Packet {
        let places = places(leg);
        let mut headers = Headers::new(flow, leg, &mut self.dice);
        let mut steps = Vec::new();
        let mut first = None;
        for (layer, site, devices) in places {
            let (position, wall) = self.line();
            let (_, began) = *first.get_or_insert((position, wall));
            let header = headers.at(&site, devices);
            steps.push(Step {
                hop: Hop { layer, site: self.shared(&site), devices },
                offset_us: Some(wall - began),
                header,
                lines: StepLines { head: position, pieces: Vec::new() },
            });
        }
        let (position, wall) = first.unwrap();
        let key = PacketKey::from(position);
        let connection = *flow.key.get_or_insert(key);
        let last = steps.last().unwrap().hop.clone();
        // rsyslog writes the time of its reading: a few milliseconds late.
        let late = i64::try_from(self.dice.below(4000)).unwrap();
        Packet {
            key,
            host: HostId(0),
            boot: Boot(0),
            connection: Some(connection),
            direction: Some(if leg == Leg::Reply { Direction::Reply } else { Direction::Original }),
            first: Stamp {
                wall: Some(WallTime(wall)),
                uptime: Some(Uptime(u64::try_from(wall - 1_795_350_000_000_000 - late).unwrap())),
            },
            trust: Trust::Text,
            confidence: if n == 5 { Confidence::Likely } else { Confidence::Exact },
            verdict: Verdict {
                kind: VerdictKind::Accepted,
                evidence: Some(VerdictEvidence::Policy),
                site: Some(last),
            },
            steps,
        }
    }
}

/// The ends of a connection.
#[derive(Clone)]
pub(crate) struct Flow {
    pub(crate) client: Endpoint,
    pub(crate) public: Endpoint,
    pub(crate) container: Endpoint,
    pub(crate) key: Option<PacketKey>,
}

/// The connection that the packets make.
pub(crate) fn whole(flow: &Flow, packets: &[Packet]) -> Connection {
    let (first, last) = (packets.first().unwrap(), packets.last().unwrap());
    let replies = packets.iter().filter(|p| p.direction == Some(Direction::Reply)).count() as u64;
    Connection {
        key: first.key,
        host: first.host,
        boot: first.boot,
        protocol: Protocol::TCP,
        original: Tuple { src: flow.client, dst: flow.public },
        reply: Tuple { src: flow.container, dst: flow.client },
        icmp_id: None,
        nat: vec![NatChange {
            kind: NatKind::Dnat,
            from: flow.public,
            to: flow.container,
            site: Some(Hop {
                layer: Layer::Ip,
                site: trace("nat", "DOCKER", SiteKind::Rule(2)),
                devices: Devices { input: name("eth0"), ..Devices::default() },
            }),
            evidence: EvidenceOf::Observed,
        }],
        state: ConnectionState::Tcp(TcpState::Established),
        completeness: Completeness::Whole,
        first: first.first,
        last: last.first,
        packets_original: packets.len() as u64 - replies,
        packets_reply: replies,
        packets_related: 0,
        lines: packets.iter().map(|packet| packet.steps.len() as u64).sum(),
        layers: vec![Layer::Ip, Layer::Bridge],
        interfaces: ["eth0", "docker0", "veth72x2M5"].iter().filter_map(|n| name(n)).collect(),
        trust: Trust::Text,
        verdict: last.verdict.clone(),
    }
}

const fn rule(n: u32) -> SiteKind {
    SiteKind::Rule(n)
}

/// The places that a packet passes.
fn places(leg: Leg) -> Vec<(Layer, Arc<Site>, Devices)> {
    let eth0 = Devices { input: name("eth0"), ..Devices::default() };
    let through = Devices { input: name("eth0"), output: name("docker0"), ..Devices::default() };
    let out = Devices { output: name("docker0"), ..Devices::default() };
    let veth_out = Devices { output: name("veth72x2M5"), ..Devices::default() };
    let veth_in = Devices { input: name("veth72x2M5"), ..Devices::default() };
    let docker0 =
        Devices { input: name("docker0"), physin: name("veth72x2M5"), ..Devices::default() };
    let back = Devices {
        input: name("docker0"),
        output: name("eth0"),
        physin: name("veth72x2M5"),
        physout: None,
    };
    let eth0_out =
        Devices { output: name("eth0"), physin: name("veth72x2M5"), ..Devices::default() };
    let ip = |table, chain, kind, devices| (Layer::Ip, trace(table, chain, kind), devices);
    let eb = |table, chain, devices| (Layer::Bridge, bridge(table, chain), devices);
    match leg {
        Leg::First | Leg::Later => {
            let mut places = vec![
                ip("raw", "PREROUTING", SiteKind::Policy(3), eth0),
                ip("mangle", "PREROUTING", SiteKind::Policy(1), eth0),
            ];
            if leg == Leg::First {
                places.push(ip("nat", "PREROUTING", rule(1), eth0));
                places.push(ip("nat", "DOCKER", rule(2), eth0));
            }
            places.extend([
                ip("mangle", "FORWARD", SiteKind::Policy(1), through),
                ip("filter", "FORWARD", rule(1), through),
                ip("filter", "DOCKER-USER", SiteKind::Return(1), through),
                ip("filter", "FORWARD", rule(2), through),
                ip("filter", "DOCKER-ISOLATION-STAGE-1", SiteKind::Return(2), through),
                ip("filter", "FORWARD", rule(3), through),
                ip("mangle", "POSTROUTING", SiteKind::Policy(1), out),
            ]);
            if leg == Leg::First {
                places.push(ip("nat", "POSTROUTING", SiteKind::Policy(4), out));
            }
            places.extend([
                eb("nat", "OUTPUT", veth_out),
                eb("filter", "OUTPUT", veth_out),
                eb("nat", "POSTROUTING", veth_out),
            ]);
            places
        }
        Leg::Reply => vec![
            eb("broute", "BROUTING", veth_in),
            eb("nat", "PREROUTING", veth_in),
            ip("raw", "PREROUTING", SiteKind::Policy(3), docker0),
            ip("mangle", "PREROUTING", SiteKind::Policy(1), docker0),
            eb("filter", "INPUT", veth_in),
            ip("mangle", "FORWARD", SiteKind::Policy(1), back),
            ip("filter", "FORWARD", rule(1), back),
            ip("filter", "DOCKER-USER", SiteKind::Return(1), back),
            ip("filter", "FORWARD", rule(2), back),
            ip("filter", "DOCKER-ISOLATION-STAGE-1", rule(1), back),
            ip("filter", "FORWARD", rule(4), back),
            ip("mangle", "POSTROUTING", SiteKind::Policy(1), eth0_out),
        ],
    }
}

/// Makes the headers of one packet, sharing equal ones as the parser does.
struct Headers {
    leg: Leg,
    src: Endpoint,
    dst: Endpoint,
    translated: Endpoint,
    tcp: Tcp,
    length: u32,
    id: u16,
    known: Vec<Arc<Header>>,
}

impl Headers {
    fn new(flow: &Flow, leg: Leg, dice: &mut Dice) -> Self {
        let (src, dst) = match leg {
            Leg::First | Leg::Later => (flow.client, flow.public),
            Leg::Reply => (flow.container, flow.client),
        };
        let syn = leg == Leg::First;
        let mut options = vec![1, 1, 8, 10];
        options.extend(dice.u32().to_be_bytes());
        options.extend(dice.u32().to_be_bytes());
        if syn {
            options.splice(0..2, [2, 4, 5, 180, 4, 2]);
            options.extend([1, 3, 3, 7]);
        }
        let tcp = Tcp {
            sport: src.port.unwrap(),
            dport: dst.port.unwrap(),
            seq_ack: Some((dice.u32(), if syn { 0 } else { dice.u32() })),
            window: if syn { 64_240 } else { dice.u16() },
            reserved: 0,
            flags: TcpFlags(if syn { 2 } else { 24 }),
            urgent: 0,
            options: TcpOptions::Bytes(options.into()),
        };
        Self {
            leg,
            src,
            dst,
            translated: flow.container,
            tcp,
            length: if syn { 60 } else { 52 + u32::from(dice.u16() % 1400) },
            id: dice.u16(),
            known: Vec::new(),
        }
    }

    fn at(&mut self, site: &Site, devices: Devices) -> Arc<Header> {
        let routed = devices.output.is_some() && self.leg != Leg::Reply;
        let dst = if routed { self.translated } else { self.dst };
        let dport = dst.port.unwrap();
        let ip = Ip {
            src: self.src.addr.unwrap(),
            dst: dst.addr.unwrap(),
            length: Some(self.length),
            tos: Some(0),
            ttl: Some(if devices.output.is_some() { 63 } else { 64 }),
            id: Some(self.id),
            flow_label: None,
            flags: IpFlags(IpFlags::DF),
            fragment: None,
            options: None,
            extension_headers: 0,
            ah_spi: None,
            truncated: false,
            protocol: Some(Protocol::TCP),
            transport: Transport::Tcp(Tcp { dport, ..self.tcp.clone() }),
        };
        let macs = (Mac([2, 66, 172, 17, 0, 5]), Mac([2, 66, 0, 0, 0, 1]));
        let header = if site.is_bridge() {
            Header {
                devices,
                link: LinkHeader::Frame { src: macs.0, dst: macs.1, ethertype: 0x0800 },
                network: Network::Ip(Box::new(Ip {
                    length: None,
                    ttl: None,
                    id: None,
                    flags: IpFlags(0),
                    transport: Transport::Ports { sport: self.tcp.sport, dport },
                    ..ip
                })),
                ..Header::default()
            }
        } else {
            Header {
                devices,
                link: if devices.input.is_some() {
                    LinkHeader::Ethernet { dst: macs.1, src: macs.0, ethertype: 0x0800 }
                } else {
                    LinkHeader::Absent
                },
                network: Network::Ip(Box::new(ip)),
                ..Header::default()
            }
        };
        if let Some(known) = self.known.iter().find(|known| ***known == header) {
            return Arc::clone(known);
        }
        self.known.push(Arc::new(header));
        Arc::clone(self.known.last().unwrap())
    }
}
