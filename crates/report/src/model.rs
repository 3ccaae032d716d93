//! The report of a run: what remains when its events are folded, and the shape of `report.json`.
//! It must not know where events come from or how the report is shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trust::Verdict;

use crate::event::{CheckRecord, Event, Outcome, Phase, Record};

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
    /// Resources left behind, and checks whose verdict is that they leaked.
    pub leaked: usize,
    /// Planned, and never finished.
    pub not_run: usize,
}

impl Counts {
    /// Checks that finished and were tried.
    pub fn tried(&self) -> usize {
        self.passed + self.failed + self.flaky + self.infra
    }

    fn add(&mut self, entry: &ScenarioReport) {
        self.leaked += entry.leftovers.len();
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
}

impl Report {
    /// Folds in the next record.
    ///
    /// # Caveats
    /// Records are taken as they come: a scenario that was never announced is opened under its id, nothing is dropped.
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
                });
            }
            Event::ScenarioStarted { scenario, title, checks } => {
                let entry = self.entry(scenario);
                entry.title.clone_from(title);
                entry.checks_planned = *checks;
            }
            Event::PhaseStarted { scenario, phase } => {
                self.entry(scenario).phases.push(PhaseReport {
                    phase: *phase,
                    outcome: None,
                    detail: None,
                    duration_ms: None,
                });
            }
            Event::PhaseFinished { scenario, phase, outcome, detail, duration_ms } => {
                self.entry(scenario).finish_phase(PhaseReport {
                    phase: *phase,
                    outcome: Some(outcome.clone()),
                    detail: detail.clone(),
                    duration_ms: Some(*duration_ms),
                });
            }
            Event::CheckFinished { scenario, check } => self.entry(scenario).checks.push(check.clone()),
            Event::Note { scenario: Some(scenario), text } => self.entry(scenario).notes.push(text.clone()),
            Event::Note { scenario: None, text } => self.notes.push(text.clone()),
            Event::Leftover { scenario, kind, id } => {
                self.entry(scenario).leftovers.push(Leftover { kind: kind.clone(), id: id.clone() });
            }
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

    /// How many scenarios the run has, those included that it has not come to.
    pub fn scenarios_planned(&self) -> usize {
        let planned = self.run.as_ref().map_or(0, |run| run.scenarios);
        planned.max(self.scenarios.len())
    }

    /// The scenario of that id, if the run came to it.
    pub fn scenario(&self, id: &str) -> Option<&ScenarioReport> {
        self.scenarios.iter().find(|entry| entry.scenario == id)
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

    fn finish_phase(&mut self, finished: PhaseReport) {
        let running = self.phases.iter_mut().find(|entry| entry.phase == finished.phase && entry.outcome.is_none());
        match running {
            Some(entry) => *entry = finished,
            None => self.phases.push(finished),
        }
    }
}
