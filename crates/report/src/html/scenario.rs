//! One scenario: its phases, and its checks in groups, the gravest first. It must not know which scenarios stand around it.

use trust::Verdict;

use super::check::check;
use super::link::anchor;
use super::markup::{Element, element, text};
use super::words::{Mark, outcome_mark, scenario_marks};
use crate::event::{CheckRecord, Outcome};
use crate::model::{PhaseReport, ScenarioReport};
use crate::text::{count, duration, visible, visible_line};

/// Checks that belong together, in the order in which they stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Accepted,
    NotPassed,
    Flaky,
    Passed,
    Skipped,
}

impl Group {
    const ALL: [Group; 5] = [Group::Accepted, Group::NotPassed, Group::Flaky, Group::Passed, Group::Skipped];

    fn of(check: &CheckRecord) -> Group {
        match &check.verdict {
            _ if check.is_unexpected_acceptance() => Group::Accepted,
            Verdict::Failed { .. } | Verdict::Infra { .. } | Verdict::Leaked { .. } => Group::NotPassed,
            Verdict::Flaky { .. } => Group::Flaky,
            Verdict::Passed => Group::Passed,
            Verdict::Skipped { .. } => Group::Skipped,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Group::Accepted => "Accepted, and must be refused",
            Group::NotPassed => "Not passed",
            Group::Flaky => "Passed after a retry",
            Group::Passed => "Passed",
            Group::Skipped => "Skipped",
        }
    }
}

pub(super) fn scenario(entry: &ScenarioReport) -> Element {
    let title = visible_line(&entry.title);
    let title = Some(title).filter(|title| *title != visible_line(&entry.scenario));
    element("section")
        .class("scenario")
        .attribute("id", anchor(&entry.scenario, None))
        .child(text("h2", visible_line(&entry.scenario)))
        .children(title.map(|title| text("p", title)))
        .child(verdict(entry))
        .children(entry.notes.iter().map(|note| text("p", visible(note.trim())).class("note lines")))
        .children(phases(&entry.phases))
        .children(Group::ALL.into_iter().filter_map(|of| group(entry, of)))
}

fn verdict(entry: &ScenarioReport) -> Element {
    let mut said = entry.verdict.as_ref().and_then(Verdict::reason).map(visible_line).into_iter().collect::<Vec<_>>();
    let not_run = entry.checks_not_run();
    if not_run > 0 {
        said.push(format!("{not_run} of {} not run", count(entry.checks_planned, "check")));
    }
    said.extend(entry.duration_ms.map(duration));
    element("p").children(scenario_marks(entry).into_iter().map(Mark::element)).text(format!(" {}", said.join(", ")))
}

fn phases(phases: &[PhaseReport]) -> Option<Element> {
    if phases.is_empty() {
        return None;
    }
    let head = ["phase", "outcome", "time", "detail"].map(|head| text("th", head).attribute("scope", "col"));
    Some(
        element("table")
            .class("phases")
            .child(text("caption", "Phases"))
            .child(element("thead").child(element("tr").children(head)))
            .child(element("tbody").children(phases.iter().map(phase))),
    )
}

fn phase(phase: &PhaseReport) -> Element {
    let reason = match &phase.outcome {
        Some(Outcome::Failed { reason } | Outcome::Skipped { reason }) => Some(reason),
        Some(Outcome::Done) | None => None,
    };
    let said: Vec<String> =
        [reason, phase.detail.as_ref()].into_iter().flatten().map(|said| visible(said.trim())).collect();
    element("tr")
        .child(text("th", phase.phase.slug()).attribute("scope", "row"))
        .child(element("td").child(outcome_mark(phase.outcome.as_ref()).element()))
        .child(text("td", phase.duration_ms.map(duration).unwrap_or_default()).class("number"))
        .child(text("td", said.join("\n")).class("lines"))
}

fn group(entry: &ScenarioReport, of: Group) -> Option<Element> {
    let checks: Vec<&CheckRecord> = entry.checks.iter().filter(|check| Group::of(check) == of).collect();
    if checks.is_empty() {
        return None;
    }
    let open = matches!(of, Group::Accepted | Group::NotPassed);
    Some(
        element("section")
            .class("group")
            .child(text("h3", format!("{} ({})", of.title(), checks.len())))
            .children(checks.into_iter().map(|one| check(entry, one, open))),
    )
}
