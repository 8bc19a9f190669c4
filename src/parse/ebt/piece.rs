//! Recognises the pieces into which a line of ebtables can be torn.
//!
//! ```text
//!  IP SRC=172.29.0.6 IP DST=172.29.0.5, IP tos=0x00, IP proto=17
//!  SPT=60651 DPT=7778
//! ```

use crate::parse::cursor::Cursor;
use crate::parse::ebt::Open;

/// A torn-off piece, by what it begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::parse) enum Piece {
    /// The network part for one of these ethertypes.
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

/// Whether a prefix is a piece onto which another line was glued.
#[inline]
pub(in crate::parse) fn begins_like_a_piece(prefix: &[u8]) -> bool {
    let text = prefix.strip_prefix(b" ").unwrap_or(prefix);
    match text.first() {
        Some(b'I') => text.starts_with(b"IP SRC=") || text.starts_with(b"IPv6 SRC="),
        Some(b'A') => text.starts_with(b"ARP HTYPE=") || text.starts_with(b"ARP MAC SRC="),
        Some(b'S') => text.starts_with(b"SPT="),
        _ => false,
    }
}

/// What kind of piece a payload is, if one.
pub(in crate::parse) fn piece(payload: &[u8]) -> Option<Piece> {
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
