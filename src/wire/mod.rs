//! The JSON that users and scripts rely on: connections, packets, statistics, anomalies.
//!
//! Changes only by addition. What the log does not tell is `null`, never a guess. Bytes that are not
//! UTF-8 become U+FFFD. Pure: it knows the model only; ids, host and source names are arguments.

mod anomaly;
mod connection;
mod packet;
mod parts;
mod stats;
mod step;

pub use anomaly::Anomaly;
pub use connection::{Connection, ConnectionWithPackets, Directions, Nat, Side, ToldConnection};
pub use packet::{Arp, Icmp, Inner, Packet, Tcp, Told, Udp};
pub use parts::{Host, Link, LinkOther, RuleText, Verdict, wall_time};
pub use stats::{Gap, Lines, Stats};
pub use step::{Line, Step};
