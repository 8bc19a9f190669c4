//! One direction of a flow, as far as a rule can ask for it.

use std::fmt::{self, Display, Formatter};
use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::model::Protocol;

/// One direction of a flow: whatever is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Flow {
    /// What carries it.
    pub carrier: Option<Carrier>,
    /// From where.
    pub src: Option<IpNet>,
    /// To where.
    pub dst: Option<IpNet>,
    /// From which ports.
    pub sport: Option<RangeInclusive<u16>>,
    /// To which ports.
    pub dport: Option<RangeInclusive<u16>>,
}

/// What carries a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// A protocol over IP.
    Ip(Protocol),
    /// ARP, which only bridges filter here.
    Arp,
}

impl Carrier {
    /// TCP.
    pub const TCP: Self = Self::Ip(Protocol(6));
    /// UDP.
    pub const UDP: Self = Self::Ip(Protocol(17));
    /// ICMP.
    pub const ICMP: Self = Self::Ip(Protocol(1));
    /// `ICMPv6`.
    pub const ICMP6: Self = Self::Ip(Protocol(58));
    /// SCTP.
    pub const SCTP: Self = Self::Ip(Protocol(132));

    /// Whether rules can ask for its ports.
    pub fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP | Self::SCTP)
    }
}

impl Flow {
    /// The other direction.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let Self { carrier, src, dst, sport, dport } = self.clone();
        Self { carrier, src: dst, dst: src, sport: dport, dport: sport }
    }

    /// Whether packets of IPv4 can be of it.
    pub fn is_ip4(&self) -> bool {
        self.nets().all(|net| matches!(net, IpNet::V4(_))) && self.carrier != Some(Carrier::ICMP6)
    }

    /// Whether packets of IPv6 can be of it.
    pub fn is_ip6(&self) -> bool {
        let is_four = matches!(self.carrier, Some(Carrier::ICMP | Carrier::Arp));
        self.nets().all(|net| matches!(net, IpNet::V6(_))) && !is_four
    }

    /// Whether it names neither an end nor a port: everything of its kind.
    pub fn is_wide(&self) -> bool {
        self.nets().all(|net| net.prefix_len() == 0) && self.sport.is_none() && self.dport.is_none()
    }

    fn nets(&self) -> impl Iterator<Item = IpNet> {
        [self.src, self.dst].into_iter().flatten()
    }
}

/// `tcp from 10.0.0.5 to 172.17.0.5 port 6379`.
impl Display for Flow {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.carrier {
            None => write!(out, "ip")?,
            Some(Carrier::Arp) => write!(out, "arp")?,
            Some(Carrier::Ip(protocol)) => write!(out, "{}", protocol.name())?,
        }
        for (word, net, port) in [("from", &self.src, &self.sport), ("to", &self.dst, &self.dport)]
        {
            if net.is_some() || port.is_some() {
                write!(out, " {word}")?;
            }
            if let Some(net) = net {
                write!(out, " {}", address(net))?;
            }
            if let Some(port) = port {
                write!(out, " port {}", range(port, '-'))?;
            }
        }
        Ok(())
    }
}

/// A single address without its length.
pub(super) fn address(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// `80`, or `80:90` with another sign between.
pub(super) fn range(ports: &RangeInclusive<u16>, sign: char) -> String {
    let (first, last) = (ports.start(), ports.end());
    if first == last { first.to_string() } else { format!("{first}{sign}{last}") }
}
