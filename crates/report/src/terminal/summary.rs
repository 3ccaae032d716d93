//! The end of a run: what failed once more, the table of several scenarios, the counts, the reasons for what was not tried, and
//! where to go from here.
//! It must not know how the run was shown before.

use trust::Verdict;

use super::detail::{block, needs_block};
use super::leaks;
use super::line::DURATION;
use super::paint::{Cell, Ink, Tone};
use super::skips;
use super::table::table;
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
        let mut scenarios: Vec<&ScenarioReport> = self.report.scenarios.iter().collect();
        scenarios.sort_by(|left, right| left.scenario.cmp(&right.scenario));
        let mut out = self.failures(&scenarios);
        out.push('\n');
        if self.is_many() && !scenarios.is_empty() {
            out.push_str(&table(self.ink, self.width, &self.place(), &scenarios));
            out.push('\n');
        }
        out.push_str(&self.headline());
        for entry in &scenarios {
            out.push_str(&self.scenario(entry));
        }
        if self.is_many() {
            scenarios.iter().for_each(|entry| out.push_str(&self.not_quite_passed(entry)));
        }
        for reason in skips::reasons(&scenarios, self.is_many()) {
            out.push_str(&self.field("skipped", &reason, Tone::Plain));
        }
        for (label, said, tone) in leaks::lines(self.report, &scenarios) {
            out.push_str(&self.field(label, &said, tone));
        }
        let cleanup = self.report.cleanup_command().map(|command| visible_line(&command));
        let commands = [
            ("artifacts", self.artifacts, Tone::Plain),
            ("next", cleanup.as_deref(), Tone::Strong),
            ("rerun", self.rerun, Tone::Strong),
        ];
        for (label, line, tone) in commands {
            if let Some(line) = line {
                // Never wrapped: a person copies it.
                let cells = [Cell::new(label, LABEL, Tone::Dim), Cell::new(line, usize::MAX, tone)];
                out.push_str(&self.ink.row(2, &cells));
            }
        }
        out
    }

    fn is_many(&self) -> bool {
        self.report.scenarios_planned() > 1
    }

    fn place(&self) -> String {
        let run = self.report.run.as_ref();
        let parts = run.map(|run| [visible_line(&run.cluster), visible_line(&run.clouds)]);
        parts.map(|parts| parts.join(self.ink.dot())).unwrap_or_default()
    }

    fn field(&self, label: &str, value: &str, tone: Tone) -> String {
        let room = self.width.saturating_sub(2 + LABEL + 2);
        self.ink.row(2, &[Cell::new(label, LABEL, Tone::Dim), Cell::new(value, room, tone)])
    }

    /// The gravest first.
    fn failures(&self, scenarios: &[&ScenarioReport]) -> String {
        let mut failed: Vec<(&ScenarioReport, &CheckRecord)> =
            scenarios.iter().flat_map(|entry| entry.checks.iter().map(move |check| (*entry, check))).collect();
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
            Some(0) if self.report.counts.leaked == 0 => ("PASSED", Tone::Good),
            Some(129 | 130 | 143) => ("INTERRUPTED", Tone::Bad),
            _ => ("FAILED", Tone::Bad),
        };
        let mut parts = if self.is_many() { self.said_scenarios() } else { Vec::new() };
        parts.extend(said_counts(&self.report.counts));
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
            Some(Verdict::Passed) if entry.leaked() == 0 => {}
            // Its reason stands with those of the checks that were skipped.
            Some(Verdict::Skipped { .. }) if self.is_many() => {}
            Some(verdict) => {
                let reason = verdict.reason().map(|reason| format!(": {}", visible_line(reason))).unwrap_or_default();
                let words = entry.words().join(", ");
                out.push_str(&self.field("scenario", &format!("{id}: {words}{reason}"), Tone::Plain));
            }
            None => out.push_str(&self.field("scenario", &format!("{id}: did not finish"), Tone::Plain)),
        }
        out
    }

    /// Checks that have no block, and whose line was not shown since their scenario passed.
    fn not_quite_passed(&self, entry: &ScenarioReport) -> String {
        let mut out = String::new();
        for check in &entry.checks {
            if let Verdict::Flaky { reason } | Verdict::Leaked { reason } = &check.verdict {
                let name = format!("{} / {}", visible_line(&entry.scenario), visible_line(&check.id));
                out.push_str(&self.field(
                    check.verdict.word(),
                    &format!("{name}: {}", visible_line(reason)),
                    Tone::Plain,
                ));
            }
        }
        out
    }

    fn said_scenarios(&self) -> Vec<String> {
        let entries = &self.report.scenarios;
        let of = |is: fn(&ScenarioReport) -> bool| entries.iter().filter(|entry| is(entry)).count();
        let passed = of(|entry| entry.words_alone() == ["passed"]);
        let skipped = of(|entry| matches!(entry.verdict, Some(Verdict::Skipped { .. })));
        let mut said = vec![format!("{passed} of {} passed", count(entries.len() - skipped, "scenario"))];
        let others = [(skipped, "skipped"), (self.report.scenarios_planned() - entries.len(), "never started")];
        let others = others.into_iter().filter(|(number, _)| *number > 0);
        said.extend(others.map(|(number, word)| format!("{} {word}", count(number, "scenario"))));
        said
    }
}

/// What passed is always said, the rest where there is any.
pub(super) fn said_counts(counts: &Counts) -> Vec<String> {
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
    if counts.kept > 0 {
        said.push(format!("{} kept", count(counts.kept, "resource")));
    }
    said
}
