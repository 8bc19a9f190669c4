//! Between a model transport header and the flat list of fields.

use crate::model::{Icmp, Tcp, TcpFlags, TcpOptions, Transport};
use crate::store::codec::Damaged;
use crate::store::codec::bytes::{Input, put_bytes};
use crate::store::codec::difference::{Parts, Sources};
use crate::store::codec::flat::{Field, Flat};
use crate::store::codec::header::{flatten_ip, narrow_some, needed, or_zero, unflatten_ip};
use crate::store::codec::pieces::{put_extra, read_extra};

const TRANSPORT_INCOMPLETE: u64 = 1;
const TRANSPORT_TCP: u64 = 2;
const TRANSPORT_UDP: u64 = 3;
pub(super) const TRANSPORT_PORTS: u64 = 4;
const TRANSPORT_ICMP: u64 = 5;
const TRANSPORT_SPI: u64 = 6;

pub(super) fn flatten_transport(transport: &Transport, flat: &mut Flat) {
    let ports = |flat: &mut Flat, kind, sport: u16, dport: u16| {
        flat.set(Field::Transport, kind);
        flat.set(Field::Sport, u64::from(sport));
        flat.set(Field::Dport, u64::from(dport));
    };
    match transport {
        Transport::Absent => {}
        Transport::Incomplete(bytes) => {
            flat.set(Field::Transport, TRANSPORT_INCOMPLETE);
            flat.set_some(Field::TransportNumber, *bytes);
        }
        Transport::Tcp(tcp) => {
            ports(flat, TRANSPORT_TCP, tcp.sport, tcp.dport);
            flatten_tcp(tcp, flat);
        }
        Transport::Udp { sport, dport, length } => {
            ports(flat, TRANSPORT_UDP, *sport, *dport);
            flat.set_some(Field::UdpLength, *length);
        }
        Transport::Ports { sport, dport } => ports(flat, TRANSPORT_PORTS, *sport, *dport),
        Transport::Icmp(icmp) => {
            flat.set(Field::Transport, TRANSPORT_ICMP);
            flatten_icmp(icmp, flat);
        }
        Transport::Spi(spi) => {
            flat.set(Field::Transport, TRANSPORT_SPI);
            flat.set(Field::TransportNumber, u64::from(*spi));
        }
    }
}

pub(super) fn unflatten_transport(flat: &Flat, depth: u8) -> Result<Transport, Damaged> {
    Ok(match flat.number(Field::Transport) {
        None => Transport::Absent,
        Some(TRANSPORT_INCOMPLETE) => {
            Transport::Incomplete(narrow_some(flat, Field::TransportNumber)?)
        }
        Some(TRANSPORT_TCP) => Transport::Tcp(unflatten_tcp(flat)?),
        Some(TRANSPORT_UDP) => Transport::Udp {
            sport: needed(flat, Field::Sport)?,
            dport: needed(flat, Field::Dport)?,
            length: narrow_some(flat, Field::UdpLength)?,
        },
        Some(TRANSPORT_PORTS) => Transport::Ports {
            sport: needed(flat, Field::Sport)?,
            dport: needed(flat, Field::Dport)?,
        },
        Some(TRANSPORT_ICMP) => Transport::Icmp(Box::new(unflatten_icmp(flat, depth)?)),
        Some(TRANSPORT_SPI) => Transport::Spi(needed(flat, Field::TransportNumber)?),
        Some(_) => return Err(Damaged("unknown transport header")),
    })
}

fn flatten_tcp(tcp: &Tcp, flat: &mut Flat) {
    if let Some((seq, ack)) = tcp.seq_ack {
        flat.set(Field::Seq, u64::from(seq));
        flat.set(Field::Ack, u64::from(ack));
    }
    flat.set(Field::Window, u64::from(tcp.window));
    flat.set_nonzero(Field::Reserved, tcp.reserved);
    flat.set(Field::TcpFlags, u64::from(tcp.flags.0));
    flat.set_nonzero(Field::Urgent, tcp.urgent);
    match &tcp.options {
        TcpOptions::Absent => {}
        TcpOptions::Bytes(bytes) => match stamps(bytes) {
            Some(stamps) => flat.set(Field::TcpStamps, stamps),
            None => flat.set_string(Field::TcpOptions, bytes.to_vec()),
        },
        TcpOptions::Truncated => flat.flag(Field::TcpOptionsTruncated, true),
    }
}

/// `NOP NOP Timestamp`, the options of nearly every TCP segment; eight bytes follow.
const STAMPS: [u8; 4] = [1, 1, 8, 10];

fn stamps(options: &[u8]) -> Option<u64> {
    let stamps: [u8; 8] = options.strip_prefix(&STAMPS)?.try_into().ok()?;
    Some(u64::from_be_bytes(stamps))
}

fn unflatten_tcp(flat: &Flat) -> Result<Tcp, Damaged> {
    let seq_ack = match (narrow_some(flat, Field::Seq)?, narrow_some(flat, Field::Ack)?) {
        (Some(seq), Some(ack)) => Some((seq, ack)),
        _ => None,
    };
    let options = if flat.has(Field::TcpOptionsTruncated) {
        TcpOptions::Truncated
    } else if let Some(stamps) = flat.number(Field::TcpStamps) {
        TcpOptions::Bytes([&STAMPS[..], &stamps.to_be_bytes()].concat().into())
    } else {
        let bytes = flat.string(Field::TcpOptions);
        bytes.map_or(TcpOptions::Absent, |bytes| TcpOptions::Bytes(bytes.into()))
    };
    Ok(Tcp {
        sport: needed(flat, Field::Sport)?,
        dport: needed(flat, Field::Dport)?,
        seq_ack,
        window: needed(flat, Field::Window)?,
        reserved: or_zero(flat, Field::Reserved)?,
        flags: TcpFlags(needed(flat, Field::TcpFlags)?),
        urgent: or_zero(flat, Field::Urgent)?,
        options,
    })
}

fn flatten_icmp(icmp: &Icmp, flat: &mut Flat) {
    flat.set(Field::IcmpType, u64::from(icmp.kind));
    flat.set(Field::IcmpCode, u64::from(icmp.code));
    flat.set_some(Field::IcmpIncomplete, icmp.incomplete);
    if let Some((id, seq)) = icmp.echo {
        flat.set(Field::EchoId, u64::from(id));
        flat.set(Field::EchoSeq, u64::from(seq));
    }
    if let Some(extra) = icmp.extra {
        flat.set_string(Field::IcmpExtra, put_extra(extra));
    }
    flat.set_some(Field::Mtu, icmp.mtu);
    if let Some(inner) = &icmp.inner {
        let mut quoted = Flat::default();
        flatten_ip(inner, &mut quoted);
        let mut parts = Parts::default();
        parts.put(&Flat::default(), &quoted, quoted.present());
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, &parts.shared);
        bytes.append(&mut parts.own);
        flat.set_string(Field::Inner, bytes);
    }
}

fn unflatten_icmp(flat: &Flat, depth: u8) -> Result<Icmp, Damaged> {
    let inner = match flat.string(Field::Inner) {
        None => None,
        Some(bytes) => {
            let mut own = Input::new(bytes);
            let shared = Input::new(own.bytes()?);
            let mut sources = Sources { shared, own, elsewhere: Flat::default(), expected: None };
            let quoted = sources.change(&Flat::default(), false)?;
            Some(Box::new(unflatten_ip(&quoted, depth + 1)?))
        }
    };
    Ok(Icmp {
        kind: needed(flat, Field::IcmpType)?,
        code: needed(flat, Field::IcmpCode)?,
        incomplete: narrow_some(flat, Field::IcmpIncomplete)?,
        echo: match (narrow_some(flat, Field::EchoId)?, narrow_some(flat, Field::EchoSeq)?) {
            (Some(id), Some(seq)) => Some((id, seq)),
            _ => None,
        },
        extra: flat.string(Field::IcmpExtra).map(read_extra).transpose()?,
        mtu: narrow_some(flat, Field::Mtu)?,
        inner,
    })
}
