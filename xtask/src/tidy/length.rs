//! A file of more than 500 lines has a seam: it is to be found.

use super::finding::{Finding, Source};

const LIMIT: usize = 500;

/// Files that may be longer, each with the reason.
pub(crate) const LONG: &[(&str, &str)] = &[];

pub(crate) fn check(sources: &[Source], long: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.rust.is_some()) {
        let lines = source.text.lines().count();
        let listed = long.iter().any(|(path, _)| *path == source.path);
        if lines > LIMIT && !listed {
            findings.push(source.finding(
                LIMIT + 1,
                "length",
                format!("{lines} lines, more than {LIMIT}"),
                "split it at its seam; if there is none, list it with the reason in xtask/src/tidy/length.rs",
            ));
        } else if lines <= LIMIT && listed {
            findings.push(source.finding(
                1,
                "length",
                format!("listed as a long file, and has {lines} lines"),
                "take it off the list in xtask/src/tidy/length.rs",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_need_a_reason_and_reasons_need_a_long_file() {
        let check_rule = |lines: usize, long: &[(&str, &str)], found: &str| {
            let sources = [Source::new("a.rs", "x\n".repeat(lines)), Source::new("a.json", "x\n".repeat(lines))];
            let whats: Vec<_> = check(&sources, long).into_iter().map(|f| f.what).collect();
            assert_eq!(whats.join(";"), found);
        };
        check_rule(500, &[], "");
        check_rule(501, &[], "501 lines, more than 500");
        check_rule(501, &[("a.rs", "a table")], "");
        check_rule(20, &[("a.rs", "a table")], "listed as a long file, and has 20 lines");
    }
}
