//! The fast way: an nf-line whose fields stand exactly in the kernel's order.
//!
//! ```text
//! IN=eth0 OUT= MAC=…:08:00 SRC=10.0.0.1 DST=10.0.0.2 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=41039 DF PROTO=TCP SPT=46766 …
//! IN=eth0 OUT= MACSRC=… MACDST=… VPROTO=8100 VID=24676 MACPROTO=0800 SRC=…
//! IN=br0 OUT= PHYSIN=veth0 MAC=… ARP HTYPE=1 PTYPE=0x0800 OPCODE=1 MACSRC=… IPSRC=… MACDST=… IPDST=…
//! ```
//!
//! Anything else (an unknown word, a missing field, an early end) makes it
//! give up at once, and the tolerant way reads the line instead.

use crate::model::{Arp, ArpAddresses, Devices, Header, IfName, LinkHeader, Network, Vlan};
use crate::parse::cursor::{Cursor, colon_octets, ipv4};
use crate::parse::{ip4, ip6, transport};

/// Reads a line from its `IN=` on; also returns what follows the last field.
pub(super) fn header(tail: &[u8]) -> Option<(Header, &[u8])> {
    let mut cursor = Cursor::new(tail);
    let mut header = Header { devices: devices(&mut cursor)?, ..Header::default() };
    header.devices.physin = optional_device(&mut cursor, b"PHYSIN=")?;
    header.devices.physout = optional_device(&mut cursor, b"PHYSOUT=")?;
    link(&mut cursor, &mut header)?;
    body(&mut cursor, &mut header)?;
    Some((header, cursor.rest()))
}

/// `IN=… OUT=… `, which nf-lines and ebtables lines share.
pub(super) fn devices(cursor: &mut Cursor<'_>) -> Option<Devices> {
    let mut trial = *cursor;
    trial.eat(b"IN=")?;
    let input = device_or_none(trial.word())?;
    trial.eat(b"OUT=")?;
    let output = device_or_none(trial.word())?;
    *cursor = trial;
    Some(Devices { input, output, physin: None, physout: None })
}

#[expect(clippy::option_option, reason = "the outer one says that it cannot be a device name")]
fn device_or_none(name: &[u8]) -> Option<Option<IfName>> {
    if name.is_empty() { Some(None) } else { IfName::new(name).map(Some) }
}

#[expect(clippy::option_option, reason = "the outer one says that it cannot be a device name")]
fn optional_device<const N: usize>(
    cursor: &mut Cursor<'_>,
    key: &[u8; N],
) -> Option<Option<IfName>> {
    match cursor.eat(key) {
        Some(()) => IfName::new(cursor.word()).map(Some),
        None => Some(None),
    }
}

fn link(cursor: &mut Cursor<'_>, header: &mut Header) -> Option<()> {
    if cursor.eat(b"MAC=").is_some() {
        header.link = raw_link(cursor.word())?;
        if cursor.eat(b"TUNNEL=").is_some() {
            header.tunnel = Some(tunnel(cursor.word())?);
        }
    } else if cursor.eat(b"MACSRC=").is_some() {
        header.link = decoded_link(cursor)?;
    }
    Some(())
}

/// The octets after `MAC=`: on Ethernet destination, source and type.
pub(super) fn raw_link(text: &[u8]) -> Option<LinkHeader> {
    if let Some(octets) = colon_octets::<14>(text) {
        return ethernet(&octets);
    }
    if text.is_empty() {
        return Some(LinkHeader::Octets(Box::default()));
    }
    let octets: Option<Box<[u8]>> =
        text.split(|&byte| byte == b':').map(|group| colon_octets(group).map(|[o]| o)).collect();
    octets.map(LinkHeader::Octets)
}

/// The 14 octets of an Ethernet header.
pub(super) fn ethernet(octets: &[u8; 14]) -> Option<LinkHeader> {
    let (dst, more) = octets.split_first_chunk::<6>()?;
    let (src, more) = more.split_first_chunk::<6>()?;
    let kind = more.first_chunk::<2>()?;
    Some(LinkHeader::Ethernet {
        dst: crate::model::Mac(*dst),
        src: crate::model::Mac(*src),
        ethertype: u16::from_be_bytes(*kind),
    })
}

/// `a->b` of a tunnel device.
pub(super) fn tunnel(text: &[u8]) -> Option<(std::net::IpAddr, std::net::IpAddr)> {
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

fn body(cursor: &mut Cursor<'_>, header: &mut Header) -> Option<()> {
    let rest = cursor.rest();
    if rest.starts_with(b"SRC=") {
        let ip = if is_ipv6(rest) { ip6::packet(cursor, 0)? } else { ip4::packet(cursor, 0)? };
        header.network = Network::Ip(Box::new(ip));
        owner_and_mark(cursor, header)
    } else if rest.starts_with(b"ARP ") {
        header.network = Network::Arp(arp(cursor)?);
        Some(())
    } else if cursor.eat_word(b"TRUNCATED").is_some() {
        header.network = Network::Truncated;
        Some(())
    } else {
        // Other EtherTypes have no body. An IP or ARP frame without one was cut.
        let bodiless = !matches!(header.link.ethertype(), Some(0x0800 | 0x86dd | 0x0806 | 0x8035));
        (cursor.is_spent() && bodiless).then_some(())
    }
}

/// Whether the address after `SRC=` has a colon where the kernel's IPv6 form has its first.
fn is_ipv6(rest: &[u8]) -> bool {
    rest.get(8) == Some(&b':')
}

fn owner_and_mark(cursor: &mut Cursor<'_>, header: &mut Header) -> Option<()> {
    if cursor.eat(b"UID=").is_some() {
        let user = cursor.number()?;
        cursor.eat(b"GID=")?;
        header.owner = Some((user, cursor.number()?));
    }
    if cursor.eat(b"MARK=0x").is_some() {
        header.mark = Some(cursor.hex_number()?);
    }
    Some(())
}

fn arp(cursor: &mut Cursor<'_>) -> Option<Arp> {
    cursor.eat(b"ARP HTYPE=")?;
    let hardware = cursor.number()?;
    cursor.eat(b"PTYPE=0x")?;
    let protocol = u16::try_from(cursor.hex::<4>()?).ok()?;
    cursor.eat(b" OPCODE=")?;
    let operation = cursor.number()?;
    let incomplete_bytes = transport::incomplete(cursor)?;
    let addresses = match cursor.eat(b"MACSRC=") {
        Some(()) => Some(arp_addresses(cursor)?),
        None => None,
    };
    Some(Arp {
        hardware,
        protocol,
        operation,
        addresses,
        incomplete: incomplete_bytes.is_some(),
        incomplete_bytes,
    })
}

fn arp_addresses(cursor: &mut Cursor<'_>) -> Option<ArpAddresses> {
    let sender_mac = cursor.mac()?;
    cursor.eat(b" IPSRC=")?;
    let sender_ip = ipv4(cursor.word())?;
    cursor.eat(b"MACDST=")?;
    let target_mac = cursor.mac()?;
    cursor.eat(b" IPDST=")?;
    let target_ip = ipv4(cursor.word())?;
    Some(ArpAddresses { sender_mac, sender_ip, target_mac, target_ip })
}
