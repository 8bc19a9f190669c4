//! `tracecol connections`: one row a connection, newest first.

use std::io::Write;

use clap::Args;
use comfy_table::Color;

use crate::cli::args::{FILTER_HELP, Global};
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::list::{ListArgs, Pages};
use crate::cli::output::{self, Format, List};
use crate::cli::table::{self, Entry, Head, numbers, text, verdict_colour};
use crate::cli::times::{Detail, TimeStyle};
use crate::cli::{csv, database, talk};
use crate::model::{Connection, NatChange, NatKind};
use crate::query::json;
use crate::render::{endpoint, escape, escape_text, grouped, nat_name};
use crate::store::{ConnectionQuery, ConnectionRow};

/// List connections, newest first.
#[derive(Debug, Args)]
#[command(visible_alias = "ls", after_help = FILTER_HELP)]
pub(super) struct Connections {
    #[command(flatten)]
    list: ListArgs,
}

impl Connections {
    pub(super) async fn run(self, global: &Global) -> Outcome {
        let filter = self.list.filter(global)?;
        database::read(global, async |store| {
            let order = self.list.order();
            let query = ConnectionQuery { filter, order, limit: None, after: None };
            let count = write(global, &mut Pages::new(store, query, self.list.limit)).await?;
            if count == 0 {
                talk::note(global, "no connection matches");
            }
            Ok(Ending::found(count > 0))
        })
        .await
    }
}

async fn write_json(
    format: Format,
    pages: &mut Pages<'_, ConnectionQuery>,
) -> Result<u64, Failure> {
    let mut list = List::new(output::data(), format);
    while let Some(rows) = pages.next().await? {
        for row in &rows {
            list.push(&json::connection(row))?;
        }
    }
    Ok(list.finish()?)
}

/// Writes rows in any form.
pub(super) async fn write(
    global: &Global,
    pages: &mut Pages<'_, ConnectionQuery>,
) -> Result<u64, Failure> {
    match global.output {
        Format::Table => write_table(global, pages).await,
        Format::Csv => csv::connections(pages).await,
        format => write_json(format, pages).await,
    }
}

async fn write_table(
    global: &Global,
    pages: &mut Pages<'_, ConnectionQuery>,
) -> Result<u64, Failure> {
    let mut rows = Vec::new();
    while let Some(page) = pages.next().await? {
        rows.extend(page);
    }
    if !rows.is_empty() {
        let left_out = draw(global, &rows)?;
        if let Some(left_out) = left_out {
            talk::note(global, left_out);
        }
    }
    Ok(rows.len() as u64)
}

/// Draws the table in the roomiest layout that fits; says what that layout leaves out.
pub(super) fn draw(
    global: &Global,
    rows: &[ConnectionRow],
) -> std::io::Result<Option<&'static str>> {
    let width = table::width();
    let mut out = output::page(global.color);
    let several_hosts = rows.windows(2).any(|pair| pair[0].host != pair[1].host);
    for layout in [Layout::Full, Layout::Middle, Layout::Folded] {
        let sheet = Sheet { layout, times: global.times(), several_hosts };
        let cells: Vec<Vec<Entry>> = rows.iter().map(|row| sheet.row(row)).collect();
        let heads = sheet.heads();
        if layout == Layout::Folded || table::natural_width(&heads, &cells) <= width {
            table::write(&mut out, &heads, cells, global.color, width)?;
            out.flush()?;
            return Ok(layout.left_out());
        }
    }
    Ok(None)
}

/// How much is shown of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Full,
    Middle,
    /// Two lines a row.
    Folded,
}

impl Layout {
    fn left_out(self) -> Option<&'static str> {
        match self {
            Self::Full => None,
            Self::Middle => {
                Some("date, state, lines and devices need a wider terminal or --output ndjson")
            }
            Self::Folded => {
                Some("state, lines and devices need a wider terminal or --output ndjson")
            }
        }
    }
}

struct Sheet {
    layout: Layout,
    times: TimeStyle,
    several_hosts: bool,
}

impl Sheet {
    fn heads(&self) -> Vec<Head> {
        let time = text(self.times.head());
        let mut heads = match self.layout {
            Layout::Full => vec![
                text("id"),
                time,
                text("proto"),
                text("from"),
                text("asked for"),
                text("really went to"),
                text("verdict"),
                text("state"),
                numbers("→"),
                numbers("←"),
                numbers("lines"),
                text("in → out"),
            ],
            Layout::Middle => vec![
                text("id"),
                time,
                text("proto"),
                text("from"),
                text("asked for"),
                text("really went to"),
                text("verdict"),
                numbers("→"),
                numbers("←"),
            ],
            Layout::Folded => vec![text("id"), time, text("connection"), text("verdict")],
        };
        if self.several_hosts {
            heads.insert(1, text("host"));
        }
        heads
    }

    fn row(&self, row: &ConnectionRow) -> Vec<Entry> {
        let connection = &row.connection;
        let id = Entry::from(row.id.to_string());
        let mut cells = match self.layout {
            Layout::Full => vec![
                id,
                self.times.show(&connection.first, Detail::Full).into(),
                connection.protocol.name().into(),
                endpoint(&connection.original.src).into(),
                asked_for(connection).into(),
                really(connection),
                verdict(connection),
                connection.state.name().into(),
                grouped(connection.packets_original).into(),
                grouped(connection.packets_reply).into(),
                grouped(connection.lines).into(),
                devices(connection).into(),
            ],
            Layout::Middle => vec![
                id,
                self.times.show(&connection.first, Detail::Short).into(),
                connection.protocol.name().into(),
                endpoint(&connection.original.src).into(),
                asked_for(connection).into(),
                really(connection),
                verdict(connection),
                grouped(connection.packets_original).into(),
                grouped(connection.packets_reply).into(),
            ],
            Layout::Folded => vec![
                id,
                self.folded_time(connection).into(),
                folded(connection).into(),
                folded_verdict(connection),
            ],
        };
        if self.several_hosts {
            cells.insert(1, host(row).into());
        }
        cells
    }

    /// Date and time below each other.
    fn folded_time(&self, connection: &Connection) -> String {
        let full = self.times.show(&connection.first, Detail::Full);
        match full.split_once(' ') {
            Some((date, time)) => format!("{date}\n{}", time.split('.').next().unwrap_or(time)),
            None => full,
        }
    }
}

/// The host, with the namespace's label.
pub(super) fn host(row: &ConnectionRow) -> String {
    let name = escape_text(&row.host.name);
    match &row.host.netns {
        Some(netns) => format!("{name} {}", escape_text(netns)),
        None => name,
    }
}

fn asked_for(connection: &Connection) -> String {
    match connection.icmp_id {
        Some(id) => format!("{} id {id}", endpoint(&connection.original.dst)),
        None => endpoint(&connection.original.dst),
    }
}

/// The translation of the destination, when there is one.
fn translated(connection: &Connection) -> Option<&NatChange> {
    connection.nat.iter().rfind(|change| match change.kind {
        NatKind::Dnat | NatKind::Redirect | NatKind::Netmap => true,
        NatKind::Snat | NatKind::Masquerade => false,
    })
}

fn really(connection: &Connection) -> Entry {
    match translated(connection) {
        Some(change) => Entry::coloured(
            format!("{} {}", nat_name(change.kind), endpoint(&change.to)),
            Color::Magenta,
        ),
        None => "".into(),
    }
}

fn verdict(connection: &Connection) -> Entry {
    let kind = connection.verdict.kind;
    Entry::coloured(kind.name(), verdict_colour(kind))
}

fn devices(connection: &Connection) -> String {
    let name = |at: Option<&crate::model::IfName>| {
        at.map_or_else(String::new, |name| escape(name.as_bytes()))
    };
    let (first, last) = (connection.interfaces.first(), connection.interfaces.last());
    if first == last { name(first) } else { format!("{} → {}", name(first), name(last)) }
}

fn folded(connection: &Connection) -> String {
    let real = translated(connection)
        .map_or_else(String::new, |change| format!(" ◆ {}", endpoint(&change.to)));
    format!(
        "{} {}\n→ {}{real}",
        connection.protocol.name(),
        endpoint(&connection.original.src),
        asked_for(connection)
    )
}

fn folded_verdict(connection: &Connection) -> Entry {
    let mut entry = verdict(connection);
    let (there, back) = (grouped(connection.packets_original), grouped(connection.packets_reply));
    entry.text = format!("{}\n{there}→ {back}←", entry.text);
    entry
}
