//! Whose packets the rules of a rule set see.

use super::Layer;

/// Whose packets a rule set sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4: iptables, nft `ip`.
    Ip4,
    /// IPv6: ip6tables, nft `ip6`.
    Ip6,
    /// Both: nft `inet`.
    Inet,
    /// Frames on a bridge: ebtables, nft `bridge`.
    Bridge,
    /// ARP: arptables, nft `arp`.
    Arp,
    /// A device's own hooks: nft `netdev`.
    Netdev,
}

impl Family {
    /// Every family, in an order that never changes.
    pub const ALL: [Self; 6] =
        [Self::Ip4, Self::Ip6, Self::Inet, Self::Bridge, Self::Arp, Self::Netdev];

    /// nft's word for it: `ip`, `ip6`, `inet`, `bridge`, `arp`, `netdev`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ip4 => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
            Self::Bridge => "bridge",
            Self::Arp => "arp",
            Self::Netdev => "netdev",
        }
    }

    /// Reads nft's word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// Whether its rules can be behind a line of this layer.
    pub fn sees(self, layer: Layer) -> bool {
        match self {
            Self::Ip4 => layer == Layer::Ip,
            Self::Ip6 => layer == Layer::Ip6,
            Self::Inet => matches!(layer, Layer::Ip | Layer::Ip6),
            // A bridge's LOG rule prints whatever the frame carries.
            Self::Bridge | Self::Netdev => true,
            Self::Arp => layer == Layer::Arp,
        }
    }
}
