//! The network part of an ebtables line, with ports or ARP addresses behind it.
//!
//! ```text
//!  IP SRC=172.29.0.6 IP DST=172.29.0.5, IP tos=0x00, IP proto=17 SPT=60651 DPT=7778
//!  IPv6 SRC=… IPv6 DST=…, IPv6 priority=0x0, Next Header=6 INCOMPLETE TCP/UDP header
//!  ARP HTYPE=1, PTYPE=0x0800, OPCODE=2 ARP MAC SRC=… ARP IP SRC=… ARP MAC DST=… ARP IP DST=…
//! ```

use crate::model::{Arp, ArpAddresses, Ip, Network, Protocol, Transport};
use crate::parse::cursor::{Cursor, ipv4};
use crate::parse::ebt::{Open, may_have_ports, skip_blanks};
use crate::parse::ordered::bare_packet;

/// Reads the network part, as far as it goes, and tells what could still follow.
pub(super) fn part(cursor: &mut Cursor<'_>, ethertype: u16, network: &mut Network) -> Open {
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
    let mut ip = bare_packet(src, dst.into());
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
    let mut ip = bare_packet(src, dst);
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
        let (sport, dport) = port_pair(cursor)?;
        Some(Transport::Ports { sport, dport })
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

fn port_pair(cursor: &mut Cursor<'_>) -> Option<(u16, u16)> {
    cursor.eat(b"SPT=")?;
    let sport = cursor.number()?;
    cursor.eat(b"DPT=")?;
    Some((sport, cursor.digits()?))
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

/// Where a torn-off piece ends that stands at the beginning of `payload`.
pub(in crate::parse) fn end_of_piece(payload: &[u8]) -> Option<usize> {
    let mut cursor = Cursor::new(payload);
    if let Some(mut ip) = attempt(&mut cursor, ip).or_else(|| attempt(&mut cursor, ip6)) {
        ports(&mut cursor, &mut ip);
    } else if let Some(mut arp) = attempt(&mut cursor, arp) {
        arp_payload(&mut cursor, &mut arp);
    } else if attempt(&mut cursor, arp_addresses).is_none() {
        attempt(&mut cursor, port_pair)?;
    }
    Some(payload.len() - cursor.rest().len())
}
