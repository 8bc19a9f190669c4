//! Text into rule sets: tells the form by its content.

use super::ruleset::RuleSet;

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
    let _ = (text, name);
    Reading::default()
}
