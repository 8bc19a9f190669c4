//! The facts of a host, each with the text that says it.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::{IfName, Mac, WallTime};

/// What a piece of context is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `ip addr`.
    Addresses,
    /// `ip route`.
    Routes,
    /// `ip rule`.
    PolicyRules,
    /// `ip neigh`, `arp -n`.
    Neighbours,
    /// `bridge fdb`, `brctl showmacs`.
    Fdb,
    /// `bridge link`, `brctl show`.
    BridgePorts,
    /// `docker inspect`, `docker ps`.
    Containers,
    /// `conntrack -L`, `conntrack -E`, `/proc/net/nf_conntrack`.
    Conntrack,
    /// `sysctl`.
    Settings,
}

/// What is known of one host at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostContext {
    /// Addresses.
    pub addresses: Vec<Address>,
    /// Routes of all tables.
    pub routes: Vec<Route>,
    /// Which table is asked when.
    pub policy_rules: Vec<PolicyRule>,
    /// Neighbours.
    pub neighbours: Vec<Neighbour>,
    /// Bridges' forwarding tables.
    pub fdb: Vec<FdbEntry>,
    /// Bridges' ports.
    pub ports: Vec<BridgePort>,
    /// Containers.
    pub containers: Vec<Container>,
    /// conntrack's entries and events.
    pub conntrack: Vec<ConntrackEntry>,
    /// Kernel settings.
    pub settings: Vec<Setting>,
}

/// An address of the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Address {
    /// The device that has it.
    pub device: IfName,
    /// The address with its prefix length.
    pub net: IpNet,
    /// As given: `inet 172.17.42.1/16 scope global docker0`.
    pub text: Box<str>,
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    /// To a neighbour or a gateway.
    Unicast,
    /// To the host itself.
    Local,
    /// Broadcast.
    Broadcast,
    /// Multicast.
    Multicast,
    /// Thrown away, silently.
    Blackhole,
    /// Thrown away with an ICMP error "unreachable".
    Unreachable,
    /// Thrown away with an ICMP error "prohibited".
    Prohibit,
    /// Not in this table: the next policy rule is asked.
    Throw,
}

/// A route.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The table; `main` when the text names none.
    pub table: Box<str>,
    /// What it does.
    pub kind: RouteKind,
    /// Where it leads.
    pub net: IpNet,
    /// The outgoing device.
    pub device: Option<IfName>,
    /// The gateway.
    pub gateway: Option<IpAddr>,
    /// The preferred source.
    pub source: Option<IpAddr>,
    /// The metric; the lowest of equal prefixes counts.
    pub metric: u32,
    /// As given.
    pub text: Box<str>,
}

/// A rule of `ip rule`.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyRule {
    /// Its priority: the lowest is asked first.
    pub priority: u32,
    /// `from`; none for `all`.
    pub source: Option<IpNet>,
    /// `to`.
    pub destination: Option<IpNet>,
    /// `fwmark value/mask`.
    pub mark: Option<(u32, u32)>,
    /// `iif`.
    pub input: Option<IfName>,
    /// Whether it has a condition that is not listed here, or `not`.
    pub has_more: bool,
    /// The table it asks; none for rules that do something else.
    pub table: Option<Box<str>>,
    /// As given.
    pub text: Box<str>,
}

/// A neighbour.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// Its address.
    pub addr: IpAddr,
    /// The device it is behind.
    pub device: IfName,
    /// Its hardware address; none while it is being asked for, or did not answer.
    pub mac: Option<Mac>,
    /// `REACHABLE`, `STALE`, `FAILED` …
    pub state: Option<Box<str>>,
    /// As given.
    pub text: Box<str>,
}

/// An entry of a bridge's forwarding table.
#[derive(Debug, Clone, PartialEq)]
pub struct FdbEntry {
    /// The hardware address.
    pub mac: Mac,
    /// The port it is behind; `brctl showmacs` knows a number only, which `brctl show` or `bridge link` may turn into a name.
    pub port: Option<IfName>,
    /// The bridge.
    pub bridge: Option<IfName>,
    /// Whether it is the port's own: frames to it go up to the host.
    pub is_local: bool,
    /// As given.
    pub text: Box<str>,
}

/// A port of a bridge.
#[derive(Debug, Clone, PartialEq)]
pub struct BridgePort {
    /// The port.
    pub port: IfName,
    /// The bridge.
    pub bridge: IfName,
    /// As given.
    pub text: Box<str>,
}

/// A container.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    /// Its name, without docker's leading slash.
    pub name: Box<str>,
    /// Its id, when given.
    pub id: Option<Box<str>>,
    /// Its addresses.
    pub addrs: Vec<IpAddr>,
    /// Its hardware addresses.
    pub macs: Vec<Mac>,
    /// Published ports: (host address, host port, container port, protocol number).
    pub published: Vec<(Option<IpAddr>, u16, u16, u8)>,
}

/// One direction of a conntrack entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConntrackTuple {
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// Source port; none for ICMP.
    pub sport: Option<u16>,
    /// Destination port.
    pub dport: Option<u16>,
    /// ICMP's echo id.
    pub icmp_id: Option<u16>,
}

/// An entry or event of conntrack.
#[derive(Debug, Clone, PartialEq)]
pub struct ConntrackEntry {
    /// The time of an event (`-o timestamp`).
    pub at: Option<WallTime>,
    /// `NEW`, `UPDATE`, `DESTROY` of an event.
    pub event: Option<Box<str>>,
    /// The protocol's number.
    pub protocol: u8,
    /// The state's name.
    pub state: Option<Box<str>>,
    /// The original tuple.
    pub original: ConntrackTuple,
    /// The reply tuple.
    pub reply: ConntrackTuple,
    /// As given.
    pub text: Box<str>,
}

/// A kernel setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// `net.ipv4.ip_forward`.
    pub name: Box<str>,
    /// Its value.
    pub value: Box<str>,
    /// As given.
    pub text: Box<str>,
}
