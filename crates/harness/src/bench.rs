//! `bench`: a whole embedded run against its floor, and all scenarios against the slowest, in one sitting, as ratios; how soon
//! a sandbox is ready; how often the diagnosis is right.
//!
//! Machines are shared and noisy: the two are run in turn, and the ratio is taken pair by pair.
#![allow(clippy::print_stdout, reason = "printing is what this verb is for")]

mod diagnosis;
mod sandbox;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use clap::Parser;
use scenario::Selection;
use tokio::process::Command;

use crate::Environment;
use crate::cli::{Bench, Cli, Measure, Verb};
use crate::exit::{Exit, Stop};
use crate::run::floor::Floor;
use crate::run::{self, Metrics};

const SCENARIO: &str = "aks-to-aws";
const OTHER_DIRECTION: &str = "eks-to-azure";
/// The whole run may take this many times its floor.
const TARGET_RATIO: f64 = 3.0;
/// All scenarios side by side may take this many times the slowest of them.
const TARGET_ALL_RATIO: f64 = 2.5;
/// The whole catalogue in both directions may take this many times one run.
const TARGET_CATALOGUE_RATIO: f64 = 12.0;
/// A tenth of the time that a kube-apiserver with etcd needs (3 s).
const TARGET_READY_MS: f64 = 300.0;
const TARGET_MEMORY_MIB: f64 = 150.0;

/// Measures and prints.
///
/// # Errors
/// When a run does not pass: there is nothing to measure then.
pub async fn run(options: Bench, environment: Environment) -> Result<Exit, Stop> {
    let folder = std::env::temp_dir().join(format!("crossfed-bench-{}", std::process::id()));
    let measured = match options.what {
        Measure::Run => of_a_run(&options, &environment, &folder).await,
        Measure::Sandbox => sandbox::run(&options, &environment).await,
        Measure::Diagnosis => diagnosis::run(&options, &environment, &folder).await,
    };
    let _ = std::fs::remove_dir_all(&folder);
    measured
}

async fn of_a_run(options: &Bench, environment: &Environment, folder: &Path) -> Result<Exit, Stop> {
    let samples = measure(options, environment, folder).await?;
    println!("{SCENARIO}, embedded and simulated: {} runs, each beside its floor\n", samples.len());
    println!("{:<48} {:>9} {:>9} {:>9}", "", "min", "median", "max");
    let row = |title: &str, unit: &str, of: &dyn Fn(&Sample) -> f64| row(&samples, title, unit, of);
    row("floor: spawn s3-reader, exchange, read", "ms", &|sample| ms(sample.floor));
    row("whole run: process start to exit", "ms", &|sample| ms(sample.whole));
    row("as many s3-readers at once as the run has pods", "ms", &|sample| ms(sample.pods));
    let ratio = row("ratio whole / floor", "", &|sample| sample.whole.as_secs_f64() / sample.floor.as_secs_f64());
    row("ratio whole / its pods alone", "", &|sample| sample.whole.as_secs_f64() / sample.pods.as_secs_f64());
    let ready = row("cluster ready after process start", "ms", &|sample| sample.metrics.cluster_ready_ms as f64);
    let memory = row("largest memory of the harness", "MiB", &|sample| {
        sample.metrics.peak_memory_kib.unwrap_or_default() as f64 / 1024.0
    });
    let slowest = row("slowest scenario alone", "ms", &|sample| ms(sample.slowest));
    row("all scenarios side by side", "ms", &|sample| ms(sample.all));
    let all_ratio = row("ratio all / slowest", "", &|sample| sample.all.as_secs_f64() / sample.slowest.as_secs_f64());
    row("the whole catalogue, both directions", "ms", &|sample| ms(sample.catalogue));
    let catalogue_ratio =
        row("ratio catalogue / whole run", "", &|sample| sample.catalogue.as_secs_f64() / sample.whole.as_secs_f64());
    println!();
    target(ratio <= TARGET_RATIO, format!("whole run at most {TARGET_RATIO} times its floor: {ratio:.1}"));
    target(
        all_ratio <= TARGET_ALL_RATIO,
        format!("all scenarios at most {TARGET_ALL_RATIO} times the slowest ({slowest:.0} ms): {all_ratio:.1}"),
    );
    target(
        catalogue_ratio <= TARGET_CATALOGUE_RATIO,
        format!("the whole catalogue at most {TARGET_CATALOGUE_RATIO} times one run: {catalogue_ratio:.1}"),
    );
    target(ready <= TARGET_READY_MS, format!("cluster ready within {TARGET_READY_MS} ms: {ready:.0}"));
    target(memory <= TARGET_MEMORY_MIB, format!("harness below {TARGET_MEMORY_MIB} MiB: {memory:.0}"));
    Ok(Exit::Passed)
}

/// Prints the smallest, the median and the largest of a figure, and gives the median.
fn row<S>(samples: &[S], title: &str, unit: &str, of: &dyn Fn(&S) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let median = values[values.len() / 2];
    println!("{title:<48} {:>9.1} {median:>9.1} {:>9.1} {unit}", values[0], values[values.len() - 1]);
    median
}

fn target(met: bool, text: String) {
    println!("{} {text}", if met { "met    " } else { "not met" });
}

struct Sample {
    floor: Duration,
    pods: Duration,
    whole: Duration,
    slowest: Duration,
    all: Duration,
    catalogue: Duration,
    metrics: Metrics,
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

async fn measure(options: &Bench, environment: &Environment, folder: &Path) -> Result<Vec<Sample>, Stop> {
    let artifacts = folder.to_string_lossy().into_owned();
    let words = ["crossfed", "e2e", SCENARIO, "--artifacts-dir", &artifacts, "--run-id", "floor"];
    let Ok(Cli { verb: Verb::E2e(e2e) }) = Cli::try_parse_from(words) else {
        return Err(Stop::new(Exit::Internal, "the bench's own command line is not understood"));
    };
    let plan = run::load(environment, &options.location, &[SCENARIO.to_owned()], &Selection::default())?.remove(0);
    let pods = plan.cells.len();
    let floor = Floor::up(*e2e, environment.clone(), plan).await?;
    let scenarios: Vec<String> = run::catalogue(environment, &options.location)?.scenarios();
    let mut samples = Vec::new();
    // The first pair warms caches and is not counted.
    for at in 0..=options.runs {
        let once = floor.once().await?;
        let at_once = floor.at_once(pods).await?;
        let (whole, metrics) = run_of(environment, options, folder, &[SCENARIO], &format!("{at}-whole")).await?;
        let mut slowest = Duration::ZERO;
        for (place, scenario) in scenarios.iter().enumerate() {
            let (duration, _) = run_of(environment, options, folder, &[scenario], &format!("{at}-{place}")).await?;
            slowest = slowest.max(duration);
        }
        let (all, _) = run_of(environment, options, folder, &[run::ALL], &format!("{at}-all")).await?;
        let words = [SCENARIO, OTHER_DIRECTION, "--faults", "all"];
        let (catalogue, _) = run_of(environment, options, folder, &words, &format!("{at}-catalogue")).await?;
        if at > 0 {
            samples.push(Sample { floor: once, pods: at_once, whole, slowest, all, catalogue, metrics });
        }
    }
    floor.down().await;
    Ok(samples)
}

/// One run of what is named, in a process of its own.
async fn run_of(
    environment: &Environment,
    options: &Bench,
    folder: &Path,
    what: &[&str],
    run: &str,
) -> Result<(Duration, Metrics), Stop> {
    let failed = |error: std::io::Error| Stop::caused(Exit::Infrastructure, error);
    let scenarios = options.location.scenarios_folder.as_deref();
    let words = [&["e2e", "--run-id", run], what].concat();
    let mut command = child(environment, scenarios, folder, &words)?;
    let started = Instant::now();
    let status = command.status().await.map_err(failed)?;
    let duration = started.elapsed();
    if !status.success() {
        return Err(Stop::new(Exit::CheckFailed, format!("a measured run ended with {status}")));
    }
    let text = std::fs::read(folder.join(run).join("metrics.json")).map_err(failed)?;
    let metrics = serde_json::from_slice(&text).map_err(|error| Stop::caused(Exit::Internal, error))?;
    Ok((duration, metrics))
}

/// This program once more, with these words, its artifacts below `folder`.
fn child(environment: &Environment, scenarios: Option<&Path>, folder: &Path, words: &[&str]) -> Result<Command, Stop> {
    let program = std::env::current_exe().map_err(|error| Stop::caused(Exit::Infrastructure, error))?;
    let mut command = Command::new(program);
    command.args(words).arg("--artifacts-dir").arg(folder);
    if let Some(scenarios) = scenarios {
        command.arg("--scenarios").arg(scenarios);
    }
    command.env(crate::environment::ROOT, &environment.root).env(crate::environment::BIN_DIR, &environment.programs);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    Ok(command)
}
