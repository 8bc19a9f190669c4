//! A line's payload as the kernel would print it: the way back from fields to bytes.
//!
//! ```text
//! TRACE: raw:PREROUTING:policy:3 IN=eth0 OUT= MAC=…:08:00 SRC=10.0.0.1 DST=10.0.0.2 LEN=60 TOS=0x00 PREC=0x00 TTL=64 …
//! TRACE: eb:nat:OUTPUT IN= OUT=veth0 MAC source = … MAC dest = … proto = 0x0800 IP SRC=10.0.0.1 IP DST=10.0.0.2, …
//! ```
//!
//! For a line the kernel printed this is the inverse of the parser, byte for
//! byte, trailing blank included. Words the parser did not know come last.

macro_rules! put {
    ($line:expr, $($format:tt)*) => {
        // A `Vec` takes everything.
        let _ = write!($line.0, $($format)*);
    };
}

mod frame;
mod ip;
mod transport;
mod written;

use std::io::Write;

use crate::model::{Arp, Devices, Header, IfName, LinkHeader, Network, Site, SiteKind};
use written::{Colons, Octets};

/// Prints a line's payload.
pub fn kernel_line(site: &Site, header: &Header) -> Vec<u8> {
    let mut line = Line(Vec::with_capacity(320));
    line.prefix(site);
    line.devices(&header.devices);
    if let LinkHeader::Frame { src, dst, ethertype } = &header.link {
        line.frame(*src, *dst, *ethertype);
        line.ebt_network(&header.network, *ethertype);
    } else {
        line.bytes(b" ");
        line.bridge_ports(&header.devices);
        line.link(header);
        line.network(&header.network);
        line.owner_and_mark(header);
    }
    line.unknown(header);
    line.0
}

/// A line under construction. Writing to it cannot fail.
struct Line(Vec<u8>);

impl Line {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn prefix(&mut self, site: &Site) {
        match site {
            Site::Trace { table, chain, kind } => {
                self.bytes(b"TRACE: ");
                self.bytes(table);
                self.bytes(b":");
                self.bytes(chain);
                let (word, number) = match kind {
                    SiteKind::Rule(number) => ("rule", number),
                    SiteKind::Return(number) => ("return", number),
                    SiteKind::Policy(number) => ("policy", number),
                };
                put!(self, ":{word}:{number} ");
            }
            Site::Log { prefix } => self.bytes(prefix),
            Site::Bridge { prefix, .. } | Site::BridgeLog { prefix } => {
                self.bytes(prefix);
                self.bytes(b" ");
            }
        }
    }

    fn devices(&mut self, devices: &Devices) {
        self.bytes(b"IN=");
        self.device(devices.input);
        self.bytes(b" OUT=");
        self.device(devices.output);
    }

    fn device(&mut self, name: Option<IfName>) {
        if let Some(name) = name {
            self.bytes(name.as_bytes());
        }
    }

    fn bridge_ports(&mut self, devices: &Devices) {
        for (key, name) in [(b"PHYSIN=".as_slice(), devices.physin), (b"PHYSOUT=", devices.physout)]
        {
            if let Some(name) = name {
                self.bytes(key);
                self.bytes(name.as_bytes());
                self.bytes(b" ");
            }
        }
    }

    fn link(&mut self, header: &Header) {
        match &header.link {
            LinkHeader::Ethernet { dst, src, ethertype } => {
                let [high, low] = ethertype.to_be_bytes();
                put!(self, "MAC={}:{}:{high:02x}:{low:02x}", Octets(dst), Octets(src));
                self.tunnel(header);
                self.bytes(b" ");
            }
            LinkHeader::Octets(octets) => {
                put!(self, "MAC={}", Colons(octets));
                self.tunnel(header);
                self.bytes(b" ");
            }
            LinkHeader::Decoded { src, dst, vlan, ethertype } => {
                put!(self, "MACSRC={} MACDST={} ", Octets(src), Octets(dst));
                if let Some(vlan) = vlan {
                    put!(self, "VPROTO={:04x} VID={} ", vlan.protocol, vlan.tci);
                }
                if let Some(ethertype) = ethertype {
                    put!(self, "MACPROTO={ethertype:04x} ");
                }
            }
            LinkHeader::Absent | LinkHeader::Frame { .. } => {}
        }
    }

    fn tunnel(&mut self, header: &Header) {
        if let Some((from, to)) = header.tunnel {
            put!(self, " TUNNEL={from}->{to}");
        }
    }

    fn network(&mut self, network: &Network) {
        match network {
            Network::Absent | Network::Incomplete => {}
            Network::Truncated => self.bytes(b"TRUNCATED"),
            Network::Ip(ip) => self.ip(ip),
            Network::Arp(arp) => self.arp(arp),
        }
    }

    fn arp(&mut self, arp: &Arp) {
        let Arp { hardware, protocol, operation, .. } = arp;
        put!(self, "ARP HTYPE={hardware} PTYPE=0x{protocol:04x} OPCODE={operation}");
        if let Some(addresses) = &arp.addresses {
            put!(self, " MACSRC={}", Octets(&addresses.sender_mac));
            put!(self, " IPSRC={}", addresses.sender_ip);
            put!(self, " MACDST={}", Octets(&addresses.target_mac));
            put!(self, " IPDST={}", addresses.target_ip);
        } else if arp.incomplete {
            put!(self, " INCOMPLETE [{} bytes]", arp.incomplete_bytes.unwrap_or(0));
        }
    }

    fn owner_and_mark(&mut self, header: &Header) {
        if let Some((user, group)) = header.owner {
            put!(self, "UID={user} GID={group} ");
        }
        if let Some(mark) = header.mark {
            put!(self, "MARK=0x{mark:x} ");
        }
    }

    fn unknown(&mut self, header: &Header) {
        if let Some(unknown) = &header.unknown {
            if self.0.last().is_some_and(|byte| *byte != b' ') {
                self.bytes(b" ");
            }
            self.bytes(unknown);
        }
    }

    fn number(&mut self, key: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            put!(self, "{key}={value} ");
        }
    }

    fn options(&mut self, options: Option<&[u8]>) {
        if let Some(options) = options {
            self.bytes(b"OPT (");
            for octet in options {
                put!(self, "{octet:02X}");
            }
            self.bytes(b") ");
        }
    }
}
