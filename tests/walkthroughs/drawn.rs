//! The `lanes` block: heads and lanes without colour.

use tracecol::model::{LinkTarget, Packet, PacketKey, Stamp};
use tracecol::render::{self, Facts, Lane};

use super::result::{Reading, time};

const WIDTH: usize = 120;

/// Draws every connection, then the packets that have none and that were not drawn yet.
pub(super) fn lanes(reading: &Reading) -> String {
    let mut pages = Vec::new();
    let mut drawn: Vec<PacketKey> = Vec::new();
    for connection in &reading.connections {
        let packets = reading.packets_of(connection.key);
        drawn.extend(packets.iter().map(|packet| packet.key));
        let facts = facts(reading, connection);
        let mut page = render::head(connection, &facts, WIDTH).plain();
        page.push('\n');
        page.push_str(&draw(reading, &packets, connection.first));
        pages.push(page);
    }
    let rest: Vec<&Packet> =
        reading.packets.iter().filter(|packet| !drawn.contains(&packet.key)).collect();
    if let Some(first) = rest.first() {
        pages.push(format!("without a connection\n\n{}", draw(reading, &rest, first.first)));
    }
    let separator = format!("\n{}\n\n", "═".repeat(WIDTH));
    let text = pages.join(&separator);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

fn facts(reading: &Reading, connection: &tracecol::model::Connection) -> Facts {
    let own = LinkTarget::Connection(connection.key);
    let (host, netns) = reading.hosts.get(&connection.host.0).cloned().unwrap_or_default();
    let links = reading.links.iter().filter(|link| link.from == own || link.to == own);
    let links = links.map(|link| {
        let other = if link.from == own { link.to } else { link.from };
        (link.kind.name().to_owned(), reading.name(other), String::from(link.evidence.clone()))
    });
    Facts {
        id: reading.name(own),
        host,
        netns,
        time: time(connection.first),
        links: links.collect(),
    }
}

fn draw(reading: &Reading, packets: &[&Packet], base: Stamp) -> String {
    let lanes: Vec<Lane<'_>> = packets
        .iter()
        .enumerate()
        .map(|(at, packet)| Lane { packet, notes: notes(reading, packets, at) })
        .collect();
    render::lanes(&lanes, base, WIDTH).plain()
}

/// What a packet has to do with others. Of two that are drawn, the later one tells.
fn notes(reading: &Reading, packets: &[&Packet], own: usize) -> Vec<String> {
    let target = LinkTarget::Packet(packets[own].key);
    let links = reading.links.iter().filter(|link| link.from == target || link.to == target);
    let note = |link: &tracecol::model::Link| {
        let other = if link.from == target { link.to } else { link.from };
        let place = packets.iter().position(|packet| LinkTarget::Packet(packet.key) == other);
        let name = place.map_or_else(|| reading.name(other), |at| format!("packet {}", at + 1));
        let text = format!("{}, {name}: {}", link.kind.name().replace('_', " "), link.evidence);
        place.is_none_or(|place| place < own).then_some(text)
    };
    links.filter_map(note).collect()
}
