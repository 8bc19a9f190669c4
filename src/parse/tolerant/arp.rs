//! An ARP body half read.

use std::net::Ipv4Addr;

use crate::model::{Arp, ArpAddresses, Mac};
use crate::parse::cursor::{decimal, ipv4};
use crate::parse::tolerant::set;
use crate::parse::tolerant::values::{hex16, mac};

/// An ARP body under construction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ArpDraft {
    hardware: Option<u16>,
    protocol: Option<u16>,
    operation: Option<u16>,
    sender_mac: Option<Mac>,
    sender_ip: Option<Ipv4Addr>,
    target_mac: Option<Mac>,
    target_ip: Option<Ipv4Addr>,
    incomplete: bool,
    incomplete_bytes: Option<u32>,
}

impl ArpDraft {
    /// Uses one `KEY=value`; `false` when it fits nowhere.
    pub(super) fn field(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key {
            b"HTYPE" => set(&mut self.hardware, decimal(value)),
            b"PTYPE" => set(&mut self.protocol, hex16(value)),
            b"OPCODE" => set(&mut self.operation, decimal(value)),
            b"MACSRC" => set(&mut self.sender_mac, mac(value)),
            b"IPSRC" => set(&mut self.sender_ip, ipv4(value)),
            b"MACDST" => set(&mut self.target_mac, mac(value)),
            b"IPDST" => set(&mut self.target_ip, ipv4(value)),
            _ => false,
        }
    }

    /// `INCOMPLETE [n bytes]`.
    pub(super) fn incomplete(&mut self, bytes: Option<u32>) -> bool {
        self.incomplete = true;
        self.incomplete_bytes = bytes;
        true
    }

    /// Whether the kernel would have printed more of this body.
    pub(super) fn ends_early(self) -> bool {
        self.operation.is_none() || self.sender_mac.is_some() && self.target_ip.is_none()
    }

    pub(super) fn into_arp(self) -> Option<Arp> {
        Some(Arp {
            hardware: self.hardware?,
            protocol: self.protocol?,
            operation: self.operation?,
            addresses: self.addresses(),
            incomplete: self.incomplete,
            incomplete_bytes: self.incomplete_bytes,
        })
    }

    fn addresses(self) -> Option<ArpAddresses> {
        Some(ArpAddresses {
            sender_mac: self.sender_mac?,
            sender_ip: self.sender_ip?,
            target_mac: self.target_mac?,
            target_ip: self.target_ip?,
        })
    }
}
