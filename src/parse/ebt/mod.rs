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

mod network;
mod piece;
mod torn;

use crate::model::{Header, Ip, LinkHeader, Protocol};
use crate::parse::cursor::{Cursor, hex_value};
use crate::parse::ordered;

pub(super) use network::end_of_piece;
pub(super) use piece::{Piece, begins_like_a_piece, piece};
pub(super) use torn::{Head, Torn};

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
    /// The network part, for this ethertype.
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
    let open = network::part(&mut cursor, ethertype, &mut header.network);
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

/// Whether the devices are followed by a frame part; nf-lines have no blank behind `MAC`.
pub(super) fn has_frame(tail: &[u8]) -> bool {
    let mut cursor = Cursor::new(tail);
    ordered::devices(&mut cursor).is_some() && cursor.rest().starts_with(b"MAC ")
}

/// The devices of a line that is cut inside its frame part.
pub(super) fn cut_line(tail: &[u8]) -> Option<Header> {
    let mut cursor = Cursor::new(tail);
    let devices = ordered::devices(&mut cursor)?;
    begins_frame(cursor.rest()).then(|| Header { devices, cut: true, ..Header::default() })
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

/// Whether `rest` is the beginning of a frame part.
fn begins_frame(rest: &[u8]) -> bool {
    const FORM: &[u8] =
        b"MAC source = xx:xx:xx:xx:xx:xx MAC dest = xx:xx:xx:xx:xx:xx proto = 0xxxxx";
    let rest = rest.trim_ascii_end();
    rest.len() < FORM.len()
        && rest.iter().zip(FORM).all(|(byte, form)| match form {
            b'x' => *byte == b'x' || hex_value(&[*byte]).is_some(),
            literal => byte == literal,
        })
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

fn skip_blanks(cursor: &mut Cursor<'_>) {
    while cursor.eat(b" ").is_some() {}
}
