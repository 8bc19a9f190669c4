//! The expressions of nft's language: what is looked at, how it is compared, and with what.

use super::lex::{Kind, Token};

/// An expression with its comparison: `meta mark & 0xff == 0x10`.
#[derive(Debug)]
pub(super) struct Expression<'r, 't> {
    /// What is looked at: `tcp dport`, `meta mark`; without `meta`.
    pub(super) key: Vec<&'t str>,
    /// `&` with its operand.
    pub(super) mask: Option<&'r [Token<'t>]>,
    /// The comparison; empty for equality.
    pub(super) compare: &'t str,
    /// What it is compared with.
    pub(super) value: Value<'r, 't>,
    /// Whether it is too much for [`super::test`]: several keys, several operators.
    pub(super) is_complex: bool,
    /// The place behind it.
    pub(super) end: usize,
}

/// The right side of an expression.
#[derive(Debug)]
pub(super) enum Value<'r, 't> {
    /// Words with commas between, or a set in braces.
    List(Vec<&'t str>, Braces),
    /// `set …`: a statement that writes the key; the tokens of the new value.
    Set(&'r [Token<'t>]),
    /// `vmap { … }`: a verdict for each value.
    Verdicts,
    /// `syn / fin,syn,rst,ack`: the wanted, and the mask.
    Masked(Vec<&'t str>, Vec<&'t str>),
    /// Anything else.
    Other,
}

/// Whether a list stands in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Braces {
    With,
    Without,
}

/// Words that begin a statement, never an expression.
const STATEMENTS: [&str; 24] = [
    "accept",
    "drop",
    "continue",
    "return",
    "queue",
    "reject",
    "jump",
    "goto",
    "counter",
    "log",
    "dnat",
    "snat",
    "masquerade",
    "redirect",
    "notrack",
    "tproxy",
    "dup",
    "fwd",
    "synproxy",
    "comment",
    "flow",
    "add",
    "update",
    "delete",
];

/// Whether a statement begins here.
pub(super) fn is_statement(token: &Token<'_>) -> bool {
    token.kind == Kind::Word && STATEMENTS.contains(&token.text)
}

/// The place of the next statement from `at`, or the end.
pub(super) fn next_statement(tokens: &[Token<'_>], at: usize) -> usize {
    let mut at = at;
    while let Some(token) = tokens.get(at) {
        if is_statement(token) {
            break;
        }
        at = after_group(tokens, at);
    }
    at.min(tokens.len())
}

/// The place behind the token at `at`, or behind the group that it opens.
pub(super) fn after_group(tokens: &[Token<'_>], at: usize) -> usize {
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate().skip(at) {
        match token.text {
            "{" | "(" => depth += 1,
            "}" | ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return place + 1;
        }
    }
    tokens.len()
}

/// Reads the expression at `at`; `None` when no key that is known stands there.
pub(super) fn expression<'r, 't>(tokens: &'r [Token<'t>], at: usize) -> Option<Expression<'r, 't>> {
    let length = key_length(tokens, at)?;
    let mut key: Vec<_> = tokens[at..at + length].iter().map(|token| token.text).collect();
    if key.first() == Some(&"meta") {
        key.remove(0);
    }
    let mut read = Expression {
        key,
        mask: None,
        compare: "",
        value: Value::Other,
        is_complex: false,
        end: at + length,
    };
    read.concatenated(tokens);
    read.operators(tokens);
    read.comparison(tokens);
    Some(read)
}

impl<'r, 't> Expression<'r, 't> {
    /// `ip saddr . tcp dport`
    fn concatenated(&mut self, tokens: &[Token<'t>]) {
        while tokens.get(self.end).is_some_and(|token| token.is(".")) {
            self.is_complex = true;
            let length = key_length(tokens, self.end + 1).unwrap_or(1);
            self.end = (self.end + 1 + length).min(tokens.len());
        }
    }

    /// `& 0xff`
    fn operators(&mut self, tokens: &'r [Token<'t>]) {
        while let Some(operator) = tokens.get(self.end).filter(|token| is_operator(token)) {
            let start = self.end + 1;
            self.end = operand_end(tokens, start);
            if matches!(operator.text, "&" | "and") && self.mask.is_none() {
                self.mask = tokens.get(start..self.end);
            } else {
                self.is_complex = true;
            }
        }
    }

    fn comparison(&mut self, tokens: &'r [Token<'t>]) {
        let Some(token) = tokens.get(self.end) else { return };
        match token.text {
            "set" => {
                let start = self.end + 1;
                self.end = sum_end(tokens, start);
                self.value = Value::Set(tokens.get(start..self.end).unwrap_or_default());
                return;
            }
            "vmap" => {
                self.end = after_group(tokens, self.end + 1);
                self.value = Value::Verdicts;
                return;
            }
            "==" | "eq" | "!=" | "ne" | "<" | ">" | "<=" | ">=" | "lt" | "gt" | "le" | "ge"
            | "!" => {
                self.compare = token.text;
                self.end += 1;
            }
            _ => {}
        }
        self.value = self.right_side(tokens);
    }

    fn right_side(&mut self, tokens: &'r [Token<'t>]) -> Value<'r, 't> {
        let Some(first) = tokens.get(self.end) else { return Value::Other };
        if first.is("{") {
            let start = self.end + 1;
            self.end = after_group(tokens, self.end);
            let inner = tokens.get(start..self.end.saturating_sub(1)).unwrap_or_default();
            return match listed(inner) {
                Some(list) => Value::List(list, Braces::With),
                None => Value::Other,
            };
        }
        if first.is("(") {
            let start = self.end + 1;
            self.end = after_group(tokens, self.end);
            let inner = tokens.get(start..self.end.saturating_sub(1)).unwrap_or_default();
            let words = inner.iter().filter(|token| token.kind == Kind::Word);
            return Value::List(words.map(|token| token.text).collect(), Braces::Without);
        }
        let left = self.comma_list(tokens);
        if tokens.get(self.end).is_some_and(|token| token.is("/")) {
            self.end += 1;
            return Value::Masked(left, self.comma_list(tokens));
        }
        if tokens.get(self.end).is_some_and(|token| token.is("vmap")) {
            self.end = after_group(tokens, self.end + 1);
            return Value::Verdicts;
        }
        Value::List(left, Braces::Without)
    }

    /// `established,related`
    fn comma_list(&mut self, tokens: &[Token<'t>]) -> Vec<&'t str> {
        let mut list = Vec::new();
        while let Some(token) = tokens.get(self.end).filter(|token| token.kind != Kind::Mark) {
            list.push(token.value());
            self.end += 1;
            // A range with blanks: `"2020-01-01" - "2021-01-01"`.
            if tokens.get(self.end).is_some_and(|token| token.is("-")) {
                self.is_complex = true;
                self.end = (self.end + 2).min(tokens.len());
            }
            if !tokens.get(self.end).is_some_and(|token| token.is(",") || token.is("|")) {
                break;
            }
            self.end += 1;
        }
        list
    }
}

/// The elements of a set, when each is one word.
fn listed<'t>(tokens: &[Token<'t>]) -> Option<Vec<&'t str>> {
    tokens
        .split(|token| token.is(","))
        .map(|element| match element {
            [one] => Some(one.value()),
            _ => None,
        })
        .collect()
}

fn is_operator(token: &Token<'_>) -> bool {
    ["&", "and", "|", "or", "^", "xor", "<<", ">>"].iter().any(|operator| token.is(operator))
}

/// Where the operand at `at` ends: a key, a group, or one word.
fn operand_end(tokens: &[Token<'_>], at: usize) -> usize {
    let end = match key_length(tokens, at) {
        Some(length) => at + length,
        None => after_group(tokens, at),
    };
    match tokens.get(end) {
        Some(token) if token.is("map") => after_group(tokens, end + 1),
        _ => end.min(tokens.len()),
    }
}

/// Where a value with operators ends: `mark and 0xffffff00 xor 0x5`.
fn sum_end(tokens: &[Token<'_>], at: usize) -> usize {
    let mut end = operand_end(tokens, at);
    while tokens.get(end).is_some_and(|token| is_operator(token) || token.is(",")) {
        end = operand_end(tokens, end + 1);
    }
    end
}

/// How many words name what is looked at.
fn key_length(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let word = |ahead: usize| {
        tokens.get(at + ahead).filter(|token| token.kind == Kind::Word).map(|token| token.text)
    };
    let length = match word(0)? {
        "iif" | "iifname" | "iifgroup" | "iiftype" | "oif" | "oifname" | "oifgroup" | "oiftype"
        | "mark" | "pkttype" | "skuid" | "skgid" | "cpu" | "cgroup" | "rtclassid" | "l4proto"
        | "nfproto" | "ibrname" | "obrname" | "ibridgename" | "obridgename" => 1,
        "tcp" | "ip" if word(1) == Some("option") => match word(3) {
            None | Some("exists" | "missing") => 3,
            Some(_) => 4,
        },
        "arp" if matches!(word(1), Some("saddr" | "daddr")) => 3,
        "rt" if matches!(word(1), Some("ip" | "ip6")) => 3,
        "ct" if matches!(word(1), Some("original" | "reply")) => match word(2) {
            Some("ip" | "ip6") => 4,
            _ => 3,
        },
        "ct" if word(1) == Some("count") => return None,
        "fib" => {
            let is_result =
                |ahead: &usize| matches!(word(*ahead), Some("type" | "oif" | "oifname" | "check"));
            (2..9).find(is_result)? + 1
        }
        "ip" | "ip6" | "tcp" | "udp" | "udplite" | "sctp" | "dccp" | "th" | "icmp" | "icmpv6"
        | "igmp" | "ether" | "vlan" | "arp" | "esp" | "ah" | "comp" | "frag" | "hbh" | "dst"
        | "mh" | "rt" | "meta" | "ct" | "socket" => 2,
        _ => return None,
    };
    (at + length <= tokens.len()).then_some(length)
}
