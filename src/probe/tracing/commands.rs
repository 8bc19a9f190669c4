//! From flows to commands.

use serde::Serialize;

use super::flow::{Carrier, Flow, address, range};
use super::translation::{Translation, translations};
use crate::model::Protocol;
use crate::probe::facts::Facts;

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
    let mut groups = Vec::new();
    groups.push(("TRACE, IPv4", ip_rules(&both, facts, "iptables", Flow::is_ip4)));
    if facts.has_ip6 {
        groups.push(("TRACE, IPv6", ip_rules(&both, facts, "ip6tables", Flow::is_ip6)));
    }
    if !facts.bridging.bridges.is_empty() {
        groups.push(("frames on bridges", bridge_rules(&both, facts)));
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
        warnings: warnings(flows, &behind, facts),
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

fn ip_rules(
    flows: &[Flow],
    facts: &Facts,
    family: &'static str,
    is_of: fn(&Flow) -> bool,
) -> Vec<Spec> {
    const OPTIONS: [&str; 5] = ["-p", "-s", "-d", "--sport", "--dport"];
    let legacy = if family == "iptables" { "iptables-legacy" } else { "ip6tables-legacy" };
    let tool = facts.legacy_tool(family).unwrap_or(legacy);
    let flows: Vec<&Flow> =
        flows.iter().filter(|flow| is_of(flow) && flow.carrier != Some(Carrier::Arp)).collect();
    let spec = |chain: &str, flow: &Flow| Spec {
        begin: format!("{tool} -t raw"),
        chain: chain.to_owned(),
        rest: words(&[&conditions(flow, &OPTIONS, "icmpv6"), "-j TRACE"]),
    };
    HOOKS.iter().flat_map(|chain| flows.iter().map(|flow| spec(chain, flow))).collect()
}

fn bridge_rules(flows: &[Flow], facts: &Facts) -> Vec<Spec> {
    const LOG: &str = "--log-ip --log-ip6 --log-arp -j CONTINUE";
    let has_broute = facts.bridging.has_broute == Some(true);
    let chains = BRIDGE_CHAINS.iter().filter(|(table, _)| has_broute || *table != "broute");
    let matches: Vec<String> = flows.iter().flat_map(|flow| frame_matches(flow, facts)).collect();
    let spec = |table: &str, chain: &str, one: &str| {
        let log = format!("--log-level info --log-prefix \"TRACE: eb:{table}:{chain}\"");
        Spec {
            begin: format!("ebtables -t {table}"),
            chain: chain.to_owned(),
            rest: words(&[one, &log, LOG]),
        }
    };
    chains.flat_map(|(table, chain)| matches.iter().map(|one| spec(table, chain, one))).collect()
}

/// A frame says IPv4, IPv6 or ARP first: a flow that may be either needs a rule for each.
fn frame_matches(flow: &Flow, facts: &Facts) -> Vec<String> {
    let mut matches = Vec::new();
    if flow.carrier == Some(Carrier::Arp) {
        let options = ["", "--arp-ip-src", "--arp-ip-dst", "", ""];
        return vec![words(&["-p ARP", &conditions(flow, &options, "")])];
    }
    if flow.is_ip4() {
        let options = ["--ip-proto", "--ip-src", "--ip-dst", "--ip-sport", "--ip-dport"];
        matches.push(words(&["-p IPv4", &conditions(flow, &options, "")]));
    }
    if flow.is_ip6() && facts.has_ip6 {
        let options = ["--ip6-proto", "--ip6-src", "--ip6-dst", "--ip6-sport", "--ip6-dport"];
        matches.push(words(&["-p IPv6", &conditions(flow, &options, "ipv6-icmp")]));
    }
    matches
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

fn warnings(flows: &[Flow], translations: &[Translation], facts: &Facts) -> Vec<String> {
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
    if flows.iter().chain(translations.iter().map(|one| &one.flow)).any(|flow| flow.src.is_some()) {
        warnings.push(
            "answers to a source that MASQUERADE or SNAT rewrites come back to the new address: trace that one too"
                .to_owned(),
        );
    }
    if facts.bridging.bridges.is_empty() {
        warnings.push(
            "there is no bridge on this host, so there are no ebtables rules below".to_owned(),
        );
    }
    warnings
}
