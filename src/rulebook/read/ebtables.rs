//! A rule of ebtables: conditions, watchers and a target.

use super::build::Parsed;
use super::collect::spaced;
use super::words::{Word, joined};
use super::{excerpt, names, values};
use crate::rulebook::{Match, Target, Test};

/// Reads what follows `-A CHAIN`.
pub(super) fn rule(words: &[Word<'_>]) -> Parsed {
    let mut reader = Reader {
        words,
        at: 0,
        target: None,
        act: None,
        parsed: Parsed { text: (words.len(), words.len()), ..Parsed::default() },
    };
    while reader.at < words.len() {
        reader.step();
    }
    reader.finish()
}

struct Reader<'w, 't> {
    words: &'w [Word<'t>],
    at: usize,
    /// The word after `-j`, or after an option such as `--mark-target`.
    target: Option<&'w str>,
    /// What `-j mark`, `-j dnat` … do.
    act: Option<Target>,
    parsed: Parsed,
}

impl Reader<'_, '_> {
    fn step(&mut self) {
        let start = self.at;
        let mut negated = self.words[start].is("!");
        if negated {
            self.at += 1;
        }
        let Some(option) = self.words.get(self.at).filter(|word| word.is_option()) else {
            self.at = start + 1;
            let text = joined(&self.words[start..self.at]);
            self.parsed
                .remarks
                .push(format!("a word that belongs to no option: {}", excerpt(&text)));
            self.push(false, Test::Other(text.into()));
            return;
        };
        self.at += 1;
        if self.watcher(option.raw) || (option.is("-c") && self.counters(start)) {
            return;
        }
        if self.words.get(self.at).is_some_and(|word| word.is("!")) {
            negated = true;
            self.at += 1;
        }
        let value = self.words.get(self.at).map(|word| &*word.value);
        if self.act(option.raw, value) {
            self.at = (self.at + 1).min(self.words.len());
            return;
        }
        match value.and_then(|value| Self::test(option.raw, value)) {
            Some(test) => {
                self.at += 1;
                self.push(negated, test);
            }
            None => self.other(option, negated),
        }
    }

    /// `--log` and its kin, which may stand anywhere. Those that log to a program leave no line.
    fn watcher(&mut self, option: &str) -> bool {
        match option {
            "--log" | "--log-ip" | "--log-arp" | "--log-ip6" => {
                self.parsed.log_prefix.get_or_insert_default();
            }
            "--log-level" => {
                self.parsed.log_prefix.get_or_insert_default();
                self.at += 1;
            }
            "--log-prefix" => {
                let prefix = self.words.get(self.at).map(|word| word.value.as_ref().into());
                self.parsed.log_prefix = Some(prefix.unwrap_or_default());
                self.at += 1;
            }
            "--nflog" | "--ulog" | "--snat-arp" => {}
            _ if option.starts_with("--nflog-") || option.starts_with("--ulog-") => self.at += 1,
            _ => return false,
        }
        self.at = self.at.min(self.words.len());
        true
    }

    /// `-c 12 34`
    fn counters(&mut self, start: usize) -> bool {
        let end = (self.at + 2).min(self.words.len());
        self.parsed.counters = spaced(&joined(&self.words[self.at..end]));
        if self.parsed.counters.is_some() {
            self.at = end;
            self.parsed.text = (start, end);
        }
        self.parsed.counters.is_some()
    }

    /// `-j` and the options of targets.
    fn act(&mut self, option: &str, value: Option<&str>) -> bool {
        let place = self.at;
        let number = || value.and_then(values::number);
        match option {
            "-j" | "--jump" => {
                self.target = self.words.get(place).map(|word| &*word.value);
                self.act = match value {
                    Some("mark") => Some(Target::Mark { set: None }),
                    Some("dnat") => Some(Target::Dnat { to: None }),
                    Some("snat") => Some(Target::Snat { to: None }),
                    Some("redirect") => Some(Target::Redirect { to: None }),
                    Some("arpreply") => Some(Target::Passes("arpreply".into())),
                    _ => None,
                };
                if self.act.is_some() {
                    // What follows when no option says it.
                    self.target = Some(if value == Some("arpreply") { "DROP" } else { "ACCEPT" });
                }
            }
            "--mark-target" | "--dnat-target" | "--snat-target" | "--redirect-target"
            | "--arpreply-target" => self.target = self.words.get(place).map(|word| &*word.value),
            "--mark-set" | "--set-mark" => self.mark(number().map(|bits| (bits, u32::MAX))),
            "--mark-or" => self.mark(number().map(|bits| (bits, bits))),
            "--mark-and" => self.mark(number().map(|bits| (0, !bits))),
            "--mark-xor" => self.mark(number().map(|bits| (bits, 0))),
            "--to-destination" | "--to-dst" => {
                self.act = Some(Target::Dnat { to: value.map(Box::from) });
            }
            "--to-source" | "--to-src" => {
                self.act = Some(Target::Snat { to: value.map(Box::from) });
            }
            "--arpreply-mac" => {
                let mac = value.unwrap_or_default();
                self.act = Some(Target::Passes(format!("arpreply --arpreply-mac {mac}").into()));
            }
            _ => return false,
        }
        true
    }

    fn mark(&mut self, set: Option<(u32, u32)>) {
        self.act = Some(Target::Mark { set });
    }

    fn test(option: &str, value: &str) -> Option<Test> {
        Some(match option {
            "-p" | "--protocol" => Test::EtherType(names::ethertype(value)?),
            "-i" | "--in-interface" | "--in-if" => Test::Input(values::device(value, '+')),
            "-o" | "--out-interface" | "--out-if" => Test::Output(values::device(value, '+')),
            "--logical-in" => Test::Bridge(values::device(value, '+')),
            "-s" | "--source" | "--src" => Test::SourceMac(values::mac_pattern(value)?),
            "-d" | "--destination" | "--dst" => Test::DestinationMac(values::mac_pattern(value)?),
            "--ip-source" | "--ip-src" | "--ip6-source" | "--ip6-src" | "--arp-ip-src" => {
                Test::Source(values::addresses(value)?)
            }
            "--ip-destination" | "--ip-dst" | "--ip6-destination" | "--ip6-dst"
            | "--arp-ip-dst" => Test::Destination(values::addresses(value)?),
            "--ip-protocol" | "--ip-proto" | "--ip6-protocol" | "--ip6-proto" => {
                Test::Protocol(names::protocol(value)?)
            }
            "--ip-source-port" | "--ip-sport" | "--ip6-source-port" | "--ip6-sport" => {
                Test::SourcePort(values::ports(value)?)
            }
            "--ip-destination-port" | "--ip-dport" | "--ip6-destination-port" | "--ip6-dport" => {
                Test::DestinationPort(values::ports(value)?)
            }
            "--mark" => {
                let (value, mask) = values::masked(value)?;
                Test::Mark { value, mask }
            }
            _ => return None,
        })
    }

    /// Keeps an option that is not known as text, with the values up to the next option.
    fn other(&mut self, option: &Word<'_>, negated: bool) {
        let from = self.at;
        let is_value = |place: usize| {
            self.words.get(place).is_some_and(|word| !word.is_option() && !word.is("!"))
        };
        while is_value(self.at) {
            self.at += 1;
        }
        let mut text = vec![option.clone()];
        text.extend_from_slice(&self.words[from..self.at]);
        self.push(negated, Test::Other(joined(&text).into()));
    }

    fn push(&mut self, negated: bool, test: Test) {
        self.parsed.matches.push(Match { negated, test });
    }

    fn finish(self) -> Parsed {
        let mut parsed = self.parsed;
        parsed.also.extend(self.act);
        parsed.target = match self.target {
            None | Some("CONTINUE") => Target::Continue,
            Some("ACCEPT") => Target::Accept,
            Some("DROP") => Target::Drop,
            Some("RETURN") => Target::Return,
            Some(name) => {
                parsed.jump = Some(name.into());
                Target::Other(name.into())
            }
        };
        parsed
    }
}
