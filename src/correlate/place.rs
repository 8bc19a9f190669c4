//! The layer of a line, and whom a frame is for.

use crate::model::{Header, Layer, LinkHeader, Network, Site};

/// The layer of a line.
pub(super) fn layer_of(site: &Site, header: &Header) -> Layer {
    if site.is_bridge() {
        return Layer::Bridge;
    }
    match &header.network {
        Network::Arp(_) => Layer::Arp,
        Network::Ip(ip) if ip.src.is_ipv6() => Layer::Ip6,
        Network::Ip(_) => Layer::Ip,
        Network::Absent | Network::Truncated | Network::Incomplete => match header.link.ethertype()
        {
            Some(0x86dd) => Layer::Ip6,
            Some(0x0806 | 0x8035) => Layer::Arp,
            Some(0x0800) | None => Layer::Ip,
            // Only nft's bridge and netdev families log other frames.
            Some(_) => Layer::Bridge,
        },
    }
}

/// Whether a frame goes to a group, and so to every port of a bridge.
pub(super) fn is_group_frame(link: &LinkHeader) -> bool {
    link.addresses().is_some_and(|(_, dst)| dst.0[0] & 1 == 1)
}
