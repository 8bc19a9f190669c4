//! Traffic beyond the seed's: load on both CPUs, masquerade, UDP, ICMP, REJECT, IPv6, fragments, REDIRECT, loopback.
//!
//! Everything that passes dhost is traced here, in both directions.

use super::host::{MANGLE_AND_SECURITY, Plan, SEED, SEED_NAT, SeedHost};
use super::namespace::Namespace;
use super::server::Server;

/// A scene: its name, its host, its traffic.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) plan: Plan,
    pub(crate) drive: fn(&SeedHost),
    /// Connections conntrack never confirmed: the firewall, routing or the time to live ended them.
    pub(crate) unconfirmed: &'static [&'static str],
}

impl Scene {
    const fn new(name: &'static str, plan: Plan, drive: fn(&SeedHost)) -> Self {
        Self { name, plan, drive, unconfirmed: &[] }
    }
}

const ALL: &str = "-A PREROUTING -j TRACE\n-A OUTPUT -j TRACE\n";
const TRACED: Plan = Plan { raw: ALL, ..SEED };

const UDP_NAT: &str = "\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d 10.146.22.21/32 -p udp -m udp --dport 5300 -j DNAT --to-destination 172.17.0.5:53
-A PREROUTING -d 10.146.22.21/32 -p udp -m udp --dport 5400 -j DNAT --to-destination 172.17.0.5:54
-A POSTROUTING -s 172.17.0.0/16 ! -d 172.17.0.0/16 -j MASQUERADE
COMMIT
";

const REDIRECT_NAT: &str = "\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -i eth0 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8080
-A OUTPUT -d 172.17.0.5/32 -p tcp -m tcp --dport 81 -j REDIRECT --to-ports 8080
COMMIT
";

const REJECTING: &str = "\
-A INPUT -p tcp -m tcp --dport 23 -j REJECT --reject-with tcp-reset
-A INPUT -p tcp -m tcp --dport 24 -j DROP
-A FORWARD -p tcp -m tcp --dport 6380 -j REJECT --reject-with tcp-reset
-A FORWARD -p tcp -m tcp --dport 6381 -j REJECT --reject-with icmp-host-prohibited
-A FORWARD -p tcp -m tcp --dport 6382 -j DROP
-A FORWARD -p udp -m udp --dport 9 -j REJECT --reject-with icmp-port-unreachable
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -p tcp -m tcp --dport 6379 -j ACCEPT
-A OUTPUT -p tcp -m tcp --dport 25 -j REJECT
";

const IPV6: &str = "\
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -j TRACE
-A OUTPUT -j TRACE
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -p tcp -m tcp --dport 81 -j REJECT --reject-with tcp-reset
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d fd10:146::21/128 -p tcp -m tcp --dport 40000 -j DNAT --to-destination [fd17::5]:80
COMMIT
";

const UDP: Plan = Plan { tables: &[UDP_NAT], ..TRACED };

/// Every scene whose packets conntrack accounts for.
pub(crate) const SCENES: [Scene; 14] = [
    Scene::new("load-kept", TRACED, load_kept),
    Scene::new("load-reconnecting", TRACED, load_reconnecting),
    Scene::new("masquerade", TRACED, masquerade),
    Scene::new("masquerade-brnf0", Plan { bridge_netfilter: "0", ..TRACED }, masquerade),
    Scene::new("udp", UDP, udp),
    Scene::new("udp-burst", UDP, udp_burst),
    Scene {
        unconfirmed: &["10.146.22.125:13 → 172.17.0.5:13", "10.146.22.125:* → 172.17.0.5:55"],
        ..Scene::new("icmp", Plan { tables: &[UDP_NAT, MANGLE_AND_SECURITY], ..TRACED }, icmp)
    },
    Scene {
        unconfirmed: &[
            "10.110.124.185:* → 10.146.22.21:23",
            "10.110.124.185:* → 10.146.22.21:24",
            "10.146.22.21:* → 10.110.124.185:25",
            "10.146.22.125:* → 172.17.0.5:6380",
            "10.146.22.125:* → 172.17.0.5:6381",
            "10.146.22.125:* → 172.17.0.5:6382",
            "10.146.22.125:* → 172.17.0.5:6383",
            "10.146.22.125:* → 172.17.0.5:9",
            "172.17.0.4:* → 172.17.0.5:6380",
        ],
        ..Scene::new("reject", Plan { filter: REJECTING, forward_policy: "DROP", ..TRACED }, reject)
    },
    Scene {
        unconfirmed: &["fd10:146::125:* → fd17::5:81", "fd10:146::125:* → fd17::5:55"],
        ..Scene::new("ipv6", Plan { ipv6: IPV6, ..TRACED }, ipv6)
    },
    Scene::new("fragments", UDP, fragments),
    Scene::new("redirect", Plan { tables: &[REDIRECT_NAT], ..TRACED }, redirect),
    Scene::new("loopback", TRACED, loopback),
    Scene::new("local", Plan { tables: &[SEED_NAT, MANGLE_AND_SECURITY], ..TRACED }, local),
    Scene::new("hairpin", TRACED, hairpin),
];

/// Scenes that conntrack knows nothing of.
pub(crate) const UNTRACKED: [Scene; 2] = [
    Scene::new(
        "fragments-untracked",
        Plan { tables: &[], filter: "", ..TRACED },
        fragments_untracked,
    ),
    Scene::new(
        "fragments-bridged-brnf0",
        Plan { bridge_netfilter: "0", ..TRACED },
        fragments_bridged,
    ),
];

/// An echo server; `kind` is socat's word: `TCP4`, `TCP6`, `UDP4`, `UDP6`.
fn echo(namespace: &Namespace, kind: &str, port: u16) -> Server {
    let mut command = namespace.command("socat");
    let listen = if kind.starts_with("TCP") { "LISTEN" } else { "RECVFROM" };
    let protocol = kind[..3].to_lowercase();
    let address = format!("{kind}-{listen}:{port},fork,reuseaddr");
    Server::listening(command.args([address.as_str(), "PIPE"]), &protocol, port)
}

/// Sends ICMP echo requests from a raw socket and waits a moment for the answers.
fn ping(namespace: &Namespace, address: &str, options: &str, id: u16, count: u16, length: usize) {
    for sequence in 1..=count {
        let bytes = octal(&echo_request(id, sequence, length));
        namespace.attempt(&format!(
            "printf '{bytes}' | timeout 2 socat -b 65000 -t 0.1 - IP4-SENDTO:{address}:1{options}"
        ));
    }
}

fn echo_request(id: u16, sequence: u16, length: usize) -> Vec<u8> {
    let mut message = vec![8, 0, 0, 0];
    message.extend(id.to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.resize(length.max(8), b'.');
    let words = message
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded");
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

fn octal(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| ["\\".to_owned(), format!("{byte:03o}")]).collect()
}

fn load_kept(host: &SeedHost) {
    let _redis = host.serve_redis();
    host.client
        .script("timeout 10 redis-benchmark -h 10.146.22.21 -p 40000 -c 60 -n 900 -t set -q");
}

fn load_reconnecting(host: &SeedHost) {
    let _redis = host.serve_redis();
    host.client
        .script("timeout 10 redis-benchmark -h 10.146.22.21 -p 40000 -c 40 -k 0 -n 200 -t get -q");
}

fn masquerade(host: &SeedHost) {
    let _web = echo(&host.client, "TCP4", 8080);
    for n in 1..=3 {
        host.redis.script(&format!("echo {n} | timeout 3 nc -N 10.110.124.185 8080"));
    }
    std::thread::scope(|scope| {
        for container in [&host.redis, &host.other] {
            scope.spawn(|| {
                container.script("(echo first; sleep 0.4; echo second) | timeout 3 nc -N -p 50000 10.110.124.185 8080");
            });
        }
    });
}

fn udp(host: &SeedHost) {
    let timeout = "net.netfilter.nf_conntrack_udp_timeout";
    host.dhost.sysctl(&format!("{timeout}=1 {timeout}_stream=1"));
    let _dns = echo(&host.redis, "UDP4", 53);
    let ask = |port: u16, text: &str| {
        host.client.attempt(&format!(
            "printf '{text}' | timeout 2 socat -t 0.2 - UDP4:10.146.22.21:5300,sourceport={port}"
        ));
    };
    ask(50000, "one");
    ask(50001, "one");
    ask(50000, "one");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    ask(50000, "one");
    ask(50000, "other");
}

fn udp_burst(host: &SeedHost) {
    let _dns = echo(&host.redis, "UDP4", 53);
    std::thread::scope(|scope| {
        for port in [50000, 50001, 50002, 50003] {
            scope.spawn(move || {
                host.client.attempt(&format!(
                    "(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo same; sleep 0.004; done) | \
                     timeout 3 socat -t 0.3 - UDP4:10.146.22.21:5300,sourceport={port}"
                ));
            });
        }
    });
}

/// Sends one datagram and waits a moment for an answer or an error.
fn send(namespace: &Namespace, to: &str) {
    namespace.attempt(&format!("echo lost | timeout 5 socat -t 0.1 - UDP:{to}"));
}

fn icmp(host: &SeedHost) {
    ping(&host.client, "10.146.22.21", "", 7, 2, 64);
    host.client.ip("route add 172.17.0.0/16 via 10.146.22.21");
    ping(&host.client, "172.17.0.5", "", 8, 2, 64);
    ping(&host.redis, "10.110.124.185", "", 9, 2, 64);
    ping(&host.redis, "172.17.0.4", "", 10, 2, 64);
    ping(&host.redis, "172.17.42.1", "", 11, 1, 64);
    ping(&host.dhost, "10.110.124.185", "", 12, 1, 64);
    // The time to live ends at dhost.
    ping(&host.client, "172.17.0.5", ",ttl=1", 13, 1, 64);
    send(&host.client, "172.17.0.5:55,sourceport=50001,ttl=1");
    // Nobody listens: behind DNAT, in the container seen directly, on dhost itself.
    send(&host.client, "10.146.22.21:5400,sourceport=50002");
    send(&host.client, "172.17.0.5:54,sourceport=50003");
    send(&host.client, "10.146.22.21:54,sourceport=50004");
    // From a container through masquerade to a closed port of the client.
    send(&host.redis, "10.110.124.185:54,sourceport=50005");
    // A neighbour that does not answer: three questions, a second apart, then an error.
    send(&host.client, "172.17.0.99:54,sourceport=50006");
    std::thread::sleep(std::time::Duration::from_millis(3300));
}

fn reject(host: &SeedHost) {
    let _redis = host.serve_redis();
    SeedHost::ask(&host.client, "-h 10.146.22.21 -p 40000 SET docker awesome");
    host.client.ip("route add 172.17.0.0/16 via 10.146.22.21");
    let knock = |namespace: &Namespace, source: u16, to: &str| {
        namespace.attempt(&format!("timeout 1.5 nc -w 2 -p {source} {to} </dev/null"));
    };
    knock(&host.client, 50080, "172.17.0.5 6380");
    knock(&host.client, 50081, "172.17.0.5 6381");
    std::thread::scope(|scope| {
        scope.spawn(|| knock(&host.client, 50082, "172.17.0.5 6382"));
        scope.spawn(|| knock(&host.client, 50083, "172.17.0.5 6383"));
        scope.spawn(|| knock(&host.client, 50024, "10.146.22.21 24"));
    });
    send(&host.client, "172.17.0.5:9,sourceport=50009");
    knock(&host.client, 50023, "10.146.22.21 23");
    knock(&host.dhost, 50025, "10.110.124.185 25");
    // Nobody listens there: a RST from the peer itself, not from REJECT.
    knock(&host.client, 50026, "10.146.22.21 26");
    knock(&host.other, 50027, "172.17.0.5 6380");
}

fn ipv6(host: &SeedHost) {
    host.dhost.sysctl("net.ipv6.conf.all.forwarding=1");
    host.dhost.ip("addr add fd10:146::21/64 dev eth0 nodad");
    host.client.ip("addr add fd10:146::125/64 dev eth0 nodad");
    host.client.ip("route add fd17::/64 via fd10:146::21");
    host.dhost.ip("addr add fd17::1/64 dev docker0 nodad");
    for (container, address) in [(&host.redis, "fd17::5"), (&host.other, "fd17::4")] {
        container.ip(&format!("addr add {address}/64 dev eth0 nodad"));
        container.ip("route add default via fd17::1");
    }
    let _web = echo(&host.redis, "TCP6", 80);
    let _dns = echo(&host.redis, "UDP6", 53);
    let ask = |namespace: &Namespace, kind: &str, to: &str| {
        namespace.attempt(&format!("echo hello | timeout 2 socat -t 0.3 - {kind}:{to}"));
    };
    ask(&host.client, "TCP6", "[fd17::5]:80,sourceport=50001");
    ask(&host.client, "TCP6", "[fd10:146::21]:40000,sourceport=50002");
    ask(&host.client, "TCP6", "[fd17::5]:81,sourceport=50003");
    ask(&host.client, "UDP6", "[fd17::5]:53,sourceport=50004");
    ask(&host.client, "UDP6", "[fd17::5]:54,sourceport=50005");
    ask(&host.client, "UDP6", "[fd17::5]:55,sourceport=50006,ipv6-unicast-hops=1");
    ask(&host.other, "TCP6", "[fd17::5]:80,sourceport=50007");
    ask(&host.redis, "TCP6", "[fd10:146::125]:99,sourceport=50008");
    // The kernel fills in ICMPv6's checksum by itself.
    let request = octal(&[128, 0, 0, 0, 0, 7, 0, 1, b'h', b'i']);
    for (from, to) in
        [(&host.client, "fd17::5"), (&host.client, "fd10:146::21"), (&host.other, "fd17::5")]
    {
        from.attempt(&format!(
            "printf '{request}' | timeout 2 socat -t 0.2 - IP6-SENDTO:[{to}]:58"
        ));
    }
}

/// One datagram that needs three frames.
fn send_long(namespace: &Namespace, to: &str) {
    namespace.attempt(&format!(
        "head -c 3000 /dev/zero | tr '\\0' f | timeout 2 socat -b 65000 -t 0.3 - UDP4:{to}"
    ));
}

fn fragments(host: &SeedHost) {
    let _dns = echo(&host.redis, "UDP4", 53);
    send_long(&host.client, "10.146.22.21:5300,sourceport=50001");
    ping(&host.client, "10.146.22.21", "", 20, 1, 3000);
    ping(&host.redis, "10.110.124.185", "", 21, 1, 3000);
    send_long(&host.other, "172.17.0.5:53,sourceport=50002");
}

fn fragments_untracked(host: &SeedHost) {
    let _dns = echo(&host.redis, "UDP4", 53);
    host.client.ip("route add 172.17.0.0/16 via 10.146.22.21");
    send_long(&host.client, "172.17.0.5:53,sourceport=50001");
    ping(&host.client, "172.17.0.5", "", 20, 1, 3000);
    ping(&host.client, "10.146.22.21", "", 21, 1, 3000);
    send_long(&host.other, "172.17.0.5:53,sourceport=50002");
}

fn fragments_bridged(host: &SeedHost) {
    let _dns = echo(&host.redis, "UDP4", 53);
    send_long(&host.other, "172.17.0.5:53,sourceport=50002");
    ping(&host.other, "172.17.0.5", "", 22, 1, 3000);
}

fn redirect(host: &SeedHost) {
    let _web = echo(&host.dhost, "TCP4", 8080);
    host.client.ip("route add 172.17.0.0/16 via 10.146.22.21");
    for (port, to) in
        [(50001, "10.146.22.21 80"), (50002, "172.17.0.5 80"), (50003, "172.17.0.99 80")]
    {
        host.client.attempt(&format!("echo hello | timeout 2 nc -N -p {port} {to}"));
    }
    host.client.attempt("echo hello | timeout 2 nc -N -p 50004 10.146.22.21 8080");
    host.dhost.attempt("echo hello | timeout 2 nc -N -p 50005 172.17.0.5 81");
}

fn loopback(host: &SeedHost) {
    let _web = echo(&host.dhost, "TCP4", 8080);
    let _dns = echo(&host.dhost, "UDP4", 53);
    host.dhost.attempt("echo hello | timeout 2 nc -N -p 50001 127.0.0.1 8080");
    host.dhost.attempt("echo hello | timeout 2 nc -N -p 50002 10.146.22.21 8080");
    host.dhost.attempt("echo hello | timeout 2 nc -N -p 50003 127.0.0.1 8081");
    host.dhost.attempt("echo hello | timeout 2 socat -t 0.2 - UDP4:127.0.0.1:53,sourceport=50004");
    host.dhost.attempt("echo hello | timeout 2 socat -t 0.2 - UDP4:127.0.0.1:54,sourceport=50005");
    ping(&host.dhost, "127.0.0.1", "", 30, 2, 64);
    ping(&host.dhost, "172.17.42.1", "", 31, 1, 64);
}

fn local(host: &SeedHost) {
    let _redis = host.serve_redis();
    let _web = echo(&host.dhost, "TCP4", 8080);
    let _far = echo(&host.client, "TCP4", 8081);
    SeedHost::ask(&host.dhost, "-h 10.146.22.21 -p 40000 SET docker awesome");
    SeedHost::ask(&host.dhost, "-h 172.17.0.5 GET docker");
    host.client.attempt("echo hello | timeout 2 nc -N -p 50001 10.146.22.21 8080");
    host.dhost.attempt("echo hello | timeout 2 nc -N -p 50002 10.110.124.185 8081");
    host.redis.attempt("echo hello | timeout 2 nc -N -p 50003 172.17.42.1 8080");
}

fn hairpin(host: &SeedHost) {
    let _redis = host.serve_redis();
    let _proxy = host.serve_proxy();
    SeedHost::ask(&host.other, "-h 10.146.22.21 -p 40000 GET docker");
    SeedHost::ask(&host.redis, "-h 10.146.22.21 -p 40000 GET docker");
}
