//! The facts of a host, each with the text that says it.

use std::net::IpAddr;

use ipnet::IpNet;

use super::track::Conntrack;
use crate::model::{IfName, Mac};

/// What a piece of context is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `ip link`.
    Devices,
    /// `ip addr`, `ifconfig`.
    Addresses,
    /// `ip route`, `route -n`.
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
    /// `docker network inspect`.
    ContainerNetworks,
    /// `conntrack -L`, `conntrack -E`, `/proc/net/nf_conntrack`.
    Conntrack,
    /// `sysctl`.
    Settings,
}

/// What is known of one host at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostContext {
    /// Network devices.
    pub devices: Vec<Device>,
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
    /// The networks that containers are on.
    pub networks: Vec<ContainerNetwork>,
    /// conntrack's entries and events.
    pub conntrack: Conntrack,
    /// Kernel settings.
    pub settings: Vec<Setting>,
}

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: IfName,
    /// Its hardware address, when it has an Ethernet one.
    pub mac: Option<Mac>,
    /// Whether it is switched on (the flag `UP`).
    pub is_up: bool,
    /// Whether it has a carrier (the flag `LOWER_UP`, `RUNNING` of `ifconfig`).
    pub has_carrier: bool,
    /// As given: `3: docker0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 …`.
    pub text: Box<str>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// IPv6's `from`: the route is for packets with such a source only.
    pub from: Option<IpNet>,
    /// Whether it has a condition that is not listed here (`tos`).
    pub has_more: bool,
    /// `linkdown`: its device has no carrier. The kernel uses it all the same, unless
    /// `ignore_routes_with_linkdown` is set.
    pub is_linkdown: bool,
    /// `dead`: it is not used.
    pub is_dead: bool,
    /// As given.
    pub text: Box<str>,
}

/// A rule of `ip rule`.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyRule {
    /// Its priority: the lowest is asked first.
    pub priority: u32,
    /// Whether it is one of IPv6; its text need not say so.
    pub is_ipv6: bool,
    /// `not`: it is for the packets for which its conditions do not all hold.
    pub is_negated: bool,
    /// `from`; none for `all`.
    pub source: Option<IpNet>,
    /// `to`.
    pub destination: Option<IpNet>,
    /// `fwmark value/mask`.
    pub mark: Option<(u32, u32)>,
    /// `iif`; `lo` for what the host itself sends.
    pub input: Option<IfName>,
    /// `oif`: for what the host's own sockets send that are bound to that device.
    pub output: Option<IfName>,
    /// Whether it has a condition that is not listed here (protocol, ports, owner, `tos` …).
    pub has_more: bool,
    /// The table it asks; none for rules that do something else.
    pub table: Option<Box<str>>,
    /// `suppress_prefixlength`: routes with a prefix of at most that length do not count.
    pub suppress_prefix: Option<u8>,
    /// `goto`: the priority of the rule that is asked next.
    pub goto: Option<u32>,
    /// What it does by itself: `unreachable`, `prohibit`, `blackhole`.
    pub refusal: Option<RouteKind>,
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
    /// The port's number in its bridge, where the text has that.
    pub port_number: Option<u16>,
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
    /// The port's number in its bridge (`port_no` of `ip -d link`).
    pub number: Option<u16>,
    /// `forwarding`, `blocking`, `disabled` …, as given.
    pub state: Option<Box<str>>,
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
    /// Published ports: (host address, host port, container port, protocol number); no address for any.
    pub published: Vec<(Option<IpAddr>, u16, u16, u8)>,
    /// The names of the networks it is on.
    pub networks: Vec<Box<str>>,
}

/// A network of containers, which is a bridge of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerNetwork {
    /// Its name.
    pub name: Box<str>,
    /// Its bridge.
    pub bridge: Option<IfName>,
    /// Its subnets.
    pub nets: Vec<IpNet>,
    /// Whether its containers may talk to each other (`enable_icc`), when the text says.
    pub is_icc: Option<bool>,
    /// Whether it has no way out.
    pub is_internal: bool,
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
