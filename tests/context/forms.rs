//! Every form is told by its content, understood without a remark, and the same facts in each.

use std::fs;
use std::path::Path;

use tracecol::context::{HostContext, Kind, Reading, RouteKind, read};

use super::{addr, data, device, facts, mac, reading};

/// What each captured file is about.
const KINDS: &[(&str, Kind)] = &[
    ("arp", Kind::Neighbours),
    ("brctl-showmacs", Kind::Fdb),
    ("brctl-show", Kind::BridgePorts),
    ("bridge-fdb", Kind::Fdb),
    ("bridge-s-fdb", Kind::Fdb),
    ("bridge-j-fdb", Kind::Fdb),
    ("bridge-j-p-fdb", Kind::Fdb),
    ("bridge", Kind::BridgePorts),
    ("conntrack", Kind::Conntrack),
    ("docker-network", Kind::ContainerNetworks),
    ("docker", Kind::Containers),
    ("ifconfig", Kind::Addresses),
    ("netstat", Kind::Routes),
    ("nf_conntrack", Kind::Conntrack),
    ("proc-net-arp", Kind::Neighbours),
    ("route-n", Kind::Routes),
    ("sysctl", Kind::Settings),
];

fn expected_kind(name: &str) -> Kind {
    let listed = KINDS.iter().find(|(start, _)| name.starts_with(start)).map(|(_, kind)| *kind);
    listed.unwrap_or_else(|| match name {
        _ if name.contains("addr") => Kind::Addresses,
        _ if name.contains("link") => Kind::Devices,
        _ if name.contains("neigh") => Kind::Neighbours,
        _ if name.contains("rule") => Kind::PolicyRules,
        _ => Kind::Routes,
    })
}

fn every_file(folder: &Path, check: &mut dyn FnMut(&str, &str)) {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        check(&name, &fs::read_to_string(&path).unwrap());
    }
}

#[test]
fn every_capture_is_told_by_its_content_and_understood() {
    let mut read_files = 0;
    for folder in ["host", "conntrack", "docker"] {
        every_file(&data().join(folder), &mut |name, text| {
            if name.starts_with("route-get") {
                return;
            }
            // A name that says nothing: only the content tells, but for an address and a device alone.
            let is_bare = name == "ip-br-neigh.txt";
            let reading = read(text, if is_bare { name } else { "paste.txt" });
            assert_eq!(reading.remarks, [], "{folder}/{name}");
            assert_eq!(reading.kind, Some(expected_kind(name)), "{folder}/{name}");
            // For whom the host answers is no neighbour.
            let is_empty = reading.facts == HostContext::default();
            assert_eq!(is_empty, name == "ip-neigh-proxy.txt", "{folder}/{name}");
            read_files += 1;
        });
    }
    assert!(read_files > 50, "{read_files}");
}

#[test]
fn the_samples_are_understood() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs");
    let starts = ["ip-", "bridge-", "conntrack-"];
    let mut read_files = 0;
    for case in fs::read_dir(samples).unwrap().map(|entry| entry.unwrap().path()) {
        if !case.is_dir() {
            continue;
        }
        every_file(&case, &mut |name, text| {
            if starts.iter().any(|start| name.starts_with(start)) {
                let reading = read(text, name);
                assert_eq!(reading.remarks, [], "{name}");
                assert_eq!(reading.kind, Some(expected_kind(name)), "{name}");
                assert!(text.is_empty() || reading.facts != HostContext::default(), "{name}");
                read_files += 1;
            }
        });
    }
    assert_eq!(read_files, 30);
}

/// The same state in two forms gives the same facts.
#[track_caller]
fn same(one: &str, other: &str) {
    let [one, other] = [one, other].map(|name| reading(&format!("host/{name}.txt")));
    assert_eq!(one, other);
}

#[test]
fn text_and_json_give_the_same_facts() {
    same("ip-addr", "ip-j-addr");
    same("ip-link", "ip-j-link");
    same("ip-d-link", "ip-j-d-link");
    same("ip-route", "ip-j-route");
    same("ip-6-route", "ip-j-6-route");
    same("ip-route-all", "ip-j-route-all");
    same("ip-route-all", "ip-j-p-route-all");
    same("ip-rule", "ip-j-rule");
    same("ip-6-rule", "ip-j-6-rule");
    same("ip-d-rule", "ip-j-d-rule");
    same("ip-neigh", "ip-j-neigh");
    same("bridge-fdb", "bridge-j-fdb");
    same("bridge-fdb", "bridge-j-p-fdb");
    same("bridge-link", "bridge-j-link");
}

/// The facts without the texts that say them.
fn wordless(mut reading: Reading) -> HostContext {
    let facts = &mut reading.facts;
    facts.devices.iter_mut().for_each(|fact| fact.text = Box::default());
    facts.addresses.iter_mut().for_each(|fact| fact.text = Box::default());
    facts.routes.iter_mut().for_each(|fact| fact.text = Box::default());
    facts.policy_rules.iter_mut().for_each(|fact| fact.text = Box::default());
    facts.neighbours.iter_mut().for_each(|fact| fact.text = Box::default());
    facts.fdb.iter_mut().for_each(|fact| fact.text = Box::default());
    facts.ports.iter_mut().for_each(|fact| fact.text = Box::default());
    reading.facts
}

#[test]
fn options_of_the_tools_change_nothing() {
    let facts = |name: &str| wordless(reading(&format!("host/{name}.txt")));
    assert_eq!(facts("ip-addr"), facts("ip-s-addr"));
    assert_eq!(facts("ip-route"), facts("ip-o-route"));
    assert_eq!(facts("ip-route"), facts("ip-d-route"));
    assert_eq!(facts("ip-route-all"), facts("ip-o-route-all"));
    assert_eq!(facts("ip-rule"), facts("ip-d-rule"));
    assert_eq!(facts("ip-neigh"), facts("ip-s-neigh"));
    assert_eq!(facts("bridge-fdb"), facts("bridge-s-fdb"));
    assert_eq!(facts("bridge-link"), facts("bridge-d-link"));
    let brief = facts("ip-br-link");
    assert_eq!(facts("ip-link").devices.len(), brief.devices.len());
    assert_eq!(
        facts("ip-addr")
            .devices
            .iter()
            .map(|device| (device.name, device.mac.filter(|mac| mac.0 != [0; 6])))
            .collect::<Vec<_>>(),
        brief
            .devices
            .iter()
            .map(|device| (device.name, device.mac.filter(|mac| mac.0 != [0; 6])))
            .collect::<Vec<_>>(),
    );
    for name in ["ip-o-addr", "ip-br-addr"] {
        assert_eq!(facts("ip-addr").addresses, facts(name).addresses, "{name}");
    }
    // `ifconfig` sorts by name and shows a second address under a name of its own.
    let mut old = facts("ifconfig-a").addresses;
    let mut new = facts("ip-addr").addresses;
    for all in [&mut old, &mut new] {
        all.sort_by_key(|address| (address.device, address.net));
    }
    assert_eq!(old, new);
}

#[test]
fn brief_json_tells_what_it_has() {
    let text = r#"[{"ifname":"lo","operstate":"UNKNOWN","addr_info":[{"local":"127.0.0.1","prefixlen":8}]},
{"link":"if2","ifname":"eth0","operstate":"UP","addr_info":[{"local":"10.8.0.2","address":"10.8.0.1","prefixlen":32},{"local":"fe80::1","prefixlen":64}]},{},
{"ifname":"eth1","operstate":"DOWN","addr_info":[{"local":"10.0.0.5","prefixlen":24,"metric":100,"broadcast":"10.0.0.255","scope":"global","dynamic":true,"label":"eth1"}]}]"#;
    let facts = facts(text);
    let nets: Vec<_> = facts.addresses.iter().map(|address| address.net.to_string()).collect();
    assert_eq!(nets, ["127.0.0.1/8", "10.8.0.2/32", "fe80::1/64", "10.0.0.5/24"]);
    assert_eq!(
        &*facts.addresses[3].text,
        "inet 10.0.0.5/24 metric 100 brd 10.0.0.255 scope global dynamic eth1"
    );
    assert!(
        facts.device(device("eth0")).unwrap().is_up && !facts.device(device("eth1")).unwrap().is_up
    );
}

#[test]
fn neighbours_of_every_tool_agree() {
    let places = |name: &str| {
        let facts = reading(&format!("host/{name}.txt")).facts;
        let mut all: Vec<_> = facts
            .neighbours
            .iter()
            .filter(|neighbour| neighbour.addr.is_ipv4())
            .map(|neighbour| (neighbour.addr, neighbour.device, neighbour.mac))
            .collect();
        all.sort_unstable();
        all
    };
    assert_eq!(places("ip-neigh").len(), 7);
    for name in ["arp-n", "arp-an", "proc-net-arp", "ip-br-neigh"] {
        assert_eq!(places("ip-neigh"), places(name), "{name}");
    }
    assert_eq!(reading("host/ip-neigh-proxy.txt").facts.neighbours, []);
}

#[test]
fn old_and_new_routing_tables_agree() {
    let hops = |name: &str, has_metric: bool| {
        let facts = reading(&format!("host/{name}.txt")).facts;
        let mut all: Vec<_> = facts
            .routes
            .iter()
            .filter(|route| matches!(route.kind, RouteKind::Unicast))
            // The old tools show one next hop of several, and no gateway of the other family.
            .filter(|route| !["10.60.0.0/16", "10.61.0.0/16"].contains(&&*route.net.to_string()))
            .map(|route| {
                (route.net, route.device, route.gateway, if has_metric { route.metric } else { 0 })
            })
            .collect();
        all.sort_unstable();
        all
    };
    assert_eq!(hops("ip-route", true), hops("route-n", true));
    assert_eq!(hops("ip-route", false), hops("netstat-rn", false));
}

#[test]
fn a_routes_parts_are_read() {
    let routes = reading("host/ip-route-all.txt").facts.routes;
    let of = |net: &str| {
        routes.iter().filter(|route| route.net == net.parse().unwrap()).collect::<Vec<_>>()
    };
    let [one, other] = of("10.60.0.0/16")[..] else { panic!("two next hops") };
    assert_eq!((one.device, one.gateway), (Some(device("eth0")), Some(addr("10.146.22.125"))));
    assert_eq!(&*other.text, "10.60.0.0/16 nexthop via 10.100.0.254 dev eth0.100 weight 2");
    assert_eq!(of("10.61.0.0/16")[0].gateway, Some(addr("fd00:17::2")));
    assert!(of("10.8.0.1/32")[0].is_linkdown && !of("10.8.0.1/32")[0].is_dead);
    assert_eq!(
        of("10.63.0.0/16").iter().map(|route| route.has_more).collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(of("169.254.0.0/16")[0].metric, 1002);
    assert_eq!(of("172.17.0.0/16")[0].source, Some(addr("172.17.0.1")));
    let kinds =
        ["10.97.0.0/16", "10.98.0.0/16", "10.99.0.0/16", "10.55.0.0/16"].map(|net| of(net)[0].kind);
    assert_eq!(
        kinds,
        [RouteKind::Prohibit, RouteKind::Blackhole, RouteKind::Unreachable, RouteKind::Throw]
    );
    assert_eq!(of("2001:db8:60::/48")[0].from, Some("2001:db8:22::/64".parse().unwrap()));
    assert_eq!(of("2001:db8:70::/48")[0].table.as_ref(), "100");
    let defaults: Vec<_> =
        of("0.0.0.0/0").iter().map(|route| (route.table.as_ref(), route.metric)).collect();
    assert_eq!(
        defaults,
        [("100", 0), ("101", 0), ("103", 4_278_198_272), ("main", 100), ("main", 200)]
    );
    assert_eq!(of("::/0").len(), 1);
}

#[test]
fn the_table_that_was_asked_for_is_in_the_name_or_the_command() {
    let tables = |reading: Reading| {
        reading.facts.routes.iter().map(|route| route.table.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(tables(reading("host/ip-route-table-100.txt")), ["100", "100"]);
    assert_eq!(
        tables(read("$ ip route show table 254\ndefault via 10.0.0.1 dev eth0\n", "")),
        ["main"]
    );
    let local = "local default dev lo scope host\n";
    assert_eq!(tables(read(local, "ip-route-table-7.txt")), ["7"]);
    // Without a name it must not make every address the host's own.
    let reading = read(local, "ip-route.txt");
    assert_eq!((reading.facts.routes.len(), reading.remarks.len()), (0, 1));
}

#[test]
fn a_policy_rules_parts_are_read() {
    let rules = reading("host/ip-rule.txt").facts.policy_rules;
    let of = |priority: u32| rules.iter().find(|rule| rule.priority == priority).unwrap();
    assert_eq!(rules.len(), 14);
    assert!(rules.iter().all(|rule| !rule.is_ipv6));
    assert_eq!(of(0).table.as_deref(), Some("local"));
    assert_eq!(of(100).mark, Some((1, u32::MAX)));
    assert_eq!(of(110).source, Some("10.146.22.0/24".parse().unwrap()));
    assert_eq!(of(110).destination, Some("203.0.113.0/24".parse().unwrap()));
    assert_eq!((of(120).mark, of(120).input), (Some((0x100, 0xff00)), Some(device("docker0"))));
    assert_eq!(of(130).refusal, Some(RouteKind::Prohibit));
    assert!(of(140).has_more && !of(130).has_more && !of(150).has_more);
    assert_eq!(of(159).suppress_prefix, Some(0));
    assert!(of(160).is_negated && of(160).mark == Some((0xca6c, u32::MAX)));
    assert_eq!((of(170).goto, of(170).table.as_deref()), (Some(32766), None));
    assert_eq!(of(190).output, Some(device("dum0")));
    let ipv6 = reading("host/ip-6-rule.txt").facts.policy_rules;
    assert!(ipv6.iter().all(|rule| rule.is_ipv6), "{ipv6:?}");
}

#[test]
fn a_device_and_its_bridge_are_read() {
    let facts = reading("host/ip-d-link.txt").facts;
    let port = facts.bridge_of(device("vethc2")).unwrap();
    assert_eq!((port.bridge, port.number), (device("docker0"), Some(2)));
    assert_eq!(port.state.as_deref(), Some("forwarding"));
    let bridge = facts.device(device("docker0")).unwrap();
    assert_eq!(bridge.mac, Some(mac("02:42:5c:1f:77:01")));
    assert!(bridge.is_up && bridge.has_carrier);
    let tun = facts.device(device("tun0")).unwrap();
    assert!(tun.is_up && !tun.has_carrier && tun.mac.is_none());
    assert_eq!(facts.device(device("lo")).unwrap().mac, None);
}

#[test]
fn ports_of_bonds_and_routing_domains_are_no_bridge_ports() {
    let text = "\
2: eth0: <BROADCAST,MULTICAST,SLAVE,UP,LOWER_UP> mtu 1500 qdisc mq master bond0 state UP group default qlen 1000
3: eth1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq master blue state UP group default qlen 1000
4: bond0: <BROADCAST,MULTICAST,MASTER,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
5: blue: <NOARP,MASTER,UP,LOWER_UP> mtu 65575 qdisc noqueue state UP group default qlen 1000
6: veth1@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master br0 state UP group default qlen 1000
";
    let ports = facts(text).ports;
    assert_eq!(ports.iter().map(|port| port.port).collect::<Vec<_>>(), [device("veth1")]);
    let old = "7: veth7 state UP @eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master br0 state forwarding priority 32 cost 2 \n";
    let reading = read(old, "");
    assert_eq!(reading.kind, Some(Kind::BridgePorts));
    assert_eq!(reading.facts.ports[0].port, device("veth7"));
    assert_eq!(reading.facts.ports[0].state.as_deref(), Some("forwarding"));
}

#[test]
fn the_old_ifconfig_is_read() {
    let text = "\
docker0   Link encap:Ethernet  HWaddr FE:BB:CE:6D:95:40
          inet addr:172.17.42.1  Bcast:0.0.0.0  Mask:255.255.0.0
          inet6 addr: fe80::5484:7aff:fefe:9799/64 Scope:Link
          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1
          RX packets:116 errors:0 dropped:0 overruns:0 frame:0
          TX packets:100 errors:0 dropped:0 overruns:0 carrier:0
          collisions:0 txqueuelen:0
          RX bytes:7924 (7.7 KiB)  TX bytes:11368 (11.1 KiB)

lo        Link encap:Local Loopback
          inet addr:127.0.0.1  Mask:255.0.0.0
          UP LOOPBACK RUNNING  MTU:65536  Metric:1
";
    let facts = facts(text);
    let nets: Vec<_> = facts.addresses.iter().map(|address| address.net.to_string()).collect();
    assert_eq!(nets, ["172.17.42.1/16", "fe80::5484:7aff:fefe:9799/64", "127.0.0.1/8"]);
    let bridge = facts.device(device("docker0")).unwrap();
    assert!(bridge.is_up && bridge.has_carrier);
    assert_eq!(bridge.mac, Some(mac("fe:bb:ce:6d:95:40")));
}

#[test]
fn settings_are_read_in_every_spelling() {
    let text = "\
net.ipv4.ip_forward = 1
net.ipv4.conf.eth0/100.rp_filter=2
net/ipv4/conf/eth0.100/forwarding = 0
/proc/sys/net/bridge/bridge-nf-call-iptables:1
net.ipv4.tcp_rmem = 4096\t131072\t6291456
sysctl: permission denied on key 'net.ipv4.tcp_fastopen_key'
";
    let facts = facts(text);
    let value = |name: &str| facts.setting(name).map(|setting| setting.value.to_string());
    assert_eq!(value("net.ipv4.ip_forward").as_deref(), Some("1"));
    assert_eq!(value("net.ipv4.conf.eth0/100.rp_filter").as_deref(), Some("2"));
    assert_eq!(value("net.ipv4.conf.eth0/100.forwarding").as_deref(), Some("0"));
    assert_eq!(value("net.bridge.bridge-nf-call-iptables").as_deref(), Some("1"));
    assert_eq!(value("net.ipv4.tcp_rmem").as_deref(), Some("4096 131072 6291456"));
}
