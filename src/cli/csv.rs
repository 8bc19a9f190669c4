//! Comma-separated values: flat columns, one head line, names as in the JSON.

use std::io::Write;

use crate::cli::failure::Failure;
use crate::cli::list::Pages;
use crate::cli::output;
use crate::cli::packets::{devices, ends};
use crate::cli::stats::kinds;
use crate::model::{Connection, Endpoint, Stamp};
use crate::query::rule_report;
use crate::render::{endpoint, escape, escape_text, packet_title, site_name};
use crate::store::{
    AnomalyRow, ConnectionQuery, ConnectionRow, HitReport, PacketQuery, PacketRow, Stats,
};

/// Everything log-derived is escaped: spreadsheets and terminals are both easily led astray.
pub(super) type Record = Vec<String>;

const RULE: [&str; 14] = [
    "snapshot",
    "host",
    "netns",
    "family",
    "table",
    "chain",
    "number",
    "text",
    "target",
    "status",
    "hits",
    "packets",
    "first_hit",
    "last_hit",
];

const CONNECTION: [&str; 31] = [
    "id",
    "host",
    "netns",
    "protocol",
    "src",
    "sport",
    "dst",
    "dport",
    "reply_src",
    "reply_sport",
    "reply_dst",
    "reply_dport",
    "icmp_id",
    "nat",
    "state",
    "completeness",
    "first_seen",
    "last_seen",
    "uptime_us",
    "boot",
    "packets_original",
    "packets_reply",
    "packets_related",
    "lines",
    "layers",
    "interfaces",
    "trust",
    "verdict",
    "verdict_site",
    "verdict_evidence",
    "links",
];

const PACKET: [&str; 17] = [
    "id",
    "connection",
    "host",
    "netns",
    "direction",
    "first_seen",
    "uptime_us",
    "boot",
    "packet",
    "from",
    "to",
    "in_out",
    "steps",
    "trust",
    "confidence",
    "verdict",
    "verdict_site",
];

const STEP: [&str; 13] = [
    "packet",
    "step",
    "at",
    "layer",
    "offset_us",
    "in",
    "out",
    "physin",
    "physout",
    "src",
    "dst",
    "source",
    "offset",
];

/// Writes connections.
pub(super) async fn connections(pages: &mut Pages<'_, ConnectionQuery>) -> Result<u64, Failure> {
    let mut table = Table::new(&CONNECTION)?;
    while let Some(rows) = pages.next().await? {
        for row in &rows {
            table.push(&connection(row))?;
        }
    }
    table.finish()
}

/// Writes packets.
pub(super) async fn packets(pages: &mut Pages<'_, PacketQuery>) -> Result<u64, Failure> {
    let mut table = Table::new(&PACKET)?;
    while let Some(rows) = pages.next().await? {
        for row in &rows {
            table.push(&packet(row))?;
        }
    }
    table.finish()
}

/// Writes every step of some packets.
pub(super) fn steps(rows: &[PacketRow]) -> Result<(), Failure> {
    let mut table = Table::new(&STEP)?;
    for row in rows {
        for record in steps_of(row) {
            table.push(&record)?;
        }
    }
    table.finish()?;
    Ok(())
}

/// Writes anomalies.
pub(super) fn anomalies(rows: &[AnomalyRow]) -> Result<(), Failure> {
    let mut table = Table::new(&["kind", "source", "offset", "text"])?;
    for row in rows {
        let anomaly = &row.anomaly;
        let offset = anomaly.position.offset.to_string();
        table.push(&vec![
            anomaly.kind.name().into(),
            row.source.clone(),
            offset,
            escape(&anomaly.text),
        ])?;
    }
    table.finish()?;
    Ok(())
}

/// Writes rules with their hits.
pub(super) fn rules(report: &HitReport) -> Result<u64, Failure> {
    let mut table = Table::new(&RULE)?;
    for one in rule_report(report).rules {
        let hits = one.hits;
        table.push(&vec![
            one.snapshot.to_string(),
            escape_text(&one.host.unwrap_or_default()),
            escape_text(&one.netns.unwrap_or_default()),
            one.family.to_owned(),
            escape_text(&one.table),
            escape_text(&one.chain),
            one.number.to_string(),
            escape_text(&one.text.unwrap_or_default()),
            escape_text(&one.target.unwrap_or_default()),
            one.status.to_owned(),
            hits.hits.to_string(),
            hits.packets.to_string(),
            hits.first_hit.unwrap_or_default(),
            hits.last_hit.unwrap_or_default(),
        ])?;
    }
    table.finish()
}

/// Writes statistics as names and values.
pub(super) fn stats(stats: &Stats) -> Result<(), Failure> {
    let mut table = Table::new(&["name", "value"])?;
    let mut push = |name: String, value: u64| table.push(&vec![name, value.to_string()]);
    push("lines.total".into(), stats.counts.total())?;
    for (kind, count) in kinds(&stats.counts) {
        push(format!("lines.{kind}"), count)?;
    }
    push("placed".into(), stats.counts.placed)?;
    push("unplaced".into(), stats.counts.unplaced)?;
    push("packets".into(), stats.packets)?;
    push("connections".into(), stats.connections)?;
    push("boots".into(), stats.boots)?;
    push("gaps".into(), stats.gaps.len() as u64)?;
    for (kind, count) in &stats.verdicts {
        push(format!("verdicts.{}", kind.name()), *count)?;
    }
    for (kind, count) in &stats.anomalies {
        push(format!("anomalies.{}", kind.name()), *count)?;
    }
    push("database_bytes".into(), stats.database_bytes)?;
    table.finish()?;
    Ok(())
}

/// Rows under a head.
pub(super) struct Table {
    writer: ::csv::Writer<Box<dyn Write>>,
    count: u64,
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Result<Self, Failure> {
        let mut writer = ::csv::Writer::from_writer(Box::new(output::data()) as Box<dyn Write>);
        writer.write_record(head)?;
        Ok(Self { writer, count: 0 })
    }

    pub(super) fn push(&mut self, record: &Record) -> Result<(), Failure> {
        self.writer.write_record(record.iter().map(|field| tame(field)))?;
        self.count += 1;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<u64, Failure> {
        self.writer.flush()?;
        Ok(self.count)
    }
}

/// A field that a spreadsheet would take for a formula gets an apostrophe before it.
fn tame(field: &str) -> String {
    let text = crate::render::escape_text(field);
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}

fn connection(row: &ConnectionRow) -> Record {
    let connection = &row.connection;
    let [src, sport] = side(&connection.original.src);
    let [dst, dport] = side(&connection.original.dst);
    let [from, from_port] = side(&connection.reply.src);
    let [to, to_port] = side(&connection.reply.dst);
    let interfaces: Vec<String> =
        connection.interfaces.iter().map(|name| escape(name.as_bytes())).collect();
    let layers: Vec<&str> = connection.layers.iter().map(|layer| layer.name()).collect();
    let verdict = &connection.verdict;
    vec![
        row.id.to_string(),
        row.host.name.clone(),
        row.host.netns.clone().unwrap_or_default(),
        connection.protocol.name(),
        src,
        sport,
        dst,
        dport,
        from,
        from_port,
        to,
        to_port,
        optional(connection.icmp_id),
        nat(connection),
        connection.state.name().into(),
        connection.completeness.name().into(),
        wall(&connection.first),
        wall(&connection.last),
        optional(connection.first.uptime.map(|uptime| uptime.0)),
        connection.boot.0.to_string(),
        connection.packets_original.to_string(),
        connection.packets_reply.to_string(),
        connection.packets_related.to_string(),
        connection.lines.to_string(),
        layers.join(" "),
        interfaces.join(" "),
        connection.trust.name().into(),
        verdict.kind.name().into(),
        verdict.site.as_ref().map_or_else(String::new, |hop| site_name(&hop.site)),
        verdict.evidence.map_or("", |evidence| evidence.name()).into(),
        row.links.iter().map(|link| link.kind.name()).collect::<Vec<_>>().join(" "),
    ]
}

fn packet(row: &PacketRow) -> Record {
    let packet = &row.packet;
    let (from, to) = ends(packet);
    vec![
        row.id.to_string(),
        optional(row.connection_id),
        row.host.name.clone(),
        row.host.netns.clone().unwrap_or_default(),
        packet.direction.map_or("", |direction| direction.name()).into(),
        wall(&packet.first),
        optional(packet.first.uptime.map(|uptime| uptime.0)),
        packet.boot.0.to_string(),
        packet_title(packet),
        from,
        to,
        devices(packet),
        packet.steps.len().to_string(),
        packet.trust.name().into(),
        packet.confidence.name().into(),
        packet.verdict.kind.name().into(),
        packet.verdict.site.as_ref().map_or_else(String::new, |hop| site_name(&hop.site)),
    ]
}

fn steps_of(row: &PacketRow) -> impl Iterator<Item = Record> + '_ {
    row.packet.steps.iter().enumerate().map(move |(at, step)| {
        let device = |name: Option<crate::model::IfName>| {
            name.map_or_else(String::new, |name| escape(name.as_bytes()))
        };
        let devices = step.hop.devices;
        let ip = step.header.ip();
        let ports = ip.and_then(crate::model::Ip::ports).unzip();
        let address = |addr: Option<std::net::IpAddr>, port| match addr {
            Some(addr) => endpoint(&Endpoint { addr: Some(addr), port }),
            None => String::new(),
        };
        let position = step.lines.head;
        vec![
            row.id.to_string(),
            (at + 1).to_string(),
            site_name(&step.hop.site),
            step.hop.layer.name().into(),
            optional(step.offset_us),
            device(devices.input),
            device(devices.output),
            device(devices.physin),
            device(devices.physout),
            address(ip.map(|ip| ip.src), ports.0),
            address(ip.map(|ip| ip.dst), ports.1),
            row.source_name(position.source).unwrap_or_default().to_owned(),
            position.offset.to_string(),
        ]
    })
}

fn side(endpoint: &Endpoint) -> [String; 2] {
    [optional(endpoint.addr), optional(endpoint.port)]
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// `dnat 10.146.22.21:40000>172.17.0.5:6379`, several with blanks between.
fn nat(connection: &Connection) -> String {
    let change = |change: &crate::model::NatChange| {
        format!("{} {}>{}", change.kind.name(), endpoint(&change.from), endpoint(&change.to))
    };
    connection.nat.iter().map(change).collect::<Vec<_>>().join(" ")
}

/// RFC 3339 in UTC.
fn wall(stamp: &Stamp) -> String {
    let time = stamp.wall.and_then(|wall| chrono::DateTime::from_timestamp_micros(wall.0));
    time.map_or_else(String::new, |time| time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}
