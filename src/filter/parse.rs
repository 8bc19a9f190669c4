//! Tokens to an expression.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr as _;

use crate::filter::keys::{KEYS, nearest};
use crate::filter::lex::{Token, TokenKind, lex};
use crate::filter::value::term;
use crate::filter::{Clock, Expr, FilterError};

/// How deep parentheses may be nested.
const MAX_DEPTH: usize = 64;

/// How many values a filter may have: more make no question a person asks, but a slow database.
const MAX_VALUES: usize = 256;

/// Reads a filter. An empty one matches everything.
pub fn parse(text: &str, clock: &Clock) -> Result<Expr, FilterError> {
    let mut parser = Parser { tokens: lex(text)?, at: 0, n_values: 0, clock };
    let expr = parser.any(0)?;
    match parser.peek() {
        None => Ok(expr),
        Some(token) => Err(FilterError::new(token.column, "a `)` without its `(`")),
    }
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    n_values: usize,
    clock: &'a Clock,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn is_next(&self, kind: &TokenKind) -> bool {
        self.peek().is_some_and(|token| token.kind == *kind)
    }

    fn any(&mut self, depth: usize) -> Result<Expr, FilterError> {
        let mut any = vec![self.all(depth)?];
        while self.is_next(&TokenKind::Or) {
            let column = self.next().map_or(1, |token| token.column);
            let next = self.all(depth)?;
            if is_nothing(&next) || any.iter().any(is_nothing) {
                return Err(FilterError::new(column, "`OR` needs something on both sides"));
            }
            any.push(next);
        }
        Ok(one_or(any, Expr::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Expr, FilterError> {
        let mut all = Vec::new();
        while let Some(token) = self.peek() {
            match token.kind {
                TokenKind::Close | TokenKind::Or => break,
                TokenKind::And => self.at += 1,
                _ => all.push(self.one(depth)?),
            }
        }
        Ok(one_or(all, Expr::All))
    }

    fn one(&mut self, depth: usize) -> Result<Expr, FilterError> {
        let mut negated = false;
        let mut not_at = 1;
        while self.is_next(&TokenKind::Not) {
            not_at = self.next().map_or(1, |token| token.column);
            negated = !negated;
        }
        let Some(token) = self.next() else {
            return Err(FilterError::new(not_at, "`-` needs something to negate"));
        };
        let expr = match token.kind {
            TokenKind::Open => self.group(token.column, depth)?,
            TokenKind::Term { key, values } => {
                self.n_values += values.len();
                if self.n_values > MAX_VALUES {
                    let message = format!("the filter has more than {MAX_VALUES} values");
                    return Err(FilterError::new(token.column, message));
                }
                Expr::Term(term(&key, token.column, &values, self.clock)?)
            }
            TokenKind::Word(word) => return Err(no_key(&word, token.column)),
            TokenKind::Not | TokenKind::And | TokenKind::Or | TokenKind::Close => {
                return Err(FilterError::new(not_at, "`-` needs something to negate"));
            }
        };
        Ok(if negated { Expr::Not(Box::new(expr)) } else { expr })
    }

    fn group(&mut self, column: usize, depth: usize) -> Result<Expr, FilterError> {
        if depth >= MAX_DEPTH {
            let message = format!("parentheses are nested more than {MAX_DEPTH} deep");
            return Err(FilterError::new(column, message));
        }
        let expr = self.any(depth + 1)?;
        if !self.is_next(&TokenKind::Close) {
            return Err(FilterError::new(column, "the `(` is not closed"));
        }
        self.at += 1;
        if is_nothing(&expr) {
            return Err(FilterError::new(column, "nothing between the parentheses"));
        }
        Ok(expr)
    }
}

fn is_nothing(expr: &Expr) -> bool {
    *expr == Expr::All(Vec::new())
}

fn one_or(mut many: Vec<Expr>, wrap: fn(Vec<Expr>) -> Expr) -> Expr {
    match (many.len(), many.pop()) {
        (1, Some(one)) => one,
        (_, last) => {
            many.extend(last);
            wrap(many)
        }
    }
}

/// A word without a key: what was probably meant.
fn no_key(word: &str, column: usize) -> FilterError {
    let error = FilterError::new(column, format!("`{word}` has no key"));
    if IpAddr::from_str(word.trim_matches(['[', ']'])).is_ok()
        || word.parse::<ipnet::IpNet>().is_ok()
    {
        return error.hint(format!("write `addr:{word}`"));
    }
    if let Ok(socket) = word.parse::<SocketAddr>() {
        return error.hint(format!("write `addr:{} port:{}`", socket.ip(), socket.port()));
    }
    if word.parse::<u16>().is_ok() {
        return error.hint(format!("write `port:{word}`"));
    }
    let key = word.split_once([':', '=']).map_or(word, |(key, _)| key).to_lowercase();
    if KEYS.contains(&key.as_str()) {
        return error.hint(format!("write `{key}:` and a value"));
    }
    match word {
        "or" => error.hint("write `OR`"),
        "and" => error.hint("leave it out: a space means AND"),
        "not" => error.hint("write `-` before what is not wanted"),
        _ => match nearest(&key, KEYS) {
            Some(key) => error.hint(format!("did you mean `{key}:`?")),
            None => error.hint(format!("keys are {}", KEYS.map(|key| format!("{key}:")).join(" "))),
        },
    }
}
