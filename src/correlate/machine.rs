//! The door of the correlator: one machine a host, and the order of what comes out.

use super::host::HostMachine;
use crate::model::{Entry, Gap, HostId, Outcome, PacketKey};

/// How much may be open at once. Beyond, the oldest is closed early, stored and counted.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open packets a host; a packet is open for about a second, in the middle of its way for ten.
    pub open_packets: usize,
    /// Open connections a host; the default is that of `nf_conntrack_max` on a host with 8 GiB.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { open_packets: 65_536, connections: 262_144 }
    }
}

/// Puts lines into packets and packets into connections, for any number of hosts.
#[derive(Debug)]
pub struct Correlator {
    limits: Limits,
    hosts: Vec<HostMachine>,
    outcomes: Vec<Outcome>,
}

impl Correlator {
    /// An empty machine.
    pub fn new(limits: Limits) -> Self {
        Self { limits, hosts: Vec::new(), outcomes: Vec::new() }
    }

    /// Takes in one line. Lines of one host come in log order.
    pub fn push(&mut self, entry: &Entry<'_>) {
        let index = self.host(entry.host);
        self.hosts[index].push(entry, &mut self.outcomes);
    }

    /// Takes in a loss of lines: what was open then cannot be judged by what is missing.
    pub fn gap(&mut self, gap: Gap) {
        if gap.reason.loses_netfilter_lines() {
            let index = self.host(gap.host);
            self.hosts[index].lose_lines();
        }
        self.outcomes.push(Outcome::Gap(gap));
    }

    /// A new boot of a host is known from outside the lines (journal's boot id, kmsg's sequence).
    pub fn reboot(&mut self, host: HostId) {
        let index = self.host(host);
        self.hosts[index].restart(&mut self.outcomes);
    }

    /// Closes everything: the input is over.
    pub fn finish(&mut self) {
        for host in &mut self.hosts {
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
        self.hosts.iter().map(HostMachine::boots).sum()
    }

    fn host(&mut self, id: HostId) -> usize {
        if let Some(index) = self.hosts.iter().position(|host| host.id() == id) {
            return index;
        }
        self.hosts.push(HostMachine::new(id, self.limits));
        self.hosts.len() - 1
    }
}

/// Sorts keys so that nothing that comes out depends on hash order.
pub(super) fn in_key_order<R: Copy>(keys: impl Iterator<Item = (PacketKey, R)>) -> Vec<R> {
    let mut keys: Vec<(PacketKey, R)> = keys.collect();
    keys.sort_by_key(|(key, _)| *key);
    keys.into_iter().map(|(_, open)| open).collect()
}
