//! Case 1: a remote user asks redis through the published port.
//!
//! The request is routed into the bridge: it meets the bridge's OUTPUT and
//! POSTROUTING only. The answer comes in through a port, and meets the bridge's
//! PREROUTING and INPUT. With `bridge-nf-call-iptables` the IP PREROUTING chains
//! run inside the bridge, between these two; without, after them.

use super::Case;
use crate::lab::host::{MANGLE_AND_SECURITY, Plan, SEED, SEED_NAT, SeedHost};
use crate::lab::truth::Expected;

const CONNECTION: Expected = Expected {
    original: "10.110.124.185:* → 10.146.22.21:40000",
    reply: "172.17.0.5:6379 → 10.110.124.185:*",
    first_original: &[],
    first_reply: &[],
    verdict: "accepted",
    nat: &["dnat 10.146.22.21:40000 → 172.17.0.5:6379"],
    links: &[],
};

pub(crate) const AS_THE_SEED: Case = Case {
    name: "case1-remote",
    plan: SEED,
    drive,
    expected: &[Expected {
        first_original: &[
            "raw:PREROUTING:policy:3",
            "nat:PREROUTING:rule:1",
            "nat:DOCKER:rule:1",
            "filter:FORWARD:policy:4",
            "nat:POSTROUTING:policy:2",
            "eb:filter:OUTPUT",
            "eb:nat:OUTPUT",
            "eb:nat:POSTROUTING",
        ],
        first_reply: &[
            "eb:nat:PREROUTING",
            "raw:PREROUTING:policy:3",
            "eb:filter:INPUT",
            "filter:FORWARD:rule:2",
        ],
        ..CONNECTION
    }],
};

pub(crate) const BEHIND_THE_BRIDGE: Case = Case {
    name: "case1-remote-brnf0",
    plan: Plan { bridge_netfilter: "0", tables: &[SEED_NAT, MANGLE_AND_SECURITY], ..SEED },
    drive,
    expected: &[Expected {
        first_original: &[
            "raw:PREROUTING:policy:3",
            "mangle:PREROUTING:policy:1",
            "nat:PREROUTING:rule:1",
            "nat:DOCKER:rule:1",
            "mangle:FORWARD:policy:1",
            "filter:FORWARD:policy:4",
            "security:FORWARD:policy:1",
            "mangle:POSTROUTING:policy:1",
            "nat:POSTROUTING:policy:2",
            "eb:filter:OUTPUT",
            "eb:nat:OUTPUT",
            "eb:nat:POSTROUTING",
        ],
        first_reply: &[
            "eb:nat:PREROUTING",
            "eb:filter:INPUT",
            "raw:PREROUTING:policy:3",
            "mangle:PREROUTING:policy:1",
            "mangle:FORWARD:policy:1",
            "filter:FORWARD:rule:2",
            "security:FORWARD:policy:1",
            "mangle:POSTROUTING:policy:1",
        ],
        ..CONNECTION
    }],
};

fn drive(host: &SeedHost) {
    let _redis = host.serve_redis();
    let answer = SeedHost::ask(&host.client, "-h 10.146.22.21 -p 40000 SET docker awesome");
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "OK");
}
