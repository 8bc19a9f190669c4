//! What went wrong with logs and rule sets of other people's hosts, in lines of our own.

use tracecol::explain::story;
use tracecol::render;

use super::case::Case;
use super::lines::{Log, Walker};

const INPUT: &str = "IN=eth0 OUT= MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00";
const FORWARD: &str = "IN=eth0 OUT=br7 MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00";

fn told(case: &Case) -> String {
    let text = render::story(&story(&case.subject(0)), 400, false).plain();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn has(story: &str, words: &str) {
    assert!(story.contains(words), "not said: {words}\n{story}");
}

#[track_caller]
fn lacks(story: &str, words: &str) {
    assert!(!story.contains(words), "said: {words}\n{story}");
}

/// Two rules with one prefix, both of which a packet to this host can meet.
const ALIKE: &str = "\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-before-input - [0:0]
:ufw-logging-deny - [0:0]
:ufw-after-logging-input - [0:0]
-A INPUT -j ufw-before-input
-A INPUT -j ufw-after-logging-input
-A ufw-before-input -m conntrack --ctstate INVALID -j ufw-logging-deny
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-logging-deny -m limit --limit 3/min -j LOG --log-prefix \"[UFW BLOCK] \"
-A ufw-after-logging-input -m limit --limit 3/min -j LOG --log-prefix \"[UFW BLOCK] \"
COMMIT
";

#[test]
fn a_prefix_of_two_rules_that_both_end_in_a_drop_is_a_drop_of_known_rules() {
    let mut log = Log::default();
    log.line("[UFW BLOCK] ", INPUT, Walker { dport: 23, ..Walker::default() });
    let story = told(&Case::of(&log.text).rules(ALIKE, "iptables.rules", None).told());
    has(&story, "Dropped behind LOG \"[UFW BLOCK]\": filter:ufw-logging-deny rule 1 or");
    has(&story, "filter:ufw-after-logging-input rule 1 wrote the line");
    has(&story, "`ufw allow`");
    lacks(&story, "where one would have to");
    lacks(&story, "give them, and ask again");
    lacks(&story, "is not used");
}

/// The rule behind the LOG rule calls a chain that answers by protocol.
const BY_PROTOCOL: &str = "\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:reject - [0:0]
:wan_reject - [0:0]
-A INPUT -i eth0 -m comment --comment \"!fw3\" -j wan_reject
-A reject -p tcp -m comment --comment \"!fw3\" -j REJECT --reject-with tcp-reset
-A reject -m comment --comment \"!fw3\" -j REJECT --reject-with icmp-port-unreachable
-A wan_reject -m limit --limit 10/min -j LOG --log-prefix \"REJECT wan in: \"
-A wan_reject -m comment --comment \"!fw3\" -j reject
COMMIT
";

#[test]
fn the_rule_that_rejects_is_named_and_not_the_one_that_logs() {
    let mut log = Log::default();
    log.line("REJECT wan in: ", INPUT, Walker { dport: 23, ..Walker::default() });
    let story = told(&Case::of(&log.text).rules(BY_PROTOCOL, "iptables.rules", None).told());
    has(&story, "Rejected at filter:reject rule 1");
    has(&story, "which answers with a TCP reset");
    has(&story, "/etc/config/firewall");
}

const CALLED: &str = "\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:own - [0:0]
-A FORWARD -j own
-A own -p udp -j DROP
COMMIT
";

#[test]
fn a_log_that_breaks_off_at_a_jump_is_not_a_lost_packet() {
    let mut log = Log::default();
    log.trace("filter:FORWARD:rule:1", FORWARD, Walker::default());
    let story = told(&Case::of(&log.text).rules(CALLED, "iptables.rules", None).told());
    has(&story, "a line of filter:own had to follow and did not: lines are missing in the log");
    lacks(&story, "lost between");
}

/// What `nf_tables` has, while other rules printed the lines: there DOCKER is empty and the policy drops.
const OTHER_BACK_END: &str = "\
*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 8080 -j TRACE
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
-A FORWARD -o br7 -j DOCKER
-A DOCKER -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
";

fn two_back_ends() -> Case {
    let mut log = Log::default();
    let asked = Walker { dport: 8080, ..Walker::default() };
    let there = Walker { dst: "172.17.0.2", dport: 80, ttl: 63, ..asked };
    log.trace("raw:PREROUTING:policy:1", INPUT, asked)
        .trace("filter:FORWARD:rule:1", FORWARD, there)
        .trace("filter:DOCKER:return:1", FORWARD, there)
        .trace("filter:FORWARD:policy:2", FORWARD, there);
    Case::of(&log.text).rules(OTHER_BACK_END, "iptables.rules", None).told()
}

#[test]
fn a_policy_of_rules_that_do_not_fit_lets_nothing_through() {
    let story = told(&two_back_ends());
    has(&story, "Not told by the log: last seen at filter:FORWARD policy");
    has(&story, "The rules that were given for that table are not those it met.");
    has(&story, "filter:DOCKER is not used: the chain had 0 rules");
    lacks(&story, "Let through");
    lacks(&story, "lost between");
}

#[test]
fn a_translation_that_the_lines_show_does_not_follow_from_the_other_direction() {
    let story = told(&two_back_ends());
    has(&story, "no line of the nat table stands between");
    lacks(&story, "follows from the other direction");
    lacks(&story, "as the connection's first packet's was");
}

#[test]
fn tables_that_were_not_given_are_named_once() {
    let mut log = Log::default();
    let packet = Walker::default();
    for site in ["raw:PREROUTING:policy:2", "mangle:PREROUTING:policy:1", "mangle:INPUT:policy:1"] {
        log.trace(site, INPUT, packet);
    }
    log.trace("filter:INPUT:policy:1", INPUT, packet);
    let story = told(&Case::of(&log.text).rules(CALLED, "iptables.rules", None).told());
    has(&story, "The rules that were given do not have the tables mangle and raw");
    lacks(&story, "is not used");
}

const MARKED: &str = "\
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:PORTS - [0:0]
:NOWHERE - [0:0]
:MARKS - [0:0]
-A PREROUTING -j PORTS
-A PORTS -p tcp -m tcp --dport 80 -j NOWHERE
-A NOWHERE -m comment --comment \"shop/web has nobody here\" -j MARKS
-A MARKS -j MARK --set-xmark 0x8000/0x8000
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m mark --mark 0x8000/0x8000 -j DROP
COMMIT
";

#[test]
fn a_drop_for_a_mark_says_who_sent_the_packet_to_be_marked() {
    let mut log = Log::default();
    let plain = Walker::default();
    let marked = Walker { mark: 0x8000, ..plain };
    for site in ["PREROUTING:rule:1", "PORTS:rule:1", "NOWHERE:rule:1", "MARKS:rule:1"] {
        log.trace(&format!("nat:{site}"), INPUT, plain);
    }
    for site in ["MARKS:return:2", "NOWHERE:return:2", "PORTS:return:2", "PREROUTING:policy:2"] {
        log.trace(&format!("nat:{site}"), INPUT, marked);
    }
    log.trace("filter:INPUT:rule:1", INPUT, marked);
    let story = told(&Case::of(&log.text).rules(MARKED, "iptables.rules", None).told());
    has(&story, "it was marked 0x8000 for that at nat:MARKS rule 1");
    has(
        &story,
        "It came to that rule by nat:NOWHERE rule 1, `-A NOWHERE -m comment --comment \"shop/web has nobody here\"",
    );
    has(&story, "and there by nat:PORTS rule 1, `-A PORTS -p tcp -m tcp --dport 80 -j NOWHERE`");
}

#[test]
fn a_filter_table_that_prints_nothing_may_have_let_a_packet_in() {
    const MANGLE: &str = "*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\nCOMMIT\n";
    let mut log = Log::default();
    for site in ["mangle:PREROUTING:policy:1", "mangle:INPUT:policy:1"] {
        log.trace(site, INPUT, Walker::default());
    }
    let story = told(&Case::of(&log.text).rules(MANGLE, "iptables.rules", None).told());
    has(&story, "or that table is not in use and prints no line");
    lacks(&story, "lost between");
}

#[test]
fn a_chain_that_does_not_fit_is_said_once() {
    let mut log = Log::default();
    for site in ["INPUT:rule:1", "own:rule:3", "own:rule:5", "own:return:9", "INPUT:policy:2"] {
        log.trace(&format!("filter:{site}"), INPUT, Walker::default());
    }
    let rules = CALLED.replace("-A FORWARD", "-A INPUT");
    let story = told(&Case::of(&log.text).rules(&rules, "iptables.rules", None).told());
    has(&story, "filter:own is not used: the chain had 8 rules, the snapshot has 1.");
    lacks(&story, "at least");
}
