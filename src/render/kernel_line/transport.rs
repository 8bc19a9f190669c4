//! What follows `PROTO=`.

use std::io::Write;

use crate::model::{Icmp, IcmpExtra, Tcp, TcpFlags, TcpOptions, Transport};
use crate::render::kernel_line::Line;
use crate::render::kernel_line::written::Address;

impl Line {
    pub(super) fn transport(&mut self, transport: &Transport) {
        match transport {
            Transport::Absent => {}
            Transport::Incomplete(bytes) => {
                put!(self, "INCOMPLETE [{} bytes] ", bytes.unwrap_or(0));
            }
            Transport::Tcp(tcp) => self.tcp(tcp),
            Transport::Udp { sport, dport, length } => {
                put!(self, "SPT={sport} DPT={dport} ");
                self.number("LEN", *length);
            }
            Transport::Ports { sport, dport } => {
                put!(self, "SPT={sport} DPT={dport} ");
            }
            Transport::Icmp(icmp) => self.icmp(icmp),
            Transport::Spi(spi) => {
                put!(self, "SPI=0x{spi:x} ");
            }
        }
    }

    fn tcp(&mut self, tcp: &Tcp) {
        put!(self, "SPT={} DPT={} ", tcp.sport, tcp.dport);
        if let Some((seq, ack)) = tcp.seq_ack {
            put!(self, "SEQ={seq} ACK={ack} ");
        }
        put!(self, "WINDOW={} RES=0x{:02x} ", tcp.window, tcp.reserved);
        for (bit, name) in TcpFlags::NAMES {
            if tcp.flags.has(bit) {
                put!(self, "{name} ");
            }
        }
        put!(self, "URGP={} ", tcp.urgent);
        match &tcp.options {
            TcpOptions::Absent => {}
            TcpOptions::Bytes(options) => self.options(Some(options)),
            TcpOptions::Truncated => self.bytes(b"OPT (TRUNCATED)"),
        }
    }

    fn icmp(&mut self, icmp: &Icmp) {
        put!(self, "TYPE={} CODE={} ", icmp.kind, icmp.code);
        if let Some(bytes) = icmp.incomplete {
            put!(self, "INCOMPLETE [{bytes} bytes] ");
        }
        if let Some((id, seq)) = icmp.echo {
            put!(self, "ID={id} SEQ={seq} ");
        }
        match icmp.extra {
            None => {}
            Some(IcmpExtra::Parameter(value)) => {
                put!(self, "PARAMETER={value} ");
            }
            Some(IcmpExtra::Gateway(address)) => {
                put!(self, "GATEWAY={} ", Address(address));
            }
            Some(IcmpExtra::Pointer(value)) => {
                put!(self, "POINTER={value:08x} ");
            }
        }
        if let Some(inner) = &icmp.inner {
            self.bytes(b"[");
            self.ip(inner);
            self.bytes(b"] ");
        }
        self.number("MTU", icmp.mtu);
    }
}
