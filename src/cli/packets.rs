//! `tracecol packets`: one row a packet, those without a connection too.

use std::io::Write;

use clap::Args;

use crate::cli::args::{FILTER_HELP, Global};
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::list::{ListArgs, Pages};
use crate::cli::output::{self, Format, List};
use crate::cli::table::{self, Entry, Head, numbers, text, verdict_colour};
use crate::cli::times::{Detail, TimeStyle};
use crate::cli::{csv, database, talk};
use crate::model::{Direction, Endpoint, Packet};
use crate::query::{Library, json, packet_connections};
use crate::render::{endpoint, escape, packet_title};
use crate::store::{PacketQuery, PacketRow, Store};

/// List packets, newest first.
#[derive(Debug, Args)]
#[command(after_help = FILTER_HELP)]
pub(super) struct Packets {
    #[command(flatten)]
    list: ListArgs,
}

impl Packets {
    pub(super) async fn run(self, global: &Global) -> Outcome {
        let filter = self.list.filter(global)?;
        database::read(global, async |store| {
            let query = PacketQuery { filter, order: self.list.order(), limit: None, after: None };
            let mut pages = Pages::new(store, query, self.list.limit);
            let count = match global.output {
                Format::Table => write_table(global, &mut pages).await?,
                Format::Csv => csv::packets(&mut pages).await?,
                Format::Json | Format::Ndjson => {
                    write_json(global.output, store, &mut pages).await?
                }
            };
            if count == 0 {
                talk::note(global, "no packet matches");
            }
            Ok(Ending::found(count > 0))
        })
        .await
    }
}

async fn write_json(
    format: Format,
    store: &Store,
    pages: &mut Pages<'_, PacketQuery>,
) -> Result<u64, Failure> {
    let mut library = Library::load(store).await?;
    let mut list = List::new(output::data(), format);
    while let Some(rows) = pages.next().await? {
        let connections = packet_connections(store, &rows).await?;
        for row in &rows {
            let own = row.connection_id.and_then(|id| connections.get(&id));
            let lore = library.at(&row.host, row.packet.first.wall);
            list.push(&json::packet(row, own, &lore))?;
        }
    }
    Ok(list.finish()?)
}

async fn write_table(global: &Global, pages: &mut Pages<'_, PacketQuery>) -> Result<u64, Failure> {
    let mut rows = Vec::new();
    while let Some(page) = pages.next().await? {
        rows.extend(page);
    }
    if rows.is_empty() {
        return Ok(0);
    }
    let width = table::width();
    let mut out = output::page(global.color);
    let wide = Sheet { folded: false, times: global.times() };
    let cells: Vec<Vec<Entry>> = rows.iter().map(|row| wide.row(row)).collect();
    if table::natural_width(&wide.heads(), &cells) <= width {
        table::write(&mut out, &wide.heads(), cells, global.color, width)?;
        out.flush()?;
    } else {
        let folded = Sheet { folded: true, ..wide };
        let cells = rows.iter().map(|row| folded.row(row)).collect();
        table::write(&mut out, &folded.heads(), cells, global.color, width)?;
        out.flush()?;
        talk::note(
            global,
            "connection, devices and steps need a wider terminal or --output ndjson",
        );
    }
    Ok(rows.len() as u64)
}

struct Sheet {
    folded: bool,
    times: TimeStyle,
}

impl Sheet {
    fn heads(&self) -> Vec<Head> {
        let time = text(self.times.head());
        if self.folded {
            return vec![text("id"), time, text("packet"), text("verdict")];
        }
        vec![
            text("id"),
            time,
            text(""),
            text("packet"),
            text("from"),
            text("to"),
            text("in → out"),
            numbers("steps"),
            text("verdict"),
            text("connection"),
        ]
    }

    fn row(&self, row: &PacketRow) -> Vec<Entry> {
        let packet = &row.packet;
        let id = Entry::from(row.id.to_string());
        let kind = packet.verdict.kind;
        let verdict = Entry::coloured(kind.name(), verdict_colour(kind));
        let title = escape(packet_title(packet).as_bytes());
        let (from, to) = ends(packet);
        if self.folded {
            let arrow = arrow(packet);
            let ends = if from.is_empty() { String::new() } else { format!("\n{from} → {to}") };
            return vec![
                id,
                self.folded_time(packet).into(),
                format!("{arrow} {title}{ends}").into(),
                verdict,
            ];
        }
        vec![
            id,
            self.times.show(&packet.first, Detail::Full).into(),
            arrow(packet).into(),
            title.into(),
            from.into(),
            to.into(),
            devices(packet).into(),
            packet.steps.len().to_string().into(),
            verdict,
            row.connection_id.map_or_else(String::new, |id| id.to_string()).into(),
        ]
    }

    /// Date and time below each other.
    fn folded_time(&self, packet: &Packet) -> String {
        self.times.show(&packet.first, Detail::Full).replacen(' ', "\n", 1)
    }
}

fn arrow(packet: &Packet) -> &'static str {
    match packet.direction {
        Some(Direction::Original) => "→",
        Some(Direction::Reply) => "←",
        Some(Direction::Related) => "!",
        None => "·",
    }
}

/// Source and destination as they stood when the packet came.
pub(super) fn ends(packet: &Packet) -> (String, String) {
    let Some(ip) = packet.steps.iter().find_map(|step| step.header.ip()) else {
        return (String::new(), String::new());
    };
    let (sport, dport) = ip.ports().unzip();
    let side = |addr, port| endpoint(&Endpoint { addr: Some(addr), port });
    (side(ip.src, sport), side(ip.dst, dport))
}

/// Where it came in and went out; the host itself where no device is named.
pub(super) fn devices(packet: &Packet) -> String {
    let devices = || packet.steps.iter().map(|step| step.hop.devices);
    let first = devices().find_map(|devices| devices.physin.or(devices.input));
    let last = devices().rev().find_map(|devices| devices.physout.or(devices.output));
    let name = |device: Option<crate::model::IfName>| {
        device.map_or_else(|| "local".to_owned(), |name| escape(name.as_bytes()))
    };
    format!("{} → {}", name(first), name(last))
}
