//! The steps that no line shows, with and without what is known of the host.

use super::scene::{Lines, Scene, table, udp};

const CONTEXT: [&str; 5] =
    ["ip-addr.txt", "ip-route.txt", "bridge-fdb.txt", "bridge-link.txt", "conntrack-events.txt"];

#[test]
fn from_the_lines_alone() {
    let scene = Scene::sample("case1-remote");
    assert_eq!(
        scene.inferred(0),
        [
            "1 conntrack:new · conntrack makes an entry for a new connection, 10.110.124.185:56032 → 10.146.22.21:40000",
            "3 route · routed to docker0, as OUT= of the next line says",
            "5 neighbour:wait · waited 106 µs for the hardware address of 172.17.0.5",
            "5 bridge · out of port veth72x2M5, as OUT= of the next line says",
            "8 wire · leaves by port veth72x2M5",
        ]
    );
    assert_eq!(
        scene.inferred(3),
        [
            "2 bridge · up to the host, as the next line says",
            "3 route · routed to eth0, as OUT= of the next line says",
            "4 conntrack:restored · conntrack puts the source back as the connection began: 172.17.0.5:6379 → 10.146.22.21:40000",
            "4 wire · leaves by eth0",
        ]
    );
}

#[test]
fn the_hosts_context_is_cited() {
    let scene = Scene::sample("case1-remote").with_context("case1-remote", &CONTEXT);
    let event = "[1795364245.128124] [NEW] tcp 6 120 SYN_SENT src=10.110.124.185 dst=10.146.22.21 sport=56032 dport=40000 [UNREPLIED] src=172.17.0.5 dst=10.110.124.185 sport=6379 dport=56032";
    assert_eq!(
        scene.inferred(0),
        [
            &format!(
                "1 conntrack:new · conntrack makes an entry for a new connection, 10.110.124.185:56032 → 10.146.22.21:40000: {event}"
            ),
            "3 route · routed to docker0: 172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.42.1",
            "5 neighbour:wait · waited 106 µs for the hardware address of 172.17.0.5",
            "5 bridge · out of port veth72x2M5: docker0's fdb has 9e:93:85:3f:24:b5 dev veth72x2M5 master docker0",
            "8 wire · leaves by port veth72x2M5",
        ]
    );
    assert_eq!(
        scene.inferred(3),
        [
            "2 bridge · up to the host: docker0's own address: fe:bb:ce:6d:95:40 dev docker0 master docker0 permanent",
            "3 route · routed to eth0: default via 10.146.22.125 dev eth0",
            &format!(
                "4 conntrack:restored · conntrack puts the source back as the connection began: 172.17.0.5:6379 → 10.146.22.21:40000: {event}"
            ),
            "4 wire · leaves by eth0",
        ]
    );
}

#[test]
fn containers_have_names() {
    let mut scene = Scene::sample("case1-remote").with_context("case1-remote", &CONTEXT);
    let docker = r#"[{"Id":"f00d","Name":"/myredis","NetworkSettings":{"Networks":{"bridge":{"IPAddress":"172.17.0.5","MacAddress":"9e:93:85:3f:24:b5"}}}}]"#;
    scene.add_context(docker, "docker-inspect.json");
    let inferred = scene.inferred(0).join("\n");
    for part in [
        "(172.17.0.5 is container myredis)",
        "dev veth72x2M5 master docker0 = container myredis",
        "leaves by port veth72x2M5 = container myredis",
    ] {
        assert!(inferred.contains(part), "`{part}` is not in:\n{inferred}");
    }
}

#[test]
fn a_snapshot_that_says_otherwise_is_said_to_be_old() {
    let mut scene = Scene::sample("case1-remote");
    scene.add_context(
        "default via 10.146.22.125 dev eth0\n172.17.0.0/16 dev docker9\n",
        "ip-route.txt",
    );
    scene.add_context("9e:93:85:3f:24:b5 dev vethW9Q1kD master docker0\n", "bridge-fdb.txt");
    let inferred = scene.inferred(0);
    assert_eq!(
        inferred[1],
        "3 route · routed to docker0, as OUT= of the next line says; the routes given lead to docker9, not to docker0: 172.17.0.0/16 dev docker9; the snapshot may be old"
    );
    assert_eq!(
        inferred[3],
        "5 bridge · out of port veth72x2M5, as OUT= of the next line says; the fdb given has 9e:93:85:3f:24:b5 dev vethW9Q1kD master docker0; the snapshot may be old"
    );
}

#[test]
fn what_the_host_sends_to_itself() {
    let scene = Scene::sample("case2-localhost-proxy");
    assert_eq!(
        scene.inferred(0),
        [
            "0 route · routed to lo, as OUT= of the next line says",
            "1 conntrack:new · conntrack makes an entry for a new connection, 127.0.0.1:60658 → 127.0.0.1:40000",
            "7 local · up to the programs of this host, for 127.0.0.1:40000",
        ]
    );
}

#[test]
fn a_dropped_packet_goes_nowhere() {
    let scene = Scene::sample("case3-icc-off-dropped");
    assert_eq!(
        scene.inferred(2),
        [
            "2 conntrack:new · conntrack makes an entry for a new connection, 172.17.0.4:56000 → 172.17.0.2:6379",
            "3 bridge · out of port veth72x2M5, as OUT= of the next line says",
        ]
    );
}

#[test]
fn a_masquerade_is_undone_behind_prerouting() {
    let nat = table(
        "nat",
        &[
            ":PREROUTING ACCEPT [0:0]",
            ":POSTROUTING ACCEPT [0:0]",
            "-A POSTROUTING -s 172.17.0.0/16 -o eth0 -j MASQUERADE",
        ],
    );
    let filter = table("filter", &[":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]"]);
    let there = udp("172.17.0.2:5000", "198.51.100.7:53", 7);
    let mut log = Lines::default();
    log.trace("raw:PREROUTING:policy:2", "IN=docker0 OUT=", &there)
        .trace("nat:PREROUTING:policy:1", "IN=docker0 OUT=", &there)
        .trace("filter:FORWARD:policy:1", "IN=docker0 OUT=eth0", &there)
        .trace("nat:POSTROUTING:rule:1", "IN=docker0 OUT=eth0", &there)
        .trace(
            "raw:PREROUTING:policy:2",
            "IN=eth0 OUT=",
            &udp("198.51.100.7:53", "10.0.0.1:5000", 9),
        )
        .trace(
            "filter:FORWARD:policy:1",
            "IN=eth0 OUT=docker0",
            &udp("198.51.100.7:53", "172.17.0.2:5000", 9),
        );
    let scene = log.scene(&[&nat, &filter]);
    assert_eq!(scene.packets.len(), 2);
    assert!(scene.is_reply(1));
    assert_eq!(
        scene.inferred(1),
        [
            "1 conntrack:restored · conntrack puts the destination back as the connection began: 10.0.0.1:5000 → 172.17.0.2:5000",
            "1 route · routed to docker0, as OUT= of the next line says",
            "2 wire · leaves by docker0",
        ]
    );
    let change = &scene.connections[0].nat[0];
    let target = tracecol::rulebook::Target::Masquerade;
    assert_eq!(tracecol::explain::nat_kind(change, Some(&target)).name(), "masquerade");
    assert_eq!(tracecol::explain::nat_kind(change, None).name(), "snat");
}

#[test]
fn a_policy_route_is_cited_with_the_rule_that_asks_it() {
    let mut scene = {
        let filter = table("filter", &[":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]"]);
        let packet = |text: String| format!("{text}MARK=0x1 ");
        let mut log = Lines::default();
        log.trace(
            "mangle:PREROUTING:policy:1",
            "IN=eth0 OUT=",
            &packet(udp("10.0.0.2:5000", "198.51.100.7:53", 7)),
        )
        .trace(
            "filter:FORWARD:policy:1",
            "IN=eth0 OUT=wg0",
            &packet(udp("10.0.0.2:5000", "198.51.100.7:53", 7)),
        );
        log.scene(&[&filter])
    };
    scene.add_context("0:\tfrom all lookup local\n100:\tfrom all fwmark 0x1 lookup vpn\n32766:\tfrom all lookup main\n", "ip-rule.txt");
    scene.add_context("default dev wg0 table vpn\ndefault via 10.0.0.254 dev eth1\nlocal 10.0.0.1 dev eth0 table local\n", "ip-route-table-all.txt");
    assert_eq!(
        scene.inferred(0)[0],
        "1 route · routed to wg0: default dev wg0 table vpn in table vpn, which 100: from all fwmark 0x1 lookup vpn asks"
    );
}
