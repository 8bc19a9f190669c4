//! IPv4 and IPv6 packets, with fragments, options and extension headers.

use std::io::Write;

use crate::model::{Fragment, Ip, IpFlags, Protocol, Transport};
use crate::render::kernel_line::Line;
use crate::render::kernel_line::written::Address;

impl Line {
    pub(super) fn ip(&mut self, ip: &Ip) {
        if ip.src.is_ipv6() {
            self.ip6(ip);
        } else {
            self.ip4(ip);
        }
    }

    fn ip4(&mut self, ip: &Ip) {
        put!(self, "SRC={} DST={} ", Address(ip.src), Address(ip.dst));
        self.number("LEN", ip.length);
        if let Some(tos) = ip.tos {
            put!(self, "TOS=0x{:02X} PREC=0x{:02X} ", tos & 0x1f, tos & 0xe0);
        }
        self.number("TTL", ip.ttl);
        self.number("ID", ip.id);
        for (bit, word) in [(IpFlags::CE, "CE "), (IpFlags::DF, "DF "), (IpFlags::MF, "MF ")] {
            if ip.flags.has(bit) {
                self.bytes(word.as_bytes());
            }
        }
        if let Some(Fragment { offset: offset @ 1.., .. }) = ip.fragment {
            put!(self, "FRAG:{} ", offset / 8);
        }
        self.options(ip.options.as_deref());
        if ip.truncated {
            self.bytes(b"TRUNCATED");
            return;
        }
        let name = match ip.protocol {
            None => return,
            Some(Protocol::ICMP) => "ICMP",
            Some(Protocol::AH) => "AH",
            Some(Protocol::ESP) => "ESP",
            Some(protocol) => return self.protocol(protocol, &ip.transport),
        };
        put!(self, "PROTO={name} ");
        self.transport(&ip.transport);
    }

    fn ip6(&mut self, ip: &Ip) {
        put!(self, "SRC={} DST={} ", Address(ip.src), Address(ip.dst));
        self.number("LEN", ip.length);
        self.number("TC", ip.tos);
        self.number("HOPLIMIT", ip.ttl);
        self.number("FLOWLBL", ip.flow_label);
        if self.extension_headers(ip) {
            return;
        }
        match ip.protocol {
            None => {}
            Some(protocol) if ip.truncated => {
                put!(self, "Unknown Ext Hdr {}", protocol.0);
            }
            Some(Protocol::ICMPV6) => {
                self.bytes(b"PROTO=ICMPv6 ");
                self.transport(&ip.transport);
            }
            Some(protocol) => self.protocol(protocol, &ip.transport),
        }
    }

    /// The groups `OPT ( … ) ` in the order of RFC 8200; `true` when the kernel stops behind them.
    fn extension_headers(&mut self, ip: &Ip) -> bool {
        let ends_with = match ip.protocol {
            Some(protocol @ (Protocol::AH | Protocol::ESP)) if ip.extension_headers > 0 => {
                Some(protocol)
            }
            _ => None,
        };
        let mut groups = ip.extension_headers;
        let cut_fragment = ip.truncated && ip.protocol.is_none();
        let mut named = u8::from(ends_with.is_some()) + u8::from(ip.ah_spi.is_some());
        let fragment_in_group = (ip.fragment.is_some() || cut_fragment) && groups > named;
        named += u8::from(fragment_in_group);
        // A later fragment's option header cannot be followed; its group is the last one.
        let blind_end = ip.is_later_fragment() && ip.protocol.is_none() && groups > named;
        while groups > named + u8::from(blind_end) {
            self.bytes(b"OPT ( ) ");
            groups -= 1;
        }
        if cut_fragment {
            self.bytes(if fragment_in_group {
                b"OPT ( FRAG:TRUNCATED "
            } else {
                b"FRAG:TRUNCATED "
            });
            return true;
        }
        if let Some(fragment) = ip.fragment {
            self.fragment(fragment, fragment_in_group);
        }
        if let Some(spi) = ip.ah_spi {
            put!(self, "OPT ( AH SPI=0x{spi:x} ) ");
        }
        if blind_end {
            self.bytes(b"OPT ( )");
            return true;
        }
        if let Some(protocol) = ends_with {
            self.bytes(if protocol == Protocol::AH { b"OPT ( AH " } else { b"OPT ( ESP " });
            self.transport(&ip.transport);
            self.bytes(b")");
        }
        ends_with.is_some()
    }

    fn fragment(&mut self, fragment: Fragment, in_group: bool) {
        if in_group {
            self.bytes(b"OPT ( ");
        }
        put!(self, "FRAG:{} ", fragment.offset);
        if fragment.more {
            self.bytes(b"INCOMPLETE ");
        }
        if let Some(id) = fragment.id {
            put!(self, "ID:{id:08x} ");
        }
        if in_group {
            self.bytes(b") ");
        }
    }

    /// The protocols that are printed alike in both families.
    fn protocol(&mut self, protocol: Protocol, transport: &Transport) {
        match protocol {
            Protocol::TCP => self.bytes(b"PROTO=TCP "),
            Protocol::UDP => self.bytes(b"PROTO=UDP "),
            Protocol::UDPLITE => self.bytes(b"PROTO=UDPLITE "),
            Protocol(number) => {
                put!(self, "PROTO={number} ");
            }
        }
        self.transport(transport);
    }
}
