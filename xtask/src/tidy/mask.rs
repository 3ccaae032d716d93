//! Takes Rust source apart into code and comments, so that a rule about code is not broken by a sentence or a string.
//!
//! Knows just enough of the language for that: comments, strings, characters. Lines stay where they were.

use std::iter::Peekable;
use std::str::Chars;

/// The same lines twice: what is not code (or not comment) is blank, and so are the insides of strings in both.
#[derive(Debug)]
pub(crate) struct Masked {
    pub(crate) code: String,
    pub(crate) comments: String,
}

impl Masked {
    pub(crate) fn new(source: &str) -> Masked {
        let mut masker = Masker {
            rest: source.chars().peekable(),
            masked: Masked { code: String::with_capacity(source.len()), comments: String::with_capacity(source.len()) },
            word: String::new(),
        };
        while masker.step() {}
        masker.masked
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Code,
    Comment,
    String,
}

struct Masker<'a> {
    rest: Peekable<Chars<'a>>,
    masked: Masked,
    /// The identifier or number before the cursor: a `"` after `r` begins a raw string.
    word: String,
}

impl Masker<'_> {
    /// Takes one character as what it is.
    fn take(&mut self, kind: Kind) -> Option<char> {
        let c = self.rest.next()?;
        let blank = if c == '\n' { '\n' } else { ' ' };
        let Masked { code, comments } = &mut self.masked;
        let (as_code, as_comment) = match kind {
            Kind::Code => (c, blank),
            Kind::Comment => (blank, c),
            Kind::String => (blank, blank),
        };
        code.push(as_code);
        comments.push(as_comment);
        Some(c)
    }

    fn next_is(&mut self, c: char) -> bool {
        self.rest.peek() == Some(&c)
    }

    /// One character of code, or a whole comment or literal. False at the end.
    fn step(&mut self) -> bool {
        let Some(&c) = self.rest.peek() else {
            return false;
        };
        match c {
            '/' => self.slash(),
            '"' => self.string(),
            '\'' => self.quote(),
            '#' if matches!(self.word.as_str(), "r" | "br" | "cr") => self.raw_string(),
            _ => {
                self.take(Kind::Code);
            }
        }
        if c.is_alphanumeric() || c == '_' {
            self.word.push(c);
        } else {
            self.word.clear();
        }
        true
    }

    fn slash(&mut self) {
        let mut ahead = self.rest.clone();
        ahead.next();
        match ahead.next() {
            Some('/') => {
                while self.rest.peek().is_some_and(|&c| c != '\n') {
                    self.take(Kind::Comment);
                }
            }
            Some('*') => self.block_comment(),
            _ => {
                self.take(Kind::Code);
            }
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(c) = self.take(Kind::Comment) {
            if c == '/' && self.next_is('*') {
                self.take(Kind::Comment);
                depth += 1;
            } else if c == '*' && self.next_is('/') {
                self.take(Kind::Comment);
                depth -= 1;
                if depth == 0 {
                    return;
                }
            }
        }
    }

    fn string(&mut self) {
        if matches!(self.word.as_str(), "r" | "br" | "cr") {
            return self.raw_string();
        }
        self.take(Kind::String);
        while let Some(c) = self.take(Kind::String) {
            match c {
                '\\' => {
                    self.take(Kind::String);
                }
                '"' => return,
                _ => {}
            }
        }
    }

    /// From the `#`s or the quote after `r`.
    fn raw_string(&mut self) {
        let mut hashes = 0;
        while self.next_is('#') {
            self.take(Kind::Code);
            hashes += 1;
        }
        if !self.next_is('"') {
            return; // a raw identifier: r#type
        }
        self.take(Kind::String);
        while let Some(c) = self.take(Kind::String) {
            if c != '"' {
                continue;
            }
            let mut closing = 0;
            while closing < hashes && self.next_is('#') {
                self.take(Kind::String);
                closing += 1;
            }
            if closing == hashes {
                return;
            }
        }
    }

    /// A character, or the tick of a lifetime.
    fn quote(&mut self) {
        let mut ahead = self.rest.clone();
        ahead.next();
        let (first, second) = (ahead.next(), ahead.next());
        if first == Some('\\') {
            self.take(Kind::String);
            self.take(Kind::String);
            self.take(Kind::String);
            while self.take(Kind::String).is_some_and(|c| c != '\'') {}
        } else if second == Some('\'') {
            for _ in 0..3 {
                self.take(Kind::String);
            }
        } else {
            self.take(Kind::Code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squeezed(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn code_and_comments_are_told_apart() {
        let check = |source: &str, code: &str, comments: &str| {
            let masked = Masked::new(source);
            assert_eq!(squeezed(&masked.code), code, "code of {source}");
            assert_eq!(squeezed(&masked.comments), comments, "comments of {source}");
        };
        check("a // b", "a", "// b");
        check("a /* b /* c */ d */ e", "a e", "/* b /* c */ d */");
        check("a / b", "a / b", "");
        check(r#"f("// not") // yes"#, "f( )", "// yes");
        check(r#"f("a\"b", c)"#, "f( , c)", "");
        check(r##"f(r#"a "b" // c"#, d)"##, "f(r# , d)", "");
        check(r#"f(r"\", d)"#, "f(r , d)", "");
        check(r#"f(br"\", b"\"", d)"#, "f(br , b , d)", "");
        check("r#type + a", "r#type + a", "");
        check("('\"', '\\'', '\\u{41}', a)", "( , , , a)", "");
        check("fn f<'a>(x: &'a str) // 'b'", "fn f<'a>(x: &'a str)", "// 'b'");
        check("'outer: loop {}", "'outer: loop {}", "");
        check("\"never closed // x", "", "");
        check("for \"x\"", "for", "");
    }

    #[test]
    fn lines_stay_where_they_were() {
        let masked = Masked::new("a\n\"b\nc\"\n/* d\ne */ f\n");
        assert_eq!(masked.code.lines().nth(4).map(str::trim), Some("f"));
        assert_eq!(masked.comments.lines().count(), 5);
    }
}
