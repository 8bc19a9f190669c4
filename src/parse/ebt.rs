//! Lines of ebtables `--log`, and the pieces into which they can be torn.
//!
//! ```text
//! TRACE: eb:nat:OUTPUT IN= OUT=vethR2 MAC source = fe:bb:ce:6d:95:40 MAC dest = 56:d6:36:94:92:fe proto = 0x0800
//!    IP SRC=10.77.22.125 IP DST=172.29.0.5, IP tos=0x00, IP proto=6
//!    SPT=48224 DPT=6379
//! ```
//!
//! One line, but printed by two to four printk calls, broken here where
//! another CPU's line can come between: before the network part and before
//! the ports (ARP: before the body and before its addresses).

use crate::model::{Arp, ArpAddresses, Header, Ip, LinkHeader, Network, Protocol, Transport};
use crate::parse::cursor::{Cursor, hex_value, ipv4};
use crate::parse::{ip4, ordered};

/// An ebtables line as far as it goes.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) header: Header,
    /// What could still follow if the line was torn here.
    pub(super) open: Open,
    /// What stands behind the last field.
    pub(super) rest: &'a [u8],
}

/// What a torn line still lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// The network part, for this EtherType.
    Network(u16),
    /// The ports.
    Ports,
    /// The addresses of an ARP body.
    ArpAddresses,
    /// The line ends where no printk call does: what is missing will not come.
    Cut,
    /// Nothing but the newline.
    Nothing,
}

/// Reads a line from its `IN=` on. `None` when it has no such frame part.
pub(super) fn line(tail: &[u8]) -> Option<Line<'_>> {
    let mut cursor = Cursor::new(tail);
    let devices = ordered::devices(&mut cursor)?;
    let link = frame(&mut cursor)?;
    let LinkHeader::Frame { ethertype, .. } = link else { return None };
    let mut header = Header { devices, link, ..Header::default() };
    let open = network(&mut cursor, ethertype, &mut header.network);
    Some(Line { header, open, rest: cursor.rest() })
}

impl Line<'_> {
    /// The header as far as it goes, with what stands behind it put down as cut or unknown.
    pub(super) fn into_header(mut self) -> Header {
        let rest = self.rest.trim_ascii();
        self.header.cut = self.open == Open::Cut
            || self.open != Open::Nothing && !rest.is_empty()
            || self.open == Open::Ports && self.header.ip().is_some_and(always_has_ports);
        if !rest.is_empty() && !self.header.cut {
            self.header.unknown = Some(rest.into());
        }
        self.header
    }

    /// Whether the line ends exactly where a piece may have been torn off.
    pub(super) fn may_be_torn(&self) -> bool {
        !matches!(self.open, Open::Nothing | Open::Cut) && self.rest.trim_ascii().is_empty()
    }
}

/// The devices of a line that is cut inside its frame part.
pub(super) fn cut_line(tail: &[u8]) -> Option<Header> {
    let mut cursor = Cursor::new(tail);
    let devices = ordered::devices(&mut cursor)?;
    is_half_a_frame(cursor.rest()).then(|| Header { devices, cut: true, ..Header::default() })
}

/// `MAC source = … MAC dest = … proto = 0x….`
fn frame(cursor: &mut Cursor<'_>) -> Option<LinkHeader> {
    cursor.eat(b"MAC source = ")?;
    let src = cursor.mac()?;
    skip_blanks(cursor);
    cursor.eat(b"MAC dest = ")?;
    let dst = cursor.mac()?;
    skip_blanks(cursor);
    cursor.eat(b"proto = 0x")?;
    let ethertype = u16::try_from(cursor.hex::<4>()?).ok()?;
    Some(LinkHeader::Frame { src, dst, ethertype })
}

fn network(cursor: &mut Cursor<'_>, ethertype: u16, network: &mut Network) -> Open {
    let expected = match ethertype {
        0x0800 | 0x86dd | 0x0806 | 0x8035 => Open::Network(ethertype),
        _ => Open::Nothing,
    };
    if incomplete_header(cursor).is_some() {
        *network = Network::Incomplete;
        return Open::Nothing;
    }
    if let Some(mut ip) = attempt(cursor, ip).or_else(|| attempt(cursor, ip6)) {
        let open = ports(cursor, &mut ip);
        *network = Network::Ip(Box::new(ip));
        return open;
    }
    if let Some(mut arp) = attempt(cursor, arp) {
        let open = arp_payload(cursor, &mut arp);
        *network = Network::Arp(arp);
        return open;
    }
    expected
}

/// Runs `read` and stays in place when it fails.
fn attempt<'a, T>(cursor: &mut Cursor<'a>, read: fn(&mut Cursor<'a>) -> Option<T>) -> Option<T> {
    let mut trial = *cursor;
    skip_blanks(&mut trial);
    let value = read(&mut trial)?;
    *cursor = trial;
    Some(value)
}

fn incomplete_header(cursor: &mut Cursor<'_>) -> Option<()> {
    attempt(cursor, |cursor| {
        cursor.eat(b"INCOMPLETE ")?;
        cursor
            .eat(b"IP header")
            .or_else(|| cursor.eat(b"IPv6 header"))
            .or_else(|| cursor.eat(b"ARP header"))
    })
}

fn ip(cursor: &mut Cursor<'_>) -> Option<Ip> {
    cursor.eat(b"IP SRC=")?;
    let src = cursor.address()?;
    skip_blanks(cursor);
    cursor.eat(b"IP DST=")?;
    let dst = ipv4(without_comma(cursor.word()))?;
    if !src.is_ipv4() {
        return None;
    }
    let mut ip = ip4::bare(src, dst.into());
    ip.tos = attempt(cursor, |cursor| {
        cursor.eat(b"IP tos=0x")?;
        u8::try_from(cursor.hex::<2>()?).ok()
    });
    ip.protocol = attempt(cursor, |cursor| {
        cursor.eat(b", IP proto=")?;
        cursor.digits().map(Protocol)
    });
    Some(ip)
}

fn ip6(cursor: &mut Cursor<'_>) -> Option<Ip> {
    cursor.eat(b"IPv6 SRC=")?;
    let src = cursor.address()?;
    skip_blanks(cursor);
    cursor.eat(b"IPv6 DST=")?;
    let dst = Cursor::new(without_comma(cursor.word())).address()?;
    if !src.is_ipv6() || !dst.is_ipv6() {
        return None;
    }
    let mut ip = ip4::bare(src, dst);
    ip.tos = attempt(cursor, |cursor| {
        cursor.eat(b"IPv6 priority=0x")?;
        u8::try_from(cursor.hex::<1>()? << 4).ok()
    });
    ip.protocol = attempt(cursor, |cursor| {
        cursor.eat(b", Next Header=")?;
        cursor.digits().map(Protocol)
    });
    Some(ip)
}

fn without_comma(word: &[u8]) -> &[u8] {
    word.strip_suffix(b",").unwrap_or(word)
}

fn ports(cursor: &mut Cursor<'_>, ip: &mut Ip) -> Open {
    let read = attempt(cursor, |cursor| {
        if cursor.eat(b"INCOMPLETE TCP/UDP header").is_some() {
            return Some(Transport::Incomplete(None));
        }
        cursor.eat(b"SPT=")?;
        let sport = cursor.number()?;
        cursor.eat(b"DPT=")?;
        Some(Transport::Ports { sport, dport: cursor.digits()? })
    });
    match read {
        Some(transport) => {
            ip.transport = transport;
            Open::Nothing
        }
        None if ip.protocol.is_none() => Open::Cut,
        None if may_have_ports(ip) => Open::Ports,
        None => Open::Nothing,
    }
}

/// TCP, UDP, UDP-Lite, SCTP and DCCP.
fn always_has_ports(ip: &Ip) -> bool {
    matches!(ip.protocol, Some(Protocol(6 | 17 | 33 | 132 | 136)))
}

/// In IPv6 ports may also come behind any extension header.
fn may_have_ports(ip: &Ip) -> bool {
    let extension = matches!(ip.protocol, Some(Protocol(0 | 43 | 44 | 51 | 60)));
    always_has_ports(ip) || ip.src.is_ipv6() && extension
}

fn arp(cursor: &mut Cursor<'_>) -> Option<Arp> {
    cursor.eat(b"ARP HTYPE=")?;
    let hardware = cursor.digits()?;
    cursor.eat(b", PTYPE=0x")?;
    let protocol = u16::try_from(cursor.hex::<4>()?).ok()?;
    cursor.eat(b", OPCODE=")?;
    let operation = cursor.digits()?;
    Some(Arp {
        hardware,
        protocol,
        operation,
        addresses: None,
        incomplete: false,
        incomplete_bytes: None,
    })
}

fn arp_payload(cursor: &mut Cursor<'_>, arp: &mut Arp) -> Open {
    if attempt(cursor, |cursor| cursor.eat(b"INCOMPLETE ARP payload")).is_some() {
        arp.incomplete = true;
        return Open::Nothing;
    }
    arp.addresses = attempt(cursor, arp_addresses);
    // Only Ethernet and IPv4 have addresses to print.
    if arp.addresses.is_none() && arp.hardware == 1 && arp.protocol == 0x0800 {
        Open::ArpAddresses
    } else {
        Open::Nothing
    }
}

fn arp_addresses(cursor: &mut Cursor<'_>) -> Option<ArpAddresses> {
    cursor.eat(b"ARP MAC SRC=")?;
    let sender_mac = cursor.mac()?;
    skip_blanks(cursor);
    cursor.eat(b"ARP IP SRC=")?;
    let sender_ip = ipv4(cursor.word())?;
    skip_blanks(cursor);
    cursor.eat(b"ARP MAC DST=")?;
    let target_mac = cursor.mac()?;
    skip_blanks(cursor);
    cursor.eat(b"ARP IP DST=")?;
    let target_ip = ipv4(cursor.word())?;
    Some(ArpAddresses { sender_mac, sender_ip, target_mac, target_ip })
}

fn skip_blanks(cursor: &mut Cursor<'_>) {
    while cursor.eat(b" ").is_some() {}
}

/// A torn-off piece, by what it begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// The network part for one of these EtherTypes.
    Network(u16),
    /// `INCOMPLETE ARP header`, which ARP and RARP share.
    ArpHeader,
    /// Ports, or that they could not be read.
    Ports,
    /// ARP addresses, or that they could not be read.
    ArpAddresses,
    /// The newline alone.
    Newline,
}

/// What kind of piece a payload is, if one.
pub(super) fn piece(payload: &[u8]) -> Option<Piece> {
    Some(match payload.trim_ascii_start() {
        b"" => Piece::Newline,
        text if text.starts_with(b"IP SRC=") => Piece::Network(0x0800),
        text if text.starts_with(b"IPv6 SRC=") => Piece::Network(0x86dd),
        text if text.starts_with(b"ARP HTYPE=") && is_ebt_arp(text) => Piece::ArpHeader,
        text if text.starts_with(b"ARP MAC SRC=") => Piece::ArpAddresses,
        text if text.starts_with(b"SPT=") && is_ports(text) => Piece::Ports,
        text => match text.trim_ascii_end() {
            b"INCOMPLETE IP header" => Piece::Network(0x0800),
            b"INCOMPLETE IPv6 header" => Piece::Network(0x86dd),
            b"INCOMPLETE ARP header" => Piece::ArpHeader,
            b"INCOMPLETE ARP payload" => Piece::ArpAddresses,
            b"INCOMPLETE TCP/UDP header" => Piece::Ports,
            _ => return None,
        },
    })
}

/// ebtables puts a comma behind the hardware type, nf-lines do not.
fn is_ebt_arp(text: &[u8]) -> bool {
    Cursor::new(text).word() == b"ARP" && memchr::memmem::find(text, b", PTYPE=").is_some()
}

/// `SPT=n DPT=n` and nothing more.
fn is_ports(text: &[u8]) -> bool {
    let mut cursor = Cursor::new(text);
    let ports = cursor
        .eat(b"SPT=")
        .and_then(|()| cursor.number::<u16>())
        .and_then(|_| cursor.eat(b"DPT="))
        .and_then(|()| cursor.digits::<u16>());
    ports.is_some() && cursor.is_spent()
}

impl Open {
    /// Whether a line that lacks this can take that piece.
    pub(super) fn takes(self, piece: Piece) -> bool {
        match (self, piece) {
            (Self::Network(wanted), Piece::Network(given)) => wanted == given,
            (Self::Network(wanted), Piece::ArpHeader) => matches!(wanted, 0x0806 | 0x8035),
            (Self::Ports, Piece::Ports) | (Self::ArpAddresses, Piece::ArpAddresses) => true,
            (open, Piece::Newline) => !matches!(open, Self::Nothing | Self::Cut),
            _ => false,
        }
    }
}

/// Whether `rest` is the beginning of a frame part, and more than a word of it.
fn is_half_a_frame(rest: &[u8]) -> bool {
    const FORM: &[u8] =
        b"MAC source = xx:xx:xx:xx:xx:xx MAC dest = xx:xx:xx:xx:xx:xx proto = 0xxxxx";
    let rest = rest.trim_ascii_end();
    rest.len() < FORM.len()
        && rest.len() > b"MAC source".len()
        && rest.iter().zip(FORM).all(|(byte, form)| match form {
            b'x' => *byte == b'x' || hex_value(&[*byte]).is_some(),
            literal => byte == literal,
        })
}
