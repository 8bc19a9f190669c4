//! What the pure chain makes of a log, in an order in which it can be shown, with short names for what it found.

use std::collections::BTreeMap;

use tracecol::envelope::PeelOptions;
use tracecol::model::{
    Anomaly, Connection, Counts, Gap, Link, LinkTarget, Outcome, Packet, PacketKey, Position,
    SourceId, Stamp,
};
use tracecol::stitch::{Stitch, StitchOptions};

/// A log that was read.
pub(super) struct Reading {
    /// In the order of their first lines, as the others are: `c1` is the first.
    pub(super) connections: Vec<Connection>,
    /// `p1` is the first.
    pub(super) packets: Vec<Packet>,
    pub(super) links: Vec<Link>,
    pub(super) anomalies: Vec<Anomaly>,
    pub(super) gaps: Vec<Gap>,
    pub(super) hosts: BTreeMap<u32, (String, Option<String>)>,
    pub(super) counts: Counts,
    /// Where each line of the log begins.
    starts: Vec<u64>,
}

impl Reading {
    /// Reads a log from its first line to its last.
    pub(super) fn of(log: &str, options: &str) -> Result<Self, String> {
        let (peel, stitch) = parse_options(options)?;
        let mut stitch = Stitch::new(stitch);
        let source = SourceId(1);
        stitch.add_source(source, peel);
        let mut starts = Vec::new();
        let mut offset = 0;
        for line in log.split_inclusive('\n') {
            starts.push(offset);
            stitch.line(source, line.trim_end_matches('\n').as_bytes(), offset);
            offset += line.len() as u64;
        }
        stitch.finish();
        let mut reading = Self {
            connections: Vec::new(),
            packets: Vec::new(),
            links: Vec::new(),
            anomalies: Vec::new(),
            gaps: Vec::new(),
            hosts: BTreeMap::new(),
            counts: *stitch.counts(),
            starts,
        };
        for outcome in stitch.drain() {
            reading.take(outcome);
        }
        reading.connections.sort_by_key(|connection| connection.key);
        reading.packets.sort_by_key(|packet| packet.key);
        let order = |target| match target {
            LinkTarget::Connection(key) => (0, key),
            LinkTarget::Packet(key) => (1, key),
        };
        reading.links.sort_by_key(|link| (order(link.from), order(link.to)));
        reading.anomalies.sort_by_key(|anomaly| anomaly.position);
        Ok(reading)
    }

    fn take(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Host { id, name, netns } => {
                let name = String::from_utf8_lossy(&name).into_owned();
                self.hosts.insert(id.0, (name, netns.map(String::from)));
            }
            Outcome::Packet(packet) => self.packets.push(*packet),
            Outcome::Connection(connection) => {
                self.connections.retain(|known| known.key != connection.key);
                self.connections.push(*connection);
            }
            Outcome::Link(link) => self.links.push(link),
            Outcome::Anomaly(anomaly) => self.anomalies.push(anomaly),
            Outcome::Gap(gap) => self.gaps.push(gap),
        }
    }

    /// `c1`, `p3`; what a link names and the log does not hold is `?`.
    pub(super) fn name(&self, target: LinkTarget) -> String {
        let (letter, place) = match target {
            LinkTarget::Connection(key) => {
                ("c", self.connections.iter().position(|c| c.key == key))
            }
            LinkTarget::Packet(key) => ("p", self.packets.iter().position(|p| p.key == key)),
        };
        place.map_or_else(|| format!("{letter}?"), |at| format!("{letter}{}", at + 1))
    }

    /// The connection's packets, and the ARP packets that one of them waited for.
    pub(super) fn packets_of(&self, connection: PacketKey) -> Vec<&Packet> {
        let is_own = |packet: &&Packet| packet.connection == Some(connection);
        let own: Vec<PacketKey> = self.packets.iter().filter(is_own).map(|p| p.key).collect();
        let is_waited_for = |packet: &Packet| {
            self.links.iter().any(|link| match (link.from, link.to) {
                (LinkTarget::Packet(from), LinkTarget::Packet(to)) => {
                    packet.connection.is_none() && to == packet.key && own.contains(&from)
                }
                _ => false,
            })
        };
        self.packets.iter().filter(|p| own.contains(&p.key) || is_waited_for(p)).collect()
    }

    /// The number of a line within the log, from 1.
    pub(super) fn line(&self, position: Position) -> usize {
        self.starts.partition_point(|start| *start <= position.offset)
    }

    /// The lines of a packet in the order of its steps: `1-4,7,9+10` (a torn line was put together).
    pub(super) fn lines(&self, packet: &Packet) -> String {
        let mut runs: Vec<(usize, usize, String)> = Vec::new();
        for step in &packet.steps {
            let line = self.line(step.lines.head);
            let pieces = step.lines.pieces.iter().map(|piece| format!("+{}", self.line(*piece)));
            let pieces: String = pieces.collect();
            match runs.last_mut() {
                Some((_, last, torn))
                    if *last + 1 == line && torn.is_empty() && pieces.is_empty() =>
                {
                    *last = line;
                }
                _ => runs.push((line, line, pieces)),
            }
        }
        let runs = runs.iter().map(|(first, last, pieces)| {
            if first == last { format!("{first}{pieces}") } else { format!("{first}-{last}") }
        });
        runs.collect::<Vec<_>>().join(",")
    }
}

/// `12.345678 s` since boot, or the seconds since 1970.
pub(super) fn time(stamp: Stamp) -> String {
    match (stamp.uptime, stamp.wall) {
        (Some(up), _) => format!("{}.{:06} s after boot", up.0 / 1_000_000, up.0 % 1_000_000),
        (None, Some(wall)) => {
            format!("{}.{:06} s", wall.0.div_euclid(1_000_000), wall.0.rem_euclid(1_000_000))
        }
        (None, None) => "unknown".into(),
    }
}

fn parse_options(options: &str) -> Result<(PeelOptions, StitchOptions), String> {
    let mut peel = PeelOptions::default();
    let mut stitch = StitchOptions::default();
    for option in options.split_whitespace() {
        match option.split_once('=') {
            Some(("year", year)) => peel.year = year.parse().ok(),
            Some(("netns", label)) => stitch.netns = Some(label.into()),
            _ => return Err(format!("unknown option `{option}` of a log")),
        }
    }
    Ok((peel, stitch))
}
