//! A connection as JSON.

use std::net::IpAddr;

use serde::Serialize;

use crate::model::{self, Endpoint, EvidenceOf, Layer, Tuple};
use crate::wire::Packet;
use crate::wire::parts::{Host, Link, RuleText, Verdict, device, wall_time};

/// A connection.
#[derive(Debug, Clone, Serialize)]
pub struct Connection {
    /// Its public id.
    pub id: String,
    /// The host that saw it.
    pub host: String,
    /// The `--netns` label, when given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<String>,
    /// `ipv4` or `ipv6`.
    pub family: Option<&'static str>,
    /// `tcp`, `udp` …, or the number.
    pub protocol: String,
    /// conntrack's original tuple.
    pub original: Side,
    /// conntrack's reply tuple.
    pub reply: Side,
    /// What NAT rewrote.
    pub nat: Vec<Nat>,
    /// conntrack's state for TCP, else `unreplied`, `replied`, `assured`.
    pub state: &'static str,
    /// `whole`, `began_before_log`, `cut`, `lossy`.
    pub completeness: &'static str,
    /// Time of the first line.
    pub first_seen: Option<String>,
    /// Time of the last line.
    pub last_seen: Option<String>,
    /// The kernel's own time of the first line, µs since boot.
    pub uptime_us: Option<u64>,
    /// Counts the host's boots from 0.
    pub boot: u32,
    /// How many packets it has.
    pub packets: Directions,
    /// How many lines it is made of.
    pub lines: u64,
    /// The layers on which it was seen.
    pub layers: Vec<&'static str>,
    /// The devices on which it was seen.
    pub interfaces: Vec<String>,
    /// What became of it.
    pub verdict: Verdict,
    /// `kernel`, `text`, `suspect`.
    pub trust: &'static str,
    /// Its relations.
    pub links: Vec<Link>,
}

/// One direction's tuple: with ports, or with the ICMP identifier in their place.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Side {
    /// With ports, which may be unknown.
    Ports {
        /// Source address.
        src: Option<IpAddr>,
        /// Source port.
        sport: Option<u16>,
        /// Destination address.
        dst: Option<IpAddr>,
        /// Destination port.
        dport: Option<u16>,
    },
    /// ICMP.
    Icmp {
        /// Source address.
        src: Option<IpAddr>,
        /// Destination address.
        dst: Option<IpAddr>,
        /// Echo identifier.
        icmp_id: Option<u16>,
    },
}

/// Packets by direction.
#[derive(Debug, Clone, Serialize)]
pub struct Directions {
    /// In the direction of the first packet.
    pub original: u64,
    /// In the other.
    pub reply: u64,
    /// ICMP errors about it; left out when there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub related: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One thing NAT rewrote.
#[derive(Debug, Clone, Serialize)]
pub struct Nat {
    /// `dnat`, `snat`, `masquerade`, `redirect`, `netmap`.
    pub kind: &'static str,
    /// Address and port before.
    pub from: Option<String>,
    /// Address and port after.
    pub to: Option<String>,
    /// The nat rule that was last hit before.
    pub site: Option<String>,
    /// Its text, when a rule book knows it.
    pub rule: Option<String>,
    /// `observed` or `inferred`.
    pub evidence: &'static str,
}

/// What the rule book adds to a connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct ToldConnection<'a> {
    /// The rule that decided.
    pub verdict_rule: Option<RuleText<'a>>,
    /// The rules behind its translations, one for one.
    pub nat_rules: &'a [Option<RuleText<'a>>],
}

impl Connection {
    /// Puts a connection into its JSON form.
    pub fn new(
        connection: &model::Connection,
        told: &ToldConnection<'_>,
        id: &str,
        host: Host<'_>,
        links: Vec<Link>,
    ) -> Self {
        Self {
            id: id.to_owned(),
            host: host.name.to_owned(),
            netns: host.netns.map(ToOwned::to_owned),
            family: family(connection),
            protocol: connection.protocol.name(),
            original: side(connection, &connection.original),
            reply: side(connection, &connection.reply),
            nat: connection
                .nat
                .iter()
                .enumerate()
                .map(|(index, change)| nat(change, told.nat_rules.get(index).copied().flatten()))
                .collect(),
            state: connection.state.name(),
            completeness: connection.completeness.name(),
            first_seen: connection.first.wall.and_then(wall_time),
            last_seen: connection.last.wall.and_then(wall_time),
            uptime_us: connection.first.uptime.map(|uptime| uptime.0),
            boot: connection.boot.0,
            packets: Directions {
                original: connection.packets_original,
                reply: connection.packets_reply,
                related: connection.packets_related,
            },
            lines: connection.lines,
            layers: connection.layers.iter().copied().map(Layer::name).collect(),
            interfaces: connection
                .interfaces
                .iter()
                .filter_map(|name| device(Some(*name)))
                .collect(),
            verdict: Verdict::new(&connection.verdict, told.verdict_rule),
            trust: connection.trust.name(),
            links,
        }
    }
}

fn family(connection: &model::Connection) -> Option<&'static str> {
    let Tuple { src, dst } = connection.original;
    src.addr.or(dst.addr).map(|addr| if addr.is_ipv4() { "ipv4" } else { "ipv6" })
}

fn side(connection: &model::Connection, tuple: &Tuple) -> Side {
    let Tuple { src, dst } = *tuple;
    if connection.protocol.is_icmp() {
        Side::Icmp { src: src.addr, dst: dst.addr, icmp_id: connection.icmp_id }
    } else {
        Side::Ports { src: src.addr, sport: src.port, dst: dst.addr, dport: dst.port }
    }
}

fn nat(change: &model::NatChange, rule: Option<RuleText<'_>>) -> Nat {
    Nat {
        kind: change.kind.name(),
        from: endpoint(change.from),
        to: endpoint(change.to),
        site: change.site.as_ref().map(|hop| hop.site.label()),
        rule: rule.map(|rule| rule.text.to_owned()),
        evidence: EvidenceOf::name(change.evidence),
    }
}

/// `10.146.22.21:40000`, `[2001:db8::1]:80`, or what is known of it.
fn endpoint(endpoint: Endpoint) -> Option<String> {
    match (endpoint.addr, endpoint.port) {
        (Some(IpAddr::V6(addr)), Some(port)) => Some(format!("[{addr}]:{port}")),
        (Some(addr), Some(port)) => Some(format!("{addr}:{port}")),
        (Some(addr), None) => Some(addr.to_string()),
        (None, Some(port)) => Some(format!(":{port}")),
        (None, None) => None,
    }
}

/// A connection with its packets, as `show` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionWithPackets {
    /// The connection.
    #[serde(flatten)]
    pub connection: Connection,
    /// Its packets in order of time.
    pub packet_list: Vec<Packet>,
}
