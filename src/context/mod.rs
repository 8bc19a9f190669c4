//! What else is known of a host: addresses, routes, neighbours, bridge ports, containers, conntrack's own record.
//!
//! [`read()`] takes the output of `ip`, `bridge`, `brctl`, `docker inspect`, `docker ps`, `sysctl` and `conntrack`, as text or as
//! JSON, and tells by its content what it is. [`HostContext`] answers the questions that a story asks: which route
//! leads there, which port a hardware address is behind, whose address that is. Every answer can cite its line.
//!
//! Pure: text in, facts and remarks out; it never fails.

mod facts;
mod merge;
mod questions;
mod read;
mod routing;
mod track;

pub use facts::{
    Address, BridgePort, Container, ContainerNetwork, Device, FdbEntry, HostContext, Kind,
    Neighbour, PolicyRule, Route, RouteKind, Setting,
};
pub use read::{Reading, Remark, read};
pub use routing::{RouteAnswer, RouteQuestion};
pub use track::{Conntrack, ConntrackEntry, ConntrackTuple, Rewrite};
