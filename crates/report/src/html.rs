//! The report as one page for people: a file that needs no script, no network and nothing beside it.
//! It must not know where the file goes.
//!
//! The markup is HTML that an XML reader takes as well. The page forbids itself scripts and requests by a content security policy.

mod check;
mod leaks;
mod link;
mod markup;
mod overview;
mod scenario;
mod words;

use crate::model::{Later, Report, Run, ScenarioReport};
use crate::text::{count, duration, shell_line, visible_line};
use markup::{Element, element, text};

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The run as a page. The same report gives the same bytes.
///
/// Each check has an anchor, `#scenario/check-id`, and each scenario one of its own, `#scenario`. A browser unfolds a check that a link
/// leads to. Scenarios are sorted by their ids, checks stand in the order of their gravity.
pub fn html(report: &Report) -> String {
    let mut scenarios: Vec<&ScenarioReport> = report.scenarios.iter().collect();
    scenarios.sort_by(|left, right| left.scenario.cmp(&right.scenario));
    let main = element("main")
        .children(overview::alarm(&scenarios))
        .child(overview::scenarios(report, &scenarios))
        .children(leaks::leaks(report, &scenarios))
        .children(overview::skipped(&scenarios))
        .children(overview::notes(report))
        .children(scenarios.iter().map(|entry| scenario::scenario(entry)));
    let page = element("html")
        .attribute("lang", "en")
        .child(head(report))
        .child(element("body").child(header(report)).child(main));
    format!("<!DOCTYPE html>\n{}\n", page.markup())
}

fn head(report: &Report) -> Element {
    let meta = |name, content| element("meta").attribute("name", name).attribute("content", content);
    let policy = element("meta").attribute("http-equiv", "Content-Security-Policy").attribute("content", POLICY);
    element("head")
        .child(element("meta").attribute("charset", "utf-8"))
        .child(policy)
        .child(meta("viewport", "width=device-width, initial-scale=1"))
        .child(meta("color-scheme", "light dark"))
        .child(text("title", format!("{}: {}", verdict(report).0, name(report))))
        .child(element("style").fixed(include_str!("html/page.css")))
}

fn name(report: &Report) -> String {
    report.run.as_ref().map_or_else(|| "crossfed".to_owned(), |run| format!("crossfed {}", visible_line(&run.run_id)))
}

fn header(report: &Report) -> Element {
    let (word, class) = verdict(report);
    element("header")
        .child(text("h1", name(report)))
        .child(
            element("p")
                .attribute("class", format!("verdict {class}"))
                .child(text("b", word))
                .text(format!(" {}", in_words(report))),
        )
        .children(report.run.as_ref().map(|run| facts(run, report.exit_code)))
}

/// Nobody may take a run for passed that let in what must be refused, or that leaked.
fn verdict(report: &Report) -> (&'static str, &'static str) {
    let accepted = report.scenarios.iter().any(ScenarioReport::has_unexpected_acceptance);
    match report.exit_code {
        _ if accepted => ("✗ FAILED", "grave"),
        Some(0) if report.counts.leaked == 0 => ("✓ PASSED", "good"),
        Some(129 | 130 | 143) => ("! INTERRUPTED", "bad"),
        Some(_) => ("✗ FAILED", "bad"),
        None => ("! NOT FINISHED", "bad"),
    }
}

/// What passed is always said, the rest where there is any.
fn in_words(report: &Report) -> String {
    let counts = &report.counts;
    let passed = match counts.tried() {
        0 => "no check was tried".to_owned(),
        tried => format!("{} of {} passed", counts.passed, count(tried, "check")),
    };
    let others = [
        (counts.failed, "failed"),
        (counts.infra, "not found out (infra)"),
        (counts.flaky, "flaky"),
        (counts.skipped, "skipped"),
        (counts.not_run, "not run"),
        (counts.leaked, "leaked"),
        (counts.kept, "kept"),
    ];
    let others = others.into_iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}"));
    [passed].into_iter().chain(others).collect::<Vec<_>>().join(", ")
}

fn facts(run: &Run, exit_code: Option<u8>) -> Element {
    let when = |at: jiff::Timestamp| {
        text("time", at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).attribute("datetime", at.to_string())
    };
    let took = run.duration_ms.map(|ms| format!(", took {}", duration(ms))).unwrap_or_default();
    let exit_code = exit_code.map_or_else(|| "none: it has not finished".to_owned(), |code| code.to_string());
    let fact = |label, value: Element| [text("dt", label), element("dd").child(value)];
    let said = |label, value: &str| [text("dt", label), text("dd", visible_line(value))];
    let later = |label, life: &Later| {
        let how = text("code", visible_line(&shell_line(&life.command)));
        [text("dt", label), element("dd").child(when(life.at)).text(": ").child(how)]
    };
    element("dl")
        .children(said("run", &run.run_id))
        .children(said("version", &run.version))
        .children(said("cluster", &run.cluster))
        .children(said("clouds", &run.clouds))
        .children(fact("command", text("code", visible_line(&shell_line(&run.command)))))
        .child(text("dt", "started"))
        .child(element("dd").child(when(run.started_at)).text(took))
        .children(run.resumed.iter().flat_map(|life| later("resumed", life)))
        .children(run.cleaned.iter().flat_map(|life| later("cleaned up", life)))
        .children(run.finished_at.into_iter().flat_map(|at| fact("finished", when(at))))
        .children(said("exit code", &exit_code))
}
