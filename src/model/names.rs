//! The words by which users, JSON, filters and the database call the small enums.

use super::{
    Completeness, Confidence, ConnectionState, Direction, EvidenceOf, Hook, Layer, LinkKind,
    NatKind, Protocol, TcpState, Trust, VerdictEvidence, VerdictKind,
};

macro_rules! names {
    ($type:ty { $($value:expr => $name:literal),* $(,)? }) => {
        impl $type {
            /// Every value, in an order that never changes.
            pub const ALL: &'static [Self] = &[$($value),*];

            const NAMES: &'static [&'static str] = &[$($name),*];

            /// The stable word for it.
            pub fn name(self) -> &'static str {
                let place = Self::ALL.iter().position(|value| *value == self);
                place.and_then(|place| Self::NAMES.get(place)).copied().unwrap_or_default()
            }

            /// Reads the stable word.
            pub fn from_name(name: &str) -> Option<Self> {
                let place = Self::NAMES.iter().position(|known| *known == name)?;
                Self::ALL.get(place).copied()
            }
        }
    };
}

names!(Layer {
    Layer::Ip => "ip",
    Layer::Ip6 => "ip6",
    Layer::Bridge => "bridge",
    Layer::Arp => "arp",
});

names!(Direction {
    Direction::Original => "original",
    Direction::Reply => "reply",
    Direction::Related => "related",
});

names!(Trust {
    Trust::Kernel => "kernel",
    Trust::Text => "text",
    Trust::Suspect => "suspect",
});

names!(Confidence {
    Confidence::Exact => "exact",
    Confidence::Likely => "likely",
    Confidence::Ambiguous => "ambiguous",
});

names!(VerdictKind {
    VerdictKind::Accepted => "accepted",
    VerdictKind::Dropped => "dropped",
    VerdictKind::Rejected => "rejected",
    VerdictKind::Consumed => "consumed",
    VerdictKind::Unknown => "unknown",
});

names!(VerdictEvidence {
    VerdictEvidence::Rule => "rule",
    VerdictEvidence::Policy => "policy",
    VerdictEvidence::Absence => "absence",
    VerdictEvidence::Reply => "reply",
});

names!(ConnectionState {
    ConnectionState::Tcp(TcpState::None) => "none",
    ConnectionState::Tcp(TcpState::SynSent) => "syn_sent",
    ConnectionState::Tcp(TcpState::SynRecv) => "syn_recv",
    ConnectionState::Tcp(TcpState::Established) => "established",
    ConnectionState::Tcp(TcpState::FinWait) => "fin_wait",
    ConnectionState::Tcp(TcpState::CloseWait) => "close_wait",
    ConnectionState::Tcp(TcpState::LastAck) => "last_ack",
    ConnectionState::Tcp(TcpState::TimeWait) => "time_wait",
    ConnectionState::Tcp(TcpState::Close) => "closed",
    ConnectionState::Tcp(TcpState::SynSent2) => "syn_sent2",
    ConnectionState::Unreplied => "unreplied",
    ConnectionState::Replied => "replied",
    ConnectionState::Assured => "assured",
});

names!(Completeness {
    Completeness::Whole => "whole",
    Completeness::BeganBeforeLog => "began_before_log",
    Completeness::Cut => "cut",
    Completeness::Lossy => "lossy",
});

names!(NatKind {
    NatKind::Dnat => "dnat",
    NatKind::Snat => "snat",
    NatKind::Masquerade => "masquerade",
    NatKind::Redirect => "redirect",
    NatKind::Netmap => "netmap",
});

names!(EvidenceOf {
    EvidenceOf::Observed => "observed",
    EvidenceOf::Inferred => "inferred",
});

names!(LinkKind {
    LinkKind::Proxy => "proxy",
    LinkKind::IcmpError => "icmp_error",
    LinkKind::Reset => "reset",
    LinkKind::Expectation => "expectation",
    LinkKind::ArpWait => "arp_wait",
    LinkKind::Retransmission => "retransmission",
});

impl Hook {
    /// Every hook, in the order in which a packet can meet them.
    pub const ALL: &'static [Self] = &[
        Self::Brouting,
        Self::Prerouting,
        Self::Input,
        Self::Forward,
        Self::Output,
        Self::Postrouting,
    ];
}

impl Protocol {
    /// The protocols that have a word; all others are called by their number.
    pub const NAMED: &'static [(Self, &'static str)] = &[
        (Self(1), "icmp"),
        (Self(2), "igmp"),
        (Self(6), "tcp"),
        (Self(17), "udp"),
        (Self(47), "gre"),
        (Self(50), "esp"),
        (Self(51), "ah"),
        (Self(58), "icmpv6"),
        (Self(132), "sctp"),
        (Self(136), "udplite"),
    ];

    /// The stable word, or the number as text.
    pub fn name(self) -> String {
        let named = Self::NAMED.iter().find(|(protocol, _)| *protocol == self);
        named.map_or_else(|| self.0.to_string(), |(_, name)| (*name).to_owned())
    }
}
