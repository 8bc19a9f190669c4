//! What the rules and conntrack's own record tell of one connection's translations.

use std::net::IpAddr;

use crate::context::{ConntrackEntry, ConntrackTuple, HostContext, Rewrite};
use crate::explain::{Lore, nat_kind};
use crate::library::Library;
use crate::model::{
    Connection, Endpoint, EvidenceOf, Hop, NatChange, NatKind, Site, SiteKind, Table,
};
use crate::rulebook::Target;
use crate::store::{ConnectionTelling, NatTelling, RuleAt, UntoldConnection};

/// Tells connections.
pub(super) struct Telling {
    library: Library,
}

/// A rule of the nat table that a packet met and that translates.
struct NatRule {
    hop: Hop,
    target: Target,
    at: RuleAt,
}

impl Telling {
    pub(super) fn new(library: Library) -> Self {
        Self { library }
    }

    /// What is told of a connection.
    pub(super) fn of(&mut self, untold: &UntoldConnection) -> ConnectionTelling {
        let connection = &untold.connection;
        let lore = self.library.at(&untold.host, connection.first.wall);
        let lore = lore.lore();
        let met: Vec<NatRule> = untold
            .paths
            .iter()
            .flat_map(|path| path.iter())
            .filter_map(|hop| nat_rule(hop, lore))
            .collect();
        let entry = lore.context.and_then(|context| recorded(context, connection));
        let rewrites = entry.map(ConntrackEntry::nat).unwrap_or_default();
        let nat = connection.nat.iter().map(|change| told(change, &met, &rewrites, lore)).collect();
        let mut more_nat: Vec<(NatChange, Option<RuleAt>)> = rewrites
            .iter()
            .filter(|rewrite| !connection.nat.iter().any(|change| is_of(change, rewrite)))
            .map(|rewrite| recorded_change(rewrite, &met))
            .collect();
        more_nat.extend(implied(connection, &met, &more_nat));
        ConnectionTelling { nat, reply: entry.map(|entry| entry.reply.tuple()), more_nat }
    }
}

/// The rule of a traced nat site, when it translates.
fn nat_rule(hop: &Hop, lore: Lore<'_>) -> Option<NatRule> {
    let Site::Trace { kind: SiteKind::Rule(_), .. } = *hop.site else { return None };
    if hop.site.table() != Some(Table::Nat) {
        return None;
    }
    let (target, at) = site_rule(hop, lore)?;
    rewrites_source(&target)?;
    Some(NatRule { hop: hop.clone(), target, at })
}

/// Whether a target rewrites the source (`true`) or the destination; none when neither, or when the hook decides.
fn rewrites_source(target: &Target) -> Option<bool> {
    match target {
        Target::Snat { .. } | Target::Masquerade => Some(true),
        Target::Dnat { .. } | Target::Redirect { .. } => Some(false),
        _ => None,
    }
}

fn is_source(kind: NatKind) -> bool {
    matches!(kind, NatKind::Snat | NatKind::Masquerade)
}

/// What is told of a translation that the log shows.
fn told(change: &NatChange, met: &[NatRule], rewrites: &[Rewrite], lore: Lore<'_>) -> NatTelling {
    let at_site = change.site.as_ref().and_then(|hop| site_rule(hop, lore));
    let of_its_side = || {
        let own = met
            .iter()
            .rev()
            .find(|rule| rewrites_source(&rule.target) == Some(is_source(change.kind)));
        own.map(|rule| (rule.target.clone(), rule.at.clone()))
    };
    let rule = at_site.filter(|(target, _)| makes(target, change.kind)).or_else(of_its_side);
    let kind = nat_kind(change, rule.as_ref().map(|(target, _)| target));
    let is_recorded = rewrites.iter().any(|rewrite| is_of(change, rewrite));
    NatTelling {
        kind: (kind != change.kind).then_some(kind),
        evidence: (is_recorded && change.evidence == EvidenceOf::Inferred)
            .then_some(EvidenceOf::Observed),
        rule: rule.map(|(_, at)| at),
    }
}

/// Whether a target can have made a translation of this kind.
fn makes(target: &Target, kind: NatKind) -> bool {
    matches!(target, Target::Netmap { .. }) || rewrites_source(target) == Some(is_source(kind))
}

/// What a site's rule does and where it stands; none when its chain does not fit.
fn site_rule(hop: &Hop, lore: Lore<'_>) -> Option<(Target, RuleAt)> {
    let (revision, found) = lore.rules.resolve(hop.layer, &hop.site)?.ok()?;
    let (table, chain) = (found.table.name.clone(), found.chain.name.clone());
    let key = (revision.rules.family, table.clone(), chain.clone());
    if lore.distrust.0.contains_key(&key) {
        return None;
    }
    Some((found.target()?, RuleAt { revision: revision.id, table, chain, number: found.number() }))
}

/// conntrack's record of a connection.
fn recorded<'a>(context: &'a HostContext, connection: &Connection) -> Option<&'a ConntrackEntry> {
    let tuple = ConntrackTuple::of(&connection.original, connection.icmp_id)?;
    context
        .conntrack_of(
            connection.protocol,
            &connection.original,
            connection.icmp_id,
            connection.first.wall,
        )
        .filter(|entry| entry.original == tuple)
}

/// Whether a record shows the very translation that the log tells of.
fn is_of(change: &NatChange, rewrite: &Rewrite) -> bool {
    let same = |told: Endpoint, recorded: Endpoint| {
        told.addr.is_none_or(|addr| Some(addr) == recorded.addr)
            && told.port.is_none_or(|port| Some(port) == recorded.port)
    };
    is_source(change.kind) == rewrite.is_source
        && same(change.from, rewrite.from)
        && same(change.to, rewrite.to)
}

/// A translation that only conntrack's record shows.
fn recorded_change(rewrite: &Rewrite, met: &[NatRule]) -> (NatChange, Option<RuleAt>) {
    let own =
        met.iter().rev().find(|rule| rewrites_source(&rule.target) == Some(rewrite.is_source));
    let kind = if rewrite.is_source { NatKind::Snat } else { NatKind::Dnat };
    let mut change = NatChange {
        kind,
        from: rewrite.from,
        to: rewrite.to,
        site: own.map(|rule| rule.hop.clone()),
        evidence: EvidenceOf::Observed,
    };
    change.kind = nat_kind(&change, own.map(|rule| &rule.target));
    (change, own.map(|rule| rule.at.clone()))
}

/// The source's translation that a rule which was met must have made, although neither line nor record shows its result.
fn implied(
    connection: &Connection,
    met: &[NatRule],
    more: &[(NatChange, Option<RuleAt>)],
) -> Option<(NatChange, Option<RuleAt>)> {
    let mut known = connection.nat.iter().chain(more.iter().map(|(change, _)| change));
    // A reply whose destination is known shows that the source was left as it was, or is told above.
    let is_answered = connection.reply.dst.addr.is_some();
    if is_answered || known.any(|change| is_source(change.kind)) {
        return None;
    }
    let rule = met.iter().rev().find(|rule| rewrites_source(&rule.target) == Some(true))?;
    let to = match &rule.target {
        Target::Snat { to: Some(to) } => Endpoint { addr: to.parse::<IpAddr>().ok(), port: None },
        _ => Endpoint { addr: None, port: None },
    };
    let mut change = NatChange {
        kind: NatKind::Snat,
        from: connection.original.src,
        to,
        site: Some(rule.hop.clone()),
        evidence: EvidenceOf::Inferred,
    };
    change.kind = nat_kind(&change, Some(&rule.target));
    Some((change, Some(rule.at.clone())))
}
