//! Ways made by hand, with the rules that published set-ups have.

use expect_test::expect_file;
use tracecol::model::WallTime;

use super::case::Case;
use super::check;
use super::lines::{Log, Walker};

const WEB: &str = "\
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT
-A INPUT -s 10.9.0.0/16 -p tcp -m tcp --dport 6380 -j ACCEPT
-A INPUT -p tcp -m multiport --dports 443,8443 -j ACCEPT
COMMIT
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 6380 -j TRACE
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
COMMIT
";

fn knock() -> Log {
    let mut log = Log::default();
    let packet = Walker { dport: 6380, ..Walker::default() };
    let input = "IN=eth0 OUT= MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00";
    for site in [
        "raw:PREROUTING:policy:2",
        "mangle:PREROUTING:policy:1",
        "nat:PREROUTING:policy:1",
        "mangle:INPUT:policy:1",
        "filter:INPUT:policy:8",
    ] {
        log.trace(site, input, packet);
    }
    log
}

#[test]
fn a_policy_drops_what_several_rules_nearly_let_in() {
    let case = Case::of(&knock().text).rules(WEB, "iptables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/near-misses.txt"]);
}

#[test]
fn a_stale_snapshot_is_said_and_not_used() {
    let short = WEB.replace("-A INPUT -p icmp -j ACCEPT\n", "");
    let case = Case::of(&knock().text).rules(&short, "iptables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/stale.txt"]);
}

#[test]
fn a_snapshot_taken_later_is_a_doubt() {
    let packet = Walker { dport: 6380, ..Walker::default() };
    let mut lines = Log::default();
    lines.trace("filter:INPUT:policy:8", "IN=eth0 OUT=", packet);
    let payload = lines.text.split_once(';').unwrap().1;
    let log = format!("2026-11-22T13:07:02.000000+00:00 gate kernel: [ 1000.000009] {payload}");
    let taken = WallTime(1_795_353_002_000_000);
    let case = Case::of(&log).rules(WEB, "iptables.rules", Some((taken, "13:10:02"))).told();
    check(&case.subject(0), &expect_file!["told/later-snapshot.txt"]);
}

const KUBE: &str = "\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-FW-XLB - [0:0]
:KUBE-MARK-DROP - [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A KUBE-FW-XLB -s 192.0.2.0/24 -m comment --comment \"default/web loadbalancer IP\" -j RETURN
-A KUBE-FW-XLB -m comment --comment \"default/web loadbalancer IP\" -j KUBE-MARK-DROP
-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000
-A KUBE-SERVICES -d 198.51.100.7/32 -p tcp -m comment --comment \"default/web loadbalancer IP\" -m tcp --dport 80 -j KUBE-FW-XLB
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-FIREWALL - [0:0]
-A INPUT -j KUBE-FIREWALL
-A FORWARD -j KUBE-FIREWALL
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment \"block incoming localnet connections\" -j DROP
-A KUBE-FIREWALL -m comment --comment \"kubernetes firewall for dropping marked packets\" -m mark --mark 0x8000/0x8000 -j DROP
COMMIT
";

#[test]
fn a_mark_set_here_is_the_reason_of_a_drop_there() {
    let mut log = Log::default();
    let input = "IN=eth0 OUT= MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00";
    let packet = Walker { dst: "198.51.100.7", ..Walker::default() };
    let marked = Walker { mark: 0x8000, ..packet };
    log.trace("nat:PREROUTING:rule:1", input, packet)
        .trace("nat:KUBE-SERVICES:rule:1", input, packet)
        .trace("nat:KUBE-FW-XLB:rule:2", input, packet)
        .trace("nat:KUBE-MARK-DROP:rule:1", input, packet)
        .trace("nat:KUBE-MARK-DROP:return:2", input, marked)
        .trace("nat:KUBE-FW-XLB:return:3", input, marked)
        .trace("nat:KUBE-SERVICES:return:2", input, marked)
        .trace("nat:PREROUTING:policy:2", input, marked)
        .trace("filter:INPUT:rule:1", input, marked)
        .trace("filter:KUBE-FIREWALL:rule:2", input, marked);
    let case = Case::of(&log.text).rules(KUBE, "iptables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/kube-mark-drop.txt"]);
}

const ROUTER: &str = "\
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 80 -j TRACE
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -i eth1 -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.168.7.5:8080
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
COMMIT
";

fn vanished() -> Log {
    let mut log = Log::default();
    let input = "IN=eth1 OUT= MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00";
    let packet = Walker { dst: "203.0.113.9", ..Walker::default() };
    log.trace("raw:PREROUTING:policy:2", input, packet).trace(
        "nat:PREROUTING:rule:1",
        input,
        packet,
    );
    log
}

#[test]
fn a_packet_lost_at_routing_without_context() {
    let case = Case::of(&vanished().text).rules(ROUTER, "iptables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/lost-bare.txt"]);
}

#[test]
fn a_packet_lost_at_routing_with_context() {
    let case = Case::of(&vanished().text)
        .rules(ROUTER, "iptables.rules", None)
        .context(
            "default via 10.9.0.1 dev eth0\n192.168.7.0/24 dev eth2 proto kernel scope link src 192.168.7.1\n",
            "ip-route.txt",
        )
        .context(
            "net.ipv4.ip_forward = 1\nnet.ipv4.conf.all.rp_filter = 0\nnet.ipv4.conf.eth1.rp_filter = 1\n\
             net.ipv4.conf.eth1.forwarding = 1\n",
            "sysctl.txt",
        )
        .told();
    check(&case.subject(0), &expect_file!["told/lost-reverse-path.txt"]);
}

#[test]
fn a_container_drop_in_docker_user() {
    let rules = "\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o br-0123456789ab -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
";
    let mut log = Log::default();
    let way = "IN=docker0 OUT=br-0123456789ab MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00";
    let packet = Walker { src: "172.17.0.2", dst: "172.18.0.2", ttl: 63, ..Walker::default() };
    log.trace("filter:FORWARD:rule:1", way, packet)
        .trace("filter:DOCKER-USER:return:1", way, packet)
        .trace("filter:FORWARD:rule:2", way, packet)
        .trace("filter:DOCKER-ISOLATION-STAGE-1:rule:1", way, packet)
        .trace("filter:DOCKER-ISOLATION-STAGE-2:rule:1", way, packet);
    let case = Case::of(&log.text).rules(rules, "iptables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/docker-isolation.txt"]);
}

#[test]
fn ufw_writes_a_line_and_drops() {
    let rules = "\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-after-input - [0:0]
:ufw-after-logging-input - [0:0]
:ufw-before-input - [0:0]
:ufw-user-input - [0:0]
-A INPUT -j ufw-before-input
-A INPUT -j ufw-after-input
-A INPUT -j ufw-after-logging-input
-A ufw-after-logging-input -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix \"[UFW BLOCK] \"
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -j ufw-user-input
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
";
    let mut log = Log::default();
    log.line(
        "[UFW BLOCK] ",
        "IN=eth0 OUT= MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00",
        Walker { dport: 23, ..Walker::default() },
    );
    let case = Case::of(&log.text).rules(rules, "iptables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/ufw-block.txt"]);
}

#[test]
fn ip6_rejects() {
    let rules = "\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:guard - [0:0]
-A FORWARD -i lan0 -g guard
-A guard -d 2001:db8:2::/48 -p tcp -m tcp --dport 443 -j ACCEPT
-A guard -p tcp -j REJECT --reject-with tcp-reset
-A guard -j REJECT --reject-with icmp6-adm-prohibited
COMMIT
";
    let mut log = Log::default();
    let way = "IN=lan0 OUT=wan0 MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:86:dd";
    let packet =
        Walker { src: "2001:db8:1::5", dst: "2001:db8:2::7", ttl: 63, ..Walker::default() };
    log.trace("filter:FORWARD:rule:1", way, packet).trace("filter:guard:rule:2", way, packet);
    let case = Case::of(&log.text).rules(rules, "ip6tables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/ip6-reject.txt"]);
}

#[test]
fn a_rule_without_conditions_accepts_before_the_policy() {
    let rules = "\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:allow - [0:0]
-A FORWARD -p udp -j DROP
-A FORWARD -p tcp -j allow
-A allow -s 192.0.2.0/24 -j RETURN
-A allow -j ACCEPT
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
COMMIT
";
    let mut log = Log::default();
    let way = "IN=eth0 OUT=eth1 MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00";
    let packet = Walker { ttl: 63, ..Walker::default() };
    log.trace("mangle:PREROUTING:policy:1", way.replace("eth1", "").as_str(), Walker::default())
        .trace("mangle:FORWARD:policy:1", way, packet)
        .trace("filter:FORWARD:rule:2", way, packet)
        .trace("filter:allow:return:2", way, packet)
        .trace("mangle:POSTROUTING:policy:1", way, packet);
    let case = Case::of(&log.text).rules(rules, "iptables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/accept-without-conditions.txt"]);
}

#[test]
fn a_program_takes_it() {
    let rules = "\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -i lan0 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 3128
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 25 -j NFQUEUE --queue-num 3
COMMIT
";
    let input = "IN=lan0 OUT= MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00";
    let packet = Walker::default();
    let turned = Walker { dst: "10.1.1.254", dport: 3128, ..packet };
    let mail = Walker { dport: 25, id: 9, sport: 41_000, ..packet };
    let mut log = Log::default();
    log.trace("nat:PREROUTING:rule:1", input, packet)
        .trace("filter:INPUT:policy:2", input, turned)
        .trace("nat:INPUT:policy:1", input, turned)
        .trace("nat:PREROUTING:policy:2", input, mail)
        .trace("filter:INPUT:rule:1", input, mail);
    let case = Case::of(&log.text).rules(rules, "iptables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/redirect.txt"]);
    check(&case.subject(1), &expect_file!["told/queue.txt"]);
}

#[test]
fn a_rule_behind_would_have_let_it_through() {
    let rules = "\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -s 10.1.0.0/16 -m comment --comment \"lab is closed\" -j DROP
-A FORWARD -s 10.1.1.1/32 -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
";
    let mut log = Log::default();
    let way = "IN=eth0 OUT=eth1 MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00";
    log.trace("filter:FORWARD:rule:2", way, Walker { ttl: 63, ..Walker::default() });
    let case = Case::of(&log.text).rules(rules, "iptables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/behind.txt"]);
}

#[test]
fn hostile_names_do_nothing_to_a_terminal() {
    let rules = "\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:a\u{1b}[31mb\u{202e}:x - [0:0]
-A INPUT -m comment --comment \"\u{1b}]0;title\u{7}\" -j a\u{1b}[31mb\u{202e}:x
-A a\u{1b}[31mb\u{202e}:x -i e$(id)\u{1b} -j DROP
COMMIT
";
    let mut log = Log::default();
    let input = "IN=e$(id)\u{1b} OUT= MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00";
    log.trace("filter:INPUT:rule:1", input, Walker::default()).trace(
        "filter:a\u{1b}[31mb\u{202e}:x:rule:1",
        input,
        Walker::default(),
    );
    let case = Case::of(&log.text).rules(rules, "iptables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/hostile.txt"]);
}

#[test]
fn a_masquerade_that_only_the_reply_shows() {
    let rules = "\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 10.1.0.0/16 -o wan0 -j MASQUERADE
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
COMMIT
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 80 -j TRACE
-A PREROUTING -p tcp -m tcp --sport 80 -j TRACE
COMMIT
";
    let (there, back) = (
        "IN=lan0 OUT=wan0 MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00",
        "IN=wan0 OUT=lan0 MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00",
    );
    let packet = Walker { dst: "192.0.2.80", ..Walker::default() };
    let on = Walker { ttl: 63, ..packet };
    let reply = Walker {
        src: "192.0.2.80",
        dst: "198.51.100.1",
        sport: 80,
        dport: 40_000,
        id: 0,
        flags: "ACK SYN",
        ..packet
    };
    let home = Walker { dst: "10.1.1.1", ttl: 63, ..reply };
    let mut log = Log::default();
    log.trace("raw:PREROUTING:policy:3", "IN=lan0 OUT=", packet)
        .trace("nat:PREROUTING:policy:1", "IN=lan0 OUT=", packet)
        .trace("filter:FORWARD:policy:1", there, on)
        .trace("nat:POSTROUTING:rule:1", there, on)
        .trace("raw:PREROUTING:policy:3", "IN=wan0 OUT=", reply)
        .trace("filter:FORWARD:policy:1", back, home);
    let case = Case::of(&log.text).rules(rules, "iptables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/masquerade.txt"]);
}

const FRAME: &str = "MAC source = 9e:93:85:3f:24:b5 MAC dest = c6:0a:41:8e:77:12 proto = 0x0800 IP SRC=172.17.0.5 \
                     IP DST=172.17.0.4, IP tos=0x00, IP proto=6 SPT=40000 DPT=6379";

#[test]
fn a_bridge_drops_a_frame() {
    let rules = "\
*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
-A FORWARD -p IPv4 -i veth0 --ip-proto tcp --ip-dport 6379 --log-level info --log-prefix \"TRACE: eb:filter:FORWARD\" --log-ip -j DROP
*nat
:PREROUTING ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
-A PREROUTING --log-level info --log-prefix \"TRACE: eb:nat:PREROUTING\" --log-ip -j ACCEPT
";
    let mut log = Log::default();
    log.raw(&format!("TRACE: eb:nat:PREROUTING IN=veth0 OUT= {FRAME}"))
        .raw(&format!("TRACE: eb:filter:FORWARD IN=veth0 OUT=veth1 {FRAME}"));
    let case = Case::of(&log.text).rules(rules, "ebtables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/bridge-drop.txt"]);
}

#[test]
fn nft_logs_and_drops() {
    let rules = "\
table inet guard {
\tchain input {
\t\ttype filter hook input priority filter; policy accept;
\t\tiifname \"lo\" accept
\t\ttcp dport 22 accept
\t\ttcp dport 23 log prefix \"telnet: \" drop
\t}
}
";
    let mut log = Log::default();
    log.line(
        "telnet: ",
        "IN=eth0 OUT= MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00",
        Walker { dport: 23, ..Walker::default() },
    );
    let case = Case::of(&log.text).rules(rules, "nft.rules", None).told();
    check(&case.subject(0), &expect_file!["told/nft-drop.txt"]);
}

#[test]
fn nobody_tells_a_hardware_address() {
    let mut log = Log::default();
    let packet = Walker { src: "172.17.42.1", dst: "172.17.0.9", ..Walker::default() };
    log.trace("filter:OUTPUT:policy:1", "IN= OUT=docker0", packet).trace(
        "nat:POSTROUTING:policy:1",
        "IN= OUT=docker0",
        packet,
    );
    for _ in 0..3 {
        for chain in ["filter:OUTPUT", "nat:OUTPUT", "nat:POSTROUTING"] {
            log.raw(&format!(
                "TRACE: eb:{chain} IN= OUT=veth0 MAC source = fe:bb:ce:6d:95:40 MAC dest = ff:ff:ff:ff:ff:ff \
                 proto = 0x0806 ARP HTYPE=1, PTYPE=0x0800, OPCODE=1 ARP MAC SRC=fe:bb:ce:6d:95:40 \
                 ARP IP SRC=172.17.42.1 ARP MAC DST=00:00:00:00:00:00 ARP IP DST=172.17.0.9"
            ));
        }
    }
    let case = Case::of(&log.text).told();
    check(&case.subject(0), &expect_file!["told/no-neighbour.txt"]);
}

#[test]
fn a_rejection_and_its_answer() {
    let rules = "\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -d 10.2.2.2/32 -p tcp -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable
COMMIT
";
    let mut log = Log::default();
    let way = "IN=eth0 OUT=eth1 MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00";
    log.trace("filter:FORWARD:rule:1", way, Walker { ttl: 63, ..Walker::default() }).raw(
        "TRACE: filter:OUTPUT:policy:1 IN= OUT=eth0 SRC=10.1.1.254 DST=10.1.1.1 LEN=88 TOS=0x00 PREC=0xC0 TTL=64 \
         ID=900 PROTO=ICMP TYPE=3 CODE=3 [SRC=10.1.1.1 DST=10.2.2.2 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=7001 DF \
         PROTO=TCP SPT=40000 DPT=80 SEQ=7001000 ACK=0 WINDOW=64240 RES=0x00 SYN URGP=0 ] ",
    );
    let case = Case::of(&log.text).rules(rules, "iptables.rules", None).told();
    check(&case.subject(0), &expect_file!["told/reject-answered.txt"]);
}
