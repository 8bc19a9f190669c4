//! The filter language: what it understands, and where its errors point.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use tracecol::filter::{
    AddressRange, Clock, Device, Expr, FilterError, NumberRange, OneOf, Place, ProtocolName,
    RulePattern, Side, Term, parse,
};
use tracecol::model::{
    ConnectionState, Hook, LinkKind, Mac, NatKind, Protocol, TcpState, VerdictKind, WallTime,
};

const NOW: WallTime = WallTime(1_795_352_867_000_000);

fn read(text: &str) -> Result<Expr, FilterError> {
    parse(text, &Clock { now: Some(NOW), utc_offset: 0 })
}

fn term(text: &str) -> Term {
    match read(text) {
        Ok(Expr::Term(term)) => term,
        other => panic!("{text}: {other:?}"),
    }
}

fn addresses(first: &str, last: &str) -> AddressRange {
    AddressRange { first: first.parse().unwrap(), last: last.parse().unwrap() }
}

fn numbers(first: u64, last: u64) -> NumberRange {
    NumberRange { first, last }
}

#[test]
fn every_key_reads_its_values() {
    let one = |address| addresses(address, address);
    let place = |table: &str, chain: &str, place| RulePattern::Place {
        table: table.as_bytes().into(),
        chain: chain.as_bytes().into(),
        place,
    };
    for (text, wanted) in [
        ("addr:10.1.2.3", Term::Address(Side::Any, vec![one("10.1.2.3")])),
        (
            "src:10.0.0.0/8",
            Term::Address(Side::Source, vec![addresses("10.0.0.0", "10.255.255.255")]),
        ),
        (
            "dst:10.0.0.1-10.0.0.9,2001:db8::/126",
            Term::Address(
                Side::Destination,
                vec![addresses("10.0.0.1", "10.0.0.9"), addresses("2001:db8::", "2001:db8::3")],
            ),
        ),
        ("addr:[::1]", Term::Address(Side::Any, vec![one("::1")])),
        ("addr:10.1.2.3/24", Term::Address(Side::Any, vec![addresses("10.1.2.0", "10.1.2.255")])),
        ("port:80,443", Term::Port(Side::Any, vec![numbers(80, 80), numbers(443, 443)])),
        ("sport:1000-2000", Term::Port(Side::Source, vec![numbers(1000, 2000)])),
        ("dport:>1023", Term::Port(Side::Destination, vec![numbers(1024, 65_535)])),
        ("lines:>20", Term::Lines(vec![numbers(21, u64::MAX)])),
        (
            "lines:>=20,<5,<=7",
            Term::Lines(vec![numbers(20, u64::MAX), numbers(0, 4), numbers(0, 7)]),
        ),
        ("host:dhost", Term::Host(vec!["dhost".into()])),
        ("host:\"my \\\"own\\\" host\"", Term::Host(vec!["my \"own\" host".into()])),
        (
            "proto:tcp,UDP,89,arp,ipv6-icmp",
            Term::Protocol(vec![
                ProtocolName::Ip(Protocol::TCP),
                ProtocolName::Ip(Protocol::UDP),
                ProtocolName::Ip(Protocol(89)),
                ProtocolName::Arp,
                ProtocolName::Ip(Protocol::ICMPV6),
            ]),
        ),
        ("in:eth0", Term::Device(Device::In, vec![b"eth0".as_slice().into()])),
        ("out:br-0.5", Term::Device(Device::Out, vec![b"br-0.5".as_slice().into()])),
        ("mac:02:42:ac:11:0:5", Term::Mac(vec![Mac([2, 0x42, 0xac, 0x11, 0, 5])])),
        ("nat:dnat,none", Term::Nat(vec![OneOf::Kind(NatKind::Dnat), OneOf::None])),
        ("nat:any", Term::Nat(vec![OneOf::Any])),
        ("verdict:Dropped", Term::Verdict(vec![VerdictKind::Dropped])),
        (
            "rule:filter/FORWARD/3",
            Term::Rule(vec![place("filter", "FORWARD", Some(Place::Rule(3)))]),
        ),
        ("rule:filter/FORWARD", Term::Rule(vec![place("filter", "FORWARD", None)])),
        ("rule:nat/A/policy", Term::Rule(vec![place("nat", "A", Some(Place::Policy))])),
        ("rule:nat/A/return", Term::Rule(vec![place("nat", "A", Some(Place::Return))])),
        (
            "rule:filter:FORWARD:rule:3",
            Term::Rule(vec![RulePattern::Label("filter:FORWARD:rule:3".into())]),
        ),
        ("chain:DOCKER", Term::Chain(vec![(None, b"DOCKER".as_slice().into())])),
        (
            "chain:nat/DOCKER",
            Term::Chain(vec![(Some(b"nat".as_slice().into()), b"DOCKER".as_slice().into())]),
        ),
        ("hook:forward", Term::Hook(vec![Hook::Forward])),
        (
            "state:syn_sent,assured,closed",
            Term::State(vec![
                ConnectionState::Tcp(TcpState::SynSent),
                ConnectionState::Assured,
                ConnectionState::Tcp(TcpState::Close),
            ]),
        ),
        ("link:icmp_error", Term::Link(vec![OneOf::Kind(LinkKind::IcmpError)])),
        ("since:2026-11-22T13:07:47Z", Term::Since(NOW)),
        ("since:\"2026-11-22 13:07\"", Term::Since(WallTime(NOW.0 - 47_000_000))),
        ("until:\"2026-11-22 13:07\"", Term::Until(WallTime(NOW.0 + 12_999_999))),
        ("since:15m", Term::Since(WallTime(NOW.0 - 900_000_000))),
        ("id:C0123456789ABC", Term::Id(vec!["c0123456789abc".into()])),
    ] {
        assert_eq!(term(text), wanted, "{text}");
    }
}

#[test]
fn words_are_joined() {
    let port = |n| Expr::Term(Term::Port(Side::Any, vec![numbers(n, n)]));
    let not = |expr| Expr::Not(Box::new(expr));
    for (text, wanted) in [
        ("", Expr::All(vec![])),
        ("   ", Expr::All(vec![])),
        ("port:1 port:2", Expr::All(vec![port(1), port(2)])),
        ("port:1 AND port:2", Expr::All(vec![port(1), port(2)])),
        ("port:1 OR port:2", Expr::Any(vec![port(1), port(2)])),
        ("port:1 port:2 OR port:3", Expr::Any(vec![Expr::All(vec![port(1), port(2)]), port(3)])),
        ("port:1 (port:2 OR port:3)", Expr::All(vec![port(1), Expr::Any(vec![port(2), port(3)])])),
        ("-port:1", not(port(1))),
        ("NOT port:1", not(port(1))),
        ("--port:1", port(1)),
        ("-(port:1 -port:2)", not(Expr::All(vec![port(1), not(port(2))]))),
        ("((port:1))", port(1)),
        ("(port:1)(port:2)", Expr::All(vec![port(1), port(2)])),
    ] {
        assert_eq!(read(text), Ok(wanted), "{text}");
    }
}

#[test]
fn errors_point_at_the_column() {
    for (text, column, message, hint) in [
        ("10.1.2.3", 1, "`10.1.2.3` has no key", "write `addr:10.1.2.3`"),
        ("proto:tcp 10.0.0.0/8", 11, "`10.0.0.0/8` has no key", "write `addr:10.0.0.0/8`"),
        ("10.1.2.3:80", 1, "`10.1.2.3:80` has no key", "write `addr:10.1.2.3 port:80`"),
        ("[::1]:80", 1, "`[::1]:80` has no key", "write `addr:::1 port:80`"),
        ("::1", 1, "`::1` has no key", "write `addr:::1`"),
        ("40000", 1, "`40000` has no key", "write `port:40000`"),
        ("dport=80", 1, "`dport=80` has no key", "write `dport:` and a value"),
        ("port:1 or port:2", 8, "`or` has no key", "write `OR`"),
        ("port:1 and port:2", 8, "`and` has no key", "leave it out: a space means AND"),
        ("dprot:80", 1, "there is no key `dprot:`", "did you mean `dport:`?"),
        ("Dport:80", 1, "there is no key `Dport:`", "write `dport:`"),
        ("port:1 -vrdict:dropped", 9, "there is no key `vrdict:`", "did you mean `verdict:`?"),
        ("port:", 6, "a value is missing", ""),
        ("port:80,", 9, "a value is missing", ""),
        ("port:80,https", 9, "`https` is no number", "write 20, 20-30, >20, >=20, <20 or <=20"),
        ("port:70000", 6, "`70000` is above 65535", ""),
        ("port:<0", 6, "`<0` is no range: no number is in it", ""),
        ("port:9-3", 6, "`9-3` is no range: no number is in it", ""),
        (
            "addr:10.1.2",
            6,
            "`10.1.2` is no address",
            "write 10.1.2.3, 10.0.0.0/8, 10.0.0.1-10.0.0.9 or an IPv6 address",
        ),
        ("src:10.1.2.3:80", 5, "`10.1.2.3:80` is no address", "write `addr:10.1.2.3 port:80`"),
        (
            "addr:10.0.0.9-10.0.0.1",
            6,
            "`10.0.0.9-10.0.0.1` is no range of addresses",
            "write the lower address first",
        ),
        ("proto:tpc", 7, "`tpc` is no protocol", "did you mean `tcp`?"),
        ("verdict:drop", 9, "`drop` is no value of this key", "did you mean `dropped`?"),
        (
            "link:x",
            6,
            "`x` is no value of this key",
            "write one of proxy, icmp_error, reset, expectation, arp_wait, retransmission, any, none",
        ),
        ("hook:FORWRD", 6, "`FORWRD` is no hook", "did you mean `FORWARD`?"),
        ("mac:02:42", 5, "`02:42` is no Ethernet address", "write 02:42:ac:11:00:05"),
        (
            "rule:FORWARD",
            6,
            "`FORWARD` is no rule",
            "write table/chain/number, such as filter/FORWARD/3",
        ),
        (
            "rule:filter/FORWARD/x",
            6,
            "`filter/FORWARD/x` is no rule",
            "after the chain comes a number, `policy` or `return`",
        ),
        ("id:123", 4, "`123` is no id", "ids are `c` or `p` and 13 letters or digits"),
        ("since:13:07:47", 7, "`13:07:47` is no time", "it needs a date: \"2026-11-22 13:07:47\""),
        ("since:15m,20m", 11, "`since:` takes one time only", ""),
        ("(port:1", 1, "the `(` is not closed", ""),
        ("port:1)", 7, "a `)` without its `(`", ""),
        ("port:1 ()", 8, "nothing between the parentheses", ""),
        ("port:1 OR", 8, "`OR` needs something on both sides", ""),
        ("OR port:1", 1, "`OR` needs something on both sides", ""),
        ("port:1 -", 8, "`-` needs something to negate", ""),
        ("-OR", 1, "`-` needs something to negate", ""),
        ("host:\"x", 6, "the quote is not closed", ""),
        ("host:a\"b\"", 7, "a quote in the middle of a value", "put the whole value in quotes"),
        ("host:ü café:x", 8, "there is no key `café:`", KEYS),
    ] {
        let error = read(text).expect_err(text);
        assert_eq!(
            (error.column, error.message.as_str(), error.hint.as_deref().unwrap_or_default()),
            (column, message, hint),
            "{text}"
        );
    }
}

const KEYS: &str = "keys are addr: host: src: dst: port: sport: dport: proto: in: out: mac: nat: \
                    verdict: rule: chain: hook: state: link: since: until: id: lines:";

#[test]
fn a_relative_time_needs_a_clock() {
    let error = parse("since:15m", &Clock::default()).unwrap_err();
    assert_eq!(error.to_string(), "`15m` needs a clock at column 7");
}

#[test]
fn depth_and_size_are_bounded() {
    let error = read(&"(".repeat(100_000)).unwrap_err();
    assert_eq!(error.to_string(), "parentheses are nested more than 64 deep at column 65");
    let deep = format!("{}port:1{}", "(".repeat(64), ")".repeat(64));
    assert!(read(&deep).is_ok());
    let negated = format!("{}port:1", "-".repeat(100_001));
    assert!(matches!(read(&negated), Ok(Expr::Not(_))));
    let error = read(&"port:1 ".repeat(257)).unwrap_err();
    assert_eq!(error.to_string(), "the filter has more than 256 values at column 1793");
}

proptest::proptest! {
    /// No text is too strange.
    #[test]
    fn any_text_is_read_or_refused(text in "(\\PC|[()\"\\\\:, -]|OR|port:|since:|addr:|id:){0,40}") {
        if let Err(error) = read(&text) {
            assert!(error.column >= 1 && error.column <= text.chars().count() + 1, "{text:?}: {error}");
        }
    }
}
