//! Cargo.lock is in the repository: a person who builds next year gets what was tested.

use super::finding::{Finding, Source};

/// `tracked`: the files that git knows, or `None` where there is no git.
pub(crate) fn check(tracked: &Option<Vec<String>>) -> Option<Finding> {
    let tracked = tracked.as_ref()?;
    let known = tracked.iter().any(|path| path == "Cargo.lock");
    (!known).then(|| {
        Source::new("Cargo.lock", "").finding(
            1,
            "lockfile",
            "Cargo.lock is not in the repository",
            "run `git add Cargo.lock`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lockfile_of_the_root_must_be_tracked() {
        let check_rule = |paths: &[&str], found: bool| {
            let tracked = paths.iter().map(ToString::to_string).collect();
            assert_eq!(check(&Some(tracked)).is_some(), found, "{paths:?}");
        };
        check_rule(&["Cargo.lock", "Cargo.toml"], false);
        check_rule(&["Cargo.toml", "a/Cargo.lock"], true);
        check_rule(&[], true);
        assert_eq!(check(&None), None);
    }
}
