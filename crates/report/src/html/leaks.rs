//! What leaked, what was left in place on purpose, and the command that takes it down.
//! It must not know what else stands on the page.

use super::link::{anchor, to_anchor};
use super::markup::{Element, element, text};
use crate::model::{Report, ScenarioReport};
use crate::terminal::leaks::{counted, kept};
use crate::text::{count, visible_line};

pub(super) fn leaks(report: &Report, scenarios: &[&ScenarioReport]) -> Option<Element> {
    let rows: Vec<Element> = scenarios.iter().flat_map(|entry| rows(entry)).collect();
    let stays: Vec<Element> = scenarios.iter().filter(|entry| entry.kept > 0).map(|entry| stays(entry)).collect();
    let command = report.cleanup_command();
    if rows.is_empty() && stays.is_empty() && command.is_none() {
        return None;
    }
    let left = scenarios.iter().map(|entry| entry.leftovers.len()).sum();
    let gone = scenarios.iter().map(|entry| entry.vanished.len()).sum();
    let title = match rows.len() {
        0 if stays.is_empty() => "Not taken down".to_owned(),
        0 => "Left in place on purpose".to_owned(),
        leaked => format!("Leaked: {} ({})", count(leaked, "resource"), counted(left, gone)),
    };
    let head = ["scenario", "kind", "name", "why"].map(|head| text("th", head).attribute("scope", "col"));
    let table = (!rows.is_empty()).then(|| {
        element("table")
            .child(element("thead").child(element("tr").children(head)))
            .child(element("tbody").children(rows))
    });
    let next = |command: String| element("p").text("next: ").child(text("code", visible_line(&command)));
    Some(element("section").child(text("h2", title)).children(table).children(stays).children(command.map(next)))
}

fn rows(entry: &ScenarioReport) -> Vec<Element> {
    let row = |kind: &str, id: &str, why: &str| {
        element("tr")
            .child(element("td").child(link(entry)))
            .child(text("td", visible_line(kind)))
            .child(text("th", visible_line(id)).attribute("scope", "row"))
            .child(text("td", visible_line(why)))
    };
    let left = entry.leftovers.iter().map(|one| row(&one.kind, &one.id, &one.why));
    left.chain(entry.vanished.iter().map(|one| row(&one.kind, &one.id, "gone, and not ours"))).collect()
}

fn stays(entry: &ScenarioReport) -> Element {
    element("p").child(link(entry)).text(format!(": {}", kept(entry.kept)))
}

fn link(entry: &ScenarioReport) -> Element {
    to_anchor(&anchor(&entry.scenario, None), visible_line(&entry.scenario))
}
