//! The `facts` and `fields` blocks: results and header fields as lines of text.
//!
//! (Writing to a `String` cannot fail; what `write!` returns is of no use here.)

use std::fmt::Write;

use tracecol::model::{
    Arp, Connection, Devices, Fragment, Header, Icmp, Ip, IpFlags, LinkHeader, LinkTarget, Mac,
    Network, Packet, Step, Tcp, TcpFlags, TcpOptions, Transport, Tuple, Verdict,
};
use tracecol::render::{endpoint, escape, nat_name, packet_title, site_name};

use super::result::{Reading, time};

/// One line for each thing found.
pub(super) fn facts(reading: &Reading) -> String {
    let mut out = String::new();
    for connection in &reading.connections {
        out.push_str(&of_connection(reading, connection));
    }
    for packet in &reading.packets {
        out.push_str(&of_packet(reading, packet));
    }
    for link in &reading.links {
        let (from, to) = (reading.name(link.from), reading.name(link.to));
        line(&mut out, &format!("link {from} {} {to}: {}", link.kind.name(), link.evidence));
    }
    for anomaly in &reading.anomalies {
        let (name, at) = (anomaly.kind.name(), reading.line(anomaly.position));
        line(&mut out, &format!("anomaly {name} line {at}: {}", anomaly.kind.sentence()));
    }
    for gap in &reading.gaps {
        let lost = gap.lost.map_or_else(|| "unknown".to_owned(), |lost| lost.to_string());
        let at = reading.line(gap.position);
        line(&mut out, &format!("gap {} before line {at}: lost {lost}", gap.reason.name()));
    }
    out.push_str(&tally(reading));
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn of_connection(reading: &Reading, connection: &Connection) -> String {
    let name = reading.name(LinkTarget::Connection(connection.key));
    let mut text = format!(
        "{name} {} {} · reply {} · {} · {} · {} · {}→ {}← {}! packets, {} lines · {}",
        connection.protocol.name(),
        tuple(&connection.original),
        tuple(&connection.reply),
        connection.state.name(),
        verdict(&connection.verdict),
        connection.completeness.name(),
        connection.packets_original,
        connection.packets_reply,
        connection.packets_related,
        connection.lines,
        connection.trust.name(),
    );
    for change in &connection.nat {
        let (from, to) = (endpoint(&change.from), endpoint(&change.to));
        let site = change.site.as_ref().map_or("?".to_owned(), |hop| site_name(&hop.site));
        let (kind, evidence) = (nat_name(change.kind), change.evidence.name());
        let _ = write!(text, " · {kind} {from} → {to} by {site} ({evidence})");
    }
    if let Some(id) = connection.icmp_id {
        let _ = write!(text, " · icmp id {id}");
    }
    text.push_str(&of_host(reading, connection.host.0, connection.boot.0));
    text.push('\n');
    text
}

/// Host, namespace and boot, when there is more to say than that there is one.
fn of_host(reading: &Reading, host: u32, boot: u32) -> String {
    let (name, netns) = reading.hosts.get(&host).cloned().unwrap_or_default();
    let mut text = String::new();
    if reading.hosts.len() > 1 {
        let _ = write!(text, " · host {}", escape(name.as_bytes()));
    }
    if let Some(netns) = netns {
        let _ = write!(text, " · netns {netns}");
    }
    if boot > 0 {
        let _ = write!(text, " · boot {boot}");
    }
    text
}

fn tuple(tuple: &Tuple) -> String {
    format!("{} > {}", endpoint(&tuple.src), endpoint(&tuple.dst))
}

fn verdict(verdict: &Verdict) -> String {
    let mut text = verdict.kind.name().to_owned();
    if let Some(hop) = &verdict.site {
        let _ = write!(text, " at {}", site_name(&hop.site));
    }
    let evidence = verdict.evidence.map_or("no evidence", |evidence| evidence.name());
    format!("{text} ({evidence})")
}

fn of_packet(reading: &Reading, packet: &Packet) -> String {
    let name = reading.name(LinkTarget::Packet(packet.key));
    let connection = packet.connection.map(|key| reading.name(LinkTarget::Connection(key)));
    let mut text = format!(
        "{name} {} {} · {} · lines {} · {} · {} · {}",
        connection.as_deref().unwrap_or("no connection"),
        packet.direction.map_or("", |direction| direction.name()),
        packet_title(packet),
        reading.lines(packet),
        packet.confidence.name(),
        verdict(&packet.verdict),
        packet.trust.name(),
    );
    text.push_str(&of_host(reading, packet.host.0, packet.boot.0));
    text.push('\n');
    text
}

fn tally(reading: &Reading) -> String {
    let counts = &reading.counts;
    let kinds = [
        ("trace", counts.trace),
        ("log", counts.log),
        ("ebtables", counts.ebtables),
        ("nft", counts.nft),
        ("marker", counts.marker),
        ("other", counts.other),
        ("rejected", counts.rejected),
        ("suspect", counts.suspect),
    ];
    let kinds = kinds.iter().filter(|(_, count)| *count > 0);
    let kinds: Vec<String> = kinds.map(|(name, count)| format!("{name} {count}")).collect();
    let (placed, unplaced) = (counts.placed, counts.unplaced);
    format!("lines {} · placed {placed} · unplaced {unplaced}\n", kinds.join(" · "))
}

/// What was understood of each line, in the order of the log.
pub(super) fn fields(reading: &Reading) -> String {
    let steps = reading.packets.iter().flat_map(|packet| {
        packet.steps.iter().map(move |step| (reading.line(step.lines.head), packet, step))
    });
    let mut steps: Vec<(usize, &Packet, &Step)> = steps.collect();
    steps.sort_by_key(|(line, _, step)| (*line, step.lines.head));
    let mut out = String::new();
    for (number, packet, step) in steps {
        let own = step.offset_us.map_or_else(String::new, |us| format!(" +{us} µs"));
        let pieces = step.lines.pieces.iter().map(|piece| format!("+{}", reading.line(*piece)));
        let pieces: String = pieces.collect();
        let name = reading.name(LinkTarget::Packet(packet.key));
        let first = if own == " +0 µs" { format!(" at {}", time(packet.first)) } else { own };
        let layer = step.hop.layer.name();
        let site = site_name(&step.hop.site);
        line(
            &mut out,
            &format!(
                "line {number}{pieces} {name}{first} · {layer} {site}{}",
                header(&step.header)
            ),
        );
    }
    out.push_str(&tally(reading));
    out
}

/// Every field that was printed, behind separators.
fn header(header: &Header) -> String {
    let mut parts = vec![devices(header.devices), link(&header.link)];
    match &header.network {
        Network::Absent => {}
        Network::Truncated => parts.push("header truncated".into()),
        Network::Incomplete => parts.push("header incomplete".into()),
        Network::Arp(arp) => parts.push(of_arp(arp)),
        Network::Ip(header) => parts.push(ip(header)),
    }
    parts.extend(header.owner.map(|(uid, gid)| format!("uid {uid} gid {gid}")));
    parts.extend(header.mark.map(|mark| format!("mark 0x{mark:x}")));
    parts.extend(header.unknown.as_deref().map(|words| format!("unknown words {}", escape(words))));
    parts.extend(header.cut.then(|| "cut".to_owned()));
    parts.iter().filter(|part| !part.is_empty()).fold(String::new(), |all, part| all + " · " + part)
}

fn devices(devices: Devices) -> String {
    let named = [
        ("in", devices.input),
        ("out", devices.output),
        ("physin", devices.physin),
        ("physout", devices.physout),
    ];
    let named = named
        .iter()
        .filter_map(|(word, name)| name.map(|name| format!("{word} {}", escape(name.as_bytes()))));
    named.collect::<Vec<_>>().join(" ")
}

fn link(link: &LinkHeader) -> String {
    let addresses = link.addresses();
    let mut text = match (link, addresses) {
        (LinkHeader::Octets(octets), _) => format!("mac of {} octets", octets.len()),
        (_, Some((src, dst))) => format!("mac {} > {}", mac(src), mac(dst)),
        (_, None) => String::new(),
    };
    if let LinkHeader::Decoded { vlan: Some(vlan), .. } = link {
        let _ = write!(text, " vlan {} (tci {})", vlan.id(), vlan.tci);
    }
    if let Some(ethertype) = link.ethertype() {
        let _ = write!(text, " type 0x{ethertype:04x}");
    }
    text
}

fn mac(mac: Mac) -> String {
    mac.0.map(|octet| format!("{octet:02x}")).join(":")
}

fn of_arp(arp: &Arp) -> String {
    let mut text = format!("arp operation {}", arp.operation);
    if let Some(found) = arp.addresses {
        let (sender, target) = (mac(found.sender_mac), mac(found.target_mac));
        let (from, to) = (found.sender_ip, found.target_ip);
        let _ = write!(text, " sender {sender} {from} target {target} {to}");
    }
    if arp.incomplete {
        text.push_str(" incomplete");
    }
    text
}

fn ip(ip: &Ip) -> String {
    let mut text = format!("{} > {}", ip.src, ip.dst);
    let mut number = |word: &str, value: Option<u64>| {
        if let Some(value) = value {
            let _ = write!(text, " {word} {value}");
        }
    };
    number("length", ip.length.map(u64::from));
    number("tos", ip.tos.map(u64::from));
    number("ttl", ip.ttl.map(u64::from));
    number("id", ip.id.map(u64::from));
    number("flow", ip.flow_label.map(u64::from));
    for (bit, word) in [(IpFlags::CE, " CE"), (IpFlags::DF, " DF"), (IpFlags::MF, " MF")] {
        text.push_str(if ip.flags.has(bit) { word } else { "" });
    }
    if let Some(Fragment { offset, more, id }) = ip.fragment {
        let more = if more { " more follow" } else { "" };
        let id = id.map_or_else(String::new, |id| format!(" id {id}"));
        let _ = write!(text, " · fragment from byte {offset}{more}{id}");
    }
    if ip.truncated {
        text.push_str(" truncated");
    }
    if let Some(protocol) = ip.protocol {
        let _ = write!(text, " · {}", protocol.name());
    }
    text + &transport(&ip.transport)
}

fn transport(transport: &Transport) -> String {
    match transport {
        Transport::Absent => String::new(),
        Transport::Incomplete(bytes) => {
            format!(
                " incomplete{}",
                bytes.map_or_else(String::new, |bytes| format!(" ({bytes} bytes)"))
            )
        }
        Transport::Tcp(tcp) => of_tcp(tcp),
        Transport::Udp { sport, dport, length } => {
            let length = length.map_or_else(String::new, |length| format!(" udp length {length}"));
            format!(" {sport} > {dport}{length}")
        }
        Transport::Ports { sport, dport } => format!(" {sport} > {dport}"),
        Transport::Icmp(icmp) => of_icmp(icmp),
        Transport::Spi(spi) => format!(" spi 0x{spi:x}"),
    }
}

fn of_tcp(tcp: &Tcp) -> String {
    let flags = TcpFlags::NAMES.iter().filter(|(bit, _)| tcp.flags.has(*bit));
    let flags: Vec<&str> = flags.map(|(_, name)| *name).collect();
    let seq_ack =
        tcp.seq_ack.map_or_else(String::new, |(seq, ack)| format!(" seq {seq} ack {ack}"));
    let options = match &tcp.options {
        TcpOptions::Absent => String::new(),
        TcpOptions::Bytes(bytes) => format!(" options {} bytes", bytes.len()),
        TcpOptions::Truncated => " options truncated".into(),
    };
    format!(
        " {} > {}{seq_ack} window {} flags {}{options}",
        tcp.sport,
        tcp.dport,
        tcp.window,
        flags.join("+")
    )
}

fn of_icmp(icmp: &Icmp) -> String {
    let mut text = format!(" type {} code {}", icmp.kind, icmp.code);
    if let Some((id, seq)) = icmp.echo {
        let _ = write!(text, " echo id {id} seq {seq}");
    }
    if let Some(mtu) = icmp.mtu {
        let _ = write!(text, " mtu {mtu}");
    }
    if let Some(inner) = &icmp.inner {
        let _ = write!(text, " about [{}]", ip(inner));
    }
    text
}
