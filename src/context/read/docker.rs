//! `docker inspect`, `docker network inspect`, `docker ps` (and podman's, which print the same).

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use serde_json::Value;

use super::Reader;
use super::words::mac;
use crate::context::{Container, ContainerNetwork, Kind};
use crate::model::{IfName, Protocol};

/// How many published ports are kept of one text.
const MOST_PORTS: usize = 1 << 20;

impl Reader {
    /// A container of `docker inspect`.
    pub(super) fn container(&mut self, value: &Value) {
        self.found(Kind::Containers);
        let mut container = named(text(value, "Name"));
        // Old versions write `ID`.
        let id = [text(value, "Id"), text(value, "ID")].into_iter().find(|id| !id.is_empty());
        container.id = id.map(Into::into);
        let settings = &value["NetworkSettings"];
        place(&mut container, settings);
        for (name, network) in entries(&settings["Networks"]) {
            container.networks.push(name.into());
            place(&mut container, network);
        }
        for (inside, outside) in entries(&settings["Ports"]) {
            for binding in outside.as_array().into_iter().flatten() {
                let outer = text(binding, "HostPort");
                let word = format!("{}:{outer}->{inside}", text(binding, "HostIp"));
                self.published(&mut container, &word);
            }
        }
        self.facts.containers.push(container);
    }

    /// A network of `docker network inspect`, and the containers that it lists.
    pub(super) fn container_network(&mut self, value: &Value) {
        self.found(Kind::ContainerNetworks);
        let name = text(value, "Name");
        let option =
            |key: &str| value["Options"][format!("com.docker.network.bridge.{key}")].as_str();
        // A bridge without a name of its own has the beginning of the network's id in it.
        let given = option("name").map(str::to_owned);
        let id = text(value, "Id").get(..12);
        let bridge = given.or_else(|| id.map(|id| format!("br-{id}")));
        let is_bridge = text(value, "Driver") == "bridge";
        let configs = value["IPAM"]["Config"].as_array();
        self.facts.networks.push(ContainerNetwork {
            name: name.into(),
            bridge: bridge.filter(|_| is_bridge).and_then(|name| IfName::new(name.as_bytes())),
            nets: configs
                .into_iter()
                .flatten()
                .filter_map(|config| text(config, "Subnet").parse().ok())
                .map(|net: IpNet| net.trunc())
                .collect(),
            is_icc: option("enable_icc").and_then(|word| word.parse().ok()),
            is_internal: value["Internal"].as_bool().unwrap_or_default(),
        });
        for (id, end) in entries(&value["Containers"]) {
            let mut container = named(text(end, "Name"));
            container.id = Some(id.into());
            container.networks.push(name.into());
            place(&mut container, end);
            self.facts.containers.push(container);
        }
    }

    /// A line of `docker ps --format json`.
    pub(super) fn container_summary(&mut self, value: &Value) {
        let mut container = named(first_name(text(value, "Names")));
        container.id = Some(text(value, "ID").into());
        for network in text(value, "Networks").split(',').filter(|name| !name.is_empty()) {
            container.networks.push(network.into());
        }
        for part in text(value, "Ports").split(',') {
            self.published(&mut container, part.trim());
        }
        self.found(Kind::Containers);
        self.facts.containers.push(container);
    }

    /// A row of `docker ps`: the id first, the names last, arrows in the ports.
    pub(super) fn container_row(&mut self, has_size: bool, words: &[&str]) -> bool {
        let is_id = words[0].len() >= 12 && words[0].bytes().all(|byte| byte.is_ascii_hexdigit());
        // `SIZE` is `2B (virtual 117MB)`.
        let end = if has_size { words.len().saturating_sub(3) } else { words.len() };
        let (true, Some(names)) = (is_id, words[..end].last()) else { return false };
        let mut container = named(first_name(names));
        container.id = Some(words[0].into());
        for word in &words[1..end] {
            self.published(&mut container, word.trim_end_matches(','));
        }
        self.facts.containers.push(container);
        true
    }

    /// `"IPAddress": "172.17.0.5",` below `docker inspect NAME | grep IPAddress`, or the address alone.
    pub(super) fn container_part(&mut self, words: &[&str]) -> bool {
        let Some(name) = self.hint.container.clone() else { return false };
        let plain = |word: &str| word.trim_matches(['"', '“', '”', ':', ',']).to_owned();
        let (key, value) = match words {
            [value] => ("IPAddress".to_owned(), plain(value)),
            [key, value] => (plain(key), plain(value)),
            _ => return false,
        };
        let mut container = named(&name);
        place(&mut container, &Value::Object([(key, Value::String(value))].into_iter().collect()));
        let is_known = !container.addrs.is_empty() || !container.macs.is_empty();
        if is_known {
            self.found(Kind::Containers);
            self.facts.containers.push(container);
        }
        is_known
    }

    /// `0.0.0.0:40000->6379/tcp`, `[::]:8000-8010->8000-8010/udp`; anything else says nothing.
    fn published(&mut self, container: &mut Container, word: &str) {
        let Some((outside, inside)) = word.split_once("->") else { return };
        let Some((addr, outer)) = outside.rsplit_once(':') else { return };
        let Some((inner, protocol)) = port(inside) else { return };
        let addr = addr.trim_start_matches('[').trim_end_matches(']');
        let addr = addr.parse().ok().filter(|addr: &IpAddr| !addr.is_unspecified());
        let (Some(outer), Some(inner)) = (range(outer), range(inner)) else { return };
        for (outer, inner) in outer.zip(inner) {
            // A text of a few lines can name billions of ports.
            if self.ports == MOST_PORTS {
                return;
            }
            self.ports += 1;
            container.published.push((addr, outer, inner, protocol));
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn named(name: &str) -> Container {
    Container {
        name: name.trim_start_matches('/').into(),
        id: None,
        addrs: Vec::new(),
        macs: Vec::new(),
        published: Vec::new(),
        networks: Vec::new(),
    }
}

/// The name proper: old links add names such as `web/db`.
fn first_name(names: &str) -> &str {
    let mut all = names.split(',').map(|name| name.trim().trim_start_matches('/'));
    all.clone().find(|name| !name.contains('/')).or_else(|| all.next()).unwrap_or_default()
}

/// Takes over the addresses of a network's end.
fn place(container: &mut Container, end: &Value) {
    for key in ["IPAddress", "GlobalIPv6Address", "IPv4Address", "IPv6Address"] {
        let given = text(end, key);
        let addr: Option<IpAddr> =
            given.parse().ok().or_else(|| given.parse().ok().map(|net: IpNet| net.addr()));
        if let Some(addr) = addr.filter(|addr| !container.addrs.contains(addr)) {
            container.addrs.push(addr);
        }
    }
    if let Some(mac) = mac(text(end, "MacAddress")).filter(|mac| !container.macs.contains(mac)) {
        container.macs.push(mac);
    }
}

/// `6379/tcp`.
fn port(text: &str) -> Option<(&str, u8)> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let known = Protocol::NAMED.iter().find(|(_, name)| *name == protocol)?;
    Some((port, known.0.0))
}

/// `8000-8010`.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}
