//! nft's text in tokens.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word, a number, an operator.
    Word,
    /// Text in quotes; [`Token::value`] is without them.
    Quoted,
    /// One of `{ } ( ) ; , |`.
    Mark,
    /// The end of a line.
    Newline,
}

/// One token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    /// As written.
    pub(super) text: &'t str,
    /// Where it begins.
    pub(super) start: usize,
}

impl<'t> Token<'t> {
    /// Whether it is this very word or mark.
    pub(super) fn is(&self, text: &str) -> bool {
        self.kind != Kind::Quoted && self.text == text
    }

    /// The text without quotes.
    pub(super) fn value(&self) -> &'t str {
        if self.kind != Kind::Quoted {
            return self.text;
        }
        let inner = self.text.strip_prefix('"').unwrap_or(self.text);
        inner.strip_suffix('"').unwrap_or(inner)
    }

    /// Where it ends.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// The next token from `at`, comments skipped.
pub(super) fn next(text: &str, mut at: usize) -> Option<Token<'_>> {
    let bytes = text.as_bytes();
    loop {
        match bytes.get(at)? {
            b' ' | b'\t' | b'\r' => at += 1,
            0xc2 if bytes.get(at + 1) == Some(&0xa0) => at += 2,
            // A line that goes on in the next one.
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => at += 2,
            b'#' => at += line_length(&bytes[at..]),
            _ => break,
        }
    }
    let (kind, length) = match bytes[at] {
        b'\n' => (Kind::Newline, 1),
        b'{' | b'}' | b'(' | b')' | b';' | b',' | b'|' => (Kind::Mark, 1),
        b'"' => (Kind::Quoted, quoted_length(&bytes[at..])),
        _ => (Kind::Word, word_length(&bytes[at..])),
    };
    Some(Token { kind, text: &text[at..at + length], start: at })
}

/// The tokens of one statement that stands alone.
pub(super) fn all(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(token) = next(text, at) {
        at = token.end();
        tokens.push(token);
    }
    tokens
}

fn line_length(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).unwrap_or(bytes.len())
}

/// nft escapes nothing: a quote ends the text when what follows it can follow.
fn quoted_length(bytes: &[u8]) -> usize {
    let line = line_length(bytes);
    let is_end = |place: usize| {
        let can_follow = match &bytes[place + 1..] {
            [] | [0xc2, 0xa0, ..] => true,
            [next, ..] => b" \t\r\n;,{})".contains(next),
        };
        bytes[place] == b'"' && can_follow
    };
    (1..line).find(|place| is_end(*place)).map_or(line, |place| place + 1)
}

fn word_length(bytes: &[u8]) -> usize {
    let is_end = |place: usize| {
        b" \t\r\n{}();,|".contains(&bytes[place]) || bytes[place..].starts_with(&[0xc2, 0xa0])
    };
    (1..bytes.len()).find(|place| is_end(*place)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        all(text).iter().map(Token::value).collect()
    }

    #[test]
    fn words_marks_and_comments() {
        let expected = ["tcp", "dport", "{", "22", ",", "80", "}", "accept"];
        assert_eq!(texts("\ttcp dport { 22, 80 } accept # handle 4"), expected);
        assert_eq!(texts("policy accept;"), ["policy", "accept", ";"]);
        assert_eq!(texts("(fin|syn)"), ["(", "fin", "|", "syn", ")"]);
        assert_eq!(texts("ip\u{a0}saddr ä"), ["ip", "saddr", "ä"]);
    }

    #[test]
    fn a_quote_inside_quotes_is_text() {
        assert_eq!(texts("log prefix \"a\"b \"\n"), ["log", "prefix", "a\"b ", "\n"]);
        assert_eq!(texts("{ \"a\", \"b\" }"), ["{", "a", ",", "b", "}"]);
        assert_eq!(texts("comment \"open"), ["comment", "open"]);
        assert_eq!(texts("\""), [""]);
    }
}
