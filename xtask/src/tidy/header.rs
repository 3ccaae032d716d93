//! Every Rust file opens with `//!`: what it is for, and what it must not know.

use super::finding::{Finding, Source};

pub(crate) fn check(source: &Source) -> Option<Finding> {
    source.rust.as_ref()?;
    let first = source.text.lines().next().unwrap_or_default();
    let said = first.strip_prefix("//!").is_some_and(|text| !text.trim().is_empty());
    (!said).then(|| {
        source.finding(
            1,
            "header",
            "the file does not open with `//!`",
            "begin with a sentence on what the file is for, and what it must not know",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_files_open_with_a_sentence() {
        let check_rule = |path: &str, text: &str, found: bool| {
            assert_eq!(check(&Source::new(path, text)).is_some(), found, "{text}");
        };
        check_rule("a.rs", "//! Keys.\nuse x;", false);
        check_rule("a.rs", "use x;\n//! Keys.", true);
        check_rule("a.rs", "// Keys.", true);
        check_rule("a.rs", "//!\n//! Keys.", true);
        check_rule("a.rs", "", true);
        check_rule("a.md", "# Keys", false);
    }
}
