//! `bridge fdb`, `brctl showmacs`, `brctl show`.

use super::words::{device, device_after, mac, squeezed};
use super::{Reader, Section};
use crate::context::{BridgePort, FdbEntry, Kind};
use crate::model::IfName;

impl Reader {
    /// `9e:93:85:3f:24:b5 dev veth72x2M5 master docker0 permanent`.
    pub(super) fn fdb_line(&mut self, words: &[&str]) -> bool {
        let Some(address) = mac(words[0]) else { return false };
        let Some(port) = device_after(words, "dev") else { return false };
        self.found(Kind::Fdb);
        let bridge = device_after(words, "master");
        // What a device filters for itself is no entry of a bridge.
        if bridge.is_none() && words.contains(&"self") {
            return true;
        }
        self.facts.fdb.push(FdbEntry {
            mac: address,
            port: Some(port),
            bridge,
            port_number: None,
            is_local: words.contains(&"permanent"),
            text: squeezed(words),
        });
        true
    }

    /// `1 02:42:ac:11:00:05 no 0.82` of `brctl showmacs`, which names neither port nor bridge.
    pub(super) fn showmacs_row(&mut self, words: &[&str]) -> bool {
        let [number, address, is_local @ ("yes" | "no"), ..] = words else { return false };
        let (Ok(number), Some(address)) = (number.parse(), mac(address)) else { return false };
        self.found(Kind::Fdb);
        self.facts.fdb.push(FdbEntry {
            mac: address,
            port: None,
            bridge: self.hint.bridge,
            port_number: Some(number),
            is_local: *is_local == "yes",
            text: squeezed(words),
        });
        true
    }

    /// `docker0  8000.0242… no  veth72x2M5` of `brctl show`; further ports stand alone below it.
    pub(super) fn bridge_show_row(&mut self, bridge: Option<IfName>, words: &[&str]) -> bool {
        let (bridge, port) = match words {
            [bridge, id, "yes" | "no", port @ ..] if id.contains('.') => {
                (device(bridge), port.first())
            }
            [port] if !port.ends_with(['$', '#']) => (bridge, Some(port)),
            _ => return false,
        };
        let Some(bridge) = bridge else { return false };
        self.section = Section::BridgeShow(Some(bridge));
        if let Some(port) = port.and_then(|port| device(port)) {
            let text = format!(
                "{} {}",
                String::from_utf8_lossy(bridge.as_bytes()),
                words[words.len() - 1]
            );
            let text = if words.len() > 1 { squeezed(words) } else { text.into() };
            self.facts.ports.push(BridgePort { port, bridge, number: None, state: None, text });
        }
        true
    }
}
