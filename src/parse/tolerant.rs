//! The tolerant way: fields in any order, unknown words between them, an early end.
//!
//! What other kernels, vendors and tools print, in the same words:
//!
//! ```text
//! IN=eth0 OUT= MAC=… TAG=5 SRC=192.0.2.1 DST=192.0.2.2 LEN=40 TOS=00 PREC=0x00 TTL=64 ID=7 PROTO=TCP SPT=1 DPT=2 WINDOW=9 SYN
//! OUT=vmbr0 SRC=2001:db8::1 DST=2001:db8::2 LEN=40 TC=0 FLOWLBL=6 HOPLIMIT=64 PROTO=UDP SPT=1 DPT=2 LEN=8
//! ```
//!
//! A key that occurs twice is told apart by its place: `LEN`, `ID` and `SEQ`
//! before and after `PROTO=`, `MACSRC` before and after `ARP`, and all of
//! them inside the brackets of an ICMP error.

use crate::model::{Header, IfName, LinkHeader, Mac, Network, Vlan};
use crate::parse::cursor::{decimal, hex_bytes, hex_value};
use crate::parse::draft::{ArpDraft, IpDraft};
use crate::parse::ordered;
use crate::parse::words::{Word, Words};

/// Reads a line from its first field on. Never fails; an empty header is one that says nothing.
pub(super) fn header(tail: &[u8]) -> Header {
    let first = Reading::of(tail, Last::Kept);
    if !first.ends_early() {
        return first.into_header();
    }
    let mut header = match first.doubtful_end {
        // The last value may have been longer: it would be a lie to show it.
        true => Reading::of(tail, Last::Doubted).into_header(),
        false => first.into_header(),
    };
    header.cut = true;
    header
}

/// Where the first word stands that no field of this line can be.
pub(super) fn first_foreign_word(tail: &[u8]) -> Option<usize> {
    let mut reading = Reading::default();
    let mut words = Words::new(tail);
    loop {
        let start = words.offset();
        let word = words.next()?;
        if !reading.take(word) {
            let blanks = tail.get(start..)?.iter().take_while(|b| b.is_ascii_whitespace()).count();
            return Some(start + blanks);
        }
    }
}

/// Whether a text begins with `SRC=` and `DST=` and an address behind each.
pub(super) fn begins_with_addresses(text: &[u8]) -> bool {
    let mut draft = IpDraft::default();
    let fields = Words::new(text).take(2).all(|word| match word {
        Word::Field(key, value) => draft.field(key, value),
        _ => false,
    });
    fields && draft.has_both_addresses()
}

/// What to do with a last value that has no blank behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Kept,
    Doubted,
}

#[derive(Default)]
struct Reading {
    header: Header,
    mac_source: Option<Mac>,
    mac_target: Option<Mac>,
    vlan_protocol: Option<u16>,
    vlan_tci: Option<u16>,
    mac_protocol: Option<u16>,
    ip: IpDraft,
    inner: Option<IpDraft>,
    in_brackets: bool,
    arp: Option<ArpDraft>,
    user: Option<u32>,
    group: Option<u32>,
    truncated: bool,
    unknown: Vec<u8>,
    /// A field name without its value, or half a field name, at the very end.
    broken_end: bool,
    /// The last value touches the line's end and could have been longer.
    doubtful_end: bool,
}

impl Reading {
    fn of(tail: &[u8], last: Last) -> Self {
        let mut reading = Self::default();
        let mut words = Words::new(tail);
        while let Some(word) = words.next() {
            let touches_end = words.touches_end();
            if touches_end && last == Last::Doubted && could_be_longer(word) {
                break;
            }
            let known = reading.take(word);
            if touches_end {
                reading.doubtful_end = known && could_be_longer(word);
            }
            if !known && touches_end && is_half_a_word(word) {
                reading.broken_end = true;
            } else if !known {
                reading.keep_unknown(word);
            }
        }
        reading
    }

    /// Uses one word; `false` when it fits nowhere.
    fn take(&mut self, word: Word<'_>) -> bool {
        match word {
            Word::OpenInner if self.inner.is_none() && !self.in_brackets => {
                self.inner = Some(IpDraft::default());
                self.in_brackets = true;
                true
            }
            Word::CloseInner if self.in_brackets => {
                self.in_brackets = false;
                true
            }
            Word::Field(key, value) => self.field(key, value),
            Word::Bare(word) => self.bare(word),
            Word::Incomplete(bytes) => self.incomplete(bytes),
            Word::Options(text) => self.packet().take_options(text),
            Word::OpenOptions => self.packet().open_group(),
            Word::CloseGroup => self.packet().close_group(),
            Word::OpenInner | Word::CloseInner => false,
        }
    }

    fn packet(&mut self) -> &mut IpDraft {
        match (&mut self.inner, self.in_brackets) {
            (Some(inner), true) => inner,
            _ => &mut self.ip,
        }
    }

    fn field(&mut self, key: &[u8], value: &[u8]) -> bool {
        if self.in_brackets {
            return self.packet().field(key, value);
        }
        self.device(key, value)
            || self.link(key, value)
            || self.owner(key, value)
            || self.arp.as_mut().is_some_and(|arp| arp.field(key, value))
            || self.ip.field(key, value)
    }

    fn device(&mut self, key: &[u8], value: &[u8]) -> bool {
        let devices = &mut self.header.devices;
        let place = match key {
            b"IN" => &mut devices.input,
            b"OUT" => &mut devices.output,
            b"PHYSIN" => &mut devices.physin,
            b"PHYSOUT" => &mut devices.physout,
            _ => return false,
        };
        if value.is_empty() {
            return true;
        }
        set(place, IfName::new(value))
    }

    fn link(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key {
            b"MAC" if self.header.link == LinkHeader::Absent => match octets(value) {
                Some(link) => self.header.link = link,
                None => return false,
            },
            b"MACSRC" if self.arp.is_none() => return set(&mut self.mac_source, mac(value)),
            b"MACDST" if self.arp.is_none() => return set(&mut self.mac_target, mac(value)),
            b"MACPROTO" => return set(&mut self.mac_protocol, hex16(value)),
            b"VPROTO" => return set(&mut self.vlan_protocol, hex16(value)),
            b"VID" => return set(&mut self.vlan_tci, decimal(value)),
            b"TUNNEL" => return set(&mut self.header.tunnel, ordered::tunnel(value)),
            b"HTYPE" => return self.arp.get_or_insert_default().field(key, value),
            _ => return false,
        }
        true
    }

    fn owner(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key {
            b"UID" => set(&mut self.user, decimal(value)),
            b"GID" => set(&mut self.group, decimal(value)),
            b"MARK" => set(&mut self.header.mark, hex_value(without_0x(value))),
            _ => false,
        }
    }

    fn bare(&mut self, word: &[u8]) -> bool {
        match word {
            b"ARP" if !self.in_brackets && !self.ip.has_addresses() => {
                self.arp.get_or_insert_default();
                true
            }
            b"TRUNCATED" if !self.in_brackets && !self.ip.has_addresses() => {
                self.truncated = true;
                true
            }
            _ => self.packet().bare(word),
        }
    }

    fn incomplete(&mut self, bytes: Option<u32>) -> bool {
        match &mut self.arp {
            Some(arp) => arp.incomplete(bytes),
            None => self.packet().incomplete(bytes),
        }
    }

    fn keep_unknown(&mut self, word: Word<'_>) {
        let parts: [&[u8]; 3] = match word {
            Word::Field(key, value) => [key, b"=", value],
            Word::Bare(word) => [word, b"", b""],
            Word::Options(text) => [b"OPT (", text, b")"],
            Word::OpenOptions => [b"OPT (", b"", b""],
            Word::CloseGroup => [b")", b"", b""],
            Word::Incomplete(_) => [b"INCOMPLETE", b"", b""],
            Word::OpenInner => [b"[", b"", b""],
            Word::CloseInner => [b"]", b"", b""],
        };
        if !self.unknown.is_empty() {
            self.unknown.push(b' ');
        }
        for part in parts {
            self.unknown.extend_from_slice(part);
        }
    }

    /// Whether the kernel would have printed more.
    fn ends_early(&self) -> bool {
        if self.broken_end || self.in_brackets {
            return true;
        }
        if let Some(arp) = &self.arp {
            return arp.ends_early();
        }
        if self.ip.has_any() {
            return self.ip.ends_early(self.inner.is_some());
        }
        let ethertype = self.mac_protocol.or_else(|| self.header.link.ethertype());
        let half_decoded = self.mac_source.is_some() && self.mac_protocol.is_none();
        !self.truncated
            && (half_decoded || matches!(ethertype, Some(0x0800 | 0x86dd | 0x0806 | 0x8035)))
    }

    fn into_header(mut self) -> Header {
        let inner = self.inner.take().and_then(|inner| inner.into_ip(None));
        let mut header = self.header;
        if let (Some(src), Some(dst)) = (self.mac_source, self.mac_target) {
            let vlan = match (self.vlan_protocol, self.vlan_tci) {
                (Some(protocol), Some(tci)) => Some(Vlan { protocol, tci }),
                _ => None,
            };
            header.link = LinkHeader::Decoded { src, dst, vlan, ethertype: self.mac_protocol };
        }
        header.owner = self.user.zip(self.group);
        if let (Some(user), None) = (self.user, self.group) {
            // Kernels before 2.6.14 printed the user alone.
            self.unknown.extend_from_slice(format!(" UID={user}").as_bytes());
        }
        header.mark = header.mark.filter(|&mark| mark != 0);
        header.network = match (self.arp.and_then(ArpDraft::into_arp), self.ip.into_ip(inner)) {
            (Some(arp), _) => Network::Arp(arp),
            (None, Some(ip)) => Network::Ip(Box::new(ip)),
            (None, None) if self.truncated => Network::Truncated,
            (None, None) => Network::Absent,
        };
        let unknown = self.unknown.trim_ascii();
        header.unknown = (!unknown.is_empty()).then(|| unknown.into());
        header
    }
}

/// Fills an empty place; `false` when it was full or there is nothing to fill it with.
pub(super) fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    if place.is_some() || value.is_none() {
        return false;
    }
    *place = value;
    true
}

/// Drops the `0x` that some producers leave out.
pub(super) fn without_0x(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"0x").or_else(|| value.strip_prefix(b"0X")).unwrap_or(value)
}

fn hex16(value: &[u8]) -> Option<u16> {
    u16::try_from(hex_value(without_0x(value))?).ok()
}

/// Octets joined by colons or dashes; a leading zero may be missing.
fn octets(text: &[u8]) -> Option<LinkHeader> {
    if text.is_empty() {
        return Some(LinkHeader::Octets(Box::default()));
    }
    let octets: Option<Box<[u8]>> = text.split(|&b| b == b':' || b == b'-').map(octet).collect();
    let octets = octets?;
    match <&[u8; 14]>::try_from(&*octets) {
        Ok(header) => ordered::ethernet(header),
        Err(_) => Some(LinkHeader::Octets(octets)),
    }
}

fn octet(text: &[u8]) -> Option<u8> {
    match text {
        [_] => hex_value(text).and_then(|value| u8::try_from(value).ok()),
        _ => hex_bytes(text).and_then(|bytes| match *bytes {
            [byte] => Some(byte),
            _ => None,
        }),
    }
}

/// A hardware address of six octets, written in the same ways.
pub(super) fn mac(text: &[u8]) -> Option<Mac> {
    match octets(text)? {
        LinkHeader::Octets(octets) => Some(Mac(<[u8; 6]>::try_from(&*octets).ok()?)),
        _ => None,
    }
}

/// Whether a value at the very end is better left out of a line that ends early.
///
/// Addresses and ports are kept: lines are far more often shortened between
/// two fields by hand than in the middle of a number by a full buffer.
fn could_be_longer(word: Word<'_>) -> bool {
    match word {
        Word::Field(key, _) => !matches!(key, b"SRC" | b"DST" | b"SPT" | b"DPT"),
        Word::Bare(word) => word.contains(&b':'),
        _ => false,
    }
}

/// Whether a last, unusable word is the beginning of a known one.
fn is_half_a_word(word: Word<'_>) -> bool {
    match word {
        Word::Field(key, _) => KEYWORDS.contains(&key),
        Word::Bare(word) => KEYWORDS.iter().any(|known| known.starts_with(word)),
        Word::OpenOptions | Word::OpenInner | Word::Incomplete(None) => true,
        _ => false,
    }
}

/// Every word with which a field can begin.
const KEYWORDS: &[&[u8]] = &[
    b"IN",
    b"OUT",
    b"PHYSIN",
    b"PHYSOUT",
    b"MAC",
    b"MACSRC",
    b"MACDST",
    b"MACPROTO",
    b"VPROTO",
    b"VID",
    b"TUNNEL",
    b"SRC",
    b"DST",
    b"LEN",
    b"TOS",
    b"PREC",
    b"TTL",
    b"ID",
    b"CE",
    b"DF",
    b"MF",
    b"FRAG:",
    b"OPT",
    b"TRUNCATED",
    b"TC",
    b"HOPLIMIT",
    b"FLOWLBL",
    b"Unknown",
    b"PROTO",
    b"SPT",
    b"DPT",
    b"SEQ",
    b"ACK",
    b"WINDOW",
    b"RES",
    b"AE",
    b"CWR",
    b"ECE",
    b"URG",
    b"PSH",
    b"RST",
    b"SYN",
    b"FIN",
    b"URGP",
    b"TYPE",
    b"CODE",
    b"PARAMETER",
    b"GATEWAY",
    b"POINTER",
    b"MTU",
    b"INCOMPLETE",
    b"SPI",
    b"UID",
    b"GID",
    b"MARK",
    b"ARP",
    b"HTYPE",
    b"PTYPE",
    b"OPCODE",
    b"IPSRC",
    b"IPDST",
];
