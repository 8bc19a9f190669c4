//! Each idiom is found in the rule it is known by, and not in one that only looks like it.

use super::*;
use crate::rulebook::read;

/// The idiom of the last rule of a chain (or of its policy when it has none) in a filter table.
fn of(chains: &[&str], rule: &str) -> Option<&'static str> {
    in_table("filter", chains, rule)
}

fn in_table(table: &str, chains: &[&str], rule: &str) -> Option<&'static str> {
    let mut text =
        format!("*{table}\n:PREROUTING ACCEPT [0:0]\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n");
    for chain in chains {
        text.push_str(&[":", chain, " - [0:0]\n"].concat());
    }
    let name = rule.split(' ').nth(1).unwrap();
    let is_policy = rule.starts_with("-P");
    if !is_policy {
        text.push_str(rule);
    }
    text.push_str("\nCOMMIT\n");
    let reading = read(&text, "iptables.rules");
    assert_eq!(reading.remarks, []);
    let set = &reading.sets[0];
    let chain = set.chain(table, name).unwrap();
    let rule = if is_policy { None } else { chain.rules.last() };
    let target = rule.map_or(&Target::Drop, |rule| &rule.target);
    idiom(&Spot { set, table, chain, rule, target }).map(|idiom| idiom.name)
}

#[test]
fn docker() {
    assert_eq!(of(&[], "-A FORWARD -i docker0 -o docker0 -j DROP"), Some("docker-icc"));
    let named = "-A FORWARD -i br-0123456789ab -o br-0123456789ab -j DROP";
    assert_eq!(of(&[], named), Some("docker-icc"));
    assert_eq!(of(&[], "-A FORWARD -i docker0 -o docker0 -j ACCEPT"), None);
    assert_eq!(of(&[], "-A FORWARD -i docker0 -o docker0 -p tcp -j DROP"), None);
    assert_eq!(of(&[], "-A FORWARD -i docker0 ! -o docker0 -j DROP"), None);
    assert_eq!(of(&["DOCKER-USER"], "-A DOCKER-USER -s 10.0.0.0/8 -j DROP"), Some("docker-user"));
    let stage = "-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP";
    assert_eq!(of(&["DOCKER-ISOLATION-STAGE-2"], stage), Some("docker-isolation"));
    let ended = "-A DOCKER ! -i docker0 -o docker0 -j DROP";
    assert_eq!(of(&["DOCKER"], ended), Some("docker-unpublished"));
    let direct = "-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP";
    assert_eq!(in_table("raw", &[], direct), Some("docker-direct"));
    assert_eq!(in_table("raw", &[], "-A PREROUTING -d 172.17.0.2/32 -j DROP"), None);
}

#[test]
fn a_bridge_of_somebody_else() {
    assert_eq!(of(&[], "-A FORWARD -i br0 -o br0 -j DROP"), Some("same-device"));
    assert_eq!(of(&[], "-A FORWARD -i br+ -o br+ -j DROP"), None);
}

#[test]
fn kubernetes() {
    let marked = "-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP";
    assert_eq!(of(&["KUBE-FIREWALL"], marked), Some("kube-marked"));
    let local = "-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -j DROP";
    assert_eq!(of(&["KUBE-FIREWALL"], local), Some("kube-localnet"));
    let none = "-A KUBE-SERVICES -d 10.96.0.7/32 -p tcp -m comment --comment \"default/web has no endpoints\" \
                -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable";
    assert_eq!(of(&["KUBE-SERVICES"], none), Some("kube-no-endpoints"));
    let local = "-A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment \"default/web has no local endpoints\" -j DROP";
    assert_eq!(of(&["KUBE-EXTERNAL-SERVICES"], local), Some("kube-no-local-endpoints"));
}

#[test]
fn conntrack_knows_no_connection() {
    let invalid = "-A FORWARD -m conntrack --ctstate INVALID -j DROP";
    assert_eq!(of(&[], invalid), Some("invalid"));
    assert_eq!(of(&[], "-A FORWARD -m state --state INVALID -j DROP"), Some("invalid"));
    assert_eq!(of(&[], "-A FORWARD -m conntrack ! --ctstate INVALID -j DROP"), None);
    assert_eq!(of(&[], "-A FORWARD -m conntrack --ctstate INVALID,NEW -j DROP"), None);
}

#[test]
fn front_ends() {
    let skip = "-A ufw-skip-to-policy-input -j DROP";
    assert_eq!(of(&["ufw-skip-to-policy-input"], skip), Some("ufw-default"));
    assert_eq!(of(&["ufw-user-input"], "-P INPUT DROP"), Some("ufw-policy"));
    assert_eq!(of(&[], "-P INPUT DROP"), None);
    let user = "-A ufw-user-input -p tcp --dport 22 -j DROP";
    assert_eq!(of(&["ufw-user-input"], user), Some("ufw-user"));
    let end = "-A INPUT -j REJECT --reject-with icmp-host-prohibited";
    assert_eq!(of(&["INPUT_ZONES"], end), Some("firewalld-end"));
    assert_eq!(of(&[], end), Some("host-prohibited-end"));
    assert_eq!(of(&["shorewall", "net-fw"], "-A net-fw -j DROP"), Some("shorewall"));
    assert_eq!(of(&["net-fw"], "-A net-fw -j DROP"), None);
    let banned = "-A f2b-sshd -s 192.0.2.1/32 -j REJECT --reject-with icmp-port-unreachable";
    assert_eq!(of(&["f2b-sshd"], banned), Some("fail2ban"));
    let guest = "-A LIBVIRT_FWI -o virbr0 -j REJECT --reject-with icmp-port-unreachable";
    assert_eq!(of(&["LIBVIRT_FWI"], guest), Some("libvirt"));
}

#[test]
fn limits_and_ways_back() {
    let above = "-A INPUT -p tcp -m connlimit --connlimit-above 16 --connlimit-mask 32 --connlimit-saddr -j DROP";
    assert_eq!(of(&[], above), Some("too-many"));
    let hash = "-A INPUT -m hashlimit --hashlimit-above 10/sec --hashlimit-mode srcip --hashlimit-name x -j DROP";
    assert_eq!(of(&[], hash), Some("too-many"));
    let back = "-A PREROUTING -m rpfilter --validmark --invert -j DROP";
    assert_eq!(in_table("raw", &[], back), Some("rpfilter"));
}

#[test]
fn chains_and_their_owners() {
    let set =
        &read("*filter\n:INPUT ACCEPT\n:DOCKER-USER - [0:0]\nCOMMIT\n", "iptables.rules").sets[0];
    let owner = |chain: &str| Owner::of_chain(chain, set);
    assert_eq!(owner("DOCKER"), Some(Owner::Docker));
    assert_eq!(owner("KUBE-FORWARD"), Some(Owner::Kubernetes));
    assert_eq!(owner("ufw-before-input"), Some(Owner::Ufw));
    assert_eq!(owner("cali-FORWARD"), Some(Owner::Calico));
    assert_eq!(owner("NETAVARK_FORWARD"), Some(Owner::Podman));
    assert_eq!(owner("IN_public"), None);
    assert_eq!(owner("INPUT"), None);
    assert_eq!(
        chain_use("nat", "DOCKER"),
        Some("docker keeps a DNAT rule for each published port there")
    );
    assert_eq!(chain_use("mangle", "DOCKER"), None);
    assert_eq!(
        chain_use("nat", "KUBE-SVC-ABCDEF"),
        Some("kubernetes picks one of the service's pods there")
    );
    assert_eq!(chain_use("nat", "KUBE-SERVICES-2"), None);
}
