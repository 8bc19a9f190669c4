//! The link-layer part half read: `MAC=…`, or `MACSRC=… MACDST=… MACPROTO=…` in any order.

use crate::model::{LinkHeader, Mac, Vlan};
use crate::parse::cursor::decimal;
use crate::parse::tolerant::set;
use crate::parse::tolerant::values::{hex16, mac, octets};

/// A link-layer part under construction.
#[derive(Debug, Default)]
pub(super) struct LinkDraft {
    raw: Option<LinkHeader>,
    src: Option<Mac>,
    dst: Option<Mac>,
    ethertype: Option<u16>,
    vlan_protocol: Option<u16>,
    vlan_tci: Option<u16>,
}

impl LinkDraft {
    /// Uses one `KEY=value`; `false` when it fits nowhere.
    pub(super) fn field(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key {
            b"MAC" => set(&mut self.raw, octets(value)),
            b"MACSRC" => set(&mut self.src, mac(value)),
            b"MACDST" => set(&mut self.dst, mac(value)),
            b"MACPROTO" => set(&mut self.ethertype, four_digits(value)),
            b"VPROTO" => set(&mut self.vlan_protocol, four_digits(value)),
            b"VID" => set(&mut self.vlan_tci, decimal(value)),
            _ => false,
        }
    }

    /// Whether the kernel would have printed more: of this part, or a network part after it.
    ///
    /// Only frames of other ethertypes go without a network part.
    pub(super) fn ends_early(&self) -> bool {
        let half = self.src.is_some() && self.ethertype.is_none();
        let no_frame = matches!(self.raw, Some(LinkHeader::Octets(_)));
        let ethertype = self.ethertype.or_else(|| self.raw.as_ref()?.ethertype());
        half || no_frame || matches!(ethertype, Some(0x0800 | 0x86dd | 0x0806 | 0x8035))
    }

    pub(super) fn into_link(self) -> LinkHeader {
        let (Some(src), Some(dst)) = (self.src, self.dst) else {
            return self.raw.unwrap_or_default();
        };
        let vlan = self.vlan_protocol.zip(self.vlan_tci);
        let vlan = vlan.map(|(protocol, tci)| Vlan { protocol, tci });
        LinkHeader::Decoded { src, dst, vlan, ethertype: self.ethertype }
    }
}

/// These two always have four digits: fewer are a number that was cut.
fn four_digits(value: &[u8]) -> Option<u16> {
    if value.len() < 4 { None } else { hex16(value) }
}
