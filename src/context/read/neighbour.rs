//! `ip neigh`, `arp -n`, `arp -a`, `/proc/net/arp`.

use std::net::IpAddr;

use super::words::{after, device, device_after, mac, squeezed};
use super::{Reader, Section};
use crate::context::{Kind, Neighbour};
use crate::model::{IfName, Mac};

/// The states of a neighbour, as `ip neigh` prints them.
const STATES: &[&str] =
    &["INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "NOARP", "PERMANENT", "NONE"];

impl Reader {
    /// `172.17.0.5 dev docker0 lladdr 02:42:ac:11:00:05 REACHABLE`.
    pub(super) fn neighbour_line(&mut self, words: &[&str]) -> bool {
        let Some(last) = words.last() else { return false };
        let is_proxy = words.contains(&"proxy");
        if !(words.contains(&"lladdr") || STATES.contains(last) || is_proxy) {
            return self.brief_neighbour_with_mac(words);
        }
        let (Ok(addr), Some(device)) = (words[0].parse(), device_after(words, "dev")) else {
            return false;
        };
        self.found(Kind::Neighbours);
        // A `proxy` entry says for whom the host answers, which is no neighbour.
        if !is_proxy {
            let mac = after(words, "lladdr").and_then(mac);
            let state = Some(*last).filter(|state| STATES.contains(state));
            self.add_neighbour(addr, device, mac, state, words);
        }
        true
    }

    /// `172.17.0.5   docker0   02:42:ac:11:00:05` of `ip -br neigh`.
    fn brief_neighbour_with_mac(&mut self, words: &[&str]) -> bool {
        let [addr, name, address] = words else { return false };
        let (Ok(addr), Some(name), Some(address)) = (addr.parse(), device(name), mac(address))
        else {
            return false;
        };
        self.section = Section::BriefNeighbours;
        self.add_neighbour(addr, name, Some(address), None, words);
        true
    }

    /// A row of `ip -br neigh` without a hardware address, among those that have one.
    pub(super) fn brief_neighbour(&mut self, words: &[&str]) -> bool {
        let [addr, name] = words else { return false };
        let (Ok(addr), Some(name)) = (addr.parse(), device(name)) else { return false };
        self.add_neighbour(addr, name, None, None, words);
        true
    }

    /// `172.17.0.5  ether  02:42:…  C  docker0` of `arp -n`, `172.17.0.9  (incomplete)  docker0`, and
    /// `172.17.0.5  0x1  0x2  02:42:…  *  docker0` of `/proc/net/arp`.
    pub(super) fn arp_row(&mut self, words: &[&str]) -> bool {
        let [addr, kind, rest @ .., name] = words else { return false };
        let (Ok(addr), Some(name)) = (addr.parse(), device(name)) else { return false };
        let (address, is_published) = match (*kind, rest) {
            ("(incomplete)", []) => (None, false),
            ("0x1", [flags, address, ..]) => {
                let flags = super::words::number(flags).unwrap_or_default();
                (mac(address).filter(|_| flags & 2 != 0), flags & 8 != 0)
            }
            (_, [address, flags, ..]) if mac(address).is_some() || *kind == "*" => {
                (mac(address), flags.contains('P'))
            }
            _ => return false,
        };
        self.found(Kind::Neighbours);
        if !is_published {
            self.add_neighbour(addr, name, address, None, words);
        }
        true
    }

    /// `? (172.17.0.5) at 02:42:ac:11:00:05 [ether] on docker0` of `arp -a`.
    pub(super) fn arp_sentence(&mut self, words: &[&str]) -> bool {
        let [_, addr, "at", address, .., "on", name] = words else { return false };
        let addr = addr.trim_start_matches('(').trim_end_matches(')');
        let (Ok(addr), Some(name)) = (addr.parse(), device(name)) else { return false };
        self.found(Kind::Neighbours);
        if !words.contains(&"PUB") {
            self.add_neighbour(addr, name, mac(address), None, words);
        }
        true
    }

    fn add_neighbour(
        &mut self,
        addr: IpAddr,
        device: IfName,
        mac: Option<Mac>,
        state: Option<&str>,
        words: &[&str],
    ) {
        self.found(Kind::Neighbours);
        let state = state.map(Into::into);
        self.facts.neighbours.push(Neighbour { addr, device, mac, state, text: squeezed(words) });
    }
}
