//! What a page says in a word and a sign: verdicts, states and outcomes; and what of a check the terminal has words for.
//! It must not know where on a page they stand.

use trust::{Chain, LinkState, Verdict};

use super::markup::{Element, element, text};
use crate::event::{CheckKind, CheckRecord, Outcome};
use crate::model::ScenarioReport;
use crate::terminal::detail::block;
use crate::terminal::paint::Ink;

/// A sign, a word and a class for the colour: nothing is told by colour alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) sign: &'static str,
    pub(super) word: &'static str,
    pub(super) class: &'static str,
}

impl Mark {
    const fn new(sign: &'static str, word: &'static str, class: &'static str) -> Mark {
        Mark { sign, word, class }
    }

    pub(super) fn element(self) -> Element {
        let sign = text("span", self.sign).attribute("aria-hidden", "true");
        element("span").attribute("class", format!("mark {}", self.class)).child(sign).child(text("b", self.word))
    }
}

const ACCEPTED: Mark = Mark::new("✗", "ACCEPTED", "grave");

pub(super) fn check_mark(check: &CheckRecord) -> Mark {
    if check.is_unexpected_acceptance() { ACCEPTED } else { verdict_mark(&check.verdict) }
}

/// Nobody may take a scenario for passed that let in what must be refused, or that leaked; a failure beside a leak has a mark of its own.
pub(super) fn scenario_marks(entry: &ScenarioReport) -> Vec<Mark> {
    let mark = |word| match word {
        "ACCEPTED" => ACCEPTED,
        "passed" => Mark::new("✓", word, "good"),
        "failed" => Mark::new("✗", word, "bad"),
        "skipped" => Mark::new("–", word, "warn"),
        "flaky" => Mark::new("~", word, "warn"),
        "leaked" => Mark::new("~", word, "bad"),
        _ => Mark::new("!", word, "bad"),
    };
    entry.words_alone().into_iter().map(mark).collect()
}

fn verdict_mark(verdict: &Verdict) -> Mark {
    let (sign, class) = match verdict {
        Verdict::Passed => ("✓", "good"),
        Verdict::Failed { .. } => ("✗", "bad"),
        Verdict::Skipped { .. } => ("–", "warn"),
        Verdict::Flaky { .. } => ("~", "warn"),
        Verdict::Infra { .. } => ("!", "bad"),
        Verdict::Leaked { .. } => ("~", "bad"),
    };
    Mark::new(sign, verdict.word(), class)
}

pub(super) fn state_mark(state: LinkState) -> Mark {
    match state {
        LinkState::Holds => Mark::new("✓", "holds", "good"),
        LinkState::Broken => Mark::new("✗", "broken", "bad"),
        LinkState::NotReached => Mark::new("·", "not reached", "dim"),
        LinkState::NotChecked => Mark::new("?", "not checked", "dim"),
    }
}

/// `None`: it has not finished.
pub(super) fn outcome_mark(outcome: Option<&Outcome>) -> Mark {
    match outcome {
        Some(Outcome::Done) => Mark::new("✓", "done", "good"),
        Some(Outcome::Failed { .. }) => Mark::new("✗", "failed", "bad"),
        Some(Outcome::Skipped { .. }) => Mark::new("–", "skipped", "warn"),
        None => Mark::new("!", "unfinished", "bad"),
    }
}

pub(super) fn kind(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::Allow => "allow: this access must work",
        CheckKind::Deny => "deny: this access must be refused",
    }
}

/// What was expected and observed, each with its label. The words are those of the block that the terminal and JUnit show, read from
/// it, so that there is one place to say what a new kind of observation is called.
pub(super) fn expected_and_observed(check: &CheckRecord) -> Vec<(String, String)> {
    let bare = CheckRecord {
        verdict: Verdict::Passed,
        chain: Chain::default(),
        twin: None,
        source: None,
        diagnosis: None,
        next: None,
        ..check.clone()
    };
    let told = block(Ink::PLAIN, usize::MAX, 0, &bare);
    // The first line of an acceptance says that it is one; a page says it by other means.
    fields(told.lines().skip(usize::from(check.is_unexpected_acceptance())))
}

/// `label  value`, where the lines of a value that follow the first begin below it.
fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut column = 0;
    for line in lines {
        let is_first = !line.is_empty() && !line.starts_with(' ');
        match fields.last_mut() {
            Some((_, value)) if !is_first => {
                value.push('\n');
                value.push_str(line.get(column..).unwrap_or_default());
            }
            _ => {
                let (label, value) = line.split_once("  ").unwrap_or((line, ""));
                let value = value.trim_start();
                column = line.len() - value.len();
                fields.push((label.to_owned(), value.to_owned()));
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_lines() {
        let check = |told: &str, expected: &[(&str, &str)]| {
            let fields = fields(told.lines());
            let fields: Vec<_> = fields.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect();
            assert_eq!(fields, expected, "{told}");
        };
        check("", &[]);
        check("observed   nothing\nlast seen  x  y\n", &[("observed", "nothing"), ("last seen", "x  y")]);
        check("stderr     a\n             b\n\n           c\n", &[("stderr", "a\n  b\n\nc")]);
        check("observed   ü\n           ü\n", &[("observed", "ü\nü")]);
    }
}
