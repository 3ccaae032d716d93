//! The end of a run: what failed once more, the counts, the reasons for what was not tried, and where to go from here.
//! It must not know how the run was shown before.

use trust::Verdict;

use super::detail::{block, needs_block};
use super::line::DURATION;
use super::paint::{Cell, Ink, Tone};
use crate::event::{CheckRecord, Outcome};
use crate::model::{Counts, Report, ScenarioReport};
use crate::text::{count, duration, visible_line};

const LABEL: usize = 9;

pub(super) struct Ending<'a> {
    pub(super) ink: Ink,
    pub(super) width: usize,
    pub(super) report: &'a Report,
    pub(super) artifacts: Option<&'a str>,
    pub(super) rerun: Option<&'a str>,
}

impl Ending<'_> {
    pub(super) fn text(&self) -> String {
        let mut out = self.failures();
        out.push('\n');
        out.push_str(&self.headline());
        for entry in &self.report.scenarios {
            out.push_str(&self.scenario(entry));
        }
        for (reason, ids) in self.skipped() {
            let said = format!("{reason} ({})", ids.join(", "));
            out.push_str(&self.field("skipped", &format!("{}: {said}", ids.len()), Tone::Plain));
        }
        for entry in &self.report.scenarios {
            for leftover in &entry.leftovers {
                let said = format!("{} {}", visible_line(&leftover.kind), visible_line(&leftover.id));
                out.push_str(&self.field("left over", &said, Tone::Bad));
            }
        }
        let commands = [("artifacts", self.artifacts, Tone::Plain), ("rerun", self.rerun, Tone::Strong)];
        for (label, line, tone) in commands {
            if let Some(line) = line {
                // Never wrapped: a person copies it.
                let cells = [Cell::new(label, LABEL, Tone::Dim), Cell::new(line, usize::MAX, tone)];
                out.push_str(&self.ink.row(2, &cells));
            }
        }
        out
    }

    fn field(&self, label: &str, value: &str, tone: Tone) -> String {
        let room = self.width.saturating_sub(2 + LABEL + 2);
        self.ink.row(2, &[Cell::new(label, LABEL, Tone::Dim), Cell::new(value, room, tone)])
    }

    /// The gravest first.
    fn failures(&self) -> String {
        let scenarios = self.report.scenarios.iter();
        let mut failed: Vec<(&ScenarioReport, &CheckRecord)> =
            scenarios.flat_map(|entry| entry.checks.iter().map(move |check| (entry, check))).collect();
        failed.retain(|(_, check)| needs_block(check));
        failed.sort_by_key(|(_, check)| !check.is_unexpected_acceptance());
        let mut out = String::new();
        for (entry, check) in failed {
            let name = format!("{} / {}", visible_line(&entry.scenario), visible_line(&check.id));
            out.push('\n');
            out.push_str(&self.ink.row(0, &[Cell::new(name, self.width, Tone::Bad)]));
            out.push_str(
                &self.ink.row(2, &[Cell::new(visible_line(&check.title), self.width.saturating_sub(2), Tone::Strong)]),
            );
            out.push_str(&block(self.ink, self.width, 2, check));
        }
        out
    }

    fn headline(&self) -> String {
        let (word, tone) = match self.report.exit_code {
            Some(0) => ("PASSED", Tone::Good),
            Some(130 | 143) => ("INTERRUPTED", Tone::Bad),
            _ => ("FAILED", Tone::Bad),
        };
        let mut parts = said_counts(&self.report.counts);
        let accepted = self
            .report
            .scenarios
            .iter()
            .flat_map(|entry| &entry.checks)
            .filter(|check| check.is_unexpected_acceptance())
            .count();
        if accepted > 0 {
            parts.insert(0, format!("{accepted} ACCEPTED THAT MUST BE REFUSED"));
        }
        match self.report.exit_code {
            Some(0) => {}
            Some(code) => parts.push(format!("exit code {code}")),
            None => parts.push("not finished".to_owned()),
        }
        let took = self.report.run.as_ref().and_then(|run| run.duration_ms).map(duration).unwrap_or_default();
        let room = self.width.saturating_sub(word.len() + 2 + 2 + DURATION);
        self.ink.row(
            0,
            &[
                Cell::new(word, word.len(), tone),
                Cell::new(parts.join(", "), room, Tone::Strong),
                Cell::new(took, DURATION, Tone::Dim).right(),
            ],
        )
    }

    /// A line for a scenario that did not simply pass, and for each of its phases that failed.
    fn scenario(&self, entry: &ScenarioReport) -> String {
        let mut out = String::new();
        let id = visible_line(&entry.scenario);
        let told = entry.verdict.as_ref().and_then(Verdict::reason);
        for phase in &entry.phases {
            let said = match &phase.outcome {
                // What the scenario's own line says need not be said twice.
                Some(Outcome::Failed { reason }) if Some(reason.as_str()) == told => continue,
                Some(Outcome::Failed { reason }) => {
                    format!("{id}: {} failed: {}", phase.phase, visible_line(reason))
                }
                None => format!("{id}: {} did not finish", phase.phase),
                Some(Outcome::Done | Outcome::Skipped { .. }) => continue,
            };
            out.push_str(&self.field("phase", &said, Tone::Plain));
        }
        match &entry.verdict {
            Some(Verdict::Passed) => {}
            Some(verdict) => {
                let reason = verdict.reason().map(|reason| format!(": {}", visible_line(reason))).unwrap_or_default();
                out.push_str(&self.field("scenario", &format!("{id}: {}{reason}", verdict.word()), Tone::Plain));
            }
            None => out.push_str(&self.field("scenario", &format!("{id}: did not finish"), Tone::Plain)),
        }
        out
    }

    /// Reasons in the order in which they came up, each with the checks that it kept from being tried.
    fn skipped(&self) -> Vec<(String, Vec<String>)> {
        let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
        for check in self.report.scenarios.iter().flat_map(|entry| &entry.checks) {
            let Verdict::Skipped { reason } = &check.verdict else {
                continue;
            };
            let (reason, id) = (visible_line(reason), visible_line(&check.id));
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, ids)) => ids.push(id),
                None => reasons.push((reason, vec![id])),
            }
        }
        reasons
    }
}

/// What passed is always said, the rest where there is any.
fn said_counts(counts: &Counts) -> Vec<String> {
    let others = [
        (counts.failed, "failed"),
        (counts.infra, "not found out (infra)"),
        (counts.flaky, "flaky"),
        (counts.skipped, "skipped"),
        (counts.not_run, "not run"),
    ];
    let mut said = vec![match counts.tried() {
        0 => "no check was tried".to_owned(),
        tried => format!("{} of {} passed", counts.passed, count(tried, "check")),
    }];
    said.extend(others.into_iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")));
    if counts.leaked > 0 {
        said.push(format!("{} leaked", counts.leaked));
    }
    said
}
