//! The files that a run leaves for people and CI systems: the report as JSON and as a page, JUnit, and the three files that Prow and
//! TestGrid read. It must not know where the folder is or what else lies in it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::html::html;
use crate::junit::{junit, junit_runner};
use crate::model::{Report, Run};
use crate::terminal::leaks;
use crate::text::{shell_line, visible_line};

/// Name of the file that says that a run has finished, and how.
pub const FINISHED: &str = "finished.json";

/// Why a file of the report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot encode {name}")]
    Encode {
        name: String,
        #[source]
        source: serde_json::Error,
    },
}

/// Writes `report.json`, `report.html`, `junit_runner.xml`, `junit_<scenario>.xml`, `started.json`, `finished.json` and
/// `metadata.json` into `dir`, which is made if it is not there, and returns their paths.
///
/// Each file is complete or not there: it is written beside its place and renamed. `finished.json` is left out while the run has not
/// finished, which Prow reads as "still running".
///
/// # Errors
/// The first file that could not be written; those before it are in place.
pub fn write_artifacts(dir: &Path, report: &Report) -> Result<Vec<PathBuf>, ArtifactError> {
    std::fs::create_dir_all(dir).map_err(|source| ArtifactError::Write { path: dir.to_owned(), source })?;
    let mut files = vec![("report.json".to_owned(), pretty("report.json", report)?)];
    files.push(("report.html".to_owned(), html(report)));
    files.push(("junit_runner.xml".to_owned(), junit_runner(report)));
    for scenario in &report.scenarios {
        files.push((format!("junit_{}.xml", file_stem(&scenario.scenario)), junit(report, &scenario.scenario)));
    }
    if let Some(run) = &report.run {
        files.push(("started.json".to_owned(), pretty("started.json", &started(run))?));
        files.push(("metadata.json".to_owned(), pretty("metadata.json", &metadata(run))?));
        if let (Some(at), Some(code)) = (run.finished_at, report.exit_code) {
            files.push((FINISHED.to_owned(), pretty(FINISHED, &finished(report, run, at, code))?));
        }
    }
    files.into_iter().map(|(name, text)| write(dir, &name, &text)).collect()
}

/// Prow's shape: seconds since 1970.
fn started(run: &Run) -> Value {
    json!({ "timestamp": run.started_at.as_second() })
}

fn finished(report: &Report, run: &Run, at: jiff::Timestamp, exit_code: u8) -> Value {
    let is_passed = exit_code == 0 && report.counts.leaked == 0;
    let result = match exit_code {
        0 if is_passed => "SUCCESS",
        // 128 and the signal: the run was told to stop.
        129 | 130 | 143 => "ABORTED",
        _ => "FAILURE",
    };
    let mut metadata = metadata(run);
    metadata["exit-code"] = exit_code.to_string().into();
    for (name, said) in stayed(report) {
        metadata[name] = said.into();
    }
    json!({ "timestamp": at.as_second(), "passed": is_passed, "result": result, "metadata": metadata })
}

/// What leaked or was kept, and the command that takes it down; nothing where there is nothing.
fn stayed(report: &Report) -> Vec<(&'static str, String)> {
    let each: Vec<String> = report.scenarios.iter().flat_map(leaks::each).collect();
    let told = |number: usize, name, said: String| (number > 0).then_some((name, said));
    let counts = &report.counts;
    [
        told(counts.leaked, "leaked", counts.leaked.to_string()),
        told(each.len(), "leaks", each.join("; ")),
        told(counts.kept, "kept", counts.kept.to_string()),
        report.cleanup_command().map(|command| ("next", visible_line(&command))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// TestGrid shows these as they are: a flat map of strings.
fn metadata(run: &Run) -> Value {
    json!({
        "run-id": run.run_id,
        "version": run.version,
        "cluster": run.cluster,
        "clouds": run.clouds,
        "command": shell_line(&run.command),
    })
}

/// A scenario's id as a part of a file name: it cannot leave the folder.
fn file_stem(scenario: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' }
    };
    scenario.chars().map(plain).collect()
}

fn pretty(name: &str, value: &impl serde::Serialize) -> Result<String, ArtifactError> {
    let encoded = serde_json::to_string_pretty(value);
    encoded.map(|text| text + "\n").map_err(|source| ArtifactError::Encode { name: name.to_owned(), source })
}

fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf, ArtifactError> {
    let path = dir.join(name);
    let beside = dir.join(format!(".{name}.partial"));
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &path));
    match written {
        Ok(()) => Ok(path),
        Err(source) => Err(ArtifactError::Write { path, source }),
    }
}
