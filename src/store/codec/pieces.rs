//! The parts of a header that are stored as byte strings: they are rare, or always belong together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Arp, ArpAddresses, Devices, IcmpExtra, IfName, Mac};
use crate::store::codec::Damaged;
use crate::store::codec::bytes::{Input, put_fixed, put_varint};

pub(super) fn put_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            out.push(4);
            out.extend_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            out.push(6);
            out.extend_from_slice(&address.octets());
        }
    }
}

fn read_address(input: &mut Input<'_>) -> Result<IpAddr, Damaged> {
    match input.byte()? {
        4 => Ok(IpAddr::V4(Ipv4Addr::from(input.array::<4>()?))),
        6 => Ok(IpAddr::V6(Ipv6Addr::from(input.array::<16>()?))),
        _ => Err(Damaged("unknown address family")),
    }
}

pub(super) fn read_tunnel(bytes: &[u8]) -> Result<(IpAddr, IpAddr), Damaged> {
    let mut input = Input::new(bytes);
    Ok((read_address(&mut input)?, read_address(&mut input)?))
}

pub(super) fn put_devices(devices: &Devices) -> Vec<u8> {
    let mut out = Vec::new();
    for name in [devices.input, devices.output, devices.physin, devices.physout] {
        let bytes = name.as_ref().map_or(&[][..], IfName::as_bytes);
        put_varint(&mut out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
    out
}

pub(super) fn read_devices(bytes: &[u8]) -> Result<Devices, Damaged> {
    let mut input = Input::new(bytes);
    let mut next = || Ok(IfName::new(input.bytes()?));
    Ok(Devices { input: next()?, output: next()?, physin: next()?, physout: next()? })
}

pub(super) fn put_extra(extra: IcmpExtra) -> Vec<u8> {
    let mut out = Vec::new();
    match extra {
        IcmpExtra::Parameter(value) => {
            out.push(0);
            put_varint(&mut out, u64::from(value));
        }
        IcmpExtra::Gateway(address) => {
            out.push(1);
            put_address(&mut out, address);
        }
        IcmpExtra::Pointer(value) => {
            out.push(2);
            put_varint(&mut out, u64::from(value));
        }
    }
    out
}

pub(super) fn read_extra(bytes: &[u8]) -> Result<IcmpExtra, Damaged> {
    let mut input = Input::new(bytes);
    match input.byte()? {
        0 => Ok(IcmpExtra::Parameter(input.narrow()?)),
        1 => Ok(IcmpExtra::Gateway(read_address(&mut input)?)),
        2 => Ok(IcmpExtra::Pointer(input.narrow()?)),
        _ => Err(Damaged("unknown ICMP field")),
    }
}

pub(super) fn put_arp(arp: &Arp) -> Vec<u8> {
    let flags = u8::from(arp.incomplete_bytes.is_some()) << 2
        | u8::from(arp.incomplete) << 1
        | u8::from(arp.addresses.is_some());
    let mut out = vec![flags];
    for number in [arp.hardware, arp.protocol, arp.operation] {
        put_fixed(&mut out, u64::from(number), 2);
    }
    if let Some(addresses) = arp.addresses {
        out.extend_from_slice(&addresses.sender_mac.0);
        out.extend_from_slice(&addresses.sender_ip.octets());
        out.extend_from_slice(&addresses.target_mac.0);
        out.extend_from_slice(&addresses.target_ip.octets());
    }
    if let Some(bytes) = arp.incomplete_bytes {
        put_varint(&mut out, u64::from(bytes));
    }
    out
}

pub(super) fn read_arp(bytes: &[u8]) -> Result<Arp, Damaged> {
    let mut input = Input::new(bytes);
    let flags = input.byte()?;
    let mut number = || input.array().map(u16::from_be_bytes);
    let (hardware, protocol, operation) = (number()?, number()?, number()?);
    let addresses = if flags & 1 == 0 {
        None
    } else {
        Some(ArpAddresses {
            sender_mac: Mac(input.array()?),
            sender_ip: input.array::<4>()?.into(),
            target_mac: Mac(input.array()?),
            target_ip: input.array::<4>()?.into(),
        })
    };
    let incomplete_bytes = if flags & 4 == 0 { None } else { Some(input.narrow()?) };
    Ok(Arp {
        hardware,
        protocol,
        operation,
        addresses,
        incomplete: flags & 2 != 0,
        incomplete_bytes,
    })
}
