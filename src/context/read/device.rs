//! `ip addr`, `ip link` and `bridge link`, also with `-d`, `-s`, `-o` and `-br`.

use ipnet::IpNet;

use super::words::{after, device, device_after, mac, number, squeezed};
use super::{Reader, Section};
use crate::context::{Address, BridgePort, Device, Kind};
use crate::model::IfName;

/// The states that `ip -br` prints in the second column.
const STATES: &[&str] =
    &["UNKNOWN", "UP", "DOWN", "LOWERLAYERDOWN", "DORMANT", "NOTPRESENT", "TESTING"];

impl Reader {
    /// `3: docker0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 …`, and `2: eth0    inet 10.0.0.1/24 …` of `ip -o addr`.
    pub(super) fn device_heading(&mut self, words: &[&str]) -> bool {
        let Some(name) = words.get(1).and_then(|word| device(word)) else { return false };
        if let Some("inet" | "inet6") = words.get(2).copied() {
            self.section = Section::Device(name);
            return self.address_line(&words[2..]);
        }
        // The flags are the third word; old versions of `bridge link` write `state UP @peer:` before them.
        let Some(flags) = words.iter().take(6).find_map(|word| flags(word)) else { return false };
        let has = |flag: &str| flags.split(',').any(|given| given == flag);
        let text = squeezed(words);
        self.section = Section::Device(name);
        self.found(Kind::Devices);
        // Bonds and virtual routing domains have ports too: the one marks its ports, both mark themselves.
        if let Some(bridge) = device_after(words, "master").filter(|_| !has("SLAVE")) {
            let is_bridge_link = !words.contains(&"qdisc");
            let state = words.iter().skip_while(|word| **word != "master");
            let state: Vec<&str> = state.copied().collect();
            let state = after(&state, "state").filter(|_| is_bridge_link);
            if is_bridge_link {
                self.kinds.retain(|kind| *kind != Kind::Devices);
                self.found(Kind::BridgePorts);
            }
            self.facts.ports.push(BridgePort {
                port: name,
                bridge,
                number: None,
                state: state.map(Into::into),
                text: text.clone(),
            });
        }
        if has("MASTER") {
            self.facts.ports.retain(|port| port.bridge != name);
        }
        self.facts.devices.push(Device {
            name,
            mac: None,
            is_up: has("UP"),
            has_carrier: has("LOWER_UP"),
            text,
        });
        true
    }

    /// The lines below a device's heading that say something.
    pub(super) fn device_detail(&mut self, number: usize, words: &[&str]) -> bool {
        match words[0] {
            "inet" | "inet6" => {
                if !(self.address_line(words) || self.ifconfig_address(words)) {
                    self.remark(number, "an address without its device, or not complete");
                }
                true
            }
            "bridge_slave" => self.port_details(words),
            "ether" | "HWaddr" | "UP" => self.ifconfig_detail(words),
            first if first.starts_with("link/") => {
                if let Some(address) = words.get(1).and_then(|word| mac(word))
                    && first == "link/ether"
                    && let Some(device) = self.current_device()
                {
                    device.mac = Some(address);
                }
                true
            }
            "valid_lft" => true,
            _ => false,
        }
    }

    /// The device that the lines are about, once its heading was read.
    pub(super) fn current_device(&mut self) -> Option<&mut Device> {
        let Section::Device(name) = self.section else { return None };
        self.facts.devices.iter_mut().rev().find(|device| device.name == name)
    }

    /// `inet 10.8.0.2 peer 10.8.0.1/32 scope global tun0`: the label at the end names the device when the heading is missing.
    fn address_line(&mut self, words: &[&str]) -> bool {
        let Some(net) = words.get(1).and_then(|word| own_net(word, after(words, "peer"))) else {
            return false;
        };
        let labelled = words.last().filter(|_| words[0] == "inet" && words.len() > 2);
        let device = match self.section {
            Section::Device(name) => Some(name),
            _ => labelled.and_then(|label| device(label.split(':').next().unwrap_or(label))),
        };
        let Some(device) = device else { return false };
        self.add_address(device, net, words);
        true
    }

    /// Notes an address.
    pub(super) fn add_address(&mut self, device: IfName, net: IpNet, words: &[&str]) {
        self.found(Kind::Addresses);
        self.facts.addresses.push(Address { device, net, text: squeezed(words) });
    }

    /// `bridge_slave state forwarding … port_no 0x1 …` of `ip -d`.
    fn port_details(&mut self, words: &[&str]) -> bool {
        let Section::Device(name) = self.section else { return false };
        if let Some(port) = self.facts.ports.iter_mut().rev().find(|port| port.port == name) {
            port.state = after(words, "state").map(Into::into);
            port.number =
                after(words, "port_no").and_then(number).and_then(|number| number.try_into().ok());
        }
        true
    }

    /// `eth0@if2  UP  10.0.0.1/24 fe80::1/64` of `ip -br addr`, `eth0  UP  00:50:… <BROADCAST,…>` of `ip -br link`.
    pub(super) fn brief_device(&mut self, words: &[&str]) -> bool {
        let [name, state, rest @ ..] = words else { return false };
        let (Some(name), true) = (device(name), STATES.contains(state)) else { return false };
        self.section = Section::Open;
        if let Some(flags) = rest.last().and_then(|word| flags(word)) {
            let has = |flag: &str| flags.split(',').any(|given| given == flag);
            self.found(Kind::Devices);
            self.facts.devices.push(Device {
                name,
                mac: rest.first().and_then(|word| mac(word)),
                is_up: has("UP"),
                has_carrier: has("LOWER_UP"),
                text: squeezed(words),
            });
            return true;
        }
        self.found(Kind::Addresses);
        for (place, word) in rest.iter().enumerate() {
            let peer = rest.get(place + 2).filter(|_| rest.get(place + 1) == Some(&"peer"));
            let is_peer = place > 0 && rest[place - 1] == "peer";
            if let Some(net) = own_net(word, peer.copied()).filter(|_| !is_peer) {
                self.add_address(name, net, words);
            }
        }
        true
    }
}

/// The flags in `<BROADCAST,MULTICAST,UP>`.
fn flags(word: &str) -> Option<&str> {
    word.strip_prefix('<')?.strip_suffix('>')
}

/// An own address with its prefix length, which stands at the peer's when there is one.
fn own_net(word: &str, peer: Option<&str>) -> Option<IpNet> {
    if let Ok(net) = word.parse::<IpNet>() {
        return Some(net);
    }
    let (_, length) = peer?.split_once('/')?;
    IpNet::new(word.parse().ok()?, length.parse().ok()?).ok()
}
