//! Stories and comparisons of any packets with any rules: nothing panics, nothing unsafe is printed, no line is too wide.

use std::fmt::Write;

use proptest::prelude::*;
use tracecol::explain::{diff, story};
use tracecol::render::{self, Text};
use tracecol::wire;

use super::case::Case;
use super::lines::{Log, Walker};

const CHAINS: [&str; 8] = [
    "raw:PREROUTING",
    "mangle:PREROUTING",
    "nat:PREROUTING",
    "nat:DOCKER",
    "filter:FORWARD",
    "filter:INPUT",
    "filter:deep",
    "nat:POSTROUTING",
];

const DEVICES: [&str; 6] = [
    "IN=eth0 OUT= MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00",
    "IN=eth0 OUT=eth1 MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00",
    "IN= OUT=lo",
    "IN=docker0 OUT=docker0 PHYSIN=veth0 PHYSOUT=veth1 MAC=00:50:56:a6:99:f1:00:50:56:a6:22:7d:08:00",
    "IN=e\u{1b}[31m OUT=",
    "IN=ethernet-device OUT=another-device0",
];

const TARGETS: [&str; 14] = [
    "ACCEPT",
    "DROP",
    "RETURN",
    "REJECT --reject-with tcp-reset",
    "LOG --log-prefix \"seen \"",
    "DOCKER",
    "deep",
    "DNAT --to-destination 192.168.7.5:8080",
    "SNAT --to-source 198.51.100.1",
    "MASQUERADE",
    "REDIRECT --to-ports 3128",
    "MARK --set-xmark 0x8000/0x8000",
    "NFQUEUE --queue-num 3",
    "TRACE",
];

const CONDITIONS: [&str; 9] = [
    "",
    "-i eth0",
    "! -o eth1",
    "-s 10.1.0.0/16",
    "-d 10.2.2.2/32 -p tcp -m tcp --dport 80",
    "-p tcp -m tcp --dport 81",
    "-m mark --mark 0x8000/0x8000",
    "-m conntrack --ctstate INVALID",
    "-m limit --limit 3/min -m comment --comment \"has no endpoints \u{202e}\"",
];

/// Lines: where, which devices, which packet, how it is marked.
fn lines() -> impl Strategy<Value = Vec<(usize, u8, u32, usize, usize, u32)>> {
    let line = (0..CHAINS.len(), 0..3u8, 1..5u32, 0..DEVICES.len(), 0..4usize, 0..2u32);
    prop::collection::vec(line, 1..40)
}

fn rules() -> impl Strategy<Value = Vec<(usize, usize, usize)>> {
    prop::collection::vec((0..CHAINS.len(), 0..CONDITIONS.len(), 0..TARGETS.len()), 0..24)
}

fn log(lines: &[(usize, u8, u32, usize, usize, u32)]) -> String {
    let first = Walker::default();
    let walkers = [
        first,
        Walker { dst: "192.168.7.5", dport: 8080, ttl: 63, ..first },
        Walker {
            src: "10.2.2.2",
            dst: "10.1.1.1",
            sport: 80,
            dport: 40_000,
            flags: "ACK SYN",
            ..first
        },
        Walker { src: "2001:db8::1", dst: "2001:db8::2", ..first },
    ];
    let mut log = Log::default();
    for (chain, kind, number, devices, walker, mark) in lines {
        let packet = Walker { mark: mark * 0x8000, ..walkers[*walker] };
        let kind = ["rule", "policy", "return"][usize::from(*kind)];
        log.trace(&format!("{}:{kind}:{number}", CHAINS[*chain]), DEVICES[*devices], packet);
        if number % 4 == 3 {
            log.line("seen ", DEVICES[*devices], packet);
        }
    }
    log.text
}

fn rule_text(rules: &[(usize, usize, usize)]) -> String {
    let mut text = String::new();
    for table in ["raw", "mangle", "nat", "filter"] {
        writeln!(text, "*{table}").unwrap();
        for hook in ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"] {
            let policy = if hook == "INPUT" { "DROP" } else { "ACCEPT" };
            writeln!(text, ":{hook} {policy} [0:0]").unwrap();
        }
        text.push_str(":DOCKER - [0:0]\n:deep - [0:0]\n");
        for (chain, condition, target) in rules {
            let (of, name) = CHAINS[*chain].split_once(':').unwrap();
            if of == table {
                let (condition, target) = (CONDITIONS[*condition], TARGETS[*target]);
                writeln!(text, "-A {name} {condition} -j {target}").unwrap();
            }
        }
        text.push_str("COMMIT\n");
    }
    text
}

fn is_safe(text: &Text, width: usize) {
    for line in &text.lines {
        assert!(line.width() <= width, "wider than {width}: {line:?}");
        for span in &line.spans {
            assert_eq!(render::escape_text(&span.text), span.text, "{line:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_story_can_be_told(lines in lines(), rules in rules(), is_known in any::<bool>(), width in 60usize..220) {
        let mut case = Case::of(&log(&lines));
        if is_known {
            case = case.rules(&rule_text(&rules), "iptables.rules", None).context(
                "default via 10.9.0.1 dev eth0\n10.2.2.2/32 dev eth1\n",
                "ip-route.txt",
            );
        }
        let case = case.told();
        let connections = 0..case.connections.len();
        let packets = 0..case.packets.len();
        let subjects: Vec<_> = connections
            .map(|at| case.subject(at))
            .chain(packets.map(|at| case.packet(at)))
            .collect();
        for subject in &subjects {
            let story = story(subject);
            assert!(!story.answer.is_empty());
            is_safe(&render::story(&story, width, true), width);
            serde_json::to_string(&wire::Story::new(&story, &|key| format!("{key:?}"))).unwrap();
        }
        for pair in subjects.windows(2) {
            let diff = diff(&pair[0], &pair[1]);
            assert!(!diff.answer.is_empty());
            is_safe(&render::diff(&diff, width), width);
            serde_json::to_string(&wire::Diff::new(&diff, &|key| format!("{key:?}"))).unwrap();
        }
    }
}
