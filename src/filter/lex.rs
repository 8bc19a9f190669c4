//! Text to tokens. Columns count characters from 1.

use crate::filter::FilterError;

/// A token and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub column: usize,
    pub kind: TokenKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind {
    Open,
    Close,
    Not,
    Or,
    /// `AND`, which says no more than a space.
    And,
    /// `key:value,value`.
    Term {
        key: String,
        values: Vec<Value>,
    },
    /// A word without a key.
    Word(String),
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub column: usize,
    pub text: String,
}

/// Splits a filter into tokens.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0 };
    let mut tokens = Vec::new();
    while let Some(next) = lexer.skip_blanks() {
        let column = lexer.column();
        let kind = match next {
            '(' => lexer.one(TokenKind::Open),
            ')' => lexer.one(TokenKind::Close),
            '-' => lexer.one(TokenKind::Not),
            _ => lexer.word()?,
        };
        tokens.push(Token { column, kind });
    }
    Ok(tokens)
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn column(&self) -> usize {
        self.at + 1
    }

    fn skip_blanks(&mut self) -> Option<char> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        self.peek()
    }

    fn one(&mut self, kind: TokenKind) -> TokenKind {
        self.at += 1;
        kind
    }

    /// Everything up to a blank or parenthesis, or to a character of `stops`.
    fn plain(&mut self, stops: &[char]) -> String {
        let start = self.at;
        while let Some(next) = self.peek() {
            if next.is_whitespace() || matches!(next, '(' | ')') || stops.contains(&next) {
                break;
            }
            self.at += 1;
        }
        self.chars.get(start..self.at).unwrap_or_default().iter().collect()
    }

    fn word(&mut self) -> Result<TokenKind, FilterError> {
        if self.peek() == Some('"') {
            return Ok(TokenKind::Word(self.quoted()?));
        }
        let start = self.at;
        let key = self.plain(&[':', '"']);
        let is_key = !key.is_empty() && key.chars().all(|c| c.is_alphabetic() || c == '_');
        if self.peek() == Some(':') && is_key {
            self.at += 1;
            return Ok(TokenKind::Term { key, values: self.values()? });
        }
        self.at = start;
        let word = self.plain(&[]);
        Ok(match word.as_str() {
            "OR" => TokenKind::Or,
            "AND" => TokenKind::And,
            "NOT" => TokenKind::Not,
            _ => TokenKind::Word(word),
        })
    }

    fn values(&mut self) -> Result<Vec<Value>, FilterError> {
        let mut values = Vec::new();
        loop {
            let column = self.column();
            let text =
                if self.peek() == Some('"') { self.quoted()? } else { self.plain(&[',', '"']) };
            if text.is_empty() {
                return Err(FilterError::new(column, "a value is missing"));
            }
            values.push(Value { column, text });
            match self.peek() {
                Some(',') => self.at += 1,
                Some('"') => {
                    return Err(FilterError::new(
                        self.column(),
                        "a quote in the middle of a value",
                    )
                    .hint("put the whole value in quotes"));
                }
                _ => return Ok(values),
            }
        }
    }

    /// A text in quotes; `\"` and `\\` stand for the quote and the backslash.
    fn quoted(&mut self) -> Result<String, FilterError> {
        let column = self.column();
        let mut text = String::new();
        loop {
            self.at += 1;
            match self.peek() {
                None => return Err(FilterError::new(column, "the quote is not closed")),
                Some('"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some('\\') => {
                    self.at += 1;
                    text.extend(self.peek());
                }
                Some(next) => text.push(next),
            }
        }
    }
}
