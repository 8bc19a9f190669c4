//! The fast way through what follows `PROTO=`: TCP, UDP, AH and ESP, alike in both families.
//!
//! ```text
//! PROTO=TCP SPT=46766 DPT=40000 SEQ=1876358601 ACK=0 WINDOW=64240 RES=0x00 SYN URGP=0 OPT (020405B4)
//! PROTO=UDP SPT=53 DPT=5353 LEN=18
//! PROTO=TCP INCOMPLETE [8 bytes]
//! ```

use crate::model::{Tcp, TcpFlags, TcpOptions, Transport};
use crate::parse::cursor::{Cursor, hex_bytes};

/// `INCOMPLETE [n bytes] `, when it stands here.
#[expect(clippy::option_option, reason = "the outer one says that it is there but broken")]
pub(super) fn incomplete(cursor: &mut Cursor<'_>) -> Option<Option<u32>> {
    if cursor.eat(b"INCOMPLETE [").is_none() {
        return Some(None);
    }
    let bytes = cursor.digits()?;
    cursor.eat_word(b" bytes]")?;
    Some(Some(bytes))
}

/// `OPT (…) ` with hexadecimal digits, when it stands here.
#[expect(clippy::option_option, reason = "the outer one says that it is there but broken")]
pub(super) fn options(cursor: &mut Cursor<'_>) -> Option<Option<Box<[u8]>>> {
    if cursor.eat(b"OPT (").is_none() {
        return Some(None);
    }
    let digits = cursor.word().strip_suffix(b")")?;
    Some(Some(hex_bytes(digits)?))
}

/// What follows `PROTO=TCP `.
pub(super) fn tcp(cursor: &mut Cursor<'_>) -> Option<Transport> {
    if let Some(bytes) = incomplete(cursor)? {
        return Some(Transport::Incomplete(Some(bytes)));
    }
    let (sport, dport) = ports(cursor)?;
    let seq_ack = match cursor.eat(b"SEQ=") {
        Some(()) => {
            let seq = cursor.number()?;
            cursor.eat(b"ACK=")?;
            Some((seq, cursor.number()?))
        }
        None => None,
    };
    cursor.eat(b"WINDOW=")?;
    let window = cursor.number()?;
    cursor.eat(b"RES=0x")?;
    let reserved = u8::try_from(cursor.hex::<2>()?).ok()?;
    cursor.blank()?;
    let flags = flags(cursor);
    cursor.eat(b"URGP=")?;
    let urgent = cursor.number()?;
    let options = tcp_options(cursor)?;
    Some(Transport::Tcp(Tcp { sport, dport, seq_ack, window, reserved, flags, urgent, options }))
}

/// What follows `PROTO=UDP ` or `PROTO=UDPLITE `.
pub(super) fn udp(cursor: &mut Cursor<'_>) -> Option<Transport> {
    if let Some(bytes) = incomplete(cursor)? {
        return Some(Transport::Incomplete(Some(bytes)));
    }
    let (sport, dport) = ports(cursor)?;
    cursor.eat(b"LEN=")?;
    Some(Transport::Udp { sport, dport, length: Some(cursor.number()?) })
}

/// What follows `PROTO=AH ` or `PROTO=ESP `.
pub(super) fn spi(cursor: &mut Cursor<'_>) -> Option<Transport> {
    if let Some(bytes) = incomplete(cursor)? {
        return Some(Transport::Incomplete(Some(bytes)));
    }
    cursor.eat(b"SPI=0x")?;
    Some(Transport::Spi(cursor.hex_number()?))
}

fn ports(cursor: &mut Cursor<'_>) -> Option<(u16, u16)> {
    cursor.eat(b"SPT=")?;
    let sport = cursor.number()?;
    cursor.eat(b"DPT=")?;
    Some((sport, cursor.number()?))
}

fn flags(cursor: &mut Cursor<'_>) -> TcpFlags {
    let mut bits = 0;
    loop {
        let bit = match cursor.rest() {
            [b'A', b'C', b'K', b' ', ..] => TcpFlags::ACK,
            [b'P', b'S', b'H', b' ', ..] => TcpFlags::PSH,
            [b'S', b'Y', b'N', b' ', ..] => TcpFlags::SYN,
            [b'F', b'I', b'N', b' ', ..] => TcpFlags::FIN,
            [b'R', b'S', b'T', b' ', ..] => TcpFlags::RST,
            [b'U', b'R', b'G', b' ', ..] => TcpFlags::URG,
            [b'E', b'C', b'E', b' ', ..] => TcpFlags::ECE,
            [b'C', b'W', b'R', b' ', ..] => TcpFlags::CWR,
            [b'A', b'E', b' ', ..] => TcpFlags::AE,
            _ => return TcpFlags(bits),
        };
        bits |= bit;
        cursor.word();
    }
}

fn tcp_options(cursor: &mut Cursor<'_>) -> Option<TcpOptions> {
    if cursor.eat_last(b"OPT (TRUNCATED)").is_some() || cursor.eat_last(b"TRUNCATED").is_some() {
        return Some(TcpOptions::Truncated);
    }
    Some(options(cursor)?.map_or(TcpOptions::Absent, TcpOptions::Bytes))
}
