//! What a file's name or a pasted command line tells of the output below it.

use super::words::device;
use crate::context::Kind;
use crate::model::IfName;

/// What is known of an output before its first line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hint {
    /// What it should be about; for an output without a line.
    pub kind: Option<Kind>,
    /// `-6`.
    pub is_ipv6: bool,
    /// The routing table that was asked for; its lines do not name it.
    pub table: Option<Box<str>>,
    /// The bridge of `brctl showmacs`.
    pub bridge: Option<IfName>,
    /// The container of `docker inspect NAME`.
    pub container: Option<Box<str>>,
    /// Whether the command ran inside a container: its output is not about the host.
    pub is_foreign: bool,
}

/// The tools whose outputs are read.
const TOOLS: &[&str] = &[
    "ip",
    "bridge",
    "brctl",
    "docker",
    "podman",
    "conntrack",
    "sysctl",
    "arp",
    "ifconfig",
    "route",
    "netstat",
    "cat",
    "grep",
    "sudo",
    "nsenter",
    "kubectl",
    "crictl",
];

/// Words of which one must follow `ip`, `docker` …, so that prose is not taken for a command.
const OBJECTS: &[&str] = &[
    "a",
    "ad",
    "add",
    "addr",
    "address",
    "l",
    "li",
    "link",
    "r",
    "ro",
    "route",
    "ru",
    "rule",
    "n",
    "ne",
    "nei",
    "neigh",
    "neighbor",
    "neighbour",
    "fdb",
    "show",
    "showmacs",
    "showstp",
    "ps",
    "inspect",
    "network",
    "exec",
    "container",
    "netns",
];

/// After which words of a name a `6` means IPv6.
const TAKES_FAMILY: &[&str] = &["ip", "j", "json", "d", "rule", "route", "neigh", "addr"];

impl Hint {
    /// From a file's name.
    pub(super) fn of_name(name: &str) -> Self {
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let stem = [".txt", ".json", ".log", ".out"]
            .iter()
            .find_map(|ending| name.strip_suffix(ending))
            .unwrap_or(name);
        Self::of(stem)
    }

    /// From a line that is a command with or without a prompt: `[root@host ~]# ip -6 route`. None for any other line.
    pub(super) fn of_command(words: &[&str]) -> Option<Self> {
        // `$ifconfig`: the prompt may stick to the command.
        let bare: Vec<&str> =
            words.iter().map(|word| word.trim_start_matches(['$', '#'])).collect();
        let words: Vec<&str> = bare.into_iter().filter(|word| !word.is_empty()).collect();
        let is_tool = |word: &&str| TOOLS.contains(&base(word));
        let start = words.iter().position(is_tool)?;
        // `root@host:~#`, and headings such as `=== ip addr ===`.
        let before = start.checked_sub(1).and_then(|place| words.get(place));
        let is_prompt = before.is_none_or(|word| {
            word.ends_with(['$', '#', '>', '%']) || word.chars().all(|c| c.is_ascii_punctuation())
        });
        let command = &words[start..];
        let needs_object = matches!(base(command[0]), "ip" | "bridge" | "brctl" | "docker");
        let has_object = command[1..].iter().any(|word| OBJECTS.contains(word));
        let is_bare = command.len() == 1 || command[1].starts_with('-') || command[1].contains('/');
        let is_wrapped = TOOLS.contains(&command.get(1).copied().map_or("", base));
        if !is_prompt || !(has_object || is_wrapped || (!needs_object && is_bare)) {
            return None;
        }
        let enters = |word: &&str| matches!(base(word), "nsenter" | "exec");
        let is_foreign = command.iter().any(enters) && !command.contains(&"netns");
        let inspect = command.iter().position(|word| *word == "inspect");
        let asked = inspect.map(|place| &command[place + 1..]).unwrap_or_default();
        let asked = asked.split(|word| *word == "|").next().and_then(<[&str]>::last);
        let is_name = |name: &&&str| !name.starts_with(['-', '\'', '"']);
        let container = asked.filter(is_name).map(|name| (*name).into());
        Some(Self { container, is_foreign, ..Self::of(&command.join(" ")) })
    }

    /// From the name between the arrows of `==> ip-route.txt <==`, as `head` and `tail` print it.
    pub(super) fn of_divider(words: &[&str]) -> Option<Self> {
        match words {
            ["==>", name, "<=="] => Some(Self::of_name(name)),
            _ => None,
        }
    }

    fn of(text: &str) -> Self {
        let words: Vec<&str> = text.split([' ', '-', '_', '.', '/', '\t']).collect();
        let has = |any: &[&str]| words.iter().any(|word| any.contains(word));
        // A lone figure counts beside the tool's words only: `step-6-ip-rule.txt` is the sixth step.
        let names_ipv6 = |pair: &[&str]| {
            pair[1] == "6" && (pair[0].is_empty() || TAKES_FAMILY.contains(&pair[0]))
        };
        let is_ipv6 =
            has(&["ip6", "ipv6", "inet6", "rule6", "route6"]) || words.windows(2).any(names_ipv6);
        let table = following(text, "table").filter(|table| !matches!(*table, "all" | "list"));
        Self {
            kind: kind(&has),
            is_ipv6,
            table: table.map(super::route::table_name),
            bridge: following(text, "showmacs").and_then(device),
            container: None,
            is_foreign: false,
        }
    }
}

/// The tool's name without its path.
fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// What follows a word, up to the next blank: of `showmacs br-1` and of `brctl-showmacs-br-1` it is `br-1`.
fn following<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(word)?;
    let rest = rest.strip_prefix([' ', '-', '_', '='])?.trim_start();
    rest.split_whitespace().next()
}

fn kind(has: &dyn Fn(&[&str]) -> bool) -> Option<Kind> {
    let kinds: [(&[&str], Kind); 11] = [
        (&["conntrack"], Kind::Conntrack),
        (&["sysctl"], Kind::Settings),
        (&["network", "networks"], Kind::ContainerNetworks),
        (&["docker", "podman", "containers"], Kind::Containers),
        (&["fdb", "showmacs"], Kind::Fdb),
        (&["bridge", "brctl"], Kind::BridgePorts),
        (&["neigh", "neighbour", "neighbor", "arp"], Kind::Neighbours),
        (&["rule", "rules"], Kind::PolicyRules),
        (&["route", "routes"], Kind::Routes),
        (&["addr", "address", "addresses", "ifconfig"], Kind::Addresses),
        (&["link", "links"], Kind::Devices),
    ];
    kinds.iter().find(|(words, _)| has(words)).map(|(_, kind)| *kind)
}
