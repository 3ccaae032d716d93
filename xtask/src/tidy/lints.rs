//! Every crate takes the lints of the workspace: those that it does not take are not checked.

use super::finding::{Finding, Source, numbered};

pub(crate) fn check(source: &Source) -> Option<Finding> {
    if source.path != "Cargo.toml" && !source.path.ends_with("/Cargo.toml") {
        return None;
    }
    let is_crate = source.text.lines().any(|line| line.trim() == "[package]");
    (is_crate && !takes_lints(&source.text)).then(|| {
        source.finding(
            1,
            "lints",
            "the crate does not take the lints of the workspace",
            "add `[lints]` with `workspace = true`",
        )
    })
}

fn takes_lints(manifest: &str) -> bool {
    let mut section = "";
    numbered(manifest).any(|(_, line)| {
        let line = line.split('#').next().unwrap_or_default();
        if line.trim_start().starts_with('[') {
            section = line.trim();
        }
        let key: String = line.split_whitespace().collect();
        match section {
            "[lints]" => key == "workspace=true",
            "" => key == "lints.workspace=true",
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_take_the_lints_of_the_workspace() {
        let check_rule = |path: &str, text: &str, found: bool| {
            assert_eq!(check(&Source::new(path, text)).is_some(), found, "{text}");
        };
        let package = "[package]\nname = \"a\"\n";
        let with = |text: &str| format!("{package}{text}");
        check_rule("a/Cargo.toml", &with("[lints]\nworkspace = true\n"), false);
        check_rule("a/Cargo.toml", &format!("lints.workspace = true\n{package}"), false);
        check_rule("a/Cargo.toml", package, true);
        check_rule("a/Cargo.toml", &with("[lints]\n# workspace = true\n"), true);
        check_rule("a/Cargo.toml", &with("[dependencies]\nworkspace = true\n"), true);
        check_rule("Cargo.toml", "[workspace]\nmembers = []\n", false);
        check_rule("a/other.toml", package, false);
    }
}
