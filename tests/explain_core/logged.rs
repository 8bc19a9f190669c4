//! Packets of which only LOG lines are there: the rules behind the LOG rule must leave no doubt.

use super::scene::{Lines, Scene, table, udp};

const CHAINS: [&str; 3] = [":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]"];

fn filter(lines: &[&str]) -> String {
    table("filter", &[&CHAINS[..], lines].concat())
}

fn logged(prefix: &str, devices: &str, rules: &str) -> Scene {
    Lines::default().line(prefix, devices, &udp("10.0.0.2:5000", "10.9.0.1:53", 77)).scene(&[rules])
}

const IN: &str = "IN=eth0 OUT=";
const THROUGH: &str = "IN=eth0 OUT=eth1";

#[test]
fn a_limited_log_rule_before_its_drop() {
    let rules = filter(&[
        "-A INPUT -i eth0 -p udp -m limit --limit 5/min -j LOG --log-prefix \"drop: \"",
        "-A INPUT -i eth0 -p udp -j DROP",
    ]);
    let scene = logged("drop: ", IN, &rules);
    assert_eq!(
        scene.told(0),
        [
            "log:drop: · -A INPUT -i eth0 -p udp -m limit --limit 5/min -j LOG --log-prefix \"drop: \""
        ]
    );
    assert_eq!(scene.verdict(0), "dropped (rule) log:drop: · -A INPUT -i eth0 -p udp -j DROP");
}

#[test]
fn a_chain_that_logs_and_drops() {
    // shorewall, many hand-written firewalls: the conditions stand with the jump.
    let rules = filter(&[
        ":LOGDROP - [0:0]",
        "-A FORWARD -i eth0 -o eth1 -p udp -m udp --dport 53 -j LOGDROP",
        "-A FORWARD -j ACCEPT",
        "-A LOGDROP -m limit --limit 10/sec -j LOG --log-prefix \"FW-DROP \"",
        "-A LOGDROP -j DROP",
    ]);
    let scene = logged("FW-DROP ", THROUGH, &rules);
    assert_eq!(scene.verdict(0), "dropped (rule) log:FW-DROP · -A LOGDROP -j DROP");
    assert_eq!(scene.tell(0)[0].depth, 1);
}

#[test]
fn a_log_rule_whose_successors_may_or_may_not_match() {
    // firewalld's LogDenied, and a rule between that only some packets meet.
    let denied = [
        "-A INPUT -m conntrack --ctstate INVALID -j LOG --log-prefix \"STATE_INVALID_DROP: \"",
        "-A INPUT -m conntrack --ctstate INVALID -j DROP",
        "-A INPUT -j LOG --log-prefix \"FINAL_REJECT: \"",
        "-A INPUT -j REJECT --reject-with icmp-host-prohibited",
    ];
    let rules = filter(&denied);
    assert_eq!(
        logged("STATE_INVALID_DROP: ", IN, &rules).verdict(0),
        "dropped (rule) log:STATE_INVALID_DROP: · -A INPUT -m conntrack --ctstate INVALID -j DROP"
    );
    assert_eq!(
        logged("FINAL_REJECT: ", IN, &rules).verdict(0),
        "rejected (rule) log:FINAL_REJECT: · -A INPUT -j REJECT --reject-with icmp-host-prohibited"
    );
    let mut unsure = denied.to_vec();
    unsure.insert(3, "-A INPUT -s 10.0.0.0/24 -j ACCEPT");
    assert_eq!(
        logged("FINAL_REJECT: ", IN, &filter(&unsure)).verdict(0),
        "unknown (-) log:FINAL_REJECT: · -"
    );
    // Two ways to be rejected: rejected, by whichever.
    let mut either = denied.to_vec();
    either.insert(3, "-A INPUT -p tcp -j REJECT --reject-with tcp-reset");
    assert_eq!(
        logged("FINAL_REJECT: ", IN, &filter(&either)).verdict(0),
        "rejected (rule) log:FINAL_REJECT: · -"
    );
}

#[test]
fn a_log_rule_in_docker_user() {
    let rules = filter(&[
        ":DOCKER-USER - [0:0]",
        "-A FORWARD -j DOCKER-USER",
        "-A FORWARD -o docker0 -j ACCEPT",
        "-A DOCKER-USER -i eth0 ! -s 192.0.2.0/24 -j LOG --log-prefix \"DOCKER \"",
        "-A DOCKER-USER -i eth0 ! -s 192.0.2.0/24 -j DROP",
        "-A DOCKER-USER -j RETURN",
    ]);
    let scene = logged("DOCKER ", "IN=eth0 OUT=docker0", &rules);
    assert_eq!(
        scene.verdict(0),
        "dropped (rule) log:DOCKER · -A DOCKER-USER -i eth0 ! -s 192.0.2.0/24 -j DROP"
    );
    // The same without the DROP: back in FORWARD the packet is accepted.
    let rules = rules.replace("-A DOCKER-USER -i eth0 ! -s 192.0.2.0/24 -j DROP\n", "");
    assert_eq!(
        logged("DOCKER ", "IN=eth0 OUT=docker0", &rules).verdict(0),
        "accepted (rule) log:DOCKER · -A FORWARD -o docker0 -j ACCEPT"
    );
}

#[test]
fn the_devices_tell_which_of_two_rules_logged() {
    let rules = filter(&[
        "-A INPUT -i eth0 -j LOG --log-prefix \"seen \"",
        "-A INPUT -i eth0 -j DROP",
        "-A FORWARD -i eth0 -j LOG --log-prefix \"seen \"",
        "-A FORWARD -i eth1 -j LOG --log-prefix \"seen \"",
        "-A OUTPUT -j LOG --log-prefix \"seen \"",
    ]);
    assert_eq!(
        logged("seen ", IN, &rules).told(0),
        ["log:seen · -A INPUT -i eth0 -j LOG --log-prefix \"seen \""]
    );
    assert_eq!(
        logged("seen ", THROUGH, &rules).told(0),
        ["log:seen · -A FORWARD -i eth0 -j LOG --log-prefix \"seen \""]
    );
    assert_eq!(
        logged("seen ", "IN= OUT=eth0", &rules).told(0),
        ["log:seen · -A OUTPUT -j LOG --log-prefix \"seen \""]
    );
}

#[test]
fn the_header_tells_which_of_two_rules_logged() {
    let rules = filter(&[
        "-A INPUT -p udp -m udp --dport 54 -j LOG --log-prefix \"dns \"",
        "-A INPUT -p udp -m udp --dport 53 -j LOG --log-prefix \"dns \"",
        "-A INPUT -p udp -j DROP",
    ]);
    let scene = logged("dns ", IN, &rules);
    assert_eq!(
        scene.told(0),
        ["log:dns · -A INPUT -p udp -m udp --dport 53 -j LOG --log-prefix \"dns \""]
    );
    // The verdict is the way's: both rules lead to the same one.
    assert_eq!(scene.verdict(0), "dropped (rule) log:dns · -A INPUT -p udp -j DROP");
}

#[test]
fn prefixes_of_nobody_and_of_several() {
    let rules = filter(&[
        "-A INPUT -s 10.0.0.0/8 -j LOG --log-prefix \"two \"",
        "-A INPUT -p udp -j LOG --log-prefix \"two \"",
    ]);
    assert_eq!(
        logged("none ", IN, &rules).told(0),
        ["log:none · ? no rule of the snapshot logs with this prefix"]
    );
    assert_eq!(
        logged("two ", IN, &rules).told(0),
        [
            "log:two · ? several rules of the snapshot log with this prefix: filter:INPUT:rule:1, filter:INPUT:rule:2"
        ]
    );
    assert!(logged("two ", THROUGH, &rules).told(0)[0].starts_with(
        "log:two · ? no rule of the snapshot that logs with this prefix can have met"
    ),);
}

#[test]
fn nft_logs_and_drops_in_one_rule() {
    let rules = "table inet fw {\n\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n\t\tiifname \"eth0\" udp dport 53 log prefix \"nft-drop \" drop\n\t}\n}\n";
    let scene = logged("nft-drop ", IN, rules);
    assert_eq!(
        scene.verdict(0),
        "dropped (rule) log:nft-drop · iifname \"eth0\" udp dport 53 log prefix \"nft-drop \" drop"
    );
}

#[test]
fn frames_that_ebtables_logs_and_drops() {
    let rules = "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A FORWARD -i vethA --log-prefix \"EB-DROP\" --log-ip -j DROP\n-A FORWARD -i vethB --log-prefix \"EB-SEEN\" --log-ip -j CONTINUE\n-A FORWARD -i vethB -j DROP\n";
    let frame = "MAC source = 02:00:00:00:00:01 MAC dest = 02:00:00:00:00:02 proto = 0x0800 IP SRC=10.0.0.2 IP DST=10.0.0.3, IP tos=0x00, IP proto=17 SPT=1 DPT=2";
    let one = |prefix: &str, port: &str| {
        let mut log = Lines::default();
        log.line(&format!("{prefix} "), &format!("IN={port} OUT=vethC"), frame);
        log.scene(&[rules]).verdict(0)
    };
    assert_eq!(
        one("EB-DROP", "vethA"),
        "dropped (rule) eb:? · -A FORWARD -i vethA --log-prefix \"EB-DROP\" --log-ip -j DROP"
    );
    assert_eq!(one("EB-SEEN", "vethB"), "dropped (rule) eb:? · -A FORWARD -i vethB -j DROP");
}
