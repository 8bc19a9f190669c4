//! Rows of the database as the JSON of the contract.

use crate::model::{self, SourceId};
use crate::query::{HostLore, tell_row};
use crate::store::{
    AnomalyRow, ConnectionRow, GapRow, HostName, LinkEnd, LinkRow, PacketRow, RuleText, Snapshot,
    Stats,
};
use crate::wire;

/// A connection.
pub fn connection(row: &ConnectionRow) -> wire::Connection {
    let nat_rules: Vec<_> = row.nat_rules.iter().map(|rule| rule.as_ref().map(rule_text)).collect();
    let told = wire::ToldConnection {
        verdict_rule: row.verdict_rule.as_ref().map(rule_text),
        nat_rules: &nat_rules,
    };
    let id = row.id.to_string();
    wire::Connection::new(&row.connection, &told, &id, host(&row.host), links(&row.links))
}

/// A packet with its steps.
pub fn packet(row: &PacketRow, of: Option<&model::Connection>, lore: &HostLore) -> wire::Packet {
    let (steps, inferred) = tell_row(row, of, lore);
    let verdict_rule = row.verdict_rule.as_ref().map(rule_text);
    let told = wire::Told { steps: &steps, inferred: &inferred, verdict_rule };
    let connection = row.connection_id.map(|id| id.to_string());
    let source = |id: SourceId| row.source_name(id).unwrap_or_default().to_owned();
    let id = row.id.to_string();
    wire::Packet::new(
        &row.packet,
        &told,
        &id,
        connection.as_deref(),
        host(&row.host),
        &source,
        links(&row.links),
    )
}

fn rule_text(rule: &RuleText) -> wire::RuleText<'_> {
    wire::RuleText { at: &rule.place, text: &rule.text }
}

/// An anomaly.
pub fn anomaly(row: &AnomalyRow) -> wire::Anomaly {
    wire::Anomaly::new(&row.anomaly, &row.source)
}

/// A snapshot without its text.
pub fn snapshot(snapshot: &Snapshot) -> wire::Snapshot {
    wire::Snapshot {
        snapshot: snapshot.id,
        kind: snapshot.kind.name(),
        host: snapshot.host.clone(),
        netns: snapshot.netns.clone(),
        from: snapshot.from.and_then(wire::wall_time),
        from_how: snapshot.from_how.name(),
        name: snapshot.name.clone(),
        bytes: snapshot.text.len() as u64,
    }
}

/// Statistics.
pub fn stats(stats: &Stats) -> wire::Stats {
    let gap = |row: &GapRow| wire::Gap::new(&row.gap, &row.source);
    wire::Stats::new(
        &stats.counts,
        [stats.packets, stats.connections, stats.boots],
        stats.gaps.iter().map(gap).collect(),
        &stats.anomalies,
        &stats.verdicts,
        stats.database_bytes,
    )
}

fn host(name: &HostName) -> wire::Host<'_> {
    wire::Host { name: &name.name, netns: name.netns.as_deref() }
}

fn links(rows: &[LinkRow]) -> Vec<wire::Link> {
    let link = |row: &LinkRow| wire::Link {
        kind: row.kind.name(),
        other: match row.other {
            LinkEnd::Connection(id) => wire::LinkOther::Connection(id.to_string()),
            LinkEnd::Packet(id) => wire::LinkOther::Packet(id.to_string()),
        },
        evidence: row.evidence.clone(),
    };
    rows.iter().map(link).collect()
}
