//! No test is switched off in the source. What cannot be tried here is skipped at run time, with the reason printed.

use super::finding::{Finding, Source, numbered, word_end};

pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let Some(rust) = &source.rust else {
        return Vec::new();
    };
    numbered(&rust.code)
        .filter(|(_, line)| switches_off(line.trim_start()))
        .map(|(line, _)| {
            source.finding(
                line,
                "ignored-test",
                "a test is switched off in the source",
                "choose at run time, by flag, and print why it is skipped; or remove the test",
            )
        })
        .collect()
}

fn switches_off(line: &str) -> bool {
    let Some(attribute) = line.strip_prefix("#[") else {
        return false;
    };
    attribute.starts_with("ignore") && word_end(attribute, "ignore").is_some()
        || attribute.starts_with("cfg_attr") && word_end(attribute, "ignore").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_tests_that_are_switched_off() {
        let check_rule = |text: &str, found: usize| {
            assert_eq!(check(&Source::new("a.rs", text)).len(), found, "{text}");
        };
        check_rule("#[test]\nfn f() {}", 0);
        check_rule("#[test]\n    #[ignore]\nfn f() {}", 1);
        check_rule("#[ignore = \"slow\"]\nfn f() {}", 1);
        check_rule("#[cfg_attr(not(unix), ignore)]\nfn f() {}", 1);
        check_rule("// as with #[ignore]", 0);
        check_rule("let text = \"\n#[ignore]\n\";", 0);
        check_rule("#[ignored_by_us]", 0);
    }
}
