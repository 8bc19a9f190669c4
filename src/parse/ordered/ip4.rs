//! The fast way through an IPv4 packet, the one in the brackets of an ICMP error included.
//!
//! ```text
//! SRC=10.77.22.125 DST=10.77.22.21 LEN=28 TOS=0x1E PREC=0xE0 TTL=64 ID=30 CE DF MF FRAG:185 OPT (44280500) PROTO=…
//! PROTO=ICMP TYPE=5 CODE=1 GATEWAY=10.77.22.99 [SRC=… ] MTU=1400
//! ```
//!
//! `FRAG:` counts units of eight bytes here; in IPv6 it counts bytes.

use crate::model::{Fragment, Icmp, IcmpExtra, Ip, IpFlags, Protocol, Transport};
use crate::parse::cursor::{Cursor, decimal};
use crate::parse::ordered::{bare_packet, transport};

/// Reads a packet; `depth` is 0 outside of brackets.
pub(super) fn packet(cursor: &mut Cursor<'_>, depth: u8) -> Option<Box<Ip>> {
    let mut ip = fixed_fields(cursor)?;
    ip.flags = flags(cursor);
    ip.fragment = fragment(cursor, ip.flags)?;
    ip.options = transport::options(cursor)?;
    if ip.options.is_none() && cursor.eat_last(b"TRUNCATED").is_some() {
        ip.truncated = true;
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
    if !src.is_ipv4() || !dst.is_ipv4() {
        return None;
    }
    let mut ip = Box::new(bare_packet(src, dst));
    cursor.eat(b"LEN=")?;
    ip.length = Some(cursor.number()?);
    cursor.eat(b"TOS=0x")?;
    let tos = cursor.hex::<2>()?;
    cursor.eat(b" PREC=0x")?;
    ip.tos = Some(u8::try_from(tos | cursor.hex::<2>()?).ok()?);
    cursor.eat(b" TTL=")?;
    ip.ttl = Some(cursor.number()?);
    cursor.eat(b"ID=")?;
    ip.id = Some(cursor.number()?);
    Some(ip)
}

fn flags(cursor: &mut Cursor<'_>) -> IpFlags {
    let mut bits = 0;
    if cursor.eat_word(b"CE").is_some() {
        bits |= IpFlags::CE;
    }
    if cursor.eat_word(b"DF").is_some() {
        bits |= IpFlags::DF;
    }
    if cursor.eat_word(b"MF").is_some() {
        bits |= IpFlags::MF;
    }
    IpFlags(bits)
}

#[expect(clippy::option_option, reason = "the outer one says that it is there but broken")]
fn fragment(cursor: &mut Cursor<'_>, flags: IpFlags) -> Option<Option<Fragment>> {
    let more = flags.has(IpFlags::MF);
    let offset = match cursor.eat(b"FRAG:") {
        Some(()) => u32::from(cursor.number::<u16>()?) * 8,
        None if more => 0,
        None => return Some(None),
    };
    Some(Some(Fragment { offset, more, id: None }))
}

fn protocol(cursor: &mut Cursor<'_>, ip: &mut Ip, depth: u8) -> Option<()> {
    let later = ip.is_later_fragment();
    if cursor.eat(b"PROTO=").is_none() {
        // Later fragments of AH are the only packets that print no protocol.
        return later.then_some(());
    }
    let (protocol, read): (Protocol, fn(&mut Cursor<'_>) -> Option<Transport>) = match cursor.word()
    {
        b"TCP" => (Protocol::TCP, transport::tcp),
        b"UDP" => (Protocol::UDP, transport::udp),
        b"UDPLITE" => (Protocol::UDPLITE, transport::udp),
        b"AH" => (Protocol::AH, transport::spi),
        b"ESP" => (Protocol::ESP, transport::spi),
        b"ICMP" => {
            ip.protocol = Some(Protocol::ICMP);
            if !later {
                ip.transport = icmp(cursor, depth)?;
            }
            return Some(());
        }
        number => {
            let number = decimal(number)?;
            ip.protocol = Some(Protocol(number));
            return Some(());
        }
    };
    ip.protocol = Some(protocol);
    if !later {
        ip.transport = read(cursor)?;
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
    icmp.incomplete = transport::incomplete(cursor)?;
    if icmp.incomplete.is_none() {
        details(cursor, &mut icmp, depth)?;
    }
    Some(Transport::Icmp(Box::new(icmp)))
}

/// What each type prints, as the kernel's switch has it.
fn details(cursor: &mut Cursor<'_>, icmp: &mut Icmp, depth: u8) -> Option<()> {
    match icmp.kind {
        0 | 8 => icmp.echo = Some(echo(cursor)?),
        12 => {
            cursor.eat(b"PARAMETER=")?;
            icmp.extra = Some(IcmpExtra::Parameter(cursor.number()?));
        }
        3 | 4 | 5 | 11 => {
            if icmp.kind == 5 {
                cursor.eat(b"GATEWAY=")?;
                icmp.extra = Some(IcmpExtra::Gateway(cursor.address()?));
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

/// `ID=… SEQ=… ` of an echo request or reply.
pub(super) fn echo(cursor: &mut Cursor<'_>) -> Option<(u16, u16)> {
    cursor.eat(b"ID=")?;
    let id = cursor.number()?;
    cursor.eat(b"SEQ=")?;
    Some((id, cursor.number()?))
}
