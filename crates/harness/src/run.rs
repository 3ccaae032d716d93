//! One run, from preflight to report.

mod artifacts;
mod check;
mod cleanup;
mod diagnose;
mod events;
mod evidence;
mod federate;
pub mod floor;
mod interrupt;
mod kube_objects;
mod metrics;
mod overlay;
mod places;
mod private_folder;
mod render;
mod scenario_run;
mod token;
mod workload;

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use report::{Event, JsonLines, Sink, Stream, Style, Terminal};
use scenario::{Catalogue, Plan};
use trust::{SharedClock, SystemClock};

use crate::cli::{Cleanup, E2e};
use crate::environment::Environment;
use crate::exit::{Exit, Stop};
use crate::naming::RunId;
use events::Events;

pub use metrics::Metrics;
pub use overlay::wire_overlay;
pub use render::{Names, Rendered, render};

/// What a run was asked to do, with every default filled in.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) run: RunId,
    pub(crate) options: E2e,
    pub(crate) cleanup: Cleanup,
    pub(crate) environment: Environment,
    pub(crate) artifacts: PathBuf,
    pub(crate) clock: SharedClock,
    pub(crate) pod_timeout: Duration,
}

/// Opens the catalogue and reads a scenario with its faults.
///
/// # Errors
/// Exit 2 for whatever is wrong with the files or the name.
pub fn load(environment: &Environment, location: &crate::cli::Where, name: &str) -> Result<Plan, Stop> {
    Plan::of(&catalogue(environment, location)?, name).map_err(|error| Stop::new(Exit::Usage, error.to_string()))
}

/// Opens the scenarios folder.
///
/// # Errors
/// Exit 2 when there is none.
pub fn catalogue(environment: &Environment, location: &crate::cli::Where) -> Result<Catalogue, Stop> {
    let folder = location.scenarios.clone().unwrap_or_else(|| environment.root.join("scenarios"));
    Catalogue::open(&folder).map_err(|error| Stop::new(Exit::Usage, error.to_string()))
}

/// Runs a scenario. Everything that happens is told on standard output and in the run's artifacts.
///
/// # Errors
/// A [`Stop`] only for what is wrong before the run begins.
pub async fn e2e(options: E2e, environment: Environment) -> Result<Exit, Stop> {
    options.place.check()?;
    let plan = load(&environment, &options.location, &options.scenario)?;
    render::try_out(&plan)?;
    let settings = settings(options, environment)?;
    let events = Events::new(stream(&settings)?);
    events.emit(Event::RunStarted {
        run_id: settings.run.to_string(),
        command: rerun(&settings.environment.command),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        cluster: places::cluster_title(&settings),
        clouds: places::clouds_title(&settings),
    });
    let exit = scenario_run::run(&settings, &plan, &events).await;
    let duration = settings.environment.started.elapsed();
    events.emit(Event::RunFinished { exit_code: exit.code(), duration_ms: millis(duration) });
    metrics::write(&settings, &events.report());
    match report::write_artifacts(&settings.artifacts, &events.report()) {
        Ok(_) => Ok(exit),
        Err(error) => Err(Stop::caused(Exit::Internal, error)),
    }
}

/// Fills in the defaults and makes the folder of the run.
fn settings(options: E2e, environment: Environment) -> Result<Settings, Stop> {
    let clock: SharedClock = Arc::new(SystemClock);
    let run = options.run_id.clone().unwrap_or_else(|| RunId::mint(clock.now(), places::random_u32()));
    let artifacts = environment.working_dir.join(&options.artifacts_dir).join(run.as_str());
    make_artifacts(&artifacts)?;
    Ok(Settings {
        cleanup: options.cleanup.unwrap_or_else(|| Cleanup::default_for(environment.ci)),
        pod_timeout: Duration::from_secs(options.pod_timeout),
        run,
        artifacts,
        clock,
        options,
        environment,
    })
}

fn make_artifacts(folder: &Path) -> Result<(), Stop> {
    let failed = |error: std::io::Error| {
        let message = format!("the artifacts folder {} cannot be made: {error}", folder.display());
        Err(Stop::new(Exit::Preflight, message))
    };
    if let Err(error) = folder.parent().map_or(Ok(()), fs::create_dir_all) {
        return failed(error);
    }
    match fs::create_dir(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = format!("{} exists: a run id is used once; pass another --run-id", folder.display());
            Err(Stop::new(Exit::Usage, message))
        }
        Err(error) => failed(error),
    }
}

/// The command line as it can be given again: a run id is used once.
fn rerun(command: &[String]) -> Vec<String> {
    let mut words = command.iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--run-id" => drop(words.next()),
            word if word.starts_with("--run-id=") => {}
            word => kept.push(word.to_owned()),
        }
    }
    kept
}

fn stream(settings: &Settings) -> Result<Stream, Stop> {
    let environment = &settings.environment;
    let options = &settings.options;
    let style = Style {
        color: !options.look.no_color && !environment.no_color && (environment.force_color || environment.terminal),
        width: environment.columns.unwrap_or(100),
        progress: options.look.show_progress.into(),
        ascii: !environment.unicode,
    };
    let shown = options.artifacts_dir.join(settings.run.as_str());
    let terminal = Terminal::new(std::io::stdout(), style).artifacts(&shown.display().to_string());
    let file = settings.artifacts.join("events.jsonl");
    let file = fs::File::create_new(&file)
        .map_err(|error| Stop::new(Exit::Preflight, format!("{} cannot be written: {error}", file.display())))?;
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(JsonLines::new(file)), Box::new(terminal)];
    Ok(Stream::new(settings.clock.clone(), sinks))
}

/// Whether standard output is a terminal, and how wide.
pub fn terminal() -> (bool, Option<usize>) {
    let stdout = std::io::stdout();
    let columns =
        rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col)).filter(|&columns| columns > 0);
    (stdout.is_terminal(), columns)
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rerun_gets_an_id_of_its_own() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let check = |given: &str, expected: &str| assert_eq!(rerun(&words(given)), words(expected));
        check("cargo xtask e2e a --run-id r -j 2", "cargo xtask e2e a -j 2");
        check("cargo xtask e2e a --run-id=r", "cargo xtask e2e a");
        check("cargo xtask e2e a", "cargo xtask e2e a");
    }
}
