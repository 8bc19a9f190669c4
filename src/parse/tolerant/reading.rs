//! One pass over a line's words, each put where it belongs.

use std::net::IpAddr;

use crate::model::{Devices, Header, IfName, Network};
use crate::parse::cursor::decimal;
use crate::parse::ordered;
use crate::parse::tolerant::arp::ArpDraft;
use crate::parse::tolerant::link::LinkDraft;
use crate::parse::tolerant::packet::PacketDraft;
use crate::parse::tolerant::set;
use crate::parse::tolerant::values::hex32;
use crate::parse::tolerant::words::{Word, Words};

/// So many bytes of unknown words are kept; the kernel's whole line has no more.
const MOST_UNKNOWN: usize = 1024;

/// What to do with a last value that has no blank behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// Use it.
    Kept,
    /// Leave it out when it could have been longer.
    Doubted,
}

/// How the line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum End {
    /// With a whole word, or one that cannot be told from a whole one.
    #[default]
    Whole,
    /// With a value that touches the end and could have been longer.
    Doubtful,
    /// With half a field.
    Broken,
}

/// A line under construction.
#[derive(Debug, Default)]
pub(super) struct Reading {
    devices: Devices,
    /// `OUT=` was seen, with or without a name.
    has_output: bool,
    link: LinkDraft,
    tunnel: Option<(IpAddr, IpAddr)>,
    packet: PacketDraft,
    /// The packet in the brackets of an ICMP error.
    inner: Option<PacketDraft>,
    in_brackets: bool,
    arp: Option<ArpDraft>,
    user: Option<u32>,
    group: Option<u32>,
    mark: Option<u32>,
    /// `TRUNCATED` in place of the network part.
    truncated: bool,
    unknown: Vec<u8>,
    end: End,
}

impl Reading {
    pub(super) fn of(tail: &[u8], last: Last) -> Self {
        let mut reading = Self::default();
        let mut words = Words::new(tail);
        while let Some(word) = words.next() {
            let touches_end = words.touches_end();
            if touches_end && last == Last::Doubted && could_be_longer(word) {
                break;
            }
            let known = reading.take(word);
            if touches_end && known && could_be_longer(word) {
                reading.end = End::Doubtful;
            } else if !known
                && (touches_end && is_half_a_word(word) || words.is_spent() && opens(word))
            {
                reading.end = End::Broken;
            } else if !known {
                reading.keep_unknown(word);
            }
        }
        reading
    }

    /// Uses one word; `false` when it fits nowhere.
    pub(super) fn take(&mut self, word: Word<'_>) -> bool {
        match word {
            Word::Field(key, value) => self.field(key, value),
            Word::Bare(word) => self.bare(word),
            Word::Incomplete(bytes) => match &mut self.arp {
                Some(arp) => arp.incomplete(bytes),
                None => self.innermost().incomplete(bytes),
            },
            Word::Options(text) => self.innermost().options(text),
            Word::OpenOptions => self.innermost().open_group(),
            Word::CloseGroup => self.innermost().close_group(),
            Word::OpenInner if self.inner.is_none() => {
                self.inner = Some(PacketDraft::default());
                self.in_brackets = true;
                true
            }
            Word::CloseInner if self.in_brackets => {
                self.in_brackets = false;
                true
            }
            Word::OpenInner | Word::CloseInner => false,
        }
    }

    fn innermost(&mut self) -> &mut PacketDraft {
        match (&mut self.inner, self.in_brackets) {
            (Some(inner), true) => inner,
            _ => &mut self.packet,
        }
    }

    fn field(&mut self, key: &[u8], value: &[u8]) -> bool {
        if self.in_brackets {
            return self.innermost().field(key, value);
        }
        match (key, glued_field(value)) {
            (b"IN" | b"OUT" | b"PHYSIN" | b"PHYSOUT" | b"MAC", Some((next, value))) => {
                self.outer_field(key, b"") && self.outer_field(next, value)
            }
            _ => self.outer_field(key, value),
        }
    }

    fn outer_field(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key {
            b"IN" => set_device(&mut self.devices.input, value),
            b"OUT" => {
                self.has_output = true;
                set_device(&mut self.devices.output, value)
            }
            b"PHYSIN" => set_device(&mut self.devices.physin, value),
            b"PHYSOUT" => set_device(&mut self.devices.physout, value),
            b"TUNNEL" => set(&mut self.tunnel, ordered::tunnel(value)),
            b"UID" => set(&mut self.user, decimal(value)),
            b"GID" => set(&mut self.group, decimal(value)),
            b"MARK" => set(&mut self.mark, hex32(value)),
            b"HTYPE" => self.arp.get_or_insert_default().field(key, value),
            _ => match &mut self.arp {
                Some(arp) => arp.field(key, value) || self.packet.field(key, value),
                None => self.link.field(key, value) || self.packet.field(key, value),
            },
        }
    }

    fn bare(&mut self, word: &[u8]) -> bool {
        let no_network = !self.in_brackets && !self.packet.has_addresses();
        match word {
            b"ARP" if no_network => {
                self.arp.get_or_insert_default();
                true
            }
            b"TRUNCATED" if no_network => {
                self.truncated = true;
                true
            }
            _ => self.innermost().bare(word),
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
        self.unknown.truncate(MOST_UNKNOWN);
    }

    /// Whether the last value is better left out if the line ends early.
    pub(super) fn has_doubtful_end(&self) -> bool {
        self.end == End::Doubtful
    }

    /// Whether the kernel would have printed more.
    pub(super) fn ends_early(&self) -> bool {
        if self.end == End::Broken || self.in_brackets {
            return true;
        }
        if let Some(arp) = self.arp {
            return arp.ends_early();
        }
        if self.packet.has_any() {
            return self.packet.ends_early(self.inner.is_some());
        }
        !self.truncated && (!self.has_output || self.link.ends_early())
    }

    pub(super) fn into_header(mut self) -> Header {
        if let (Some(user), None) = (self.user, self.group) {
            // Kernels before 2.6.14 printed the user alone.
            self.unknown.extend_from_slice(format!(" UID={user}").as_bytes());
        }
        let unknown = self.unknown.trim_ascii();
        let inner = self.inner.and_then(|inner| inner.into_ip(None));
        let arp = self.arp.and_then(ArpDraft::into_arp);
        let network = match (arp, self.packet.into_ip(inner)) {
            (Some(arp), _) => Network::Arp(arp),
            (None, Some(ip)) => Network::Ip(Box::new(ip)),
            (None, None) if self.truncated => Network::Truncated,
            (None, None) => Network::Absent,
        };
        Header {
            devices: self.devices,
            link: self.link.into_link(),
            tunnel: self.tunnel,
            network,
            owner: self.user.zip(self.group),
            // ulogd prints it even when it is zero.
            mark: self.mark.filter(|&mark| mark != 0),
            unknown: (!unknown.is_empty()).then(|| unknown.into()),
            cut: false,
        }
    }
}

fn set_device(place: &mut Option<IfName>, name: &[u8]) -> bool {
    name.is_empty() || set(place, IfName::new(name))
}

/// `MAC=SRC=192.0.2.1`: an empty value without its blank, and the next field.
fn glued_field(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, rest) = value.split_at_checked(memchr::memchr(b'=', value)?)?;
    let begins_part = matches!(key, b"MAC" | b"MACSRC" | b"SRC" | b"PHYSIN" | b"PHYSOUT");
    begins_part.then_some((key, rest.get(1..)?))
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
pub(super) fn is_half_a_word(word: Word<'_>) -> bool {
    match word {
        Word::Field(key, _) => KEYWORDS.contains(&key),
        Word::Bare(word) => KEYWORDS.iter().any(|known| known.starts_with(word)),
        _ => opens(word),
    }
}

/// Whether a word needs another one behind it.
fn opens(word: Word<'_>) -> bool {
    matches!(word, Word::OpenOptions | Word::OpenInner | Word::Incomplete(None))
}

/// Every word with which a field can begin.
#[rustfmt::skip]
const KEYWORDS: &[&[u8]] = &[
    b"IN", b"OUT", b"PHYSIN", b"PHYSOUT", b"MAC", b"MACSRC", b"MACDST", b"MACPROTO", b"VPROTO",
    b"VID", b"TUNNEL", b"SRC", b"DST", b"LEN", b"TOS", b"PREC", b"TTL", b"ID", b"CE", b"DF", b"MF",
    b"FRAG:", b"FRAG:TRUNCATED", b"ID:", b"OPT", b"TRUNCATED", b"AH", b"ESP", b"TC", b"HOPLIMIT", b"FLOWLBL", b"Unknown", b"PROTO", b"SPT",
    b"DPT", b"SEQ", b"ACK", b"WINDOW", b"RES", b"AE", b"CWR", b"ECE", b"URG", b"PSH", b"RST",
    b"SYN", b"FIN", b"URGP", b"TYPE", b"CODE", b"PARAMETER", b"GATEWAY", b"POINTER", b"MTU",
    b"INCOMPLETE", b"SPI", b"UID", b"GID", b"MARK", b"ARP", b"HTYPE", b"PTYPE", b"OPCODE",
    b"IPSRC", b"IPDST",
];
