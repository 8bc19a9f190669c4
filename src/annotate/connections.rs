//! What the rules and conntrack's own record tell of a connection: how it was translated, and by which rule.

use crate::annotate::history::{History, Stretch};
use crate::annotate::ways::rule_at;
use crate::context::{ConntrackEntry, HostContext, Rewrite};
use crate::explain::{Stands, nat_kind, stands};
use crate::model::{Connection, EvidenceOf, NatChange, NatKind, Tuple, WallTime};
use crate::rulebook::Target;
use crate::store::{ConnectionTelling, NatTelling, UntoldConnection};

/// Tells a connection by what held when it began.
pub(super) fn tell(untold: &UntoldConnection, history: &History) -> ConnectionTelling {
    let connection = &untold.connection;
    let Some(stretch) = at(history, connection.first.wall) else {
        return ConnectionTelling::default();
    };
    let record = stretch.context.as_deref().and_then(|context| recorded(connection, context));
    let rewrites = record.map(ConntrackEntry::nat).unwrap_or_default();
    let nat = connection.nat.iter().map(|change| tell_change(change, stretch, &rewrites)).collect();
    let more_nat = rewrites
        .iter()
        .filter(|rewrite| !connection.nat.iter().any(|change| is_same(change, rewrite)))
        .filter(|rewrite| {
            !connection.nat.iter().any(|change| is_source(change) == rewrite.is_source)
        })
        .map(|rewrite| (from_record(rewrite), None))
        .collect();
    ConnectionTelling { nat, reply: record.map(|entry| entry.reply.tuple()), more_nat }
}

/// The stretch that a time is in; without a time the first.
fn at(history: &History, time: Option<WallTime>) -> Option<&Stretch> {
    let past = history.stretches.partition_point(|stretch| stretch.from <= time);
    history.stretches.get(past.max(1) - 1)
}

/// conntrack's record of the connection, when it is of this very one.
fn recorded<'c>(connection: &Connection, context: &'c HostContext) -> Option<&'c ConntrackEntry> {
    let Connection { protocol, original, icmp_id, first, .. } = connection;
    let entry = context.conntrack_of(*protocol, original, *icmp_id, first.wall)?;
    is_within(original, &entry.original.tuple()).then_some(entry)
}

/// Whether all that is known of a tuple agrees with a whole one.
fn is_within(known: &Tuple, whole: &Tuple) -> bool {
    let agrees = |known: crate::model::Endpoint, whole: crate::model::Endpoint| {
        known.addr.is_none_or(|addr| whole.addr == Some(addr))
            && known.port.is_none_or(|port| whole.port == Some(port))
    };
    agrees(known.src, whole.src) && agrees(known.dst, whole.dst)
}

fn tell_change(change: &NatChange, stretch: &Stretch, rewrites: &[Rewrite]) -> NatTelling {
    let mut told = NatTelling::default();
    if rewrites.iter().any(|rewrite| is_same(change, rewrite)) {
        told.evidence = Some(EvidenceOf::Observed);
    }
    let Some(hop) = &change.site else { return told };
    let Some(Stands::At(place)) = stands(std::slice::from_ref(hop), stretch.lore()).pop() else {
        return told;
    };
    let target = stretch.target(&place);
    if target.is_some_and(|target| translates(target, is_source(change))) {
        told.kind = Some(nat_kind(change, target));
        told.rule = Some(rule_at(place));
    }
    told
}

/// Whether a target can have made a translation of that side.
fn translates(target: &Target, is_source: bool) -> bool {
    match target {
        Target::Dnat { .. } | Target::Redirect { .. } => !is_source,
        Target::Snat { .. } | Target::Masquerade => is_source,
        Target::Netmap { .. } | Target::Other(_) => true,
        _ => false,
    }
}

fn is_source(change: &NatChange) -> bool {
    match change.kind {
        NatKind::Snat | NatKind::Masquerade => true,
        NatKind::Dnat | NatKind::Redirect | NatKind::Netmap => false,
    }
}

fn is_same(change: &NatChange, rewrite: &Rewrite) -> bool {
    is_source(change) == rewrite.is_source && change.from == rewrite.from && change.to == rewrite.to
}

/// A translation that only conntrack's record shows.
fn from_record(rewrite: &Rewrite) -> NatChange {
    NatChange {
        kind: if rewrite.is_source { NatKind::Snat } else { NatKind::Dnat },
        from: rewrite.from,
        to: rewrite.to,
        site: None,
        evidence: EvidenceOf::Observed,
    }
}
