//! What a filter is asked of: the facts of one connection or packet.

use std::net::IpAddr;

use crate::filter::{ChainName, Device, Expr, ProtocolName, Side, Term};
use crate::model::{
    Connection, ConnectionState, Endpoint, Header, Hop, LinkHeader, LinkKind, Mac, NatKind,
    Network, Packet, Protocol, Site, VerdictKind, WallTime,
};

/// The facts of one connection or packet.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Its id; a packet also answers to its connection's.
    pub ids: Vec<String>,
    /// The host's name.
    pub host: String,
    /// What `src:` and `sport:` look at.
    pub sources: Vec<Endpoint>,
    /// What `dst:` and `dport:` look at.
    pub destinations: Vec<Endpoint>,
    /// What `addr:` and `port:` look at besides.
    pub others: Vec<Endpoint>,
    /// The protocol.
    pub protocol: Option<ProtocolName>,
    /// The hops taken.
    pub hops: Vec<Hop>,
    /// The Ethernet addresses shown.
    pub macs: Vec<Mac>,
    /// The connection's translations.
    pub nat: Vec<NatKind>,
    /// The verdict.
    pub verdict: VerdictKind,
    /// The connection's state.
    pub state: Option<ConnectionState>,
    /// The connection's links and those of its packets.
    pub links: Vec<LinkKind>,
    /// When it began.
    pub first: Option<WallTime>,
    /// When it was last seen.
    pub last: Option<WallTime>,
    /// How many lines it is made of.
    pub lines: u64,
}

impl Facts {
    /// The facts of a connection and its packets. `links` are those of both.
    pub fn of_connection(
        connection: &Connection,
        packets: &[Packet],
        id: &str,
        host: &str,
        links: &[LinkKind],
    ) -> Self {
        let steps = || packets.iter().flat_map(|packet| &packet.steps);
        Self {
            ids: vec![id.to_owned()],
            host: host.to_owned(),
            sources: vec![connection.original.src],
            destinations: vec![connection.original.dst, connection.reply.src],
            others: vec![connection.reply.dst],
            protocol: Some(ProtocolName::Ip(connection.protocol)),
            hops: distinct(steps().map(|step| step.hop.clone())),
            macs: distinct(steps().flat_map(|step| macs(&step.header))),
            nat: connection.nat.iter().map(|change| change.kind).collect(),
            verdict: connection.verdict.kind,
            state: Some(connection.state),
            links: links.to_vec(),
            first: connection.first.wall,
            last: connection.last.wall,
            lines: connection.lines,
        }
    }

    /// The facts of a packet. What only connections have comes from `connection`, when it has one.
    pub fn of_packet(
        packet: &Packet,
        connection: Option<ConnectionFacts<'_>>,
        id: &str,
        host: &str,
        links: &[LinkKind],
    ) -> Self {
        let shown: Vec<_> =
            packet.steps.iter().filter_map(|step| shown_endpoints(&step.header)).collect();
        let n_pieces: usize = packet.steps.iter().map(|step| step.lines.pieces.len()).sum();
        let mut ids = vec![id.to_owned()];
        ids.extend(connection.map(|connection| connection.id.to_owned()));
        Self {
            ids,
            host: host.to_owned(),
            sources: shown.iter().take(1).map(|(src, _)| *src).collect(),
            destinations: distinct(shown.iter().map(|(_, dst)| *dst)),
            others: distinct(shown.iter().map(|(src, _)| *src)),
            protocol: packet.steps.first().and_then(|step| shown_protocol(&step.header)),
            hops: distinct(packet.steps.iter().map(|step| step.hop.clone())),
            macs: distinct(packet.steps.iter().flat_map(|step| macs(&step.header))),
            nat: connection.map(|connection| connection.nat.to_vec()).unwrap_or_default(),
            verdict: packet.verdict.kind,
            state: connection.map(|connection| connection.state),
            links: links.to_vec(),
            first: packet.first.wall,
            last: packet.first.wall,
            lines: (packet.steps.len() + n_pieces) as u64,
        }
    }
}

/// What a packet's facts take from its connection.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionFacts<'a> {
    /// The connection's id.
    pub id: &'a str,
    /// Its translations.
    pub nat: &'a [NatKind],
    /// Its state.
    pub state: ConnectionState,
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut all = Vec::new();
    for item in items {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    all
}

fn macs(header: &Header) -> impl Iterator<Item = Mac> {
    LinkHeader::addresses(&header.link).into_iter().flat_map(|(src, dst)| [src, dst])
}

/// The source and destination that a header shows; none when it has no addresses.
pub fn shown_endpoints(header: &Header) -> Option<(Endpoint, Endpoint)> {
    match &header.network {
        Network::Ip(ip) => {
            let ports = ip.ports();
            Some((
                Endpoint { addr: Some(ip.src), port: ports.map(|(sport, _)| sport) },
                Endpoint { addr: Some(ip.dst), port: ports.map(|(_, dport)| dport) },
            ))
        }
        Network::Arp(arp) => arp.addresses.map(|addresses| {
            let endpoint = |ip| Endpoint { addr: Some(IpAddr::V4(ip)), port: None };
            (endpoint(addresses.sender_ip), endpoint(addresses.target_ip))
        }),
        Network::Absent | Network::Truncated | Network::Incomplete => None,
    }
}

/// The protocol that a header shows.
pub fn shown_protocol(header: &Header) -> Option<ProtocolName> {
    match &header.network {
        Network::Ip(ip) => ip.protocol.map(ProtocolName::Ip),
        Network::Arp(_) => Some(ProtocolName::Arp),
        Network::Absent | Network::Truncated | Network::Incomplete => None,
    }
}

impl Expr {
    /// Whether the facts answer the filter.
    pub fn matches(&self, facts: &Facts) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.matches(facts)),
            Self::Any(any) => any.iter().any(|one| one.matches(facts)),
            Self::Not(one) => !one.matches(facts),
            Self::Term(term) => term.matches(facts),
        }
    }
}

impl Term {
    fn matches(&self, facts: &Facts) -> bool {
        match self {
            Self::Address(side, ranges) => facts.side(*side).any(|endpoint| {
                let address = endpoint.addr;
                address.is_some_and(|address| ranges.iter().any(|range| range.contains(address)))
            }),
            Self::Port(side, ranges) => facts.side(*side).any(|endpoint| {
                let port = endpoint.port.map(u64::from);
                port.is_some_and(|port| ranges.iter().any(|range| range.contains(port)))
            }),
            Self::Host(names) => names.iter().any(|name| name.eq_ignore_ascii_case(&facts.host)),
            Self::Protocol(names) => facts.protocol.is_some_and(|name| names.contains(&name)),
            Self::Device(device, names) => facts.hops.iter().any(|hop| takes(hop, *device, names)),
            Self::Mac(macs) => facts.macs.iter().any(|mac| macs.contains(mac)),
            Self::Nat(kinds) => kinds.iter().any(|kind| kind.matches(&facts.nat)),
            Self::Verdict(kinds) => kinds.contains(&facts.verdict),
            Self::Rule(rules) => facts.visits(|site| rules.iter().any(|rule| rule.matches(site))),
            Self::Chain(chains) => {
                facts.visits(|site| chains.iter().any(|chain| in_chain(site, chain)))
            }
            Self::Hook(hooks) => {
                facts.visits(|site| site.hook().is_some_and(|hook| hooks.contains(&hook)))
            }
            Self::State(states) => facts.state.is_some_and(|state| states.contains(&state)),
            Self::Link(kinds) => kinds.iter().any(|kind| kind.matches(&facts.links)),
            Self::Since(time) => facts.last.is_some_and(|last| last >= *time),
            Self::Until(time) => facts.first.is_some_and(|first| first <= *time),
            Self::Id(ids) => facts.ids.iter().any(|id| ids.contains(id)),
            Self::Lines(ranges) => ranges.iter().any(|range| range.contains(facts.lines)),
        }
    }
}

impl Facts {
    fn side(&self, side: Side) -> impl Iterator<Item = &Endpoint> {
        let (sources, destinations, others): (&[_], &[_], &[_]) = match side {
            Side::Source => (&self.sources, &[], &[]),
            Side::Destination => (&[], &self.destinations, &[]),
            Side::Any => (&self.sources, &self.destinations, &self.others),
        };
        sources.iter().chain(destinations).chain(others)
    }

    fn visits(&self, meant: impl Fn(&Site) -> bool) -> bool {
        self.hops.iter().any(|hop| meant(&hop.site))
    }
}

fn takes(hop: &Hop, device: Device, names: &[Box<[u8]>]) -> bool {
    let devices = &hop.devices;
    let pair = match device {
        Device::In => [devices.input, devices.physin],
        Device::Out => [devices.output, devices.physout],
    };
    pair.iter().flatten().any(|name| names.iter().any(|wanted| **wanted == *name.as_bytes()))
}

fn in_chain(site: &Site, (wanted_table, wanted_chain): &ChainName) -> bool {
    match site {
        Site::Trace { table, chain, .. } | Site::Bridge { table, chain, .. } => {
            chain == wanted_chain && wanted_table.as_ref().is_none_or(|wanted| wanted == table)
        }
        Site::Log { .. } | Site::BridgeLog { .. } => false,
    }
}

impl From<Protocol> for ProtocolName {
    fn from(protocol: Protocol) -> Self {
        Self::Ip(protocol)
    }
}
