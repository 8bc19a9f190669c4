//! The questions a story asks of a host.

use std::net::IpAddr;

use ipnet::IpNet;

use super::facts::{
    Address, BridgePort, Container, ContainerNetwork, Device, FdbEntry, HostContext, Neighbour,
    Route, RouteKind, Setting,
};
use super::track::{ConntrackEntry, ConntrackTuple};
use crate::model::{IfName, Mac, Protocol, Tuple, WallTime};

impl HostContext {
    /// Whether it is one of the host's own addresses. Loopback's always are; false when addresses are not known.
    pub fn is_own(&self, addr: IpAddr) -> bool {
        addr.is_loopback()
            || self.own_address(addr).is_some()
            || self.own_routes().any(|net| net.contains(&addr))
            || self.routes.iter().any(|route| route.source == Some(addr))
    }

    /// The line that says that it is an own address.
    pub fn own_address(&self, addr: IpAddr) -> Option<&Address> {
        self.addresses.iter().rev().find(|address| address.net.addr() == addr)
    }

    /// The host's own addresses, each with the prefix length of its net: `172.17.42.1/16`. The net's other addresses are
    /// somebody else's. Empty when none is known.
    pub fn own_nets(&self) -> Vec<IpNet> {
        let is_one = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
        let local = self.own_routes().filter(is_one).map(|net| net.addr());
        let sources = self.routes.iter().filter_map(|route| route.source);
        let unlisted = local.chain(sources).filter(|addr| self.own_address(*addr).is_none());
        let listed = self.addresses.iter().map(|address| address.net);
        let mut nets: Vec<IpNet> = listed.chain(unlisted.map(|addr| self.own_net(addr))).collect();
        nets.sort_unstable();
        nets.dedup();
        nets
    }

    /// An own address with its net, which is the one that is reached without a gateway from that address.
    fn own_net(&self, addr: IpAddr) -> IpNet {
        let is_its_net = |route: &&Route| {
            let is_direct = route.kind == RouteKind::Unicast && route.gateway.is_none();
            is_direct && route.source == Some(addr) && route.net.contains(&addr)
        };
        let net = self.routes.iter().find(is_its_net).map(|route| route.net.prefix_len());
        net.and_then(|length| IpNet::new(addr, length).ok()).unwrap_or_else(|| IpNet::from(addr))
    }

    /// The nets of table `local`: what the kernel takes for its own. A local route of another table (for TPROXY) does not
    /// make an address one of the host's.
    fn own_routes(&self) -> impl Iterator<Item = IpNet> {
        let local = |route: &&Route| route.kind == RouteKind::Local && &*route.table == "local";
        self.routes.iter().filter(local).map(|route| route.net)
    }

    /// The device.
    pub fn device(&self, name: IfName) -> Option<&Device> {
        self.devices.iter().rev().find(|device| device.name == name)
    }

    /// The host's own device with that hardware address. Several may have it (a bridge and its first port): the
    /// bridge then.
    pub fn device_with(&self, mac: Mac) -> Option<&Device> {
        let having = || self.devices.iter().rev().filter(|device| device.mac == Some(mac));
        having().find(|device| self.is_bridge(device.name)).or_else(|| having().next())
    }

    /// The bridge that a device is a port of.
    pub fn bridge_of(&self, port: IfName) -> Option<&BridgePort> {
        self.ports.iter().rev().find(|known| known.port == port)
    }

    /// Whether the device is known to be a bridge.
    pub fn is_bridge(&self, device: IfName) -> bool {
        self.ports.iter().any(|known| known.bridge == device)
            || self.network_on(device).is_some()
            || self.fdb.iter().any(|entry| entry.bridge == Some(device))
    }

    /// The entry of that bridge's forwarding table for a hardware address.
    pub fn port_of(&self, bridge: IfName, mac: Mac) -> Option<&FdbEntry> {
        self.best_entry(|entry| entry.mac == mac && entry.bridge == Some(bridge))
    }

    /// The entry of any bridge's forwarding table for a hardware address.
    pub fn fdb_entry(&self, mac: Mac) -> Option<&FdbEntry> {
        self.best_entry(|entry| entry.mac == mac)
    }

    /// The last such entry, with a port if any has one.
    fn best_entry(&self, is_asked: impl Fn(&FdbEntry) -> bool) -> Option<&FdbEntry> {
        let asked = || self.fdb.iter().rev().filter(|entry| is_asked(entry));
        asked().find(|entry| entry.port.is_some()).or_else(|| asked().next())
    }

    /// The neighbour with that address.
    pub fn neighbour(&self, addr: IpAddr) -> Option<&Neighbour> {
        self.neighbours.iter().rev().find(|neighbour| neighbour.addr == addr)
    }

    /// The container with that address.
    pub fn container_at(&self, addr: IpAddr) -> Option<&Container> {
        self.containers.iter().rev().find(|container| container.addrs.contains(&addr))
    }

    /// The container with that hardware address.
    pub fn container_with(&self, mac: Mac) -> Option<&Container> {
        self.containers.iter().rev().find(|container| container.macs.contains(&mac))
    }

    /// The container behind a bridge port: the one whose hardware address the bridge learnt there.
    pub fn container_behind(&self, port: IfName) -> Option<&Container> {
        let learnt = |entry: &&FdbEntry| entry.port == Some(port) && !entry.is_local;
        let mut entries = self.fdb.iter().rev().filter(learnt);
        entries.find_map(|entry| {
            self.container_with(entry.mac).or_else(|| self.container_of_neighbour(entry.mac))
        })
    }

    /// The container with an address that a neighbour with that hardware address has.
    fn container_of_neighbour(&self, mac: Mac) -> Option<&Container> {
        let mut neighbours = self.neighbours.iter().rev().filter(|known| known.mac == Some(mac));
        neighbours.find_map(|known| self.container_at(known.addr))
    }

    /// The container that a port of the host leads to (`docker run -p`), of that protocol.
    pub fn container_published(&self, port: u16, protocol: Protocol) -> Option<&Container> {
        let leads = |container: &&Container| {
            let mut published = container.published.iter();
            published.any(|(_, outer, _, kind)| *outer == port && *kind == protocol.0)
        };
        self.containers.iter().rev().find(leads)
    }

    /// The containers' network on that bridge.
    pub fn network_on(&self, bridge: IfName) -> Option<&ContainerNetwork> {
        self.networks.iter().rev().find(|network| network.bridge == Some(bridge))
    }

    /// A kernel setting by its name with dots: `net.ipv4.ip_forward`. A dot in a device's name is a slash:
    /// `net.ipv4.conf.eth0/100.rp_filter`.
    pub fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.iter().rev().find(|setting| &*setting.name == name)
    }

    /// The setting that rules reverse path filtering for packets that come in by a device: the greater of the device's
    /// own and `all`. Its value is 0 (off), 1 (strict) or 2 (loose).
    pub fn rp_filter(&self, input: IfName) -> Option<&Setting> {
        let (all, own) = self.conf("ipv4", input, "rp_filter");
        match (all, own) {
            (Some(all), Some(own)) => Some(if all.number() > own.number() { all } else { own }),
            // The greater of the two counts, and there is none above 2.
            (Some(one), None) | (None, Some(one)) => {
                Some(one).filter(|one| one.number() == Some(2))
            }
            (None, None) => None,
        }
    }

    /// The setting that rules whether packets that come in by a device are forwarded.
    pub fn forwarding(&self, input: IfName, is_ipv6: bool) -> Option<&Setting> {
        if is_ipv6 {
            return self.setting("net.ipv6.conf.all.forwarding");
        }
        let (all, own) = self.conf("ipv4", input, "forwarding");
        own.or_else(|| self.setting("net.ipv4.ip_forward")).or(all)
    }

    /// The setting that rules whether `127.0.0.0/8` may be routed by a device.
    pub fn route_localnet(&self, device: IfName) -> Option<&Setting> {
        let (all, own) = self.conf("ipv4", device, "route_localnet");
        let is_on = |setting: &&Setting| setting.number() == Some(1);
        all.filter(is_on).or(own.filter(|own| is_on(own) || all.is_some()))
    }

    /// The setting that rules whether bridged packets meet the IP tables.
    pub fn bridge_calls_tables(&self, is_ipv6: bool) -> Option<&Setting> {
        let name = if is_ipv6 { "ip6tables" } else { "iptables" };
        self.setting(&format!("net.bridge.bridge-nf-call-{name}"))
    }

    /// A device's setting: `all` and its own.
    fn conf(
        &self,
        family: &str,
        device: IfName,
        key: &str,
    ) -> (Option<&Setting>, Option<&Setting>) {
        let named = |device: &str| self.setting(&format!("net.{family}.conf.{device}.{key}"));
        (named("all"), named(&in_sysctl(device)))
    }

    /// conntrack's entry or event for a connection, by any tuple that its packets have: a connection that has it as its
    /// original tuple first, then as its reply tuple, then as what NAT made of either. Of several the last that is not
    /// later than `around`; without a time the last of the text. `icmp_id` is the echo id, for ICMP.
    pub fn conntrack_of(
        &self,
        protocol: Protocol,
        tuple: &Tuple,
        icmp_id: Option<u16>,
        around: Option<WallTime>,
    ) -> Option<&ConntrackEntry> {
        let asked = ConntrackTuple::of(tuple, icmp_id)?;
        let class = |entry: &&ConntrackEntry| {
            let names = [entry.original, entry.reply, entry.reply.inverted()];
            names.iter().position(|name| *name == asked).unwrap_or(names.len())
        };
        let best = self.conntrack.of(protocol, tuple, icmp_id).map(|entry| class(&entry)).min()?;
        let of_class =
            || self.conntrack.of(protocol, tuple, icmp_id).filter(|entry| class(entry) == best);
        let Some(WallTime(around)) = around else { return of_class().last() };
        let timed = || of_class().filter_map(|entry| Some((entry.at?.0, entry)));
        let before = timed().filter(|(at, _)| *at <= around.saturating_add(SLACK_US));
        let latest = before.max_by_key(|(at, _)| *at).or_else(|| timed().min_by_key(|(at, _)| *at));
        latest.map(|(_, entry)| entry).or_else(|| of_class().last())
    }
}

/// How much later than a line of the log conntrack's event about it may be, in microseconds: the log's stamp may be cut
/// to the second, and an entry is confirmed only when its first packet leaves.
const SLACK_US: i64 = 1_000_000;

/// A device as a part of a setting's name, where dots part.
pub(super) fn in_sysctl(device: IfName) -> String {
    String::from_utf8_lossy(device.as_bytes()).replace('.', "/")
}

impl Setting {
    /// Its value as a number.
    pub fn number(&self) -> Option<i64> {
        self.value.parse().ok()
    }
}
