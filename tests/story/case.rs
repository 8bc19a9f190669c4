//! A log with rule sets and host context, read by the pure chain and told by the rules, ready for its stories.

use std::sync::Arc;

use tracecol::context::{self, HostContext};
use tracecol::envelope::PeelOptions;
use tracecol::explain::{
    Distrust, LinkFact, Lore, Seen, SnapshotFact, Subject, Wait, judge, nat_kind, tell,
};
use tracecol::model::{
    Connection, Direction, Hop, Link, LinkKind, LinkTarget, Outcome, Packet, PacketKey, SourceId,
    VerdictTally, WallTime,
};
use tracecol::rulebook::{self, Book, Moment, Revision};
use tracecol::stitch::{Stitch, StitchOptions};

/// What a log holds, and what is known beside it.
#[derive(Default)]
pub(super) struct Case {
    pub(super) connections: Vec<Connection>,
    pub(super) packets: Vec<Packet>,
    links: Vec<Link>,
    book: Book,
    pub(super) moment: Moment,
    distrust: Distrust,
    context: Option<HostContext>,
    snapshots: Vec<SnapshotFact>,
}

impl Case {
    /// Reads a log.
    pub(super) fn of(log: &str) -> Self {
        let mut stitch = Stitch::new(StitchOptions::default());
        let source = SourceId(1);
        stitch.add_source(source, PeelOptions::default());
        let mut offset = 0;
        for line in log.split_inclusive('\n') {
            stitch.line(source, line.trim_end_matches('\n').as_bytes(), offset);
            offset += line.len() as u64;
        }
        stitch.finish();
        let mut case = Self::default();
        for outcome in stitch.drain() {
            match outcome {
                Outcome::Packet(packet) => case.packets.push(*packet),
                Outcome::Connection(connection) => {
                    case.connections.retain(|known| known.key != connection.key);
                    case.connections.push(*connection);
                }
                Outcome::Link(link) => case.links.push(link),
                Outcome::Host { .. } | Outcome::Anomaly(_) | Outcome::Gap(_) => {}
            }
        }
        case.connections.sort_by_key(|connection| connection.key);
        case.packets.sort_by_key(|packet| packet.key);
        case
    }

    /// Adds the rule sets of a text, taken at a time.
    pub(super) fn rules(mut self, text: &str, name: &str, from: Option<(WallTime, &str)>) -> Self {
        for set in rulebook::read(text, name).sets {
            let id = i64::try_from(self.book.revisions.len()).unwrap() + 1;
            self.book.revisions.push(Revision {
                id,
                from: from.map(|(time, _)| time),
                name: name.into(),
                rules: Arc::new(set),
            });
            self.snapshots.extend(
                from.map(|(_, taken)| SnapshotFact { revision: id, taken: taken.to_owned() }),
            );
        }
        self
    }

    /// Adds what a text tells of the host.
    pub(super) fn context(mut self, text: &str, name: &str) -> Self {
        let facts = context::read(text, name).facts;
        self.context.get_or_insert_default().merge(facts);
        self
    }

    /// Lets the rules tell the verdicts and the kinds of translation.
    pub(super) fn told(mut self) -> Self {
        self.moment = self.book.at(self.packets.first().and_then(|packet| packet.first.wall));
        let mut packets = std::mem::take(&mut self.packets);
        for packet in &mut packets {
            let path: Vec<Hop> = packet.steps.iter().map(|step| step.hop.clone()).collect();
            packet.verdict = judge(&path, &packet.verdict, self.lore()).verdict;
        }
        self.packets = packets;
        let mut connections = std::mem::take(&mut self.connections);
        for connection in &mut connections {
            let mut tally = VerdictTally::default();
            for packet in self.packets.iter().filter(|one| one.connection == Some(connection.key)) {
                let is_reply = packet.direction == Some(Direction::Reply);
                tally.add(packet.verdict.kind, is_reply, || packet.verdict.clone());
            }
            if let Some(verdict) = tally.deciding(connection.state.was_established()) {
                connection.verdict = verdict.clone();
            }
            for change in &mut connection.nat {
                let steps = self.packets.iter().flat_map(|packet| tell(packet, self.lore()));
                let mut by = steps.filter(|told| Some(&told.step.hop) == change.site.as_ref());
                let target = by.next().and_then(|told| told.target);
                change.kind = nat_kind(change, target.as_ref());
            }
        }
        self.connections = connections;
        self
    }

    fn lore(&self) -> Lore<'_> {
        Lore { rules: &self.moment, distrust: &self.distrust, context: self.context.as_ref() }
    }

    /// A connection, with the ARP packets that its packets waited for.
    pub(super) fn subject(&self, at: usize) -> Subject<'_> {
        let connection = &self.connections[at];
        let own: Vec<PacketKey> = self
            .packets
            .iter()
            .filter(|packet| packet.connection == Some(connection.key))
            .map(|packet| packet.key)
            .collect();
        let waits: Vec<Wait> = self
            .links
            .iter()
            .filter(|link| link.kind == LinkKind::ArpWait)
            .filter_map(|link| match (link.from, link.to) {
                (LinkTarget::Packet(waiting), LinkTarget::Packet(arp)) => {
                    own.contains(&waiting).then_some(Wait { waiting, arp })
                }
                _ => None,
            })
            .collect();
        let is_shown = |packet: &&Packet| {
            own.contains(&packet.key) || waits.iter().any(|wait| wait.arp == packet.key)
        };
        let packets: Vec<Seen<'_>> = self
            .packets
            .iter()
            .filter(is_shown)
            .map(|packet| Seen { packet, lore: self.lore() })
            .collect();
        let links = self.links.iter().filter_map(|link| self.link(link, connection.key, &own));
        Subject {
            connection: Some(connection),
            packets,
            waits,
            links: links.collect(),
            snapshots: self.snapshots.clone(),
        }
    }

    /// One packet of its connection.
    pub(super) fn packet(&self, at: usize) -> Subject<'_> {
        let key = self.packets[at].connection;
        Subject {
            connection: self.connections.iter().find(|one| Some(one.key) == key),
            packets: vec![Seen { packet: &self.packets[at], lore: self.lore() }],
            snapshots: self.snapshots.clone(),
            ..Subject::default()
        }
    }

    fn link(&self, link: &Link, connection: PacketKey, own: &[PacketKey]) -> Option<LinkFact> {
        let is_own = |target: LinkTarget| match target {
            LinkTarget::Connection(key) => key == connection,
            LinkTarget::Packet(key) => own.contains(&key),
        };
        let (mine, other, is_later) = match (is_own(link.from), is_own(link.to)) {
            (true, _) => (link.from, link.to, true),
            (false, true) => (link.to, link.from, false),
            (false, false) => return None,
        };
        Some(LinkFact {
            kind: link.kind,
            packet: match mine {
                LinkTarget::Packet(key) => Some(key),
                LinkTarget::Connection(_) => None,
            },
            is_later,
            other: self.name(other, own),
            evidence: link.evidence.to_string(),
        })
    }

    fn name(&self, target: LinkTarget, own: &[PacketKey]) -> String {
        match target {
            LinkTarget::Packet(key) => match own.iter().position(|packet| *packet == key) {
                Some(at) => format!("packet {}", at + 1),
                None => "a packet of another connection".to_owned(),
            },
            LinkTarget::Connection(key) => {
                let other = self.connections.iter().find(|one| one.key == key);
                other.map_or_else(String::new, |other| {
                    let (src, dst) = (other.original.src, other.original.dst);
                    let text = |end: tracecol::model::Endpoint| tracecol::render::endpoint(&end);
                    format!("{} → {}", text(src), text(dst))
                })
            }
        }
    }
}
