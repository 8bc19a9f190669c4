//! The seed's host, built from namespaces: its addresses, MAC addresses, routes and rules to the letter.
//!
//! ```text
//!  client                      dhost                                container namespaces
//!  eth0 10.110.124.185  ─────  eth0 10.146.22.21
//!       10.146.22.125          docker0 172.17.42.1 ┬ veth72x2M5 ──  eth0 (redis)
//!                                                  └ vethW9Q1kD ──  eth0 (other)
//! ```
//!
//! Only `dhost` has rules, so only `dhost` logs.

use std::process::Output;

use super::ground::{is_installed, say};
use super::namespace::Namespace;
use super::server::Server;

/// The remote user's address.
pub(crate) const CLIENT: &str = "10.110.124.185";
/// The gateway's address, held by the client's namespace as well.
pub(crate) const GATEWAY: &str = "10.146.22.125";
/// The Docker host's address.
pub(crate) const HOST: &str = "10.146.22.21";
/// The seed's redis container in its first two cases.
pub(crate) const REDIS: &str = "172.17.0.5";

/// How one scenario's host differs from another's.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// The redis container's address.
    pub(crate) redis: &'static str,
    /// The other container's address.
    pub(crate) other: &'static str,
    /// `bridge-nf-call-iptables`: whether bridged packets meet the IP chains.
    pub(crate) bridge_netfilter: &'static str,
    /// Rules of the raw table, one a line.
    pub(crate) raw: &'static str,
    /// Rules of the filter table, one a line.
    pub(crate) filter: &'static str,
    /// The policy of FORWARD.
    pub(crate) forward_policy: &'static str,
    /// The nat table and more, in the form of `iptables-save`, each with its COMMIT.
    pub(crate) tables: &'static [&'static str],
    /// Tables of `ip6tables-save`; IPv6 is off when empty.
    pub ipv6: &'static str,
}

/// The seed's two trace rules.
pub(crate) const SEED_RAW: &str = "\
-A PREROUTING -p tcp -m tcp --dport 40000 -j TRACE
-A PREROUTING -p tcp -m tcp --sport 6379 -j TRACE
";

/// The seed's filter rules.
pub(crate) const SEED_FILTER: &str = "\
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
";

/// The two tables the seed does not use, empty: their policies show in the path.
pub(crate) const MANGLE_AND_SECURITY: &str = "\
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
COMMIT
*security
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
COMMIT
";

/// The seed's host as it stood.
pub(crate) const SEED: Plan = Plan {
    redis: REDIS,
    other: "172.17.0.4",
    bridge_netfilter: "1",
    raw: SEED_RAW,
    filter: SEED_FILTER,
    forward_policy: "ACCEPT",
    tables: &[SEED_NAT],
    ipv6: "",
};

/// The seed's nat table.
pub(crate) const SEED_NAT: &str = "\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -d 172.17.0.0/16 -j MASQUERADE
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER -d 10.146.22.21/32 ! -i docker0 -p tcp -m tcp --dport 40000 -j DNAT --to-destination 172.17.0.5:6379
COMMIT
";

/// Every chain an ebtables rule can stand in; broute is missing on kernels without it.
const BRIDGE_CHAINS: [(&str, &str); 7] = [
    ("broute", "BROUTING"),
    ("nat", "PREROUTING"),
    ("nat", "OUTPUT"),
    ("nat", "POSTROUTING"),
    ("filter", "INPUT"),
    ("filter", "FORWARD"),
    ("filter", "OUTPUT"),
];

/// The sender of an ARP question is an address of the network it is asked in.
const EVERYWHERE: &str = "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
                          net.ipv4.conf.all.arp_announce=2";
const WITH_IPV6: &str = "net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
                         net.ipv6.conf.default.accept_dad=0";
const ON_THE_HOST: &str = "net.ipv4.ip_forward=1 net.netfilter.nf_conntrack_acct=1 \
                           net.netfilter.nf_log.2=nf_log_ipv4 net.netfilter.nf_log.7=nf_log_bridge \
                           net.netfilter.nf_log.10=nf_log_ipv6";

/// The host and its surroundings. Its devices go with the namespaces.
pub(crate) struct SeedHost {
    pub(crate) dhost: Namespace,
    pub(crate) client: Namespace,
    pub(crate) redis: Namespace,
    pub(crate) other: Namespace,
    pub(crate) plan: Plan,
}

impl SeedHost {
    /// Builds it; nothing has crossed a wire yet, so no neighbour is known.
    pub(crate) fn build(plan: Plan) -> Self {
        let dhost = Namespace::new("dhost");
        let client = Namespace::new("client");
        let redis = Namespace::new("redis");
        let other = Namespace::new("other");
        let host = Self { dhost, client, redis, other, plan };
        host.set_parameters();
        host.lay_uplink();
        host.lay_bridge();
        host.load_rules();
        host
    }

    fn set_parameters(&self) {
        for namespace in [&self.dhost, &self.client, &self.redis, &self.other] {
            namespace.sysctl(EVERYWHERE);
            // Above the published port, so that a port tells which side it belongs to.
            namespace.script("sysctl -qw net.ipv4.ip_local_port_range='49152 60999'");
            if !self.plan.ipv6.is_empty() {
                namespace.sysctl(WITH_IPV6);
            }
        }
        self.dhost.sysctl(ON_THE_HOST);
        for family in ["iptables", "ip6tables", "arptables"] {
            let value = self.plan.bridge_netfilter;
            self.dhost.sysctl(&format!("net.bridge.bridge-nf-call-{family}={value}"));
        }
    }

    fn lay_uplink(&self) {
        let client = self.client.name();
        self.dhost.ip(&format!(
            "link add eth0 address 00:50:56:a6:99:f1 type veth peer name eth0 address 00:50:56:a6:22:7d netns {client}"
        ));
        self.dhost.ip(&format!("addr add {HOST}/24 broadcast + dev eth0"));
        self.dhost.ip("link set eth0 up");
        self.client.ip(&format!("addr add {GATEWAY}/24 dev eth0"));
        self.client.ip(&format!("addr add {CLIENT}/32 dev eth0"));
        self.client.ip("link set eth0 up");
        self.client.ip(&format!("route replace 10.146.22.0/24 dev eth0 src {CLIENT}"));
        self.dhost.ip("route add 169.254.0.0/16 dev eth0 scope link metric 1002");
        self.dhost.ip(&format!("route add default via {GATEWAY} dev eth0"));
    }

    fn lay_bridge(&self) {
        self.dhost.ip("link add docker0 address fe:bb:ce:6d:95:40 type bridge mcast_snooping 0");
        self.dhost.ip("addr add 172.17.42.1/16 dev docker0");
        self.dhost.ip("link set docker0 up");
        let ports = [
            (&self.redis, self.plan.redis, "veth72x2M5", "fe:bb:ce:6d:95:40", "9e:93:85:3f:24:b5"),
            (&self.other, self.plan.other, "vethW9Q1kD", "fe:d1:07:5a:c2:3e", "c6:0a:41:8e:77:12"),
        ];
        for (container, address, port, outer, inner) in ports {
            let name = container.name();
            self.dhost.ip(&format!(
                "link add {port} address {outer} type veth peer name eth0 address {inner} netns {name}"
            ));
            self.dhost.ip(&format!("link set {port} master docker0 up"));
            container.ip(&format!("addr add {address}/16 dev eth0"));
            container.ip("link set eth0 up");
            container.ip("route add default via 172.17.42.1");
        }
    }

    fn load_rules(&self) {
        let Plan { raw, filter, forward_policy, ipv6, .. } = self.plan;
        let tables = self.plan.tables.concat();
        self.dhost.script(&format!(
            "iptables-legacy-restore <<'END'\n\
             *raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{raw}COMMIT\n\
             *filter\n:INPUT ACCEPT [0:0]\n:FORWARD {forward_policy} [0:0]\n:OUTPUT ACCEPT [0:0]\n{filter}COMMIT\n\
             {tables}END"
        ));
        if !ipv6.is_empty() {
            self.dhost.script(&format!("ip6tables-legacy-restore <<'END'\n{ipv6}END"));
        }
        for (table, chain) in BRIDGE_CHAINS {
            let probe = self.dhost.attempt(&format!("ebtables -t {table} -L {chain}"));
            assert!(probe.status.success() || table == "broute", "ebtables has no {table} {chain}");
            if probe.status.success() {
                self.dhost.script(&format!(
                    "ebtables -t {table} -A {chain} --log-level 6 --log-ip --log-ip6 --log-arp \
                     --log-prefix 'TRACE: eb:{table}:{chain}' -j ACCEPT"
                ));
            }
        }
    }

    /// Starts the real redis-server in the redis container.
    pub(crate) fn serve_redis(&self) -> Server {
        let mut command = self.redis.command("redis-server");
        let words = "--port 6379 --bind 0.0.0.0 --protected-mode no --appendonly no --daemonize no";
        command
            .args(words.split_whitespace())
            .args(["--save", ""])
            .current_dir(std::env::temp_dir());
        Server::listening(command.stdout(std::process::Stdio::null()), "tcp", 6379)
    }

    /// Starts Docker's own userland proxy on the host, or socat in its stead where it is not installed.
    pub(crate) fn serve_proxy(&self) -> Server {
        let mut command = if is_installed("docker-proxy") {
            // It reports on descriptor 3 that it is ready.
            let mut command = self.dhost.command("sh");
            command.args([
                "-c",
                "exec docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 40000 \
                                 -container-ip 172.17.0.5 -container-port 6379 3>/dev/null",
            ]);
            command
        } else {
            say("docker-proxy (Debian package docker.io) is not installed: socat stands in for it");
            let mut command = self.dhost.command("socat");
            command.args(["TCP4-LISTEN:40000,fork,reuseaddr", "TCP4:172.17.0.5:6379"]);
            command
        };
        Server::listening(&mut command, "tcp", 40000)
    }

    /// Asks redis in `namespace`'s name, in at most three seconds.
    pub(crate) fn ask(namespace: &Namespace, words: &str) -> Output {
        namespace.attempt(&format!("timeout 3 redis-cli {words}"))
    }

    /// The host's own tools on its rules, addresses, routes and bridge, named as in `sample-logs`.
    pub(crate) fn context(&self) -> Vec<(&'static str, String)> {
        // A real host's tools see no names of foreign namespaces; here they would see ours.
        let plain = "mount -t tmpfs none /run/netns;";
        [
            ("iptables.rules", "iptables-legacy-save"),
            ("ebtables.rules", "ebtables-save"),
            ("ip-addr.txt", "ip addr show"),
            ("ip-route.txt", "ip route show"),
            ("bridge-fdb.txt", "bridge fdb show"),
            ("bridge-link.txt", "bridge link show"),
        ]
        .map(|(name, tool)| (name, self.dhost.script(&format!("{plain} {tool}"))))
        .to_vec()
    }
}
