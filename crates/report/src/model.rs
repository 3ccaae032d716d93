//! The report of a run: what remains when its events are folded, and the shape of `report.json`.
//! It must not know where events come from or how the report is shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trust::Verdict;

use crate::event::{CheckRecord, Event, Outcome, Phase, Record};
use crate::text::shell_line;

/// The version of the shape of `report.json`; reading another one fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schema {
    #[default]
    #[serde(rename = "crossfed.dev/report/v1")]
    V1,
}

/// A run so far. Start from the default and [`apply`](Report::apply) its records in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub schema: Schema,
    /// Absent until the run has started.
    pub run: Option<Run>,
    pub counts: Counts,
    pub scenarios: Vec<ScenarioReport>,
    /// Notes that belong to no scenario.
    pub notes: Vec<String>,
    /// Absent until the run has finished: a report without it is of a run that was cut off.
    pub exit_code: Option<u8>,
}

/// What ran, where and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub run_id: String,
    pub command: Vec<String>,
    pub version: String,
    pub cluster: String,
    pub clouds: String,
    /// How many are planned; those that the run came to are in [`Report::scenarios`].
    #[serde(default = "crate::event::one")]
    pub scenarios: usize,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub duration_ms: Option<u64>,
    /// Each time that it went on after it was stopped.
    #[serde(default)]
    pub resumed: Vec<Later>,
    /// Each time that another process ended its report and took back what was left, since it last went on.
    #[serde(default)]
    pub cleaned: Vec<Later>,
}

/// When and how a later process took up a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    pub at: Timestamp,
    pub command: Vec<String>,
    pub version: String,
}

/// Checks by verdict, over one scenario or all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    /// Those of a scenario that was skipped as a whole included.
    pub skipped: usize,
    pub flaky: usize,
    pub infra: usize,
    /// Resources left behind or gone that were not the run's, and checks whose verdict is that they leaked.
    pub leaked: usize,
    /// Resources left in place because the user asked for it.
    #[serde(default)]
    pub kept: usize,
    /// Planned, and never finished.
    pub not_run: usize,
}

impl Counts {
    /// Checks that finished and were tried.
    pub fn tried(&self) -> usize {
        self.passed + self.failed + self.flaky + self.infra
    }

    fn add(&mut self, entry: &ScenarioReport) {
        self.leaked += entry.leaked();
        self.kept += entry.kept;
        match entry.verdict {
            Some(Verdict::Skipped { .. }) => self.skipped += entry.checks_not_run(),
            _ => self.not_run += entry.checks_not_run(),
        }
        for check in &entry.checks {
            match check.verdict {
                Verdict::Passed => self.passed += 1,
                Verdict::Failed { .. } => self.failed += 1,
                Verdict::Skipped { .. } => self.skipped += 1,
                Verdict::Flaky { .. } => self.flaky += 1,
                Verdict::Infra { .. } => self.infra += 1,
                Verdict::Leaked { .. } => self.leaked += 1,
            }
        }
    }
}

/// One scenario of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioReport {
    pub scenario: String,
    pub title: String,
    pub checks_planned: usize,
    /// Absent until the scenario has finished.
    #[serde(flatten)]
    pub verdict: Option<Verdict>,
    pub duration_ms: Option<u64>,
    pub phases: Vec<PhaseReport>,
    pub checks: Vec<CheckRecord>,
    pub leftovers: Vec<Leftover>,
    /// What stood before the run and is gone, and was not the run's.
    #[serde(default)]
    pub vanished: Vec<Vanished>,
    /// How many resources were left in place because the user asked for it.
    #[serde(default)]
    pub kept: usize,
    pub notes: Vec<String>,
}

/// One phase of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseReport {
    pub phase: Phase,
    /// Absent while it runs.
    #[serde(flatten)]
    pub outcome: Option<Outcome>,
    pub detail: Option<String>,
    pub duration_ms: Option<u64>,
}

/// A resource that outlived its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    pub kind: String,
    pub id: String,
    /// Empty where nobody knows.
    #[serde(default)]
    pub why: String,
}

/// A resource that is gone although it was not the run's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vanished {
    pub kind: String,
    pub id: String,
}

impl Report {
    /// Folds in the next record.
    ///
    /// # Caveats
    /// Records are taken as they come: a scenario that was never announced is opened under its id. What is told again replaces what was
    /// told before: a check by its id, a phase by its name, and what a teardown left by the next teardown.
    pub fn apply(&mut self, record: &Record) {
        match record.event() {
            Event::RunStarted { run_id, command, version, cluster, clouds, scenarios } => {
                self.run = Some(Run {
                    run_id: run_id.clone(),
                    command: command.clone(),
                    version: version.clone(),
                    cluster: cluster.clone(),
                    clouds: clouds.clone(),
                    scenarios: *scenarios,
                    started_at: record.at(),
                    finished_at: None,
                    duration_ms: None,
                    resumed: Vec::new(),
                    cleaned: Vec::new(),
                });
            }
            Event::RunResumed { command, version } => {
                if let Some(run) = self.begun_again() {
                    run.cleaned.clear();
                    run.resumed.push(Later { at: record.at(), command: command.clone(), version: version.clone() });
                }
            }
            Event::RunCleaned { command, version } => {
                if let Some(run) = self.begun_again() {
                    run.cleaned.push(Later { at: record.at(), command: command.clone(), version: version.clone() });
                }
            }
            Event::ScenarioStarted { scenario, title, checks } => self.entry(scenario).start(title, *checks),
            Event::PhaseStarted { scenario, phase } => {
                let entry = self.entry(scenario);
                if *phase == Phase::Teardown {
                    entry.forget_what_stayed();
                }
                entry.tell_phase(PhaseReport { phase: *phase, outcome: None, detail: None, duration_ms: None });
            }
            Event::PhaseFinished { scenario, phase, outcome, detail, duration_ms } => {
                self.entry(scenario).tell_phase(PhaseReport {
                    phase: *phase,
                    outcome: Some(outcome.clone()),
                    detail: detail.clone(),
                    duration_ms: Some(*duration_ms),
                });
            }
            Event::CheckFinished { scenario, check } => self.entry(scenario).tell_check(check),
            Event::Note { scenario: Some(scenario), text } => self.entry(scenario).notes.push(text.clone()),
            Event::Note { scenario: None, text } => self.notes.push(text.clone()),
            Event::Leftover { scenario, kind, id, why } => {
                let left = Leftover { kind: kind.clone(), id: id.clone(), why: why.clone() };
                self.entry(scenario).leftovers.push(left);
            }
            Event::Vanished { scenario, kind, id } => {
                self.entry(scenario).vanished.push(Vanished { kind: kind.clone(), id: id.clone() });
            }
            Event::Kept { scenario, resources } => self.entry(scenario).kept = *resources,
            Event::ScenarioFinished { scenario, verdict, duration_ms } => {
                let entry = self.entry(scenario);
                entry.verdict = Some(verdict.clone());
                entry.duration_ms = Some(*duration_ms);
            }
            Event::RunFinished { exit_code, duration_ms } => {
                self.exit_code = Some(*exit_code);
                if let Some(run) = &mut self.run {
                    run.finished_at = Some(record.at());
                    run.duration_ms = Some(*duration_ms);
                }
            }
        }
        self.counts = Counts::default();
        self.scenarios.iter().for_each(|entry| self.counts.add(entry));
    }

    /// Whether its own process never told its end: a report without one, or with one that a cleanup has told.
    pub fn was_cut_off(&self) -> bool {
        self.exit_code.is_none() || self.run.as_ref().is_some_and(|run| !run.cleaned.is_empty())
    }

    /// The run without the end that was told of it.
    fn begun_again(&mut self) -> Option<&mut Run> {
        self.exit_code = None;
        let run = self.run.as_mut()?;
        (run.finished_at, run.duration_ms) = (None, None);
        Some(run)
    }

    /// How many scenarios the run has, those included that it has not come to.
    pub fn scenarios_planned(&self) -> usize {
        let planned = self.run.as_ref().map_or(0, |run| run.scenarios);
        planned.max(self.scenarios.len())
    }

    /// The scenario of that id, if the run came to it.
    pub fn scenario(&self, id: &str) -> Option<&ScenarioReport> {
        self.scenarios.iter().find(|entry| entry.scenario == id)
    }

    /// The command that takes down what is left of the run, if something may be left.
    pub fn cleanup_command(&self) -> Option<String> {
        let run = self.run.as_ref()?;
        let needed = self.scenarios.iter().any(ScenarioReport::may_need_cleanup);
        needed.then(|| format!("cargo xtask cleanup {}", shell_line(std::slice::from_ref(&run.run_id))))
    }

    fn entry(&mut self, id: &str) -> &mut ScenarioReport {
        let at = self.scenarios.iter().position(|entry| entry.scenario == id).unwrap_or_else(|| {
            self.scenarios.push(ScenarioReport::new(id));
            self.scenarios.len() - 1
        });
        &mut self.scenarios[at]
    }
}

impl ScenarioReport {
    fn new(id: &str) -> Self {
        ScenarioReport {
            scenario: id.to_owned(),
            title: id.to_owned(),
            checks_planned: 0,
            verdict: None,
            duration_ms: None,
            phases: Vec::new(),
            checks: Vec::new(),
            leftovers: Vec::new(),
            vanished: Vec::new(),
            kept: 0,
            notes: Vec::new(),
        }
    }

    /// Whether one of its checks shows the gravest failure, whatever its verdict says.
    pub fn has_unexpected_acceptance(&self) -> bool {
        self.checks.iter().any(CheckRecord::is_unexpected_acceptance)
    }

    /// Its checks by verdict.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        counts.add(self);
        counts
    }

    /// Planned checks that have not finished.
    pub fn checks_not_run(&self) -> usize {
        self.checks_planned.saturating_sub(self.checks.len())
    }

    /// Its verdict in a word, and what must be seen beside it: a scenario in which a check failed may have leaked as well, and neither
    /// may hide the other, whichever of them its verdict is.
    pub(crate) fn words(&self) -> Vec<&'static str> {
        let counts = self.counts();
        let is_leaked = self.leaked() > 0 || matches!(self.verdict, Some(Verdict::Leaked { .. }));
        let first = match &self.verdict {
            None => Some("unfinished"),
            Some(Verdict::Leaked { .. } | Verdict::Passed) if is_leaked => match counts {
                Counts { failed: 1.., .. } => Some("failed"),
                Counts { infra: 1.., .. } => Some("infra"),
                _ => None,
            },
            Some(verdict) => Some(verdict.word()),
        };
        first.into_iter().chain(is_leaked.then_some("leaked")).collect()
    }

    /// As `words`, for where a scenario stands without its checks: nobody may take one for passed that let in what must be refused.
    pub(crate) fn words_alone(&self) -> Vec<&'static str> {
        let mut words = self.words();
        if self.has_unexpected_acceptance() {
            words.retain(|word| *word == "leaked");
            words.insert(0, "ACCEPTED");
        }
        words
    }

    /// How many resources are left behind, or gone although they were not the run's.
    pub fn leaked(&self) -> usize {
        self.leftovers.len() + self.vanished.len()
    }

    /// Whether something of it may still be there: what a teardown left, or what stood when no teardown came to its end.
    pub fn may_need_cleanup(&self) -> bool {
        let is_taken_down = |phase: &PhaseReport| {
            phase.phase == Phase::Teardown && matches!(phase.outcome, Some(Outcome::Done | Outcome::Failed { .. }))
        };
        let ended = self.phases.iter().any(is_taken_down);
        let created = self.phases.iter().any(|phase| {
            Phase::CREATING.contains(&phase.phase) && !matches!(phase.outcome, Some(Outcome::Skipped { .. }))
        });
        !self.leftovers.is_empty() || self.kept > 0 || (created && !ended)
    }

    /// Begins, or begins again in a later life of the run: then phases that were cut off are told anew, and checks stand.
    fn start(&mut self, title: &str, checks: usize) {
        title.clone_into(&mut self.title);
        self.checks_planned = checks;
        (self.verdict, self.duration_ms) = (None, None);
        self.phases.retain(|phase| phase.outcome.is_some());
    }

    /// Phases stand in the order in which they run, whichever life of the run told them.
    fn tell_phase(&mut self, told: PhaseReport) {
        match self.phases.iter_mut().find(|entry| entry.phase == told.phase) {
            Some(entry) => *entry = told,
            None => {
                let at = self.phases.partition_point(|entry| entry.phase < told.phase);
                self.phases.insert(at, told);
            }
        }
    }

    fn tell_check(&mut self, told: &CheckRecord) {
        match self.checks.iter_mut().find(|check| check.id == told.id) {
            Some(check) => check.clone_from(told),
            None => self.checks.push(told.clone()),
        }
    }

    fn forget_what_stayed(&mut self) {
        self.leftovers.clear();
        self.vanished.clear();
        self.kept = 0;
    }
}
