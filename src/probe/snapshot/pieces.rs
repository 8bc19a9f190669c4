//! What a snapshot is made of: which program says it, and under which name it is kept.

/// One piece that a single program says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// For people.
    pub what: &'static str,
    /// The file's name.
    pub file: &'static str,
    /// A file of `/proc` that is there when the kernel has the part at all, and what it means when it is not. Programs that ask
    /// for a part which is not loaded make the kernel load it: nobody is asked then.
    pub needs: Option<(&'static str, &'static str)>,
    /// Who may be asked, the best first: the first one that is installed is.
    pub ways: &'static [Way],
    /// What is kept of the answer.
    pub keep: Keep,
}

/// A program that says a piece.
#[derive(Debug)]
pub(super) struct Way {
    /// It and its arguments.
    pub command: &'static [&'static str],
    /// The back end that the plain tool of the family must have, for programs that serve either.
    pub only_if: Option<(&'static str, BackEnd)>,
}

/// Where a family's rules live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackEnd {
    /// `x_tables`, `ebtables` of old: what TRACE prints about.
    Legacy,
    /// `nf_tables`.
    Nft,
}

impl BackEnd {
    /// Reads what `iptables -V` or `ebtables -V` says: `iptables v1.8.9 (nf_tables)`.
    pub fn of_version(text: &str) -> Self {
        if text.contains("nf_tables") { Self::Nft } else { Self::Legacy }
    }
}

/// What is kept of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// All of it, or nothing: half a rule set would be a lie.
    Whole,
    /// As many lines as there are.
    Lines,
    /// The kernel settings that matter.
    Settings,
}

const fn way(command: &'static [&'static str]) -> Way {
    Way { command, only_if: None }
}

const fn if_plain(command: &'static [&'static str], tool: &'static str, back_end: BackEnd) -> Way {
    Way { command, only_if: Some((tool, back_end)) }
}

const fn rules(what: &'static str, file: &'static str, ways: &'static [Way]) -> Piece {
    Piece { what, file, needs: None, ways, keep: Keep::Whole }
}

const fn facts(what: &'static str, file: &'static str, ways: &'static [Way]) -> Piece {
    Piece { what, file, needs: None, ways, keep: Keep::Lines }
}

const fn only_with(proc: &'static str, otherwise: &'static str, piece: Piece) -> Piece {
    Piece { needs: Some((proc, otherwise)), ..piece }
}

const NO_TABLES: &str = "no legacy table is loaded";
const NO_CONNTRACK: &str = "conntrack is not loaded";
const CONNTRACK: &str = "/proc/sys/net/netfilter/nf_conntrack_max";

/// Rule sets. Legacy `ebtables` is asked table by table, see `bridges`.
pub(super) const RULES: &[Piece] = &[
    only_with(
        "/proc/net/ip_tables_names",
        NO_TABLES,
        rules(
            "IPv4 rules, legacy",
            "iptables-legacy-save.txt",
            &[
                way(&["iptables-legacy-save", "-c"]),
                if_plain(&["iptables-save", "-c"], "iptables", BackEnd::Legacy),
            ],
        ),
    ),
    rules(
        "IPv4 rules, nf_tables",
        "iptables-nft-save.txt",
        &[
            way(&["iptables-nft-save", "-c"]),
            if_plain(&["iptables-save", "-c"], "iptables", BackEnd::Nft),
        ],
    ),
    only_with(
        "/proc/net/ip6_tables_names",
        NO_TABLES,
        rules(
            "IPv6 rules, legacy",
            "ip6tables-legacy-save.txt",
            &[
                way(&["ip6tables-legacy-save", "-c"]),
                if_plain(&["ip6tables-save", "-c"], "ip6tables", BackEnd::Legacy),
            ],
        ),
    ),
    rules(
        "IPv6 rules, nf_tables",
        "ip6tables-nft-save.txt",
        &[
            way(&["ip6tables-nft-save", "-c"]),
            if_plain(&["ip6tables-save", "-c"], "ip6tables", BackEnd::Nft),
        ],
    ),
    rules(
        "bridge rules, nf_tables",
        "ebtables-nft-save.txt",
        &[way(&["ebtables-nft-save"]), if_plain(&["ebtables-save"], "ebtables", BackEnd::Nft)],
    ),
    rules("nftables rules", "nft-ruleset.txt", &[way(&["nft", "list", "ruleset"])]),
];

/// Everything else that one program says.
pub(super) const FACTS: &[Piece] = &[
    facts("addresses", "ip-addr.txt", &[way(&["ip", "addr"]), way(&["ifconfig", "-a"])]),
    facts(
        "IPv4 routes",
        "ip-route.txt",
        &[way(&["ip", "route", "show", "table", "all"]), way(&["route", "-n"])],
    ),
    facts("IPv6 routes", "ip-route6.txt", &[way(&["ip", "-6", "route", "show", "table", "all"])]),
    facts("IPv4 routing policy", "ip-rule.txt", &[way(&["ip", "rule"])]),
    facts("IPv6 routing policy", "ip-rule6.txt", &[way(&["ip", "-6", "rule"])]),
    facts("neighbours", "ip-neigh.txt", &[way(&["ip", "neigh"]), way(&["arp", "-n"])]),
    facts("bridge ports", "bridge-link.txt", &[way(&["bridge", "link"]), way(&["brctl", "show"])]),
    facts("bridge VLANs", "bridge-vlan.txt", &[way(&["bridge", "vlan"])]),
    Piece {
        what: "kernel settings",
        file: "sysctl.txt",
        ways: &[way(&["sysctl", "-a"])],
        keep: Keep::Settings,
        needs: None,
    },
    only_with(
        CONNTRACK,
        NO_CONNTRACK,
        facts(
            "IPv4 connections",
            "conntrack.txt",
            &[way(&["conntrack", "-L", "-f", "ipv4"]), way(&["cat", "/proc/net/nf_conntrack"])],
        ),
    ),
    only_with(
        CONNTRACK,
        NO_CONNTRACK,
        facts("IPv6 connections", "conntrack6.txt", &[way(&["conntrack", "-L", "-f", "ipv6"])]),
    ),
];

/// The forwarding tables of all bridges, where `bridge` is installed.
pub(super) const FDB: Piece =
    facts("bridge forwarding", "bridge-fdb.txt", &[way(&["bridge", "fdb", "show"])]);
