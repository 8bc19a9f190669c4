//! Bridges, neighbours and settings.

use tracecol::context::{HostContext, read};

use super::{addr, device, facts, mac, merged};

#[test]
fn a_bridge_knows_behind_which_port_an_address_is() {
    let context = merged(&["host/bridge-fdb.txt", "host/ip-addr.txt"]);
    let entry = context.port_of(device("docker0"), mac("02:42:ac:11:00:02")).unwrap();
    assert_eq!((entry.port, entry.is_local), (Some(device("vethc1")), false));
    assert_eq!(&*entry.text, "02:42:ac:11:00:02 dev vethc1 master docker0");
    assert_eq!(context.port_of(device("br-4a1b2c3d4e5f"), mac("02:42:ac:11:00:02")), None);
    assert!(context.port_of(device("docker0"), mac("02:42:5c:1f:77:01")).unwrap().is_local);
    assert_eq!(context.bridge_of(device("vethc1")).unwrap().bridge, device("docker0"));
    assert!(context.is_bridge(device("docker0")) && !context.is_bridge(device("eth0")));
    // What devices filter for themselves is no bridge's knowledge.
    assert_eq!(context.fdb_entry(mac("33:33:00:00:00:01")), None);
}

/// `brctl showmacs` names neither bridge nor port.
#[test]
fn port_numbers_become_names() {
    let of = |paths: &[&str]| {
        let context = merged(paths);
        let entry = context.fdb_entry(mac("02:42:ac:11:00:03")).unwrap().clone();
        (entry.bridge, entry.port, entry.port_number)
    };
    let docker0 = Some(device("docker0"));
    let showmacs = "host/brctl-showmacs-docker0.txt";
    assert_eq!(of(&[showmacs]), (docker0, None, Some(2)), "the file's name tells the bridge");
    let whole = (docker0, Some(device("vethc2")), Some(2));
    assert_eq!(of(&[showmacs, "host/ip-d-link.txt"]), whole, "the port's number is known");
    assert_eq!(of(&["host/ip-d-link.txt", showmacs]), whole, "in any order");
    assert_eq!(
        of(&[showmacs, "host/ip-addr.txt"]),
        whole,
        "the port's own address has the number, too"
    );
    assert_eq!(of(&[showmacs, "host/ip-link.txt", "host/brctl-show.txt"]), whole);
    // Without the bridge's name, the port's own address tells that as well.
    let text = std::fs::read_to_string(super::data().join(showmacs)).unwrap();
    let mut context = read(&text, "macs.txt").facts;
    context.merge(merged(&["host/ip-addr.txt"]));
    let entry = context.port_of(device("docker0"), mac("02:42:ac:11:00:03")).unwrap();
    assert_eq!(entry.port, Some(device("vethc2")));
    // A pasted command line tells it, too.
    let pasted = read(&format!("root@host:~# brctl showmacs docker0\n{text}"), "");
    assert_eq!(pasted.facts.fdb[0].bridge, docker0);
}

/// Nothing says which ports the bridge has, but only they have their addresses in its table.
#[test]
fn a_port_is_told_by_its_address_alone() {
    let text = "\
$ifconfig
docker0   Link encap:Ethernet  HWaddr FE:BB:CE:6D:95:40
veth72x2M5 Link encap:Ethernet  HWaddr FE:BB:CE:6D:95:40
$ brctl showmacs docker0
port no mac addr                is local?       ageing timer
  1     fe:bb:ce:6d:95:40       yes                0.00
  1     9e:93:85:3f:24:b5       no                 0.31
";
    let context = facts(text);
    let entry = context.port_of(device("docker0"), mac("9e:93:85:3f:24:b5")).unwrap();
    assert_eq!(entry.port, Some(device("veth72x2M5")));
    // Two devices with the address: nobody can say which it is.
    let context = facts(
        &text
            .replace("$ brctl", "veth9     Link encap:Ethernet  HWaddr FE:BB:CE:6D:95:40\n$ brctl"),
    );
    assert_eq!(context.fdb_entry(mac("9e:93:85:3f:24:b5")).unwrap().port, None);
}

#[test]
fn brctl_show_lists_ports_one_below_the_other() {
    let context = merged(&["host/brctl-show.txt"]);
    let ports: Vec<_> = context.ports.iter().map(|port| (port.port, port.bridge)).collect();
    assert_eq!(
        ports,
        [(device("vethc1"), device("docker0")), (device("vethc2"), device("docker0"))]
    );
    assert_eq!(&*context.ports[1].text, "docker0 vethc2");
}

#[test]
fn a_bridge_and_its_port_may_share_an_address() {
    let text = "\
3: docker0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default
    link/ether fe:bb:ce:6d:95:40 brd ff:ff:ff:ff:ff:ff
4: veth1@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master docker0 state UP group default
    link/ether fe:bb:ce:6d:95:40 brd ff:ff:ff:ff:ff:ff
";
    let context = facts(text);
    assert_eq!(context.device_with(mac("fe:bb:ce:6d:95:40")).unwrap().name, device("docker0"));
}

#[test]
fn neighbours_are_found_with_their_state() {
    let context = merged(&["host/ip-neigh.txt"]);
    let state = |text: &str| context.neighbour(addr(text)).unwrap().state.clone().unwrap();
    let waiting = context.neighbour(addr("172.17.0.99")).unwrap();
    assert_eq!((waiting.mac, waiting.state.as_deref()), (None, Some("INCOMPLETE")));
    assert_eq!(&*state("172.17.0.2"), "REACHABLE");
    assert_eq!(&*state("172.17.0.50"), "PERMANENT");
    assert_eq!(&*state("172.17.0.52"), "STALE");
    assert_eq!(&*state("fd00:17::2"), "REACHABLE");
    assert_eq!(context.neighbour(addr("172.17.0.200")), None);
}

#[test]
fn the_setting_that_rules_is_cited() {
    let text = "\
net.ipv4.ip_forward = 0
net.ipv4.conf.all.rp_filter = 1
net.ipv4.conf.eth0.rp_filter = 2
net.ipv4.conf.eth1.rp_filter = 0
net.ipv4.conf.eth0/100.rp_filter = 1
net.ipv4.conf.eth0.forwarding = 1
net.ipv4.conf.all.route_localnet = 0
net.ipv4.conf.eth0.route_localnet = 1
net.ipv4.conf.eth1.route_localnet = 0
net.ipv6.conf.all.forwarding = 0
net.bridge.bridge-nf-call-iptables = 1
";
    let context = facts(text);
    let name = |setting: Option<&tracecol::context::Setting>| {
        setting.map(|setting| setting.text.to_string())
    };
    assert_eq!(
        name(context.rp_filter(device("eth0"))).unwrap(),
        "net.ipv4.conf.eth0.rp_filter = 2"
    );
    assert_eq!(name(context.rp_filter(device("eth1"))).unwrap(), "net.ipv4.conf.all.rp_filter = 1");
    assert_eq!(context.rp_filter(device("eth0.100")).unwrap().number(), Some(1));
    assert_eq!(context.rp_filter(device("eth9")), None, "the device's own may be greater");
    assert_eq!(
        name(context.forwarding(device("eth0"), false)).unwrap(),
        "net.ipv4.conf.eth0.forwarding = 1"
    );
    assert_eq!(name(context.forwarding(device("eth1"), false)).unwrap(), "net.ipv4.ip_forward = 0");
    assert_eq!(context.forwarding(device("eth1"), true).unwrap().number(), Some(0));
    assert_eq!(context.route_localnet(device("eth0")).unwrap().number(), Some(1));
    assert_eq!(context.route_localnet(device("eth1")).unwrap().number(), Some(0));
    assert_eq!(context.bridge_calls_tables(false).unwrap().number(), Some(1));
    assert_eq!(context.bridge_calls_tables(true), None);
    assert_eq!(HostContext::default().rp_filter(device("eth0")), None);
}

#[test]
fn merging_twice_changes_nothing() {
    let once = merged(&[
        "host/ip-addr.txt",
        "host/ip-route-all.txt",
        "host/ip-rule.txt",
        "host/ip-neigh.txt",
    ]);
    let mut twice = once.clone();
    twice.merge(once.clone());
    assert_eq!(once, twice);
}

#[test]
fn the_newer_word_stands() {
    let mut context = facts("172.17.0.5 dev docker0 lladdr 02:42:ac:11:00:05 REACHABLE\n");
    context.merge(facts("172.17.0.5 dev docker0 lladdr 02:42:ac:11:00:09 STALE\n"));
    assert_eq!(context.neighbours.len(), 1);
    assert_eq!(context.neighbour(addr("172.17.0.5")).unwrap().mac, Some(mac("02:42:ac:11:00:09")));
}
