//! A rule's text is the line as it was given.

use tracecol::rulebook::{RuleSet, read};

use super::dumps::data;

fn texts(sets: &[RuleSet]) -> Vec<&str> {
    let rules = sets.iter().flat_map(|set| &set.tables).flat_map(|table| &table.chains);
    rules.flat_map(|chain| &chain.rules).map(|rule| &*rule.text).collect()
}

/// The rule lines of a save, sorted by chain as the reading has them.
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| {
        let line = line.strip_prefix("[0:0] ").unwrap_or(line);
        line.starts_with("-A ").then(|| line.trim_end().to_owned())
    });
    lines.collect()
}

#[test]
fn every_rule_of_a_save_is_its_line() {
    for name in [
        "iptables-legacy.txt",
        "iptables-legacy-counters.txt",
        "iptables-nft.txt",
        "iptables-specification.txt",
        "ip6tables-legacy-counters.txt",
        "ip6tables-nft.txt",
        "ebtables-save.txt",
        "ebtables-save-counters.txt",
    ] {
        let text = data(name);
        let sets = read(&text, name).sets;
        let mut read = texts(&sets);
        let lines = lines(&text);
        let mut given: Vec<_> = lines.iter().map(String::as_str).collect();
        read.sort_unstable();
        given.sort_unstable();
        assert_eq!(read, given, "{name}");
        assert!(!read.is_empty(), "{name}");
    }
}

#[test]
fn a_bridge_rule_has_one_text_in_every_form() {
    let saved = read(&data("ebtables-save.txt"), "").sets;
    for name in ["ebtables-list.txt", "ebtables-list-counters-numbers.txt"] {
        let listed = read(&data(name), "").sets;
        assert_eq!(texts(&saved), texts(&listed), "{name}");
    }
}

#[test]
fn the_text_of_an_nft_rule_is_its_line_without_counts_and_handle() {
    for name in ["nft.txt", "nft-handles.txt", "nft-of-iptables.txt", "nft-of-ebtables.txt"] {
        let text = data(name);
        let sets = read(&text, name).sets;
        let trimmed: Vec<_> = text
            .lines()
            .map(|line| line.split(" # handle").next().unwrap().trim())
            .map(|line| line.replace("packets 0 bytes 0 ", "").replace(" packets 0 bytes 0", ""))
            .collect();
        for rule in texts(&sets) {
            assert!(trimmed.iter().any(|line| line == rule), "{name}: {rule}");
        }
    }
}

#[test]
fn parts_are_the_conditions_and_the_target() {
    let rule = |text: &str| {
        let text = format!("*filter\n:X - [0:0]\n:Y - [0:0]\n{text}\nCOMMIT\n");
        let reading = read(&text, "iptables.txt");
        reading.sets[0].tables[0].chains[0].rules[0].parts()
    };
    let pair = |first: &str, second: &str| (first.to_owned(), second.to_owned());
    assert_eq!(
        rule("-A X -m comment --comment \"a -j B\" -j LOG --log-prefix \"x \""),
        pair("-A X -m comment --comment \"a -j B\"", "-j LOG --log-prefix \"x \"")
    );
    assert_eq!(rule("-A X -s 10.0.0.1/32"), pair("-A X -s 10.0.0.1/32", ""));
    assert_eq!(rule("-A X -g Y"), pair("-A X", "-g Y"));

    let nft = |text: &str| {
        let text = format!("table inet t {{\n\tchain c {{\n\t\t{text}\n\t}}\n}}\n");
        read(&text, "").sets[0].tables[0].chains[0].rules[0].parts()
    };
    assert_eq!(
        nft("tcp dport 80 counter packets 1 bytes 2 log prefix \"drop \" drop"),
        pair("tcp dport 80 counter", "log prefix \"drop \" drop")
    );
    assert_eq!(nft("ct state new"), pair("ct state new", ""));
    assert_eq!(nft("accept"), pair("", "accept"));
}
