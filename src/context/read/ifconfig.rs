//! `ifconfig`, the old form (`Link encap:Ethernet`) and the new one (`flags=4163<UP,…>`).

use std::net::IpAddr;

use ipnet::IpNet;

use super::words::{after, device, mac, squeezed};
use super::{Reader, Section};
use crate::context::{Device, Kind};

impl Reader {
    /// `eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500`, `eth0      Link encap:Ethernet  HWaddr 00:50:…`.
    pub(super) fn ifconfig_heading(&mut self, words: &[&str]) -> bool {
        let [name, next, rest @ ..] = words else { return false };
        let flags = next.strip_prefix("flags=");
        let is_old = *next == "Link" && rest.first().is_some_and(|word| word.starts_with("encap:"));
        if flags.is_none() && !is_old {
            return false;
        }
        // `eth0:1` is another address of `eth0`.
        let Some(name) = name.split(':').next().and_then(device) else { return false };
        let has = |flag: &str| {
            let given =
                flags.and_then(|flags| flags.split_once('<')).map_or("", |(_, flags)| flags);
            given.trim_end_matches('>').split(',').any(|given| given == flag)
        };
        self.found(Kind::Devices);
        self.section = Section::Device(name);
        if self.current_device().is_none() {
            self.facts.devices.push(Device {
                name,
                mac: after(words, "HWaddr").and_then(mac),
                is_up: has("UP"),
                has_carrier: has("RUNNING"),
                text: squeezed(words),
            });
        }
        true
    }

    /// `inet 172.17.42.1  netmask 255.255.0.0 …`, `inet addr:172.17.42.1  Bcast:0.0.0.0  Mask:255.255.0.0`,
    /// `inet6 fe80::1  prefixlen 64 …`, `inet6 addr: fe80::1/64 Scope:Link`.
    pub(super) fn ifconfig_address(&mut self, words: &[&str]) -> bool {
        let Section::Device(name) = self.section else { return false };
        let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        let net = if let Some(addr) = value("addr:").filter(|addr| !addr.is_empty()) {
            masked(addr, value("Mask:"))
        } else if words.get(1) == Some(&"addr:") {
            words.get(2).and_then(|word| word.parse().ok())
        } else if let Some(length) = after(words, "prefixlen") {
            words.get(1).and_then(|addr| format!("{addr}/{length}").parse().ok())
        } else {
            words.get(1).and_then(|addr| masked(addr, after(words, "netmask")))
        };
        if let Some(net) = net {
            self.add_address(name, net, words);
        }
        net.is_some()
    }

    /// `ether 00:50:…` and `UP BROADCAST RUNNING MULTICAST  MTU:1500`.
    pub(super) fn ifconfig_detail(&mut self, words: &[&str]) -> bool {
        let Some(device) = self.current_device() else { return false };
        if words[0] == "UP" {
            device.is_up = true;
            device.has_carrier = words.contains(&"RUNNING");
        } else {
            device.mac = words.get(1).and_then(|word| mac(word)).or(device.mac);
        }
        true
    }
}

/// An address with its netmask; none given means the address alone.
fn masked(addr: &str, mask: Option<&str>) -> Option<IpNet> {
    let addr: IpAddr = addr.parse().ok()?;
    match mask {
        Some(mask) => IpNet::with_netmask(addr, mask.parse().ok()?).ok(),
        None => Some(IpNet::from(addr)),
    }
}
