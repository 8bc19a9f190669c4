//! From flows to commands.

use serde::Serialize;

use super::flow::{Carrier, Flow, address, range};
use super::translation::{Translation, translations};
use crate::model::Protocol;
use crate::probe::facts::Facts;
use crate::rulebook::Target;

/// What switches tracing on and off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What was asked for, one direction each.
    pub flows: Vec<Flow>,
    /// What the host's own rules make of it.
    pub translations: Vec<Translation>,
    /// The commands that switch it on, by tool.
    pub on: Vec<Group>,
    /// The commands that undo exactly these, the last one first.
    pub off: Vec<String>,
    /// What one should know before.
    pub warnings: Vec<String>,
}

/// Commands of one tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What they are for.
    pub title: String,
    /// In order.
    pub commands: Vec<String>,
}

/// The chains of the bridge, in the order in which a frame meets them.
const BRIDGE_CHAINS: [(&str, &str); 7] = [
    ("broute", "BROUTING"),
    ("nat", "PREROUTING"),
    ("filter", "INPUT"),
    ("filter", "FORWARD"),
    ("nat", "OUTPUT"),
    ("filter", "OUTPUT"),
    ("nat", "POSTROUTING"),
];

/// The hooks at which tracing begins.
const HOOKS: [&str; 2] = ["PREROUTING", "OUTPUT"];

/// A rule that can be put in or taken out.
struct Spec {
    /// The tool and its table.
    begin: String,
    chain: String,
    /// Conditions and target.
    rest: String,
}

impl Spec {
    fn put_in(&self) -> String {
        format!("{} -I {} {}", self.begin, self.chain, self.rest)
    }

    fn take_out(&self) -> String {
        format!("{} -D {} {}", self.begin, self.chain, self.rest)
    }
}

/// Writes the commands for flows, each of which is traced in both directions.
pub fn plan(flows: &[Flow], facts: &Facts) -> Plan {
    let mut behind: Vec<Translation> = Vec::new();
    for translation in flows.iter().flat_map(|flow| translations(flow, facts)) {
        if behind.iter().all(|known| known.flow != translation.flow) {
            behind.push(translation);
        }
    }
    let both = both_ways(flows.iter().chain(behind.iter().map(|translation| &translation.flow)));
    let sights: Vec<Sight<'_>> = both.iter().flat_map(|flow| sights(flow, facts)).collect();
    let mut groups = vec![
        ("TRACE, IPv4", ip_rules(&sights, facts, Kind::Ip4)),
        ("TRACE, IPv6", ip_rules(&sights, facts, Kind::Ip6)),
    ];
    if !facts.bridging.bridges.is_empty() {
        groups.push(("frames on bridges", bridge_rules(&sights, facts)));
    }
    groups.retain(|(_, specs)| !specs.is_empty());
    let off = groups.iter().flat_map(|(_, specs)| specs).rev().map(Spec::take_out);
    Plan {
        off: off.collect(),
        on: groups
            .iter()
            .map(|(title, specs)| Group {
                title: (*title).to_owned(),
                commands: specs.iter().map(Spec::put_in).collect(),
            })
            .collect(),
        warnings: warnings(flows, facts),
        flows: flows.to_vec(),
        translations: behind,
    }
}

/// Each flow and its other direction, none twice.
fn both_ways<'a>(flows: impl Iterator<Item = &'a Flow>) -> Vec<Flow> {
    let mut both: Vec<Flow> = Vec::new();
    for flow in flows.flat_map(|flow| [flow.clone(), flow.reversed()]) {
        if !both.contains(&flow) {
            both.push(flow);
        }
    }
    both
}

/// What a frame carries: rules must say which of them they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ip4,
    Ip6,
    Arp,
}

/// A flow, as packets of one kind.
type Sight<'a> = (Kind, &'a Flow);

/// IPv6 is worth its rules when the flow is of nothing else, or the host speaks it.
fn sights<'a>(flow: &'a Flow, facts: &Facts) -> Vec<Sight<'a>> {
    if flow.carrier == Some(Carrier::Arp) {
        return vec![(Kind::Arp, flow)];
    }
    let six = flow.is_ip6() && (facts.has_ip6 || !flow.is_ip4());
    let kinds = [(Kind::Ip4, flow.is_ip4()), (Kind::Ip6, six)];
    kinds.into_iter().filter(|(_, is_meant)| *is_meant).map(|(kind, _)| (kind, flow)).collect()
}

fn ip_rules(sights: &[Sight<'_>], facts: &Facts, wanted: Kind) -> Vec<Spec> {
    const OPTIONS: [&str; 5] = ["-p", "-s", "-d", "--sport", "--dport"];
    let (plain, legacy) = match wanted {
        Kind::Ip6 => ("ip6tables", "ip6tables-legacy"),
        Kind::Ip4 | Kind::Arp => ("iptables", "iptables-legacy"),
    };
    let tool = facts.legacy_tool(plain).unwrap_or(legacy);
    let flows: Vec<&Flow> =
        sights.iter().filter(|(kind, _)| *kind == wanted).map(|(_, flow)| *flow).collect();
    let spec = |chain: &str, flow: &Flow| Spec {
        begin: format!("{tool} -t raw"),
        chain: chain.to_owned(),
        rest: words(&[&conditions(flow, &OPTIONS, "icmpv6"), "-j TRACE"]),
    };
    HOOKS.iter().flat_map(|chain| flows.iter().map(|flow| spec(chain, flow))).collect()
}

fn bridge_rules(sights: &[Sight<'_>], facts: &Facts) -> Vec<Spec> {
    let has_broute = facts.bridging.has_broute == Some(true);
    let chains = BRIDGE_CHAINS.iter().filter(|(table, _)| has_broute || *table != "broute");
    let frames: Vec<(String, &str)> =
        sights.iter().map(|(kind, flow)| frame(*kind, flow)).collect();
    let spec = |table: &str, chain: &str, (condition, log): &(String, &str)| Spec {
        begin: format!("ebtables -t {table}"),
        chain: chain.to_owned(),
        rest: format!(
            "{condition} --log-level info --log-prefix \"TRACE: eb:{table}:{chain}\" {log} -j CONTINUE"
        ),
    };
    chains.flat_map(|(table, chain)| frames.iter().map(|frame| spec(table, chain, frame))).collect()
}

/// What a rule of `ebtables` asks for, and what it shall print.
fn frame(kind: Kind, flow: &Flow) -> (String, &'static str) {
    let (name, options, log) = match kind {
        Kind::Ip4 => (
            "-p IPv4",
            ["--ip-proto", "--ip-src", "--ip-dst", "--ip-sport", "--ip-dport"],
            "--log-ip",
        ),
        Kind::Ip6 => (
            "-p IPv6",
            ["--ip6-proto", "--ip6-src", "--ip6-dst", "--ip6-sport", "--ip6-dport"],
            "--log-ip6",
        ),
        Kind::Arp => ("-p ARP", ["", "--arp-ip-src", "--arp-ip-dst", "", ""], "--log-arp"),
    };
    (words(&[name, &conditions(flow, &options, "ipv6-icmp")]), log)
}

/// What a rule asks for: `options` are the tool's words for protocol, source, destination and their ports.
fn conditions(flow: &Flow, options: &[&str; 5], icmp6: &str) -> String {
    let protocol = match flow.carrier {
        Some(Carrier::Ip(protocol)) => Some(protocol_word(protocol, icmp6)),
        Some(Carrier::Arp) | None => None,
    };
    let ports = |ports: &Option<_>| ports.as_ref().map(|ports| range(ports, ':'));
    let values = [
        protocol,
        flow.src.as_ref().map(address),
        flow.dst.as_ref().map(address),
        ports(&flow.sport),
        ports(&flow.dport),
    ];
    let given = options.iter().zip(values).filter_map(|(option, value)| Some((option, value?)));
    given.map(|(option, value)| format!("{option} {value}")).collect::<Vec<_>>().join(" ")
}

/// Names that the tools know without a list of protocols.
fn protocol_word(protocol: Protocol, icmp6: &str) -> String {
    match Carrier::Ip(protocol) {
        Carrier::TCP => "tcp".to_owned(),
        Carrier::UDP => "udp".to_owned(),
        Carrier::ICMP => "icmp".to_owned(),
        Carrier::ICMP6 => icmp6.to_owned(),
        Carrier::SCTP => "sctp".to_owned(),
        _ => protocol.0.to_string(),
    }
}

fn words(parts: &[&str]) -> String {
    parts.iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn warnings(flows: &[Flow], facts: &Facts) -> Vec<String> {
    let mut warnings = Vec::new();
    for flow in flows.iter().filter(|flow| flow.is_wide()) {
        warnings.push(format!(
            "this is every packet of `{flow}`: ten lines and more each; name an address or a port on a busy host"
        ));
    }
    if let Some(packets) = facts.kernel.ring_bytes().map(|bytes| bytes / 2_500) {
        warnings.push(format!(
            "the kernel's ring holds about {packets} traced packets: let something read along, or trace shortly"
        ));
    }
    let is_hidden = facts.rules.ip4.legacy.is_hidden() || facts.rules.ip4.nft.is_hidden();
    if is_hidden {
        warnings.push(
            "the rules are not visible without root: whether DNAT changes this flow is not known; its answers, and its \
             frames on a bridge, then carry other addresses"
                .to_owned(),
        );
    }
    if flows.iter().any(|flow| flow.src.is_some()) && rewrites_sources(facts) {
        warnings.push(
            "answers to a source that MASQUERADE or SNAT rewrites come back to the new address: trace that one too"
                .to_owned(),
        );
    }
    if !facts.has_ip6 && flows.iter().any(|flow| flow.is_ip4() && flow.is_ip6()) {
        warnings.push(
            "this host has no global IPv6 address, so there are no rules for IPv6".to_owned(),
        );
    }
    if facts.bridging.bridges.is_empty() {
        warnings
            .push("there is no bridge on this host, so there are no rules for ebtables".to_owned());
    } else if facts.ebtables.is_none() {
        warnings.push("`ebtables` is not installed".to_owned());
    }
    warnings
}

fn rewrites_sources(facts: &Facts) -> bool {
    let sets = facts.rules.ip4.sets().chain(facts.rules.ip6.sets());
    let chains = sets.flat_map(|set| &set.tables).flat_map(|table| &table.chains);
    chains
        .flat_map(|chain| &chain.rules)
        .any(|rule| matches!(rule.target, Target::Masquerade | Target::Snat { .. }))
}
