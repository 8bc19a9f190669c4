//! Lines into tables, chains and rules as they stand; what they mean is found out later.

use std::collections::HashMap;

use super::header::{self, Header};
use super::words::{skip_blanks, trimmed};
use super::{Reading, Remark, build, excerpt, nft};
use crate::rulebook::{Counters, Dialect, Family, RuleSet};

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Collector<'t> {
    entries: Vec<Entry<'t>>,
    /// Who made what comes next.
    header: Option<Header>,
    /// The table of the `iptables -t nat -S` whose output comes next.
    listed: Option<&'t str>,
    /// Where rules go.
    place: Option<Place>,
    remarks: Vec<Remark>,
}

/// A rule set, read or still to be built.
#[derive(Debug)]
enum Entry<'t> {
    Dump(Dump<'t>),
    Nft(RuleSet),
}

/// The tables of one dump.
#[derive(Debug)]
pub(super) struct Dump<'t> {
    /// What its header says.
    pub(super) header: Header,
    /// Its form.
    pub(super) form: Form,
    /// The line with which it begins.
    pub(super) line: usize,
    /// Its tables.
    pub(super) tables: Vec<RawTable<'t>>,
}

/// The forms in which a dump can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `*filter`, `:INPUT ACCEPT [0:0]`, `-A …`.
    Save,
    /// `-P INPUT ACCEPT`, `-N DOCKER`, `-A …`: `iptables -S`.
    Specification,
    /// `Bridge table: filter`: `ebtables -L`.
    List,
    /// `ebtables -t filter -A …`: `ebtables -L --Lx`.
    Commands,
}

/// One table; its name is empty when nothing said it.
#[derive(Debug, Default)]
pub(super) struct RawTable<'t> {
    pub(super) name: &'t str,
    pub(super) chains: Vec<RawChain<'t>>,
    places: HashMap<&'t str, usize>,
}

/// One chain.
#[derive(Debug)]
pub(super) struct RawChain<'t> {
    pub(super) name: &'t str,
    /// The word behind its name; `-` for a user chain of iptables.
    pub(super) policy: Option<&'t str>,
    pub(super) counters: Option<Counters>,
    pub(super) rules: Vec<RawRule<'t>>,
}

/// One rule.
#[derive(Debug)]
pub(super) struct RawRule<'t> {
    pub(super) line: usize,
    /// What follows `-A CHAIN`.
    pub(super) spec: &'t str,
    pub(super) counters: Option<Counters>,
}

/// A table, and for lists the chain whose rules follow.
#[derive(Debug, Clone, Copy)]
struct Place {
    entry: usize,
    table: usize,
    chain: Option<usize>,
}

impl<'t> RawTable<'t> {
    /// The chain's place; makes the chain when it is new.
    fn chain(&mut self, name: &'t str) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let chain = RawChain { name, policy: None, counters: None, rules: Vec::new() };
        self.chains.push(chain);
        self.places.insert(name, self.chains.len() - 1);
        self.chains.len() - 1
    }
}

impl<'t> Collector<'t> {
    /// Takes one line that is no part of an nft table.
    pub(super) fn line(&mut self, line: &'t str, number: usize) {
        let line = trimmed(line);
        let is_known = match line.as_bytes() {
            [] | [b'`', b'`', b'`', ..] | [b'~', b'~', b'~', ..] => true,
            [b'#', ..] => {
                self.comment(line);
                true
            }
            [b'*', ..] => self.table(line, number),
            [b':', ..] => self.chain(line),
            [b'[', ..] => self.counted(line, number) || self.prompt(line),
            [b'-', ..] => self.option(line, number, None) || self.listed_rule(line, number),
            [b'!' | b'0'..=b'9', ..] => self.listed_rule(line, number),
            [b'B', ..] => self.listing(line, number),
            [b'C', b'O', ..] => self.commit(line),
            _ => nft::is_other_statement(line) || self.command(line, number) || self.prompt(line),
        };
        if !is_known {
            self.remark(number, unknown(line));
        }
    }

    /// Takes an nft table at the beginning of `text`, which stands in line `number`.
    pub(super) fn nft_table(&mut self, text: &'t str, number: usize) -> nft::Extent {
        self.place = None;
        let read = nft::table(text, number);
        self.remarks.extend(read.remarks);
        let Some((family, table)) = read.table else { return read.extent };
        let known = self.entries.iter_mut().rev().find_map(|entry| match entry {
            Entry::Nft(set) if set.family == family => Some(set),
            Entry::Nft(_) | Entry::Dump(_) => None,
        });
        match known {
            Some(set) if set.table(&table.name).is_none() => set.tables.push(table),
            _ => self.entries.push(Entry::Nft(RuleSet {
                family,
                dialect: Dialect::Nft,
                on_nftables: true,
                taken: None,
                tables: vec![table],
            })),
        }
        read.extent
    }

    /// Builds what was collected. `name` is the file's name.
    pub(super) fn finish(self, name: &str) -> Reading {
        let mut reading = Reading { sets: Vec::new(), remarks: self.remarks };
        for entry in self.entries {
            match entry {
                Entry::Nft(set) => reading.sets.push(set),
                Entry::Dump(dump) => build::sets(&dump, name, &mut reading),
            }
        }
        reading.remarks.sort_by_key(|remark| remark.line);
        reading
    }

    fn remark(&mut self, line: usize, sentence: String) {
        self.remarks.push(Remark { line, sentence });
    }

    fn comment(&mut self, line: &str) {
        if let Some(header) = header::header(line) {
            self.header = Some(header);
            self.place = None;
        }
    }

    /// `*filter`
    fn table(&mut self, line: &'t str, number: usize) -> bool {
        let name = trimmed(&line[1..]);
        if name.is_empty() || name.contains(char::is_whitespace) {
            return false;
        }
        let header = self.header.take();
        let is_fit = |dump: &Dump<'_>| {
            let is_same = header.is_none_or(|header| {
                (header.family, header.on_nftables) == (dump.header.family, dump.header.on_nftables)
            });
            dump.form == Form::Save && is_same && dump.lacks(name)
        };
        let fit = self.entries.iter().rposition(|entry| match entry {
            Entry::Dump(dump) => is_fit(dump),
            Entry::Nft(_) => false,
        });
        // A table without a header belongs to what stands right before it.
        let fit = fit.filter(|place| header.is_some() || place + 1 == self.entries.len());
        let entry =
            fit.unwrap_or_else(|| self.push_dump(Form::Save, header.unwrap_or_default(), number));
        self.enter(entry, name);
        true
    }

    /// `:INPUT ACCEPT [0:0]`
    fn chain(&mut self, line: &'t str) -> bool {
        let Some(table) = self.current_table() else { return false };
        let mut words = line[1..].split_whitespace();
        let (Some(name), Some(policy)) = (words.next(), words.next()) else { return false };
        let place = table.chain(name);
        let chain = &mut table.chains[place];
        chain.policy = Some(policy);
        chain.counters = words.next().and_then(bracketed);
        true
    }

    /// `[12:34] -A …`
    fn counted(&mut self, line: &'t str, number: usize) -> bool {
        let Some((counters, rest)) = line.split_once(']') else { return false };
        let Some(counters) = counters.strip_prefix('[').and_then(pair) else { return false };
        self.option(skip_blanks(rest), number, Some(counters))
    }

    /// `-A FORWARD …`, `-P FORWARD ACCEPT`, `-N DOCKER`
    fn option(&mut self, line: &'t str, number: usize, counters: Option<Counters>) -> bool {
        let (option, rest) = cut(line);
        let (name, spec) = cut(rest);
        if name.is_empty() {
            return false;
        }
        match option {
            "-A" | "--append" => {
                let Some(table) = self.current_table() else {
                    self.remark(number, format!("a rule outside of any table: {}", excerpt(line)));
                    return true;
                };
                let place = table.chain(name);
                table.chains[place].rules.push(RawRule { line: number, spec, counters });
                true
            }
            "-P" | "--policy" | "-N" | "--new-chain" => {
                let policy =
                    if option.starts_with("-P") || option == "--policy" { spec } else { "-" };
                self.specified(name, policy, number);
                true
            }
            _ => false,
        }
    }

    /// A `-P` or `-N` line: in a listing by `iptables -S`, or one of commands.
    fn specified(&mut self, name: &'t str, policy: &'t str, number: usize) {
        let (policy, rest) = cut(policy);
        let counters = rest.strip_prefix("-c ").and_then(spaced);
        let is_new = |table: &RawTable<'_>| {
            let is_known = table.places.contains_key(name);
            policy != "-" && (is_known || table.chains.iter().any(|one| !one.rules.is_empty()))
        };
        let form = self.current_form();
        let goes_on = match self.current_table() {
            None => false,
            Some(_) if form == Some(Form::Commands) => true,
            Some(table) => form == Some(Form::Specification) && !is_new(table),
        };
        if !goes_on {
            let listed = self.listed.take().unwrap_or_default();
            let header = self.header.take();
            let fit = self.entries.iter().rposition(|entry| match entry {
                Entry::Dump(dump) => dump.form == Form::Specification && dump.lacks(listed),
                Entry::Nft(_) => false,
            });
            let fit = fit.filter(|place| place + 1 == self.entries.len());
            let entry = fit.unwrap_or_else(|| {
                self.push_dump(Form::Specification, header.unwrap_or_default(), number)
            });
            self.enter(entry, listed);
        }
        if let Some(table) = self.current_table() {
            let place = table.chain(name);
            let chain = &mut table.chains[place];
            chain.policy = Some(policy);
            chain.counters = counters;
        }
    }

    /// `Bridge table: nat`, `Bridge chain: INPUT, entries: 1, policy: ACCEPT`
    fn listing(&mut self, line: &'t str, number: usize) -> bool {
        if let Some(name) = line.strip_prefix("Bridge table:") {
            let name = trimmed(name);
            let last = self.entries.len().checked_sub(1).filter(|last| {
                matches!(&self.entries[*last], Entry::Dump(dump)
                    if dump.form == Form::List && dump.lacks(name))
            });
            let header = Header { family: Some(Family::Bridge), ..Header::default() };
            let entry = last.unwrap_or_else(|| self.push_dump(Form::List, header, number));
            self.enter(entry, name);
            return true;
        }
        let Some(rest) = line.strip_prefix("Bridge chain:") else { return false };
        let mut fields = rest.split(", ").map(trimmed);
        let (Some(name), Some(table)) = (fields.next(), self.current_table()) else { return false };
        let policy = fields.find_map(|field| field.strip_prefix("policy:")).map(trimmed);
        let chain = table.chain(name);
        table.chains[chain].policy = policy;
        if let Some(place) = &mut self.place {
            place.chain = Some(chain);
        }
        true
    }

    /// A rule in a listing: `-p IPv4 -j ACCEPT , pcnt = 3 -- bcnt = 108`, perhaps with its number before it.
    fn listed_rule(&mut self, line: &'t str, number: usize) -> bool {
        let Some(chain) = self.place.and_then(|place| place.chain) else { return false };
        let spec = skip_blanks(line.trim_start_matches(|c: char| c.is_ascii_digit()));
        let spec = skip_blanks(spec.strip_prefix('.').unwrap_or(spec));
        if !spec.starts_with(['-', '!']) {
            return false;
        }
        let (spec, counters) = match spec.rsplit_once(", pcnt =") {
            Some((spec, counts)) => (trimmed(spec), listed_counters(counts)),
            None => (spec, None),
        };
        let Some(table) = self.current_table() else { return false };
        table.chains[chain].rules.push(RawRule { line: number, spec, counters });
        true
    }

    fn commit(&mut self, line: &str) -> bool {
        if line != "COMMIT" {
            return false;
        }
        self.place = None;
        true
    }

    /// A line of `ebtables -L --Lx`: `ebtables -t nat -A OUTPUT …`.
    fn command(&mut self, line: &'t str, number: usize) -> bool {
        let Some(rest) = line.strip_prefix("ebtables -t ") else { return false };
        let (name, rest) = cut(rest);
        let is_listing = matches!(cut(rest).0, "-A" | "-N" | "-P");
        if !is_listing || cut(cut(rest).1).0.is_empty() {
            return false;
        }
        let last = self.entries.len().checked_sub(1).filter(
            |last| matches!(&self.entries[*last], Entry::Dump(dump) if dump.form == Form::Commands),
        );
        let header = Header { family: Some(Family::Bridge), ..Header::default() };
        let entry = last.unwrap_or_else(|| self.push_dump(Form::Commands, header, number));
        self.enter(entry, name);
        self.option(rest, number, None)
    }

    /// A command typed at a shell's prompt: tells at most what comes next.
    fn prompt(&mut self, line: &'t str) -> bool {
        let Some(command) = typed(line) else { return false };
        let mut words = command.split_whitespace().skip_while(|word| *word == "sudo");
        let Some(program) = words.next() else { return true };
        let words: Vec<_> = words.collect();
        let is_listing = program.ends_with("-save")
            || words.iter().any(|word| ["-S", "--list-rules", "-L", "--list"].contains(word));
        if is_listing && let Some(family) = header::family(program) {
            self.header = Some(Header { family: Some(family), ..Header::default() });
            self.listed = words
                .iter()
                .zip(words.iter().skip(1))
                .find(|(option, _)| ["-t", "--table"].contains(option))
                .map(|(_, table)| *table);
        }
        self.place = None;
        true
    }

    fn push_dump(&mut self, form: Form, header: Header, line: usize) -> usize {
        self.entries.push(Entry::Dump(Dump { header, form, line, tables: Vec::new() }));
        self.entries.len() - 1
    }

    /// Makes a table of a dump the current one.
    fn enter(&mut self, entry: usize, name: &'t str) {
        let Some(Entry::Dump(dump)) = self.entries.get_mut(entry) else { return };
        let known = dump.tables.iter().position(|table| table.name == name && !name.is_empty());
        let table = known.unwrap_or_else(|| {
            dump.tables.push(RawTable { name, ..RawTable::default() });
            dump.tables.len() - 1
        });
        self.place = Some(Place { entry, table, chain: None });
    }

    fn current_table(&mut self) -> Option<&mut RawTable<'t>> {
        let place = self.place?;
        match self.entries.get_mut(place.entry)? {
            Entry::Dump(dump) => dump.tables.get_mut(place.table),
            Entry::Nft(_) => None,
        }
    }

    fn current_form(&self) -> Option<Form> {
        match self.entries.get(self.place?.entry)? {
            Entry::Dump(dump) => Some(dump.form),
            Entry::Nft(_) => None,
        }
    }
}

impl Dump<'_> {
    /// Whether it has no table of this name.
    fn lacks(&self, name: &str) -> bool {
        name.is_empty() || self.tables.iter().all(|table| table.name != name)
    }
}

/// What is said of a line that no form has.
fn unknown(line: &str) -> String {
    if line.starts_with("Chain ") && line.ends_with(')') {
        "a listing without all conditions: give the output of iptables-save".to_owned()
    } else if line.starts_with("{\"nftables\"") {
        "rules as JSON: give the output of `nft list ruleset`".to_owned()
    } else {
        format!("not a line of a rule set: {}", excerpt(line))
    }
}

/// The first word, and what follows it.
fn cut(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, skip_blanks(rest))
}

/// `12:34`
fn pair(text: &str) -> Option<Counters> {
    let (packets, bytes) = text.split_once(':')?;
    Some(Counters { packets: packets.trim().parse().ok()?, bytes: bytes.trim().parse().ok()? })
}

/// `[12:34]`
fn bracketed(text: &str) -> Option<Counters> {
    pair(text.strip_prefix('[')?.strip_suffix(']')?)
}

/// `12 34`
pub(super) fn spaced(text: &str) -> Option<Counters> {
    let mut words = text.split_whitespace();
    Some(Counters { packets: words.next()?.parse().ok()?, bytes: words.next()?.parse().ok()? })
}

/// ` 3 -- bcnt = 108`
fn listed_counters(text: &str) -> Option<Counters> {
    let (packets, bytes) = text.split_once("-- bcnt =")?;
    Some(Counters { packets: packets.trim().parse().ok()?, bytes: bytes.trim().parse().ok()? })
}

/// What stands behind a shell's prompt: `$ ls`, `[root@host ~]# ls`, `me@host:~$ ls`.
fn typed(line: &str) -> Option<&str> {
    if let Some(command) = line.strip_prefix('$') {
        return Some(command);
    }
    let end = line.find(['#', '$'])?;
    let (prompt, command) = line.split_at(end);
    let is_prompt = prompt.contains('@') && prompt.len() < 80;
    is_prompt.then(|| command.trim_start_matches(['#', '$', ' ']))
}
