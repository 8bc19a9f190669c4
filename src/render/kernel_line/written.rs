//! How the kernel writes addresses.

use std::fmt::{Display, Formatter, Result};
use std::net::{IpAddr, Ipv6Addr};

use crate::model::Mac;

/// A hardware address with colons.
pub(super) struct Octets<'a>(pub(super) &'a Mac);

impl Display for Octets<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        octets(&self.0.0, f)
    }
}

/// Octets with colons between them.
pub(super) struct Colons<'a>(pub(super) &'a [u8]);

impl Display for Colons<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        octets(self.0, f)
    }
}

fn octets(octets: &[u8], f: &mut Formatter<'_>) -> Result {
    for (place, octet) in octets.iter().enumerate() {
        write!(f, "{}{octet:02x}", if place == 0 { "" } else { ":" })?;
    }
    Ok(())
}

/// An address as the kernel's log has it: IPv6 in eight full groups.
pub(super) struct Address(pub(super) IpAddr);

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => full_groups(address, f),
        }
    }
}

fn full_groups(address: Ipv6Addr, f: &mut Formatter<'_>) -> Result {
    for (place, group) in address.segments().into_iter().enumerate() {
        write!(f, "{}{group:04x}", if place == 0 { "" } else { ":" })?;
    }
    Ok(())
}
