//! Says what is wrong with a JSON text in the words of Go's `encoding/json`, which clients of a real server see.

use serde_json::Value;

/// Nesting that is looked into; beyond it the text is refused as a whole.
const DEPTH: usize = 500;

/// Parses JSON.
///
/// # Errors
/// What is wrong, as Go says it.
pub(crate) fn parse(text: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(text).map_err(|error| explain(text, &error))
}

/// Go's words for a parser's error.
pub(crate) fn explain(text: &[u8], error: &serde_json::Error) -> String {
    syntax_error(text).unwrap_or_else(|| error.to_string())
}

/// The first syntax error, or none when the text is one JSON value.
fn syntax_error(text: &[u8]) -> Option<String> {
    let mut scanner = Scanner { text, at: 0, depth: 0 };
    let scanned = scanner.value("looking for beginning of value").and_then(|()| {
        scanner.blank();
        if scanner.at < text.len() { Err(scanner.unexpected("after top-level value")) } else { Ok(()) }
    });
    scanned.err()
}

/// Go's name for the type of a JSON value.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

type Scanned = Result<(), String>;

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Go quotes the offending byte as the character of that number.
    fn unexpected(&self, context: &str) -> String {
        match self.peek() {
            None => "unexpected end of JSON input".to_owned(),
            Some(b'\'') => format!(r"invalid character '\'' {context}"),
            Some(b'"') => format!("invalid character '\"' {context}"),
            Some(byte @ (0..0x20 | 0x7f..0xa0)) => match byte {
                b'\n' => format!(r"invalid character '\n' {context}"),
                b'\r' => format!(r"invalid character '\r' {context}"),
                b'\t' => format!(r"invalid character '\t' {context}"),
                _ => format!(r"invalid character '\x{byte:02x}' {context}"),
            },
            Some(byte) => format!("invalid character '{}' {context}", char::from(byte)),
        }
    }

    fn value(&mut self, context: &str) -> Scanned {
        self.blank();
        match self.peek() {
            Some(b'{' | b'[') if self.depth == DEPTH => Err("exceeded max depth".to_owned()),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected(context)),
        }
    }

    fn nested(&mut self, scan: fn(&mut Self) -> Scanned) -> Scanned {
        self.depth += 1;
        scan(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn object(&mut self) -> Scanned {
        self.at += 1;
        self.blank();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blank();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            self.string()?;
            self.blank();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            self.value("looking for beginning of value")?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.unexpected("after object key:value pair")),
            }
        }
    }

    fn array(&mut self) -> Scanned {
        self.at += 1;
        self.blank();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value("looking for beginning of value")?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.unexpected("after array element")),
            }
        }
    }

    fn string(&mut self) -> Scanned {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u') => self.at += 1,
                        _ => return Err(self.unexpected("in string escape code")),
                    }
                }
                None | Some(0..0x20) => return Err(self.unexpected("in string literal")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn literal(&mut self, word: &str) -> Scanned {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return Err(self.unexpected(&format!("in literal {word} (expecting '{}')", char::from(expected))));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Scanned {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.unexpected("in numeric literal"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
            self.at += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_first_wrong_character() {
        let check =
            |text: &[u8], expected: Option<&str>| assert_eq!(syntax_error(text).as_deref(), expected, "{text:?}");
        check(br#"{"a":[1,true,null,"x"]}"#, None);
        check(b"", Some("unexpected end of JSON input"));
        check(b"hello", Some("invalid character 'h' looking for beginning of value"));
        check(br#"{"a" 1}"#, Some("invalid character '1' after object key"));
        check(br#"{"a":1"#, Some("unexpected end of JSON input"));
        check(br#"{a:1}"#, Some("invalid character 'a' looking for beginning of object key string"));
        check(br#"[1 2]"#, Some("invalid character '2' after array element"));
        check(b"{} x", Some("invalid character 'x' after top-level value"));
        check(&b"[".repeat(100_000), Some("exceeded max depth"));
        check(b"tru ", Some("invalid character ' ' in literal true (expecting 'e')"));
        check(&[0xcf, 0x3c], Some("invalid character '\u{cf}' looking for beginning of value"));
    }
}
