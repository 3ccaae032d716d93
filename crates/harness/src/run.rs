//! One run, from preflight to report.

pub(crate) mod answering;
mod artifacts;
mod check;
mod cleanup;
mod diagnose;
mod events;
mod evidence;
mod federate;
pub mod floor;
mod interrupt;
mod issuer_site;
mod judging;
pub(crate) mod kube_objects;
mod metrics;
mod overlay;
mod own_issuer;
mod patience;
pub(crate) mod places;
mod planted;
pub(crate) mod private_folder;
pub mod render;
mod renewal;
mod scenario_run;
mod token;
mod webhooks;
mod workload;

pub(crate) use diagnose::sha256;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use report::{Event, JsonLines, Sink, Stream, Style, Terminal};
use scenario::{Catalogue, Plan, Selection};
use tokio::sync::Semaphore;
use trust::{SharedClock, SystemClock};
use uuid::Uuid;

use crate::cli::{Cleanup, E2e, PodsRun};
use crate::environment::Environment;
use crate::exit::{Exit, Stop};
use crate::journal::Journal;
use crate::naming::RunId;
use crate::sandbox::pass::Pass;
use events::Events;
use interrupt::Interrupts;
use places::Shared;
use scenario_run::Company;

pub use metrics::Metrics;
pub use overlay::wire_overlay;
pub use render::{Names, Rendered, render};

/// The word for every scenario.
pub const ALL: &str = "all";

/// What a run was asked to do, with every default filled in.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Names what is created; one of several scenarios has a part of the run's id.
    pub(crate) run: RunId,
    /// The scenario, where it is one of several.
    pub(crate) part: Option<String>,
    pub(crate) options: E2e,
    pub(crate) cleanup: Cleanup,
    pub(crate) environment: Environment,
    pub(crate) artifacts: PathBuf,
    pub(crate) clock: SharedClock,
    pub(crate) pod_timeout: Duration,
    /// The sandbox in which it runs, if it does.
    pub(crate) sandbox: Option<Arc<Pass>>,
}

impl Settings {
    /// The settings of one of several scenarios.
    fn of_part(&self, number: usize, scenario: &str) -> Self {
        Self { run: self.run.part(number), part: Some(scenario.to_owned()), ..self.clone() }
    }

    /// Name of the folder of artifacts.
    pub(crate) fn folder(&self) -> PathBuf {
        self.artifacts.file_name().map(PathBuf::from).unwrap_or_default()
    }
}

/// A random number for a run id.
pub(crate) fn random_u32() -> u32 {
    Uuid::new_v4().as_fields().0
}

/// Opens the catalogue and reads scenarios with their faults: each of these names, or all of them.
///
/// # Errors
/// Exit 2 for whatever is wrong with the files or a name, 4 when there is nothing to run.
pub fn load(
    environment: &Environment,
    location: &crate::cli::Where,
    names: &[String],
    selection: &Selection,
) -> Result<Vec<Plan>, Stop> {
    let catalogue = catalogue(environment, location)?;
    let mut wanted: Vec<String> = Vec::new();
    for name in names {
        let more = if name == ALL { catalogue.scenarios() } else { vec![name.clone()] };
        for name in more {
            if !wanted.contains(&name) {
                wanted.push(name);
            }
        }
    }
    if wanted.is_empty() {
        return Err(Stop::new(Exit::NothingSelected, "there is no scenario in the scenarios folder"));
    }
    let plan = |name: &String| {
        let plan = Plan::of(&catalogue, name, selection).map_err(|error| Stop::new(Exit::Usage, error.to_string()))?;
        render::try_out(&plan).map(|()| plan)
    };
    let plans: Vec<Plan> = wanted.iter().map(plan).collect::<Result<_, _>>()?;
    fitting(&plans, selection)?;
    Ok(plans)
}

/// Each fault that is named must be one of a scenario's, and a selection must select something.
fn fitting(plans: &[Plan], selection: &Selection) -> Result<(), Stop> {
    let is_tried = |id: &str| plans.iter().flat_map(|plan| &plan.cells).any(|cell| cell.id == id);
    if let Some(id) = selection.ids().find(|id| !is_tried(id)) {
        let message = format!("--faults: `{id}` fits no selected scenario; `list` says what each fault needs");
        return Err(Stop::new(Exit::Usage, message));
    }
    let has_fault = plans.iter().flat_map(|plan| &plan.cells).any(|cell| cell.fault.is_some());
    if has_fault || selection.is_default() || selection.is_none() {
        return Ok(());
    }
    Err(Stop::new(Exit::NothingSelected, "--faults: no fault that fits a selected scenario is selected"))
}

/// Opens the scenarios folder.
///
/// # Errors
/// Exit 2 when there is none.
pub fn catalogue(environment: &Environment, location: &crate::cli::Where) -> Result<Catalogue, Stop> {
    let folder = location.scenarios_folder.clone().unwrap_or_else(|| environment.root.join("scenarios"));
    Catalogue::open(&folder).map_err(|error| Stop::new(Exit::Usage, error.to_string()))
}

/// Runs scenarios. Everything that happens is told on standard output and in the run's artifacts.
///
/// # Errors
/// A [`Stop`] only for what is wrong before the run begins.
pub async fn e2e(options: E2e, environment: Environment) -> Result<Exit, Stop> {
    options.place.check()?;
    let plans = load(&environment, &options.location, &options.scenarios, &options.faults.selection())?;
    if options.place.aws_endpoint.is_some() && plans.iter().all(|plan| plan.scenario.aws.is_none()) {
        return Err(Stop::new(Exit::Usage, "--aws-endpoint: no selected scenario uses AWS"));
    }
    let sandbox = match &options.place.sandbox {
        Some(sandbox) => Some(Arc::new(Pass::of(sandbox, &environment.working_dir).await?)),
        None => None,
    };
    let settings = settings(options, environment, sandbox)?;
    let events = Events::new(stream(&settings)?);
    events.emit(Event::RunStarted {
        run_id: settings.run.to_string(),
        command: rerun(&settings.environment.command, settings.sandbox.as_deref()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        cluster: places::cluster_title(&settings),
        clouds: answering::title(&settings),
        scenarios: plans.len(),
    });
    let exit = run_all(&settings, &plans, &events).await?;
    let duration = settings.environment.started.elapsed();
    events.emit(Event::RunFinished { exit_code: exit.code(), duration_ms: millis(duration) });
    metrics::write(&settings, &events.report());
    match report::write_artifacts(&settings.artifacts, &events.report()) {
        Ok(_) => Ok(exit),
        Err(error) => Err(Stop::caused(Exit::Internal, error)),
    }
}

/// Runs every scenario and says how the whole ended.
async fn run_all(settings: &Settings, plans: &[Plan], events: &Events) -> Result<Exit, Stop> {
    let journal = Journal::create(&settings.artifacts.join("journal.jsonl"), settings.run.as_str(), &settings.clock)
        .map_err(|error| Stop::new(Exit::Preflight, format!("the journal cannot be written: {error}")))?;
    let interrupts = Interrupts::listen(events);
    let shared = Shared::new();
    let pods = Semaphore::new(settings.options.parallel.map_or(Semaphore::MAX_PERMITS, usize::from));
    let company = Company { plans, shared: &shared, events, journal: &journal, interrupts: &interrupts, pods: &pods };
    // Scenarios share nothing in the clouds. In one cluster of a kubeconfig they would register the same webhooks.
    let at_once = match settings.options.place.pods() {
        PodsRun::Embedded => plans.len(),
        PodsRun::Kubeconfig | PodsRun::Sandbox => 1,
    };
    let several = plans.len() > 1;
    let company = &company;
    let exits: Vec<Exit> = futures::stream::iter(plans.iter().enumerate())
        .map(|(at, plan)| async move {
            let settings = if several { settings.of_part(at + 1, &plan.scenario.name) } else { settings.clone() };
            scenario_run::run(&settings, plan, company).await
        })
        .buffer_unordered(at_once)
        .collect()
        .await;
    if let Some(answering) = shared.get() {
        artifacts::requests(settings, answering.wire.log());
        answering.down().await;
    }
    Ok(exits.into_iter().max_by_key(|exit| gravity(*exit)).unwrap_or(Exit::NothingSelected))
}

/// Of several scenarios' ends, the one that the caller is told: what needs a person most urgently.
fn gravity(exit: Exit) -> u8 {
    match exit {
        Exit::Passed => 0,
        Exit::NothingSelected => 1,
        Exit::Usage => 2,
        Exit::Preflight => 3,
        Exit::Infrastructure => 4,
        Exit::Provisioning => 5,
        Exit::CheckFailed => 6,
        Exit::LeftBehind => 7,
        Exit::Internal => 8,
        Exit::Terminated => 9,
        Exit::Interrupted => 10,
    }
}

/// Fills in the defaults and makes the folder of the run.
fn settings(options: E2e, environment: Environment, sandbox: Option<Arc<Pass>>) -> Result<Settings, Stop> {
    let clock: SharedClock = Arc::new(SystemClock);
    let run = options.run_id.clone().unwrap_or_else(|| RunId::mint(clock.now(), random_u32()));
    let artifacts = environment.working_dir.join(&options.artifacts_dir).join(run.as_str());
    make_artifacts(&artifacts)?;
    Ok(Settings {
        cleanup: options.cleanup.unwrap_or_else(|| Cleanup::default_for(environment.ci)),
        pod_timeout: Duration::from_secs(options.pod_timeout),
        run,
        part: None,
        artifacts,
        clock,
        sandbox,
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

/// The command line as it can be given again: a run id is used once, and the password of a sandbox is not shown.
fn rerun(command: &[String], sandbox: Option<&Pass>) -> Vec<String> {
    let mut words = command.iter();
    let mut kept: Vec<String> = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--run-id" => drop(words.next()),
            word if word.starts_with("--run-id=") => {}
            word if word.starts_with("--sandbox=http://") => {
                let file = sandbox.map(|pass| pass.file.display().to_string());
                kept.extend(file.into_iter().flat_map(|file| ["--sandbox".to_owned(), file]));
            }
            word if word.starts_with("http://") && kept.last().is_some_and(|last| last == "--sandbox") => {
                kept.extend(sandbox.map(|pass| pass.file.display().to_string()));
            }
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
        chains: options.look.chains,
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
        let check = |given: &str, expected: &str| assert_eq!(rerun(&words(given), None), words(expected));
        check("cargo xtask e2e a --run-id r -j 2", "cargo xtask e2e a -j 2");
        check("cargo xtask e2e a --run-id=r", "cargo xtask e2e a");
        check("cargo xtask e2e a", "cargo xtask e2e a");
    }
}
