//! Bridges: their forwarding tables, and the rules of legacy `ebtables`.

use std::fs;

use super::manifest::Entry;
use super::pieces::{BackEnd, FDB, Keep};
use super::take::Collector;

/// The tables that `ebtables` may have, each a kernel module: `ebtable_nat`.
const TABLES: [&str; 3] = ["filter", "nat", "broute"];

pub(super) fn collect(collector: &mut Collector<'_>) {
    legacy_rules(collector);
    if collector.programs.find("bridge").is_some() {
        collector.collect(&FDB);
    } else {
        showmacs(collector);
    }
}

/// Listing a table loads it, and its own saving script may ask the other back end: only loaded ones are listed, by hand.
fn legacy_rules(collector: &mut Collector<'_>) {
    let entry = Entry::new("bridge rules, legacy");
    let is_legacy = || collector.back_end("ebtables") == Some(BackEnd::Legacy);
    let tool = match collector.programs.find("ebtables-legacy") {
        Some(_) => "ebtables-legacy",
        None if is_legacy() => "ebtables",
        None => return collector.lacks(entry.missing("`ebtables-legacy` is not installed")),
    };
    let loaded = loaded_tables();
    if loaded.is_empty() {
        return collector.lacks(entry.none("no table of it is loaded"));
    }
    let mut text = Vec::new();
    for table in &loaded {
        let arguments = ["-t", table, "-L", "--Lc"];
        match collector.ask(tool, &arguments, Keep::Whole) {
            Ok((bytes, _)) => text.extend(bytes),
            Err((status, why)) => {
                return collector.lacks(entry.asked(tool, &arguments).ended(status).missing(why));
            }
        }
    }
    let entry = entry.asked(tool, &["-t", &loaded.join("|"), "-L", "--Lc"]);
    collector.keep(entry.ended(Some(0)), "ebtables-legacy.txt", text);
}

fn loaded_tables() -> Vec<&'static str> {
    let modules = fs::read_to_string("/proc/modules").unwrap_or_default();
    let is_loaded = |table: &&str| {
        let module = format!("ebtable_{table}");
        modules.lines().any(|line| line.split(' ').next() == Some(module.as_str()))
    };
    TABLES.into_iter().filter(is_loaded).collect()
}

/// Hosts from before `bridge`: one forwarding table after the other.
fn showmacs(collector: &mut Collector<'_>) {
    let entry = Entry::new(FDB.what);
    let show = ["show"];
    if collector.programs.find("brctl").is_none() {
        return collector.lacks(entry.missing("`bridge`, `brctl` is not installed"));
    }
    let names = match collector.ask("brctl", &show, Keep::Lines) {
        Ok((bytes, _)) => bridge_names(&String::from_utf8_lossy(&bytes)),
        Err((status, why)) => {
            return collector.lacks(entry.asked("brctl", &show).ended(status).missing(why));
        }
    };
    if names.is_empty() {
        collector.lacks(entry.asked("brctl", &show).ended(Some(0)).none("there are none"));
    }
    for name in names {
        let arguments = ["showmacs", name.as_str()];
        let entry = Entry::new(FDB.what).asked("brctl", &arguments);
        match collector.ask("brctl", &arguments, Keep::Lines) {
            Ok((bytes, is_cut)) => {
                let file = format!("brctl-showmacs-{}.txt", file_part(&name));
                collector.keep(Entry { is_cut, ..entry.ended(Some(0)) }, &file, bytes);
            }
            Err((status, why)) => collector.lacks(entry.ended(status).missing(why)),
        }
    }
}

/// The first word of each line that begins with one, without the head.
fn bridge_names(text: &str) -> Vec<String> {
    text.lines()
        .skip(1)
        .filter(|line| !line.starts_with(char::is_whitespace))
        .filter_map(|line| line.split_whitespace().next())
        .map(ToOwned::to_owned)
        .collect()
}

/// A device's name may hold almost anything.
fn file_part(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    name.chars().map(|c| if safe(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bridges_of_brctl() {
        let text = "bridge name\tbridge id\t\tSTP enabled\tinterfaces\n\
                    docker0\t\t8000.0242ac110001\tno\t\tveth1\n\t\t\t\t\t\t\tveth2\nbr-x\t\t8000.0\tno\n";
        assert_eq!(bridge_names(text), ["docker0", "br-x"]);
        assert_eq!(file_part("br/../\u{1b}[x"), "br______x");
    }
}
