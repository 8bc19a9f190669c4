//! Flows, and the commands that trace them.

use expect_test::{Expect, expect};
use ipnet::IpNet;

use super::{Carrier, Flow, Plan, plan};
use crate::model::Protocol;
use crate::probe::facts::{Facts, Seen};
use crate::probe::snapshot::BackEnd;
use crate::rulebook;

fn host() -> Facts {
    Facts {
        programs: ["iptables-legacy", "ip6tables-legacy", "ebtables"].into(),
        ebtables: Some(BackEnd::Nft),
        ..Facts::default()
    }
}

fn tcp_to(port: u16) -> Flow {
    Flow { carrier: Some(Carrier::TCP), dport: Some(port..=port), ..Flow::default() }
}

fn text(plan: &Plan) -> String {
    let mut lines: Vec<String> = Vec::new();
    for translation in &plan.translations {
        lines.push(format!("# {}", translation.flow));
    }
    for group in &plan.on {
        lines.push(format!("# {}", group.title));
        lines.extend(group.commands.iter().cloned());
    }
    lines.push("# off".to_owned());
    lines.extend(plan.off.iter().cloned());
    lines.extend(plan.warnings.iter().map(|warning| format!("! {warning}")));
    lines.join("\n") + "\n"
}

#[expect(clippy::needless_pass_by_value, reason = "an expectation is written where it is checked")]
fn check(flows: &[Flow], facts: &Facts, expected: Expect) {
    expected.assert_eq(&text(&plan(flows, facts)));
}

#[test]
fn a_port_on_a_host_without_bridges() {
    check(
        &[tcp_to(40000)],
        &host(),
        expect![[r"
            # TRACE, IPv4
            iptables-legacy -t raw -I PREROUTING -p tcp --dport 40000 -j TRACE
            iptables-legacy -t raw -I PREROUTING -p tcp --sport 40000 -j TRACE
            iptables-legacy -t raw -I OUTPUT -p tcp --dport 40000 -j TRACE
            iptables-legacy -t raw -I OUTPUT -p tcp --sport 40000 -j TRACE
            # off
            iptables-legacy -t raw -D OUTPUT -p tcp --sport 40000 -j TRACE
            iptables-legacy -t raw -D OUTPUT -p tcp --dport 40000 -j TRACE
            iptables-legacy -t raw -D PREROUTING -p tcp --sport 40000 -j TRACE
            iptables-legacy -t raw -D PREROUTING -p tcp --dport 40000 -j TRACE
            ! this host has no global IPv6 address, so there are no rules for IPv6
            ! there is no bridge on this host, so there are no rules for ebtables
        "]],
    );
}

#[test]
fn frames_on_a_bridge_with_broute() {
    let mut facts = host();
    facts.bridging.bridges = vec!["docker0".to_owned()];
    facts.bridging.has_broute = Some(true);
    let flow = Flow {
        carrier: Some(Carrier::ICMP6),
        src: Some("fd00::/64".parse().unwrap()),
        ..Flow::default()
    };
    let plan = plan(&[flow], &facts);
    let frames = plan.on.iter().find(|group| group.title == "frames on bridges").unwrap();
    assert_eq!(frames.commands.len(), 14, "seven chains, two directions");
    assert_eq!(
        frames.commands[0],
        "ebtables -t broute -I BROUTING -p IPv6 --ip6-proto ipv6-icmp --ip6-src fd00::/64 \
         --log-level info --log-prefix \"TRACE: eb:broute:BROUTING\" --log-ip6 -j CONTINUE"
    );
    assert_eq!(
        plan.on[0].commands[0],
        "ip6tables-legacy -t raw -I PREROUTING -p icmpv6 -s fd00::/64 -j TRACE"
    );
    // Undone in the opposite order, each by the same words.
    let on: Vec<String> = plan
        .on
        .iter()
        .flat_map(|group| &group.commands)
        .map(|command| command.replace(" -I ", " -D "))
        .collect();
    assert_eq!(plan.off.iter().rev().cloned().collect::<Vec<_>>(), on);
}

#[test]
fn arp_is_for_bridges_only() {
    let mut facts = host();
    facts.bridging.bridges = vec!["br0".to_owned()];
    let net: IpNet = "10.0.0.7/32".parse().unwrap();
    let flow = Flow { carrier: Some(Carrier::Arp), dst: Some(net), ..Flow::default() };
    let plan = plan(&[flow], &facts);
    assert_eq!(plan.on.len(), 1);
    assert!(plan.on[0].commands[0].contains("-p ARP --arp-ip-dst 10.0.0.7 --log-level info"));
    assert!(plan.on[0].commands[1].contains("--arp-ip-src 10.0.0.7"));
}

#[test]
fn answers_behind_dnat_have_other_names() {
    let rules = "*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n:KUBE-SVC - [0:0]\n:KUBE-SEP - [0:0]\n\
        -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n\
        -A PREROUTING -p tcp -m tcp --dport 30080 -j KUBE-SVC\n\
        -A DOCKER ! -i docker0 -p tcp -m tcp --dport 40000 -j DNAT --to-destination 172.17.0.5:6379\n\
        -A DOCKER ! -i docker0 -p udp -m udp --dport 40000 -j DNAT --to-destination 172.17.0.6\n\
        -A PREROUTING -d 192.0.2.1/32 -p tcp -j DNAT --to-destination 10.0.0.9\n\
        -A PREROUTING -p tcp -m tcp --dport 81 -j REDIRECT --to-ports 8081\n\
        -A KUBE-SVC -m statistic --mode random --probability 0.5 -j KUBE-SEP\n\
        -A KUBE-SEP -p tcp -j DNAT --to-destination 10.244.1.5:8080\n\
        -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\nCOMMIT\n";
    let mut facts = host();
    facts.rules.ip4.legacy = Seen::Is(rulebook::read(rules, "rules").sets);
    let behind = |flow: &Flow| {
        let plan = plan(std::slice::from_ref(flow), &facts);
        plan.translations.iter().map(|one| one.flow.to_string()).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(behind(&tcp_to(40000)), "tcp to 172.17.0.5 port 6379");
    let udp = Flow { carrier: Some(Carrier::UDP), ..tcp_to(40000) };
    assert_eq!(behind(&udp), "udp to 172.17.0.6 port 40000");
    assert_eq!(behind(&tcp_to(30080)), "tcp to 10.244.1.5 port 8080");
    assert_eq!(behind(&tcp_to(81)), "tcp to port 8081");
    assert_eq!(behind(&tcp_to(22)), "");
    let whole = Flow { carrier: Some(Carrier::TCP), ..Flow::default() };
    assert_eq!(behind(&whole), "", "a rule about some port is not about all of them");
    let to = Flow { dst: Some("192.0.2.1/32".parse().unwrap()), ..tcp_to(22) };
    assert_eq!(behind(&to), "tcp to 10.0.0.9 port 22");
    let from = Flow { src: Some("172.17.0.5/32".parse().unwrap()), ..tcp_to(22) };
    assert!(plan(&[from], &facts).warnings.iter().any(|text| text.contains("MASQUERADE")));
}

#[test]
fn wide_flows_are_warned_of() {
    let mut facts = host();
    facts.rules.ip4.legacy = Seen::Hidden;
    let flow = Flow { carrier: Some(Carrier::Ip(Protocol(47))), ..Flow::default() };
    let plan = plan(&[flow], &facts);
    assert!(plan.warnings[0].starts_with("this is every packet of `gre`"));
    assert!(plan.warnings.iter().any(|text| text.contains("not visible without root")));
    assert!(plan.on[0].commands[0].contains("-p 47 -j TRACE"));
}
