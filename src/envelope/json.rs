//! Reads one flat JSON object key by key, tolerant of bytes that are not UTF-8.
//!
//! ```text
//! {"MESSAGE":"TRACE: …","_TRANSPORT":"kernel","PRIORITY":"4"}
//! {"MESSAGE": [84, 82, 65, 67, 69], "_HOSTNAME" : null}
//! {"log": "[ 1501.098037] TRACE: …\n", "stream": "stdout", "time": "2026-11-22T13:27:05.123456789Z"}
//! ```

/// A value as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A string, escapes undone; or an array of byte numbers.
    Text(&'a [u8]),
    /// A number as written.
    Number(&'a [u8]),
    Null,
    /// Nested objects, arrays of other things, true and false.
    Other,
}

/// Why an object could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The text ends before the object does.
    Incomplete,
    /// It is no JSON.
    Malformed,
}

/// Reads the object at the start of `text`, calls `visit` for each member, and gives the bytes used.
/// `scratch` holds decoded strings.
pub(super) fn object(
    text: &[u8],
    scratch: &mut Vec<u8>,
    visit: &mut dyn FnMut(&[u8], Value<'_>),
) -> Result<usize, Fault> {
    let mut reader = Reader { text, at: 0 };
    reader.expect(b'{')?;
    if reader.peek()? == b'}' {
        reader.at += 1;
        return Ok(reader.at);
    }
    loop {
        reader.peek()?;
        let key = reader.string_span()?;
        reader.expect(b':')?;
        scratch.clear();
        let value = reader.value(scratch)?;
        let key = text.get(key).unwrap_or_default();
        match value {
            Span::Text => visit(key, Value::Text(scratch)),
            Span::Number(range) => visit(key, Value::Number(text.get(range).unwrap_or_default())),
            Span::Null => visit(key, Value::Null),
            Span::Other => visit(key, Value::Other),
        }
        match reader.next()? {
            b',' => {}
            b'}' => return Ok(reader.at),
            _ => return Err(Fault::Malformed),
        }
    }
}

enum Span {
    Text,
    Number(std::ops::Range<usize>),
    Null,
    Other,
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// The next byte that is no white space, not taken.
    fn peek(&mut self) -> Result<u8, Fault> {
        while let Some(byte) = self.text.get(self.at) {
            if !byte.is_ascii_whitespace() {
                return Ok(*byte);
            }
            self.at += 1;
        }
        Err(Fault::Incomplete)
    }

    fn next(&mut self) -> Result<u8, Fault> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Fault> {
        if self.next()? == wanted { Ok(()) } else { Err(Fault::Malformed) }
    }

    fn value(&mut self, scratch: &mut Vec<u8>) -> Result<Span, Fault> {
        match self.peek()? {
            b'"' => {
                let span = self.string_span()?;
                unescape(self.text.get(span).unwrap_or_default(), scratch);
                Ok(Span::Text)
            }
            b'[' => self.byte_array(scratch),
            b'{' => self.skip_nested().map(|()| Span::Other),
            b'-' | b'0'..=b'9' => Ok(Span::Number(self.word())),
            b'n' => self.literal(b"null").map(|()| Span::Null),
            b't' => self.literal(b"true").map(|()| Span::Other),
            b'f' => self.literal(b"false").map(|()| Span::Other),
            _ => Err(Fault::Malformed),
        }
    }

    /// The inside of a string, escapes as they stand.
    fn string_span(&mut self) -> Result<std::ops::Range<usize>, Fault> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let step = memchr::memchr2(b'"', b'\\', rest).ok_or(Fault::Incomplete)?;
            self.at += step + 1;
            if rest.get(step) == Some(&b'"') {
                return Ok(start..self.at - 1);
            }
            if self.at >= self.text.len() {
                return Err(Fault::Incomplete);
            }
            self.at += 1;
        }
    }

    /// A number or the like, up to a byte that cannot be part of it.
    fn word(&mut self) -> std::ops::Range<usize> {
        let start = self.at;
        while self
            .text
            .get(self.at)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'))
        {
            self.at += 1;
        }
        start..self.at
    }

    fn literal(&mut self, wanted: &[u8]) -> Result<(), Fault> {
        let span = self.word();
        let end = span.end;
        match self.text.get(span) {
            Some(word) if word == wanted => Ok(()),
            Some(word) if end == self.text.len() && wanted.starts_with(word) => {
                Err(Fault::Incomplete)
            }
            _ => Err(Fault::Malformed),
        }
    }

    /// An array of byte numbers becomes those bytes; any other array is skipped.
    fn byte_array(&mut self, scratch: &mut Vec<u8>) -> Result<Span, Fault> {
        let start = self.at;
        self.expect(b'[')?;
        loop {
            if !self.peek()?.is_ascii_digit() {
                break;
            }
            let span = self.word();
            let number = super::scan::whole_number(self.text.get(span).unwrap_or_default());
            let Some(byte) = number.and_then(|number| u8::try_from(number).ok()) else { break };
            scratch.push(byte);
            match self.next()? {
                b',' => {}
                b']' => return Ok(Span::Text),
                _ => return Err(Fault::Malformed),
            }
        }
        scratch.clear();
        self.at = start;
        self.skip_nested().map(|()| Span::Other)
    }

    /// Steps over a bracketed value, minding strings and depth.
    fn skip_nested(&mut self) -> Result<(), Fault> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string_span()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

/// Undoes JSON's escapes. What is no escape stays as it stands.
fn unescape(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', text) {
        let (plain, escape) = text.split_at(at);
        out.extend_from_slice(plain);
        let used = match escape.get(1) {
            Some(b'u') => unicode(escape, out),
            Some(byte) => {
                out.push(match byte {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'b' => 8,
                    b'f' => 12,
                    other => *other,
                });
                2
            }
            None => {
                out.push(b'\\');
                1
            }
        };
        text = escape.get(used..).unwrap_or_default();
    }
    out.extend_from_slice(text);
}

/// Decodes `\uXXXX`, two of them for a surrogate pair; gives the bytes used.
fn unicode(escape: &[u8], out: &mut Vec<u8>) -> usize {
    let mut buffer = [0; 4];
    let Some(first) = code_unit(escape) else {
        out.push(b'\\');
        return 1;
    };
    let second = escape.get(6..).and_then(code_unit);
    let (decoded, used) = match (first, second) {
        (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
            (char::from_u32(0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00)), 12)
        }
        _ => (char::from_u32(first), 6),
    };
    let decoded = decoded.unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(decoded.encode_utf8(&mut buffer).as_bytes());
    used
}

fn code_unit(escape: &[u8]) -> Option<u32> {
    let digits = escape.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &[u8]) -> Result<Vec<(String, String)>, Fault> {
        let (mut scratch, mut found) = (Vec::new(), Vec::new());
        object(text, &mut scratch, &mut |key, value| {
            let shown = match value {
                Value::Text(text) => text.escape_ascii().to_string(),
                Value::Number(digits) => format!("#{}", digits.escape_ascii()),
                Value::Null => "null".into(),
                Value::Other => "other".into(),
            };
            found.push((String::from_utf8_lossy(key).into_owned(), shown));
        })?;
        Ok(found)
    }

    fn value(text: &[u8]) -> String {
        let text = [b"{\"k\" : ".as_slice(), text, b"}"].concat();
        members(&text).unwrap().remove(0).1
    }

    #[test]
    fn values_of_all_kinds() {
        assert_eq!(
            value(br#""a\"\\\n\u0041\ud83d\uded1\ud83d""#),
            r#"a\"\\\nA\xf0\x9f\x9b\x91\xef\xbf\xbd"#
        );
        assert_eq!(value(b"\"caf\xe9\""), r"caf\xe9");
        assert_eq!(value(b"[84, 233 ,0]"), r"T\xe9\x00");
        assert_eq!(value(b"[\"a\",{\"b\":\"]\"}]"), "other");
        assert_eq!(value(b"[256]"), "other");
        assert_eq!(value(b" 1501.098037 "), "#1501.098037");
        assert_eq!(value(b"null"), "null");
    }

    #[test]
    fn ends_and_errors_are_told_apart() {
        assert_eq!(members(b"{}"), Ok(Vec::new()));
        for text in
            [&b"{"[..], b"{\"a\"", b"{\"a\":\"b\\", b"{\"a\":[1,", b"{\"a\":nu", b"{\"a\":1"]
        {
            assert_eq!(members(text), Err(Fault::Incomplete), "{}", text.escape_ascii());
        }
        for text in [&b"{a}"[..], b"{\"a\" 1}", b"{\"a\":x}", b"{\"a\":1;}", b"["] {
            assert_eq!(members(text), Err(Fault::Malformed), "{}", text.escape_ascii());
        }
    }
}
