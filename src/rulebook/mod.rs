//! Rule sets as text, and the rule a site stands for.
//!
//! A line names a place, `filter:FORWARD:rule:2`; what stands there is in the output of `iptables-save`,
//! `ip6tables-save`, `ebtables-save`, `ebtables -L` or `nft list ruleset`. [`read()`] takes any of them,
//! [`RuleSet::resolve`] gives the rule, policy or chain end that a site stands for, or says why the text cannot be
//! of the rules that the packet met. [`Match::holds`] tells, as far as a line can tell, whether a rule matches.
//!
//! Pure: text in, values and remarks out; it never fails.

mod book;
mod holds;
mod matches;
mod read;
mod resolve;
mod ruleset;
mod target;

pub use crate::model::Family;

pub use book::{Book, Moment, Revision};
pub use matches::{AddressKind, DevicePattern, MacPattern, Match, Sight, Test};
pub use read::{Reading, Remark, read};
pub use resolve::{Found, Misfit, Spot};
pub use ruleset::{Chain, Counters, Dialect, Policy, Rule, RuleSet, Table};
pub use target::Target;
