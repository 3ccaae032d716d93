//! `resume`: goes on with a run that was stopped, by a signal or by a crash, from its journal and its events.
//!
//! What stands in the clouds is kept. What lived in the process, wire, webhooks and a cluster of its own, is made anew; so are the namespaces,
//! since the secrets in them lead to a wire that is gone. Checks that have an outcome are not done again, save the control of each scenario: a
//! refusal counts only beside an access that holds at the same time.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Parser};
use report::{Event, Record};
use scenario::{CONTROL, Plan};
use trust::Verdict;

use crate::cleanup::{self, Whereabouts};
use crate::cli::{Cli, E2e, Verb};
use crate::environment::Environment;
use crate::exit::{Exit, Stop};
use crate::journal::{ClusterPlace, Entry, Journal, Past, Undo};
use crate::run::takedown::{self, Reach};
use crate::run::{Part, check};

/// Shown below `--help`.
pub const AFTER_HELP: &str = "Examples:\n  cargo xtask resume latest\n  cargo xtask resume 1128-173500-a1b2\n\n\
    The run goes on with the flags that it was started with. Checks that have an outcome are kept; what stands in the clouds is used again.";

/// `resume`.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// A run's id, its folder, its journal.jsonl, or `latest`
    #[arg(value_name = "RUN")]
    pub run: String,
    #[command(flatten)]
    pub whereabouts: Whereabouts,
}

/// What an earlier process of the run has come to.
#[derive(Clone, Default)]
pub(crate) struct Earlier {
    /// What it told.
    pub(crate) records: Vec<Record>,
    /// Whom its takedown can reach.
    pub(crate) reach: Reach,
}

impl std::fmt::Debug for Earlier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Earlier").field("records", &self.records.len()).finish_non_exhaustive()
    }
}

impl Earlier {
    /// Scenarios whose every check has an outcome. That a cleanup has told the end of one says nothing of its checks.
    fn finished(&self) -> BTreeSet<&str> {
        let mut is_own = true;
        let mut finished = BTreeSet::new();
        for event in self.records.iter().map(Record::event) {
            match event {
                Event::RunCleaned { .. } => is_own = false,
                Event::RunResumed { .. } => is_own = true,
                Event::ScenarioFinished { scenario, verdict: Verdict::Passed | Verdict::Failed { .. }, .. }
                    if is_own =>
                {
                    finished.insert(scenario.as_str());
                }
                _ => {}
            }
        }
        finished
    }

    /// The outcomes of a scenario's checks, by their id.
    fn checks(&self, scenario: &str) -> BTreeMap<&str, &Verdict> {
        let events = self.records.iter().map(Record::event);
        events
            .filter_map(|event| match event {
                Event::CheckFinished { scenario: own, check } if own == scenario => {
                    Some((check.id.as_str(), &check.verdict))
                }
                _ => None,
            })
            .filter(|(_, verdict)| !matches!(verdict, Verdict::Infra { .. }))
            .collect()
    }

    /// The outcomes of checks of a scenario that are not done again.
    pub(crate) fn kept(&self, plan: &Plan) -> Vec<Verdict> {
        let again: BTreeSet<String> = plan.cells.iter().flat_map(|cell| check::ids(&plan.scenario, cell)).collect();
        let checks = self.checks(&plan.scenario.name);
        checks.into_iter().filter(|(id, _)| !again.contains(*id)).map(|(_, verdict)| verdict.clone()).collect()
    }

    /// Takes out of a plan what has an outcome.
    fn prune(&self, plan: &mut Plan) {
        let checks = self.checks(&plan.scenario.name);
        let scenario = plan.scenario.clone();
        let is_done = |id: &String| checks.contains_key(id.as_str());
        plan.cells.retain(|cell| cell.id == CONTROL || !check::ids(&scenario, cell).iter().all(is_done));
    }
}

/// What is to be gone on with.
pub(crate) struct Resumed {
    pub(crate) past: Past,
    pub(crate) options: E2e,
    pub(crate) journal: Journal,
    pub(crate) earlier: Earlier,
}

/// Finds the run, and takes down what its process has taken along or left in the cluster.
///
/// # Errors
/// Exit 2 for a run that is not there or has ended, 96 for one that is still going.
pub(crate) async fn take_up(flags: &Flags, environment: &mut Environment) -> Result<Resumed, Stop> {
    let artifacts = environment.working_dir.join(&flags.whereabouts.artifacts_dir);
    let past = cleanup::look_up(&flags.run, &artifacts, environment)?;
    let events = past.path.with_file_name("events.jsonl");
    let records = report::read_events(&events).map_err(|error| Stop::caused(Exit::Usage, error))?;
    let mut options = options(&past)?;
    options.run_id = past.start.run.parse().ok();
    options.artifacts_dir.clone_from(&flags.whereabouts.artifacts_dir);
    let journal = cleanup::take_up(&past, "resume", environment)?;
    let found = cleanup::find_places(&past, &flags.whereabouts, environment).await;
    set_places(&mut options, &past, &flags.whereabouts);
    if past.start.working_dir.is_dir() {
        // Images and kubeconfigs were named from there.
        environment.working_dir.clone_from(&past.start.working_dir);
        options.artifacts_dir = artifacts;
    }
    environment.command.clone_from(&past.start.command);
    for scenario in past.book.scenarios() {
        let journal = journal.of(scenario);
        let is_of_process = |undo: &Undo| matches!(undo, Undo::Kubernetes(_) | Undo::Folder(_));
        let (open, _) = found.still_open(&journal).map_err(|error| Stop::unwritten(&error))?;
        let old: Vec<Entry> = open.into_iter().filter(|entry| is_of_process(&entry.undo)).collect();
        let taken = takedown::takedown(&journal, old, &found.reach, &|_, _| ()).await;
        if let Some(left) = taken.left.first() {
            let message = format!("{} of the earlier process is still there: {}", left.id, left.why);
            return Err(Stop::new(Exit::Preflight, message));
        }
    }
    Ok(Resumed { past, options, journal, earlier: Earlier { records, reach: found.reach } })
}

impl Resumed {
    /// Keeps the scenarios that are left, without what has an outcome.
    ///
    /// # Errors
    /// Exit 4 when nothing is left to do.
    pub(crate) fn keep_left(&self, parts: &mut Vec<Part>) -> Result<(), Stop> {
        let finished = self.earlier.finished();
        let is_open = |name: &str| self.past.book.open().any(|entry| entry.scenario == name);
        parts.retain(|part| {
            let name = part.plan.scenario.name.as_str();
            !finished.contains(name) || is_open(name)
        });
        if parts.is_empty() {
            let run = &self.past.start.run;
            return Err(Stop::new(Exit::NothingSelected, format!("run {run} has ended: every check has an outcome")));
        }
        parts.iter_mut().for_each(|part| self.earlier.prune(&mut part.plan));
        Ok(())
    }
}

/// The flags that the run was started with.
fn options(past: &Past) -> Result<E2e, Stop> {
    let unusable = |why: String| Stop::new(Exit::Usage, format!("{}: its command {why}", past.path.display()));
    let words = past.start.command.iter().skip_while(|word| *word == "cargo" || *word == "xtask");
    let cli = Cli::try_parse_from(std::iter::once(&"crossfed".to_owned()).chain(words));
    match cli.map_err(|error| unusable(format!("is not understood: {error}")))?.verb {
        Verb::E2e(options) => Ok(*options),
        _ => Err(unusable("ran no scenario".to_owned())),
    }
}

fn set_places(options: &mut E2e, past: &Past, whereabouts: &Whereabouts) {
    let place = &mut options.place;
    match &past.start.place.cluster {
        ClusterPlace::Embedded => {}
        ClusterPlace::Kubeconfig { file, context } => {
            place.kubeconfig = Some(whereabouts.kubeconfig.clone().unwrap_or_else(|| file.clone()));
            place.context = whereabouts.context.clone().or_else(|| context.clone());
        }
        ClusterPlace::Sandbox { file, .. } => {
            place.sandbox = Some(whereabouts.sandbox.clone().unwrap_or_else(|| file.display().to_string()));
        }
    }
}
