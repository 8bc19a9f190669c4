//! Case 2: the host asks its own published port, and docker-proxy answers.
//!
//! Two connections come of it: the user's over the loopback device, and the
//! proxy's own into the container. A packet passes the loopback device once
//! out and once in; on the way in it is the same packet still, so the nat table
//! is not asked again. Both TRACE rules of the raw table that match it there are
//! printed, for it is traced already.

use super::Case;
use crate::lab::host::{MANGLE_AND_SECURITY, Plan, SEED, SEED_NAT, SeedHost};
use crate::lab::truth::Expected;

/// The seed's rules, and what is needed to see the host's own packets.
const RAW: &str = "\
-A PREROUTING -p tcp -m tcp --dport 40000 -j TRACE
-A PREROUTING -p tcp -m tcp --sport 6379 -j TRACE
-A OUTPUT -p tcp -m tcp --dport 40000 -j TRACE
-A OUTPUT -p tcp -m tcp --sport 40000 -j TRACE
-A OUTPUT -p tcp -m tcp --dport 6379 -j TRACE
";

const USER: Expected = Expected {
    original: "127.0.0.1:* → 127.0.0.1:40000",
    reply: "127.0.0.1:40000 → 127.0.0.1:*",
    first_original: &[],
    first_reply: &[],
    verdict: "accepted",
    nat: &[],
    links: &["proxy"],
};

const PROXY: Expected = Expected {
    original: "172.17.42.1:* → 172.17.0.5:6379",
    reply: "172.17.0.5:6379 → 172.17.42.1:*",
    ..USER
};

pub(crate) const THROUGH_PROXY: Case = Case {
    name: "case2-localhost-proxy",
    plan: Plan { raw: RAW, ..SEED },
    drive,
    expected: &[
        Expected {
            first_original: &[
                "raw:OUTPUT:policy:4",
                "nat:OUTPUT:policy:2",
                "filter:OUTPUT:policy:1",
                "nat:POSTROUTING:policy:2",
                "raw:PREROUTING:rule:1",
                "raw:PREROUTING:policy:3",
                "filter:INPUT:policy:1",
            ],
            first_reply: &[
                "raw:OUTPUT:policy:4",
                "filter:OUTPUT:policy:1",
                "raw:PREROUTING:policy:3",
                "filter:INPUT:policy:1",
            ],
            ..USER
        },
        Expected {
            first_original: &[
                "raw:OUTPUT:policy:4",
                "nat:OUTPUT:policy:2",
                "filter:OUTPUT:policy:1",
                "nat:POSTROUTING:policy:2",
                "eb:filter:OUTPUT",
                "eb:nat:OUTPUT",
                "eb:nat:POSTROUTING",
            ],
            first_reply: &[
                "eb:nat:PREROUTING",
                "raw:PREROUTING:policy:3",
                "eb:filter:INPUT",
                "filter:INPUT:policy:1",
            ],
            ..PROXY
        },
    ],
};

pub(crate) const EVERY_TABLE: Case = Case {
    name: "case2-localhost-proxy-every-table",
    plan: Plan { raw: RAW, tables: &[SEED_NAT, MANGLE_AND_SECURITY], ..SEED },
    drive,
    expected: &[
        Expected {
            first_original: &[
                "raw:OUTPUT:policy:4",
                "mangle:OUTPUT:policy:1",
                "nat:OUTPUT:policy:2",
                "filter:OUTPUT:policy:1",
                "security:OUTPUT:policy:1",
                "mangle:POSTROUTING:policy:1",
                "nat:POSTROUTING:policy:2",
                "raw:PREROUTING:rule:1",
                "raw:PREROUTING:policy:3",
                "mangle:PREROUTING:policy:1",
                "mangle:INPUT:policy:1",
                "filter:INPUT:policy:1",
                "security:INPUT:policy:1",
            ],
            first_reply: &[
                "raw:OUTPUT:policy:4",
                "mangle:OUTPUT:policy:1",
                "filter:OUTPUT:policy:1",
                "security:OUTPUT:policy:1",
                "mangle:POSTROUTING:policy:1",
                "raw:PREROUTING:policy:3",
                "mangle:PREROUTING:policy:1",
                "mangle:INPUT:policy:1",
                "filter:INPUT:policy:1",
                "security:INPUT:policy:1",
            ],
            ..USER
        },
        Expected {
            first_original: &[
                "raw:OUTPUT:policy:4",
                "mangle:OUTPUT:policy:1",
                "nat:OUTPUT:policy:2",
                "filter:OUTPUT:policy:1",
                "security:OUTPUT:policy:1",
                "mangle:POSTROUTING:policy:1",
                "nat:POSTROUTING:policy:2",
                "eb:filter:OUTPUT",
                "eb:nat:OUTPUT",
                "eb:nat:POSTROUTING",
            ],
            first_reply: &[
                "eb:nat:PREROUTING",
                "raw:PREROUTING:policy:3",
                "mangle:PREROUTING:policy:1",
                "eb:filter:INPUT",
                "mangle:INPUT:policy:1",
                "filter:INPUT:policy:1",
                "security:INPUT:policy:1",
            ],
            ..PROXY
        },
    ],
};

fn drive(host: &SeedHost) {
    let _redis = host.serve_redis();
    SeedHost::ask(&host.redis, "SET docker awesome");
    let _proxy = host.serve_proxy();
    let answer = SeedHost::ask(&host.dhost, "-h 127.0.0.1 -p 40000 GET docker");
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "awesome");
}
