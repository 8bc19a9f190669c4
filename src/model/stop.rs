//! Where a line stands on the packet-flow map: which hooks it can come from.

use super::{Devices, Hook, Site, Table};

/// One stop on a packet's way: a hook of the bridge or of the IP layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Stop {
    /// BROUTING of a bridge.
    BridgeBrouting,
    /// PREROUTING of a bridge.
    BridgePrerouting,
    /// INPUT of a bridge: up to the host.
    BridgeInput,
    /// FORWARD of a bridge: from port to port.
    BridgeForward,
    /// OUTPUT of a bridge: sent by the host.
    BridgeOutput,
    /// POSTROUTING of a bridge: out of a port.
    BridgePostrouting,
    /// PREROUTING of IP.
    Prerouting,
    /// INPUT of IP.
    Input,
    /// FORWARD of IP.
    Forward,
    /// OUTPUT of IP.
    Output,
    /// POSTROUTING of IP.
    Postrouting,
}

impl Stop {
    /// Every stop, bridge first.
    pub const ALL: [Self; 11] = [
        Self::BridgeBrouting,
        Self::BridgePrerouting,
        Self::BridgeInput,
        Self::BridgeForward,
        Self::BridgeOutput,
        Self::BridgePostrouting,
        Self::Prerouting,
        Self::Input,
        Self::Forward,
        Self::Output,
        Self::Postrouting,
    ];

    /// The stop of a built-in chain, of the bridge or of IP.
    pub fn of_hook(hook: Hook, bridge: bool) -> Option<Self> {
        Some(match (bridge, hook) {
            (true, Hook::Brouting) => Self::BridgeBrouting,
            (true, Hook::Prerouting) => Self::BridgePrerouting,
            (true, Hook::Input) => Self::BridgeInput,
            (true, Hook::Forward) => Self::BridgeForward,
            (true, Hook::Output) => Self::BridgeOutput,
            (true, Hook::Postrouting) => Self::BridgePostrouting,
            (false, Hook::Prerouting) => Self::Prerouting,
            (false, Hook::Input) => Self::Input,
            (false, Hook::Forward) => Self::Forward,
            (false, Hook::Output) => Self::Output,
            (false, Hook::Postrouting) => Self::Postrouting,
            (false, Hook::Brouting) => return None,
        })
    }

    /// Whether a frame or packet passes it before it is decided where that goes, or on the way up.
    pub fn is_way_in(self) -> bool {
        matches!(
            self,
            Self::BridgeBrouting
                | Self::BridgePrerouting
                | Self::BridgeInput
                | Self::Prerouting
                | Self::Input
        )
    }

    /// The order of a table inside this hook.
    pub fn table_rank(self, table: Table) -> u8 {
        match (self, table) {
            // nat works on the source side last: at INPUT and POSTROUTING.
            (Self::Input | Self::Postrouting, Table::Nat) => 9,
            (_, Table::Broute) => 0,
            (_, Table::Raw) => 1,
            (_, Table::Mangle) => 2,
            (_, Table::Nat) => 3,
            (_, Table::Filter) => 4,
            (_, Table::Security) => 5,
        }
    }
}

/// A set of stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StopSet(u16);

impl StopSet {
    /// No stop.
    pub const EMPTY: Self = Self(0);

    /// These stops.
    pub const fn of(stops: &[Stop]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < stops.len() {
            bits |= 1 << (stops[index] as u8);
            index += 1;
        }
        Self(bits)
    }

    /// Whether the stop is in it.
    pub fn has(self, stop: Stop) -> bool {
        self.0 & (1 << (stop as u8)) != 0
    }

    /// Adds a stop.
    pub fn insert(&mut self, stop: Stop) {
        self.0 |= 1 << (stop as u8);
    }

    /// Whether both have a stop in common.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether it holds no stop.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The stops that are in both.
    #[must_use]
    pub fn only(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Its stops in the order of [`Stop::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Stop> {
        Stop::ALL.into_iter().filter(move |stop| self.has(*stop))
    }
}

/// Where a line can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The stops it can come from, by its chain's name or by the devices printed.
    pub stops: StopSet,
    /// Its table, when the line tells a standard one.
    pub table: Option<Table>,
    /// Whether ebtables printed it.
    pub bridge: bool,
}

impl Place {
    /// The place of a line. `at_port`: its devices are ports of a bridge though ebtables did not print it.
    pub fn of(site: &Site, devices: &Devices, at_port: bool) -> Self {
        let bridge = site.is_bridge() || at_port;
        let table = site.table();
        let stops = match site.hook().and_then(|hook| Stop::of_hook(hook, bridge)) {
            Some(stop) => StopSet::of(&[stop]),
            None if bridge => bridge_stops(devices),
            None => ip_stops(devices, table),
        };
        Self { stops, table, bridge }
    }
}

fn bridge_stops(devices: &Devices) -> StopSet {
    match (devices.input, devices.output) {
        (Some(_), Some(_)) => StopSet::of(&[Stop::BridgeForward]),
        (Some(_), None) => {
            StopSet::of(&[Stop::BridgeBrouting, Stop::BridgePrerouting, Stop::BridgeInput])
        }
        (None, Some(_)) => StopSet::of(&[Stop::BridgeOutput, Stop::BridgePostrouting]),
        (None, None) => StopSet::of(&Stop::ALL).only(BRIDGE),
    }
}

const BRIDGE: StopSet = StopSet::of(&[
    Stop::BridgeBrouting,
    Stop::BridgePrerouting,
    Stop::BridgeInput,
    Stop::BridgeForward,
    Stop::BridgeOutput,
    Stop::BridgePostrouting,
]);

fn ip_stops(devices: &Devices, table: Option<Table>) -> StopSet {
    let by_devices = match (devices.input, devices.output) {
        (Some(_), Some(_)) => StopSet::of(&[Stop::Forward, Stop::Postrouting]),
        (Some(_), None) => StopSet::of(&[Stop::Prerouting, Stop::Input]),
        (None, Some(_)) if devices.physin.is_some() => StopSet::of(&[Stop::Postrouting]),
        (None, Some(_)) => StopSet::of(&[Stop::Output, Stop::Postrouting]),
        (None, None) => StopSet::of(&[
            Stop::Prerouting,
            Stop::Input,
            Stop::Forward,
            Stop::Output,
            Stop::Postrouting,
        ]),
    };
    let by_table = match table {
        Some(Table::Raw) => StopSet::of(&[Stop::Prerouting, Stop::Output]),
        Some(Table::Nat) => {
            StopSet::of(&[Stop::Prerouting, Stop::Input, Stop::Output, Stop::Postrouting])
        }
        Some(Table::Filter | Table::Security) => {
            StopSet::of(&[Stop::Input, Stop::Forward, Stop::Output])
        }
        Some(Table::Mangle | Table::Broute) | None => by_devices,
    };
    let both = by_devices.only(by_table);
    if both.is_empty() { by_devices } else { both }
}
