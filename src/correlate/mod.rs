//! From understood lines to packets, connections and links: the machine.
//!
//! Push entries, take outcomes. The machine has no clock, no I/O and no
//! threads; time is what the entries say. The same entries give the same
//! outcomes, however often `drain` is called in between.
//!
//! How a line finds its packet, cheapest way first:
//!
//! 1. the parser saw the same bytes from `IN=` on a moment ago ([`crate::model::TailKey`]):
//!    the packet that owned them is asked whether the line's hook can come next;
//! 2. an open packet has the same identity (IP ID, SEQ, ACK, LEN …) and at
//!    least one unchanged side (`identity`);
//! 3. an open packet of the same connection and direction fits: for bridge
//!    frames, which carry no ID, and for LOG lines without sequence numbers;
//! 4. a frame of an unknown tuple right behind its packet (`recent`).
//!
//! Otherwise it opens a new packet. What may follow what is the table in
//! `traversal`; the walk inside one table is `walk`.
//!
//! Knows nothing of text, files or databases.

mod clock;
mod connection;
mod find;
mod flow;
mod host;
mod identity;
mod index;
mod links;
mod lru;
mod machine;
mod packet;
mod place;
mod ports;
mod recent;
mod tcp;
mod tracking;
mod verdict;
mod walk;

pub use machine::{Correlator, Limits};
