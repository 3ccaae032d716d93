//! What leaked and what was left in place, in words; and the lines about it at the end of a run. JUnit and the files for Prow have the
//! same words. It must not know what a check is.

use super::paint::Tone;
use crate::model::{Report, ScenarioReport};
use crate::text::{count, visible_line};

/// A label, what stands behind it, and how grave it is.
pub(super) type Line = (&'static str, String, Tone);

/// A resource that outlived its run.
pub(crate) fn left_over(kind: &str, id: &str, why: &str) -> String {
    let why = Some(visible_line(why)).filter(|why| !why.is_empty()).map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{} {}{why}", visible_line(kind), visible_line(id))
}

/// A resource that is gone although it was not the run's.
pub(crate) fn vanished(kind: &str, id: &str) -> String {
    format!("{} {}: gone, and not ours", visible_line(kind), visible_line(id))
}

/// Resources that stay because the user asked for it.
pub(crate) fn kept(resources: usize) -> String {
    format!("{}, left in place on purpose", count(resources, "resource"))
}

/// How many of each: `1 left behind, 2 gone that were not ours`.
pub(crate) fn counted(left: usize, gone: usize) -> String {
    let were = if gone == 1 { "was" } else { "were" };
    let parts = [(left, format!("{left} left behind")), (gone, format!("{gone} gone that {were} not ours"))];
    let parts: Vec<String> = parts.into_iter().filter(|(number, _)| *number > 0).map(|(_, said)| said).collect();
    parts.join(", ")
}

/// Each thing that leaked out of one scenario.
pub(crate) fn each(entry: &ScenarioReport) -> Vec<String> {
    let left = entry.leftovers.iter().map(|one| format!("left behind: {}", left_over(&one.kind, &one.id, &one.why)));
    left.chain(entry.vanished.iter().map(|one| vanished(&one.kind, &one.id))).collect()
}

/// One line for all that leaked, one for each, and one for what was kept.
pub(super) fn lines(report: &Report, scenarios: &[&ScenarioReport]) -> Vec<Line> {
    let sum = |number: fn(&ScenarioReport) -> usize| scenarios.iter().map(|entry| number(entry)).sum::<usize>();
    let (left, gone) = (sum(|entry| entry.leftovers.len()), sum(|entry| entry.vanished.len()));
    let named = |entry: &ScenarioReport, said: String| match report.scenarios_planned() > 1 {
        true => format!("{}: {said}", visible_line(&entry.scenario)),
        false => said,
    };
    let mut lines = Vec::new();
    if left + gone > 0 {
        lines.push(("leaked", format!("{}: {}", count(left + gone, "resource"), counted(left, gone)), Tone::Bad));
    }
    for entry in scenarios {
        let left = entry.leftovers.iter().map(|one| ("left over", left_over(&one.kind, &one.id, &one.why)));
        let gone = entry.vanished.iter().map(|one| ("gone", vanished(&one.kind, &one.id)));
        lines.extend(left.chain(gone).map(|(label, said)| (label, named(entry, said), Tone::Bad)));
        if entry.kept > 0 {
            lines.push(("kept", named(entry, kept(entry.kept)), Tone::Warn));
        }
    }
    lines
}
