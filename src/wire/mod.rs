//! The JSON that users and scripts rely on: connections, packets, statistics, anomalies, stories, comparisons.
//!
//! Changes only by addition. What the log does not tell is `null`, never a guess. Bytes that are not
//! UTF-8 become U+FFFD. Pure: it knows the model only; ids, host and source names are arguments.

mod anomaly;
mod connection;
mod diff;
mod packet;
mod parts;
mod rules;
mod sentence;
mod stats;
mod step;
mod story;

pub use anomaly::Anomaly;
pub use connection::{Connection, ConnectionWithPackets, Directions, Nat, Side, ToldConnection};
pub use diff::{Diff, DiffRow, DiffStep, RulesDiff, SiteDiff, WayDiff};
pub use packet::{Arp, Icmp, Inner, Packet, Tcp, Told, Udp};
pub use parts::{Host, Link, LinkOther, RuleText, Verdict, wall_time};
pub use rules::{Bucket, Hits, Rule, RuleReport, Snapshot, UnexplainedSite};
pub use sentence::{Place, Run, Sentence};
pub use stats::{Gap, Lines, Stats};
pub use step::{Line, Step};
pub use story::{Advice, Chapter, Story, StoryStep, Term};
