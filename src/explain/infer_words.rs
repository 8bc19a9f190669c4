//! What was decided between the lines, in words: by the host's context where that tells, else by the lines alone.

use std::net::IpAddr;

use super::infer::Way;
use crate::context::{Container, HostContext, RouteAnswer, RouteKind, RouteQuestion};
use crate::explain::Phrase;
use crate::model::{
    Connection, Endpoint, Header, IfName, Layer, Mac, NatChange, Network, Step, Stop, Tuple,
};

/// Where a bridge's decision sends a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// Out of a port.
    ToPort,
    /// Up to the host.
    ToHost,
}

/// What is said where the context differs from the lines.
const OLD: &str = "; the snapshot may be old";

pub(super) fn is_arp(header: &Header) -> bool {
    matches!(header.network, Network::Arp(_))
}

/// `routed to docker0: 172.17.0.0/16 dev docker0 …`. `again`: a second time, for what OUTPUT changed.
pub(super) fn route_out(way: &Way<'_, '_>, at: usize, again: bool) -> Phrase {
    let step = &way.steps[at];
    let (Some(output), Some(ip)) = (step.hop.devices.output, step.header.ip()) else {
        return Phrase::text("routed");
    };
    let begin = if again {
        "routed again, since OUTPUT changed what the route depends on: to "
    } else {
        "routed to "
    };
    let phrase = Phrase::text(begin).device(name(output));
    let Some(context) = way.lore.context.filter(|context| !context.routes.is_empty()) else {
        return phrase.say(", as OUT= of the next line says");
    };
    let question = RouteQuestion {
        src: Some(ip.src),
        mark: step.header.mark,
        input: step.hop.devices.input,
        output: Some(output),
    };
    let phrase = match context.route_to(ip.dst, &question) {
        None => phrase
            .say(", as OUT= of the next line says; no route of those given leads to ")
            .address(ip.dst.to_string())
            .say(OLD),
        Some(answer) if leads_to(&answer, output) => by_route(phrase, &answer),
        Some(answer) => other_route(phrase, &answer, output),
    };
    whose(phrase, ip.dst, way.lore.context)
}

/// Whether a route leads out of that device. The host's own addresses are reached by loopback.
fn leads_to(answer: &RouteAnswer<'_>, output: IfName) -> bool {
    match answer.route.kind {
        RouteKind::Local => IfName::new(b"lo") == Some(output),
        RouteKind::Unicast | RouteKind::Broadcast | RouteKind::Multicast => {
            answer.route.device == Some(output)
        }
        RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit | RouteKind::Throw => {
            false
        }
    }
}

fn by_route(phrase: Phrase, answer: &RouteAnswer<'_>) -> Phrase {
    let phrase = phrase.say(": ").cite(&*answer.route.text);
    let is_usual = matches!(&*answer.table, "main" | "local" | "default" | "");
    let phrase = match answer.rule.filter(|_| !is_usual) {
        Some(rule) => {
            phrase.say(format!(" in table {}, which ", answer.table)).cite(&*rule.text).say(" asks")
        }
        None => phrase,
    };
    if answer.is_certain { phrase } else { phrase.say(", as far as the routes given tell") }
}

fn other_route(phrase: Phrase, answer: &RouteAnswer<'_>, output: IfName) -> Phrase {
    let phrase = phrase.say(", as OUT= of the next line says; ");
    let phrase = match (answer.route.kind, answer.route.device) {
        (RouteKind::Local, _) => phrase.say("by the addresses given it is for this host: "),
        (RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit, _) => {
            phrase.say("by the routes given it would be thrown away: ")
        }
        (_, Some(device)) => phrase
            .say("the routes given lead to ")
            .device(name(device))
            .say(", not to ")
            .device(name(output))
            .say(": "),
        (_, None) => phrase.say("the routes given say otherwise: "),
    };
    phrase.cite(&*answer.route.text).say(OLD)
}

/// `for this host: 10.1.1.1 is its own address: inet 10.1.1.1/24 …`
pub(super) fn route_to_host(way: &Way<'_, '_>, at: usize) -> Phrase {
    let phrase = Phrase::text("for this host");
    let by_lines = ", as the INPUT chain's line says";
    let Some(dst) = way.steps[at].header.ip().map(|ip| ip.dst) else {
        return phrase.say(by_lines);
    };
    let Some(context) = way.lore.context.filter(|context| !context.addresses.is_empty()) else {
        return phrase.say(by_lines);
    };
    let own = || phrase.clone().say(": ").address(dst.to_string()).say(" is its own address");
    if let Some(address) = context.own_address(dst) {
        return own().say(": ").cite(&*address.text);
    }
    if context.is_own(dst) {
        return own();
    }
    let step = &way.steps[at];
    let question = RouteQuestion {
        src: step.header.ip().map(|ip| ip.src),
        mark: step.header.mark,
        input: step.hop.devices.input,
        output: None,
    };
    let route = context.route_to(dst, &question);
    match route
        .filter(|answer| matches!(answer.route.kind, RouteKind::Broadcast | RouteKind::Local))
    {
        // A route of its own table may make any address the host's own: a transparent proxy's.
        Some(answer) if answer.route.kind == RouteKind::Local => by_route(phrase, &answer),
        Some(answer) => phrase
            .say(" too: ")
            .address(dst.to_string())
            .say(" is a broadcast address: ")
            .cite(&*answer.route.text),
        None if dst.is_multicast() => {
            phrase.say(" too: ").address(dst.to_string()).say(" is a group's address")
        }
        None if dst == IpAddr::from([255, 255, 255, 255]) => phrase.say(" too: it is for all"),
        None => phrase
            .say(by_lines)
            .say("; none of the addresses given is ")
            .address(dst.to_string())
            .say(OLD),
    }
}

/// What a bridge decided, before the step that shows it.
pub(super) fn bridge(way: &Way<'_, '_>, at: usize, frame: Frame) -> Phrase {
    let macs = macs(way, at);
    let bridge = bridge_at(way, at);
    let of_bridge = bridge.map_or_else(|| "the bridge".to_owned(), name);
    if frame == Frame::ToHost {
        return up(way.lore.context, macs, &of_bridge);
    }
    let ports = ports(way, at);
    if let Some((_, dst)) = macs.filter(|(_, dst)| dst.0[0] & 1 == 1) {
        let whom = if dst == Mac([0xff; 6]) { "all" } else { "a group" };
        let phrase = Phrase::text(format!("flooded, since it is for {whom}: out of "));
        return list_ports(phrase, &ports);
    }
    let [port] = ports.as_slice() else {
        let why =
            format!("flooded, since {of_bridge} does not know where the receiver is: out of ");
        return list_ports(Phrase::text(why), &ports);
    };
    let phrase = Phrase::text("out of port ").device(name(*port));
    let phrase = by_fdb(phrase, way.lore.context, macs.map(|(_, dst)| dst), bridge, *port);
    container_of_port(phrase, way.lore.context, macs.map(|(_, dst)| dst), *port)
}

fn by_fdb(
    phrase: Phrase,
    context: Option<&HostContext>,
    dst: Option<Mac>,
    bridge: Option<IfName>,
    port: IfName,
) -> Phrase {
    let by_lines = ", as OUT= of the next line says";
    let (Some(context), Some(dst)) = (context.filter(|one| !one.fdb.is_empty()), dst) else {
        return phrase.say(by_lines);
    };
    let entry = bridge.and_then(|bridge| context.port_of(bridge, dst));
    match entry.or_else(|| context.fdb_entry(dst)) {
        Some(entry) if entry.port == Some(port) => {
            let of_bridge = bridge.map_or_else(|| "the bridge".to_owned(), name);
            phrase.say(format!(": {of_bridge}'s fdb has ")).cite(&*entry.text)
        }
        Some(entry) => phrase.say(by_lines).say("; the fdb given has ").cite(&*entry.text).say(OLD),
        None => phrase
            .say(by_lines)
            .say("; the fdb given does not have ")
            .address(mac_text(dst))
            .say(", which may have been learnt since, or forgotten"),
    }
}

fn up(context: Option<&HostContext>, macs: Option<(Mac, Mac)>, of_bridge: &str) -> Phrase {
    let phrase = Phrase::text("up to the host");
    let Some((_, dst)) = macs else { return phrase.say(", as the next line says") };
    if dst.0[0] & 1 == 1 {
        return phrase.say(" and out of the other ports: it is for all or for a group");
    }
    let Some(context) = context else { return phrase.say(", as the next line says") };
    if let Some(entry) = context.fdb_entry(dst).filter(|entry| entry.is_local) {
        return phrase.say(format!(": {of_bridge}'s own address: ")).cite(&*entry.text);
    }
    match context.device_with(dst) {
        Some(device) => phrase
            .say(": ")
            .address(mac_text(dst))
            .say(" is the address of ")
            .device(name(device.name)),
        None => phrase.say(", as the next line says"),
    }
}

/// What the context tells of a packet that leaves by a bridge whose rules print nothing.
pub(super) fn bridge_unseen(way: &Way<'_, '_>) -> Option<Phrase> {
    let context = way.lore.context?;
    let step = way.steps.iter().rev().find(|step| step.hop.layer != Layer::Bridge)?;
    let bridge = step.hop.devices.output.filter(|output| context.is_bridge(*output))?;
    let dst = step.header.ip()?.dst;
    let question = RouteQuestion { output: Some(bridge), ..RouteQuestion::default() };
    let gateway = context.route_to(dst, &question).and_then(|answer| answer.route.gateway);
    let neighbour = context.neighbour(gateway.unwrap_or(dst))?;
    let entry = context.port_of(bridge, neighbour.mac?)?;
    let port = entry.port?;
    let phrase = Phrase::text("out of port ")
        .device(name(port))
        .say(", by the snapshot: ")
        .cite(&*neighbour.text)
        .say(format!(", and {}'s fdb has ", name(bridge)))
        .cite(&*entry.text);
    Some(container_of_port(phrase, Some(context), neighbour.mac, port))
}

/// `conntrack makes an entry: 10.1.1.1:5000 → 10.2.2.2:80`
pub(super) fn entry(way: &Way<'_, '_>, connection: &Connection) -> Phrase {
    let tuple = &connection.original;
    let phrase = Phrase::text("conntrack makes an entry for a new connection, ").address(format!(
        "{} → {}",
        endpoint(tuple.src),
        endpoint(tuple.dst)
    ));
    cite_conntrack(phrase, way, connection, tuple)
}

/// `conntrack puts the source back: 172.17.0.5:6379 → 10.1.1.1:40000`
pub(super) fn restored(way: &Way<'_, '_>, change: &NatChange, is_source: bool) -> Phrase {
    let side = if is_source { "source" } else { "destination" };
    let phrase = Phrase::text(format!("conntrack puts the {side} back as the connection began: "))
        .rewritten(endpoint(change.to), endpoint(change.from));
    match way.connection {
        Some(connection) => cite_conntrack(phrase, way, connection, &connection.original),
        None => phrase,
    }
}

fn cite_conntrack(
    phrase: Phrase,
    way: &Way<'_, '_>,
    connection: &Connection,
    tuple: &Tuple,
) -> Phrase {
    let entry = way.lore.context.and_then(|context| {
        let around = way.packet.first.wall;
        context.conntrack_of(connection.protocol, tuple, connection.icmp_id, around)
    });
    match entry {
        Some(entry) => phrase.say(": ").cite(&*entry.text),
        None => phrase,
    }
}

/// `waited 417 µs for the hardware address of 172.17.0.5`
pub(super) fn wait(
    way: &Way<'_, '_>,
    left: usize,
    waited_us: Option<i64>,
    is_linked: bool,
    goes_on: bool,
) -> Phrase {
    let step = &way.steps[left];
    let context = way.lore.context;
    let dst = step.header.ip().map(|ip| ip.dst);
    let next_hop = dst.map(|dst| gateway(context, dst, step).unwrap_or(dst));
    let begin = match (goes_on, waited_us) {
        (true, Some(us)) => format!("waited {}", lasting(us)),
        (true, None) => "waited".to_owned(),
        (false, _) => "has to wait".to_owned(),
    };
    let phrase = Phrase::text(begin);
    let phrase = if is_linked { phrase } else { phrase.say(", probably") };
    let phrase = match next_hop {
        Some(addr) => phrase.say(" for the hardware address of ").address(addr.to_string()),
        None => phrase.say(" for its next hop's hardware address"),
    };
    match next_hop.and_then(|addr| context?.neighbour(addr)) {
        Some(neighbour) => phrase.say(": ").cite(&*neighbour.text),
        None => phrase,
    }
}

/// The gateway towards an address, when the context tells one.
fn gateway(context: Option<&HostContext>, dst: IpAddr, step: &Step) -> Option<IpAddr> {
    let question = RouteQuestion {
        src: step.header.ip().map(|ip| ip.src),
        mark: step.header.mark,
        input: step.hop.devices.input,
        output: step.hop.devices.output,
    };
    context?.route_to(dst, &question)?.route.gateway
}

/// `handed to this host's own sockets, for 10.1.1.1:22`
pub(super) fn local(way: &Way<'_, '_>, at: usize) -> Phrase {
    let step = &way.steps[at];
    let phrase = Phrase::text("up to the programs of this host");
    let Some(ip) = step.header.ip() else { return phrase };
    let to = Endpoint { addr: Some(ip.dst), port: ip.ports().map(|(_, port)| port) };
    let phrase = phrase.say(", for ").address(endpoint(to));
    match step.header.owner {
        Some((user, _)) => phrase.say(format!(", to a socket of user {user}")),
        None => phrase,
    }
}

/// `leaves by eth0`
pub(super) fn wire(way: &Way<'_, '_>) -> Option<Phrase> {
    let frames = way.steps.iter().rev().find(|step| step.hop.layer == Layer::Bridge);
    let packets = way.steps.iter().rev().find(|step| step.hop.layer != Layer::Bridge);
    let outputs = |layer: Option<&Step>| layer.and_then(|step| step.hop.devices.output);
    let physout = packets.and_then(|step| step.hop.devices.physout);
    let Some(port) = outputs(frames).or(physout) else {
        let output = outputs(packets).filter(|output| IfName::new(b"lo") != Some(*output))?;
        return Some(Phrase::text("leaves by ").device(name(output)));
    };
    let last = way.steps.len().checked_sub(1)?;
    let all = ports(way, 0);
    if all.len() > 1 {
        return Some(list_ports(Phrase::text("leaves by ports "), &all));
    }
    let dst = macs(way, last).map(|(_, dst)| dst);
    let phrase = Phrase::text("leaves by port ").device(name(port));
    Some(container_of_port(phrase, way.lore.context, dst, port))
}

/// The frame's addresses at a step, or those of the nearest step on the bridge.
fn macs(way: &Way<'_, '_>, at: usize) -> Option<(Mac, Mac)> {
    let own = way.steps.get(at).and_then(|step| step.header.link.addresses());
    own.or_else(|| way.steps[..at].iter().rev().find_map(|step| step.header.link.addresses()))
}

/// The ports by which the frame and its copies left, from a step on.
fn ports(way: &Way<'_, '_>, at: usize) -> Vec<IfName> {
    let mut ports: Vec<IfName> = Vec::new();
    for step in &way.steps[at..] {
        let port = match step.hop.layer {
            Layer::Bridge => step.hop.devices.output,
            _ => step.hop.devices.physout,
        };
        ports.extend(port.filter(|port| !ports.contains(port)));
    }
    ports
}

fn list_ports(phrase: Phrase, ports: &[IfName]) -> Phrase {
    ports.iter().enumerate().fold(phrase, |phrase, (index, port)| {
        let phrase = if index > 0 { phrase.say(", ") } else { phrase };
        phrase.device(name(*port))
    })
}

/// The bridge that a step's port belongs to: by the context, or by the packet's IP lines.
fn bridge_at(way: &Way<'_, '_>, at: usize) -> Option<IfName> {
    let devices = &way.steps.get(at)?.hop.devices;
    let port = devices.output.or(devices.input);
    let by_context = port.and_then(|port| Some(way.lore.context?.bridge_of(port)?.bridge));
    let by_lines = || {
        let ip = way.steps.iter().enumerate().filter(|(_, step)| step.hop.layer != Layer::Bridge);
        let mut near = ip.filter(|(_, step)| {
            step.hop.devices.physin.is_some() || step.hop.devices.output.is_some()
        });
        near.rfind(|(index, _)| *index <= at || way.stop(*index) == Some(Stop::Forward)).and_then(
            |(_, step)| match step.hop.devices.physin {
                Some(_) => step.hop.devices.input.or(step.hop.devices.output),
                None => step.hop.devices.output,
            },
        )
    };
    by_context.or_else(by_lines)
}

fn whose(phrase: Phrase, addr: IpAddr, context: Option<&HostContext>) -> Phrase {
    match context.and_then(|context| context.container_at(addr)) {
        Some(container) => phrase
            .say(" (")
            .address(addr.to_string())
            .say(format!(" is container {})", container.name)),
        None => phrase,
    }
}

fn container_of_port(
    phrase: Phrase,
    context: Option<&HostContext>,
    mac: Option<Mac>,
    port: IfName,
) -> Phrase {
    let container: Option<&Container> = context.and_then(|context| {
        mac.and_then(|mac| context.container_with(mac)).or_else(|| context.container_behind(port))
    });
    match container {
        Some(container) => phrase.say(format!(" = container {}", container.name)),
        None => phrase,
    }
}

fn name(device: IfName) -> String {
    String::from_utf8_lossy(device.as_bytes()).into_owned()
}

fn mac_text(mac: Mac) -> String {
    mac.0.map(|octet| format!("{octet:02x}")).join(":")
}

/// `10.1.1.1:80`, `[fd00::1]:80`, `10.1.1.1`, `?`.
fn endpoint(endpoint: Endpoint) -> String {
    match (endpoint.addr, endpoint.port) {
        (Some(addr), Some(port)) => std::net::SocketAddr::new(addr, port).to_string(),
        (Some(addr), None) => addr.to_string(),
        (None, Some(port)) => format!("?:{port}"),
        (None, None) => "?".to_owned(),
    }
}

/// `417 µs`, `12.3 ms`, `2.0 s`.
fn lasting(us: i64) -> String {
    let tenths = |unit: i64| (us / unit, us % unit * 10 / unit);
    match us {
        ..1_000 => format!("{us} µs"),
        1_000..1_000_000 => {
            let (whole, tenth) = tenths(1_000);
            format!("{whole}.{tenth} ms")
        }
        _ => {
            let (whole, tenth) = tenths(1_000_000);
            format!("{whole}.{tenth} s")
        }
    }
}
