//! Several pieces of context into one.

use std::collections::BTreeMap;
use std::hash::Hash;

use foldhash::HashMap;

use super::facts::{Container, HostContext};
use crate::model::{IfName, Mac};

impl HostContext {
    /// Takes in another piece of the same host and moment. Where both say something of the same thing, the other's
    /// word stands; what can be told only from both together is filled in (which port a number of `brctl showmacs` is).
    pub fn merge(&mut self, other: Self) {
        let replace = |known: &mut _, new| *known = new;
        upsert(
            &mut self.devices,
            other.devices,
            |device| device.name,
            |known, mut new| {
                new.mac = new.mac.or(known.mac);
                *known = new;
            },
        );
        upsert(&mut self.addresses, other.addresses, |fact| (fact.device, fact.net), replace);
        let route = |fact: &super::Route| {
            let hop = (fact.device, fact.gateway, fact.metric);
            (fact.table.clone(), fact.net, fact.from, fact.has_more, hop, fact.kind)
        };
        upsert(&mut self.routes, other.routes, route, |known, new| *known = new);
        let rule = |fact: &super::PolicyRule| (fact.priority, fact.is_ipv6, fact.text.clone());
        upsert(&mut self.policy_rules, other.policy_rules, rule, |known, new| *known = new);
        let neighbour = |fact: &super::Neighbour| (fact.addr, fact.device);
        upsert(&mut self.neighbours, other.neighbours, neighbour, |known, mut new| {
            new.state = new.state.or_else(|| known.state.take());
            *known = new;
        });
        let entry = |fact: &super::FdbEntry| (fact.mac, fact.port, fact.bridge, fact.port_number);
        upsert(&mut self.fdb, other.fdb, entry, |known, new| *known = new);
        upsert(
            &mut self.ports,
            other.ports,
            |fact| fact.port,
            |known, mut new| {
                if known.bridge == new.bridge {
                    new.number = new.number.or(known.number);
                    new.state = new.state.or_else(|| known.state.take());
                }
                *known = new;
            },
        );
        upsert(&mut self.containers, other.containers, |fact| fact.name.clone(), unite);
        upsert(
            &mut self.networks,
            other.networks,
            |fact| fact.name.clone(),
            |known, new| *known = new,
        );
        upsert(
            &mut self.settings,
            other.settings,
            |fact| fact.name.clone(),
            |known, new| *known = new,
        );
        for container in &mut self.containers {
            container.published.sort_unstable();
            container.published.dedup();
        }
        if self.conntrack.is_empty() {
            self.conntrack = other.conntrack;
        } else {
            self.conntrack.extend(other.conntrack);
        }
        self.name_ports();
    }

    /// Gives the entries of `brctl showmacs` their port and bridge: by the port's number, or because the port's own
    /// hardware address stands under the same number.
    fn name_ports(&mut self) {
        let bridges: HashMap<IfName, IfName> =
            self.ports.iter().map(|port| (port.port, port.bridge)).collect();
        let mut numbers: BTreeMap<(IfName, u16), IfName> = BTreeMap::new();
        for port in &self.ports {
            if let Some(number) = port.number {
                numbers.insert((port.bridge, number), port.port);
            }
        }
        let mut owners: HashMap<Mac, Vec<IfName>> = HashMap::default();
        for device in &self.devices {
            if let Some(mac) = device.mac {
                owners.entry(mac).or_default().push(device.name);
            }
        }
        // Entries without a bridge are of the one `brctl showmacs` whose file did not say which.
        let mut unnamed: BTreeMap<u16, IfName> = BTreeMap::new();
        for entry in self.fdb.iter().filter(|entry| entry.is_local && entry.port.is_none()) {
            let (Some(number), Some(owners)) = (entry.port_number, owners.get(&entry.mac)) else {
                continue;
            };
            // The bridge itself has the address of one of its ports, often.
            let can_be = |port: &&IfName| match (entry.bridge, bridges.get(*port)) {
                (Some(bridge), None) => **port != bridge,
                (Some(bridge), Some(known)) => *known == bridge,
                (None, known) => known.is_some(),
            };
            let mut ports = owners.iter().filter(can_be);
            let (Some(port), None) = (ports.next(), ports.next()) else { continue };
            match entry.bridge {
                Some(bridge) => numbers.entry((bridge, number)).or_insert(*port),
                None => unnamed.entry(number).or_insert(*port),
            };
        }
        for entry in &mut self.fdb {
            if let (None, Some(number)) = (entry.port, entry.port_number) {
                entry.port = match entry.bridge {
                    Some(bridge) => numbers.get(&(bridge, number)).copied(),
                    None => unnamed.get(&number).copied(),
                };
            }
            if let (None, Some(port)) = (entry.bridge, entry.port) {
                entry.bridge = bridges.get(&port).copied();
            }
        }
    }
}

/// What both pieces say of a container, together.
fn unite(known: &mut Container, new: Container) {
    let longer = |id: &str| known.id.as_ref().is_none_or(|known| known.len() < id.len());
    if let Some(id) = new.id.filter(|id| longer(id)) {
        known.id = Some(id);
    }
    add_new(&mut known.addrs, new.addrs);
    add_new(&mut known.macs, new.macs);
    add_new(&mut known.networks, new.networks);
    known.published.extend(new.published);
}

fn add_new<T: PartialEq>(known: &mut Vec<T>, new: Vec<T>) {
    for value in new {
        if !known.contains(&value) {
            known.push(value);
        }
    }
}

/// Adds facts; one with the key of a known fact is put together with that.
fn upsert<T, K: Hash + Eq>(
    known: &mut Vec<T>,
    new: Vec<T>,
    key: impl Fn(&T) -> K,
    unite: impl Fn(&mut T, T),
) {
    if new.is_empty() {
        return;
    }
    let mut places: HashMap<K, usize> =
        known.iter().enumerate().map(|(place, fact)| (key(fact), place)).collect();
    for fact in new {
        let next = known.len();
        let place = *places.entry(key(&fact)).or_insert(next);
        match known.get_mut(place) {
            Some(known) => unite(known, fact),
            None => known.push(fact),
        }
    }
}
