//! Text into rule sets: tells the form by its content.
//!
//! A text is taken line by line. Tables of `iptables-save` and its kin, of `ebtables -L` and of command lines are
//! first [collected](collect) as they stand, for the family is often known only at the end; then they are
//! [built](build). Tables of nft are read [as they come](nft).

mod build;
mod collect;
mod ebtables;
mod family;
mod header;
mod iptables;
mod names;
mod nft;
mod target;
mod values;
mod words;

use super::ruleset::RuleSet;
use collect::Collector;

pub(super) use nft::target_at;

/// What a text gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// The rule sets, in the order of the text: several families, or several moments of one.
    pub sets: Vec<RuleSet>,
    /// What could not be read.
    pub remarks: Vec<Remark>,
}

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Its number from 1.
    pub line: usize,
    /// What is wrong with it.
    pub sentence: String,
}

/// Reads rule sets. `name` is the file's name, which tells the family where the text does not.
pub fn read(text: &str, name: &str) -> Reading {
    let mut collector = Collector::default();
    let mut rest = text;
    let mut number = 0;
    while !rest.is_empty() {
        let (line, tail) = rest.split_once('\n').unwrap_or((rest, ""));
        number += 1;
        if nft::begins_table(line) {
            let read = collector.nft_table(rest, number);
            rest = &rest[read.bytes..];
            // What follows the table on its last line is the next to be taken.
            number = number + read.lines - 1;
        } else {
            collector.line(line, number);
            rest = tail;
        }
    }
    collector.finish(name)
}

/// Where in the text of a rule of iptables or ebtables its target begins.
pub(super) fn jump_at(text: &str) -> Option<usize> {
    let words = words::words(text);
    let jump = words.iter().find(|word| ["-j", "-g", "--jump", "--goto"].contains(&word.raw));
    jump.map(|word| word.start)
}

/// A piece of a line for a remark: short, whatever the line is.
fn excerpt(text: &str) -> String {
    const LETTERS: usize = 60;
    let mut letters = text.char_indices().skip(LETTERS);
    match letters.next() {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
