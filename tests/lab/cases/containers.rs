//! Case 3: a container asks another, with inter-container communication on, off, and off but linked.
//!
//! The frame is bridged, and the bridge lends it to the IP chains: to PREROUTING
//! after its own, to FORWARD inside its own, to POSTROUTING at its end. A DROP in
//! FORWARD shows as a way that simply ends there.

use super::Case;
use crate::lab::host::{MANGLE_AND_SECURITY, Plan, SEED, SEED_NAT, SeedHost};
use crate::lab::truth::Expected;

/// The seed's rules, and one for the requests, which do not pass the published port here.
const RAW: &str = "\
-A PREROUTING -p tcp -m tcp --dport 40000 -j TRACE
-A PREROUTING -p tcp -m tcp --sport 6379 -j TRACE
-A PREROUTING -p tcp -m tcp --dport 6379 -j TRACE
";

/// What `icc=false` makes of the seed's first rule.
const ICC_OFF: &str = "\
-A FORWARD -i docker0 -o docker0 -j DROP
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
";

/// The seed's link between the two, before the DROP.
const LINK: &str = "\
-A FORWARD -s 172.17.0.2/32 -d 172.17.0.4/32 -i docker0 -o docker0 -p tcp -m tcp --sport 6379 -j ACCEPT
-A FORWARD -s 172.17.0.4/32 -d 172.17.0.2/32 -i docker0 -o docker0 -p tcp -m tcp --dport 6379 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j DROP
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
";

/// The addresses of the seed's link rules.
const CONTAINERS: Plan = Plan { redis: "172.17.0.2", other: "172.17.0.4", raw: RAW, ..SEED };

const CONNECTION: Expected = Expected {
    original: "172.17.0.4:* → 172.17.0.2:6379",
    reply: "172.17.0.2:6379 → 172.17.0.4:*",
    first_original: &[],
    first_reply: &[],
    verdict: "accepted",
    nat: &[],
    links: &[],
};

pub(crate) const ALLOWED: Case = Case {
    name: "case3-container-to-container",
    plan: CONTAINERS,
    drive: ask_linked,
    expected: &[Expected {
        first_original: &[
            "eb:nat:PREROUTING",
            "raw:PREROUTING:policy:4",
            "nat:PREROUTING:policy:2",
            "eb:filter:FORWARD",
            "filter:FORWARD:rule:1",
            "eb:nat:POSTROUTING",
            "nat:POSTROUTING:policy:2",
        ],
        first_reply: &[
            "eb:nat:PREROUTING",
            "raw:PREROUTING:policy:4",
            "eb:filter:FORWARD",
            "filter:FORWARD:rule:1",
            "eb:nat:POSTROUTING",
        ],
        ..CONNECTION
    }],
};

pub(crate) const DROPPED: Case = Case {
    name: "case3-icc-off-dropped",
    plan: Plan { filter: ICC_OFF, ..CONTAINERS },
    drive: ask_in_vain,
    expected: &[Expected {
        reply: "",
        first_original: &[
            "eb:nat:PREROUTING",
            "raw:PREROUTING:policy:4",
            "nat:PREROUTING:policy:2",
            "eb:filter:FORWARD",
            "filter:FORWARD:rule:1",
        ],
        verdict: "dropped",
        ..CONNECTION
    }],
};

pub(crate) const LINKED: Case = Case {
    name: "case3-icc-off-linked",
    plan: Plan { filter: LINK, ..CONTAINERS },
    drive: ask_linked,
    expected: &[Expected {
        first_original: &[
            "eb:nat:PREROUTING",
            "raw:PREROUTING:policy:4",
            "nat:PREROUTING:policy:2",
            "eb:filter:FORWARD",
            "filter:FORWARD:rule:2",
            "eb:nat:POSTROUTING",
            "nat:POSTROUTING:policy:2",
        ],
        first_reply: &[
            "eb:nat:PREROUTING",
            "raw:PREROUTING:policy:4",
            "eb:filter:FORWARD",
            "filter:FORWARD:rule:1",
            "eb:nat:POSTROUTING",
        ],
        ..CONNECTION
    }],
};

pub(crate) const LINKED_EVERY_TABLE: Case = Case {
    name: "case3-icc-off-linked-every-table",
    plan: Plan { filter: LINK, tables: &[SEED_NAT, MANGLE_AND_SECURITY], ..CONTAINERS },
    drive: ask_linked,
    expected: &[Expected {
        first_original: &[
            "eb:nat:PREROUTING",
            "raw:PREROUTING:policy:4",
            "mangle:PREROUTING:policy:1",
            "nat:PREROUTING:policy:2",
            "eb:filter:FORWARD",
            "mangle:FORWARD:policy:1",
            "filter:FORWARD:rule:2",
            "security:FORWARD:policy:1",
            "eb:nat:POSTROUTING",
            "mangle:POSTROUTING:policy:1",
            "nat:POSTROUTING:policy:2",
        ],
        first_reply: &[
            "eb:nat:PREROUTING",
            "raw:PREROUTING:policy:4",
            "mangle:PREROUTING:policy:1",
            "eb:filter:FORWARD",
            "mangle:FORWARD:policy:1",
            "filter:FORWARD:rule:1",
            "security:FORWARD:policy:1",
            "eb:nat:POSTROUTING",
            "mangle:POSTROUTING:policy:1",
        ],
        ..CONNECTION
    }],
};

fn ask_linked(host: &SeedHost) {
    let _redis = host.serve_redis();
    SeedHost::ask(&host.redis, "SET docker awesome");
    let answer = SeedHost::ask(&host.other, "-h 172.17.0.2 GET docker");
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "awesome");
}

/// Long enough for one retransmission.
fn ask_in_vain(host: &SeedHost) {
    let _redis = host.serve_redis();
    let answer = host.other.attempt("timeout 1.5 redis-cli -h 172.17.0.2 GET docker");
    assert!(!answer.status.success(), "the firewall let it through: {answer:?}");
}
