//! A packet as JSON.

use std::net::IpAddr;

use serde::Serialize;

use crate::explain::{Inferred, ToldStep};
use crate::model::{self, Header, Ip, Network, SourceId, TcpFlags, Transport};
use crate::wire::parts::{Host, Link, RuleText, Verdict, wall_time};
use crate::wire::step::{Step, steps};

/// A packet.
#[derive(Debug, Clone, Serialize)]
pub struct Packet {
    /// Its public id.
    pub id: String,
    /// The connection it belongs to.
    pub connection: Option<String>,
    /// The host that saw it.
    pub host: String,
    /// The `--netns` label, when given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
    /// `original`, `reply`, `related`.
    pub direction: Option<&'static str>,
    /// `tcp`, `udp` …, or the number; `arp` for ARP.
    pub protocol: Option<String>,
    /// Time of the first line.
    pub first_seen: Option<String>,
    /// The kernel's own time of the first line, µs since boot.
    pub uptime_us: Option<u64>,
    /// Counts the host's boots from 0.
    pub boot: u32,
    /// IPv4 identification.
    pub ip_id: Option<u16>,
    /// IP total length in bytes.
    pub length: Option<u32>,
    /// The TCP header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Tcp>,
    /// The UDP header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp: Option<Udp>,
    /// The ICMP header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp: Option<Icmp>,
    /// The ARP body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arp: Option<Arp>,
    /// The packet that an ICMP error is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner: Option<Inner>,
    /// What became of it.
    pub verdict: Verdict,
    /// `exact`, `likely`, `ambiguous`.
    pub confidence: &'static str,
    /// `kernel`, `text`, `suspect`.
    pub trust: &'static str,
    /// Its relations.
    pub links: Vec<Link>,
    /// Its way, step by step.
    pub steps: Vec<Step>,
}

/// A TCP header.
#[derive(Debug, Clone, Serialize)]
pub struct Tcp {
    /// The flags that are set, in the order in which the kernel prints them.
    pub flags: Vec<&'static str>,
    /// Sequence number.
    pub seq: Option<u32>,
    /// Acknowledgement number.
    pub ack: Option<u32>,
    /// Window, unscaled.
    pub window: u16,
}

/// A UDP header.
#[derive(Debug, Clone, Serialize)]
pub struct Udp {
    /// Its own length field.
    pub length: Option<u16>,
}

/// An ICMP header.
#[derive(Debug, Clone, Serialize)]
pub struct Icmp {
    /// Type.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Echo identifier.
    pub id: Option<u16>,
    /// Echo sequence number.
    pub seq: Option<u16>,
    /// MTU of "fragmentation needed" and "packet too big".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
}

/// An ARP body.
#[derive(Debug, Clone, Serialize)]
pub struct Arp {
    /// `request`, `reply`, or the number as text.
    pub operation: String,
    /// Sender's Ethernet address.
    pub sender_mac: Option<String>,
    /// Sender's address.
    pub sender_ip: Option<IpAddr>,
    /// Target's Ethernet address.
    pub target_mac: Option<String>,
    /// Target's address.
    pub target_ip: Option<IpAddr>,
}

/// The packet that an ICMP error is about.
#[derive(Debug, Clone, Serialize)]
pub struct Inner {
    /// Its protocol.
    pub protocol: Option<String>,
    /// Source address.
    pub src: IpAddr,
    /// Source port.
    pub sport: Option<u16>,
    /// Destination address.
    pub dst: IpAddr,
    /// Destination port.
    pub dport: Option<u16>,
    /// IPv4 identification.
    pub ip_id: Option<u16>,
    /// IP total length in bytes.
    pub length: Option<u32>,
}

/// What the rule book and the host's context add to a packet.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its steps, one for one.
    pub steps: &'a [ToldStep<'a>],
    /// The steps that no line shows.
    pub inferred: &'a [Inferred],
    /// The rule that decided.
    pub verdict_rule: Option<RuleText<'a>>,
}

impl Packet {
    /// Puts a packet into its JSON form. `source_name` names the sources that its lines mention.
    pub fn new(
        packet: &model::Packet,
        told: &Told<'_>,
        id: &str,
        connection: Option<&str>,
        host: Host<'_>,
        source_name: &dyn Fn(SourceId) -> String,
        links: Vec<Link>,
    ) -> Self {
        // Bridge lines say less than those of the IP layer: the packet's own fields come from the first line that has them.
        let headers = || packet.steps.iter().map(|step| &*step.header);
        let ips = || headers().filter_map(Header::ip);
        Self {
            id: id.to_owned(),
            connection: connection.map(ToOwned::to_owned),
            host: host.name.to_owned(),
            netns: host.netns.map(ToOwned::to_owned),
            direction: packet.direction.map(model::Direction::name),
            protocol: headers().find_map(protocol),
            first_seen: packet.first.wall.and_then(wall_time),
            uptime_us: packet.first.uptime.map(|uptime| uptime.0),
            boot: packet.boot.0,
            ip_id: ips().find_map(|ip| ip.id),
            length: ips().find_map(|ip| ip.length),
            tcp: ips().find_map(tcp),
            udp: ips().find_map(udp),
            icmp: ips().find_map(icmp),
            arp: headers().find_map(arp),
            inner: ips().find_map(inner),
            verdict: Verdict::new(&packet.verdict, told.verdict_rule),
            confidence: packet.confidence.name(),
            trust: packet.trust.name(),
            links,
            steps: steps(told.steps, told.inferred, source_name),
        }
    }
}

fn protocol(header: &Header) -> Option<String> {
    match &header.network {
        Network::Ip(ip) => ip.protocol.map(model::Protocol::name),
        Network::Arp(_) => Some("arp".to_owned()),
        Network::Absent | Network::Truncated | Network::Incomplete => None,
    }
}

fn tcp(ip: &Ip) -> Option<Tcp> {
    let tcp = ip.tcp()?;
    let set = TcpFlags::NAMES.iter().filter(|(bit, _)| tcp.flags.has(*bit));
    Some(Tcp {
        flags: set.map(|(_, name)| *name).collect(),
        seq: tcp.seq_ack.map(|(seq, _)| seq),
        ack: tcp.seq_ack.map(|(_, ack)| ack),
        window: tcp.window,
    })
}

fn udp(ip: &Ip) -> Option<Udp> {
    match ip.transport {
        Transport::Udp { length, .. } => Some(Udp { length }),
        _ => None,
    }
}

fn icmp(ip: &Ip) -> Option<Icmp> {
    let icmp = ip.icmp()?;
    Some(Icmp {
        kind: icmp.kind,
        code: icmp.code,
        id: icmp.echo.map(|(id, _)| id),
        seq: icmp.echo.map(|(_, seq)| seq),
        mtu: icmp.mtu,
    })
}

fn inner(ip: &Ip) -> Option<Inner> {
    let inner = ip.icmp()?.inner.as_ref()?;
    let ports = inner.ports();
    Some(Inner {
        protocol: inner.protocol.map(model::Protocol::name),
        src: inner.src,
        sport: ports.map(|(sport, _)| sport),
        dst: inner.dst,
        dport: ports.map(|(_, dport)| dport),
        ip_id: inner.id,
        length: inner.length,
    })
}

fn arp(header: &Header) -> Option<Arp> {
    let Network::Arp(arp) = &header.network else { return None };
    let addresses = arp.addresses;
    Some(Arp {
        operation: match arp.operation {
            1 => "request".to_owned(),
            2 => "reply".to_owned(),
            other => other.to_string(),
        },
        sender_mac: addresses.map(|addresses| mac(addresses.sender_mac)),
        sender_ip: addresses.map(|addresses| IpAddr::V4(addresses.sender_ip)),
        target_mac: addresses.map(|addresses| mac(addresses.target_mac)),
        target_ip: addresses.map(|addresses| IpAddr::V4(addresses.target_ip)),
    })
}

fn mac(mac: model::Mac) -> String {
    let octets: Vec<String> = mac.0.iter().map(|octet| format!("{octet:02x}")).collect();
    octets.join(":")
}
