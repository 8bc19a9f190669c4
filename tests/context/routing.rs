//! Routes as the kernel chooses them.

use std::fs;

use ipnet::IpNet;
use tracecol::context::{HostContext, RouteAnswer, RouteKind, RouteQuestion};

use super::{addr, data, device, facts, merged};

/// What the kernel said to `ip route get fibmatch`.
struct Answer {
    question: String,
    lines: Vec<String>,
}

fn kernels_answers() -> Vec<Answer> {
    let text = fs::read_to_string(data().join("host/route-get.txt")).unwrap();
    let mut answers: Vec<Answer> = Vec::new();
    for line in text.lines() {
        match line.split_at(2) {
            ("? ", question) => {
                answers.push(Answer { question: question.to_owned(), lines: Vec::new() });
            }
            (_, said) => answers.last_mut().unwrap().lines.push(said.trim().to_owned()),
        }
    }
    answers
}

fn question(words: &[&str]) -> RouteQuestion {
    let after =
        |key: &str| words.iter().position(|word| *word == key).map(|place| words[place + 1]);
    RouteQuestion {
        src: after("from").map(addr),
        mark: after("mark").map(|mark| u32::from_str_radix(&mark[2..], 16).unwrap()),
        input: after("iif").map(device),
        output: None,
    }
}

/// What the kernel's answer must be for ours.
fn said(answer: Option<&RouteAnswer<'_>>) -> String {
    let Some(answer) = answer else {
        return "RTNETLINK answers: Network is unreachable".to_owned();
    };
    let error = match answer.route.kind {
        RouteKind::Blackhole => "Invalid argument",
        RouteKind::Unreachable => "No route to host",
        RouteKind::Prohibit => "Permission denied",
        _ => return answer.route.text.to_string(),
    };
    format!("RTNETLINK answers: {error}")
}

#[track_caller]
fn agrees(context: &HostContext, least_certain: usize) {
    let mut certain = 0;
    for Answer { question: asked, lines } in kernels_answers() {
        let words: Vec<&str> = asked.split_whitespace().collect();
        // From outside, loopback's addresses are refused before any route is asked for.
        if addr(words[0]).is_loopback() && asked.contains("iif") {
            continue;
        }
        let question = question(&words);
        let answer = context.route_to(addr(words[0]), &question);
        let is_certain = answer.as_ref().is_none_or(|answer| answer.is_certain);
        let iif = words
            .iter()
            .skip_while(|word| **word != "iif")
            .take(2)
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        let kernel = lines[0].replace(&format!(" {iif} "), " ");
        if lines.len() > 1 {
            // Several next hops: the kernel chooses by a hash that nobody knows.
            let answer = answer.unwrap();
            assert!(!answer.is_certain, "{asked}");
            assert!(answer.route.text.starts_with(kernel.trim()), "{asked}: {kernel}");
            certain += 1;
        } else if is_certain {
            assert_eq!(said(answer.as_ref()), kernel, "{asked}");
            certain += 1;
        }
    }
    assert!(certain >= least_certain, "{certain} certain answers");
}

#[test]
fn the_kernel_gives_the_same_answers() {
    let context = merged(&["host/ip-route-all.txt", "host/ip-rule.txt", "host/ip-6-rule.txt"]);
    // Uncertain are: what a socket may be bound to, and a source that is not said.
    agrees(&context, 320);
}

#[test]
fn text_and_json_lead_the_same_way() {
    let context =
        merged(&["host/ip-j-route-all.txt", "host/ip-j-rule.txt", "host/ip-j-6-rule.txt"]);
    agrees(&context, 320);
}

#[test]
fn without_table_local_the_own_addresses_are_local() {
    let context = merged(&["host/ip-route.txt", "host/ip-addr.txt"]);
    let question = RouteQuestion::default();
    let answer = context.route_to(addr("172.17.0.1"), &question).unwrap();
    assert_eq!((answer.route.kind, &*answer.table, answer.rule), (RouteKind::Local, "local", None));
    assert_eq!(&*answer.route.text, "inet 172.17.0.1/16 brd 172.17.255.255 scope global docker0");
    let kind = |dst: &str| context.route_to(addr(dst), &question).unwrap().route.kind;
    assert_eq!(kind("172.17.255.255"), RouteKind::Broadcast);
    assert_eq!(kind("127.3.4.5"), RouteKind::Local);
    assert_eq!(kind("10.8.0.1"), RouteKind::Unicast);
    // A route's preferred source is an own address, even when `ip addr` was not given.
    let context = merged(&["host/ip-route.txt"]);
    assert_eq!(
        context.route_to(addr("172.17.0.1"), &question).unwrap().route.kind,
        RouteKind::Local
    );
}

#[test]
fn without_rules_the_main_table_is_asked() {
    let context = merged(&["host/ip-route.txt"]);
    let answer = context.route_to(addr("172.17.0.5"), &RouteQuestion::default()).unwrap();
    assert_eq!(
        &*answer.route.text,
        "172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1"
    );
    assert!(answer.is_certain && answer.rule.is_none());
    assert_eq!(&*answer.table, "main");
    assert_eq!(merged(&[]).route_to(addr("172.17.0.5"), &RouteQuestion::default()), None);
}

#[test]
fn a_rule_with_a_condition_that_no_line_shows_makes_the_answer_unsure() {
    let main = "default via 10.0.0.1 dev eth0\n";
    let rules = "0: from all lookup local\n10: from 10.9.0.0/16 ipproto tcp dport 443 lookup 77\n32766: from all lookup main\n";
    let other = "default via 10.0.0.2 dev eth1 table 77\n";
    let asked = |text: &str, src: &str| {
        let context = facts(text);
        let question = RouteQuestion { src: Some(addr(src)), ..RouteQuestion::default() };
        let answer = context.route_to(addr("192.0.2.1"), &question).unwrap();
        (answer.route.device.unwrap(), answer.is_certain)
    };
    let all = format!("{main}{other}{rules}");
    assert_eq!(asked(&all, "10.9.1.1"), (device("eth0"), false));
    assert_eq!(asked(&all, "10.8.1.1"), (device("eth0"), true));
    // The other table says nothing of the destination: whether it was asked does not matter.
    let elsewhere = format!("{main}198.51.100.0/24 dev eth1 table 77\n{rules}");
    assert_eq!(asked(&elsewhere, "10.9.1.1"), (device("eth0"), true));
    // A table whose routes were not given may say anything.
    let unknown = format!(
        "{main}0: from all lookup local\n10: from 10.9.0.0/16 lookup 77\n32766: from all lookup main\n"
    );
    assert_eq!(asked(&unknown, "10.9.1.1"), (device("eth0"), false));
    assert_eq!(asked(&unknown, "10.8.1.1"), (device("eth0"), true));
}

#[test]
fn the_way_out_chooses_among_next_hops() {
    let context = merged(&["host/ip-route.txt"]);
    let ask = |output: Option<&str>| {
        let question = RouteQuestion { output: output.map(device), ..RouteQuestion::default() };
        let answer = context.route_to(addr("10.60.1.1"), &question).unwrap();
        (answer.route.gateway.unwrap(), answer.is_certain)
    };
    assert_eq!(ask(None), (addr("10.146.22.125"), false));
    assert_eq!(ask(Some("eth0.100")), (addr("10.100.0.254"), true));
    assert_eq!(ask(Some("eth0")), (addr("10.146.22.125"), true));
}

#[test]
fn dead_routes_are_not_used_and_routes_without_carrier_are() {
    let text = "\
10.1.0.0/16 dev eth1 scope link dead linkdown
10.2.0.0/16 dev eth2 scope link linkdown
default via 10.0.0.1 dev eth0
";
    let out = |context: &HostContext, dst: &str| {
        context.route_to(addr(dst), &RouteQuestion::default()).unwrap().route.device.unwrap()
    };
    let mut context = facts(text);
    assert_eq!(out(&context, "10.1.0.1"), device("eth0"));
    assert_eq!(out(&context, "10.2.0.1"), device("eth2"));
    context.merge(facts("net.ipv4.conf.eth2.ignore_routes_with_linkdown = 1\n"));
    assert_eq!(out(&context, "10.2.0.1"), device("eth0"));
}

#[test]
fn a_reverse_path_check_asks_for_the_way_back() {
    let context = merged(&["host/ip-route.txt", "host/ip-addr.txt"]);
    let check = |src: &str, input: &str| context.reverse_path(addr(src), device(input));
    assert_eq!(check("172.17.0.5", "docker0"), Some(true));
    assert_eq!(check("172.17.0.5", "eth0"), Some(false));
    assert_eq!(check("8.8.8.8", "eth0"), Some(true));
    assert_eq!(check("8.8.8.8", "eth0.100"), Some(false));
    // Any of several next hops will do; an own address must not come from outside; loopback is not checked.
    assert_eq!(check("10.60.1.1", "eth0.100"), Some(true));
    assert_eq!(check("10.60.1.1", "docker0"), Some(false));
    assert_eq!(check("172.17.0.1", "docker0"), Some(false));
    assert_eq!(check("127.0.0.1", "lo"), Some(true));
    assert_eq!(check("2001:db8::1", "eth0"), None, "no IPv6 route was given");
    assert_eq!(
        facts("10.0.0.0/8 dev eth0\n").reverse_path(addr("11.0.0.1"), device("eth0")),
        Some(false)
    );
}

#[test]
fn a_tunnels_rules_are_followed() {
    // What wg-quick sets up: everything but its own packets through the tunnel, and routes longer than the default first.
    let text = "\
0:	from all lookup local
32764:	from all lookup main suppress_prefixlength 0
32765:	not from all fwmark 0xca6c lookup 51820
32766:	from all lookup main
32767:	from all lookup default
default via 192.168.1.1 dev eth0
192.168.1.0/24 dev eth0 scope link
default dev wg0 table 51820 scope link
";
    let context = facts(text);
    let ask = |dst: &str, mark: Option<u32>| {
        let answer =
            context.route_to(addr(dst), &RouteQuestion { mark, ..RouteQuestion::default() });
        let answer = answer.unwrap();
        assert!(answer.is_certain);
        (answer.route.device.unwrap(), answer.rule.unwrap().priority)
    };
    assert_eq!(ask("8.8.8.8", None), (device("wg0"), 32765));
    assert_eq!(ask("8.8.8.8", Some(0xca6c)), (device("eth0"), 32766));
    assert_eq!(ask("192.168.1.7", None), (device("eth0"), 32764));
}

#[test]
fn own_addresses_come_with_their_nets() {
    let nets = |paths: &[&str]| merged(paths).own_nets();
    let has = |nets: &[IpNet], net: &str| nets.contains(&net.parse().unwrap());
    let listed = nets(&["host/ip-addr.txt"]);
    assert!(
        has(&listed, "172.17.0.1/16")
            && has(&listed, "127.0.0.1/8")
            && has(&listed, "fd00:17::1/64")
    );
    // Without `ip addr` the routes tell: table `local` the addresses, table `main` their nets.
    let routes = nets(&["host/ip-route-all.txt"]);
    assert!(has(&routes, "172.17.0.1/16") && has(&routes, "192.0.2.1/32"), "{routes:?}");
    assert!(has(&nets(&["host/ip-route.txt"]), "172.17.0.1/16"));
    assert!(!routes.iter().any(|net| net.addr() == addr("172.17.0.5")));
    // A local route of another table, as TPROXY wants it, makes nothing the host's own.
    let context = merged(&["host/ip-route-all.txt"]);
    assert!(context.is_own(addr("10.146.22.22")) && !context.is_own(addr("8.8.8.8")));
}
