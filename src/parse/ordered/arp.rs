//! The fast way through an ARP body.
//!
//! ```text
//! ARP HTYPE=1 PTYPE=0x0800 OPCODE=1 MACSRC=… IPSRC=172.29.42.1 MACDST=00:00:00:00:00:00 IPDST=172.29.0.5
//! ARP HTYPE=1 PTYPE=0x0800 OPCODE=1 INCOMPLETE [6 bytes]
//! ```

use crate::model::{Arp, ArpAddresses};
use crate::parse::cursor::{Cursor, ipv4};
use crate::parse::ordered::transport;

/// Reads a body. Its addresses are not printed for other hardware than Ethernet.
pub(super) fn body(cursor: &mut Cursor<'_>) -> Option<Arp> {
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
