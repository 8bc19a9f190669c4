//! The lines of ebtables, behind their devices.

use std::io::Write;

use crate::model::{Arp, Ip, Mac, Network, Transport};
use crate::render::kernel_line::Line;
use crate::render::kernel_line::written::{Address, Octets};

impl Line {
    pub(super) fn frame(&mut self, src: Mac, dst: Mac, ethertype: u16) {
        put!(self, " MAC source = {} MAC dest = {}", Octets(&src), Octets(&dst));
        put!(self, " proto = 0x{ethertype:04x}");
    }

    pub(super) fn ebt_network(&mut self, network: &Network, ethertype: u16) {
        match network {
            Network::Absent | Network::Truncated => {}
            Network::Incomplete => {
                let name = match ethertype {
                    0x0800 => "IP",
                    0x86dd => "IPv6",
                    _ => "ARP",
                };
                put!(self, " INCOMPLETE {name} header");
            }
            Network::Ip(ip) => self.ebt_ip(ip),
            Network::Arp(arp) => self.ebt_arp(arp),
        }
    }

    fn ebt_ip(&mut self, ip: &Ip) {
        let (family, tos_key, protocol_key) = if ip.src.is_ipv6() {
            ("IPv6", "IPv6 priority", "Next Header")
        } else {
            ("IP", "IP tos", "IP proto")
        };
        put!(self, " {family} SRC={} {family} DST={}", Address(ip.src), Address(ip.dst));
        if let Some(tos) = ip.tos {
            put!(self, ", {tos_key}=0x");
            if ip.src.is_ipv6() {
                put!(self, "{:01X}", tos >> 4);
            } else {
                put!(self, "{tos:02X}");
            }
        }
        if let Some(protocol) = ip.protocol {
            put!(self, ", {protocol_key}={}", protocol.0);
        }
        match &ip.transport {
            Transport::Ports { sport, dport } => {
                put!(self, " SPT={sport} DPT={dport}");
            }
            Transport::Incomplete(_) => self.bytes(b" INCOMPLETE TCP/UDP header"),
            _ => {}
        }
    }

    fn ebt_arp(&mut self, arp: &Arp) {
        let Arp { hardware, protocol, operation, .. } = arp;
        put!(self, " ARP HTYPE={hardware}, PTYPE=0x{protocol:04x}, OPCODE={operation}");
        if let Some(addresses) = &arp.addresses {
            put!(self, " ARP MAC SRC={}", Octets(&addresses.sender_mac));
            put!(self, " ARP IP SRC={}", addresses.sender_ip);
            put!(self, " ARP MAC DST={}", Octets(&addresses.target_mac));
            put!(self, " ARP IP DST={}", addresses.target_ip);
        } else if arp.incomplete {
            self.bytes(b" INCOMPLETE ARP payload");
        }
    }
}
