//! The questions a story asks of a host.

use std::net::IpAddr;

use ipnet::IpNet;

use super::facts::{
    Address, BridgePort, Container, ContainerNetwork, Device, FdbEntry, HostContext, Neighbour,
    Setting,
};
use super::track::ConntrackEntry;
use crate::model::{IfName, Mac, Protocol, Tuple, WallTime};

impl HostContext {
    /// Whether it is one of the host's own addresses. Loopback's always are; false when addresses are not known.
    pub fn is_own(&self, addr: IpAddr) -> bool {
        addr.is_loopback() || self.own_address(addr).is_some()
    }

    /// The line that says that it is an own address.
    pub fn own_address(&self, addr: IpAddr) -> Option<&Address> {
        self.addresses.iter().rev().find(|address| address.net.addr() == addr)
    }

    /// The nets of which every address is the host's own: `172.17.42.1/32`, `127.0.0.0/8`. Empty when none is known.
    pub fn own_nets(&self) -> Vec<IpNet> {
        Vec::new()
    }

    /// The device.
    pub fn device(&self, name: IfName) -> Option<&Device> {
        self.devices.iter().rev().find(|device| device.name == name)
    }

    /// The host's own device with that hardware address. Several may have it (a bridge and its first port): the
    /// bridge then.
    pub fn device_with(&self, mac: Mac) -> Option<&Device> {
        let _ = mac;
        None
    }

    /// The bridge that a device is a port of.
    pub fn bridge_of(&self, port: IfName) -> Option<&BridgePort> {
        self.ports.iter().rev().find(|known| known.port == port)
    }

    /// Whether the device is known to be a bridge.
    pub fn is_bridge(&self, device: IfName) -> bool {
        self.ports.iter().any(|known| known.bridge == device)
    }

    /// The entry of that bridge's forwarding table for a hardware address.
    pub fn port_of(&self, bridge: IfName, mac: Mac) -> Option<&FdbEntry> {
        let _ = (bridge, mac);
        None
    }

    /// The entry of any bridge's forwarding table for a hardware address.
    pub fn fdb_entry(&self, mac: Mac) -> Option<&FdbEntry> {
        let _ = mac;
        None
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
        let _ = port;
        None
    }

    /// The container that a port of the host leads to (`docker run -p`), of that protocol.
    pub fn container_published(&self, port: u16, protocol: Protocol) -> Option<&Container> {
        let _ = (port, protocol);
        None
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
        let _ = input;
        None
    }

    /// The setting that rules whether packets that come in by a device are forwarded.
    pub fn forwarding(&self, input: IfName, is_ipv6: bool) -> Option<&Setting> {
        let _ = (input, is_ipv6);
        None
    }

    /// The setting that rules whether `127.0.0.0/8` may be routed by a device.
    pub fn route_localnet(&self, device: IfName) -> Option<&Setting> {
        let _ = device;
        None
    }

    /// The setting that rules whether bridged packets meet the IP tables.
    pub fn bridge_calls_tables(&self, is_ipv6: bool) -> Option<&Setting> {
        let name = if is_ipv6 { "ip6tables" } else { "iptables" };
        self.setting(&format!("net.bridge.bridge-nf-call-{name}"))
    }

    /// conntrack's entry or event for a connection, by any tuple that its packets have. Of several the last before
    /// `around`; without a time the last of the text. `icmp_id` is the echo id, for ICMP.
    pub fn conntrack_of(
        &self,
        protocol: Protocol,
        tuple: &Tuple,
        icmp_id: Option<u16>,
        around: Option<WallTime>,
    ) -> Option<&ConntrackEntry> {
        let _ = around;
        self.conntrack.of(protocol, tuple, icmp_id).last().copied()
    }
}

impl Setting {
    /// Its value as a number.
    pub fn number(&self) -> Option<i64> {
        self.value.parse().ok()
    }
}
