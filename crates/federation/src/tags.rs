//! What marks a thing as a run's, in either cloud. Pure.

use std::fmt;

use jiff::Timestamp;

/// The tool, which run of it made a thing, when that began, and until when the thing may stand.
const TOOL: (&str, &str) = ("tool", "crossfed");
const RUN_TAG: &str = "crossfed:run";
const CREATED_TAG: &str = "crossfed:created";
const EXPIRES_TAG: &str = "crossfed:expires";

/// What everything is marked with: who made it, for which run, when, and when it may be swept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    run: String,
    created: String,
    expires: String,
}

impl Tags {
    /// Both times are written as RFC 3339, such as a `jiff::Timestamp` shows them.
    pub fn new(run: impl Into<String>, created: impl fmt::Display, expires: impl fmt::Display) -> Self {
        Self { run: run.into(), created: created.to_string(), expires: expires.to_string() }
    }

    /// The run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Key and value of each tag.
    pub fn pairs(&self) -> [(&'static str, &str); 4] {
        [TOOL, (RUN_TAG, &self.run), (CREATED_TAG, &self.created), (EXPIRES_TAG, &self.expires)]
    }

    /// The same where names are header names, as those of an S3 object's metadata are.
    pub(crate) fn metadata(&self) -> [(&'static str, &str); 4] {
        let named = [RUN_METADATA, "crossfed-created", "crossfed-expires"];
        [TOOL, (named[0], &self.run), (named[1], &self.created), (named[2], &self.expires)]
    }

    pub(crate) fn created(&self) -> &str {
        &self.created
    }

    pub(crate) fn expires(&self) -> &str {
        &self.expires
    }

    /// True if a tag says that `run` made the thing.
    pub(crate) fn claims<'a>(mut tags: impl Iterator<Item = (&'a str, &'a str)>, run: &str) -> bool {
        tags.any(|tag| tag == (RUN_TAG, run))
    }
}

/// Name of the object metadata that holds the run id (`x-amz-meta-…` on the wire).
pub(crate) const RUN_METADATA: &str = "crossfed-run";

/// The tag that says that crossfed made a thing.
pub(crate) fn tool() -> (&'static str, &'static str) {
    TOOL
}

/// What the tags of a thing say, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// The run that made it; empty if its tags do not say.
    pub run: String,
    /// When the run began.
    pub created: Option<Timestamp>,
    /// Until when it may stand.
    pub expires: Option<Timestamp>,
}

impl Marks {
    /// Reads tags. None of a thing that crossfed did not make.
    pub fn read<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let (mut is_ours, mut marks) = (false, Self { run: String::new(), created: None, expires: None });
        for (key, value) in pairs {
            match key {
                "tool" => is_ours = (key, value) == TOOL,
                RUN_TAG => value.clone_into(&mut marks.run),
                CREATED_TAG => marks.created = value.parse().ok(),
                EXPIRES_TAG => marks.expires = value.parse().ok(),
                _ => {}
            }
        }
        is_ours.then_some(marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags() -> Tags {
        Tags::new("r-1", "2026-11-23T12:00:00Z", "2026-11-23T18:00:00Z")
    }

    #[test]
    fn a_claim_is_the_very_run() {
        let tags = tags();
        let check =
            |run: &str, expected: bool| assert_eq!(Tags::claims(tags.pairs().into_iter(), run), expected, "{run}");
        check("r-1", true);
        check("r-2", false);
        check("crossfed", false);
        check("", false);
    }

    #[test]
    fn marks_are_read_of_what_the_tool_made_alone() {
        let check = |pairs: &[(&str, &str)], expected: Option<(&str, Option<&str>, Option<&str>)>| {
            let marks = Marks::read(pairs.iter().copied());
            let shown = marks.map(|marks| {
                (marks.run, marks.created.map(|at| at.to_string()), marks.expires.map(|at| at.to_string()))
            });
            let owned = |text: Option<&str>| text.map(str::to_owned);
            assert_eq!(shown, expected.map(|(run, created, expires)| (run.to_owned(), owned(created), owned(expires))));
        };
        check(&tags().pairs(), Some(("r-1", Some("2026-11-23T12:00:00Z"), Some("2026-11-23T18:00:00Z"))));
        check(&[TOOL], Some(("", None, None)));
        check(&[TOOL, (RUN_TAG, "r"), (EXPIRES_TAG, "tomorrow")], Some(("r", None, None)));
        check(&[("tool", "terraform"), (RUN_TAG, "r")], None);
        check(&[(RUN_TAG, "r")], None);
        check(&[], None);
    }
}
