//! JUnit XML, in the dialect that CI systems share: suites of test cases, each passed, failed, in error or skipped.
//! It must not know where the files go.
//!
//! A flaky check passes and carries the `flakyFailure` element of Maven Surefire, which GitLab, Jenkins and nextest know.

mod xml;

use trust::Verdict;

use crate::event::{CheckRecord, Outcome, Phase};
use crate::model::{PhaseReport, Report, ScenarioReport};
use crate::terminal::detail::block;
use crate::terminal::leaks;
use crate::terminal::paint::Ink;
use crate::text::{count, visible_line};
use xml::{CameTo, Case, Fault, document};

/// Columns of the text inside a failure.
const WIDTH: usize = 110;

/// The checks of one scenario, each a test case that is named by its id, and one more where something leaked. A scenario that the report does not know has none.
pub fn junit(report: &Report, scenario: &str) -> String {
    let entry = report.scenario(scenario);
    let mut cases: Vec<Case> = Vec::new();
    if let Some(entry) = entry {
        cases.extend(entry.checks.iter().map(|check| check_case(entry, check)));
        cases.extend(not_run(entry));
        cases.extend(leaks(report, entry));
    }
    document(scenario, &run_properties(report), started(report), &cases)
}

/// The phases of all scenarios, each a test case; what leaked fails the teardown.
pub fn junit_runner(report: &Report) -> String {
    let mut cases = Vec::new();
    for entry in &report.scenarios {
        for phase in &entry.phases {
            cases.push(phase_case(report, entry, phase));
        }
        if entry.leaked() > 0 && !entry.phases.iter().any(|phase| phase.phase == Phase::Teardown) {
            let teardown =
                PhaseReport { phase: Phase::Teardown, outcome: Some(Outcome::Done), detail: None, duration_ms: None };
            cases.push(phase_case(report, entry, &teardown));
        }
    }
    document("runner", &run_properties(report), started(report), &cases)
}

fn run_properties(report: &Report) -> Vec<(&'static str, String)> {
    let Some(run) = &report.run else {
        return Vec::new();
    };
    vec![
        ("run-id", run.run_id.clone()),
        ("version", run.version.clone()),
        ("cluster", run.cluster.clone()),
        ("clouds", run.clouds.clone()),
    ]
}

fn started(report: &Report) -> Option<String> {
    report.run.as_ref().map(|run| run.started_at.to_string())
}

fn check_case(entry: &ScenarioReport, check: &CheckRecord) -> Case {
    let fault = |reason: &str, kind| Fault {
        message: format!("{}: {}", visible_line(&check.title), visible_line(reason)),
        kind,
        text: block(Ink::PLAIN, WIDTH, 0, check),
    };
    let came_to = match &check.verdict {
        // Whatever the verdict says, no reader of this file may take it for passed.
        Verdict::Passed | Verdict::Flaky { .. } if check.is_unexpected_acceptance() => {
            CameTo::Failure(fault("accepted, and must be refused", "accepted"))
        }
        Verdict::Passed => CameTo::Passed,
        Verdict::Failed { reason } if check.is_unexpected_acceptance() => CameTo::Failure(fault(reason, "accepted")),
        Verdict::Failed { reason } => CameTo::Failure(fault(reason, "failed")),
        Verdict::Leaked { reason } => CameTo::Failure(fault(reason, "leaked")),
        Verdict::Infra { reason } => CameTo::Error(fault(reason, "infra")),
        Verdict::Flaky { reason } => CameTo::Flaky(fault(reason, "flaky")),
        Verdict::Skipped { reason } => CameTo::Skipped(reason.clone()),
    };
    case(entry, &check.id, check.duration_ms, came_to)
}

fn case(entry: &ScenarioReport, name: &str, duration_ms: u64, came_to: CameTo) -> Case {
    Case { class: entry.scenario.clone(), name: name.to_owned(), duration_ms, came_to }
}

/// Checks that never ran have no ids here, yet a file without them would look as if all were well.
fn not_run(entry: &ScenarioReport) -> Option<Case> {
    let missing = entry.checks_not_run();
    if missing == 0 {
        return None;
    }
    let reason = match &entry.verdict {
        None => "the scenario did not finish",
        Some(verdict) => verdict.reason().unwrap_or("the scenario finished without them"),
    };
    let planned = count(entry.checks_planned, "check");
    let message = format!("{missing} of {planned} not run: {}", visible_line(reason));
    let came_to = match entry.verdict {
        Some(Verdict::Skipped { .. }) => CameTo::Skipped(message),
        _ => CameTo::Error(Fault { message, kind: "not-run", text: String::new() }),
    };
    Some(case(entry, "checks-not-run", 0, came_to))
}

/// What stays behind is no check's fault, and yet the scenario's.
fn leaks(report: &Report, entry: &ScenarioReport) -> Option<Case> {
    let text = [leaks::each(entry), next(report, entry)].concat().join("\n");
    let fault = Fault { message: leaked(entry), kind: "leaked", text };
    (entry.leaked() > 0).then(|| case(entry, "leaks", 0, CameTo::Failure(fault)))
}

fn leaked(entry: &ScenarioReport) -> String {
    let said = leaks::counted(entry.leftovers.len(), entry.vanished.len());
    format!("leaked {}: {said}", count(entry.leaked(), "resource"))
}

fn next(report: &Report, entry: &ScenarioReport) -> Vec<String> {
    let command = report.cleanup_command().filter(|_| entry.may_need_cleanup());
    command.map(|command| format!("next: {}", visible_line(&command))).into_iter().collect()
}

fn phase_case(report: &Report, entry: &ScenarioReport, phase: &PhaseReport) -> Case {
    let is_teardown = phase.phase == Phase::Teardown;
    let (leaked_here, next) = match is_teardown {
        true => (leaks::each(entry), next(report, entry)),
        false => (Vec::new(), Vec::new()),
    };
    let leaks = !leaked_here.is_empty();
    let text = phase.detail.clone().into_iter().chain(leaked_here).chain(next.clone()).collect::<Vec<_>>().join("\n");
    let came_to = match &phase.outcome {
        None => CameTo::Error(Fault { message: "did not finish".to_owned(), kind: "unfinished", text }),
        Some(Outcome::Failed { reason }) => {
            let (message, kind) = match leaks {
                true => (format!("{}; {}", visible_line(reason), leaked(entry)), "leaked"),
                false => (visible_line(reason), "failed"),
            };
            CameTo::Failure(Fault { message, kind, text })
        }
        Some(_) if leaks => CameTo::Failure(Fault { message: leaked(entry), kind: "leaked", text }),
        Some(Outcome::Skipped { reason }) => {
            let kept = (is_teardown && entry.kept > 0).then(|| leaks::kept(entry.kept));
            let said: Vec<String> = [reason.clone()].into_iter().chain(kept).chain(next).collect();
            CameTo::Skipped(said.join("; "))
        }
        Some(Outcome::Done) => CameTo::Passed,
    };
    case(entry, phase.phase.slug(), phase.duration_ms.unwrap_or(0), came_to)
}
