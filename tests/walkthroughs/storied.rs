//! The `story` block: every connection told with the rule sets and the host's context of the blocks before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracecol::context::{self, HostContext};
use tracecol::explain::{
    self, Distrust, LinkFact, Lore, Seen, Subject, Wait, judge, nat_kind, tell,
};
use tracecol::model::{
    Connection, Direction, Hop, LinkKind, LinkTarget, Packet, PacketKey, VerdictTally,
};
use tracecol::render;
use tracecol::rulebook::{self, Book, Revision};

use super::result::Reading;

const WIDTH: usize = 120;

/// What the blocks between a log and its story say of the host.
#[derive(Default)]
pub(super) struct Knowledge {
    book: Book,
    context: Option<HostContext>,
}

impl Knowledge {
    /// Takes a `rules` block.
    pub(super) fn add_rules(&mut self, text: &str, name: &str) -> Result<(), String> {
        let reading = rulebook::read(text, name);
        if let Some(remark) = reading.remarks.first() {
            return Err(format!("rules, line {}: {}", remark.line, remark.sentence));
        }
        for rules in reading.sets {
            let id =
                i64::try_from(self.book.revisions.len()).map_err(|error| error.to_string())? + 1;
            let revision = Revision { id, from: None, name: name.into(), rules: Arc::new(rules) };
            self.book.revisions.push(revision);
        }
        Ok(())
    }

    /// Takes a `context` block.
    pub(super) fn add_context(&mut self, text: &str, name: &str) -> Result<(), String> {
        let reading = context::read(text, name);
        if reading.kind.is_none() {
            return Err(format!("context `{name}` is not understood"));
        }
        self.context.get_or_insert_default().merge(reading.facts);
        Ok(())
    }
}

/// Tells every connection.
pub(super) fn story(reading: &Reading, knowledge: &Knowledge) -> String {
    let rules = knowledge.book.at(None);
    let distrust = Distrust::default();
    let lore = Lore { rules: &rules, distrust: &distrust, context: knowledge.context.as_ref() };
    let told: BTreeMap<PacketKey, Packet> =
        reading.packets.iter().map(|packet| (packet.key, judged(packet, lore))).collect();
    let mut pages = Vec::new();
    for connection in &reading.connections {
        let packets: Vec<&Packet> =
            reading.packets_of(connection.key).iter().map(|packet| &told[&packet.key]).collect();
        let connection = told_connection(connection, &packets, lore);
        let subject = Subject {
            connection: Some(&connection),
            packets: packets.iter().map(|packet| Seen { packet, lore }).collect(),
            waits: waits(reading, &packets),
            links: links(reading, &connection, &packets),
            snapshots: Vec::new(),
        };
        pages.push(render::story(&explain::story(&subject), WIDTH, false).plain());
    }
    let separator = format!("\n{}\n\n", "═".repeat(WIDTH));
    let text = pages.join(&separator);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

fn judged(packet: &Packet, lore: Lore<'_>) -> Packet {
    let path: Vec<Hop> = packet.steps.iter().map(|step| step.hop.clone()).collect();
    Packet { verdict: judge(&path, &packet.verdict, lore).verdict, ..packet.clone() }
}

/// The connection with the verdict of its judged packets and the kinds of its translations.
fn told_connection(connection: &Connection, packets: &[&Packet], lore: Lore<'_>) -> Connection {
    let mut connection = connection.clone();
    let mut tally = VerdictTally::default();
    for packet in packets.iter().filter(|packet| packet.connection == Some(connection.key)) {
        let is_reply = packet.direction == Some(Direction::Reply);
        if packet.direction != Some(Direction::Related) {
            tally.add(packet.verdict.kind, is_reply, || packet.verdict.clone());
        }
    }
    if let Some(verdict) = tally.deciding(connection.state.was_established()) {
        connection.verdict = verdict.clone();
    }
    let targets = targets(packets, lore);
    for change in &mut connection.nat {
        let at = change.site.as_ref().and_then(|hop| targets.get(&hop.site.label()));
        change.kind = nat_kind(change, at);
    }
    connection
}

/// What the rule at each site does.
fn targets(packets: &[&Packet], lore: Lore<'_>) -> BTreeMap<String, rulebook::Target> {
    let steps = packets.iter().flat_map(|packet| tell(packet, lore));
    steps.filter_map(|told| Some((told.step.hop.site.label(), told.target?))).collect()
}

fn waits(reading: &Reading, packets: &[&Packet]) -> Vec<Wait> {
    let is_here = |key| packets.iter().any(|packet| packet.key == key);
    let links = reading.links.iter().filter(|link| link.kind == LinkKind::ArpWait);
    let wait = |link: &tracecol::model::Link| match (link.from, link.to) {
        (LinkTarget::Packet(waiting), LinkTarget::Packet(arp)) => {
            (is_here(waiting) && is_here(arp)).then_some(Wait { waiting, arp })
        }
        _ => None,
    };
    links.filter_map(wait).collect()
}

fn links(reading: &Reading, connection: &Connection, packets: &[&Packet]) -> Vec<LinkFact> {
    let mut facts = Vec::new();
    for link in &reading.links {
        for (own, other, is_later) in [(link.from, link.to, true), (link.to, link.from, false)] {
            let packet = match own {
                LinkTarget::Connection(key) if key == connection.key => None,
                LinkTarget::Packet(key) if packets.iter().any(|packet| packet.key == key) => {
                    Some(key)
                }
                _ => continue,
            };
            let place = packets.iter().position(|packet| LinkTarget::Packet(packet.key) == other);
            facts.push(LinkFact {
                kind: link.kind,
                packet,
                is_later,
                other: place
                    .map_or_else(|| reading.name(other), |place| format!("packet {}", place + 1)),
                evidence: link.evidence.clone().into(),
            });
        }
    }
    facts
}
