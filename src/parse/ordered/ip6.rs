//! The fast way through an IPv6 packet and its extension headers.
//!
//! ```text
//! SRC=fd77:0000:… DST=fd77:0000:… LEN=80 TC=0 HOPLIMIT=63 FLOWLBL=411643 PROTO=TCP …
//! … FLOWLBL=0 OPT ( ) OPT ( FRAG:0 INCOMPLETE ID:00001234 ) PROTO=UDP …
//! … FLOWLBL=0 OPT ( AH SPI=0x12345678 ) PROTO=TCP …
//! … FLOWLBL=0 OPT ( ESP SPI=0xdeadbeef )
//! ```
//!
//! Here `OPT (` opens one extension header, not a run of option bytes.

use crate::model::{Fragment, Icmp, IcmpExtra, Ip, Protocol, Transport};
use crate::parse::cursor::{Cursor, decimal};
use crate::parse::ordered::{bare_packet, ip4, transport};

/// Reads a packet; `depth` is 0 outside of brackets.
pub(super) fn packet(cursor: &mut Cursor<'_>, depth: u8) -> Option<Box<Ip>> {
    let mut ip = fixed_fields(cursor)?;
    loop {
        match extension(cursor, &mut ip)? {
            Chain::Next => {}
            Chain::Ended => return Some(ip),
            Chain::NoMore => break,
        }
    }
    if cursor.eat(b"Unknown Ext Hdr ").is_some() {
        ip.truncated = true;
        ip.protocol = Some(Protocol(cursor.digits()?));
        cursor.last_blank()?;
        return Some(ip);
    }
    protocol(cursor, &mut ip, depth)?;
    Some(ip)
}

fn fixed_fields(cursor: &mut Cursor<'_>) -> Option<Box<Ip>> {
    cursor.eat(b"SRC=")?;
    let src = cursor.address()?;
    cursor.eat(b"DST=")?;
    let dst = cursor.address()?;
    if !src.is_ipv6() || !dst.is_ipv6() {
        return None;
    }
    let mut ip = Box::new(bare_packet(src, dst));
    cursor.eat(b"LEN=")?;
    ip.length = Some(cursor.number()?);
    cursor.eat(b"TC=")?;
    ip.tos = Some(cursor.number()?);
    cursor.eat(b"HOPLIMIT=")?;
    ip.ttl = Some(cursor.number()?);
    cursor.eat(b"FLOWLBL=")?;
    ip.flow_label = Some(cursor.number()?);
    Some(ip)
}

/// How an extension header leaves the chain.
enum Chain {
    /// Another one may follow.
    Next,
    /// None stood here.
    NoMore,
    /// The kernel stops printing the packet here.
    Ended,
}

fn extension(cursor: &mut Cursor<'_>, ip: &mut Ip) -> Option<Chain> {
    if cursor.rest().starts_with(b"FRAG:") {
        // Without the option flag a fragment header stands bare.
        return fragment(cursor, ip);
    }
    if cursor.eat(b"OPT ( ").is_none() {
        return Some(Chain::NoMore);
    }
    ip.extension_headers = ip.extension_headers.checked_add(1)?;
    let inside = match cursor.rest() {
        [b'F', ..] => fragment(cursor, ip)?,
        [b'A', ..] => authentication(cursor, ip)?,
        [b'E', ..] => encapsulation(cursor, ip)?,
        _ => Chain::Next,
    };
    if matches!(inside, Chain::Ended) {
        return Some(Chain::Ended);
    }
    close_group(cursor, ip)
}

/// `) `, or for the fragments whose headers cannot be followed `)` as the last byte.
fn close_group(cursor: &mut Cursor<'_>, ip: &Ip) -> Option<Chain> {
    let closed_for_good =
        ip.is_later_fragment() && matches!(cursor.rest(), b")" | [b')', b']', ..]);
    cursor.eat_last(b")")?;
    Some(if closed_for_good { Chain::Ended } else { Chain::Next })
}

fn fragment(cursor: &mut Cursor<'_>, ip: &mut Ip) -> Option<Chain> {
    cursor.eat(b"FRAG:")?;
    if cursor.eat_word(b"TRUNCATED").is_some() {
        ip.truncated = true;
        return Some(Chain::Ended);
    }
    let offset = cursor.number()?;
    let more = cursor.eat_word(b"INCOMPLETE").is_some();
    cursor.eat(b"ID:")?;
    let id = cursor.hex::<8>()?;
    cursor.blank()?;
    ip.fragment = Some(Fragment { offset, more, id: Some(id) });
    Some(Chain::Next)
}

fn authentication(cursor: &mut Cursor<'_>, ip: &mut Ip) -> Option<Chain> {
    cursor.eat(b"AH ")?;
    if cursor.eat(b"SPI=0x").is_some() {
        ip.ah_spi = Some(cursor.hex_number()?);
        return Some(Chain::Next);
    }
    ended_by(cursor, ip, Protocol::AH)
}

fn encapsulation(cursor: &mut Cursor<'_>, ip: &mut Ip) -> Option<Chain> {
    cursor.eat(b"ESP ")?;
    if cursor.eat(b"SPI=0x").is_some() {
        ip.protocol = Some(Protocol::ESP);
        ip.transport = Transport::Spi(cursor.hex_number()?);
        cursor.eat_last(b")")?;
        return Some(Chain::Ended);
    }
    ended_by(cursor, ip, Protocol::ESP)
}

/// The chain ends inside a header: too short, or behind a later fragment.
fn ended_by(cursor: &mut Cursor<'_>, ip: &mut Ip, protocol: Protocol) -> Option<Chain> {
    ip.protocol = Some(protocol);
    if let Some(bytes) = transport::incomplete(cursor)? {
        ip.transport = Transport::Incomplete(Some(bytes));
    }
    cursor.eat_last(b")")?;
    Some(Chain::Ended)
}

fn protocol(cursor: &mut Cursor<'_>, ip: &mut Ip, depth: u8) -> Option<()> {
    let later = ip.is_later_fragment();
    cursor.eat(b"PROTO=")?;
    match cursor.word() {
        b"TCP" => {
            ip.protocol = Some(Protocol::TCP);
            if !later {
                ip.transport = transport::tcp(cursor)?;
            }
        }
        name @ (b"UDP" | b"UDPLITE") => {
            let lite = name == b"UDPLITE";
            ip.protocol = Some(if lite { Protocol::UDPLITE } else { Protocol::UDP });
            if !later {
                ip.transport = transport::udp(cursor)?;
            }
        }
        b"ICMPv6" => {
            ip.protocol = Some(Protocol::ICMPV6);
            if !later {
                ip.transport = icmp(cursor, depth)?;
            }
        }
        number => ip.protocol = Some(Protocol(decimal(number)?)),
    }
    Some(())
}

fn icmp(cursor: &mut Cursor<'_>, depth: u8) -> Option<Transport> {
    if let Some(bytes) = transport::incomplete(cursor)? {
        return Some(Transport::Incomplete(Some(bytes)));
    }
    cursor.eat(b"TYPE=")?;
    let kind = cursor.number()?;
    cursor.eat(b"CODE=")?;
    let code = cursor.number()?;
    let mut icmp =
        Icmp { kind, code, incomplete: None, echo: None, extra: None, mtu: None, inner: None };
    details(cursor, &mut icmp, depth)?;
    Some(Transport::Icmp(Box::new(icmp)))
}

/// What each type prints, as the kernel's switch has it.
fn details(cursor: &mut Cursor<'_>, icmp: &mut Icmp, depth: u8) -> Option<()> {
    match icmp.kind {
        128 | 129 => icmp.echo = Some(ip4::echo(cursor)?),
        1..=4 => {
            if icmp.kind == 4 {
                cursor.eat(b"POINTER=")?;
                icmp.extra = Some(IcmpExtra::Pointer(cursor.hex::<8>()?));
                cursor.blank()?;
            }
            if depth == 0 {
                cursor.eat(b"[")?;
                icmp.inner = Some(packet(cursor, 1)?);
                cursor.eat_word(b"]")?;
            }
            if cursor.eat(b"MTU=").is_some() {
                icmp.mtu = Some(cursor.number()?);
            }
        }
        _ => {}
    }
    Some(())
}
