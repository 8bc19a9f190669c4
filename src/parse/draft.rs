//! Packets half read: fields gathered in any order until the line is over.

use std::net::IpAddr;

use crate::model::{
    Arp, ArpAddresses, Fragment, Icmp, IcmpExtra, Ip, IpFlags, Mac, Protocol, Tcp, TcpFlags,
    TcpOptions, Transport,
};
use crate::parse::cursor::{decimal, hex_bytes, hex_value, ipv4};
use crate::parse::ip4;
use crate::parse::tolerant::{mac, set, without_0x};

/// An IP packet under construction.
#[derive(Debug, Clone, Default)]
pub(super) struct IpDraft {
    src: Option<IpAddr>,
    dst: Option<IpAddr>,
    length: Option<u32>,
    tos: Option<u8>,
    precedence: Option<u8>,
    /// The TOS byte was printed as the kernel prints it, with `0x`.
    kernel_style: bool,
    ttl: Option<u8>,
    id: Option<u16>,
    flow_label: Option<u32>,
    flags: u8,
    offset: Option<u32>,
    fragment_id: Option<u32>,
    more: bool,
    options: Option<Box<[u8]>>,
    extension_headers: u8,
    in_group: bool,
    ah_spi: Option<u32>,
    truncated: bool,
    unknown_extension: UnknownExtension,
    protocol: Option<Protocol>,
    /// The protocol was printed by its name, so its fields are due.
    named: bool,
    /// An IPv6 chain ended in an extension header; no protocol is due.
    chain_ended: bool,
    incomplete: Option<Option<u32>>,
    sport: Option<u16>,
    dport: Option<u16>,
    seq: Option<u32>,
    ack: Option<u32>,
    window: Option<u16>,
    reserved: Option<u8>,
    tcp_flags: u16,
    urgent: Option<u16>,
    tcp_options: TcpOptions,
    transport_length: Option<u16>,
    icmp: IcmpDraft,
    spi: Option<u32>,
}

/// The words `Unknown Ext Hdr n`, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum UnknownExtension {
    #[default]
    NotSeen,
    Unknown,
    Ext,
    Hdr,
}

#[derive(Debug, Clone, Default)]
struct IcmpDraft {
    kind: Option<u8>,
    code: Option<u8>,
    incomplete: Option<u32>,
    id: Option<u16>,
    seq: Option<u16>,
    extra: Option<IcmpExtra>,
    mtu: Option<u32>,
}

impl IpDraft {
    pub(super) fn has_addresses(&self) -> bool {
        self.src.is_some() || self.dst.is_some()
    }

    pub(super) fn has_both_addresses(&self) -> bool {
        self.src.is_some() && self.dst.is_some()
    }

    /// Whether any field of an IP packet was seen.
    pub(super) fn has_any(&self) -> bool {
        self.has_addresses() || self.protocol.is_some() || self.ttl.is_some()
    }

    /// Uses one `KEY=value`; `false` when it fits nowhere.
    pub(super) fn field(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key {
            b"SRC" => set(&mut self.src, address(value)),
            b"DST" => set(&mut self.dst, address(value)),
            b"LEN" => self.take_length(value),
            b"TOS" => {
                self.kernel_style = value.starts_with(b"0x");
                set(&mut self.tos, tos(value))
            }
            b"PREC" => set(&mut self.precedence, tos(value)),
            b"TC" => {
                self.kernel_style = true;
                set(&mut self.tos, decimal(value))
            }
            b"TTL" | b"HOPLIMIT" => set(&mut self.ttl, decimal(value)),
            b"FLOWLBL" => set(&mut self.flow_label, decimal(value)),
            b"ID" if self.is_icmp() => set(&mut self.icmp.id, decimal(value)),
            b"ID" => set(&mut self.id, decimal(value)),
            b"PROTO" => self.take_protocol(value),
            _ => self.transport_field(key, value),
        }
    }

    fn transport_field(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key {
            b"SPT" => set(&mut self.sport, decimal(value)),
            b"DPT" => set(&mut self.dport, decimal(value)),
            b"SEQ" if self.is_icmp() => set(&mut self.icmp.seq, decimal(value)),
            b"SEQ" => set(&mut self.seq, decimal(value)),
            b"ACK" => set(&mut self.ack, decimal(value)),
            b"WINDOW" => set(&mut self.window, decimal(value)),
            b"RES" => set(&mut self.reserved, hex8(value)),
            b"URGP" => set(&mut self.urgent, decimal(value)),
            b"SPI" if self.in_group && self.protocol.is_none() => {
                set(&mut self.ah_spi, hex_value(without_0x(value)))
            }
            b"SPI" => set(&mut self.spi, hex_value(without_0x(value))),
            b"TYPE" => set(&mut self.icmp.kind, decimal(value)),
            b"CODE" => set(&mut self.icmp.code, decimal(value)),
            b"PARAMETER" => set(&mut self.icmp.extra, decimal(value).map(IcmpExtra::Parameter)),
            b"GATEWAY" => set(&mut self.icmp.extra, address(value).map(IcmpExtra::Gateway)),
            b"POINTER" => {
                set(&mut self.icmp.extra, hex_value(without_0x(value)).map(IcmpExtra::Pointer))
            }
            b"MTU" => set(&mut self.icmp.mtu, decimal(value)),
            _ => false,
        }
    }

    /// `LEN` is the packet's before `PROTO=` and UDP's after it.
    fn take_length(&mut self, value: &[u8]) -> bool {
        let after_protocol = self.protocol.is_some() || self.sport.is_some();
        let transport = after_protocol && !matches!(self.protocol, Some(Protocol::TCP));
        if transport && set(&mut self.transport_length, decimal(value)) {
            return true;
        }
        set(&mut self.length, decimal(value))
    }

    fn take_protocol(&mut self, value: &[u8]) -> bool {
        self.named = !value.first().is_some_and(u8::is_ascii_digit);
        set(&mut self.protocol, protocol(value))
    }

    /// Uses one word without `=`; `false` when it fits nowhere.
    pub(super) fn bare(&mut self, word: &[u8]) -> bool {
        match word {
            b"CE" => self.flags |= IpFlags::CE,
            b"DF" => self.flags |= IpFlags::DF,
            b"MF" => self.flags |= IpFlags::MF,
            b"TRUNCATED" if self.urgent.is_some() => self.tcp_options = TcpOptions::Truncated,
            b"TRUNCATED" => self.truncated = true,
            b"AH" if self.in_group => {}
            b"ESP" if self.in_group => self.protocol = Some(Protocol::ESP),
            _ => return self.prefixed(word) || self.tcp_flag(word) || self.extension_word(word),
        }
        true
    }

    /// `FRAG:185`, and `ID:00001234` of an IPv6 fragment.
    fn prefixed(&mut self, word: &[u8]) -> bool {
        if word == b"FRAG:TRUNCATED" {
            self.truncated = true;
            return true;
        }
        if let Some(offset) = word.strip_prefix(b"FRAG:") {
            return set(&mut self.offset, decimal(offset));
        }
        match word.strip_prefix(b"ID:") {
            Some(id) => set(&mut self.fragment_id, hex_value(id)),
            None => false,
        }
    }

    fn tcp_flag(&mut self, word: &[u8]) -> bool {
        if !matches!(self.protocol, None | Some(Protocol::TCP)) {
            return false;
        }
        match TcpFlags::NAMES.iter().find(|(_, name)| name.as_bytes() == word) {
            Some((bit, _)) => {
                self.tcp_flags |= bit;
                true
            }
            None => false,
        }
    }

    fn extension_word(&mut self, word: &[u8]) -> bool {
        let next = match (self.unknown_extension, word) {
            (UnknownExtension::NotSeen, b"Unknown") => UnknownExtension::Unknown,
            (UnknownExtension::Unknown, b"Ext") => UnknownExtension::Ext,
            (UnknownExtension::Ext, b"Hdr") => UnknownExtension::Hdr,
            (UnknownExtension::Hdr, number) => {
                self.truncated = true;
                self.unknown_extension = UnknownExtension::NotSeen;
                return set(&mut self.protocol, decimal(number).map(Protocol));
            }
            _ => return false,
        };
        self.unknown_extension = next;
        true
    }

    /// `OPT (…)`: TCP options once the TCP header stands, IP options before it.
    pub(super) fn take_options(&mut self, text: &[u8]) -> bool {
        if text == b"TRUNCATED" {
            self.tcp_options = TcpOptions::Truncated;
            return true;
        }
        let Some(bytes) = hex_bytes(text) else { return false };
        if self.sport.is_some() {
            let free = self.tcp_options == TcpOptions::Absent;
            if free {
                self.tcp_options = TcpOptions::Bytes(bytes);
            }
            return free;
        }
        set(&mut self.options, Some(bytes))
    }

    /// `OPT ( ` of an IPv6 extension header. In IPv4 it is a run of options that was cut.
    pub(super) fn open_group(&mut self) -> bool {
        if !matches!(self.src, Some(IpAddr::V6(_))) || self.sport.is_some() {
            return false;
        }
        self.extension_headers = self.extension_headers.saturating_add(1);
        self.in_group = true;
        true
    }

    /// `)` behind an extension header.
    pub(super) fn close_group(&mut self) -> bool {
        let was_open = self.in_group;
        self.in_group = false;
        let later = self.offset.is_some_and(|offset| offset > 0);
        self.chain_ended |= was_open && (self.protocol.is_some() || later);
        was_open
    }

    /// `INCOMPLETE`, which after an IPv6 fragment offset means "more follow".
    pub(super) fn incomplete(&mut self, bytes: Option<u32>) -> bool {
        if bytes.is_none() {
            self.more |= self.offset.is_some();
            return self.offset.is_some();
        }
        if self.icmp.code.is_some() {
            self.icmp.incomplete = bytes;
        } else {
            self.incomplete = Some(bytes);
        }
        true
    }

    fn is_icmp(&self) -> bool {
        self.protocol.is_some_and(Protocol::is_icmp)
    }

    fn is_later_fragment(&self) -> bool {
        self.offset.is_some_and(|offset| offset > 0)
    }

    /// Whether the kernel would have printed more of this packet.
    pub(super) fn ends_early(&self, has_inner: bool) -> bool {
        if !(self.src.is_some() && self.dst.is_some()) || self.in_group {
            return true;
        }
        if self.truncated || self.incomplete.is_some() || self.chain_ended {
            return false;
        }
        if self.is_later_fragment() {
            return self.ttl.is_none();
        }
        match self.protocol {
            None => true,
            Some(_) if !self.named => false,
            Some(Protocol::TCP) => self.tcp_ends_early(),
            Some(Protocol::UDP | Protocol::UDPLITE) => self.transport_length.is_none(),
            Some(Protocol::AH | Protocol::ESP) => self.spi.is_none(),
            Some(Protocol::ICMP | Protocol::ICMPV6) => self.icmp_ends_early(has_inner),
            Some(_) => false,
        }
    }

    /// Producers other than the kernel leave out `RES=` and `URGP=`; the kernel never does.
    fn tcp_ends_early(&self) -> bool {
        let after_window = self.tcp_flags != 0 || self.urgent.is_some();
        self.dport.is_none()
            || !(self.window.is_some() || after_window)
            || self.urgent.is_none() && (self.reserved.is_some() || !after_window)
    }

    fn icmp_ends_early(&self, has_inner: bool) -> bool {
        let icmp = &self.icmp;
        let (Some(kind), Some(_)) = (icmp.kind, icmp.code) else { return true };
        if icmp.incomplete.is_some() {
            return false;
        }
        match (self.protocol, kind) {
            (Some(Protocol::ICMP), 0 | 8) | (Some(Protocol::ICMPV6), 128 | 129) => {
                icmp.seq.is_none()
            }
            (Some(Protocol::ICMP), 3 | 4 | 5 | 11) | (Some(Protocol::ICMPV6), 1..=4) => {
                self.kernel_style && !has_inner
            }
            (Some(Protocol::ICMP), 12) => icmp.extra.is_none(),
            _ => false,
        }
    }

    /// The packet, when both addresses are known.
    pub(super) fn into_ip(self, inner: Option<Ip>) -> Option<Ip> {
        let mut ip = ip4::bare(self.src?, self.dst?);
        ip.length = self.length;
        ip.tos = match (self.tos, self.precedence) {
            (Some(tos), precedence) => Some(tos | precedence.unwrap_or(0)),
            (None, precedence) => precedence,
        };
        ip.ttl = self.ttl;
        ip.id = self.id;
        ip.flow_label = self.flow_label;
        ip.flags = IpFlags(self.flags);
        ip.fragment = self.fragment();
        ip.extension_headers = self.extension_headers;
        ip.ah_spi = self.ah_spi;
        ip.truncated = self.truncated;
        ip.protocol = self.protocol;
        ip.options.clone_from(&self.options);
        ip.transport = self.into_transport(inner);
        Some(ip)
    }

    fn fragment(&self) -> Option<Fragment> {
        let unit = if matches!(self.src, Some(IpAddr::V4(_))) { 8 } else { 1 };
        let more = self.more || self.flags & IpFlags::MF != 0;
        match self.offset {
            Some(offset) => {
                let offset = offset.saturating_mul(unit);
                Some(Fragment { offset, more, id: self.fragment_id })
            }
            None if more => Some(Fragment { offset: 0, more, id: self.fragment_id }),
            None => None,
        }
    }

    fn into_transport(self, inner: Option<Ip>) -> Transport {
        if let (Some(sport), Some(dport)) = (self.sport, self.dport) {
            return self.with_ports(sport, dport);
        }
        if let Some(bytes) = self.incomplete {
            return Transport::Incomplete(bytes);
        }
        if let Some(spi) = self.spi {
            return Transport::Spi(spi);
        }
        let IcmpDraft { kind: Some(kind), code: Some(code), incomplete, id, seq, extra, mtu } =
            self.icmp
        else {
            return Transport::Absent;
        };
        let inner = inner.map(Box::new);
        let echo = id.zip(seq);
        Transport::Icmp(Box::new(Icmp { kind, code, incomplete, echo, extra, mtu, inner }))
    }

    fn with_ports(self, sport: u16, dport: u16) -> Transport {
        match self.protocol {
            Some(Protocol::TCP) => {
                let seq_ack = self.seq.zip(self.ack);
                if seq_ack.is_none() && self.window.is_none() && self.tcp_flags == 0 {
                    return Transport::Ports { sport, dport };
                }
                Transport::Tcp(Tcp {
                    sport,
                    dport,
                    seq_ack,
                    window: self.window.unwrap_or(0),
                    reserved: self.reserved.unwrap_or(0),
                    flags: TcpFlags(self.tcp_flags),
                    urgent: self.urgent.unwrap_or(0),
                    options: self.tcp_options,
                })
            }
            Some(Protocol::UDP | Protocol::UDPLITE) => {
                Transport::Udp { sport, dport, length: self.transport_length }
            }
            _ => Transport::Ports { sport, dport },
        }
    }
}

/// An ARP body under construction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ArpDraft {
    hardware: Option<u16>,
    protocol: Option<u16>,
    operation: Option<u16>,
    sender_mac: Option<Mac>,
    sender_ip: Option<std::net::Ipv4Addr>,
    target_mac: Option<Mac>,
    target_ip: Option<std::net::Ipv4Addr>,
    incomplete: bool,
    incomplete_bytes: Option<u32>,
}

impl ArpDraft {
    /// Uses one `KEY=value`; `false` when it fits nowhere.
    pub(super) fn field(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key {
            b"HTYPE" => set(&mut self.hardware, decimal(value)),
            b"PTYPE" => set(
                &mut self.protocol,
                hex_value(without_0x(value)).and_then(|value| u16::try_from(value).ok()),
            ),
            b"OPCODE" => set(&mut self.operation, decimal(value)),
            b"MACSRC" => set(&mut self.sender_mac, mac(value)),
            b"IPSRC" => set(&mut self.sender_ip, ipv4(value)),
            b"MACDST" => set(&mut self.target_mac, mac(value)),
            b"IPDST" => set(&mut self.target_ip, ipv4(value)),
            _ => false,
        }
    }

    pub(super) fn incomplete(&mut self, bytes: Option<u32>) -> bool {
        self.incomplete = true;
        self.incomplete_bytes = bytes;
        true
    }

    /// Whether the kernel would have printed more of this body.
    pub(super) fn ends_early(self) -> bool {
        let some_addresses = self.sender_mac.is_some();
        self.operation.is_none() || some_addresses && self.target_ip.is_none()
    }

    pub(super) fn into_arp(self) -> Option<Arp> {
        let addresses = match (self.sender_mac, self.sender_ip, self.target_mac, self.target_ip) {
            (Some(sender_mac), Some(sender_ip), Some(target_mac), Some(target_ip)) => {
                Some(ArpAddresses { sender_mac, sender_ip, target_mac, target_ip })
            }
            _ => None,
        };
        Some(Arp {
            hardware: self.hardware?,
            protocol: self.protocol?,
            operation: self.operation?,
            addresses,
            incomplete: self.incomplete,
            incomplete_bytes: self.incomplete_bytes,
        })
    }
}

fn address(value: &[u8]) -> Option<IpAddr> {
    match ipv4(value) {
        Some(address) => Some(address.into()),
        None => std::str::from_utf8(value).ok()?.parse().ok(),
    }
}

fn hex8(value: &[u8]) -> Option<u8> {
    u8::try_from(hex_value(without_0x(value))?).ok()
}

/// `0x10`, or two hexadecimal digits (ulogd), or decimal in any other width.
fn tos(value: &[u8]) -> Option<u8> {
    if value.len() == 2 || value.starts_with(b"0x") { hex8(value) } else { decimal(value) }
}

/// The protocols that producers print by name, and the numbers of all.
fn protocol(value: &[u8]) -> Option<Protocol> {
    if let Some(number) = decimal(value) {
        return Some(Protocol(number));
    }
    NAMES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(value))
        .map(|&(_, number)| Protocol(number))
}

/// Names from the protocol numbers registry that firewalls are known to print.
const NAMES: &[(&[u8], u8)] = &[
    (b"TCP", 6),
    (b"UDP", 17),
    (b"ICMP", 1),
    (b"ICMPv6", 58),
    (b"IPv6-ICMP", 58),
    (b"ICMP6", 58),
    (b"UDPLITE", 136),
    (b"AH", 51),
    (b"ESP", 50),
    (b"IGMP", 2),
    (b"IPIP", 4),
    (b"IPENCAP", 4),
    (b"EGP", 8),
    (b"DCCP", 33),
    (b"IPv6", 41),
    (b"RSVP", 46),
    (b"GRE", 47),
    (b"EIGRP", 88),
    (b"OSPF", 89),
    (b"OSPFIGP", 89),
    (b"PIM", 103),
    (b"IPCOMP", 108),
    (b"VRRP", 112),
    (b"L2TP", 115),
    (b"SCTP", 132),
    (b"MH", 135),
];
