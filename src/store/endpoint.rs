//! Addresses as the search index holds them.

use std::net::IpAddr;

/// The bytes of an address: 4 or 16, in the order that makes a network a range.
pub(crate) fn address_key(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
