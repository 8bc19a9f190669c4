//! Verdicts on traced packets: what the last rule does, held against what the log proves.

use super::scene::{Lines, Scene, table, udp};

const OPEN: [&str; 3] = [":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]"];

fn filter(policies: &[&str], rest: &[&str]) -> String {
    table("filter", &[policies, rest].concat())
}

/// A datagram that came to its end in a chain of the filter table, by these places.
fn ended(places: &[&str], devices: &str, rules: &str) -> Scene {
    let mut log = Lines::default();
    let packet = udp("10.0.0.2:5000", "10.9.0.1:53", 77);
    log.trace("raw:PREROUTING:policy:2", "IN=eth0 OUT=", &packet);
    for place in places {
        log.trace(place, devices, &packet);
    }
    // The log goes on: its end has not cut anything.
    log.wait(60_000_000).line("later ", "IN=eth0 OUT=", &udp("10.0.0.9:1", "10.9.0.1:2", 5));
    log.scene(&[rules])
}

const IN: &str = "IN=eth0 OUT=";
const THROUGH: &str = "IN=eth0 OUT=eth1";

#[test]
fn the_last_rule_decides() {
    let rules = filter(
        &[":INPUT DROP [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]", ":user - [0:0]"],
        &[
            "-A INPUT -p udp -m udp --dport 53 -j ACCEPT",
            "-A INPUT -p udp -m udp --sport 5000 -j DROP",
            "-A INPUT -p udp -j REJECT --reject-with icmp-port-unreachable",
            "-A INPUT -p udp -j user",
            "-A INPUT -p udp -j NFQUEUE --queue-num 1",
            "-A INPUT -p udp -j LOG --log-prefix \"x \"",
            "-A user -s 10.0.0.2/32 -j ACCEPT",
            "-A user -j DROP",
        ],
    );
    let verdict = |places: &[&str]| ended(places, IN, &rules).verdict(0);
    assert_eq!(
        verdict(&["filter:INPUT:rule:1"]),
        "accepted (rule) filter:INPUT:rule:1 · -A INPUT -p udp -m udp --dport 53 -j ACCEPT"
    );
    assert_eq!(
        verdict(&["filter:INPUT:rule:2"]),
        "dropped (rule) filter:INPUT:rule:2 · -A INPUT -p udp -m udp --sport 5000 -j DROP"
    );
    assert_eq!(
        verdict(&["filter:INPUT:rule:3"]),
        "rejected (rule) filter:INPUT:rule:3 · -A INPUT -p udp -j REJECT --reject-with icmp-port-unreachable"
    );
    assert_eq!(
        verdict(&["filter:INPUT:rule:4", "filter:user:rule:1"]),
        "accepted (rule) filter:user:rule:1 · -A user -s 10.0.0.2/32 -j ACCEPT"
    );
    // A rule without any condition prints as the chain's end.
    assert_eq!(
        verdict(&["filter:INPUT:rule:4", "filter:user:return:2"]),
        "dropped (rule) filter:user:return:2 · -A user -j DROP"
    );
    assert_eq!(
        verdict(&["filter:INPUT:rule:5"]),
        "consumed (rule) filter:INPUT:rule:5 · -A INPUT -p udp -j NFQUEUE --queue-num 1"
    );
    assert_eq!(
        verdict(&["filter:INPUT:policy:7"]),
        "dropped (policy) filter:INPUT:policy:7 · -P INPUT DROP"
    );
    // What cannot end a way has not ended it.
    assert_eq!(verdict(&["filter:INPUT:rule:6"]), "unknown (-) filter:INPUT:rule:6 · -");
    assert_eq!(verdict(&["filter:INPUT:rule:4"]), "unknown (-) filter:INPUT:rule:4 · -");
}

#[test]
fn a_drop_in_any_table_is_a_drop() {
    for (name, chain) in [("raw", "PREROUTING"), ("mangle", "PREROUTING"), ("nat", "PREROUTING")] {
        let rules = table(
            name,
            &[
                ":PREROUTING ACCEPT [0:0]",
                ":OUTPUT ACCEPT [0:0]",
                "-A PREROUTING -s 10.0.0.2/32 -p udp -j DROP",
            ],
        );
        let mut log = Lines::default();
        let packet = udp("10.0.0.2:5000", "10.9.0.1:53", 77);
        log.trace(&format!("{name}:{chain}:rule:1"), IN, &packet);
        let scene = log.scene(&[&rules]);
        assert_eq!(
            scene.verdict(0),
            format!(
                "dropped (rule) {name}:{chain}:rule:1 · -A PREROUTING -s 10.0.0.2/32 -p udp -j DROP"
            )
        );
    }
}

#[test]
fn let_on_in_prerouting_and_gone_is_not_told() {
    let rules = table("nat", &[":PREROUTING ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]"]);
    let packet = udp("10.0.0.2:5000", "10.9.0.1:53", 77);
    let scene = Lines::default().trace("nat:PREROUTING:policy:1", IN, &packet).scene(&[&rules]);
    assert_eq!(scene.verdict(0), "unknown (-) nat:PREROUTING:policy:1 · -");
}

#[test]
fn where_lines_are_missing_an_accept_has_not_accepted() {
    // Another packet shows that mangle prints lines behind FORWARD.
    let rules = filter(&OPEN, &["-A FORWARD -p udp -m udp --dport 53 -j ACCEPT"]);
    let mangle = table(
        "mangle",
        &[":PREROUTING ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]"],
    );
    let mut log = Lines::default();
    let whole = udp("10.0.0.2:5000", "10.9.0.1:53", 77);
    for place in ["mangle:FORWARD:policy:1", "filter:FORWARD:rule:1", "mangle:POSTROUTING:policy:1"]
    {
        log.trace(place, THROUGH, &whole);
    }
    let lost = udp("10.0.0.2:5001", "10.9.0.1:53", 78);
    for place in ["mangle:FORWARD:policy:1", "filter:FORWARD:rule:1"] {
        log.trace(place, THROUGH, &lost);
    }
    log.wait(60_000_000).line("later ", IN, &udp("10.0.0.9:1", "10.9.0.1:2", 5));
    let scene = log.scene(&[&rules, &mangle]);
    assert_eq!(
        scene.verdict(0),
        "accepted (rule) filter:FORWARD:rule:1 · -A FORWARD -p udp -m udp --dport 53 -j ACCEPT"
    );
    assert_eq!(scene.packets[1].verdict.kind.name(), "dropped", "as the log has it");
    assert_eq!(scene.verdict(1), "unknown (-) filter:FORWARD:rule:1 · -");
    assert_eq!(scene.misfits(), Vec::<String>::new(), "others went on behind that rule");
}

#[test]
fn what_redirect_sends_to_a_process_is_consumed() {
    let nat = table(
        "nat",
        &[
            ":PREROUTING ACCEPT [0:0]",
            ":INPUT ACCEPT [0:0]",
            "-A PREROUTING -p udp -m udp --dport 53 -j REDIRECT --to-ports 5353",
        ],
    );
    let rules = filter(&OPEN, &[]);
    let mut log = Lines::default();
    log.trace("nat:PREROUTING:rule:1", IN, &udp("10.0.0.2:5000", "10.9.0.1:53", 77));
    log.trace("filter:INPUT:policy:1", IN, &udp("10.0.0.2:5000", "10.9.0.9:5353", 77));
    let scene = log.scene(&[&nat, &rules]);
    assert_eq!(scene.packets.len(), 1);
    assert_eq!(scene.verdict(0), "consumed (policy) filter:INPUT:policy:1 · -P INPUT ACCEPT");
}

#[test]
fn a_queue_that_may_be_bypassed_says_nothing() {
    let rules = filter(&OPEN, &["-A INPUT -p udp -j NFQUEUE --queue-num 1 --queue-bypass"]);
    let scene = ended(&["filter:INPUT:rule:1"], IN, &rules);
    assert_eq!(scene.verdict(0), "unknown (-) filter:INPUT:rule:1 · -");
}

#[test]
fn the_log_line_of_a_traced_rule_is_that_rules() {
    // Two rules with one prefix: the TRACE line before tells which one it was.
    let rules = filter(
        &OPEN,
        &[
            "-A INPUT -p tcp -j LOG --log-prefix \"same \"",
            "-A INPUT -p udp -m udp --dport 53 -j LOG --log-prefix \"same \"",
            "-A INPUT -p udp -j LOG --log-prefix \"same \"",
        ],
    );
    let mut log = Lines::default();
    let packet = udp("10.0.0.2:5000", "10.9.0.1:53", 77);
    log.trace("raw:PREROUTING:policy:2", IN, &packet);
    for rule in [2, 3] {
        log.trace(&format!("filter:INPUT:rule:{rule}"), IN, &packet).line("same ", IN, &packet);
    }
    log.trace("filter:INPUT:policy:4", IN, &packet);
    let scene = log.scene(&[&rules]);
    let told = scene.told(0);
    let second = "-A INPUT -p udp -m udp --dport 53 -j LOG --log-prefix \"same \"";
    let third = "-A INPUT -p udp -j LOG --log-prefix \"same \"";
    assert_eq!(
        told[1..],
        [
            format!("filter:INPUT:rule:2 · {second}"),
            format!("log:same · {second}"),
            format!("filter:INPUT:rule:3 · {third}"),
            format!("log:same · {third}"),
            "filter:INPUT:policy:4 · -P INPUT ACCEPT".to_owned(),
        ]
    );
}

#[test]
fn a_mark_that_leads_to_a_drop_is_found() {
    let nat = table(
        "nat",
        &[
            ":PREROUTING ACCEPT [0:0]",
            ":KUBE-MARK-DROP - [0:0]",
            "-A PREROUTING -p udp -j KUBE-MARK-DROP",
            "-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000",
        ],
    );
    let rules = filter(
        &[":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":KUBE-FIREWALL - [0:0]"],
        &["-A FORWARD -j KUBE-FIREWALL", "-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP"],
    );
    let plain = udp("10.0.0.2:5000", "10.9.0.1:53", 77);
    let marked = format!("{plain}MARK=0x8000 ");
    let mut log = Lines::default();
    log.trace("nat:PREROUTING:rule:1", IN, &plain)
        .trace("nat:KUBE-MARK-DROP:rule:1", IN, &plain)
        .trace("nat:KUBE-MARK-DROP:return:2", IN, &marked)
        .trace("nat:PREROUTING:policy:2", IN, &marked)
        .trace("filter:FORWARD:rule:1", THROUGH, &marked)
        .trace("filter:KUBE-FIREWALL:rule:1", THROUGH, &marked);
    let scene = log.scene(&[&nat, &rules]);
    assert_eq!(scene.packets.len(), 1);
    let cause = tracecol::explain::root_cause(&scene.tell(0)).unwrap();
    assert_eq!((cause.set_at, cause.ended_at, cause.mark), (1, 5, 0x8000));
    assert_eq!(
        scene.verdict(0),
        "dropped (rule) filter:KUBE-FIREWALL:rule:1 · -A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP"
    );
}
