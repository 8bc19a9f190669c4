//! The fast way through the link-layer part.
//!
//! ```text
//! MAC=c2:8d:13:dc:ac:4f:aa:51:e1:0d:58:f6:08:00 TUNNEL=192.0.2.1->192.0.2.2
//! MACSRC=aa:51:e1:0d:58:f6 MACDST=c2:8d:13:dc:ac:4f VPROTO=8100 VID=24676 MACPROTO=0800
//! ```

use std::net::IpAddr;

use crate::model::{Header, LinkHeader, Mac, Vlan};
use crate::parse::cursor::{Cursor, colon_octets, ipv4};

/// Reads `MAC=…` or `MACSRC=…`, when one of them stands here.
pub(super) fn link(cursor: &mut Cursor<'_>, header: &mut Header) -> Option<()> {
    if cursor.eat(b"MAC=").is_some() {
        header.link = match cursor.octets::<41, 14>() {
            Some(octets) => ethernet(octets),
            None => raw_link(cursor.word())?,
        };
        if cursor.eat(b"TUNNEL=").is_some() {
            header.tunnel = Some(tunnel(cursor.word())?);
        }
    } else if cursor.eat(b"MACSRC=").is_some() {
        header.link = decoded_link(cursor)?;
    }
    Some(())
}

/// The text of 64 octets: no link-layer header is longer.
pub(in crate::parse) const LONGEST_OCTETS: usize = 191;

/// The octets after `MAC=` that are no Ethernet header.
fn raw_link(text: &[u8]) -> Option<LinkHeader> {
    if text.is_empty() {
        return Some(LinkHeader::Octets(Box::default()));
    }
    if text.len() > LONGEST_OCTETS {
        return None;
    }
    let octets: Option<Box<[u8]>> =
        text.split(|&byte| byte == b':').map(|group| colon_octets(group).map(|[o]| o)).collect();
    octets.map(LinkHeader::Octets)
}

/// The 14 octets of an Ethernet header.
pub(in crate::parse) fn ethernet(octets: [u8; 14]) -> LinkHeader {
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, high, low] = octets;
    LinkHeader::Ethernet {
        dst: Mac([d0, d1, d2, d3, d4, d5]),
        src: Mac([s0, s1, s2, s3, s4, s5]),
        ethertype: u16::from_be_bytes([high, low]),
    }
}

/// `a->b` of a tunnel device.
pub(in crate::parse) fn tunnel(text: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let arrow = memchr::memmem::find(text, b"->")?;
    let (from, to) = text.split_at_checked(arrow)?;
    Some((ipv4(from)?.into(), ipv4(to.strip_prefix(b"->")?)?.into()))
}

fn decoded_link(cursor: &mut Cursor<'_>) -> Option<LinkHeader> {
    let src = cursor.mac()?;
    cursor.eat(b" MACDST=")?;
    let dst = cursor.mac()?;
    cursor.blank()?;
    let vlan = match cursor.eat(b"VPROTO=") {
        Some(()) => {
            let protocol = u16::try_from(cursor.hex::<4>()?).ok()?;
            cursor.eat(b" VID=")?;
            Some(Vlan { protocol, tci: cursor.number()? })
        }
        None => None,
    };
    cursor.eat(b"MACPROTO=")?;
    let ethertype = u16::try_from(cursor.hex::<4>()?).ok()?;
    cursor.blank()?;
    Some(LinkHeader::Decoded { src, dst, vlan, ethertype: Some(ethertype) })
}
