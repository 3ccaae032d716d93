//! How a sweep is shown: a table for people, JSON for programs. Pure.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::judge::{Count, Found, Judged, age};
use super::listing::Thing;
use super::machine::Ended;
use super::{Left, cost};
use crate::run::rerun;
use crate::sandbox::pass::Pass;

const HEAD: [&str; 7] = ["CLOUD", "KIND", "ID", "RUN", "STATE", "AGE", "USD/DAY"];

/// What may go, the sum of each cloud, and what stays.
pub(super) fn table(found: &Found) -> String {
    let mut text = String::new();
    if !found.things.is_empty() {
        let rows: Vec<[String; 7]> = std::iter::once(HEAD.map(str::to_owned))
            .chain(found.things.iter().map(|one| row(one, found.now)))
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: [usize; 7] = std::array::from_fn(width);
        for row in &rows {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
    for cloud in found.things.chunk_by(|one, next| one.thing.place == next.thing.place) {
        let place = cloud[0].thing.place;
        let (sum, has_unknown) = cost::sum(cloud.iter().map(|one| one.thing.kind));
        let unknown = if has_unknown { ", and what is unknown" } else { "" };
        let _ = writeln!(text, "{place}: {}, {} USD a day{unknown}", things(cloud.len()), dollars(sum));
    }
    let left = &found.left_alone;
    let stays = [
        (&left.live, "live here"),
        (&left.may_live, "may live elsewhere"),
        (&left.younger, "are younger than asked for"),
    ];
    for (count, why) in stays.into_iter().filter(|(count, _)| count.things > 0) {
        let _ = writeln!(
            text,
            "left alone: {} of {} that {}",
            things(count.things),
            runs(count.runs()),
            number(why, count)
        );
    }
    text
}

/// A verb that fits one run, where there is one.
fn number(why: &str, count: &Count) -> String {
    match (count.runs(), why) {
        (1, "live here") => "lives here".to_owned(),
        (1, "are younger than asked for") => "is younger than asked for".to_owned(),
        _ => why.to_owned(),
    }
}

fn row(judged: &Judged, now: Timestamp) -> [String; 7] {
    let Thing { place, kind, id, marks, .. } = &judged.thing;
    let run = if marks.run.is_empty() { "-" } else { &marks.run };
    let age = age(marks, now).map_or_else(|| "unknown".to_owned(), shown);
    let cost = cost::per_day(*kind).map_or_else(|| "unknown".to_owned(), dollars);
    [(*place).to_owned(), kind.to_string(), id.clone(), run.to_owned(), judged.state.word().to_owned(), age, cost]
}

/// The two largest units.
fn shown(age: SignedDuration) -> String {
    let seconds = age.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

fn dollars(cost: f64) -> String {
    format!("{cost:.2}")
}

fn things(count: usize) -> String {
    if count == 1 { "1 thing".to_owned() } else { format!("{count} things") }
}

fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}

/// Who is better cleaned up after by its journal.
pub(super) fn ended(ended: &[Ended]) -> String {
    ended.iter().fold(String::new(), |mut text, Ended { run, open }| {
        let _ = writeln!(text, "run {run} has {open} open in its journal: cargo xtask cleanup {run}");
        text
    })
}

/// The end of a dry run.
pub(super) fn how_to_delete(count: usize, command: &[String], pass: Option<&Pass>) -> String {
    if count == 0 {
        return "NOTHING TO SWEEP\n".to_owned();
    }
    let command = rerun(command, pass).join(" ");
    format!("DRY RUN  {} would be deleted; to delete: {command} --no-dry-run\n", things(count))
}

/// What stands after all.
pub(super) fn left(left: &[Left]) -> String {
    left.iter().fold(String::new(), |mut text, Left { thing, why }| {
        let _ = writeln!(text, "left behind: {} {}: {}", thing.kind, thing.id, trust::redact(why));
        text
    })
}

/// The end of one that deletes.
pub(super) fn summary(wanted: usize, left: usize) -> String {
    match (wanted, left) {
        (0, _) => "NOTHING TO SWEEP\n".to_owned(),
        (_, 0) => format!("SWEPT  {} deleted; a second look finds none of them\n", things(wanted)),
        (_, left) => format!("LEFT  {} of {} left\n", left, things(wanted)),
    }
}

/// The same for programs. `left` is what a second look has found, where things were deleted.
pub(super) fn json(found: &Found, ended: &[Ended], left: Option<&[Left]>) -> Value {
    let entry = |judged: &Judged| {
        let Thing { place, account, kind, id, marks, .. } = &judged.thing;
        let why = left.map(|left| {
            left.iter().find(|left| left.thing.is(&judged.thing)).map(|left| trust::redact(&left.why).into_owned())
        });
        let mut entry = json!({
            "cloud": place,
            "account": account,
            "kind": kind.to_string(),
            "id": id,
            "run": (!marks.run.is_empty()).then_some(&marks.run),
            "state": judged.state.word(),
            "created": marks.created.map(|at| at.to_string()),
            "expires": marks.expires.map(|at| at.to_string()),
            "age_seconds": age(marks, found.now).map(|age| age.as_secs()),
            "cost_per_day_usd": cost::per_day(*kind),
        });
        if let Some(why) = why {
            entry["gone"] = json!(why.is_none());
            entry["why_not"] = json!(why);
        }
        entry
    };
    let count = |count: &Count| json!({"things": count.things, "runs": count.runs()});
    let alone = &found.left_alone;
    json!({
        "swept": left.is_some(),
        "things": found.things.iter().map(entry).collect::<Vec<_>>(),
        "left_alone": {
            "live": count(&alone.live),
            "may_live": count(&alone.may_live),
            "younger": count(&alone.younger),
        },
        "open_journals": ended.iter().map(|ended| json!({"run": ended.run, "open": ended.open})).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
