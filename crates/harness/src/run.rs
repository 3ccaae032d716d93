//! One run, from preflight to report.

pub(crate) mod answering;
mod artifacts;
mod begun;
pub(crate) mod check;
mod diagnose;
mod dump;
mod events;
mod evidence;
mod federate;
pub mod floor;
mod interrupt;
mod inventory;
mod issuer_site;
mod judging;
pub(crate) mod kube_objects;
mod metrics;
mod overlay;
mod own_issuer;
pub(crate) mod patience;
pub(crate) mod places;
mod planted;
pub(crate) mod private_folder;
pub mod render;
mod renewal;
mod scenario_run;
mod scene;
mod stock;
pub(crate) mod takedown;
mod token;
mod webhooks;
mod workload;

pub(crate) use diagnose::sha256;
pub(crate) use scenario_run::judge;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
pub(crate) use takedown::leaked;

use futures::StreamExt;
use report::{Event, JsonLines, Sink, Stream, Style, Terminal};
use scenario::{Catalogue, Plan, Selection};
use tokio::sync::Semaphore;
use trust::{SharedClock, SystemClock};
use uuid::Uuid;

use crate::cli::{Cleanup, E2e, PodsRun};
use crate::environment::Environment;
use crate::exit::{Exit, Stop};
use crate::journal::{self, Journal, Start};
use crate::naming::RunId;
use crate::resume::{self, Earlier};
use crate::sandbox::pass::Pass;
use events::Events;
use interrupt::Interrupts;
use places::Shared;
use scenario_run::Company;

pub use metrics::Metrics;
pub use overlay::wire_overlay;
pub use render::{Names, Rendered, render};

/// How long what a run creates may stand at least before a sweep takes it.
const LIFETIME: jiff::SignedDuration = jiff::SignedDuration::from_hours(6);
/// What evidence and teardown may take beyond a run's own time.
const AFTERWARDS: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// The longest that anything may stand: `--timeout` takes a day.
pub(crate) const LONGEST: jiff::SignedDuration = jiff::SignedDuration::from_hours(25);

/// Until when what a run creates may stand: never less than the run itself may take.
fn expiry(now: jiff::Timestamp, timeout: Duration) -> jiff::Timestamp {
    let own = jiff::SignedDuration::try_from(timeout).unwrap_or(jiff::SignedDuration::MAX);
    let lifetime = LIFETIME.max(own.saturating_add(AFTERWARDS));
    now.saturating_add(lifetime).unwrap_or(jiff::Timestamp::MAX)
}

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
    /// When the checks must have ended.
    pub(crate) deadline: tokio::time::Instant,
    /// Until when what is created may stand before a sweep takes it.
    pub(crate) expires: jiff::Timestamp,
    /// The sandbox in which it runs, if it does.
    pub(crate) sandbox: Option<Arc<Pass>>,
    /// What an earlier process of the run has come to, if this one goes on with it.
    pub(crate) earlier: Option<Arc<Earlier>>,
}

/// A scenario of the run, and the settings under which it goes.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) plan: Plan,
    pub(crate) settings: Settings,
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
    let (plans, sandbox) = prepare(&options, &environment).await?;
    let settings = settings(options, environment, sandbox)?;
    make_artifacts(&settings.artifacts)?;
    let journal = begin_journal(&settings)?;
    let events = Events::new(stream(&settings)?);
    events.emit(Event::RunStarted {
        run_id: settings.run.to_string(),
        command: rerun(&settings.environment.command, settings.sandbox.as_deref()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        cluster: places::cluster_title(&settings),
        clouds: answering::title(&settings),
        scenarios: plans.len(),
    });
    to_the_end(&settings, parts(&settings, plans), &events, &journal).await
}

/// Goes on with a run that was stopped.
///
/// # Errors
/// A [`Stop`] for what is wrong before it goes on.
pub async fn resume(flags: resume::Flags, mut environment: Environment) -> Result<Exit, Stop> {
    let resumed = resume::take_up(&flags, &mut environment).await?;
    let (plans, sandbox) = prepare(&resumed.options, &environment).await?;
    let mut settings = settings(resumed.options.clone(), environment, sandbox)?;
    settings.artifacts = resumed.past.path.parent().map(PathBuf::from).unwrap_or_default();
    settings.earlier = Some(Arc::new(resumed.earlier.clone()));
    let mut parts = parts(&settings, plans);
    resumed.keep_left(&mut parts)?;
    let events = Events::new(stream(&settings)?);
    // Who reads it takes the run for one that has ended.
    let _ = fs::remove_file(settings.artifacts.join(report::FINISHED));
    events.emit(Event::RunResumed {
        command: ["cargo", "xtask", "resume"]
            .map(str::to_owned)
            .into_iter()
            .chain([settings.run.to_string()])
            .collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    });
    to_the_end(&settings, parts, &events, &resumed.journal).await
}

/// Reads what is to be run, and looks up the sandbox.
async fn prepare(options: &E2e, environment: &Environment) -> Result<(Vec<Plan>, Option<Arc<Pass>>), Stop> {
    options.place.check()?;
    if options.timeout <= options.pod_timeout {
        let message = "--timeout must be longer than --pod-timeout: else a run's time is up before a pod's is";
        return Err(Stop::new(Exit::Usage, message));
    }
    let plans = load(environment, &options.location, &options.scenarios, &options.faults.selection())?;
    if options.place.aws_endpoint.is_some() && plans.iter().all(|plan| plan.scenario.aws.is_none()) {
        return Err(Stop::new(Exit::Usage, "--aws-endpoint: no selected scenario uses AWS"));
    }
    let sandbox = match &options.place.sandbox {
        Some(sandbox) => Some(Arc::new(Pass::of(sandbox, &environment.working_dir).await?)),
        None => None,
    };
    Ok((plans, sandbox))
}

/// Each scenario with its settings: of several, each has a part of the run's id.
fn parts(settings: &Settings, plans: Vec<Plan>) -> Vec<Part> {
    let several = plans.len() > 1;
    let part = |(at, plan): (usize, Plan)| {
        let settings = if several { settings.of_part(at + 1, &plan.scenario.name) } else { settings.clone() };
        Part { plan, settings }
    };
    plans.into_iter().enumerate().map(part).collect()
}

/// Runs what is left to run, and writes the reports.
async fn to_the_end(settings: &Settings, parts: Vec<Part>, events: &Events, journal: &Journal) -> Result<Exit, Stop> {
    let exit = run_all(settings, &parts, events, journal).await;
    let duration = settings.environment.started.elapsed();
    events.emit(Event::RunFinished { exit_code: exit.code(), duration_ms: millis(duration) });
    metrics::write(settings, &events.report());
    match report::write_artifacts(&settings.artifacts, &events.report()) {
        Ok(_) => Ok(exit),
        // A run that failed says so whether it can write its reports or not.
        Err(error) if exit != Exit::Passed => {
            tracing::warn!(%error, "the reports were not written");
            Ok(exit)
        }
        Err(error) => Err(Stop::caused(Exit::Internal, error)),
    }
}

/// Runs every scenario and says how the whole ended.
async fn run_all(settings: &Settings, parts: &[Part], events: &Events, journal: &Journal) -> Exit {
    let interrupts = Interrupts::listen(events);
    let shared = Shared::new();
    let pods = Semaphore::new(settings.options.parallel.map_or(Semaphore::MAX_PERMITS, usize::from));
    let plans: Vec<Plan> = parts.iter().map(|part| part.plan.clone()).collect();
    let company = Company { plans: &plans, shared: &shared, events, journal, interrupts: &interrupts, pods: &pods };
    // Scenarios share nothing in the clouds. In one cluster of a kubeconfig they would register the same webhooks.
    let at_once = match settings.options.place.pods() {
        PodsRun::Embedded => parts.len(),
        PodsRun::Kubeconfig | PodsRun::Sandbox => 1,
    };
    let company = &company;
    let exits: Vec<Exit> = futures::stream::iter(parts)
        .map(|part| scenario_run::run(&part.settings, &part.plan, company))
        .buffer_unordered(at_once)
        .collect()
        .await;
    let mut exits = exits;
    if let Some(answering) = shared.get() {
        artifacts::requests(settings, answering.wire.log());
        let is_told = exits.contains(&Exit::LeftBehind);
        // What was kept on purpose is no difference.
        let is_kept = events.report().counts.kept > 0;
        if !is_kept && stock::compare(settings, parts, answering, events, is_told) {
            exits.push(Exit::LeftBehind);
        }
        answering.down().await;
    }
    gravest(exits)
}

/// How the whole ended whose parts ended so.
pub(crate) fn gravest(exits: Vec<Exit>) -> Exit {
    exits.into_iter().max_by_key(|exit| gravity(*exit)).unwrap_or(Exit::NothingSelected)
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
        Exit::HungUp => 9,
        Exit::Terminated => 10,
        Exit::Interrupted => 11,
    }
}

/// Begins the journal: what is known of the run before it creates anything.
fn begin_journal(settings: &Settings) -> Result<Journal, Stop> {
    let start = Start {
        format: journal::FORMAT,
        run: settings.run.to_string(),
        at: settings.clock.now(),
        expires: settings.expires,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: journal::host(),
        process: std::process::id(),
        working_dir: settings.environment.working_dir.clone(),
        command: rerun(&settings.environment.command, settings.sandbox.as_deref()),
        place: places::recorded(settings),
    };
    Journal::create(&settings.artifacts.join(journal::FILE), start, settings.environment.trap)
        .map_err(|error| Stop::new(Exit::Preflight, format!("the journal cannot be written: {error}")))
}

/// Fills in the defaults.
fn settings(options: E2e, environment: Environment, sandbox: Option<Arc<Pass>>) -> Result<Settings, Stop> {
    let clock: SharedClock = Arc::new(SystemClock);
    let run = options.run_id.clone().unwrap_or_else(|| RunId::mint(clock.now(), random_u32()));
    let artifacts = environment.working_dir.join(&options.artifacts_dir).join(run.as_str());
    Ok(Settings {
        cleanup: options.cleanup.unwrap_or_else(|| Cleanup::default_for(environment.ci)),
        pod_timeout: Duration::from_secs(options.pod_timeout),
        deadline: tokio::time::Instant::from_std(environment.started) + Duration::from_secs(options.timeout),
        expires: expiry(clock.now(), Duration::from_secs(options.timeout)),
        run,
        part: None,
        artifacts,
        clock,
        sandbox,
        earlier: None,
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
pub(crate) fn rerun(command: &[String], sandbox: Option<&Pass>) -> Vec<String> {
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
    let opened = match &settings.earlier {
        None => fs::File::create_new(&file).map_err(anyhow::Error::from),
        // Its last line may be torn.
        Some(_) => report::reopen_events(&file).map(|(_, file)| file).map_err(anyhow::Error::from),
    };
    let file = opened
        .map_err(|error| Stop::new(Exit::Preflight, format!("{} cannot be written: {error:#}", file.display())))?;
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(JsonLines::new(file)), Box::new(terminal)];
    Ok(match &settings.earlier {
        None => Stream::new(settings.clock.clone(), sinks),
        Some(earlier) => Stream::resume(settings.clock.clone(), sinks, &earlier.records),
    })
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
    fn nothing_expires_before_its_run_must_have_ended() {
        let check = |hours: u64, expected: i64| {
            let expires = expiry(jiff::Timestamp::UNIX_EPOCH, Duration::from_secs(hours * 3600));
            assert_eq!(expires.as_second(), expected * 3600, "{hours}");
        };
        check(0, 6);
        check(5, 6);
        check(6, 7);
        check(24, 25);
    }

    #[test]
    fn a_rerun_gets_an_id_of_its_own() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let check = |given: &str, expected: &str| assert_eq!(rerun(&words(given), None), words(expected));
        check("cargo xtask e2e a --run-id r -j 2", "cargo xtask e2e a -j 2");
        check("cargo xtask e2e a --run-id=r", "cargo xtask e2e a");
        check("cargo xtask e2e a", "cargo xtask e2e a");
    }
}
