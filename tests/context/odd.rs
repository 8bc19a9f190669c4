//! What people paste: prompts, several outputs, missing lines, things that are none of it; and hostile text.

use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

use proptest::prelude::*;
use tracecol::context::{HostContext, Kind, RouteQuestion, read};
use tracecol::model::{Protocol, Tuple};

use super::{addr, data, device, facts, mac};

#[test]
fn a_transcript_holds_several_outputs() {
    let text = "\
[root@wdc-dev ~]# $ ip route
ip route
10.146.22.0/24 dev eth0  proto kernel  scope link  src 10.146.22.21
172.17.0.0/16 dev docker0  proto kernel  scope link  src 172.17.42.1
default via 10.146.22.125 dev eth0
[root@wdc-dev ~]# ip -6 route
default dev tun6 metric 1024
[root@wdc-dev ~]# brctl showmacs docker0
port no mac addr                is local?       ageing timer
  1     fe:bb:ce:6d:95:40       yes                0.00
  1     9e:93:85:3f:24:b5       no                 1.20
[root@wdc-dev ~]# sudo conntrack -L -p tcp | grep 40000
tcp 6 119 TIME_WAIT src=10.0.0.1 dst=10.0.0.2 sport=1 dport=40000 src=10.0.0.2 dst=10.0.0.1 sport=40000 dport=1 [ASSURED] use=1
[root@wdc-dev ~]# cat /proc/sys/net/ipv4/ip_forward
[root@wdc-dev ~]# 
";
    let reading = read(text, "notes.txt");
    assert_eq!(reading.remarks, []);
    assert_eq!(reading.kind, Some(Kind::Routes));
    let facts = reading.facts;
    assert_eq!(facts.routes.len(), 4);
    assert_eq!(
        &*facts.routes[0].text,
        "10.146.22.0/24 dev eth0 proto kernel scope link src 10.146.22.21"
    );
    assert_eq!(facts.routes[3].net, "::/0".parse().unwrap());
    assert_eq!(facts.fdb[1].bridge, Some(device("docker0")));
    assert_eq!(facts.conntrack.len(), 1);
}

#[test]
fn files_printed_by_tail_are_parted() {
    let text = "\
==> ip-route-table-100.txt <==
default via 10.0.0.254 dev eth1

==> ip-route.txt <==
default via 10.0.0.1 dev eth0
";
    let facts = facts(text);
    let tables: Vec<_> = facts.routes.iter().map(|route| route.table.to_string()).collect();
    assert_eq!(tables, ["100", "main"]);
}

#[test]
fn what_was_asked_inside_a_container_is_not_the_hosts() {
    let text = "\
$ ip -4 addr
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default
    inet 10.0.0.1/24 scope global eth0
$ docker exec web ip addr
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default
    inet 172.17.0.2/16 scope global eth0
$ ip netns exec blue ip neigh
10.0.0.7 dev eth0 lladdr 02:42:ac:11:00:05 STALE
";
    let reading = read(text, "");
    assert_eq!(reading.remarks.len(), 1, "{:?}", reading.remarks);
    assert_eq!(reading.facts.addresses.len(), 1);
    assert_eq!(reading.facts.neighbours.len(), 1);
}

#[test]
fn stray_blanks_and_missing_lines_do_no_harm() {
    let text = "\r
    \t 3: docker0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP \r
link/ether fe:bb:ce:6d:95:40 brd ff:ff:ff:ff:ff:ff\r
\r
      inet   172.17.42.1/16 scope global docker0   \r
```\r
";
    let context = facts(text);
    assert_eq!(context.device(device("docker0")).unwrap().mac, Some(mac("fe:bb:ce:6d:95:40")));
    assert!(context.is_own(addr("172.17.42.1")));
    // An address line alone has its device at the end.
    let context = facts("    inet 172.17.42.1/16 scope global docker0\n");
    assert_eq!(context.own_address(addr("172.17.42.1")).unwrap().device, device("docker0"));
    let reading = read(
        "    inet6 fe80::1/64 scope link\n       valid_lft forever preferred_lft forever\n",
        "",
    );
    assert_eq!((reading.facts.addresses.len(), reading.remarks.len()), (0, 1));
}

#[test]
fn an_empty_output_is_what_its_name_says() {
    for (name, kind) in [
        ("conntrack-list.txt", Kind::Conntrack),
        ("ip-6-rule.json", Kind::PolicyRules),
        ("bridge-fdb.txt", Kind::Fdb),
        ("docker-inspect.json", Kind::Containers),
        ("ip-route-table-100.txt", Kind::Routes),
        ("ip_neigh.txt", Kind::Neighbours),
        ("sysctl.txt", Kind::Settings),
    ] {
        for text in ["", "\n", "[]\n", "[ ]"] {
            let reading = read(text, name);
            assert_eq!((reading.kind, reading.remarks.len()), (Some(kind), 0), "{name} {text:?}");
        }
    }
    assert_eq!(read("", "readme.md").kind, None);
}

#[test]
fn other_texts_are_refused_with_one_sentence() {
    let log =
        fs::read_to_string(data().join("../../../sample-logs/case1-remote/kern.log")).unwrap();
    let rules = fs::read_to_string(data().join("../../../sample-logs/case1-remote/iptables.rules"))
        .unwrap();
    let prose =
        "The default route was lost, and route 10 to the docker bridge is local to us.\nWhy?\n";
    for text in [&*log, &rules, prose, "{\"a\": 1}", "[{\"a\": [", "\u{feff}[[[["] {
        let reading = read(text, "notes.txt");
        assert_eq!(
            (reading.kind, reading.remarks.len()),
            (None, 1),
            "{:.60}: {:?}",
            text,
            reading.remarks
        );
        assert_eq!(reading.facts, HostContext::default());
    }
}

#[test]
fn lines_that_are_not_understood_are_named() {
    let reading =
        read("default via 10.0.0.1 dev eth0\nbash: brctl: command not found\n", "ip-route.txt");
    assert_eq!(reading.remarks.len(), 1);
    assert_eq!(reading.remarks[0].line, 2);
    assert_eq!(reading.remarks[0].sentence, "not understood: bash: brctl: command not found");
    let many = format!("default via 10.0.0.1 dev eth0\n{}", "what is this\n".repeat(1000));
    assert_eq!(read(&many, "").remarks.len(), 21);
}

#[test]
fn json_that_is_cut_short_gives_what_is_whole() {
    let text = fs::read_to_string(data().join("host/ip-j-p-route-all.txt")).unwrap();
    let whole = read(&text, "").facts.routes.len();
    let half = read(&text[..text.len() / 2], "");
    assert_eq!(half.kind, Some(Kind::Routes));
    assert_eq!(half.remarks.len(), 1);
    let line = text[..text.len() / 2].lines().count();
    assert!(half.remarks[0].line <= line && half.remarks[0].line + 12 > line, "{:?}", half.remarks);
    assert!(half.facts.routes.len() > whole / 3 && half.facts.routes.len() < whole);
}

#[test]
fn large_files_are_read_in_a_moment() {
    let mut fdb = String::new();
    let mut track = String::new();
    for n in 0..100_000_u32 {
        let [_, a, b, c] = n.to_be_bytes();
        writeln!(fdb, "02:42:ac:{a:02x}:{b:02x}:{c:02x} dev veth{} master br0", n % 1000).unwrap();
        writeln!(track, "ipv4     2 tcp      6 431999 ESTABLISHED src=10.{a}.{b}.{c} dst=10.146.22.21 sport={p} dport=40000 packets=6 bytes=358 src=172.17.0.5 dst=10.{a}.{b}.{c} sport=6379 dport={p} packets=4 bytes=221 [ASSURED] mark=0 use=1", p = 1024 + n % 60000).unwrap();
    }
    for (text, name) in [(fdb, "bridge-fdb.txt"), (track, "conntrack-L.txt")] {
        let start = Instant::now();
        let reading = read(&text, name);
        let spent = start.elapsed();
        assert_eq!(reading.facts.fdb.len() + reading.facts.conntrack.len(), 100_000);
        // Well under a second on an idle machine; what grows faster than its input takes minutes.
        assert!(spent.as_secs() < 20, "{name} took {spent:?}");
    }
}

#[test]
fn billions_of_published_ports_are_not_kept() {
    let row = "4f2a9c1d7e30 redis 0.0.0.0:1-65535->1-65535/tcp, 0.0.0.0:1-65535->1-65535/udp x";
    let mut text = "CONTAINER ID   IMAGE   PORTS   NAMES\n".to_owned();
    for n in 0..100 {
        writeln!(text, "{row}{n}").unwrap();
    }
    let kept: usize =
        facts(&text).containers.iter().map(|container| container.published.len()).sum();
    assert!(kept <= 1 << 20);
}

/// Asks everything that can be asked.
fn ask_all(context: &HostContext) {
    let addrs: Vec<_> = context
        .addresses
        .iter()
        .map(|address| address.net.addr())
        .chain([addr("10.0.0.1"), addr("fe80::1")])
        .take(20)
        .collect();
    for addr in addrs {
        let _ =
            context.route_to(addr, &RouteQuestion { src: Some(addr), ..RouteQuestion::default() });
        let _ = (context.is_own(addr), context.neighbour(addr), context.container_at(addr));
        let _ = context.reverse_path(addr, device("eth0"));
    }
    for port in context.ports.iter().take(20) {
        let _ = (context.container_behind(port.port), context.rp_filter(port.port));
    }
    for entry in context.conntrack.iter().take(20) {
        let tuple: Tuple = entry.original.tuple();
        assert!(
            context
                .conntrack_of(Protocol(entry.protocol), &tuple, entry.original.icmp_id, entry.at)
                .is_some()
        );
        let _ = entry.nat();
    }
    let _ = context.own_nets();
}

/// A piece of a real output, or of none.
fn fragments() -> impl Strategy<Value = String> {
    let mut pieces = vec![
        "\\".to_owned(),
        "[".to_owned(),
        "{".to_owned(),
        "\t".to_owned(),
        "é\u{1b}[31m".to_owned(),
    ];
    for folder in ["host", "conntrack", "docker"] {
        for entry in fs::read_dir(data().join(folder)).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            pieces.extend(text.lines().take(12).map(str::to_owned));
            pieces.extend(text.split_whitespace().take(60).map(|word| format!("{word} ")));
        }
    }
    proptest::collection::vec(
        prop_oneof![4 => proptest::sample::select(pieces), 1 => ".{0,12}", 2 => Just("\n".to_owned())],
        0..40,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_makes_it_panic(text in ".{0,400}", name in ".{0,30}") {
        ask_all(&read(&text, &name).facts);
    }

    #[test]
    fn no_mixture_of_real_pieces_makes_it_panic(text in fragments(), name in "[a-z0-9-]{0,20}") {
        ask_all(&read(&text, &name).facts);
    }

    #[test]
    fn no_cut_makes_it_panic(cut in 0..40_000_usize, file in 0..60_usize) {
        let mut paths: Vec<_> = ["host", "conntrack", "docker"].iter().flat_map(|folder| fs::read_dir(data().join(folder)).unwrap()).map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let text = fs::read(&paths[file % paths.len()]).unwrap();
        let text = String::from_utf8_lossy(&text[..cut % (text.len() + 1)]);
        ask_all(&read(&text, "x").facts);
    }
}
