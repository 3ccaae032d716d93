//! A mark for later names who will do it, and the table in CONTRIBUTING.md says what and until when.

use super::finding::{Finding, Source, numbered, word_end};

/// Where the owners are listed, under [`HEADING`]. The file speaks of the marks and is not searched for them.
pub(crate) const FILE: &str = "CONTRIBUTING.md";
const HEADING: &str = "## Owned TODOs";
const MARKS: [&str; 2] = ["TODO", "FIXME"];

/// The first cells of the table: `alice` in `| alice | where | what | until |`.
pub(crate) fn table(contributing: &str) -> Vec<String> {
    contributing
        .lines()
        .skip_while(|line| line.trim_end() != HEADING)
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix('|')?.split('|').next())
        .map(|cell| cell.trim().trim_matches('`').to_owned())
        .skip(2) // the heading of the table and the line under it
        .filter(|owner| !owner.is_empty())
        .collect()
}

pub(crate) fn check(source: &Source, owners: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let comments = source.rust.as_ref().map(|rust| rust.comments.as_str());
    for (number, line) in numbered(comments.unwrap_or(&source.text)) {
        let comment = match (&comments, line.find('#')) {
            (Some(_), _) => line,
            (None, Some(start)) if has_hash_comments(&source.path) => &line[start..],
            (None, _) => continue,
        };
        for mark in MARKS {
            let Some(end) = word_end(comment, mark) else {
                continue;
            };
            let owner = owner(&comment[end..]);
            if owner.is_none_or(|owner| !owners.iter().any(|known| known == owner)) {
                findings.push(source.finding(
                    number,
                    "owner",
                    match owner {
                        Some(owner) => format!("{mark} of `{owner}`, who is not in {FILE}"),
                        None => format!("{mark} without an owner"),
                    },
                    format!("do it now, or write {mark}(name) and add a row under \"{HEADING}\" in {FILE}"),
                ));
            }
        }
    }
    findings
}

fn has_hash_comments(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    [".toml", ".yaml", ".yml", ".sh"].iter().any(|end| name.ends_with(end)) || !name.contains('.')
}

/// `alice` in `(alice): later`.
fn owner(after: &str) -> Option<&str> {
    let (owner, _) = after.strip_prefix('(')?.split_once(')')?;
    (!owner.trim().is_empty()).then_some(owner.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# Contributing\n\n## Owned TODOs\n\n| owner | where | what | until |\n|---|---|---|---|\n\
        | `alice` | crates/a | b | 0.2 |\n| bob | c | d | 0.3 |\n\n## Licence\n| x | y |\n";

    #[test]
    fn reads_the_owners_and_nothing_else() {
        assert_eq!(table(TABLE), ["alice", "bob"]);
        assert!(table("## Owned TODOs\n\n| owner | where |\n|---|---|\n").is_empty());
        assert!(table("").is_empty());
    }

    #[test]
    fn marks_for_later_have_a_listed_owner() {
        let check_rule = |path: &str, text: &str, found: &str| {
            let whats: Vec<_> =
                check(&Source::new(path, text), &table(TABLE)).into_iter().map(|finding| finding.what).collect();
            assert_eq!(whats.join(";"), found, "{text}");
        };
        check_rule("a.rs", "// TODO(alice): later", "");
        check_rule("a.rs", "// TODO: later", "TODO without an owner");
        check_rule("a.rs", "/* FIXME() */", "FIXME without an owner");
        check_rule("a.rs", "// TODO(carol): x", "TODO of `carol`, who is not in CONTRIBUTING.md");
        check_rule("a.rs", "let a = \"TODO\"; // AUTODO", "");
        check_rule("a.yaml", "a: TODO # b", "");
        check_rule("a.yaml", "a: b # TODO", "TODO without an owner");
        check_rule(".ci/run", "# FIXME", "FIXME without an owner");
        check_rule("a.md", "# TODO", "");
    }
}
