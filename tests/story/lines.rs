//! Kernel lines made by hand, for ways that no sample log has.

use std::fmt::Write;

/// A packet that walks by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walker<'a> {
    pub(super) src: &'a str,
    pub(super) dst: &'a str,
    pub(super) sport: u16,
    pub(super) dport: u16,
    pub(super) ttl: u8,
    pub(super) id: u16,
    /// `SYN`, `ACK SYN`.
    pub(super) flags: &'a str,
    pub(super) mark: u32,
}

impl Default for Walker<'_> {
    fn default() -> Self {
        Self {
            src: "10.1.1.1",
            dst: "10.2.2.2",
            sport: 40_000,
            dport: 80,
            ttl: 64,
            id: 7_001,
            flags: "SYN",
            mark: 0,
        }
    }
}

/// A log as it grows.
#[derive(Default)]
pub(super) struct Log {
    pub(super) text: String,
    us: u64,
}

impl Log {
    /// A TRACE line: `filter:FORWARD:rule:2`, `IN=eth0 OUT=eth1`.
    pub(super) fn trace(&mut self, site: &str, devices: &str, packet: Walker<'_>) -> &mut Self {
        self.line(&format!("TRACE: {site} "), devices, packet)
    }

    /// A LOG line.
    pub(super) fn line(&mut self, prefix: &str, devices: &str, packet: Walker<'_>) -> &mut Self {
        let Walker { src, dst, sport, dport, ttl, id, flags, mark } = packet;
        let mark = if mark == 0 { String::new() } else { format!("MARK=0x{mark:x} ") };
        let rest = if src.contains(':') {
            format!("SRC={} DST={} LEN=80 TC=0 HOPLIMIT={ttl} FLOWLBL={id} ", long(src), long(dst))
        } else {
            format!("SRC={src} DST={dst} LEN=60 TOS=0x00 PREC=0x00 TTL={ttl} ID={id} DF ")
        };
        self.raw(&format!(
            "{prefix}{devices} {rest}PROTO=TCP SPT={sport} DPT={dport} SEQ={} ACK=0 WINDOW=64240 RES=0x00 \
             {flags} URGP=0 {mark}",
            u32::from(id) * 1_000
        ))
    }

    /// Any text, as the kernel's own record.
    pub(super) fn raw(&mut self, text: &str) -> &mut Self {
        self.us += 9;
        let seq = self.us / 9 + 100;
        writeln!(self.text, "4,{seq},{},-;{text}", 1_000_000_000 + self.us).unwrap();
        self
    }
}

/// An IPv6 address as the kernel's log has it.
fn long(addr: &str) -> String {
    let addr: std::net::Ipv6Addr = addr.parse().unwrap();
    addr.segments().map(|segment| format!("{segment:04x}")).join(":")
}
