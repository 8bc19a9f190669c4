//! Where the prefix ends, and what it says.

use tracecol::model::{LineKind, Site, SiteKind};

use super::{read_lines, read_one};

const FIELDS: &str =
    "IN=eth0 OUT= SRC=192.0.2.9 DST=192.0.2.1 LEN=36 TOS=0x00 PREC=0xC0 TTL=1 ID=0 PROTO=2 ";

fn site(prefix: &str) -> Site {
    read_one(format!("{prefix}{FIELDS}")).site
}

fn log(prefix: &str) -> Site {
    Site::Log { prefix: prefix.as_bytes().into() }
}

fn trace(table: &str, chain: &str, kind: SiteKind) -> Site {
    Site::Trace { table: table.as_bytes().into(), chain: chain.as_bytes().into(), kind }
}

#[test]
fn trace_prefixes_are_read_from_the_right() {
    let cases = [
        ("TRACE: raw:PREROUTING:policy:3 ", trace("raw", "PREROUTING", SiteKind::Policy(3))),
        ("TRACE: filter:A:rule:1:rule:3 ", trace("filter", "A:rule:1", SiteKind::Rule(3))),
        ("TRACE: filter:IN=x:return:1 ", trace("filter", "IN=x", SiteKind::Return(1))),
        ("TRACE: nat:DOCKER:return:2  ", trace("nat", "DOCKER", SiteKind::Return(2))),
        (
            "TRACE: mytable:in:policy:4294967295 ",
            trace("mytable", "in", SiteKind::Policy(u32::MAX)),
        ),
        ("host kernel: [ 12.345678] TRACE: nat:D:rule:1 ", trace("nat", "D", SiteKind::Rule(1))),
    ];
    for (prefix, expected) in cases {
        assert_eq!(site(prefix), expected, "{prefix}");
    }
}

#[test]
fn what_only_begins_like_a_trace_is_a_log_prefix() {
    for prefix in [
        "TRACE: ",
        "TRACE: eb:nat:OUTPUT ",
        "TRACE: filter:INPUT:drop:3 ",
        "TRACE: filter:INPUT:rule:x ",
        "TRACE: filter:INPUT:rule:4294967296 ",
        "TRACE: :INPUT:rule:1 ",
        "TRACE: a b:INPUT:rule:1 ",
    ] {
        assert_eq!(site(prefix), log(prefix));
    }
}

#[test]
fn log_prefixes_have_any_shape() {
    for prefix in [
        "",
        "no-space:",
        "[UFW BLOCK] ",
        "with \"quotes\" IN=x OUT=y ",
        "CHAIN=",
        "PLUGIN=off ",
        "Shorewall:net2fw:DROP:",
        "  two  blanks  ",
        "MAC=1 SRC=here ",
        "filter_IN_public_REJECT: ",
        "caf\u{e9} \u{1f6d1} ",
        "nf_ct_proto_6: bad checksum ",
    ] {
        let read = read_one(format!("{prefix}{FIELDS}"));
        assert_eq!(read.site, log(prefix));
        assert_eq!(read.header.devices.input.unwrap().as_bytes(), b"eth0", "{prefix}");
        assert!(read.header.unknown.is_none(), "{prefix}");
    }
}

#[test]
fn an_envelope_nobody_peeled_is_no_part_of_the_prefix() {
    assert_eq!(site("2026/11/22 13.27 gw kernel: [  203.842973] DROP "), log("DROP "));
    assert_eq!(site("gw kernel: [UFW BLOCK] "), log("[UFW BLOCK] "));
}

#[test]
fn device_names_may_be_strange() {
    for name in ["a=b", "\"q\"", "e\u{1b}[31mX", "enx503f560021dc", "vmbr0.94", "IN"] {
        let read = read_one(format!("p IN={name} OUT={name} {}", &FIELDS["IN=eth0 OUT= ".len()..]));
        assert_eq!(read.header.devices.input.unwrap().as_bytes(), name.as_bytes());
        assert_eq!(read.header.devices.output.unwrap().as_bytes(), name.as_bytes());
        assert_eq!(read.site, log("p "));
    }
}

#[test]
fn ebtables_prefixes_follow_a_convention_or_not() {
    let frame =
        " IN= OUT=veth0 MAC source = 02:00:00:00:00:01 MAC dest = 02:00:00:00:00:02 proto = 0x0026";
    let bridge = |prefix: &str| Site::Bridge {
        table: b"nat".as_slice().into(),
        chain: b"OUTPUT".as_slice().into(),
        prefix: prefix.as_bytes().into(),
    };
    for prefix in
        ["TRACE: eb:nat:OUTPUT", "TRACE: eb:nat:OUTPUT ", "eb:nat:OUTPUT:", "x:eb:nat:OUTPUT"]
    {
        let output = read_lines([format!("{prefix}{frame}").as_bytes()]);
        assert_eq!(output.kinds, [LineKind::Ebtables]);
        assert_eq!(output.entries[0].site, bridge(prefix));
    }
    for prefix in
        ["", "eb-all:", "web:nat:OUTPUT", "eb:nat:", "eb::OUTPUT", "nat:OUTPUT", "eb:a b:c"]
    {
        let read = read_one(format!("{prefix}{frame}"));
        assert_eq!(read.site, Site::BridgeLog { prefix: prefix.as_bytes().into() });
    }
}
