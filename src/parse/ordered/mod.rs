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

mod arp;
mod ip4;
mod ip6;
mod link;
mod transport;

use std::net::IpAddr;

use crate::model::{Devices, Header, IfName, Ip, IpFlags, Network, Transport};
use crate::parse::cursor::Cursor;

pub(super) use link::{LONGEST_OCTETS, ethernet, tunnel};

/// Reads a line from its `IN=` on; also returns what follows the last field.
pub(super) fn header(tail: &[u8]) -> Option<(Header, &[u8])> {
    let mut cursor = Cursor::new(tail);
    let mut header = Header { devices: devices(&mut cursor)?, ..Header::default() };
    header.devices.physin = optional_device(&mut cursor, b"PHYSIN=")?;
    header.devices.physout = optional_device(&mut cursor, b"PHYSOUT=")?;
    link::link(&mut cursor, &mut header)?;
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

fn body(cursor: &mut Cursor<'_>, header: &mut Header) -> Option<()> {
    let rest = cursor.rest();
    if rest.starts_with(b"SRC=") {
        let ip = if is_ipv6(rest) { ip6::packet(cursor, 0)? } else { ip4::packet(cursor, 0)? };
        header.network = Network::Ip(ip);
        owner_and_mark(cursor, header)
    } else if rest.starts_with(b"ARP ") {
        header.network = Network::Arp(arp::body(cursor)?);
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

/// A packet of which nothing but the addresses is known yet.
pub(super) fn bare_packet(src: IpAddr, dst: IpAddr) -> Ip {
    Ip {
        src,
        dst,
        length: None,
        tos: None,
        ttl: None,
        id: None,
        flow_label: None,
        flags: IpFlags::default(),
        fragment: None,
        options: None,
        extension_headers: 0,
        ah_spi: None,
        truncated: false,
        protocol: None,
        transport: Transport::Absent,
    }
}
