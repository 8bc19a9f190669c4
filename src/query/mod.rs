//! What can be asked, once for every way of asking: the rows of the store joined with the rule sets and the context of
//! their moment, as JSON or as what a story is told of.
//!
//! The command line and the API both ask here, so that they cannot differ.

pub mod json;
mod rules;
mod subject;

pub use crate::library::{HostLore, Library};
pub use rules::{RuleStatus, rule_report};
pub use subject::{Subject, packet_connections, tell_row};
