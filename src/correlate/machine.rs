//! The door of the correlator: one machine a host, and the order of what comes out.

use std::collections::HashMap;

use super::host::HostMachine;
use crate::model::{Boot, Entry, Gap, HostId, Outcome, PacketKey};

/// How much may be open at once. Beyond, the oldest is closed early, stored and counted.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open packets a host; a packet is open for about a second, in the middle of its way for ten.
    pub open_packets: usize,
    /// Open connections a host; one takes about 2.5 KiB.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { open_packets: 65_536, connections: 65_536 }
    }
}

/// Puts lines into packets and packets into connections, for any number of hosts.
#[derive(Debug)]
pub struct Correlator {
    limits: Limits,
    hosts: HashMap<HostId, Box<HostMachine>, foldhash::fast::RandomState>,
    /// The last boot of hosts that were retired.
    retired: HashMap<HostId, Boot, foldhash::fast::RandomState>,
    outcomes: Vec<Outcome>,
}

impl Correlator {
    /// An empty machine.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            hosts: HashMap::default(),
            retired: HashMap::default(),
            outcomes: Vec::new(),
        }
    }

    /// Takes in one line. Lines of one host come in log order.
    pub fn push(&mut self, entry: &Entry<'_>) {
        let (host, outcomes) = self.host(entry.host);
        host.push(entry, outcomes);
    }

    /// Takes in a loss of lines: what was open then cannot be judged by what is missing.
    pub fn gap(&mut self, gap: Gap) {
        if gap.reason.loses_netfilter_lines() {
            self.host(gap.host).0.lose_lines();
        }
        self.outcomes.push(Outcome::Gap(gap));
    }

    /// A new boot of a host is known from outside the lines (journal's boot id, kmsg's sequence).
    pub fn reboot(&mut self, host: HostId) {
        let (host, outcomes) = self.host(host);
        host.restart(outcomes);
    }

    /// Closes everything of one host and forgets it, but for how often it booted.
    pub fn retire(&mut self, id: HostId) {
        if let Some(mut host) = self.hosts.remove(&id) {
            host.finish(&mut self.outcomes);
            self.retired.insert(id, host.boot());
        }
    }

    /// Closes everything: the input is over.
    pub fn finish(&mut self) {
        let mut hosts: Vec<_> = self.hosts.iter_mut().collect();
        hosts.sort_by_key(|(id, _)| **id);
        for (_, host) in hosts {
            host.finish(&mut self.outcomes);
        }
    }

    /// The outcomes so far, in order.
    pub fn drain(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.outcomes)
    }

    /// Adds an outcome found elsewhere, in its place in the order.
    pub fn report(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
    }

    /// Boots seen so far, all hosts together.
    pub fn boots(&self) -> u64 {
        let busy: u64 = self.hosts.values().map(|host| u64::from(host.boot().0) + 1).sum();
        let retired: u64 = self.retired.values().map(|boot| u64::from(boot.0) + 1).sum();
        busy + retired
    }

    fn host(&mut self, id: HostId) -> (&mut HostMachine, &mut Vec<Outcome>) {
        let (limits, retired) = (self.limits, &mut self.retired);
        let host = self.hosts.entry(id).or_insert_with(|| {
            let boot = retired.remove(&id).unwrap_or(Boot(0));
            Box::new(HostMachine::new(id, boot, limits))
        });
        (host, &mut self.outcomes)
    }
}

/// Sorts keys so that nothing that comes out depends on hash order.
pub(super) fn in_key_order<R: Copy>(keys: impl Iterator<Item = (PacketKey, R)>) -> Vec<R> {
    let mut keys: Vec<(PacketKey, R)> = keys.collect();
    keys.sort_by_key(|(key, _)| *key);
    keys.into_iter().map(|(_, open)| open).collect()
}
