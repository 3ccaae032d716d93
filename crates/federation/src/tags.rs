//! What marks a thing as a run's, in either cloud. Pure.

use std::fmt;

/// Which run made a thing and until when it may stand.
const RUN_TAG: &str = "crossfed:run";
const EXPIRES_TAG: &str = "crossfed:expires";

/// What everything is marked with: who made it, for which run, and when it may be swept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    run: String,
    expires: String,
}

impl Tags {
    /// `expires` is written as RFC 3339, such as a `jiff::Timestamp` shows it.
    pub fn new(run: impl Into<String>, expires: impl fmt::Display) -> Self {
        Self { run: run.into(), expires: expires.to_string() }
    }

    /// The run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Key and value of each tag.
    pub fn pairs(&self) -> [(&'static str, &str); 3] {
        [("tool", "crossfed"), (RUN_TAG, &self.run), (EXPIRES_TAG, &self.expires)]
    }

    /// True if a tag says that `run` made the thing.
    pub(crate) fn claims<'a>(mut tags: impl Iterator<Item = (&'a str, &'a str)>, run: &str) -> bool {
        tags.any(|tag| tag == (RUN_TAG, run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_the_very_run() {
        let tags = Tags::new("r-1", "2026-11-23T12:00:00Z");
        let check =
            |run: &str, expected: bool| assert_eq!(Tags::claims(tags.pairs().into_iter(), run), expected, "{run}");
        check("r-1", true);
        check("r-2", false);
        check("crossfed", false);
        check("", false);
    }
}
