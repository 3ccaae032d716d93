//! The chains of a run that is over, from its report. It judges nothing anew.

use std::path::Path;

use report::{CheckRecord, Report, Style};
use serde_json::{Value, json};
use trust::Verdict;

use super::flags::Flags;
use super::{SCHEMA, clean};
use crate::cli::Output;
use crate::exit::{Exit, Stop};
use crate::naming::RunId;

/// The word for the run that began last.
const LATEST: &str = "latest";

/// Tells the checks of a run that did not pass, or all.
///
/// # Errors
/// Exit 2 when there is no such run or its report cannot be read.
pub(super) fn explain(run: &RunId, flags: &Flags, folder: &Path, style: Style) -> Result<(String, Exit), Stop> {
    let report = read(run, flags, &folder.join(&flags.artifacts_dir))?;
    let checks: Vec<(&str, &CheckRecord)> = report
        .scenarios
        .iter()
        .flat_map(|scenario| scenario.checks.iter().map(|check| (scenario.scenario.as_str(), check)))
        .collect();
    let is_broken = |check: &CheckRecord| !matches!(check.verdict, Verdict::Passed | Verdict::Skipped { .. });
    let broken = checks.iter().any(|(_, check)| is_broken(check));
    let shown: Vec<_> = checks.iter().filter(|(_, check)| flags.all || is_broken(check)).collect();
    let id = report.run.as_ref().map_or(run.as_str(), |run| run.run_id.as_str());
    let text = match flags.output {
        Output::Json => {
            let accesses: Vec<Value> = shown.iter().map(|(scenario, check)| access(scenario, check)).collect();
            let mut value = json!({"schema": SCHEMA, "broken": broken, "run": id, "accesses": accesses});
            clean(&mut value);
            format!("{value:#}\n")
        }
        Output::Table if shown.is_empty() => {
            format!("run {id}: no check failed ({} in all); --all shows their chains\n", checks.len())
        }
        Output::Table => {
            let blocks: Vec<String> =
                shown.iter().map(|(scenario, check)| report::explained_check(style, scenario, check)).collect();
            blocks.join("\n")
        }
    };
    Ok((text, if broken { Exit::CheckFailed } else { Exit::Passed }))
}

fn access(scenario: &str, check: &CheckRecord) -> Value {
    // A check's id ends in the cloud where a scenario reads in two; else nothing in a report says which it is.
    let cloud = check.id.rsplit_once('/').map(|(_, cloud)| cloud);
    json!({"title": check.title, "cloud": cloud, "scenario": scenario, "check": check.id,
        "verdict": check.verdict.word(), "chain": check.chain})
}

fn read(run: &RunId, flags: &Flags, folder: &Path) -> Result<Report, Stop> {
    let usage = |message: String| Stop::new(Exit::Usage, message);
    if run.as_str() == LATEST {
        let mut all: Vec<Report> = runs(folder).iter().filter_map(|id| parse(&folder.join(id)).ok()).collect();
        all.sort_by_key(|report| report.run.as_ref().map(|run| run.started_at));
        return all
            .pop()
            .ok_or_else(|| usage(format!("{} holds no run that has a report", flags.artifacts_dir.display())));
    }
    parse(&folder.join(run.as_str())).map_err(|error| {
        let known = runs(folder);
        let known = if known.is_empty() { "there is none".to_owned() } else { format!("known: {}", known.join(", ")) };
        usage(format!("run `{run}` in {}: {error} ({known})", flags.artifacts_dir.display()))
    })
}

fn runs(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut runs: Vec<String> = entries
        .filter(|entry| entry.path().join("report.json").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    runs.sort();
    runs
}

fn parse(run: &Path) -> Result<Report, String> {
    let text = std::fs::read_to_string(run.join("report.json")).map_err(|_| "it has no report.json".to_owned())?;
    serde_json::from_str(&text).map_err(|error| format!("report.json cannot be read: {error}"))
}
