//! A rule of iptables and ip6tables: its options into conditions and a target.
//!
//! Options of modules that are not known stay together as one text, up to the next `-m`, `-j` or `-g`.

use super::build::Parsed;
use super::collect::spaced;
use super::words::{Word, joined};
use super::{excerpt, names, target, values};
use crate::rulebook::{AddressKind, Family, Match, Test};

/// The modules all of whose options are read one by one.
const KNOWN: [&str; 20] = [
    "tcp",
    "udp",
    "udplite",
    "sctp",
    "dccp",
    "multiport",
    "mport",
    "icmp",
    "icmp6",
    "icmpv6",
    "mark",
    "mac",
    "iprange",
    "length",
    "ttl",
    "hl",
    "conntrack",
    "state",
    "physdev",
    "comment",
];

/// Reads what follows `-A CHAIN`.
pub(super) fn rule(words: &[Word<'_>], family: Family) -> Parsed {
    let mut reader = Reader {
        words,
        at: 0,
        is_v6: family == Family::Ip6,
        modules: false,
        parsed: Parsed { text: (words.len(), words.len()), ..Parsed::default() },
    };
    while reader.at < words.len() {
        reader.step();
    }
    let mut parsed = reader.parsed;
    // A module without any option is a condition still.
    if reader.modules && parsed.matches.is_empty() {
        let test = Test::Other(joined(&words[..parsed.text.0]).into());
        parsed.matches.push(Match { negated: false, test });
    }
    parsed
}

struct Reader<'w, 't> {
    words: &'w [Word<'t>],
    at: usize,
    is_v6: bool,
    /// Whether there was any `-m`.
    modules: bool,
    parsed: Parsed,
}

/// Whether a word is an option of iptables itself, not of a module or target. `--proto` is not here: it is one of
/// `-m policy`, too.
fn is_own(word: &Word<'_>) -> bool {
    const OWN: [&str; 21] = [
        "-p",
        "--protocol",
        "-s",
        "--source",
        "--src",
        "-d",
        "--destination",
        "--dst",
        "-i",
        "--in-interface",
        "-o",
        "--out-interface",
        "-f",
        "--fragment",
        "-m",
        "--match",
        "-j",
        "--jump",
        "-g",
        "--goto",
        "-c",
    ];
    word.is_option() && OWN.contains(&word.raw)
}

impl<'w> Reader<'w, '_> {
    /// Reads one option.
    fn step(&mut self) {
        let start = self.at;
        let negated = self.words[self.at].is("!");
        if negated {
            self.at += 1;
        }
        let Some(word) = self.words.get(self.at) else {
            self.stray(start);
            return;
        };
        self.at += 1;
        match word.raw {
            "-m" | "--match" => self.module(start),
            "-j" | "--jump" => self.jump(),
            "-g" | "--goto" => {
                let chain = self.value();
                self.parsed.target =
                    crate::rulebook::Target::Goto(chain.unwrap_or_default().into());
            }
            "-c" | "--set-counters" => self.counters(start),
            "-4" | "-6" => {}
            "-f" | "--fragment" => self.push(negated, Test::LaterFragment),
            _ if word.is_option() => self.condition(word.raw, negated, start),
            _ => self.stray(start),
        }
    }

    /// A condition with a value: `-s 10.0.0.0/8`, `--dport 22`.
    fn condition(&mut self, option: &str, negated: bool, start: usize) {
        // The old form: `-o ! eth0`.
        let late = self.words.get(self.at).is_some_and(|word| word.is("!"));
        if late {
            self.at += 1;
        }
        let negated = negated || late;
        match self.test(option) {
            Some(Found::Test(test)) => self.push(negated, test),
            Some(Found::Nothing) if !negated => {}
            Some(Found::Nothing) | None => self.other(start, negated),
        }
    }

    /// What an option asks; `None` when it is not known or its value cannot be read.
    fn test(&mut self, option: &str) -> Option<Found> {
        if matches!(option, "--syn") {
            return Some(Found::Test(Test::TcpFlags { mask: 0x17, set: 0x02 }));
        }
        if option == "--tcp-flags" {
            let (mask, set) = (self.value()?, self.value()?);
            let (mask, set) = (values::tcp_flags(mask)?, values::tcp_flags(set)?);
            return Some(Found::Test(Test::TcpFlags { mask, set }));
        }
        let value = self.words.get(self.at)?;
        let text: &str = &value.value;
        let asked = match option {
            "-p" | "--protocol" | "--proto" if matches!(text, "all" | "0") => {
                return Some(self.took(Found::Nothing));
            }
            "-p" | "--protocol" | "--proto" => Test::Protocol(names::protocol(text)?),
            "-s" | "--source" | "--src" => {
                let ranges = values::addresses(text)?;
                return Some(self.took(unless_everything(ranges, Test::Source)));
            }
            "-d" | "--destination" | "--dst" => {
                let ranges = values::addresses(text)?;
                return Some(self.took(unless_everything(ranges, Test::Destination)));
            }
            "-i" | "--in-interface" => Test::Input(values::device(text, '+')),
            "-o" | "--out-interface" => Test::Output(values::device(text, '+')),
            "--sport" | "--sports" | "--source-port" | "--source-ports" => {
                Test::SourcePort(values::ports(text)?)
            }
            "--dport" | "--dports" | "--destination-port" | "--destination-ports" => {
                Test::DestinationPort(values::ports(text)?)
            }
            "--ports" | "--port" => Test::AnyPort(values::ports(text)?),
            "--icmp-type" | "--icmpv6-type" => icmp(text, self.is_v6)?,
            "--mark" => {
                let (value, mask) = values::masked(text)?;
                Test::Mark { value, mask }
            }
            "--mac-source" => Test::SourceMac(values::mac_pattern(text)?),
            "--src-range" => Test::Source(vec![values::address(text)?]),
            "--dst-range" => Test::Destination(vec![values::address(text)?]),
            "--length" => Test::Length(values::range(text)?),
            "--ttl-eq" | "--ttl" | "--hl-eq" | "--hl" => Test::Ttl(values::range(text)?),
            "--ttl-lt" | "--hl-lt" => Test::Ttl(0..=text.parse::<u8>().ok()?.checked_sub(1)?),
            "--ttl-gt" | "--hl-gt" => Test::Ttl(text.parse::<u8>().ok()?.checked_add(1)?..=u8::MAX),
            "--ctstate" | "--state" => {
                let names = text.split(',').map(|name| name.to_ascii_uppercase().into());
                Test::ConnectionState(names.collect())
            }
            "--physdev-in" => Test::PhysIn(values::device(text, '+')),
            "--physdev-out" => Test::PhysOut(values::device(text, '+')),
            "--comment" => Test::Comment(text.into()),
            "--src-type" | "--dst-type" => Test::AddressType {
                of_source: option == "--src-type",
                kinds: text.split(',').map(address_kind).collect(),
            },
            _ => return None,
        };
        Some(self.took(Found::Test(asked)))
    }

    /// Goes on behind the value that was read.
    fn took(&mut self, found: Found) -> Found {
        self.at += 1;
        found
    }

    /// `-m name`: for known modules the options follow one by one, others are kept as text.
    fn module(&mut self, start: usize) {
        self.modules = true;
        let Some(name) = self.words.get(self.at) else { return self.stray(start) };
        self.at += 1;
        if KNOWN.contains(&&*name.value) {
            return;
        }
        let end = self.end_of_run(self.at);
        let run = &self.words[self.at..end];
        // With `--limit-iface-in` the kinds of addresses are those of one device.
        let is_whole = run.iter().all(|word| !word.raw.starts_with("--limit-iface"));
        if &*name.value != "addrtype" || !is_whole {
            let test = Test::Other(joined(&self.words[start..end]).into());
            self.at = end;
            self.push(false, test);
        }
    }

    /// `-j NAME` and the target's options.
    fn jump(&mut self) {
        let Some(name) = self.words.get(self.at) else {
            self.parsed.remarks.push("-j without a target".to_owned());
            return;
        };
        let end = self.end_of_run(self.at + 1);
        let run = &self.words[self.at..end];
        self.at = end;
        let read = target::iptables(&name.value, run);
        if !read.is_verdict {
            self.parsed.jump = Some(name.value.as_ref().into());
        }
        self.parsed.target = read.target;
        self.parsed.log_prefix = read.log_prefix;
    }

    fn counters(&mut self, start: usize) {
        let end = (self.at + 2).min(self.words.len());
        self.parsed.counters = spaced(&joined(&self.words[self.at..end]));
        if self.parsed.counters.is_none() {
            self.at = start + 1;
            self.parsed.remarks.push("-c without two numbers".to_owned());
            return;
        }
        self.at = end;
        self.parsed.text = (start, end);
    }

    /// Where the options of a module or target end: before the next option of iptables itself.
    fn end_of_run(&self, from: usize) -> usize {
        let is_end = |place: usize| {
            let word = &self.words[place];
            let next = self.words.get(place + 1);
            is_own(word) || (word.is("!") && next.is_some_and(is_own))
        };
        (from..self.words.len()).find(|place| is_end(*place)).unwrap_or(self.words.len())
    }

    /// Keeps an option that is not known as text, with the values up to the next option.
    fn other(&mut self, start: usize, negated: bool) {
        let first = if self.words[start].is("!") { start + 1 } else { start };
        let mut end = first + 1;
        while self.words.get(end).is_some_and(|word| !word.is_option() && !is_bang(self.words, end))
        {
            end += 1;
        }
        self.at = end;
        let kept = self.words[first..end].iter().filter(|word| !word.is("!")).cloned();
        let text = joined(&kept.collect::<Vec<_>>());
        self.push(negated, Test::Other(text.into()));
    }

    /// A word that is no option and belongs to none.
    fn stray(&mut self, start: usize) {
        let text = joined(&self.words[start..self.at.max(start + 1).min(self.words.len())]);
        self.parsed.remarks.push(format!("a word that belongs to no option: {}", excerpt(&text)));
        self.push(false, Test::Other(text.into()));
        self.at = self.at.max(start + 1);
    }

    fn value(&mut self) -> Option<&'w str> {
        let value = self.words.get(self.at)?;
        self.at += 1;
        Some(&value.value)
    }

    fn push(&mut self, negated: bool, test: Test) {
        self.parsed.matches.push(Match { negated, test });
    }
}

/// What an option gave.
enum Found {
    Test(Test),
    /// A condition that every packet meets: the kernel does not keep it.
    Nothing,
}

/// Whether a `!` at this place stands before the next option, not before the value of the last.
fn is_bang(words: &[Word<'_>], place: usize) -> bool {
    words[place].is("!") && words.get(place + 1).is_some_and(Word::is_option)
}

/// A condition on an address; none when every address meets it.
fn unless_everything(
    ranges: Vec<values::Addresses>,
    test: impl Fn(Vec<values::Addresses>) -> Test,
) -> Found {
    if ranges.iter().any(values::is_everything) {
        Found::Nothing
    } else {
        Found::Test(test(ranges))
    }
}

fn icmp(text: &str, is_v6: bool) -> Option<Test> {
    if text == "any" {
        return Some(Test::IcmpType { kind: None, codes: 0..=u8::MAX });
    }
    let (kind, code) = names::icmp_type(text, is_v6)?;
    // iptables writes ICMP's `any` as a type that does not exist.
    let kind = if kind == u8::MAX && !is_v6 { None } else { Some(kind) };
    Some(Test::IcmpType { kind, codes: code.map_or(0..=u8::MAX, |code| code..=code) })
}

fn address_kind(name: &str) -> AddressKind {
    match name {
        "LOCAL" => AddressKind::Local,
        "BROADCAST" => AddressKind::Broadcast,
        "MULTICAST" => AddressKind::Multicast,
        "UNICAST" => AddressKind::Unicast,
        _ => AddressKind::Other,
    }
}
