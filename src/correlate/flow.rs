//! A flow key: one direction of a tuple as one line shows it, the name of a connection.

use std::net::IpAddr;

use crate::model::{Endpoint, Header, Ip, Protocol, Transport, Tuple};

/// One direction's tuple. For ICMP echo both ports are the identifier; protocols without ports have 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FlowKey {
    pub(super) protocol: Protocol,
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) sport: u16,
    pub(super) dport: u16,
}

/// What a header tells about its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlowSight {
    /// The whole tuple.
    Whole(FlowKey),
    /// ICMP on the bridge, where no identifier is printed: addresses only.
    AddressesOnly(FlowKey),
    /// IPv6 on the bridge behind an extension header: the protocol is not printed.
    Hidden(FlowKey),
    /// An ICMP error: the tuple of the packet it is about.
    Error(FlowKey),
    /// No tuple: later fragment, unreadable header, or nothing conntrack would track.
    None,
}

impl FlowKey {
    pub(super) fn reversed(self) -> Self {
        Self {
            protocol: self.protocol,
            src: self.dst,
            dst: self.src,
            sport: self.dport,
            dport: self.sport,
        }
    }

    /// This key without ports: how a bridge names an ICMP flow.
    pub(super) fn addresses_only(self) -> Self {
        Self { sport: 0, dport: 0, ..self }
    }

    pub(super) fn has_ports(self) -> bool {
        prints_ports(self.protocol)
    }

    pub(super) fn source(self) -> (IpAddr, u16) {
        (self.src, self.sport)
    }

    pub(super) fn destination(self) -> (IpAddr, u16) {
        (self.dst, self.dport)
    }

    /// The tuple as the contract shows it.
    pub(super) fn tuple(self) -> Tuple {
        let port = |port| self.has_ports().then_some(port);
        Tuple {
            src: Endpoint { addr: Some(self.src), port: port(self.sport) },
            dst: Endpoint { addr: Some(self.dst), port: port(self.dport) },
        }
    }
}

/// The protocols whose ports nf-lines print.
fn prints_ports(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::TCP | Protocol::UDP | Protocol::UDPLITE)
}

impl FlowSight {
    pub(super) fn of(header: &Header) -> Self {
        header.ip().map_or(Self::None, |ip| of_ip(ip, true))
    }

    /// The key under which a connection may know this line.
    pub(super) fn key(self) -> Option<FlowKey> {
        match self {
            Self::Whole(key) | Self::AddressesOnly(key) | Self::Hidden(key) => Some(key),
            Self::Error(_) | Self::None => None,
        }
    }
}

fn of_ip(ip: &Ip, outer: bool) -> FlowSight {
    let Some(protocol) = ip.protocol else {
        return FlowSight::None;
    };
    let key = |sport, dport| FlowKey { protocol, src: ip.src, dst: ip.dst, sport, dport };
    if ip.length.is_none() && outer && is_extension(protocol) {
        let (sport, dport) = ip.ports().unwrap_or((0, 0));
        return FlowSight::Hidden(key(sport, dport));
    }
    match &ip.transport {
        Transport::Icmp(icmp) => match (icmp.echo, &icmp.inner) {
            (Some((id, _)), _) => FlowSight::Whole(key(id, id)),
            (None, Some(inner)) if outer => match of_ip(inner, false) {
                FlowSight::Whole(key) => FlowSight::Error(key),
                FlowSight::AddressesOnly(_)
                | FlowSight::Hidden(_)
                | FlowSight::Error(_)
                | FlowSight::None => FlowSight::None,
            },
            (None, _) => FlowSight::None,
        },
        Transport::Absent if protocol.is_icmp() && ip.length.is_none() && outer => {
            FlowSight::AddressesOnly(key(0, 0))
        }
        Transport::Incomplete(_) => FlowSight::None,
        Transport::Absent
            if prints_ports(protocol) || ip.is_later_fragment() || protocol.is_icmp() =>
        {
            FlowSight::None
        }
        Transport::Absent | Transport::Spi(_) => FlowSight::Whole(key(0, 0)),
        Transport::Tcp(_) | Transport::Udp { .. } | Transport::Ports { .. } => match ip.ports() {
            Some((sport, dport)) if prints_ports(protocol) => FlowSight::Whole(key(sport, dport)),
            _ => FlowSight::Whole(key(0, 0)),
        },
    }
}

/// IPv6 extension headers that ebtables prints as the next header.
pub(super) fn is_extension(protocol: Protocol) -> bool {
    matches!(protocol.0, 0 | 43 | 44 | 60)
}

/// The flows that a hidden one may be.
pub(super) fn behind_extension(key: FlowKey) -> [FlowKey; 2] {
    [FlowKey { protocol: Protocol::TCP, ..key }, FlowKey { protocol: Protocol::UDP, ..key }]
}
