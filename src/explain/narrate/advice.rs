//! What would let a packet through, and where to look when the log does not tell. No command destroys anything; what
//! cannot be written safely for a shell is not written at all.

use std::net::IpAddr;

use crate::explain::{Advice, Phrase, root_cause};
use crate::model::{Header, Hook, IfName, Ip, Layer, Protocol, Transport, VerdictKind};
use crate::rulebook::{Chain, Dialect, Family, Rule, RuleSet, Target, Test};

use super::account::{Account, End};
use super::idioms::Owner;
use super::lost::{Odds, Reason, ReasonKind};
use super::names::{device, place, sentence};
use super::scene::{Scene, idiom_of};

/// What to do or where to look.
pub(crate) fn advice(scene: &Scene<'_, '_>, reasons: &[Reason]) -> Vec<Advice> {
    let Some((account, end)) = scene.end() else { return Vec::new() };
    match scene.kind() {
        Some(VerdictKind::Dropped | VerdictKind::Rejected) => let_through(scene, account, &end),
        Some(VerdictKind::Unknown) => look(account, &end, reasons),
        Some(VerdictKind::Accepted) => unanswered(scene, account, end.step),
        Some(VerdictKind::Consumed) | None => Vec::new(),
    }
}

/// A rule before the one that ended the packet, for exactly this flow.
fn let_through(scene: &Scene<'_, '_>, account: &Account<'_>, end: &End) -> Vec<Advice> {
    let mut all = Vec::new();
    if end.is_open() {
        return owners(account, end);
    }
    if let Some(advice) = unmark(account, end) {
        return [advice].into_iter().chain(owners(account, end)).collect();
    }
    let Some(place) = Place::of(account, end) else { return give_rules(account, end.step) };
    let header = account.header(end.step);
    if let Some(flow) = header.and_then(|header| Flow::of(header, account, end.step)) {
        let idiom = idiom_of(account, end);
        let owner = place.owner().or(idiom.and_then(|idiom| idiom.owner));
        let place = place.for_own_rules();
        let mut commands: Vec<String> = place.command(&flow).into_iter().collect();
        let needs_answers = !commands.is_empty() && !lets_answers(account, end.step, &place, &flow);
        if needs_answers {
            commands.extend(place.command(&flow.answer()));
        }
        all.push(if commands.is_empty() {
            let words =
                "No command is given: a name in it could not be written safely for a shell.";
            Advice { sentence: words.into(), commands }
        } else {
            Advice { sentence: place.sentence(needs_answers), commands }
        });
        let idiom = idiom.map(|idiom| idiom.name);
        let lasting = owner.map(|owner| lasting(owner, &place, idiom));
        all.extend(lasting.map(|sentence| Advice { sentence, commands: Vec::new() }));
    }
    let idiom = idiom_of(account, end);
    if idiom.is_some_and(|idiom| idiom.name == "invalid") {
        all.insert(0, invalid(scene));
    }
    all
}

/// A drop for a mark is not undone where it drops: what had the packet marked is the place to change.
fn unmark(account: &Account<'_>, end: &End) -> Option<Advice> {
    let cause = root_cause(&account.told).filter(|cause| cause.ended_at == end.step)?;
    let marking = account.told.get(account.caller(cause.set_at).unwrap_or(cause.set_at))?;
    let ending = account.told.get(cause.ended_at)?;
    let sentence = Phrase::text("Change what has it marked, ")
        .place(place(marking))
        .say(", or what stands before that: a rule before ")
        .place(place(ending))
        .say(" would spare it the drop, and nothing that it was to be given instead.");
    Some(Advice { sentence, commands: Vec::new() })
}

/// What lasts for those who manage the chains of the rules that may have written the line.
fn owners(account: &Account<'_>, end: &End) -> Vec<Advice> {
    let told = account.told.get(end.step);
    let places = told.into_iter().flat_map(|told| told.one_of.iter().chain(&told.place));
    let mut all: Vec<Advice> = places
        .filter_map(|place| Owner::of_chain(&place.chain, account.set_at(place)?))
        .map(|owner| Advice {
            sentence: sentence(Phrase::text(owner.advice()).say(".")),
            commands: Vec::new(),
        })
        .collect();
    all.dedup();
    all
}

/// How the change outlives the program that manages the chain.
fn lasting(owner: Owner, place: &Place<'_>, idiom: Option<&str>) -> Phrase {
    let words = match (owner, idiom) {
        (Owner::Docker, Some("docker-icc")) => {
            "docker writes this rule anew when it starts; what lasts is a link between the two containers (`docker run \
             --link`), a network of their own, or docker without icc=false"
        }
        (Owner::Docker, _) if place.set.chain("filter", "DOCKER-USER").is_none() => {
            "docker writes its own rules anew when it starts"
        }
        _ => owner.advice(),
    };
    Phrase::text("To make it last: ").say(words).say(".")
}

fn invalid(scene: &Scene<'_, '_>) -> Advice {
    let sentence = Phrase::text(
        "See what conntrack knows of the connection, and whether both directions pass this host:",
    );
    let addr = scene.connection().and_then(|connection| connection.original.src.addr);
    let command = addr.map(|addr| format!("conntrack -L -s {addr}"));
    Advice { sentence, commands: command.into_iter().collect() }
}

/// Where a rule is to be put.
struct Place<'a> {
    set: &'a RuleSet,
    table: &'a str,
    chain: &'a Chain,
    /// The rule to stand before; none for the chain's end.
    before: Option<u32>,
    is_moved: bool,
}

impl<'a> Place<'a> {
    fn of(account: &Account<'a>, end: &End) -> Option<Self> {
        let place = end.place.as_ref()?;
        let set = account.set_at(place)?;
        Some(Self {
            set,
            table: &set.table(&place.table)?.name,
            chain: account.chain_at(place)?,
            before: (place.number > 0).then_some(place.number),
            is_moved: false,
        })
    }

    fn owner(&self) -> Option<Owner> {
        let rule = self.before.and_then(|number| self.chain.rule(number));
        let is_docker = rule.is_some_and(is_docker_rule);
        Owner::of_chain(&self.chain.name, self.set).or(is_docker.then_some(Owner::Docker))
    }

    /// docker keeps a chain for rules of others, and calls it first.
    fn for_own_rules(self) -> Self {
        let user = self.set.chain(self.table, "DOCKER-USER");
        match user {
            Some(chain) if self.owner() == Some(Owner::Docker) && self.table == "filter" => {
                let before = (!chain.rules.is_empty()).then_some(1);
                Self { chain, before, is_moved: &*self.chain.name != "DOCKER-USER", ..self }
            }
            _ => self,
        }
    }

    fn sentence(&self, with_answers: bool) -> Phrase {
        let what = if with_answers { "exactly this and its answers" } else { "exactly this" };
        let place = format!("{}:{}", self.table, self.chain.name);
        match self.before {
            _ if self.is_moved => Phrase::text(format!("To let {what} through, put a rule into "))
                .place(place)
                .say(":"),
            Some(number) => {
                Phrase::text(format!("To let {what} through, put a rule before rule {number} of "))
                    .place(place)
                    .say(":")
            }
            None => Phrase::text(format!("To let {what} through, put a rule at the end of "))
                .place(place)
                .say(":"),
        }
    }

    fn command(&self, flow: &Flow) -> Option<String> {
        if self.set.dialect == Dialect::Nft {
            return self.nft(flow);
        }
        let tool = match self.set.family {
            Family::Ip4 => "iptables",
            Family::Ip6 => "ip6tables",
            Family::Bridge => "ebtables",
            Family::Inet | Family::Arp | Family::Netdev => return None,
        };
        let mut words = vec![tool.to_owned()];
        if self.table != "filter" {
            words.extend(["-t".into(), shell(self.table)?]);
        }
        let chain = shell(&self.chain.name)?;
        match self.before {
            Some(number) => words.extend(["-I".into(), chain, number.to_string()]),
            None => words.extend(["-A".into(), chain]),
        }
        words.push(if self.set.family == Family::Bridge {
            flow.ebtables()?
        } else {
            flow.iptables()?
        });
        words.push("-j ACCEPT".into());
        Some(words.join(" "))
    }

    fn nft(&self, flow: &Flow) -> Option<String> {
        let (table, chain) = (shell(self.table)?, shell(&self.chain.name)?);
        let family = self.set.family.name();
        let conditions = flow.nft()?;
        Some(match self.before {
            Some(number) => {
                let index = number - 1;
                format!(
                    "nft insert rule {family} {table} {chain} index {index} {conditions} accept"
                )
            }
            None => format!("nft add rule {family} {table} {chain} {conditions} accept"),
        })
    }
}

fn is_docker_rule(rule: &Rule) -> bool {
    rule.matches.iter().any(|one| {
        matches!(&one.test, Test::Input(name) | Test::Output(name) if &*name.name == b"docker0")
    })
}

/// What tells one flow from all others.
#[derive(Debug, Clone)]
struct Flow {
    src: IpAddr,
    dst: IpAddr,
    protocol: Option<Protocol>,
    /// Source and destination port.
    ports: Option<(u16, u16)>,
    icmp_kind: Option<u8>,
    input: Option<IfName>,
    output: Option<IfName>,
    is_answer: bool,
}

impl Flow {
    fn of(header: &Header, account: &Account<'_>, end: usize) -> Option<Self> {
        let ip: &Ip = header.ip()?;
        let devices = account.packet.steps.get(end)?.hop.devices;
        let is_way_out = matches!(account.hook(end), Some(Hook::Output | Hook::Postrouting));
        Some(Self {
            src: ip.src,
            dst: ip.dst,
            protocol: ip.protocol,
            ports: ip.ports(),
            icmp_kind: match &ip.transport {
                Transport::Icmp(icmp) => Some(icmp.kind),
                _ => None,
            },
            // On the way out rules may not ask where a packet came in.
            input: devices.input.filter(|_| !is_way_out),
            output: devices.output,
            is_answer: false,
        })
    }

    /// The other direction.
    fn answer(&self) -> Self {
        Self {
            src: self.dst,
            dst: self.src,
            ports: self.ports.map(|(from, to)| (to, from)),
            input: self.output,
            output: self.input,
            icmp_kind: None,
            is_answer: true,
            ..self.clone()
        }
    }

    /// The port by which the flow is known: the asked one.
    fn port(&self) -> Option<(&'static str, u16)> {
        // iptables has no ports for UDP-Lite.
        let (from, to) = self.ports.filter(|_| self.protocol != Some(Protocol::UDPLITE))?;
        Some(if self.is_answer { ("sport", from) } else { ("dport", to) })
    }

    fn iptables(&self) -> Option<String> {
        let mut words = Vec::new();
        if let Some(name) = self.input {
            words.push(format!("-i {}", shell_device(name)?));
        }
        if let Some(name) = self.output {
            words.push(format!("-o {}", shell_device(name)?));
        }
        words.push(format!("-s {} -d {}", self.src, self.dst));
        if let Some(protocol) = self.protocol {
            words.push(format!("-p {}", protocol.name()));
        }
        words.extend(self.port().map(|(side, port)| format!("--{side} {port}")));
        if let (Some(kind), Some(protocol)) = (self.icmp_kind, self.protocol) {
            let option = if protocol == Protocol::ICMPV6 { "--icmpv6-type" } else { "--icmp-type" };
            words.push(format!("{option} {kind}"));
        }
        if self.is_answer {
            words.push("-m conntrack --ctstate ESTABLISHED".into());
        }
        Some(words.join(" "))
    }

    fn ebtables(&self) -> Option<String> {
        let (family, option) = if self.src.is_ipv4() { ("IPv4", "ip") } else { ("IPv6", "ip6") };
        let mut words = vec![format!("-p {family}")];
        if let Some(name) = self.input {
            words.push(format!("-i {}", shell_device(name)?));
        }
        if let Some(name) = self.output {
            words.push(format!("-o {}", shell_device(name)?));
        }
        words.push(format!("--{option}-source {} --{option}-destination {}", self.src, self.dst));
        if let Some(protocol) = self.protocol {
            words.push(format!("--{option}-protocol {}", protocol.0));
        }
        words.extend(self.port().map(|(side, port)| format!("--{option}-{side} {port}")));
        Some(words.join(" "))
    }

    fn nft(&self) -> Option<String> {
        let mut words = Vec::new();
        for (name, device) in [("iifname", self.input), ("oifname", self.output)] {
            if let Some(device) = device {
                words.push(format!("{name} {}", shell_device(device)?));
            }
        }
        let family = if self.src.is_ipv4() { "ip" } else { "ip6" };
        words.push(format!("{family} saddr {} {family} daddr {}", self.src, self.dst));
        match (self.protocol, self.port()) {
            (Some(protocol), Some((side, port))) => {
                words.push(format!("{} {side} {port}", protocol.name()));
            }
            (Some(protocol), None) => words.push(format!("meta l4proto {}", protocol.0)),
            (None, _) => {}
        }
        if self.is_answer {
            words.push("ct state established".into());
        }
        Some(words.join(" "))
    }
}

/// Whether answers need no rule of their own: they meet other chains, or a rule before lets established connections through.
fn lets_answers(account: &Account<'_>, end: usize, place: &Place<'_>, flow: &Flow) -> bool {
    if account.hook(end) != Some(Hook::Forward) || place.set.family == Family::Bridge {
        return true;
    }
    let before = place.before.unwrap_or(place.chain.len() + 1);
    let answer = flow.answer();
    (1..before).filter_map(|number| place.chain.rule(number)).any(|rule| {
        let is_established = rule.matches.iter().any(|one| {
            !one.negated
                && matches!(&one.test, Test::ConnectionState(states) if states.iter().any(|state| &**state == "ESTABLISHED"))
        });
        let devices_fit = rule.matches.iter().all(|one| match &one.test {
            Test::Input(name) => fits(&name.name, name.is_prefix, answer.input) != one.negated,
            Test::Output(name) => fits(&name.name, name.is_prefix, answer.output) != one.negated,
            _ => true,
        });
        rule.target == Target::Accept && is_established && devices_fit
    })
}

fn fits(name: &[u8], is_prefix: bool, device: Option<IfName>) -> bool {
    device.is_some_and(|device| {
        if is_prefix { device.as_bytes().starts_with(name) } else { device.as_bytes() == name }
    })
}

/// Without the rules nobody can say what would help.
fn give_rules(account: &Account<'_>, end: usize) -> Vec<Advice> {
    let layer = account.packet.steps.get(end).map(|step| step.hop.layer);
    let tool = match layer {
        Some(Layer::Bridge) => "ebtables-save",
        _ if account.is_v6() => "ip6tables-save",
        _ => "iptables-save",
    };
    vec![Advice {
        sentence: Phrase::text("The rules would say why; give them, and ask again:"),
        commands: vec![format!("{tool} > {tool}.txt"), format!("tracecol rules add {tool}.txt")],
    }]
}

/// Where to look for a packet that was lost.
fn look(account: &Account<'_>, end: &End, reasons: &[Reason]) -> Vec<Advice> {
    let end = end.step;
    let mut all = Vec::new();
    if account.is_arp() {
        return all;
    }
    let told = account.told.get(end);
    if told.is_some_and(|told| told.misfit.is_some()) {
        let words = "Give the rules that held when the packet came (`tracecol rules add FILE --from TIME`), and ask again.";
        all.push(Advice { sentence: words.into(), commands: Vec::new() });
    } else if told.is_some_and(|told| told.rule.is_none()) && reasons.is_empty() {
        all.extend(give_rules(account, end));
    }
    let (Some(ip), Some(step)) =
        (account.header(end).and_then(Header::ip), account.packet.steps.get(end))
    else {
        return all;
    };
    for reason in reasons.iter().filter(|reason| reason.odds != Odds::RuledOut) {
        let checks = checks(reason.kind, account, end, ip, step.hop.devices.input);
        all.extend(checks);
    }
    all
}

fn checks(
    kind: ReasonKind,
    account: &Account<'_>,
    end: usize,
    ip: &Ip,
    input: Option<IfName>,
) -> Option<Advice> {
    let advice = |words: &str, commands: Vec<String>| {
        Some(Advice { sentence: Phrase::text(words), commands })
    };
    let is_v6 = ip.dst.is_ipv6();
    match kind {
        ReasonKind::Route => {
            let dst = super::lost::destination(account, end)?;
            let from = input
                .and_then(shell_device)
                .map_or_else(String::new, |input| format!(" from {} iif {input}", ip.src));
            let mark = account.header(end).and_then(|header| header.mark);
            let mark = mark.map_or_else(String::new, |mark| format!(" mark 0x{mark:x}"));
            advice("Ask the kernel for the route:", vec![format!("ip route get {dst}{from}{mark}")])
        }
        ReasonKind::ReversePath => {
            let name = setting_device(input?)?;
            advice(
                "See whether the reverse path filter is on, and whether it has ended packets:",
                vec![
                    format!("sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.{name}.rp_filter"),
                    "nstat -az TcpExtIPReversePathFilter".into(),
                ],
            )
        }
        ReasonKind::Forwarding => {
            let (name, counters) = if is_v6 {
                ("net.ipv6.conf.all.forwarding", "Ip6InNoRoutes Ip6OutForwDatagrams")
            } else {
                ("net.ipv4.ip_forward", "IpForwDatagrams IpExtInNoRoutes")
            };
            advice(
                "See whether this host forwards, and what it counts:",
                vec![format!("sysctl {name}"), format!("nstat -az {counters}")],
            )
        }
        ReasonKind::Neighbour => Some(neighbour(ip.dst)),
        ReasonKind::Listener => {
            let (_, port) = ip.ports()?;
            advice(
                "See what listens there, and whether its queue overflows:",
                vec![
                    format!("ss -lntup 'sport = :{port}'"),
                    "nstat -az TcpExtListenDrops TcpExtListenOverflows".into(),
                ],
            )
        }
        ReasonKind::Conntrack => advice(
            "See how full conntrack's table is:",
            vec!["sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max".into()],
        ),
        ReasonKind::TimeToLive | ReasonKind::Source | ReasonKind::Silent => None,
    }
}

fn neighbour(addr: IpAddr) -> Advice {
    Advice {
        sentence: "See whether the next hop's hardware address is known:".into(),
        commands: vec![format!("ip neigh show to {addr}")],
    }
}

/// It was let through and nobody answered.
fn unanswered(scene: &Scene<'_, '_>, account: &Account<'_>, end: usize) -> Vec<Advice> {
    let Some(connection) = scene.whole().filter(|connection| connection.packets_reply == 0) else {
        return Vec::new();
    };
    let Some(ip) = account.header(end).and_then(Header::ip) else { return Vec::new() };
    let mut all = Vec::new();
    if let Some(asked) = scene.asked_in_vain(account) {
        all.push(neighbour(asked.addr));
        return all;
    }
    if scene.is_local() {
        let port = ip.ports().map(|(_, port)| port);
        all.extend(port.map(|port| Advice {
            sentence: Phrase::text("See whether a program listens there:"),
            commands: vec![format!("ss -lntup 'sport = :{port}'")],
        }));
        return all;
    }
    let output = account
        .packet
        .steps
        .iter()
        .rev()
        .find_map(|step| step.hop.devices.output.filter(|_| step.hop.layer != Layer::Bridge));
    let port = connection
        .original
        .dst
        .port
        .and(ip.ports())
        .map_or_else(String::new, |(_, port)| format!(" and port {port}"));
    all.extend(output.and_then(shell_device).map(|name| Advice {
        sentence: Phrase::text("See whether it leaves, and whether an answer comes in there:"),
        commands: vec![format!("tcpdump -ni {name} host {}{port}", ip.dst)],
    }));
    all
}

/// A word for a shell; none when it could not be copied safely from a terminal.
fn shell(text: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:,@%=".contains(&byte);
    if text.is_empty()
        || text.starts_with(['-', '!'])
        || !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        return None;
    }
    if text.bytes().all(is_plain) {
        return Some(text.to_owned());
    }
    Some(format!("'{}'", text.replace('\'', r"'\''")))
}

/// A device's name for a shell; one that ends with `+` would be a pattern.
fn shell_device(name: IfName) -> Option<String> {
    let text = device(name);
    if text.ends_with(['+', '*']) { None } else { shell(&text) }
}

/// A device's name within the name of a setting: its dots are slashes there.
fn setting_device(name: IfName) -> Option<String> {
    shell_device(name).filter(|text| !text.starts_with('\'')).map(|text| text.replace('.', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_act_upon_is_quoted_or_left_out() {
        assert_eq!(shell("docker0").as_deref(), Some("docker0"));
        assert_eq!(shell("a$(reboot)").as_deref(), Some("'a$(reboot)'"));
        assert_eq!(shell("it's").as_deref(), Some(r"'it'\''s'"));
        for text in ["", "-x", "!x", "a\nb", "a\u{1b}[31m", "é\u{202e}"] {
            assert_eq!(shell(text), None, "{text:?}");
        }
        assert_eq!(IfName::new(b"eth+").and_then(shell_device), None);
        assert_eq!(IfName::new(b"eth0.100").and_then(setting_device).as_deref(), Some("eth0/100"));
    }
}
