//! The words of a story that a newcomer may not know, each with its meaning in one line.

use crate::explain::Term;

/// A word, the words in a text that call for it, and its meaning.
type Entry = (&'static str, &'static [&'static str], &'static str);

const TERMS: &[Entry] = &[
    ("hook", &["hook"], "a point on a packet's way through the kernel where tables are asked"),
    (
        "table",
        &["raw:", "mangle:", "nat:", "filter:", "security:", "table"],
        "a set of chains for one purpose: raw (before conntrack), mangle (alter), nat (rewrite addresses), filter (let \
         through or not)",
    ),
    (
        "chain",
        &["chain"],
        "a list of rules, tried from the first to the last; PREROUTING, INPUT, FORWARD, OUTPUT and POSTROUTING are built in",
    ),
    ("rule", &["rule"], "conditions and a target: what to do with a packet that meets them"),
    (
        "policy",
        &["policy", "policies"],
        "what a built-in chain does with a packet that no rule has decided on",
    ),
    (
        "PREROUTING",
        &["PREROUTING"],
        "asked for every packet that comes in, before it is decided where it goes",
    ),
    ("INPUT", &["INPUT"], "asked for packets to this host itself"),
    ("FORWARD", &["FORWARD"], "asked for packets that this host passes on between others"),
    ("OUTPUT", &["OUTPUT"], "asked for packets that this host itself sends"),
    (
        "POSTROUTING",
        &["POSTROUTING"],
        "asked for every packet that leaves, after it is decided where it goes",
    ),
    (
        "TRACE",
        &["TRACE", "trace"],
        "a target that makes the kernel log every rule the packet meets from there on",
    ),
    (
        "conntrack",
        &["conntrack", "Conntrack", "ctstate", "INVALID"],
        "the kernel's memory of connections: which packets belong together and what NAT has rewritten",
    ),
    ("LOG", &["LOG"], "a target that writes a line and lets the packet go on to the next rule"),
    ("NFQUEUE", &["NFQUEUE"], "hands packets to a program, which decides over them"),
    (
        "NAT",
        &["NAT", "DNAT", "SNAT", "MASQUERADE"],
        "rewriting of addresses; decided for the first packet of a connection only",
    ),
    ("DNAT", &["DNAT"], "rewrites where a packet goes"),
    (
        "REDIRECT",
        &["REDIRECT", "redirected", "Redirected"],
        "rewrites where a packet goes to this host itself",
    ),
    ("SNAT", &["SNAT"], "rewrites where a packet seems to come from"),
    (
        "MASQUERADE",
        &["MASQUERADE", "masqueraded"],
        "SNAT to the address of the device by which the packet leaves",
    ),
    (
        "mark",
        &["mark", "marked", "Marks", "marks"],
        "a number that rules may put on a packet inside this host; it is never sent",
    ),
    ("REJECT", &["REJECT", "Rejected"], "drops the packet and tells the sender so"),
    (
        "bridge",
        &["bridge"],
        "a switch inside the kernel: it passes frames between its ports by their hardware addresses",
    ),
    (
        "docker-proxy",
        &["docker-proxy"],
        "docker's helper program: takes connections to published ports where NAT does not lead them to the container",
    ),
    ("fdb", &["fdb"], "a bridge's forwarding table: which hardware address is behind which port"),
    (
        "br_netfilter",
        &["br_netfilter", "bridge-nf"],
        "shows bridged frames to the IP tables too (net.bridge.bridge-nf-call-iptables)",
    ),
    ("ARP", &["ARP"], "asks for the hardware address that belongs to an IP address"),
    (
        "loopback",
        &["loopback"],
        "the device `lo`: what the host sends to itself goes out by it and comes in again",
    ),
    ("TTL", &["TTL"], "time to live: one less at every router; it stays the same on a bridge"),
    (
        "reverse path filter",
        &["reverse path"],
        "drops packets whose sender would be answered through another device",
    ),
    (
        "veth",
        &["veth"],
        "one end of a virtual cable; the other end is usually a container's device",
    ),
];

/// The terms that a text uses, in an order to be read in.
pub(crate) fn glossary(text: &str) -> Vec<Term> {
    let used = TERMS.iter().filter(|(_, words, _)| words.iter().any(|word| has_word(text, word)));
    used.map(|(word, _, meaning)| Term { word, meaning }).collect()
}

/// Whether the text has the word, not as a part of a longer one. A word that ends with `:` or begins a device's name
/// needs no end.
fn has_word(text: &str, word: &str) -> bool {
    let is_open = word.ends_with(':') || word == "veth";
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_letter) && (is_open || !after.is_some_and(is_letter))
    })
}

fn is_letter(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_that_are_used() {
        let words =
            |text: &str| -> Vec<&str> { glossary(text).iter().map(|term| term.word).collect() };
        assert_eq!(words("Dropped at filter:FORWARD rule 5"), ["table", "rule", "FORWARD"]);
        assert_eq!(words("benchmark MARKET PRE-ROUTING"), [""; 0]);
        assert_eq!(words("through veth72x2M5"), ["veth"]);
    }
}
