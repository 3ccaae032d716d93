//! Nothing in the repository depends on, or tells about, the machine on which it was written.

use super::finding::{Finding, Source, numbered};

// Not written in one piece: this file is checked too.
const OUTSIDE: &str = concat!("../", "shared");
const ROOTS_HOME: &str = concat!("/ro", "ot/");

pub(crate) fn check(source: &Source, root: &str) -> Vec<Finding> {
    numbered(&source.text)
        .filter_map(|(number, line)| {
            let what = tells(line, root)?;
            Some(source.finding(
                number,
                "path",
                what,
                "use a path from the root of the workspace, or one that the program finds at run time",
            ))
        })
        .collect()
}

fn tells(line: &str, root: &str) -> Option<String> {
    if line.contains(OUTSIDE) {
        return Some("a folder beside the workspace".to_owned());
    }
    // A checkout in `/src` or `/app` says nothing: such a path is written for other reasons too.
    if root.matches('/').count() > 1 && starts(line, root).next().is_some() {
        return Some("the path of this checkout".to_owned());
    }
    if starts(line, ROOTS_HOME).next().is_some() {
        return Some("root's home folder".to_owned());
    }
    ["/home/", "/Users/"]
        .iter()
        .any(|homes| starts(line, homes).any(is_in_a_home))
        .then(|| "somebody's home folder".to_owned())
}

/// What follows each place where an absolute path begins with `prefix`.
fn starts<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let in_path = |c: char| c.is_alphanumeric() || "-_.~*})>$".contains(c);
    line.match_indices(prefix)
        .filter(move |(at, _)| !line[..*at].ends_with(in_path))
        .map(|(at, _)| &line[at + prefix.len()..])
}

/// `alice/…`
fn is_in_a_home(rest: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    rest.split_once('/').is_some_and(|(name, _)| !name.is_empty() && name.chars().all(in_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_paths_of_one_machine() {
        let check_rule = |parts: [&str; 3], found: Option<&str>| {
            let line = parts.concat();
            let what = check(&Source::new("a.md", &*line), "/builds/crossfed").pop().map(|finding| finding.what);
            assert_eq!(what.as_deref(), found, "{line}");
        };
        check_rule(["see /ho", "me/alice/", "x"], Some("somebody's home folder"));
        check_rule(["(/Us", "ers/al.ice/", "x)"], Some("somebody's home folder"));
        check_rule(["/ho", "me/$USER/", "x"], None);
        check_rule(["$X/ho", "me/alice/", "x"], None);
        check_rule(["/ho", "me/", ""], None);
        check_rule(["at \"/ro", "ot/", ".aws\""], Some("root's home folder"));
        check_rule(["https://host/ro", "ot/", "x"], None);
        check_rule(["file:///ro", "ot/", "x"], Some("root's home folder"));
        check_rule(["in ../", "shared", "/x"], Some("a folder beside the workspace"));
        check_rule(["at /builds/", "crossfed/", "x"], Some("the path of this checkout"));
        check_rule(["at /tmp/builds/", "crossfed/", "x"], None);
    }

    #[test]
    fn a_checkout_in_a_common_folder_says_nothing() {
        assert_eq!(tells("WORKDIR /app", "/app"), None);
    }
}
