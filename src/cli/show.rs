//! `tracecol show`: one connection (or packet), hook by hook.

use std::io::Write;

use clap::{Args, ValueEnum};

use crate::cli::args::Global;
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::output::{self, Format};
use crate::cli::story::{StoryArgs, tell};
use crate::cli::times::{Detail, TimeStyle};
use crate::cli::{csv, database, paint, talk};
use crate::model::{Position, SourceId, Stamp};
use crate::query::{Library, Subject, json};
use crate::render::{
    Facts, Lane, Text, duration, escape, escape_text, head, kernel_line, lanes, words,
};
use crate::store::{ConnectionRow, LinkEnd, LinkRow, PacketRow, PublicId, Store};
use crate::wire;

/// More packets are drawn only when asked for.
const PACKETS: usize = 200;

/// Show the way of a connection or packet, hook by hook.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tracecol show c0123456789abc                  lanes: one row a packet, one column a chain
  tracecol show c0123456789abc --as story       told in words: what happened, which rule decided, what is not known
  tracecol show c0123456789abc --as lines       its lines, as the kernel printed them
  tracecol show p0123456789abc                  one packet, step by step
  tracecol show c0123456789abc --output json    everything, for scripts")]
pub(super) struct Show {
    /// A connection's or packet's id, as `connections` and `packets` print it
    #[arg(value_name = "ID")]
    id: String,

    /// What to show
    #[arg(long = "as", value_enum, default_value = "lanes", value_name = "VIEW")]
    view: View,

    /// Which packet to tell in words
    #[arg(long, value_name = "N", default_value_t = 1)]
    packet: usize,

    /// Draw no more than this many packets
    #[arg(long, value_name = "N", default_value_t = PACKETS)]
    limit: usize,

    #[command(flatten)]
    story: StoryArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum View {
    /// The packets' ways through the chains.
    Lanes,
    /// The story in words: what happened, what decided, what is not known.
    Story,
    /// The lines as the kernel printed them, with their places.
    Lines,
}

impl Show {
    pub(super) async fn run(self, global: &Global) -> Outcome {
        let id: PublicId = self.id.parse().map_err(|error| {
            Failure::from(anyhow::Error::new(error))
                .hint("`tracecol connections` lists connections with their ids")
        })?;
        database::read(global, async |store| self.show(global, store, &id).await).await
    }

    /// Lanes of a connection in a store that is open already.
    pub(super) async fn lanes_of(global: &Global, store: &Store, id: &PublicId) -> Outcome {
        let show = Self {
            id: id.to_string(),
            view: View::Lanes,
            packet: 1,
            limit: PACKETS,
            story: StoryArgs::default(),
        };
        show.show(global, store, id).await
    }

    async fn show(&self, global: &Global, store: &Store, id: &PublicId) -> Outcome {
        let mut library = Library::load(store).await?;
        if self.view == View::Story {
            return tell(global, store, &mut library, id, &self.story).await;
        }
        let Some(subject) = Subject::find(store, &mut library, id).await? else {
            talk::note(global, &format!("nothing in this database has the id {id}"));
            return Ok(Ending::Nothing);
        };
        match (global.output, self.view) {
            (Format::Table, View::Lanes) => self.write_lanes(global, &subject)?,
            (Format::Table, View::Lines) => write_lines(global, &subject)?,
            (Format::Table, View::Story) => {}
            (Format::Csv, _) => csv::steps(&subject.packets)?,
            (format, _) => write_json(format, &subject)?,
        }
        Ok(Ending::Done)
    }

    fn write_lanes(&self, global: &Global, subject: &Subject) -> Result<(), Failure> {
        let width = output::width();
        let mut pages = Vec::new();
        if let Some(row) = &subject.connection {
            pages.push(head(&row.connection, &facts(row, global.times()), width));
        }
        let shown = &subject.packets[..subject.packets.len().min(self.limit)];
        let base = base(subject);
        let rows: Vec<Lane<'_>> = shown
            .iter()
            .map(|row| Lane { packet: &row.packet, notes: notes(row, &subject.packets) })
            .collect();
        if !rows.is_empty() {
            pages.push(lanes(&rows, base, width));
        }
        let chosen = self.packet.saturating_sub(1);
        if let Some(row) = subject.packets.get(chosen) {
            let heading = format!("packet {} in words  {}", chosen + 1, row.id);
            pages.push(words(&row.packet, &heading, width));
        }
        let mut out = output::page(global.color);
        for (at, page) in pages.into_iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            let page: Text = if self.story.ascii { page.into_ascii() } else { page };
            paint::write(&mut out, &page)?;
        }
        out.flush()?;
        drop(out);
        let left_out = subject.packets.len() - shown.len();
        if left_out > 0 {
            let text = talk::many(left_out as u64, "more packet is", "more packets are");
            talk::note(global, &format!("{text} not drawn; use --limit {}", subject.packets.len()));
        }
        Ok(())
    }
}

/// Offsets count from the connection's first line.
fn base(subject: &Subject) -> Stamp {
    let packet = || subject.packets.first().map(|row| row.packet.first);
    subject.connection.as_ref().map(|row| row.connection.first).or_else(packet).unwrap_or_default()
}

fn facts(row: &ConnectionRow, times: TimeStyle) -> Facts {
    let connection = &row.connection;
    let begin = times.show(&connection.first, Detail::Full);
    let mut time = format!("{begin}{}", times.zone(&connection.first));
    if let Some(us) = lasted(connection.first, connection.last).filter(|us| *us > 0) {
        time = format!("{time}, lasted {}", duration(us));
    }
    Facts {
        id: row.id.to_string(),
        host: row.host.name.clone(),
        netns: row.host.netns.clone(),
        time,
        links: row
            .links
            .iter()
            .map(|link| (link.kind.name().to_owned(), other(link), link.evidence.clone()))
            .collect(),
    }
}

fn lasted(first: Stamp, last: Stamp) -> Option<u64> {
    match (first.uptime, last.uptime) {
        (Some(first), Some(last)) => last.0.checked_sub(first.0),
        _ => u64::try_from(last.wall?.0.checked_sub(first.wall?.0)?).ok(),
    }
}

fn other(link: &LinkRow) -> String {
    match link.other {
        LinkEnd::Connection(id) | LinkEnd::Packet(id) => id.to_string(),
    }
}

/// What a packet has to do with others. Of two that are drawn, the later one tells.
fn notes(row: &PacketRow, packets: &[PacketRow]) -> Vec<String> {
    let place = |id: PublicId| packets.iter().position(|other| other.id == id);
    let own = place(row.id);
    let note = |link: &LinkRow| {
        let (LinkEnd::Connection(id) | LinkEnd::Packet(id)) = link.other;
        let number = place(id);
        let name = number.map_or_else(|| id.to_string(), |at| format!("packet {}", at + 1));
        let kind = link.kind.name().replace('_', " ");
        let text = format!("{kind}, {name}: {}", escape_text(&link.evidence));
        (number.is_none() || number < own).then_some(text)
    };
    row.links.iter().filter_map(note).collect()
}

/// Writes every line with its place, in the order of the log.
fn write_lines(global: &Global, subject: &Subject) -> Result<(), Failure> {
    let mut lines: Vec<(Position, &PacketRow, String)> = Vec::new();
    for row in &subject.packets {
        for step in &row.packet.steps {
            let line = escape(&kernel_line(&step.hop.site, &step.header));
            lines.push((step.lines.head, row, line));
        }
    }
    lines.sort_by_key(|(position, _, _)| *position);
    let places: Vec<String> =
        lines.iter().map(|(position, row, _)| place(*position, row)).collect();
    let widest = places.iter().map(|place| place.chars().count()).max().unwrap_or(0);
    let mut out = output::page(global.color);
    for (place, (_, _, line)) in places.iter().zip(&lines) {
        let dim = talk::DIM;
        writeln!(out, "{dim}{place:<widest$}{dim:#}  {line}")?;
    }
    out.flush()?;
    Ok(())
}

/// `kern.log:18233`.
fn place(position: Position, row: &PacketRow) -> String {
    format!("{}:{}", source_name(position.source, row), position.offset)
}

fn source_name(id: SourceId, row: &PacketRow) -> String {
    row.source_name(id).map_or_else(|| format!("source {}", id.0), escape_text)
}

fn write_json(format: Format, subject: &Subject) -> Result<(), Failure> {
    let packets: Vec<wire::Packet> = subject
        .packets()
        .map(|(row, lore)| json::packet(row, subject.connection_of(row), lore))
        .collect();
    let text = match &subject.connection {
        Some(row) => {
            let connection = wire::ConnectionWithPackets {
                connection: json::connection(row),
                packet_list: packets,
            };
            if format == Format::Json {
                output::pretty_json(&connection)?
            } else {
                output::json(&connection)?
            }
        }
        None if format == Format::Json => output::pretty_json(&packets.first())?,
        None => output::json(&packets.first())?,
    };
    let mut out = output::data();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}
