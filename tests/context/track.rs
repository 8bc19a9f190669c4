//! conntrack's record.

use tracecol::context::{ConntrackEntry, HostContext, Rewrite, read};
use tracecol::model::{Endpoint, Protocol, Tuple, WallTime};

use super::{addr, facts, merged, reading};

fn end(at: &str, port: u16) -> Endpoint {
    Endpoint { addr: Some(addr(at)), port: (port != 0).then_some(port) }
}

fn tuple(src: (&str, u16), dst: (&str, u16)) -> Tuple {
    Tuple { src: end(src.0, src.1), dst: end(dst.0, dst.1) }
}

const TCP: Protocol = Protocol(6);

#[test]
fn every_form_gives_the_same_entries() {
    let key = |entry: &ConntrackEntry| {
        (
            entry.protocol,
            entry.original,
            entry.reply,
            entry.state.clone(),
            entry.is_assured,
            entry.is_replied,
        )
    };
    let list = |name: &str| {
        reading(&format!("conntrack/{name}.txt"))
            .facts
            .conntrack
            .iter()
            .map(key)
            .collect::<Vec<_>>()
    };
    let plain = list("conntrack-L");
    assert_eq!(plain.len(), 9);
    for name in ["conntrack-L-all", "conntrack-L-ktimestamp", "nf_conntrack"] {
        assert_eq!(plain, list(name), "{name}");
    }
    let events = list("conntrack-E");
    assert_eq!(events.len(), 25);
    for name in ["conntrack-E-timestamp", "conntrack-E-all"] {
        assert_eq!(events, list(name), "{name}");
    }
}

#[test]
fn an_events_parts_are_read() {
    let facts = reading("conntrack/conntrack-E-all.txt").facts;
    let first = &facts.conntrack[0];
    assert_eq!(first.at, Some(WallTime(1_795_374_803_228_322)));
    assert_eq!((first.event.as_deref(), first.state.as_deref()), (Some("NEW"), Some("SYN_SENT")));
    assert!(!first.is_replied && !first.is_assured);
    assert!(facts.conntrack[2].is_replied && facts.conntrack[2].is_assured);
    let ping = facts.conntrack.iter().find(|entry| entry.protocol == 1).unwrap();
    assert_eq!(
        (ping.original.icmp_id, ping.original.sport, ping.state.as_deref()),
        (Some(4660), None, None)
    );
    assert_eq!(ping.reply.icmp_id, Some(4660), "not the number that `-o id` adds");
    let last = facts.conntrack.last().unwrap();
    assert_eq!(last.event.as_deref(), Some("DESTROY"));
}

#[test]
fn nat_is_the_difference_of_the_two_tuples() {
    let facts = reading("conntrack/conntrack-L.txt").facts;
    let nat = |protocol: u8, dst: &str| {
        let entry = facts
            .conntrack
            .iter()
            .find(|entry| entry.protocol == protocol && entry.original.dst == addr(dst));
        entry.unwrap().nat()
    };
    let published = [
        Rewrite { is_source: false, from: end("10.1.0.1", 40000), to: end("10.2.0.2", 6379) },
        Rewrite { is_source: true, from: end("10.1.0.2", 45382), to: end("10.2.0.1", 45382) },
    ];
    assert_eq!(nat(6, "10.1.0.1"), published);
    assert_eq!(
        nat(1, "10.2.0.2"),
        [Rewrite { is_source: true, from: end("10.1.0.2", 0), to: end("10.2.0.1", 0) }]
    );
    assert_eq!(nat(6, "fd02::2").len(), 1);
    let plain = super::facts(
        "tcp 6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 [ASSURED] mark=0 use=1\n",
    );
    assert_eq!(plain.conntrack[0].nat(), []);
}

/// The text's place of the entry that is found.
fn found(context: &HostContext, tuple: Tuple, around: Option<i64>) -> Option<&str> {
    context.conntrack_of(TCP, &tuple, None, around.map(WallTime)).map(|entry| &*entry.text)
}

#[test]
fn a_connection_is_found_by_any_of_its_tuples() {
    let context = merged(&["conntrack/conntrack-L.txt"]);
    let client = ("10.1.0.2", 45382);
    let asked = [
        tuple(client, ("10.1.0.1", 40000)),
        tuple(("10.1.0.1", 40000), client),
        tuple(("10.2.0.1", 45382), ("10.2.0.2", 6379)),
        tuple(("10.2.0.2", 6379), ("10.2.0.1", 45382)),
    ];
    for tuple in asked {
        assert!(found(&context, tuple, None).unwrap().contains("dport=40000"), "{tuple:?}");
    }
    assert_eq!(
        found(&context, tuple(client, ("10.2.0.2", 6379)), None),
        None,
        "nobody ever saw that pair"
    );
    let ping = tuple(("10.1.0.2", 0), ("10.2.0.2", 0));
    let icmp = |id| context.conntrack_of(Protocol(1), &ping, id, None).is_some();
    assert!(icmp(Some(4660)) && !icmp(Some(1)));
    let half = Tuple { src: Endpoint { addr: None, port: None }, ..ping };
    assert_eq!(context.conntrack_of(Protocol(1), &half, None, None), None);
}

#[test]
fn a_tuple_that_is_used_again_is_told_by_time() {
    let event = |second: u32, event: &str, dst: &str| {
        format!(
            "[{second}.500000] [{event}] tcp 6 120 SYN_SENT src=10.0.0.1 dst=10.0.0.9 sport=1000 dport=80 [UNREPLIED] src={dst} dst=10.0.0.1 sport=8080 dport=1000\n"
        )
    };
    let text = [
        event(100, "NEW", "172.17.0.2"),
        event(110, "DESTROY", "172.17.0.2"),
        event(200, "NEW", "172.17.0.3"),
        event(210, "DESTROY", "172.17.0.3"),
    ];
    let context = facts(&text.concat());
    let asked = tuple(("10.0.0.1", 1000), ("10.0.0.9", 80));
    let at = |second: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "small seconds")]
        let around = (second * 1e6) as i64;
        found(&context, asked, Some(around)).unwrap().contains("172.17.0.3")
    };
    assert!(!at(1.0), "before all: the first");
    assert!(!at(100.4) && !at(105.0) && !at(190.0));
    assert!(at(200.0), "the log's stamp may be cut to the second");
    assert!(at(200.5) && at(205.0) && at(9999.0));
    assert!(found(&context, asked, None).unwrap().contains("DESTROY"));
}

#[test]
fn a_line_without_its_other_half_is_remarked() {
    let reading = read("tcp 6 120 SYN_SENT src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2\n", "");
    assert_eq!((reading.facts.conntrack.len(), reading.remarks.len()), (0, 1));
}
