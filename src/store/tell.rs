//! What the rules tell of ways and sites: written beside what the log alone says, never over it.
//!
//! A run of telling goes like this; it may be killed between any two calls, and the next run completes it:
//!
//! 1. [`Store::pending`]: nothing waits, nothing to do.
//! 2. When ways wait: [`Store::snapshots`], [`Writer::file_rules`] for each rules snapshot, [`Store::ways`], and one
//!    [`Writer::tell`] with what is told of the ways that wait (or of all).
//! 3. [`Writer::tell_connections`] until it has told none.

use std::sync::Arc;

use crate::filter::ProtocolName;
use crate::model::{Boot, Direction, Hop, Layer, Packet, Site, Verdict, WallTime};
use crate::store::names::HostName;
use crate::store::rules::RuleAt;
use crate::store::{Store, StoreError, Writer};

/// What waits to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pending {
    /// Snapshots there are. Without any nothing is ever pending.
    pub snapshots: u64,
    /// Ways that were not told since they came, or since the snapshots changed. While none waits, the snapshots
    /// are those of the last run, as far as they matter.
    pub ways: u64,
    /// Whether connections wait: they were written since, or have a packet on a way that is told otherwise now.
    pub connections: bool,
}

/// A way that packets went, as the log alone tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct WayFacts {
    /// Its number.
    pub id: i64,
    /// The number of the host.
    pub host_id: i64,
    /// The host.
    pub host: HostName,
    /// The boot.
    pub boot: Boot,
    /// The places in order.
    pub hops: Arc<[Hop]>,
    /// The log's own verdict.
    pub verdict: Verdict,
    /// The direction within the connection.
    pub direction: Option<Direction>,
    /// The protocol.
    pub protocol: Option<ProtocolName>,
    /// The time of its first packet that has one.
    pub first_wall: Option<WallTime>,
    /// The time of its last packet that has one.
    pub last_wall: Option<WallTime>,
    /// How many packets went it.
    pub packets: u64,
    /// Whether it has been told under the present snapshots.
    pub is_told: bool,
}

/// What is told, of any number of ways and sites, in one transaction.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tellings {
    /// The numbers of the snapshots that this rests on, as [`Store::snapshots`] gave them. When they are no longer
    /// those of the database, nothing is written and [`StoreError::SnapshotsChanged`] says so.
    pub basis: Vec<i64>,
    /// The ways told. What was told of one before is replaced; the others keep what they have.
    pub ways: Vec<WayTelling>,
    /// The sites told. What was told of one before is replaced; the others keep what they have.
    pub sites: Vec<SiteTelling>,
    /// Which rule sets held when. What was told of a host before is replaced.
    pub held: Vec<HostRules>,
}

/// What the rules tell of a way.
#[derive(Debug, Clone, PartialEq)]
pub struct WayTelling {
    /// The way's number.
    pub way: i64,
    /// The verdicts by time; empty when the rules tell nothing and the log's own verdict holds.
    /// The earliest reaches back to the beginning.
    pub verdicts: Vec<VerdictFrom>,
}

/// A verdict, from a time on.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictFrom {
    /// The time; none is the beginning.
    pub from: Option<WallTime>,
    /// The verdict. Its site is one of the way's hops.
    pub verdict: Verdict,
    /// The rule that decided.
    pub rule: Option<RuleAt>,
}

/// What the rules tell of a site.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteTelling {
    /// The number of the host.
    pub host_id: i64,
    /// The layer of the line.
    pub layer: Layer,
    /// The site.
    pub site: Arc<Site>,
    /// What stands there by time; empty when no rule set says anything of it.
    /// The earliest reaches back to the beginning.
    pub stands: Vec<StandsFrom>,
}

/// What stands at a site, from a time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandsFrom {
    /// The time; none is the beginning.
    pub from: Option<WallTime>,
    /// What stands there; none when no rule set of that time is for this layer.
    pub stands: Option<Stands>,
}

/// What stands at a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// This rule, policy or chain end.
    Rule(RuleAt),
    /// A rule set is there but cannot be the one that the packets met: a sentence.
    Misfit(Box<str>),
}

/// Which rule sets held on a host, by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRules {
    /// The number of the host.
    pub host_id: i64,
    /// By time; the earliest reaches back to the beginning.
    pub held: Vec<RulesFrom>,
}

/// Which rule sets held, from a time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesFrom {
    /// The time; none is the beginning.
    pub from: Option<WallTime>,
    /// The numbers of the rule sets, as [`Writer::file_rules`] gave them.
    pub revisions: Vec<i64>,
}

/// The times of some packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The earliest.
    pub first: WallTime,
    /// The latest.
    pub last: WallTime,
}

impl Writer {
    /// Writes what the rules tell of ways and sites. Connections with a packet on a way that was told otherwise
    /// before wait to be told again. Gives the number of ways of which something else is told than before.
    pub fn tell(
        &mut self,
        tellings: &Tellings,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send {
        let _ = (&self, tellings);
        async move { Err(StoreError::Damaged("not written yet")) }
    }
}

impl Store {
    /// What waits to be told.
    #[expect(clippy::manual_async_fn, reason = "the future must be known to be `Send`")]
    pub fn pending(&self) -> impl Future<Output = Result<Pending, StoreError>> + Send {
        async move { Ok(Pending::default()) }
    }

    /// All ways, in order of first appearance.
    #[expect(clippy::manual_async_fn, reason = "the future must be known to be `Send`")]
    pub fn ways(&self) -> impl Future<Output = Result<Vec<WayFacts>, StoreError>> + Send {
        async move { Ok(Vec::new()) }
    }

    /// The first `n` and the last `n` packets of a way, in order of position, each once, with the log's own verdict.
    pub fn samples(
        &self,
        way: i64,
        n: u32,
    ) -> impl Future<Output = Result<Vec<Packet>, StoreError>> + Send {
        let _ = (way, n);
        async move { Ok(Vec::new()) }
    }

    /// From when to when packets went these ways, at or after `from` and before `until`; none when none did that has a
    /// wall time.
    pub fn span(
        &self,
        ways: &[i64],
        from: Option<WallTime>,
        until: Option<WallTime>,
    ) -> impl Future<Output = Result<Option<Span>, StoreError>> + Send {
        let _ = (ways, from, until);
        async move { Ok(None) }
    }
}
