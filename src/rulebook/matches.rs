//! The conditions of a rule, and whether they hold for what a line shows.

use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::model::{Devices, Header, Mac};

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// `!` stands before it.
    pub negated: bool,
    /// What is asked.
    pub test: Test,
}

/// What a condition asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `-i`: the device of IN=, which for ebtables is the bridge port, in the rule as in the line.
    Input(DevicePattern),
    /// `-o`: the device of OUT=.
    Output(DevicePattern),
    /// `--physdev-in`: the bridge port of PHYSIN=.
    PhysIn(DevicePattern),
    /// `--physdev-out`: the bridge port of PHYSOUT=.
    PhysOut(DevicePattern),
    /// `--logical-in` of ebtables, `meta ibrname`.
    Bridge(DevicePattern),
    /// `-s`; several for `-s a,b` in a file that was not made by `iptables-save`, and for `iprange`.
    Source(Vec<RangeInclusive<std::net::IpAddr>>),
    /// `-d`.
    Destination(Vec<RangeInclusive<std::net::IpAddr>>),
    /// `-p`.
    Protocol(u8),
    /// `--sport`, `--sports`.
    SourcePort(Vec<RangeInclusive<u16>>),
    /// `--dport`, `--dports`.
    DestinationPort(Vec<RangeInclusive<u16>>),
    /// `--ports`: either side.
    AnyPort(Vec<RangeInclusive<u16>>),
    /// `--tcp-flags mask set`, `--syn`.
    TcpFlags {
        /// The flags that are looked at.
        mask: u16,
        /// Those of them that must be set.
        set: u16,
    },
    /// `--icmp-type`: type, and codes.
    IcmpType {
        /// The type; `None` for any.
        kind: Option<u8>,
        /// The codes.
        codes: RangeInclusive<u8>,
    },
    /// `-m mark --mark value/mask`.
    Mark {
        /// The value.
        value: u32,
        /// The mask.
        mask: u32,
    },
    /// `--mac-source`, `-s` of ebtables.
    SourceMac(MacPattern),
    /// `-d` of ebtables.
    DestinationMac(MacPattern),
    /// `-p` of ebtables, `ether type`.
    EtherType(u16),
    /// `-m length`: IP total length.
    Length(RangeInclusive<u32>),
    /// `-m ttl --ttl-eq`, `-m hl`.
    Ttl(RangeInclusive<u8>),
    /// `-f`: later fragments.
    LaterFragment,
    /// `-m conntrack --ctstate`, `-m state`: names in capitals, as given.
    ConnectionState(Vec<Box<str>>),
    /// `-m addrtype`.
    AddressType {
        /// Whether the source is looked at; else the destination.
        of_source: bool,
        /// The kinds, of which one must hold.
        kinds: Vec<AddressKind>,
    },
    /// Always true: `-m comment`.
    Comment(Box<str>),
    /// A condition that a line cannot tell, or that this version does not know: its text.
    Other(Box<str>),
}

/// A device's name, or the beginning of one (`veth+`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePattern {
    /// The name, without `+` or `*`.
    pub name: Box<[u8]>,
    /// Whether more may follow.
    pub is_prefix: bool,
}

/// A hardware address, or the bits of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacPattern {
    /// The address.
    pub mac: Mac,
    /// The bits that count.
    pub mask: Mac,
}

/// `-m addrtype` kinds that addresses alone can tell, in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// One of the host's own.
    Local,
    /// Broadcast.
    Broadcast,
    /// Multicast.
    Multicast,
    /// Unicast.
    Unicast,
    /// Any other kind.
    Other,
}

/// What one line shows, as far as conditions ask for it.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// The devices.
    pub devices: &'a Devices,
    /// The header, when at hand; without it only devices are asked.
    pub header: Option<&'a Header>,
    /// The host's own addresses, when known.
    pub own: Option<&'a [IpNet]>,
    /// conntrack's state of the packet, when known: `NEW`, `ESTABLISHED`, `RELATED`.
    pub state: Option<&'a str>,
}
