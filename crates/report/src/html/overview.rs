//! The table of scenarios and what concerns all of them: what was not tried, what was left behind, notes.
//! It must not know what a scenario is shown as.

use trust::Verdict;

use super::link::{anchor, to_anchor};
use super::markup::{Element, element, text};
use super::words::{Mark, scenario_marks};
use crate::event::CheckRecord;
use crate::model::{Counts, Report, ScenarioReport};
use crate::text::{count, duration, visible, visible_line};

/// A number of checks, the head of its column, and whether it stands there when nothing is to be counted.
type Column = (&'static str, fn(&Counts) -> usize, bool);

const COLUMNS: [Column; 8] = [
    ("passed", |counts| counts.passed, true),
    ("failed", |counts| counts.failed, true),
    ("skipped", |counts| counts.skipped, true),
    ("flaky", |counts| counts.flaky, false),
    ("infra", |counts| counts.infra, false),
    ("leaked", |counts| counts.leaked, false),
    ("not run", |counts| counts.not_run, false),
    ("kept", |counts| counts.kept, false),
];

/// What was let in and must be refused, before everything else.
pub(super) fn alarm(scenarios: &[&ScenarioReport]) -> Option<Element> {
    let accepted: Vec<Element> = scenarios
        .iter()
        .flat_map(|entry| entry.checks.iter().map(move |check| (*entry, check)))
        .filter(|(_, check)| check.is_unexpected_acceptance())
        .map(|(entry, check)| {
            element("li").child(check_link(entry, check)).text(format!(": {}", visible_line(&check.title)))
        })
        .collect();
    (!accepted.is_empty()).then(|| {
        element("section")
            .class("alarm")
            .child(text("h2", format!("ACCEPTED, AND MUST BE REFUSED: {}", count(accepted.len(), "check"))))
            .child(element("ul").children(accepted))
    })
}

pub(super) fn scenarios(report: &Report, scenarios: &[&ScenarioReport]) -> Element {
    let shown: Vec<Column> =
        COLUMNS.into_iter().filter(|(_, number, always)| *always || number(&report.counts) > 0).collect();
    let place = place(report);
    let heads =
        ["scenario", "place", "verdict"].into_iter().chain(shown.iter().map(|(head, ..)| *head)).chain(["time"]);
    let head = heads.map(|head| text("th", head).attribute("scope", "col"));
    let numbers = |counts: &Counts| {
        let cell = |(head, number, _): &Column| {
            text("td", number(counts).to_string()).class("number").attribute("data-label", *head)
        };
        shown.iter().map(cell).collect::<Vec<_>>()
    };
    let row = |entry: &&ScenarioReport| {
        let name = to_anchor(&anchor(&entry.scenario, None), visible_line(&entry.scenario));
        element("tr")
            .child(element("th").attribute("scope", "row").child(name))
            .child(text("td", &place))
            .child(element("td").children(scenario_marks(entry).into_iter().map(Mark::element)))
            .children(numbers(&entry.counts()))
            .child(text("td", entry.duration_ms.map(duration).unwrap_or_default()).class("number"))
    };
    let all = || {
        element("tfoot").child(
            element("tr")
                .child(text("th", "all").attribute("scope", "row"))
                .child(element("td"))
                .child(element("td"))
                .children(numbers(&report.counts))
                .child(element("td").class("number")),
        )
    };
    let never = report.scenarios_planned() - scenarios.len();
    element("section")
        .child(text("h2", "Scenarios"))
        .child(
            element("table")
                .class("scenarios")
                .child(element("thead").child(element("tr").children(head)))
                .child(element("tbody").children(scenarios.iter().map(row)))
                .children((scenarios.len() > 1).then(all)),
        )
        .children((never > 0).then(|| text("p", format!("{} never started.", count(never, "scenario")))))
}

fn place(report: &Report) -> String {
    let place = report.run.as_ref().map(|run| [visible_line(&run.cluster), visible_line(&run.clouds)].join(" · "));
    place.unwrap_or_default()
}

/// Each reason once, with how many checks it kept from being tried, and which.
pub(super) fn skipped(scenarios: &[&ScenarioReport]) -> Option<Element> {
    let mut reasons: Vec<Skip> = Vec::new();
    for entry in scenarios {
        if let Some(Verdict::Skipped { reason }) = &entry.verdict {
            let whole = to_anchor(&anchor(&entry.scenario, None), visible_line(&entry.scenario));
            Skip::of(&mut reasons, reason).add(entry.checks_not_run(), whole);
        }
        for check in &entry.checks {
            if let Verdict::Skipped { reason } = &check.verdict {
                Skip::of(&mut reasons, reason).add(1, check_link(entry, check));
            }
        }
    }
    let head = ["reason", "checks", "which"].map(|head| text("th", head).attribute("scope", "col"));
    let all = reasons.iter().map(|skip| skip.checks).sum();
    (!reasons.is_empty()).then(|| {
        element("section").child(text("h2", format!("Skipped: {}", count(all, "check")))).child(
            element("table")
                .child(element("thead").child(element("tr").children(head)))
                .child(element("tbody").children(reasons.into_iter().map(Skip::row))),
        )
    })
}

struct Skip {
    reason: String,
    checks: usize,
    which: Vec<Element>,
}

impl Skip {
    fn of<'a>(reasons: &'a mut Vec<Skip>, reason: &str) -> &'a mut Skip {
        let reason = visible_line(reason);
        let at = reasons.iter().position(|known| known.reason == reason).unwrap_or_else(|| {
            reasons.push(Skip { reason, checks: 0, which: Vec::new() });
            reasons.len() - 1
        });
        &mut reasons[at]
    }

    fn add(&mut self, checks: usize, which: Element) {
        self.checks += checks;
        self.which.push(which);
    }

    fn row(self) -> Element {
        element("tr")
            .child(text("th", self.reason).attribute("scope", "row"))
            .child(text("td", self.checks.to_string()).class("number"))
            .child(
                element("td").child(element("ul").children(self.which.into_iter().map(|one| element("li").child(one)))),
            )
    }
}

fn check_link(entry: &ScenarioReport, check: &CheckRecord) -> Element {
    let said = format!("{} / {}", visible_line(&entry.scenario), visible_line(&check.id));
    to_anchor(&anchor(&entry.scenario, Some(&check.id)), said)
}

/// Those that belong to no scenario.
pub(super) fn notes(report: &Report) -> Option<Element> {
    let notes = report.notes.iter().map(|note| text("li", visible(note.trim())).class("lines"));
    (!report.notes.is_empty())
        .then(|| element("section").child(text("h2", "Notes")).child(element("ul").children(notes)))
}
