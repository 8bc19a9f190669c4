//! An IP packet half read: its fields are gathered in any order until the line is over.

use std::net::IpAddr;

use crate::model::{Fragment, Ip, IpFlags, Protocol};
use crate::parse::cursor::{decimal, hex_bytes, hex_value};
use crate::parse::ordered;
use crate::parse::tolerant::set;
use crate::parse::tolerant::transport::{Inner, TransportDraft};
use crate::parse::tolerant::values::{address, hex32, protocol, tos};

/// An IP packet under construction.
#[derive(Debug, Default)]
pub(super) struct PacketDraft {
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
    fragment: FragmentDraft,
    options: Option<Box<[u8]>>,
    extensions: ExtensionDraft,
    truncated: bool,
    protocol: Option<Protocol>,
    /// The protocol was printed by its name, so its fields are due.
    named: bool,
    transport: TransportDraft,
}

#[derive(Debug, Default)]
struct FragmentDraft {
    offset: Option<u32>,
    more: bool,
    id: Option<u32>,
}

/// IPv6 extension headers.
#[derive(Debug, Default)]
struct ExtensionDraft {
    count: u8,
    in_group: bool,
    /// The chain ended in an extension header; no protocol is due.
    ended: bool,
    ah_spi: Option<u32>,
    unknown: UnknownExtension,
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

impl PacketDraft {
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
                // The whole byte: no precedence will follow.
                self.kernel_style = true;
                let whole = decimal(value);
                self.precedence = whole;
                set(&mut self.tos, whole)
            }
            b"TTL" | b"HOPLIMIT" => set(&mut self.ttl, decimal(value)),
            b"FLOWLBL" => set(&mut self.flow_label, decimal(value)),
            b"ID" | b"SEQ" if self.is_icmp() => self.transport.echo_field(key, value),
            b"ID" => set(&mut self.id, decimal(value)),
            b"PROTO" => self.take_protocol(value),
            b"SPI" if self.extensions.in_group && self.protocol.is_none() => {
                set(&mut self.extensions.ah_spi, hex32(value))
            }
            _ => self.transport.field(key, value),
        }
    }

    /// `LEN` is the packet's before `PROTO=` and UDP's after it.
    fn take_length(&mut self, value: &[u8]) -> bool {
        let behind_protocol = self.protocol.is_some() || self.transport.has_ports();
        let of_transport = behind_protocol && self.protocol != Some(Protocol::TCP);
        of_transport && self.transport.take_length(value) || set(&mut self.length, decimal(value))
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
            b"TRUNCATED" if self.transport.is_at_options() => {
                return self.transport.take_options(None);
            }
            b"TRUNCATED" => self.truncated = true,
            b"AH" if self.extensions.in_group => {}
            b"ESP" if self.extensions.in_group => self.protocol = Some(Protocol::ESP),
            _ => {
                return self.fragment.take(word, &mut self.truncated)
                    || matches!(self.protocol, None | Some(Protocol::TCP))
                        && self.transport.take_flag(word)
                    || self.extension_word(word);
            }
        }
        true
    }

    fn extension_word(&mut self, word: &[u8]) -> bool {
        let next = match (self.extensions.unknown, word) {
            (UnknownExtension::NotSeen, b"Unknown") => UnknownExtension::Unknown,
            (UnknownExtension::Unknown, b"Ext") => UnknownExtension::Ext,
            (UnknownExtension::Ext, b"Hdr") => UnknownExtension::Hdr,
            (UnknownExtension::Hdr, number) => {
                self.truncated = true;
                self.extensions.unknown = UnknownExtension::NotSeen;
                return set(&mut self.protocol, decimal(number).map(Protocol));
            }
            _ => return false,
        };
        self.extensions.unknown = next;
        true
    }

    /// `OPT (…)`: TCP options once the ports stand, IP options before them.
    pub(super) fn options(&mut self, text: &[u8]) -> bool {
        if text == b"TRUNCATED" {
            return self.transport.take_options(None);
        }
        match hex_bytes(text) {
            None => false,
            bytes if self.transport.has_ports() => self.transport.take_options(bytes),
            bytes => set(&mut self.options, bytes),
        }
    }

    /// `OPT ( ` of an IPv6 extension header. In IPv4 it is a run of options that was cut.
    pub(super) fn open_group(&mut self) -> bool {
        let extension = matches!(self.src, Some(IpAddr::V6(_))) && !self.transport.has_ports();
        if extension {
            self.extensions.count = self.extensions.count.saturating_add(1);
            self.extensions.in_group = true;
        }
        extension
    }

    /// `)` behind an extension header.
    pub(super) fn close_group(&mut self) -> bool {
        let was_open = self.extensions.in_group;
        self.extensions.in_group = false;
        self.extensions.ended |= was_open && (self.protocol.is_some() || self.fragment.is_later());
        was_open
    }

    /// `INCOMPLETE`, which behind an IPv6 fragment offset means "more follow".
    pub(super) fn incomplete(&mut self, bytes: Option<u32>) -> bool {
        if let Some(bytes) = bytes {
            self.transport.take_incomplete(bytes);
            return true;
        }
        let of_fragment = self.fragment.offset.is_some();
        self.fragment.more |= of_fragment;
        of_fragment
    }

    fn is_icmp(&self) -> bool {
        self.protocol.is_some_and(Protocol::is_icmp)
    }

    /// Whether the kernel would have printed more of this packet.
    pub(super) fn ends_early(&self, has_inner: bool) -> bool {
        if !self.has_both_addresses() {
            return true;
        }
        if self.truncated || self.extensions.ended {
            return false;
        }
        if self.extensions.in_group {
            return true;
        }
        if self.fragment.is_later() {
            return self.ttl.is_none();
        }
        let inner = match (has_inner, self.kernel_style) {
            (true, _) => Inner::Seen,
            (false, true) => Inner::Due,
            (false, false) => Inner::NotDue,
        };
        match self.protocol {
            None => true,
            Some(protocol) => self.named && self.transport.ends_early(protocol, inner),
        }
    }

    /// `TOS | PREC`. `TOS` at the end of a cut line is half of the byte.
    fn whole_tos(&self) -> Option<u8> {
        match (self.tos, self.precedence) {
            (Some(tos), Some(precedence)) => Some(tos | precedence),
            (tos, None) if self.ttl.is_some() => tos,
            (_, precedence) => precedence,
        }
    }

    /// The packet, when both addresses are known.
    pub(super) fn into_ip(self, inner: Option<Ip>) -> Option<Ip> {
        let (src, dst) = (self.src?, self.dst?);
        let tos = self.whole_tos();
        let fragment = self.fragment.into_fragment(src, IpFlags(self.flags));
        Some(Ip {
            length: self.length,
            tos,
            ttl: self.ttl,
            id: self.id,
            flow_label: self.flow_label,
            flags: IpFlags(self.flags),
            fragment,
            options: self.options,
            extension_headers: self.extensions.count,
            ah_spi: self.extensions.ah_spi,
            truncated: self.truncated,
            protocol: self.protocol,
            transport: self.transport.into_transport(self.protocol, inner),
            ..ordered::bare_packet(src, dst)
        })
    }
}

impl FragmentDraft {
    /// `FRAG:185`, and `ID:00001234` of an IPv6 fragment.
    fn take(&mut self, word: &[u8], truncated: &mut bool) -> bool {
        if word == b"FRAG:TRUNCATED" {
            *truncated = true;
            return true;
        }
        if let Some(offset) = word.strip_prefix(b"FRAG:") {
            return set(&mut self.offset, decimal(offset));
        }
        match word.strip_prefix(b"ID:") {
            Some(id) => set(&mut self.id, hex_value(id)),
            None => false,
        }
    }

    fn is_later(&self) -> bool {
        self.offset.is_some_and(|offset| offset > 0)
    }

    /// IPv4 counts units of eight bytes, IPv6 counts bytes.
    fn into_fragment(self, src: IpAddr, flags: IpFlags) -> Option<Fragment> {
        let unit = if src.is_ipv4() { 8 } else { 1 };
        let more = self.more || flags.has(IpFlags::MF);
        if self.offset.is_none() && !more {
            return None;
        }
        let offset = self.offset.unwrap_or(0).saturating_mul(unit);
        Some(Fragment { offset, more, id: self.id })
    }
}
