//! Fields as the JSON keys of `tests/data/lines.jsonl`, so that whole objects can be compared.

use serde_json::{Map, Value, json};
use tracecol::model::{
    Arp, Fragment, Header, Icmp, IcmpExtra, Ip, IpFlags, LinkHeader, Mac, Network, Protocol, Site,
    SiteKind, Tcp, TcpFlags, TcpOptions, Transport,
};

type Object = Map<String, Value>;

/// Everything an entry says.
pub(crate) fn rendered(site: &Site, header: &Header) -> Value {
    let mut object = Object::new();
    render_site(site, &mut object);
    let devices = &header.devices;
    let name = |name: Option<tracecol::model::IfName>| {
        name.map_or(String::new(), |name| text(name.as_bytes()))
    };
    object.insert("in".into(), name(devices.input).into());
    object.insert("out".into(), name(devices.output).into());
    for (key, device) in [("physin", devices.physin), ("physout", devices.physout)] {
        if device.is_some() {
            object.insert(key.into(), name(device).into());
        }
    }
    render_link(&header.link, &mut object);
    let bridge = site.is_bridge();
    match &header.network {
        Network::Absent => {}
        Network::Truncated => put(&mut object, "truncated", true),
        Network::Incomplete => put(&mut object, "incomplete", true),
        Network::Ip(ip) => {
            if bridge {
                render_frame_ip(ip, &mut object);
            } else {
                put(&mut object, "l3", if ip.src.is_ipv6() { "ip6" } else { "ip4" });
                render_ip(ip, &mut object);
            }
        }
        Network::Arp(arp) => {
            if !bridge {
                put(&mut object, "l3", "arp");
            }
            render_arp(arp, &mut object);
        }
    }
    if let Some((user, group)) = header.owner {
        put(&mut object, "uid", user);
        put(&mut object, "gid", group);
    }
    if let Some(mark) = header.mark {
        put(&mut object, "mark", mark);
    }
    if let Some((from, to)) = header.tunnel {
        put(&mut object, "tunnel", json!([from.to_string(), to.to_string()]));
    }
    if let Some(unknown) = &header.unknown {
        put(&mut object, "unknown", text(unknown));
    }
    if header.cut {
        put(&mut object, "cut", true);
    }
    Value::Object(object)
}

fn put(object: &mut Object, key: &str, value: impl Into<Value>) {
    object.insert(key.into(), value.into());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn render_site(site: &Site, object: &mut Object) {
    match site {
        Site::Trace { table, chain, kind } => {
            let (word, number) = match kind {
                SiteKind::Rule(number) => ("rule", *number),
                SiteKind::Return(number) => ("return", *number),
                SiteKind::Policy(number) => ("policy", *number),
            };
            put(object, "kind", "trace");
            put(object, "table", text(table));
            put(object, "chain", text(chain));
            put(object, "type_", word);
            put(object, "num", number);
            let prefix = format!("TRACE: {}:{}:{word}:{number} ", text(table), text(chain));
            put(object, "prefix", prefix);
        }
        Site::Log { prefix } => {
            put(object, "kind", "log");
            put(object, "prefix", text(prefix));
        }
        Site::Bridge { prefix, .. } | Site::BridgeLog { prefix } => {
            put(object, "kind", "ebt");
            put(object, "prefix", text(prefix));
        }
    }
}

fn mac(mac: Mac) -> String {
    octets(&mac.0)
}

fn octets(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":")
}

fn render_link(link: &LinkHeader, object: &mut Object) {
    match link {
        LinkHeader::Ethernet { dst, src, ethertype } => {
            let [high, low] = ethertype.to_be_bytes();
            put(object, "mac_raw", format!("{}:{}:{high:02x}:{low:02x}", mac(*dst), mac(*src)));
        }
        LinkHeader::Octets(raw) => put(object, "mac_raw", octets(raw)),
        LinkHeader::Decoded { vlan: Some(vlan), .. } => {
            put(object, "vproto", format!("{:04x}", vlan.protocol));
            put(object, "tci", vlan.tci);
            put(object, "vid", vlan.id());
        }
        LinkHeader::Absent | LinkHeader::Decoded { .. } | LinkHeader::Frame { .. } => {}
    }
    if let Some((src, dst)) = link.addresses() {
        put(object, "macsrc", mac(src));
        put(object, "macdst", mac(dst));
    }
    if let Some(ethertype) = link.ethertype() {
        put(object, "ethproto", ethertype);
    }
}

fn render_frame_ip(ip: &Ip, object: &mut Object) {
    put(object, "src", address(ip.src));
    put(object, "dst", address(ip.dst));
    let tos = ip.tos.unwrap();
    if ip.src.is_ipv6() {
        put(object, "prio", tos >> 4);
    } else {
        put(object, "tos", tos);
    }
    put(object, "proto", ip.protocol.unwrap().0);
    render_transport(&ip.transport, object);
}

fn address(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => {
            address.segments().map(|group| format!("{group:04x}")).join(":")
        }
    }
}

fn render_ip(ip: &Ip, object: &mut Object) {
    put(object, "src", address(ip.src));
    put(object, "dst", address(ip.dst));
    let optional = |object: &mut Object, key: &str, value: Option<u32>| {
        if let Some(value) = value {
            put(object, key, value);
        }
    };
    optional(object, "len", ip.length);
    optional(object, "tos", ip.tos.map(u32::from));
    optional(object, "ttl", ip.ttl.map(u32::from));
    optional(object, "ipid", ip.id.map(u32::from));
    optional(object, "flowlbl", ip.flow_label);
    for (bit, key) in [(IpFlags::CE, "ce"), (IpFlags::DF, "df"), (IpFlags::MF, "mf")] {
        if ip.flags.has(bit) {
            put(object, key, true);
        }
    }
    if let Some(fragment) = ip.fragment {
        render_fragment(fragment, ip.src.is_ipv6(), object);
    }
    if let Some(options) = &ip.options {
        put(object, "ipopt", digits(options));
    }
    if let Some(spi) = ip.ah_spi {
        put(object, "ah", true);
        put(object, "ah_spi", spi);
    }
    if ip.truncated {
        put(object, "truncated", true);
    }
    if let Some(protocol) = ip.protocol {
        put(object, "proto", protocol_name(protocol, ip.src.is_ipv6()));
    }
    render_transport(&ip.transport, object);
}

fn render_fragment(fragment: Fragment, v6: bool, object: &mut Object) {
    if v6 || fragment.offset > 0 {
        put(object, "frag_bytes", fragment.offset);
    }
    if fragment.more {
        put(object, "mf", true);
    }
    if let Some(id) = fragment.id {
        put(object, "fragid", id);
    }
}

fn protocol_name(protocol: Protocol, v6: bool) -> Value {
    match protocol {
        Protocol::TCP => "TCP".into(),
        Protocol::UDP => "UDP".into(),
        Protocol::UDPLITE => "UDPLITE".into(),
        Protocol::ICMP if !v6 => "ICMP".into(),
        Protocol::ICMPV6 if v6 => "ICMPv6".into(),
        Protocol::AH => "AH".into(),
        Protocol::ESP => "ESP".into(),
        Protocol(number) => number.into(),
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02X}"))
}

fn render_transport(transport: &Transport, object: &mut Object) {
    match transport {
        Transport::Absent => {}
        Transport::Incomplete(_) => put(object, "incomplete", true),
        Transport::Tcp(tcp) => render_tcp(tcp, object),
        Transport::Udp { sport, dport, length } => {
            put(object, "spt", *sport);
            put(object, "dpt", *dport);
            if let Some(length) = length {
                put(object, "udplen", *length);
            }
        }
        Transport::Ports { sport, dport } => {
            put(object, "spt", *sport);
            put(object, "dpt", *dport);
        }
        Transport::Icmp(icmp) => render_icmp(icmp, object),
        Transport::Spi(spi) => put(object, "spi", *spi),
    }
}

fn render_tcp(tcp: &Tcp, object: &mut Object) {
    put(object, "spt", tcp.sport);
    put(object, "dpt", tcp.dport);
    if let Some((seq, ack)) = tcp.seq_ack {
        put(object, "seq", seq);
        put(object, "ack", ack);
    }
    put(object, "window", tcp.window);
    put(object, "res", tcp.reserved);
    let flags: Vec<_> = TcpFlags::NAMES
        .iter()
        .filter(|(bit, _)| tcp.flags.has(*bit))
        .map(|(_, name)| *name)
        .collect();
    put(object, "flags", flags);
    put(object, "urgp", tcp.urgent);
    match &tcp.options {
        TcpOptions::Absent => {}
        TcpOptions::Bytes(options) => put(object, "tcpopt", digits(options)),
        TcpOptions::Truncated => put(object, "truncated", true),
    }
}

fn render_icmp(icmp: &Icmp, object: &mut Object) {
    put(object, "type", icmp.kind);
    put(object, "code", icmp.code);
    if icmp.incomplete.is_some() {
        put(object, "incomplete", true);
    }
    if let Some((id, seq)) = icmp.echo {
        put(object, "icmp_id", id);
        put(object, "icmp_seq", seq);
    }
    match icmp.extra {
        None => {}
        Some(IcmpExtra::Parameter(value)) => put(object, "parameter", value),
        Some(IcmpExtra::Gateway(gateway)) => put(object, "gateway", address(gateway)),
        Some(IcmpExtra::Pointer(value)) => put(object, "pointer", value),
    }
    if let Some(mtu) = icmp.mtu {
        put(object, "mtu", mtu);
    }
    if let Some(inner) = &icmp.inner {
        let mut quoted = Object::new();
        render_ip(inner, &mut quoted);
        put(object, "inner", quoted);
    }
}

fn render_arp(arp: &Arp, object: &mut Object) {
    put(object, "htype", arp.hardware);
    put(object, "ptype", arp.protocol);
    put(object, "opcode", arp.operation);
    if let Some(addresses) = &arp.addresses {
        put(object, "arp_macsrc", mac(addresses.sender_mac));
        put(object, "arp_ipsrc", addresses.sender_ip.to_string());
        put(object, "arp_macdst", mac(addresses.target_mac));
        put(object, "arp_ipdst", addresses.target_ip.to_string());
    }
    if arp.incomplete {
        put(object, "incomplete", true);
    }
}
