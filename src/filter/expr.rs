//! The expression: what a filter asks.

use std::net::IpAddr;

use crate::model::{
    ConnectionState, Hook, LinkKind, Mac, NatKind, Protocol, Site, SiteKind, VerdictKind, WallTime,
};

/// A filter, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// All of them; an empty filter is all of nothing and matches everything.
    All(Vec<Expr>),
    /// At least one of them.
    Any(Vec<Expr>),
    /// Not this.
    Not(Box<Expr>),
    /// One question.
    Term(Term),
}

/// One question about a connection or packet: one key with its values, any of which will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// `addr:`, `src:`, `dst:`.
    Address(Side, Vec<AddressRange>),
    /// `port:`, `sport:`, `dport:`.
    Port(Side, Vec<NumberRange>),
    /// `host:`, compared without regard to case.
    Host(Vec<String>),
    /// `proto:`.
    Protocol(Vec<ProtocolName>),
    /// `in:` and `out:`: the IP layer's device or the bridge port.
    Device(Device, Vec<Box<[u8]>>),
    /// `mac:`, source or destination.
    Mac(Vec<Mac>),
    /// `nat:`.
    Nat(Vec<OneOf<NatKind>>),
    /// `verdict:`.
    Verdict(Vec<VerdictKind>),
    /// `rule:`.
    Rule(Vec<RulePattern>),
    /// `chain:`, with the table when given.
    Chain(Vec<ChainName>),
    /// `hook:`.
    Hook(Vec<Hook>),
    /// `state:`.
    State(Vec<ConnectionState>),
    /// `link:`.
    Link(Vec<OneOf<LinkKind>>),
    /// `since:`: seen at or after this time.
    Since(WallTime),
    /// `until:`: begun at or before this time.
    Until(WallTime),
    /// `id:`, in lower case.
    Id(Vec<String>),
    /// `lines:`.
    Lines(Vec<NumberRange>),
}

/// A chain, with its table when that was given.
pub type ChainName = (Option<Box<[u8]>>, Box<[u8]>);

/// Which end an address or port is asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Either.
    Any,
    /// The source.
    Source,
    /// The destination, before or after translation.
    Destination,
}

/// Which device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// IN= or PHYSIN=.
    In,
    /// OUT= or PHYSOUT=.
    Out,
}

/// Addresses from `first` to `last`, both of one family, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    /// The lowest.
    pub first: IpAddr,
    /// The highest.
    pub last: IpAddr,
}

impl AddressRange {
    /// Whether the address lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }
}

/// Numbers from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberRange {
    /// The lowest.
    pub first: u64,
    /// The highest.
    pub last: u64,
}

impl NumberRange {
    /// Whether the number lies in the range.
    pub fn contains(&self, number: u64) -> bool {
        self.first <= number && number <= self.last
    }
}

/// A value of `proto:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolName {
    /// An IP protocol.
    Ip(Protocol),
    /// ARP, which is none.
    Arp,
}

/// A kind, or the question whether there is any at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OneOf<T> {
    /// At least one, of whatever kind.
    Any,
    /// Not one.
    None,
    /// At least one of this kind.
    Kind(T),
}

impl<T: PartialEq> OneOf<T> {
    /// Whether a list of kinds answers the question.
    pub fn matches(&self, kinds: &[T]) -> bool {
        match self {
            Self::Any => !kinds.is_empty(),
            Self::None => kinds.is_empty(),
            Self::Kind(kind) => kinds.contains(kind),
        }
    }
}

/// A value of `rule:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulePattern {
    /// `table/chain`, `table/chain/3`, `table/chain/policy`, `table/chain/return`.
    Place {
        /// The table.
        table: Box<[u8]>,
        /// The chain.
        chain: Box<[u8]>,
        /// The place in the chain; any when not given.
        place: Option<Place>,
    },
    /// A site as printed: `filter:FORWARD:rule:3`, `eb:nat:OUTPUT`, `log:DROP`.
    Label(String),
}

/// A place in a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Rule n.
    Rule(u32),
    /// Its policy, whatever the number.
    Policy,
    /// Its end, whatever the number.
    Return,
}

impl RulePattern {
    /// Whether a site is meant.
    pub fn matches(&self, site: &Site) -> bool {
        match (self, site) {
            (Self::Label(label), site) => site.label() == *label,
            (Self::Place { table, chain, place }, Site::Trace { table: t, chain: c, kind }) => {
                table == t && chain == c && place.is_none_or(|place| place.matches(*kind))
            }
            (Self::Place { .. }, _) => false,
        }
    }
}

impl Place {
    fn matches(self, kind: SiteKind) -> bool {
        match (self, kind) {
            (Self::Rule(wanted), SiteKind::Rule(number)) => wanted == number,
            (Self::Policy, SiteKind::Policy(_)) | (Self::Return, SiteKind::Return(_)) => true,
            _ => false,
        }
    }
}
