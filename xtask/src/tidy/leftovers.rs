//! What one writes while looking for a fault does not stay.

use super::finding::{Finding, Source, numbered, word_end};

pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let Some(rust) = &source.rust else {
        return Vec::new();
    };
    numbered(&rust.code)
        .filter(|(_, line)| word_end(line, "dbg").is_some_and(|end| line[end..].starts_with('!')))
        .map(|(line, _)| {
            source.finding(
                line,
                "leftover",
                "`dbg!` was left in the code",
                "remove it, or say it with tracing::debug! for those who come after",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_macros_for_debugging() {
        let check_rule = |text: &str, lines: &[usize]| {
            let found: Vec<_> = check(&Source::new("a.rs", text)).iter().map(|f| f.line).collect();
            assert_eq!(found, lines, "{text}");
        };
        check_rule("let a =\n    dbg!(b);", &[2]);
        check_rule("std::dbg!(b);", &[1]);
        check_rule("// dbg!(b)\nlet a = \"dbg!\";", &[]);
        check_rule("let dbg = !a; my_dbg!(b);", &[]);
    }
}
