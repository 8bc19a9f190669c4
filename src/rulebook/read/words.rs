//! A line in words, as `iptables-restore` cuts it: blanks between, double quotes around, backslashes inside quotes.

use std::borrow::Cow;

/// One word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word<'t> {
    /// Where in the line it begins.
    pub(super) start: usize,
    /// As written, with its quotes.
    pub(super) raw: &'t str,
    /// What it means.
    pub(super) value: Cow<'t, str>,
}

impl Word<'_> {
    /// Whether it has quotes, so that it can be no option.
    pub(super) fn is_quoted(&self) -> bool {
        matches!(self.raw.as_bytes().first(), Some(b'"' | b'\''))
    }

    /// Whether it is this very word, unquoted.
    pub(super) fn is(&self, word: &str) -> bool {
        self.raw == word
    }

    /// Whether it begins an option: `-p`, `--dport`.
    pub(super) fn is_option(&self) -> bool {
        let bytes = self.raw.as_bytes();
        bytes.first() == Some(&b'-') && bytes.get(1).is_some_and(|byte| !byte.is_ascii_digit())
    }
}

/// Cuts a line into words. Quotes that do not close reach to the end.
pub(super) fn words(line: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = skip_blanks(line);
    while !rest.is_empty() {
        let (length, is_plain) = extent(rest);
        let (raw, tail) = rest.split_at(length);
        let value = if is_plain { Cow::Borrowed(raw) } else { unquoted(raw) };
        words.push(Word { start: line.len() - rest.len(), raw, value });
        rest = skip_blanks(tail);
    }
    words
}

/// The words as written, one blank between.
pub(super) fn joined(words: &[Word<'_>]) -> String {
    let mut text = String::with_capacity(words.iter().map(|word| word.raw.len() + 1).sum());
    for word in words {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word.raw);
    }
    text
}

/// The length of the blank with which these bytes begin; people's pastes have non-breaking ones.
fn blank(bytes: &[u8]) -> usize {
    match bytes {
        [b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c, ..] => 1,
        [0xc2, 0xa0, ..] => 2,
        // U+FEFF and U+200B, which show as nothing.
        [0xef, 0xbb, 0xbf, ..] | [0xe2, 0x80, 0x8b, ..] => 3,
        _ => 0,
    }
}

/// The text from its first byte that is no blank.
pub(super) fn skip_blanks(text: &str) -> &str {
    let mut at = 0;
    while let length @ 1.. = blank(&text.as_bytes()[at..]) {
        at += length;
    }
    &text[at..]
}

/// The text without blanks around it.
pub(super) fn trimmed(text: &str) -> &str {
    let is_blank = |c: char| c.is_whitespace() || c == '\u{feff}' || c == '\u{200b}';
    skip_blanks(text).trim_end_matches(is_blank)
}

/// How long the first word is, and whether it is free of quotes.
fn extent(text: &str) -> (usize, bool) {
    let bytes = text.as_bytes();
    // Only a shell knows single quotes: `iptables -A … --comment 'a b'`.
    if bytes.first() == Some(&b'\'')
        && let Some(end) = text.get(1..).and_then(|rest| rest.find('\''))
    {
        return (end + 2, false);
    }
    let (mut at, mut is_plain, mut is_open) = (0, true, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                is_open = !is_open;
                is_plain = false;
            }
            b'\\' if is_open => at += 1,
            // Only these can begin a blank.
            b'\t'..=b' ' | 0xc2 | 0xe2 | 0xef if !is_open && blank(&bytes[at..]) > 0 => break,
            _ => {}
        }
        at += 1;
    }
    // A backslash at the very end leaves the count behind the text, or inside a letter.
    let mut at = at.min(bytes.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    (at, is_plain)
}

/// A word without its quotes and the backslashes inside them.
fn unquoted(raw: &str) -> Cow<'_, str> {
    if let Some(inner) = raw.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Cow::Borrowed(inner);
    }
    let mut value = String::with_capacity(raw.len());
    let mut is_open = false;
    let mut letters = raw.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => is_open = !is_open,
            '\\' if is_open => value.extend(letters.next()),
            _ => value.push(letter),
        }
    }
    Cow::Owned(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(line: &str) -> Vec<String> {
        words(line).iter().map(|word| word.value.to_string()).collect()
    }

    #[test]
    fn quotes_hold_blanks_and_backslashes() {
        let line =
            r#"-A X  --comment "only a \"comment\" with \\ and \'" -j LOG --log-prefix "a b ""#;
        let expected = [
            "-A",
            "X",
            "--comment",
            r#"only a "comment" with \ and '"#,
            "-j",
            "LOG",
            "--log-prefix",
            "a b ",
        ];
        assert_eq!(values(line), expected);
    }

    #[test]
    fn blanks_of_every_kind_separate() {
        assert_eq!(values("\u{feff}-A\tX\u{a0}-j\u{a0} DROP \r"), ["-A", "X", "-j", "DROP"]);
        assert_eq!(trimmed("\u{a0} x y\u{a0}\r\n"), "x y");
    }

    #[test]
    fn a_quote_left_open_reaches_to_the_end() {
        assert_eq!(values(r#"a "b c"#), ["a", "b c"]);
        assert_eq!(values("\"a\\"), ["a"]);
        assert_eq!(values("\"a\\ä b"), ["aä b"]);
        assert_eq!(values("it's 'a b' don't"), ["it's", "a b", "don't"]);
    }
}
