//! The end of a run that was killed outright: it could not tell it, so whoever cleans up after it does, and writes its reports. A run that has
//! told its own end keeps its reports as they are: what it left behind it did leave.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use report::{Event, JsonLines, Outcome, Phase, Record, Report, ScenarioReport, Sink, Stream};
use trust::{SystemClock, Verdict};

use crate::exit::Exit;
use crate::journal::Past;
use crate::run::takedown::Leftover;
use crate::run::{gravest, judge, leaked, millis};

const EVENTS: &str = "events.jsonl";

/// Whether a run has told something, and not its end.
pub(super) fn is_missing(past: &Past) -> bool {
    past.path.with_file_name(EVENTS).is_file() && !past.path.with_file_name(report::FINISHED).is_file()
}

/// A run whose end is to be told.
#[derive(Debug)]
pub(super) struct Ending {
    stream: Stream,
    folder: PathBuf,
    /// What its own process told.
    told: Vec<Record>,
    /// What that came to.
    own: Report,
}

impl Ending {
    /// Takes up what a run has told; `None` where there is nothing, or where it has told its own end.
    ///
    /// # Errors
    /// What it told cannot be read or added to.
    pub(super) fn of(past: &Past) -> Result<Option<Self>, report::ReadError> {
        let folder = past.path.parent().map(Path::to_owned).unwrap_or_default();
        let file = folder.join(EVENTS);
        if !file.is_file() {
            return Ok(None);
        }
        let so_far = folded(&report::read_events(&file)?);
        // A journal that was copied may lie beside another run's events.
        let is_of_run = so_far.run.as_ref().is_some_and(|run| run.run_id == past.start.run);
        let is_told = so_far.exit_code.is_some() && past.book.open().next().is_none();
        if !is_of_run || !so_far.was_cut_off() || is_told {
            return Ok(None);
        }
        let (mut told, file): (Vec<Record>, File) = report::reopen_events(&file)?;
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(JsonLines::new(file))];
        let stream = Stream::resume(Arc::new(SystemClock), sinks, &told);
        told.truncate(end_of_own(&told));
        let mut ending = Self { stream, folder, own: folded(&told), told };
        let command = ["cargo", "xtask", "cleanup", past.start.run.as_str()].map(str::to_owned).into();
        ending.emit(Event::RunCleaned { command, version: env!("CARGO_PKG_VERSION").to_owned() });
        Ok(Some(ending))
    }

    fn emit(&mut self, event: Event) {
        if let Err(error) = self.stream.emit(event) {
            tracing::warn!(%error, "an event was not written");
        }
    }

    /// Whether there is something to be told of a scenario that has entries which may stand, or has none.
    pub(super) fn concerns(&self, scenario: &str, has_open: bool) -> bool {
        self.own.scenario(scenario).is_some_and(|entry| has_open || entry.verdict.is_none())
    }

    /// Says that a scenario is being taken down.
    pub(super) fn begin(&mut self, scenario: &str) {
        self.emit(Event::PhaseStarted { scenario: scenario.to_owned(), phase: Phase::Teardown });
    }

    /// Says what came of it.
    pub(super) fn taken_down(&mut self, scenario: &str, back: usize, left: &[Leftover], took: Duration) {
        let name = || scenario.to_owned();
        for Leftover { kind, id, why, .. } in left.iter().cloned() {
            self.emit(Event::Leftover { scenario: name(), kind, id, why });
        }
        let (outcome, detail) = match left.len() {
            0 => (Outcome::Done, Some(format!("{back} taken back by a cleanup, inventory empty"))),
            number => (Outcome::Failed { reason: format!("{number} left by a cleanup") }, None),
        };
        let duration_ms = millis(took);
        self.emit(Event::PhaseFinished { scenario: name(), phase: Phase::Teardown, outcome, detail, duration_ms });
        self.ended(scenario, leaked(left));
    }

    fn ended(&mut self, scenario: &str, leaked: Option<Verdict>) {
        let own = self.own.scenario(scenario);
        let verdict = leaked.or_else(|| own.and_then(|entry| entry.verdict.clone()));
        let verdict = verdict.unwrap_or_else(|| cut_off(own));
        let (scenario, duration_ms) = (scenario.to_owned(), self.lasted(scenario));
        self.emit(Event::ScenarioFinished { scenario, verdict, duration_ms });
    }

    /// Ends the run and writes its reports: the page among them.
    ///
    /// # Errors
    /// They cannot be written.
    pub(super) fn end(mut self) -> Result<PathBuf, report::ArtifactError> {
        let open = self.stream.report().scenarios.iter().filter(|entry| entry.verdict.is_none());
        for scenario in open.map(|entry| entry.scenario.clone()).collect::<Vec<_>>() {
            self.ended(&scenario, None);
        }
        let of_scenarios = self.stream.report().scenarios.iter().filter_map(|entry| entry.verdict.as_ref());
        let exits: Vec<Exit> = of_scenarios.map(exit_of).chain([Exit::Infrastructure]).collect();
        let duration_ms = since(self.told.first().map(Record::at), self.told.last());
        self.emit(Event::RunFinished { exit_code: gravest(exits).code(), duration_ms });
        report::write_artifacts(&self.folder, self.stream.report())?;
        Ok(self.folder.join("report.html"))
    }

    /// How long a scenario had lasted when its process told its last.
    fn lasted(&self, scenario: &str) -> u64 {
        let is_begin = |record: &&Record| matches!(record.event(), Event::ScenarioStarted { scenario: own, .. } if own == scenario);
        since(self.told.iter().rev().find(is_begin).map(Record::at), self.told.last())
    }
}

fn folded(records: &[Record]) -> Report {
    let mut report = Report::default();
    records.iter().for_each(|record| report.apply(record));
    report
}

/// Where what cleanups have told begins.
fn end_of_own(told: &[Record]) -> usize {
    let begin = told.iter().rposition(|record| matches!(record.event(), Event::RunResumed { .. })).unwrap_or_default();
    let cleaned = told[begin..].iter().position(|record| matches!(record.event(), Event::RunCleaned { .. }));
    cleaned.map_or(told.len(), |at| begin + at)
}

/// A scenario that never came to its end: what failed until then has failed, and what passed does not make it pass.
fn cut_off(entry: Option<&ScenarioReport>) -> Verdict {
    let checks = entry.map(|entry| entry.checks.as_slice()).unwrap_or_default();
    let verdicts: Vec<Verdict> = checks.iter().map(|check| check.verdict.clone()).collect();
    match judge(&verdicts) {
        (Exit::CheckFailed, failed) => failed,
        _ => Verdict::Infra { reason: "its process was gone before it had ended".to_owned() },
    }
}

fn exit_of(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict::Leaked { .. } => Exit::LeftBehind,
        Verdict::Failed { .. } => Exit::CheckFailed,
        Verdict::Infra { .. } => Exit::Infrastructure,
        Verdict::Passed | Verdict::Skipped { .. } | Verdict::Flaky { .. } => Exit::Passed,
    }
}

fn since(begin: Option<Timestamp>, last: Option<&Record>) -> u64 {
    let lasted = begin.zip(last).map(|(begin, last)| last.at().duration_since(begin));
    lasted.and_then(|lasted| Duration::try_from(lasted).ok()).map(millis).unwrap_or_default()
}
