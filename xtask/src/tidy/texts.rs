//! What is in the repository can be read: a file that a build or a test has made is not, and may name the machine that made it.

use super::finding::{Finding, Source};

/// Inputs of tests may be anything.
const INPUTS: &str = "fixtures/";

/// `others`: paths of files that are no text.
pub(crate) fn check(others: &[String]) -> Vec<Finding> {
    let strange = others.iter().filter(|path| !path.starts_with(INPUTS));
    let finding = |path: &String| {
        let fix = "remove it, and name what makes it in .gitignore; what a test reads lies in fixtures/";
        Source::new(path.clone(), "").finding(1, "texts", "the file is no text", fix)
    };
    strange.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_program_has_left() {
        let check_rule = |path: &str, found: usize| assert_eq!(check(&[path.to_owned()]).len(), found, "{path}");
        check_rule("crates/a/tests/__pycache__/b.pyc", 1);
        check_rule("a.o", 1);
        check_rule("fixtures/fuzz/token/not-utf-8.jwt", 0);
    }
}
