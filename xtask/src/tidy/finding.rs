//! What a rule found, and what a rule looks at. Knows no rule.

use std::fmt;

use super::mask::Masked;

/// One place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// From the root of the workspace, with `/`.
    pub(crate) path: String,
    /// From 1.
    pub(crate) line: usize,
    pub(crate) rule: &'static str,
    pub(crate) what: String,
    /// What to do now.
    pub(crate) fix: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { path, line, rule, what, fix } = self;
        write!(f, "{path}:{line}: [{rule}] {what}\n    {fix}")
    }
}

/// A text file of the workspace.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    /// For Rust: code and comments apart.
    pub(crate) rust: Option<Masked>,
}

impl Source {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Source {
        let (path, text) = (path.into(), text.into());
        let rust = path.ends_with(".rs").then(|| Masked::new(&text));
        Source { path, text, rust }
    }

    pub(crate) fn finding(
        &self,
        line: usize,
        rule: &'static str,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        Finding { path: self.path.clone(), line, rule, what: what.into(), fix: fix.into() }
    }
}

/// Lines with their numbers, from 1.
pub(crate) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

/// Whether `word` stands in `line` with no letter, digit or `_` at its sides; where it ends.
pub(crate) fn word_end(line: &str, word: &str) -> Option<usize> {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).find_map(|(start, _)| {
        let end = start + word.len();
        let free = !line[..start].ends_with(in_word) && !line[end..].starts_with(in_word);
        free.then_some(end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_file_line_rule_and_what_to_do() {
        let source = Source::new("crates/a/src/lib.rs", "");
        let finding = source.finding(3, "header", "no header", "write one");
        assert_eq!(finding.to_string(), "crates/a/src/lib.rs:3: [header] no header\n    write one");
    }

    #[test]
    fn a_word_is_not_a_part_of_a_word() {
        let check = |line: &str, end: Option<usize>| assert_eq!(word_end(line, "dbg"), end, "{line}");
        check("dbg", Some(3));
        check("mydbg dbg!(x)", Some(9));
        check("dbg_macro", None);
        check("_dbg", None);
        check("", None);
    }
}
