//! What follows `PROTO=`, half read.

use crate::model::{Icmp, IcmpExtra, Ip, Protocol, Tcp, TcpFlags, TcpOptions, Transport};
use crate::parse::cursor::decimal;
use crate::parse::tolerant::set;
use crate::parse::tolerant::values::{address, hex8, hex32};

/// A transport header under construction.
#[derive(Debug, Default)]
pub(super) struct TransportDraft {
    incomplete: Option<u32>,
    sport: Option<u16>,
    dport: Option<u16>,
    /// UDP's own length.
    length: Option<u16>,
    seq: Option<u32>,
    ack: Option<u32>,
    window: Option<u16>,
    reserved: Option<u8>,
    flags: u16,
    urgent: Option<u16>,
    options: TcpOptions,
    icmp: IcmpDraft,
    spi: Option<u32>,
}

#[derive(Debug, Default)]
struct IcmpDraft {
    kind: Option<u8>,
    code: Option<u8>,
    incomplete: Option<u32>,
    id: Option<u16>,
    seq: Option<u16>,
    extra: Option<IcmpExtra>,
    mtu: Option<u32>,
}

impl TransportDraft {
    pub(super) fn has_ports(&self) -> bool {
        self.sport.is_some()
    }

    /// Uses one `KEY=value` whose meaning needs no context; `false` when it fits nowhere.
    pub(super) fn field(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key {
            b"SPT" => set(&mut self.sport, decimal(value)),
            b"DPT" => set(&mut self.dport, decimal(value)),
            b"SEQ" => set(&mut self.seq, decimal(value)),
            b"ACK" => set(&mut self.ack, decimal(value)),
            b"WINDOW" => set(&mut self.window, decimal(value)),
            b"RES" => set(&mut self.reserved, hex8(value)),
            b"URGP" => set(&mut self.urgent, decimal(value)),
            b"SPI" if value.starts_with(b"0x") => set(&mut self.spi, hex32(value)),
            _ => self.icmp.field(key, value),
        }
    }

    /// `ID=` and `SEQ=` behind `PROTO=ICMP`.
    pub(super) fn echo_field(&mut self, key: &[u8], value: &[u8]) -> bool {
        let place = if key == b"ID" { &mut self.icmp.id } else { &mut self.icmp.seq };
        set(place, decimal(value))
    }

    /// The second `LEN=`.
    pub(super) fn take_length(&mut self, value: &[u8]) -> bool {
        set(&mut self.length, decimal(value))
    }

    /// A TCP flag.
    pub(super) fn take_flag(&mut self, word: &[u8]) -> bool {
        let flag = TcpFlags::NAMES.iter().find(|(_, name)| name.as_bytes() == word);
        self.flags |= flag.map_or(0, |(bit, _)| *bit);
        flag.is_some()
    }

    /// `OPT (…)` behind the ports; `None` when it could not be read.
    pub(super) fn take_options(&mut self, bytes: Option<Box<[u8]>>) -> bool {
        let free = self.options == TcpOptions::Absent;
        if free {
            self.options = bytes.map_or(TcpOptions::Truncated, TcpOptions::Bytes);
        }
        free
    }

    /// Whether a word `TRUNCATED` belongs to the TCP options.
    pub(super) fn is_at_options(&self) -> bool {
        self.urgent.is_some()
    }

    /// `INCOMPLETE [n bytes]`, in place of the header or behind ICMP's type and code.
    pub(super) fn take_incomplete(&mut self, bytes: u32) {
        if self.icmp.code.is_some() {
            self.icmp.incomplete = Some(bytes);
        } else {
            self.incomplete = Some(bytes);
        }
    }

    /// Whether the kernel would have printed more behind the name of `protocol`.
    pub(super) fn ends_early(&self, protocol: Protocol, inner: Inner) -> bool {
        if self.incomplete.is_some() {
            return false;
        }
        match protocol {
            Protocol::TCP => self.tcp_ends_early(),
            Protocol::UDP | Protocol::UDPLITE => self.length.is_none(),
            Protocol::AH | Protocol::ESP => self.spi.is_none(),
            Protocol::ICMP => self.icmp.ends_early(&[0, 8], &[3, 4, 5, 11], inner),
            Protocol::ICMPV6 => self.icmp.ends_early(&[128, 129], &[1, 2, 3, 4], inner),
            _ => false,
        }
    }

    /// Producers other than the kernel leave out `RES=` and `URGP=`; the kernel never does.
    fn tcp_ends_early(&self) -> bool {
        let behind_window = self.flags != 0 || self.urgent.is_some();
        self.dport.is_none()
            || !(self.window.is_some() || behind_window)
            || self.urgent.is_none() && (self.reserved.is_some() || !behind_window)
    }

    pub(super) fn into_transport(self, protocol: Option<Protocol>, inner: Option<Ip>) -> Transport {
        if let (Some(sport), Some(dport)) = (self.sport, self.dport) {
            return self.with_ports(protocol, sport, dport);
        }
        if let Some(bytes) = self.incomplete {
            return Transport::Incomplete(Some(bytes));
        }
        if let Some(spi) = self.spi {
            return Transport::Spi(spi);
        }
        self.icmp.into_transport(inner)
    }

    fn with_ports(self, protocol: Option<Protocol>, sport: u16, dport: u16) -> Transport {
        match protocol {
            Some(Protocol::TCP) => self.into_tcp(sport, dport),
            Some(Protocol::UDP | Protocol::UDPLITE) => {
                Transport::Udp { sport, dport, length: self.length }
            }
            _ => Transport::Ports { sport, dport },
        }
    }

    /// A TCP header of which only the ports are known is no more than its ports.
    fn into_tcp(self, sport: u16, dport: u16) -> Transport {
        let seq_ack = self.seq.zip(self.ack);
        if seq_ack.is_none() && self.window.is_none() && self.flags == 0 {
            return Transport::Ports { sport, dport };
        }
        Transport::Tcp(Tcp {
            sport,
            dport,
            seq_ack,
            window: self.window.unwrap_or(0),
            reserved: self.reserved.unwrap_or(0),
            flags: TcpFlags(self.flags),
            urgent: self.urgent.unwrap_or(0),
            options: self.options,
        })
    }
}

/// What is known of the packet in an ICMP error's brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inner {
    /// It is there.
    Seen,
    /// It is not there, and the producer would have printed it.
    Due,
    /// It is not there: inside of brackets, or of a producer that prints none.
    NotDue,
}

impl IcmpDraft {
    fn field(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key {
            b"TYPE" => set(&mut self.kind, decimal(value)),
            b"CODE" => set(&mut self.code, decimal(value)),
            b"PARAMETER" => set(&mut self.extra, decimal(value).map(IcmpExtra::Parameter)),
            b"GATEWAY" => set(&mut self.extra, address(value).map(IcmpExtra::Gateway)),
            b"POINTER" => set(&mut self.extra, hex32(value).map(IcmpExtra::Pointer)),
            b"MTU" => set(&mut self.mtu, decimal(value)),
            _ => false,
        }
    }

    fn ends_early(&self, echoes: &[u8], errors: &[u8], inner: Inner) -> bool {
        let (Some(kind), Some(_)) = (self.kind, self.code) else { return true };
        if self.incomplete.is_some() {
            return false;
        }
        echoes.contains(&kind) && self.seq.is_none()
            || errors.contains(&kind) && inner == Inner::Due
            || kind == 12 && self.extra.is_none() && echoes.contains(&8)
    }

    fn into_transport(self, inner: Option<Ip>) -> Transport {
        let (Some(kind), Some(code)) = (self.kind, self.code) else { return Transport::Absent };
        Transport::Icmp(Box::new(Icmp {
            kind,
            code,
            incomplete: self.incomplete,
            echo: self.id.zip(self.seq),
            extra: self.extra,
            mtu: self.mtu,
            inner: inner.map(Box::new),
        }))
    }
}
