//! One rule of nft: conditions, then what is done, in any order.

use super::expression::{self, Expression, Value, after_group, is_statement, next_statement};
use super::lex::{Kind, Token};
use super::test;
use crate::rulebook::read::{excerpt, target, values};
use crate::rulebook::{Counters, Family, Match, Target, Test};

/// What a rule's tokens mean.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) matches: Vec<Match>,
    /// What it does, in order.
    pub(super) acts: Vec<Target>,
    /// The token with which the first of them begins.
    pub(super) first_act: Option<usize>,
    pub(super) log_prefix: Option<Box<str>>,
    pub(super) counters: Option<Counters>,
    /// The tokens that count, which are not part of the text.
    pub(super) counts: Vec<usize>,
    pub(super) remarks: Vec<String>,
}

/// Reads a rule.
pub(super) fn rule(text: &str, tokens: &[Token<'_>], family: Family) -> Parsed {
    let mut reader = Reader { text, tokens, family, at: 0, parsed: Parsed::default() };
    while reader.at < tokens.len() {
        let start = reader.at;
        reader.step();
        // Whatever stands there, reading goes on behind it.
        reader.at = reader.at.max(start + 1);
    }
    reader.parsed
}

/// A rule's text on one line, without the numbers that only count.
pub(super) fn text(source: &str, tokens: &[Token<'_>], counts: &[usize]) -> String {
    let mut text = String::new();
    let mut end = None;
    for (place, token) in tokens.iter().enumerate() {
        if !counts.contains(&place) {
            let is_apart = end.is_some_and(|end| end < token.start);
            if is_apart {
                text.push(' ');
            }
            text.push_str(&source[token.start..token.end()]);
        }
        end = Some(token.end());
    }
    text
}

struct Reader<'r, 't> {
    text: &'t str,
    tokens: &'r [Token<'t>],
    family: Family,
    at: usize,
    parsed: Parsed,
}

impl<'r, 't> Reader<'r, 't> {
    fn step(&mut self) {
        let start = self.at;
        let Some(token) = self.tokens.get(start) else { return };
        if is_statement(token) {
            self.at += 1;
            return self.statement(token.text, start);
        }
        match token.text {
            "xt" if self.is_word(start + 1, "target") => {
                self.at = (start + 3).min(self.tokens.len());
                let name = self.tokens.get(start + 2).map_or("", Token::value);
                let act = match target::iptables(name, &[]).target {
                    Target::Passes(_) => Target::Passes(self.text(start)),
                    Target::Other(_) => Target::Other(self.text(start)),
                    known => known,
                };
                self.act(start, act);
            }
            // ebtables' `redirect`, as nft prints it.
            "meta" if self.is_word(start + 1, "set") => {
                self.at = (start + 4).min(self.tokens.len());
                self.act(start, Target::Passes(self.text(start)));
            }
            "xt" => {
                self.at = (start + 3).min(self.tokens.len());
                self.keep(start);
            }
            "meter" => {
                let opens = |place: &usize| self.tokens[*place].is("{");
                let block = (start..self.tokens.len()).find(opens);
                self.at = block.map_or(start + 2, |place| after_group(self.tokens, place));
                self.at = self.at.min(self.tokens.len());
                self.keep(start);
            }
            "limit" | "quota" => self.rate(start),
            _ => {
                if let Some(expression) = expression::expression(self.tokens, start) {
                    self.expression(&expression, start);
                } else {
                    self.at = next_statement(self.tokens, start).max(start + 1);
                    self.keep(start);
                }
            }
        }
    }

    /// A condition, or a statement that writes what it names.
    fn expression(&mut self, expression: &Expression<'r, 't>, start: usize) {
        self.at = expression.end;
        match &expression.value {
            Value::Set(value) => {
                let act = self.write(&expression.key, value, start);
                self.act(start, act);
            }
            Value::Verdicts => {
                let text = self.text(start);
                self.act(start, Target::Other(text));
            }
            _ => {
                if let Some(conditions) = test::conditions(expression, self.family) {
                    self.demand(conditions);
                } else {
                    self.demand(test::implied(&expression.key, self.family));
                    self.keep(start);
                }
            }
        }
    }

    /// `meta mark set 0x1`
    fn write(&self, key: &[&str], value: &[Token<'_>], start: usize) -> Target {
        match key {
            ["mark"] => Target::Mark { set: mark(value) },
            ["ct", "mark"] => Target::Connmark,
            ["nftrace"] if value.first().is_some_and(|token| token.is("1")) => Target::Trace,
            _ => Target::Passes(self.text(start)),
        }
    }

    /// A statement by its word; `at` stands behind that.
    fn statement(&mut self, word: &str, start: usize) {
        let act = match word {
            "accept" => Target::Accept,
            "drop" => Target::Drop,
            "return" => Target::Return,
            "continue" => Target::Continue,
            "notrack" => Target::Notrack,
            "jump" => Target::Jump(self.take().into()),
            "goto" => Target::Goto(self.take().into()),
            "counter" => return self.counter(),
            "comment" => {
                let comment = Test::Comment(self.take().into());
                return self.demand(vec![Match { negated: false, test: comment }]);
            }
            "log" => self.log(start),
            "reject" => {
                self.at = next_statement(self.tokens, self.at);
                let with =
                    self.tokens[start + 1..self.at].iter().skip_while(|token| token.is("with"));
                let with: Vec<_> = with.map(|token| token.text).collect();
                Target::Reject { with: (!with.is_empty()).then(|| with.join(" ").into()) }
            }
            "dnat" => Target::Dnat { to: self.translation() },
            "snat" => Target::Snat { to: self.translation() },
            "redirect" => Target::Redirect { to: self.translation() },
            "masquerade" => {
                self.translation();
                Target::Masquerade
            }
            "tproxy" => {
                // `to :3129`, before the next statement or mark.
                while self
                    .tokens
                    .get(self.at)
                    .is_some_and(|token| !token.is("to") && !is_statement(token))
                {
                    self.at += 1;
                }
                self.at = (self.at + 2).min(self.tokens.len());
                Target::Tproxy
            }
            "queue" => self.queue(),
            // `add @table`
            "flow" => {
                self.at = (self.at + 2).min(self.tokens.len());
                Target::Passes(self.text(start))
            }
            "dup" => {
                self.at = next_statement_after(self.tokens, self.at);
                Target::Passes(self.text(start))
            }
            "add" | "update" | "delete" => {
                // `@set { … }`
                self.at = after_group(self.tokens, (self.at + 1).min(self.tokens.len()));
                Target::Passes(self.text(start))
            }
            _ => {
                self.at = next_statement(self.tokens, self.at);
                Target::Other(self.text(start))
            }
        };
        self.act(start, act);
    }

    /// `counter packets 1 bytes 60`, `counter name "https"`
    fn counter(&mut self) {
        let number = |ahead: usize| self.tokens.get(self.at + ahead)?.text.parse().ok();
        if self.is_word(self.at, "packets") && self.is_word(self.at + 2, "bytes") {
            let counters = number(1).zip(number(3));
            self.parsed.counters = counters.map(|(packets, bytes)| Counters { packets, bytes });
            self.parsed.counts.extend(self.at..self.at + 4);
            self.at += 4;
        } else if self.is_word(self.at, "name") {
            self.at += 2;
        } else if self.tokens.get(self.at).is_some_and(|token| token.kind == Kind::Quoted) {
            self.at += 1;
        }
    }

    /// `log prefix "x" level info flags all`
    fn log(&mut self, start: usize) -> Target {
        let mut prefix = None;
        let mut is_printed = true;
        while let Some(token) = self.tokens.get(self.at) {
            match token.text {
                "prefix" => prefix = self.tokens.get(self.at + 1).map(Token::value),
                "level" => is_printed &= !self.is_word(self.at + 1, "audit"),
                // Not to the kernel's log, but to a program.
                "group" => is_printed = false,
                "flags" if ["tcp", "ip"].iter().any(|word| self.is_word(self.at + 1, word)) => {
                    self.at += 2;
                    while self.is_word(self.at + 1, ",") {
                        self.at += 2;
                    }
                    self.at += 1;
                    continue;
                }
                "snaplen" | "queue-threshold" | "flags" => {}
                _ => break,
            }
            self.at = (self.at + 2).min(self.tokens.len());
        }
        self.at = self.at.min(self.tokens.len());
        if is_printed {
            self.parsed.log_prefix = Some(prefix.unwrap_or_default().into());
            return Target::Log;
        }
        if self.parsed.log_prefix.is_none() {
            self.parsed.log_prefix = prefix.map(Box::from);
        }
        Target::Passes(self.text(start))
    }

    /// What stands behind `to`, up to the flags.
    fn translation(&mut self) -> Option<Box<str>> {
        let start = self.at;
        self.at = next_statement_after(self.tokens, self.at);
        let tokens = &self.tokens[start..self.at];
        let from = tokens.iter().position(|token| token.is("to"))? + 1;
        let is_flag = |token: &Token<'_>| {
            ["random", "fully-random", "persistent"].iter().any(|flag| token.is(flag))
        };
        let to = tokens.iter().position(is_flag).unwrap_or(tokens.len()).max(from);
        Some(text(self.text, &tokens[from..to], &[]).into())
    }

    /// `queue num 3 bypass`, `queue flags bypass to 3`
    fn queue(&mut self) -> Target {
        let start = self.at;
        self.at = next_statement(self.tokens, self.at);
        let tokens = &self.tokens[start..self.at];
        let named = tokens.iter().position(|token| token.is("num") || token.is("to"));
        Target::Nfqueue {
            // A range, or an expression, is no one number.
            number: match named {
                Some(place) => tokens.get(place + 1).and_then(|token| token.text.parse().ok()),
                None => Some(0),
            },
            bypass: tokens.iter().any(|token| token.is("bypass")),
        }
    }

    /// `limit rate over 5/second burst 10 packets`, `quota over 25 mbytes used 5 bytes`
    fn rate(&mut self, start: usize) {
        const WORDS: [&str; 14] = [
            "rate",
            "over",
            "until",
            "burst",
            "packets",
            "bytes",
            "kbytes",
            "mbytes",
            "name",
            "used",
            "bytes/second",
            "kbytes/second",
            "mbytes/second",
            "packet",
        ];
        self.at += 1;
        while let Some(token) = self.tokens.get(self.at) {
            let is_number = token.text.starts_with(|c: char| c.is_ascii_digit());
            if !is_number && token.kind != Kind::Quoted && !WORDS.contains(&token.text) {
                break;
            }
            self.at += 1;
        }
        self.keep(start);
    }

    /// Adds conditions that are not there yet.
    fn demand(&mut self, conditions: Vec<Match>) {
        for condition in conditions {
            if !self.parsed.matches.contains(&condition) {
                self.parsed.matches.push(condition);
            }
        }
    }

    /// Keeps what was read since `start` as a condition in words.
    fn keep(&mut self, start: usize) {
        let text = self.text(start);
        let is_punctuation = !text.contains(|c: char| c.is_alphanumeric());
        if is_punctuation {
            self.parsed.remarks.push(format!("not a part of a rule: {}", excerpt(&text)));
        }
        self.parsed.matches.push(Match { negated: false, test: Test::Other(text) });
    }

    fn act(&mut self, start: usize, act: Target) {
        self.parsed.first_act.get_or_insert(start);
        self.parsed.acts.push(act);
    }

    /// The text from the token `start` up to where reading stands.
    fn text(&self, start: usize) -> Box<str> {
        let end = self.at.min(self.tokens.len());
        text(self.text, self.tokens.get(start..end).unwrap_or_default(), &[]).into()
    }

    fn take(&mut self) -> &'t str {
        let value = self.tokens.get(self.at).map_or("", Token::value);
        self.at = (self.at + 1).min(self.tokens.len());
        value
    }

    fn is_word(&self, place: usize, word: &str) -> bool {
        self.tokens.get(place).is_some_and(|token| token.is(word))
    }
}

/// The next statement, or the next value that is written: `tproxy to :1 meta mark set 1`.
fn next_statement_after(tokens: &[Token<'_>], at: usize) -> usize {
    let end = next_statement(tokens, at);
    let writes = (at..end).find(|place| tokens[*place].is("set"));
    match writes {
        // The key stands in the two words before.
        Some(place) => place.saturating_sub(2).max(at),
        None => end,
    }
}

/// New mark = (old & !mask) ^ value, from `0x5`, `mark and 0xff00 xor 0x1`.
fn mark(tokens: &[Token<'_>]) -> Option<(u32, u32)> {
    if let [literal] = tokens
        && let Some(value) = values::number(literal.text)
    {
        return Some((value, u32::MAX));
    }
    let tokens = match tokens {
        [meta, mark, rest @ ..] if meta.is("meta") && mark.is("mark") => rest,
        [mark, rest @ ..] if mark.is("mark") => rest,
        _ => return None,
    };
    let (mut value, mut mask) = (0, 0);
    for pair in tokens.chunks(2) {
        let [operator, operand] = pair else { return None };
        let bits = values::number(operand.text)?;
        match operator.text {
            "and" | "&" => (value, mask) = (value & bits, mask | !bits),
            "or" | "|" => (value, mask) = (value | bits, mask | bits),
            "xor" | "^" => value ^= bits,
            _ => return None,
        }
    }
    Some((value, mask))
}
