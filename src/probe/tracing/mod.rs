//! The commands that switch tracing on for one flow, and those that switch exactly that off again. Text only: nothing is run.
//!
//! ```text
//! iptables-legacy -t raw -I PREROUTING -p tcp --dport 40000 -j TRACE       what comes in
//! iptables-legacy -t raw -I OUTPUT -p tcp --dport 40000 -j TRACE           what the host sends itself
//! … --sport 40000 …                                                        the answers
//! ebtables -t nat -I PREROUTING -p IPv4 --ip-proto tcp --ip-dport 40000 --log-level info
//!   --log-prefix "TRACE: eb:nat:PREROUTING" --log-ip --log-ip6 --log-arp -j CONTINUE
//! ```
//!
//! Rules are put first in their chains: behind a rule that accepts or drops they would see nothing.

mod commands;
mod flow;
mod translation;

pub use commands::{Group, Plan, plan};
pub use flow::{Carrier, Flow};
pub use translation::Translation;

#[cfg(test)]
mod tests;
