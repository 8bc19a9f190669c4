//! The seed's three cases, each with the ways its first packets take, written by hand.

mod containers;
mod local;
mod remote;

use super::host::{Plan, SeedHost};
use super::truth::Expected;

/// One case. Its name is its folder in `sample-logs`.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) plan: Plan,
    pub(crate) drive: fn(&SeedHost),
    pub(crate) expected: &'static [Expected],
}

/// The cases of `sample-logs`.
pub(crate) const SAMPLES: [Case; 5] = [
    remote::AS_THE_SEED,
    local::THROUGH_PROXY,
    containers::ALLOWED,
    containers::DROPPED,
    containers::LINKED,
];

/// The same on other hosts: bridged packets hidden from the IP chains, every table loaded.
pub(crate) const VARIANTS: [Case; 3] =
    [remote::BEHIND_THE_BRIDGE, local::EVERY_TABLE, containers::LINKED_EVERY_TABLE];
