//! JSON of `ip -j`, `bridge -j` and `docker`: written as the lines that the same tool prints without `-j`.

use serde_json::{Deserializer, Value};

use super::Reader;

impl Reader {
    /// Reads a JSON text that begins at the first line of `rest`. How many bytes it takes; none when there is no JSON here.
    pub(super) fn json(&mut self, number: usize, rest: &str) -> Option<usize> {
        let start = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let text = &rest[start..];
        // What begins like JSON and is not costs its line, or an array's rest.
        let used = if let Some(inside) = text.strip_prefix('[') {
            let first = inside.trim_start();
            // `[1795364245.1] [NEW] tcp …` and `[root@host ~]# ip route` begin with a bracket, too.
            if !first.starts_with(['{', ']']) {
                return None;
            }
            1 + self.elements(number, inside)
        } else if text.starts_with('{') {
            let line = text.find('\n').unwrap_or(text.len());
            self.element(number, text).unwrap_or(line)
        } else {
            return None;
        };
        Some(start + used)
    }

    /// The elements of an array, whole ones only: a text may be cut short.
    fn elements(&mut self, mut number: usize, text: &str) -> usize {
        let mut at = 0;
        loop {
            let next = skip(text, at, |c| c.is_whitespace() || c == ',');
            number += text[at..next].matches('\n').count();
            if text[next..].starts_with(']') {
                return next + 1;
            }
            let Some(used) = self.element(number, &text[next..]) else { return text.len() };
            at = next + used;
            number += text[next..at].matches('\n').count();
        }
    }

    /// One object. None when it is not whole, which is remarked.
    fn element(&mut self, number: usize, text: &str) -> Option<usize> {
        let mut stream = Deserializer::from_str(text).into_iter::<Value>();
        let Some(Ok(value)) = stream.next() else {
            self.remark(number, "the JSON ends or breaks here");
            return None;
        };
        self.object(number, &value);
        Some(stream.byte_offset())
    }

    /// Whose object it is, told by its members.
    fn object(&mut self, number: usize, value: &Value) {
        let has = |key: &str| value.get(key).is_some();
        if has("NetworkSettings") {
            self.container(value);
        } else if has("IPAM") {
            self.container_network(value);
        } else if has("Names") && has("ID") {
            self.container_summary(value);
        } else if has("mac") && has("ifname") {
            self.line(number, &fdb(value));
        } else if has("ifname") {
            for line in device(value) {
                self.line(number, &line);
            }
        } else if has("priority") && has("src") {
            self.line(number, &rule(value));
        } else if has("dst") && (has("lladdr") || value["state"].is_array() || has("proxy")) {
            self.line(number, &neighbour(value));
        } else if has("dst") {
            for line in route(value) {
                self.line(number, &line);
            }
        } else if value.as_object().is_none_or(|members| !members.is_empty()) {
            self.remark(number, "JSON of a command that is not known here");
        }
    }
}

fn skip(text: &str, at: usize, is_skipped: impl Fn(char) -> bool) -> usize {
    text.len() - text[at..].trim_start_matches(is_skipped).len()
}

/// A line that is put together from an object's members.
struct Line<'a> {
    object: &'a Value,
    text: String,
}

impl<'a> Line<'a> {
    fn of(object: &'a Value) -> Self {
        Self { object, text: String::new() }
    }

    fn add(mut self, word: &str) -> Self {
        if !self.text.is_empty() && !word.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(word);
        self
    }

    /// A member's value alone.
    fn value(self, key: &str) -> Self {
        let word = word(&self.object[key]);
        self.add(&word)
    }

    /// A word with the value of a member, when that is there.
    fn pair(self, name: &str, key: &str) -> Self {
        let word = word(&self.object[key]);
        if word.is_empty() { self } else { self.add(name).add(&word) }
    }

    fn pairs(self, names: &[(&str, &str)]) -> Self {
        names.iter().fold(self, |line, (name, key)| line.pair(name, key))
    }

    /// A word when the member is there and not false.
    fn flag(self, name: &str, key: &str) -> Self {
        let is_set = self.object.get(key).is_some_and(|value| *value != Value::Bool(false));
        if is_set { self.add(name) } else { self }
    }

    /// An address with the length of its prefix in another member.
    fn net(self, name: &str, key: &str, length: &str) -> Self {
        let (addr, length) = (word(&self.object[key]), word(&self.object[length]));
        let net = if length.is_empty() { addr } else { format!("{addr}/{length}") };
        if net.is_empty() { self } else { self.add(name).add(&net) }
    }

    /// The words of an array.
    fn list(self, key: &str) -> Self {
        let words = strings(&self.object[key]);
        words.iter().fold(self, |line, word| line.add(word))
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// `3: docker0: <…> mtu 1500 …` and the lines below it.
fn device(value: &Value) -> Vec<String> {
    let peer = match (word(&value["link"]), word(&value["link_index"])) {
        (name, _) if !name.is_empty() => format!("@{name}"),
        (_, index) if !index.is_empty() => format!("@if{index}"),
        _ => String::new(),
    };
    // `ip -br -j` has neither number nor flags.
    let flags = match value.get("flags") {
        Some(flags) => strings(flags).join(","),
        None if value["operstate"] == "UP" => "UP,LOWER_UP".to_owned(),
        None => String::new(),
    };
    let heading = Line::of(value)
        .add(&format!("{}:", value["ifindex"].as_u64().unwrap_or_default()))
        .add(&format!("{}{peer}:", word(&value["ifname"])))
        .add(&format!("<{flags}>"))
        .pairs(&[("mtu", "mtu"), ("qdisc", "qdisc"), ("master", "master"), ("state", "operstate")])
        .pairs(&[("state", "state"), ("priority", "priority"), ("cost", "cost")])
        .pairs(&[("mode", "linkmode"), ("group", "group"), ("qlen", "txqlen")]);
    let mut lines = vec![heading.text];
    if value.get("link_type").is_some() {
        let kind = format!("link/{}", word(&value["link_type"]));
        lines.push(Line::of(value).add(&kind).value("address").pair("brd", "broadcast").text);
    }
    let info = &value["linkinfo"];
    if info["info_slave_kind"] == "bridge" {
        let slave = Line::of(&info["info_slave_data"]).add("bridge_slave");
        lines.push(slave.pairs(&[("state", "state"), ("port_no", "no")]).text);
    }
    for addr in value["addr_info"].as_array().into_iter().flatten() {
        lines.push(address(addr));
    }
    lines
}

/// The flags of an address, in the order in which `ip addr` prints them.
const ADDRESS_FLAGS: &[&str] = &[
    "secondary",
    "temporary",
    "nodad",
    "optimistic",
    "dadfailed",
    "home",
    "deprecated",
    "tentative",
    "dynamic",
    "mngtmpaddr",
    "noprefixroute",
    "autojoin",
    "stable-privacy",
];

/// `inet 172.17.42.1/16 brd 172.17.255.255 scope global docker0`.
fn address(value: &Value) -> String {
    let line = Line::of(value);
    // `ip -br -j` leaves the family out.
    let is_ipv6 = word(&value["local"]).contains(':');
    let family = if is_ipv6 { "inet6" } else { "inet" };
    let line = if value.get("address").is_some() {
        line.pair(family, "local").net("peer", "address", "prefixlen")
    } else {
        line.net(family, "local", "prefixlen")
    };
    let line = line.pairs(&[("metric", "metric"), ("brd", "broadcast"), ("scope", "scope")]);
    ADDRESS_FLAGS.iter().fold(line, |line, flag| line.flag(flag, flag)).value("label").text
}

/// What a route may say of the connections over it, in the order in which `ip route` prints it.
const METRICS: &[&str] = &[
    "mtu",
    "window",
    "rtt",
    "rttvar",
    "ssthresh",
    "cwnd",
    "advmss",
    "reordering",
    "hoplimit",
    "initcwnd",
    "features",
    "rto_min",
    "initrwnd",
    "quickack",
    "congctl",
];

/// `172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.42.1`, and a line for every next hop.
fn route(value: &Value) -> Vec<String> {
    let mut line = Line::of(value).value("type").value("dst");
    line = line.pairs(&[("from", "from"), ("tos", "tos"), ("nhid", "nhid")]);
    line = hop(line).pairs(&[("table", "table"), ("proto", "protocol"), ("scope", "scope")]);
    line = line.pairs(&[("src", "prefsrc"), ("metric", "metric")]).list("flags");
    if let Some(seconds) = value["expires"].as_u64() {
        line = line.add(&format!("expires {seconds}sec"));
    }
    for metrics in value["metrics"].as_array().into_iter().flatten() {
        let given = METRICS.iter().fold(Line::of(metrics), |line, name| line.pair(name, name));
        line = line.add(&given.text);
    }
    let mut lines = vec![line.pair("pref", "pref").text];
    for next in value["nexthops"].as_array().into_iter().flatten() {
        let line = hop(Line::of(next).add("nexthop"));
        lines.push(line.pair("weight", "weight").list("flags").text);
    }
    lines
}

/// `via 10.0.0.1 dev eth0`, `via inet6 fe80::1 dev eth0`.
fn hop(line: Line<'_>) -> Line<'_> {
    let via = &line.object["via"];
    let (family, host) = (word(&via["family"]), word(&via["host"]));
    let line = line.pair("via", "gateway");
    let line = if host.is_empty() { line } else { line.add("via").add(&family).add(&host) };
    line.pair("dev", "dev")
}

/// `120: from all fwmark 0x100/0xff00 iif docker0 lookup 100`.
fn rule(value: &Value) -> String {
    let mut fwmark = [word(&value["fwmark"]), word(&value["fwmask"])].join("/");
    fwmark.truncate(fwmark.trim_end_matches('/').len());
    let fwmark = if fwmark.is_empty() { fwmark } else { format!("fwmark {fwmark}") };
    let owner = match (word(&value["uid_start"]), word(&value["uid_end"])) {
        (first, _) if first.is_empty() => String::new(),
        (first, last) => format!("uidrange {first}-{last}"),
    };
    Line::of(value)
        .add(&format!("{}:", word(&value["priority"])))
        .flag("not", "not")
        .net("from", "src", "srclen")
        .net("to", "dst", "dstlen")
        .pair("tos", "tos")
        .add(&fwmark)
        .pair("iif", "iif")
        .flag("[detached]", "iif_detached")
        .pair("oif", "oif")
        .flag("[detached]", "oif_detached")
        .flag("l3mdev", "l3mdev")
        .add(&owner)
        .pairs(&[("ipproto", "ipproto"), ("sport", "sport"), ("dport", "dport")])
        .pairs(&[("tun_id", "tun_id"), ("lookup", "table"), ("goto", "goto")])
        .pairs(&[("suppress_prefixlength", "suppress_prefixlen")])
        .pairs(&[("suppress_ifgroup", "suppress_ifgroup")])
        .value("action")
        .pair("proto", "protocol")
        .text
}

/// `172.17.0.5 dev docker0 lladdr 02:42:ac:11:00:05 REACHABLE`.
fn neighbour(value: &Value) -> String {
    let line = Line::of(value).value("dst").pairs(&[("dev", "dev"), ("lladdr", "lladdr")]);
    line.flag("router", "router").flag("proxy", "proxy").list("state").text
}

/// `9e:93:85:3f:24:b5 dev veth72x2M5 vlan 1 master docker0 permanent`.
fn fdb(value: &Value) -> String {
    let line = Line::of(value).value("mac").pair("dev", "ifname").pair("dst", "dst");
    line.pair("vlan", "vlan").list("flags").pair("master", "master").value("state").text
}
