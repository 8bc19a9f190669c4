//! Between a model header and its flat list of fields.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Devices, Fragment, Header, Ip, IpFlags, LinkHeader, Network, Protocol};
use crate::store::codec::Damaged;
use crate::store::codec::bytes::narrow;
use crate::store::codec::flat::{Field, Flat};
use crate::store::codec::pieces::{
    put_address, put_arp, put_devices, read_arp, read_devices, read_tunnel,
};
use crate::store::codec::transport::{flatten_transport, unflatten_transport};

/// How deep a quoted packet may quote another. The kernel prints one level.
const MAX_DEPTH: u8 = 8;

const NETWORK_TRUNCATED: u64 = 1;
const NETWORK_INCOMPLETE: u64 = 2;
const NETWORK_IP: u64 = 3;
const NETWORK_ARP: u64 = 4;

/// Flattens a header into `flat`. `hop_devices` are those of the step's hop; `link` is the place of its
/// link-layer header in the packet's list of frames.
pub(super) fn flatten(header: &Header, hop_devices: &Devices, link: Option<u64>, flat: &mut Flat) {
    flat.reset();
    flat.set_some(Field::Link, link);
    if header.devices != *hop_devices {
        flat.set_string(Field::Devices, put_devices(&header.devices));
    }
    if let Some((from, to)) = header.tunnel {
        let mut bytes = Vec::new();
        put_address(&mut bytes, from);
        put_address(&mut bytes, to);
        flat.set_string(Field::Tunnel, bytes);
    }
    match &header.network {
        Network::Absent => {}
        Network::Truncated => flat.set(Field::Network, NETWORK_TRUNCATED),
        Network::Incomplete => flat.set(Field::Network, NETWORK_INCOMPLETE),
        Network::Ip(ip) => {
            flat.set(Field::Network, NETWORK_IP);
            flatten_ip(ip, flat);
        }
        Network::Arp(arp) => {
            flat.set(Field::Network, NETWORK_ARP);
            flat.set_string(Field::Arp, put_arp(arp));
        }
    }
    flat.set_some(
        Field::Owner,
        header.owner.map(|(uid, gid)| u64::from(uid) << 32 | u64::from(gid)),
    );
    flat.set_some(Field::Mark, header.mark);
    if let Some(unknown) = &header.unknown {
        flat.set_string(Field::Unknown, unknown.to_vec());
    }
    flat.flag(Field::Cut, header.cut);
}

/// Undoes [`flatten`].
pub(super) fn unflatten(
    flat: &Flat,
    hop_devices: &Devices,
    frames: &[LinkHeader],
) -> Result<Header, Damaged> {
    let link = match flat.number(Field::Link) {
        None => LinkHeader::Absent,
        Some(index) => {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            frames.get(index).ok_or(Damaged("no such frame"))?.clone()
        }
    };
    Ok(Header {
        devices: match flat.string(Field::Devices) {
            None => *hop_devices,
            Some(bytes) => read_devices(bytes)?,
        },
        link,
        tunnel: flat.string(Field::Tunnel).map(read_tunnel).transpose()?,
        network: match flat.number(Field::Network) {
            None => Network::Absent,
            Some(NETWORK_TRUNCATED) => Network::Truncated,
            Some(NETWORK_INCOMPLETE) => Network::Incomplete,
            Some(NETWORK_IP) => Network::Ip(Box::new(unflatten_ip(flat, 0)?)),
            Some(NETWORK_ARP) => {
                Network::Arp(read_arp(flat.string(Field::Arp).ok_or(Damaged("no ARP body"))?)?)
            }
            Some(_) => return Err(Damaged("unknown network header")),
        },
        owner: flat.number(Field::Owner).map(halves),
        mark: narrow_some(flat, Field::Mark)?,
        unknown: flat.string(Field::Unknown).map(Into::into),
        cut: flat.has(Field::Cut),
    })
}

fn halves(value: u64) -> (u32, u32) {
    let half = |value: u64| u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default();
    (half(value >> 32), half(value))
}

pub(super) fn narrow_some<T: TryFrom<u64>>(
    flat: &Flat,
    field: Field,
) -> Result<Option<T>, Damaged> {
    flat.number(field).map(narrow).transpose()
}

pub(super) fn needed<T: TryFrom<u64>>(flat: &Flat, field: Field) -> Result<T, Damaged> {
    narrow(flat.number(field).ok_or(Damaged("a field is missing"))?)
}

pub(super) fn or_zero<T: TryFrom<u64>>(flat: &Flat, field: Field) -> Result<T, Damaged> {
    narrow(flat.number(field).unwrap_or_default())
}

pub(super) fn flatten_ip(ip: &Ip, flat: &mut Flat) {
    set_address(flat, ip.src, Field::Src4, Field::Src6High, Field::Src6Low);
    set_address(flat, ip.dst, Field::Dst4, Field::Dst6High, Field::Dst6Low);
    flat.set_some(Field::Length, ip.length);
    flat.set_some(Field::Tos, ip.tos);
    flat.set_some(Field::Ttl, ip.ttl);
    flat.set_some(Field::Id, ip.id);
    flat.set_some(Field::FlowLabel, ip.flow_label);
    flat.set_nonzero(Field::Flags, ip.flags.0);
    if let Some(fragment) = ip.fragment {
        flat.set(Field::FragmentOffset, u64::from(fragment.offset));
        flat.flag(Field::FragmentMore, fragment.more);
        flat.set_some(Field::FragmentId, fragment.id);
    }
    if let Some(options) = &ip.options {
        flat.set_string(Field::IpOptions, options.to_vec());
    }
    flat.set_nonzero(Field::ExtensionHeaders, ip.extension_headers);
    flat.set_some(Field::AhSpi, ip.ah_spi);
    flat.flag(Field::IpTruncated, ip.truncated);
    flat.set_some(Field::Protocol, ip.protocol.map(|protocol| protocol.0));
    flatten_transport(&ip.transport, flat);
}

pub(super) fn unflatten_ip(flat: &Flat, depth: u8) -> Result<Ip, Damaged> {
    if depth > MAX_DEPTH {
        return Err(Damaged("quoted packets are nested too deep"));
    }
    Ok(Ip {
        src: address(flat, Field::Src4, Field::Src6High, Field::Src6Low)?,
        dst: address(flat, Field::Dst4, Field::Dst6High, Field::Dst6Low)?,
        length: narrow_some(flat, Field::Length)?,
        tos: narrow_some(flat, Field::Tos)?,
        ttl: narrow_some(flat, Field::Ttl)?,
        id: narrow_some(flat, Field::Id)?,
        flow_label: narrow_some(flat, Field::FlowLabel)?,
        flags: IpFlags(or_zero(flat, Field::Flags)?),
        fragment: match narrow_some(flat, Field::FragmentOffset)? {
            None => None,
            Some(offset) => Some(Fragment {
                offset,
                more: flat.has(Field::FragmentMore),
                id: narrow_some(flat, Field::FragmentId)?,
            }),
        },
        options: flat.string(Field::IpOptions).map(Into::into),
        extension_headers: or_zero(flat, Field::ExtensionHeaders)?,
        ah_spi: narrow_some(flat, Field::AhSpi)?,
        truncated: flat.has(Field::IpTruncated),
        protocol: narrow_some(flat, Field::Protocol)?.map(Protocol),
        transport: unflatten_transport(flat, depth)?,
    })
}

pub(super) fn set_address(flat: &mut Flat, address: IpAddr, v4: Field, high: Field, low: Field) {
    match address {
        IpAddr::V4(address) => flat.set(v4, u64::from(address.to_bits())),
        IpAddr::V6(address) => {
            let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
            flat.set(high, half(address.to_bits() >> 64));
            flat.set(low, half(address.to_bits()));
        }
    }
}

fn address(flat: &Flat, v4: Field, high: Field, low: Field) -> Result<IpAddr, Damaged> {
    if let Some(bits) = narrow_some(flat, v4)? {
        return Ok(IpAddr::V4(Ipv4Addr::from_bits(bits)));
    }
    match (flat.number(high), flat.number(low)) {
        (Some(high), Some(low)) => {
            Ok(IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low))))
        }
        _ => Err(Damaged("an address is missing")),
    }
}
