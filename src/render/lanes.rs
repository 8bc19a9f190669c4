//! The lanes: one row a packet, one column a built-in chain, marks where the packet was seen.
//!
//! ```text
//!  #     µs   Δ  packet         path  in    raw            nat                   NAT                ...
//!                                           PREROUTING     PREROUTING            destination
//!  1     +0   0  → SYN 60 B        A  eth0 ─○──────────────■─■───────────────────◆───────────────── ...
//!                                           policy 3 +0    rule 1 +21            172.17.0.5:6379
//!                                                          › DOCKER rule 1 +25
//! ```

use crate::model::{
    Arp, Confidence, Devices, Direction, Hook, Layer, Network, Packet, Site, SiteKind, Stamp,
    VerdictKind,
};
use crate::render::grid::{Column, End, Grid, Item, Row, chunk};
use crate::render::names::{arp_sentence, arp_word, duration, kind_words, offset};
use crate::render::stages::{Event, Side, Stage, Stop, ordered, stops};
use crate::render::{Line, Style, Text, escape, packet_title};

/// Longer waits between two steps of one packet are shown.
const LONG_WAIT_US: i64 = 40;

/// Longer LOG prefixes do not fit over a column and are explained below.
const LONGEST_PREFIX: usize = 14;

/// One packet to be drawn.
#[derive(Debug, Clone)]
pub struct Lane<'a> {
    /// The packet.
    pub packet: &'a Packet,
    /// Remarks, printed below its row; safe to print.
    pub notes: Vec<String>,
}

/// Draws packets as lanes, with offsets from `base`, at most `width` columns wide.
pub fn lanes(lanes: &[Lane<'_>], base: Stamp, width: usize) -> Text {
    let ways: Vec<Vec<Stop<'_>>> = lanes.iter().map(|lane| stops(lane.packet)).collect();
    let stages = ordered(&ways);
    let (columns, prefixes) = columns(&stages);
    let mut paths = Paths::default();
    let mut rows = Vec::with_capacity(lanes.len());
    let mut previous_us = None;
    for (at, (lane, way)) in lanes.iter().zip(&ways).enumerate() {
        let start_us = since(base, lane.packet.first);
        let wait_us =
            start_us.zip(previous_us).map(|(now, before): (i64, i64)| now.saturating_sub(before));
        previous_us = start_us.or(previous_us);
        rows.push(Row {
            number: (at + 1).to_string(),
            start: start_us.map_or_else(String::new, offset),
            wait: wait_us.map_or_else(String::new, signed),
            title: title(lane.packet),
            path: paths.letter(lane.packet),
            style: direction_style(lane.packet),
            cells: cells(way, &stages),
            input: input(lane.packet),
            end: end(lane.packet),
            notes: notes(lane),
        });
    }
    let mut text = Text::default();
    let grid = Grid { columns, rows };
    let compact = grid.draw(&mut text, width);
    text.blank();
    paths.count(&mut text, compact, width);
    legend(&mut text, &grid.rows, lanes, compact, width);
    for (name, prefix) in prefixes {
        let start = (Style::Dim, format!("{name:<5}  ")).into();
        let words = chunk(Style::Plain, format!("prefix \"{prefix}\""));
        text.push_wrapped(start, vec![words], 7, width);
    }
    text
}

/// The hops of a packet and what became of it: packets with equal ones share a letter.
type Path<'a> = (Vec<(Layer, &'a Site, Devices)>, VerdictKind);

/// The paths met so far, each with its first packet and how many went it.
#[derive(Default)]
struct Paths<'a> {
    known: Vec<(Path<'a>, &'a Packet, usize)>,
}

impl<'a> Paths<'a> {
    fn letter(&mut self, packet: &'a Packet) -> String {
        let hops: Vec<_> = packet
            .steps
            .iter()
            .map(|step| (step.hop.layer, &*step.hop.site, step.hop.devices))
            .collect();
        let path = (hops, packet.verdict.kind);
        let at = self.known.iter().position(|(known, _, _)| *known == path).unwrap_or_else(|| {
            self.known.push((path, packet, 0));
            self.known.len() - 1
        });
        if let Some((_, _, count)) = self.known.get_mut(at) {
            *count += 1;
        }
        letters(at)
    }
}

impl Paths<'_> {
    /// How often each path was gone. Compact lanes leave the devices to this line.
    fn count(&self, text: &mut Text, compact: bool, width: usize) {
        let counts = self.known.iter().enumerate().map(|(at, (_, packet, count))| {
            let mut line = chunk(Style::Plain, format!("{}×{count}", letters(at)));
            if compact {
                let end = end(packet);
                let (_, mark, word) = end.parts();
                line.push(Style::Dim, format!(" {} {mark} {word}", input(packet)));
            }
            line.push(Style::Plain, "   ");
            line
        });
        let start = chunk(Style::Dim, "paths  ".to_owned());
        text.push_wrapped(start, counts.collect(), 7, width);
    }
}

/// A, B, … Z, AA, AB, …
fn letters(mut at: usize) -> String {
    let mut out = Vec::new();
    loop {
        out.push(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[at % 26]);
        if at < 26 {
            break;
        }
        at = at / 26 - 1;
    }
    out.reverse();
    String::from_utf8_lossy(&out).into_owned()
}

/// Microseconds from one stamp to another, on the best clock that both have.
fn since(base: Stamp, stamp: Stamp) -> Option<i64> {
    if let (Some(from), Some(to)) = (base.uptime, stamp.uptime) {
        return i64::try_from(i128::from(to.0) - i128::from(from.0)).ok();
    }
    stamp.wall?.0.checked_sub(base.wall?.0)
}

fn signed(us: i64) -> String {
    let text = offset(us);
    text.strip_prefix('+').map_or(text.clone(), str::to_owned)
}

fn direction_style(packet: &Packet) -> Style {
    match packet.direction {
        Some(Direction::Original) => Style::Original,
        Some(Direction::Reply) => Style::Reply,
        Some(Direction::Related) => Style::Doubt,
        None => Style::Dim,
    }
}

/// `→ SYN 60 B`, with the direction as an arrow and doubt as a mark.
fn title(packet: &Packet) -> Line {
    let arrow = match packet.direction {
        Some(Direction::Original) => "→ ",
        Some(Direction::Reply) => "← ",
        Some(Direction::Related) => "! ",
        None => "· ",
    };
    let mut line = Line::default();
    let name = arp(packet).map_or_else(|| packet_title(packet), arp_word);
    line.push(direction_style(packet), arrow).push(Style::Strong, escape(name.as_bytes()));
    match packet.confidence {
        Confidence::Exact => {}
        Confidence::Likely => _ = line.push(Style::Doubt, " ~"),
        Confidence::Ambiguous => _ = line.push(Style::Doubt, " ~~"),
    }
    line
}

fn arp(packet: &Packet) -> Option<&Arp> {
    packet.steps.iter().find_map(|step| match &step.header.network {
        Network::Arp(arp) => Some(arp),
        Network::Absent | Network::Truncated | Network::Incomplete | Network::Ip(_) => None,
    })
}

/// What an ARP packet says is too long for its column.
fn notes(lane: &Lane<'_>) -> Vec<String> {
    arp(lane.packet).and_then(arp_sentence).into_iter().chain(lane.notes.clone()).collect()
}

/// The device it came from.
fn input(packet: &Packet) -> String {
    let Some(first) = packet.steps.first() else { return String::new() };
    let devices = first.hop.devices;
    match devices.physin.or(devices.input) {
        Some(name) => escape(name.as_bytes()),
        None if first.hop.site.hook() == Some(Hook::Output) => "local".into(),
        None => "?".into(),
    }
}

/// Where its lane ends.
fn end(packet: &Packet) -> End {
    match packet.verdict.kind {
        VerdictKind::Dropped => End::Stops("dropped"),
        VerdictKind::Rejected => End::Stops("rejected"),
        VerdictKind::Consumed => End::Goes("local".into()),
        VerdictKind::Accepted => End::Goes(output(packet)),
        VerdictKind::Unknown => match output(packet) {
            device if device == "?" => End::Unknown("unknown".into()),
            device => End::Unknown(device),
        },
    }
}

/// The device it left through; after INPUT the host itself.
fn output(packet: &Packet) -> String {
    let leaving = packet.steps.iter().rev().find_map(|step| {
        let devices = step.hop.devices;
        let hook = step.hop.site.hook();
        match devices.physout.or(devices.output) {
            Some(name) => Some(escape(name.as_bytes())),
            // A frame that enters the bridge's INPUT goes on to the IP layer: no end yet.
            None if hook == Some(Hook::Input) && step.hop.layer != Layer::Bridge => {
                Some("local".into())
            }
            None => None,
        }
    });
    leaving.unwrap_or_else(|| if is_frame_for_host(packet) { "local".into() } else { "?".into() })
}

/// A frame (ARP, for one) whose last line is the bridge's INPUT was for the host.
fn is_frame_for_host(packet: &Packet) -> bool {
    packet.steps.last().is_some_and(|step| step.hop.site.hook() == Some(Hook::Input))
}

fn cells(way: &[Stop<'_>], stages: &[Stage]) -> Vec<Vec<Item>> {
    let mut cells = vec![Vec::new(); stages.len()];
    let mut before_us = None;
    for stop in way {
        let Some(cell) =
            stages.iter().position(|stage| *stage == stop.stage).and_then(|at| cells.get_mut(at))
        else {
            continue;
        };
        let mut item = item(stop);
        if matches!(stop.event, Event::Step(_)) {
            let wait = stop
                .offset_us
                .zip(before_us)
                .map(|(now, before): (i64, i64)| now.saturating_sub(before));
            item.wait = wait.filter(|us| *us > LONG_WAIT_US).map(|us| duration(us.unsigned_abs()));
            before_us = stop.offset_us.or(before_us);
        }
        cell.push(item);
    }
    cells
}

fn item(stop: &Stop<'_>) -> Item {
    let offset = stop.offset_us.map_or_else(String::new, offset);
    match &stop.event {
        Event::Changed(address) => {
            Item { text: address.clone(), ..Item::new('◆', Style::Nat, "") }
        }
        Event::Step(seen) => Item { offset, ..step_item(&seen.hop.site, &stop.stage) },
    }
}

fn step_item(site: &Site, stage: &Stage) -> Item {
    let user = |chain| Hook::from_chain(chain).is_none().then(|| escape(chain));
    match site {
        Site::Trace { chain, kind, .. } => {
            let (word, number) = kind_words(*kind);
            let is_rule = matches!(kind, SiteKind::Rule(_));
            let (mark, style) = if is_rule { ('■', Style::Rule) } else { ('○', Style::Policy) };
            let number = number.to_string();
            Item { chain: user(chain), number, ..Item::new(mark, style, word) }
        }
        Site::Bridge { chain, .. } => {
            Item { chain: user(chain), ..Item::new('▪', Style::Bridge, "log") }
        }
        Site::BridgeLog { .. } => Item::new('▪', Style::Bridge, "log"),
        // In a column of its own the prefix stands in the head.
        Site::Log { .. } if matches!(stage, Stage::Log { .. }) => Item::new('▪', Style::Log, "log"),
        Site::Log { prefix } => {
            let text = format!("\"{}\"", escape(prefix));
            Item { text, ..Item::new('▪', Style::Log, "log") }
        }
    }
}

/// The columns' heads, and the LOG prefixes that are too long for one.
fn columns(stages: &[Stage]) -> (Vec<Column>, Vec<(String, String)>) {
    let mut prefixes = Vec::new();
    let columns = stages.iter().map(|stage| column(stage, &mut prefixes)).collect();
    (columns, prefixes)
}

fn column(stage: &Stage, prefixes: &mut Vec<(String, String)>) -> Column {
    match stage {
        Stage::Chain { bridge, table, hook, pass } => {
            let eb = if *bridge { "eb " } else { "" };
            let again = if *pass > 0 { " again" } else { "" };
            let style = if *bridge { Style::Bridge } else { Style::Heading };
            let name = hook.map_or("?", Hook::name);
            let short = hook.map_or("?", short_hook);
            Column::new(style, format!("{eb}{}{again}", escape(table)), name, short)
        }
        Stage::Nat { side: Side::Destination, .. } => {
            Column::new(Style::Nat, "NAT".into(), "destination", "dst")
        }
        Stage::Nat { side: Side::Source, .. } => {
            Column::new(Style::Nat, "NAT".into(), "source", "src")
        }
        Stage::Log { bridge, prefix } => {
            let (style, head) =
                if *bridge { (Style::Bridge, "eb log") } else { (Style::Log, "LOG") };
            let text = escape(prefix);
            let shown = text.trim_end();
            if shown.len() <= LONGEST_PREFIX {
                return Column::new(style, head.into(), shown, shown);
            }
            let name = format!("#{}", prefixes.len() + 1);
            prefixes.push((name.clone(), text));
            Column::new(style, head.into(), &name, &name)
        }
    }
}

fn short_hook(hook: Hook) -> &'static str {
    match hook {
        Hook::Brouting => "BROUTE",
        Hook::Prerouting => "PRE",
        Hook::Input => "IN",
        Hook::Forward => "FWD",
        Hook::Output => "OUT",
        Hook::Postrouting => "POST",
    }
}

/// What the marks mean, of those that occur.
fn legend(text: &mut Text, rows: &[Row], lanes: &[Lane<'_>], compact: bool, width: usize) {
    let items: Vec<&Item> = rows.iter().flat_map(|row| row.cells.iter().flatten()).collect();
    let has = |mark, style| items.iter().any(|item| item.mark == mark && item.style == style);
    let mut chunks = Vec::new();
    let mut explain = |shown: bool, style, mark: &str, meaning: &str| {
        if shown {
            let mut line = chunk(style, mark.to_owned());
            line.push(Style::Dim, format!(" {meaning}   "));
            chunks.push(line);
        }
    };
    let (rule, policy) = if compact { ("■n", "○n") } else { ("■", "○") };
    let returns = items.iter().any(|item| item.word == "return");
    let policy_means = if returns { "policy, or end of a chain (return)" } else { "policy" };
    explain(has('■', Style::Rule), Style::Rule, rule, "rule that matched");
    explain(has('○', Style::Policy), Style::Policy, policy, policy_means);
    explain(has('◆', Style::Nat), Style::Nat, "◆", "new address");
    explain(has('▪', Style::Bridge), Style::Bridge, "▪", "ebtables log");
    explain(has('▪', Style::Log), Style::Log, "▪", "LOG line");
    let stops = |kind| lanes.iter().any(|lane| lane.packet.verdict.kind == kind);
    let stopped = stops(VerdictKind::Dropped) || stops(VerdictKind::Rejected);
    explain(
        compact && items.iter().any(|item| item.wait.is_some()),
        Style::Gap,
        "Δ",
        "long wait before",
    );
    explain(stopped, Style::Bad, "✗", "ends here");
    explain(
        stops(VerdictKind::Unknown),
        Style::Doubt,
        "?",
        "last seen here: what became of it is not in the log",
    );
    let doubt = |confidence| lanes.iter().any(|lane| lane.packet.confidence == confidence);
    explain(doubt(Confidence::Likely), Style::Doubt, "~", "likely joined right");
    explain(doubt(Confidence::Ambiguous), Style::Doubt, "~~", "could be joined otherwise");
    explain(true, Style::Plain, "+n", "µs since the packet's first line");
    text.push_wrapped((Style::Dim, "marks  ".to_owned()).into(), chunks, 7, width);
}
