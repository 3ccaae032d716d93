//! `cargo xtask ci`: all that must hold before a merge, each step as a person would type it.
//!
//! All steps name the whole workspace: with one set of features the dependencies are built once.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cargo;

/// One command line of `cargo`, with variables set before it.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    name: String,
    set: &'static [(&'static str, &'static str)],
    words: Vec<String>,
}

impl Step {
    fn new(name: &str, words: &[&str]) -> Step {
        Step { name: name.to_owned(), set: &[], words: words.iter().map(ToString::to_string).collect() }
    }

    fn with(self, set: &'static [(&'static str, &'static str)]) -> Step {
        Step { set, ..self }
    }

    fn command(&self) -> Command {
        let mut command = cargo::cargo();
        command.args(&self.words).envs(self.set.iter().copied());
        command
    }

    /// The line that runs this step alone.
    fn line(&self) -> String {
        let set = self.set.iter().map(|(name, value)| {
            if value.contains(' ') { format!("{name}='{value}' ") } else { format!("{name}={value} ") }
        });
        set.chain([cargo::words(&self.command())]).collect()
    }
}

/// What became of a step.
#[derive(Debug)]
enum Outcome {
    Ok(Duration),
    Failed(Duration),
    NotRun,
}

pub(crate) fn run() -> Result<ExitCode> {
    let steps = steps(&scenarios(&cargo::root().join("scenarios"))?);
    let count = steps.len();
    let mut outcomes = Vec::new();
    let mut code = ExitCode::SUCCESS;
    for (at, step) in steps.iter().enumerate() {
        eprintln!("\n== {}/{count} {}: {}", at + 1, step.name, step.line());
        let start = Instant::now();
        let status = cargo::status(&mut step.command())?;
        if status.success() {
            outcomes.push(Outcome::Ok(start.elapsed()));
        } else {
            outcomes.push(Outcome::Failed(start.elapsed()));
            code = cargo::exit_code(status);
            break;
        }
    }
    outcomes.resize_with(count, || Outcome::NotRun);
    eprint!("\n{}", summary(&steps, &outcomes));
    Ok(code)
}

/// Cheap ones first: what is wrong should be known soon.
fn steps(scenarios: &[String]) -> Vec<Step> {
    let mut steps = vec![
        Step::new("format", &["fmt", "--all", "--check"]),
        Step::new("tidy", &["xtask", "tidy"]),
        Step::new("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        Step::new("docs", &["doc", "--workspace", "--no-deps"]).with(&[("RUSTDOCFLAGS", "-D warnings")]),
        Step::new("test", &["xtask", "test"]).with(&[("NEXTEST_PROFILE", "ci")]),
    ];
    steps.extend(scenarios.iter().map(|name| Step::new(&format!("e2e {name}"), &["xtask", "e2e", name])));
    // Side by side, each with a pod whose token is renewed and whose issuer changes its key.
    steps.push(Step::new("e2e all", &["xtask", "e2e", "all", "--renewal"]));
    steps
}

/// The scenarios' names: the folders that hold a `scenario.yaml`, in order.
///
/// # Errors
/// When there is none: a green run must not mean that nothing was tried.
fn scenarios(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        if entry.path().join("scenario.yaml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    if names.is_empty() {
        bail!("no folder in {} holds a scenario.yaml", folder.display());
    }
    names.sort();
    Ok(names)
}

fn summary(steps: &[Step], outcomes: &[Outcome]) -> String {
    let width = steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
    let mut text = String::from("== summary\n");
    let mut rerun = None;
    for (step, outcome) in steps.iter().zip(outcomes) {
        let outcome = match outcome {
            Outcome::Ok(time) => format!("ok      {:>7.1} s", time.as_secs_f64()),
            Outcome::Failed(time) => {
                rerun = Some(step.line());
                format!("FAILED  {:>7.1} s", time.as_secs_f64())
            }
            Outcome::NotRun => "not run".to_owned(),
        };
        text += &format!("  {:width$}  {outcome}\n", step.name);
    }
    if let Some(line) = rerun {
        text += &format!("run it again: {line}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_every_scenario_after_the_tests() {
        let names = ["aks-to-aws".to_owned(), "eks-to-azure".to_owned()];
        let lines: Vec<_> = steps(&names).iter().map(Step::line).collect();
        assert_eq!(
            lines,
            [
                "cargo fmt --all --check",
                "cargo xtask tidy",
                "cargo clippy --workspace --all-targets -- -D warnings",
                "RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps",
                "NEXTEST_PROFILE=ci cargo xtask test",
                "cargo xtask e2e aks-to-aws",
                "cargo xtask e2e eks-to-azure",
                "cargo xtask e2e all --renewal",
            ]
        );
    }

    #[test]
    fn summary_says_what_failed_and_how_to_run_it_again() {
        let steps = [
            Step::new("format", &["fmt"]),
            Step::new("docs", &["doc"]).with(&[("RUSTDOCFLAGS", "-D warnings")]),
            Step::new("test", &["xtask", "test"]),
        ];
        let outcomes =
            [Outcome::Ok(Duration::from_millis(420)), Outcome::Failed(Duration::from_secs(61)), Outcome::NotRun];
        assert_eq!(
            summary(&steps, &outcomes),
            "== summary
  format  ok          0.4 s
  docs    FAILED     61.0 s
  test    not run
run it again: RUSTDOCFLAGS='-D warnings' cargo doc
"
        );
    }

    #[test]
    fn scenarios_are_the_folders_that_hold_one() {
        let names = scenarios(&cargo::root().join("crates")).expect_err("crates hold no scenario");
        assert!(names.to_string().contains("scenario.yaml"), "{names}");
        assert!(scenarios(Path::new("no/such/folder")).is_err());
    }
}
