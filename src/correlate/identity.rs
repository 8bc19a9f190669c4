//! What stays the same on every line of one packet.
//!
//! Between two hooks NAT changes one side's address and port at a time, the
//! TTL may fall, a mark may be set. Protocol, IP ID (IPv6: flow label), length
//! and the transport fields stay. Never the IP ID alone: it is 0 on SYN-ACK
//! and RST and absent in IPv6.

use std::hash::BuildHasher;
use std::net::IpAddr;

use crate::model::{Header, Icmp, Ip, Network, Tcp, Transport};

/// Two hashes of a packet's identity: with its source side and with its destination side.
///
/// Two consecutive lines of one packet share at least one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdentityKeys {
    pub(super) by_source: u64,
    pub(super) by_destination: u64,
}

/// The keys of a header; `None` when it has too little to be told from other packets
/// (ebtables over IP, LOG without sequence numbers).
pub(super) fn keys(hasher: &foldhash::fast::RandomState, header: &Header) -> Option<IdentityKeys> {
    match &header.network {
        Network::Ip(ip) => ip_keys(hasher, ip),
        Network::Arp(arp) => Some(both(hasher.hash_one((arp, header.link.addresses())))),
        Network::Absent | Network::Truncated | Network::Incomplete => {
            Some(both(hasher.hash_one((header.link.addresses(), header.link.ethertype()))))
        }
    }
}

fn both(key: u64) -> IdentityKeys {
    IdentityKeys { by_source: key, by_destination: key }
}

fn ip_keys(hasher: &foldhash::fast::RandomState, ip: &Ip) -> Option<IdentityKeys> {
    let length = ip.length?;
    let transport: (u64, u64, u64) = match &ip.transport {
        Transport::Tcp(tcp) => {
            let (seq, ack) = match tcp.seq_ack {
                Some(numbers) => numbers,
                // LOG prints them on demand only; what the sender counts by will do.
                None if counts_up(ip) => (0, 0),
                None => return None,
            };
            (u64::from(seq), u64::from(ack), u64::from(tcp.window) << 16 | u64::from(tcp.flags.0))
        }
        Transport::Udp { length, .. } => (u64::from(length.unwrap_or(0)), 0, 0),
        Transport::Icmp(icmp) => icmp_part(icmp),
        Transport::Spi(spi) => (u64::from(*spi), 0, 0),
        Transport::Absent | Transport::Incomplete(_) | Transport::Ports { .. } => (0, 0, 0),
    };
    let constant = (ip.protocol, ip.id, ip.flow_label, length, ip.fragment, transport);
    let (sport, dport) = ip.ports().unwrap_or((0, 0));
    Some(IdentityKeys {
        by_source: hasher.hash_one((constant, 0u8, ip.src, sport)),
        by_destination: hasher.hash_one((constant, 1u8, ip.dst, dport)),
    })
}

/// Whether the sender gave the packet a number of its own.
fn counts_up(ip: &Ip) -> bool {
    ip.id.is_some_and(|id| id != 0)
}

/// Whether a TCP line was logged without its sequence numbers, by which packets are told.
pub(super) fn lacks_sequence(ip: &Ip) -> bool {
    ip.tcp().is_some_and(|tcp| tcp.seq_ack.is_none())
}

fn icmp_part(icmp: &Icmp) -> (u64, u64, u64) {
    let echo = icmp.echo.map_or(0, |(_, seq)| u64::from(seq));
    let inner = icmp.inner.as_ref().map_or(0, |inner| {
        u64::from(inner.id.unwrap_or(0)) << 32 | u64::from(inner.length.unwrap_or(0))
    });
    (u64::from(icmp.kind) << 8 | u64::from(icmp.code), echo, inner)
}

/// Whether two IP headers can be the same packet at two hooks.
pub(super) fn same_packet(one: &Ip, other: &Ip) -> bool {
    one.src.is_ipv4() == other.src.is_ipv4()
        && agree(one.protocol, other.protocol)
        && agree(one.id, other.id)
        && agree(one.flow_label, other.flow_label)
        && agree(one.length, other.length)
        && one.fragment == other.fragment
        && sides_shared(one, other)
        && same_transport(&one.transport, &other.transport)
}

/// Whether two headers without IP are the same frame.
pub(super) fn same_frame(one: &Header, other: &Header) -> bool {
    one.network == other.network
        && one.link.ethertype() == other.link.ethertype()
        && agree(one.link.addresses(), other.link.addresses())
}

/// Equal, or one of them not printed.
pub(super) fn agree<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

/// Which sides of the addressing two headers of one packet do not share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rewrite {
    None,
    Source,
    Destination,
    Both,
}

/// Compares address and, where printed, port of both sides.
pub(super) fn rewrite_between(one: &Ip, other: &Ip) -> Rewrite {
    let (one_ports, other_ports) = (one.ports(), other.ports());
    let side = |a: IpAddr, b: IpAddr, pick: fn((u16, u16)) -> u16| {
        a == b && agree(one_ports.map(pick), other_ports.map(pick))
    };
    let source = side(one.src, other.src, |(sport, _)| sport);
    let destination = side(one.dst, other.dst, |(_, dport)| dport);
    match (source, destination) {
        (true, true) => Rewrite::None,
        (false, true) => Rewrite::Source,
        (true, false) => Rewrite::Destination,
        (false, false) => Rewrite::Both,
    }
}

/// Whether at least one of source side and destination side is unchanged.
pub(super) fn sides_shared(one: &Ip, other: &Ip) -> bool {
    rewrite_between(one, other) != Rewrite::Both
}

fn same_transport(one: &Transport, other: &Transport) -> bool {
    match (one, other) {
        (Transport::Tcp(one), Transport::Tcp(other)) => same_tcp(one, other),
        (Transport::Udp { length: one, .. }, Transport::Udp { length: other, .. }) => {
            agree(*one, *other)
        }
        (Transport::Icmp(one), Transport::Icmp(other)) => icmp_part(one) == icmp_part(other),
        (Transport::Spi(one), Transport::Spi(other)) => one == other,
        _ => true,
    }
}

fn same_tcp(one: &Tcp, other: &Tcp) -> bool {
    one.window == other.window && one.flags == other.flags && agree(one.seq_ack, other.seq_ack)
}
