//! A run as a person watches it: phases and checks as they happen, a failure at once and again at the end, then the counts.
//! Of several scenarios, each is told when it ends: one that passed in one line.
//!
//! Only lines are written, never cursor movements, so that a terminal, a CI log and a file show the same. Colour, width and symbols
//! are the caller's choice ([`Style`]). It must not know of files, processes or the environment.

pub(crate) mod detail;
mod explained;
pub(crate) mod leaks;
mod line;
mod many;
pub(crate) mod paint;
mod skips;
mod summary;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

use trust::Verdict;

use crate::event::{CheckRecord, Event, Outcome, Phase, Record};
use crate::model::{PhaseReport, Report};
use crate::sink::{ReportError, Sink};
use crate::text::{count, shell_line, visible_line};
pub use explained::{Remark, explained, explained_check};
use paint::{Cell, Ink, Mark, Tone};
use summary::Ending;

/// From this many checks on, `Progress::Auto` counts them.
const COUNTED_FROM: usize = 20;

/// How a [`Terminal`] writes. The default is for a file: no colour, 100 columns.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Write escape sequences for colour.
    pub color: bool,
    /// Columns; taken as 60 to 120: below it columns break up, above it lines are hard to follow.
    pub width: usize,
    pub progress: Progress,
    /// Write marks and separators in ASCII.
    pub ascii: bool,
    /// Show the chain of every check, not only of those that did not pass.
    pub chains: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style { color: false, width: 100, progress: Progress::Auto, ascii: false, chains: false }
    }
}

/// How much is said of what is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// Checks are counted if there are many, and so are scenarios.
    #[default]
    Auto,
    /// Checks and scenarios are counted. With one scenario each phase says when it starts, with several each scenario.
    Counter,
    /// Results alone.
    None,
}

/// The sink that writes for people.
pub struct Terminal<W> {
    out: W,
    ink: Ink,
    width: usize,
    progress: Progress,
    chains: bool,
    artifacts: Option<String>,
    rerun: Option<String>,
    report: Report,
    /// The scenario that the last line was about.
    current: Option<String>,
    /// What is to be told of scenarios that run side by side, by scenario.
    blocks: BTreeMap<String, String>,
}

impl<W: Write + Send> Terminal<W> {
    /// Writes to `out` as the run goes.
    pub fn new(out: W, style: Style) -> Self {
        Terminal {
            out,
            ink: Ink { color: style.color, ascii: style.ascii },
            width: style.width.clamp(60, 120),
            progress: style.progress,
            chains: style.chains,
            artifacts: None,
            rerun: None,
            report: Report::default(),
            current: None,
            blocks: BTreeMap::new(),
        }
    }

    /// Says at the end where the files of this run are.
    #[must_use]
    pub fn artifacts(mut self, path: &str) -> Self {
        self.artifacts = Some(visible_line(&trust::redact(path)));
        self
    }

    /// Says this line at the end as the one that reruns the run, in place of the run's own command line.
    #[must_use]
    pub fn rerun(mut self, command: &str) -> Self {
        self.rerun = Some(visible_line(&trust::redact(command)));
        self
    }

    /// What it wrote to.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn text(&mut self, event: &Event) -> String {
        match event {
            Event::RunStarted { run_id, version, cluster, clouds, .. } => {
                self.run_started(run_id, version, cluster, clouds)
            }
            Event::RunResumed { version, .. } => self.run_later(version, "resumed"),
            Event::RunCleaned { version, .. } => self.run_later(version, "cleaned up"),
            Event::ScenarioStarted { scenario, .. } => self.scenario_header(scenario),
            Event::PhaseStarted { scenario, phase } => {
                let said = self.phase_started(*phase);
                self.under(scenario, said)
            }
            Event::PhaseFinished { phase: Phase::Checks, outcome: Outcome::Done, detail: None, .. } => String::new(),
            Event::PhaseFinished { scenario, phase, outcome, detail, duration_ms } => {
                let said = line::phase(self.ink, self.width, *phase, outcome, detail.as_deref(), *duration_ms);
                self.under(scenario, said)
            }
            Event::CheckFinished { scenario, check } => {
                let said = self.check(scenario, check);
                self.under(scenario, said)
            }
            Event::Note { scenario, text } => {
                let said = self.labelled("note", &crate::text::visible(text.trim_end()), Tone::Dim);
                match scenario {
                    Some(scenario) => self.under(scenario, said),
                    None => said,
                }
            }
            Event::Leftover { scenario, kind, id, why } => {
                let said = self.labelled("left over", &leaks::left_over(kind, id, why), Tone::Bad);
                self.under(scenario, said)
            }
            Event::Vanished { scenario, kind, id } => {
                let said = self.labelled("gone", &leaks::vanished(kind, id), Tone::Bad);
                self.under(scenario, said)
            }
            Event::Kept { scenario, resources } => {
                let said = self.labelled("kept", &leaks::kept(*resources), Tone::Warn);
                self.under(scenario, said)
            }
            Event::ScenarioFinished { scenario, verdict, .. } => {
                let said = self.scenario_finished(scenario, verdict);
                if said.is_empty() { said } else { self.under(scenario, said) }
            }
            Event::RunFinished { .. } => self.ending(),
        }
    }

    fn run_later(&self, version: &str, what: &str) -> String {
        let Some(run) = &self.report.run else {
            return String::new();
        };
        let name = format!("{}, {what}", run.run_id);
        self.run_started(&name, version, &run.cluster, &run.clouds)
    }

    fn run_started(&self, run_id: &str, version: &str, cluster: &str, clouds: &str) -> String {
        let facts = [("run", run_id), ("cluster", cluster), ("clouds", clouds)];
        let mut facts: Vec<String> =
            facts.iter().map(|(name, value)| format!("{name} {}", visible_line(value))).collect();
        if self.is_many() {
            facts.push(count(self.report.scenarios_planned(), "scenario"));
        }
        let name = format!("crossfed {}", visible_line(version));
        let room = self.width.saturating_sub(crate::text::width(&name) + 2);
        let cells = [
            Cell::new(&name, crate::text::width(&name), Tone::Strong),
            Cell::new(facts.join(self.ink.dot()), room, Tone::Dim),
        ];
        self.ink.row(0, &cells)
    }

    /// The lines of scenarios that run side by side are kept apart by their headers.
    fn under(&mut self, scenario: &str, said: String) -> String {
        if said.is_empty() || self.current.as_deref() == Some(scenario) {
            return said;
        }
        self.scenario_header(scenario) + &said
    }

    fn scenario_header(&mut self, scenario: &str) -> String {
        self.current = Some(scenario.to_owned());
        let id = visible_line(scenario);
        let title = self.report.scenario(scenario).map(|entry| visible_line(&entry.title)).filter(|title| *title != id);
        let room = self.width.saturating_sub(crate::text::width(&id) + 2);
        let cells = [
            Cell::new(&id, crate::text::width(&id), Tone::Strong),
            Cell::new(title.unwrap_or_default(), room, Tone::Plain),
        ];
        format!("\n{}", self.ink.row(0, &cells))
    }

    fn phase_started(&self, phase: Phase) -> String {
        match phase {
            // The checks stand below their heading, so it is written before them.
            Phase::Checks => self.ink.row(4, &[Cell::new(phase.slug(), 10, Tone::Plain)]),
            _ if self.progress == Progress::Counter && !self.is_many() => {
                self.ink.row(2, &[self.ink.mark(Mark::Running).gap(1), Cell::new(phase.slug(), 10, Tone::Dim)])
            }
            _ => String::new(),
        }
    }

    fn check(&self, scenario: &str, check: &CheckRecord) -> String {
        let entry = self.report.scenario(scenario);
        let (number, all) =
            entry.map_or((1, 1), |entry| (entry.checks.len(), entry.checks_planned.max(entry.checks.len())));
        let counted = match self.progress {
            Progress::Counter => true,
            Progress::Auto => all >= COUNTED_FROM,
            Progress::None => false,
        };
        let mut out = line::check(self.ink, self.width, counted.then_some((number, all)), check);
        if detail::needs_block(check) || (self.chains && !check.chain.links.is_empty()) {
            out.push('\n');
            out.push_str(&detail::block(self.ink, self.width, 6, check));
            out.push('\n');
        }
        out
    }

    fn labelled(&self, label: &str, text: &str, tone: Tone) -> String {
        let room = self.width.saturating_sub(4 + 10 + 2);
        self.ink.row(4, &[Cell::new(label, 10, Tone::Dim), Cell::new(text, room, tone)])
    }

    fn scenario_finished(&self, scenario: &str, verdict: &Verdict) -> String {
        let phases = self.report.scenario(scenario).map_or(&[][..], |entry| &entry.phases);
        let is_told = |phase: &PhaseReport| matches!(&phase.outcome, Some(Outcome::Failed { reason }) if Some(reason.as_str()) == verdict.reason());
        if phases.iter().any(is_told) {
            return String::new();
        }
        let tone = match verdict {
            Verdict::Passed => return String::new(),
            Verdict::Skipped { .. } | Verdict::Flaky { .. } => Tone::Warn,
            Verdict::Failed { .. } | Verdict::Infra { .. } | Verdict::Leaked { .. } => Tone::Bad,
        };
        self.labelled(verdict.word(), &verdict.reason().map(visible_line).unwrap_or_default(), tone)
    }

    fn ending(&self) -> String {
        let command = self.report.run.as_ref().map(|run| visible_line(&shell_line(&run.command)));
        let ending = Ending {
            ink: self.ink,
            width: self.width,
            report: &self.report,
            artifacts: self.artifacts.as_deref(),
            rerun: self.rerun.as_deref().or(command.as_deref().filter(|line| !line.is_empty())),
        };
        ending.text()
    }
}

impl<W: Write + Send> Sink for Terminal<W> {
    fn accept(&mut self, record: &Record) -> Result<(), ReportError> {
        self.report.apply(record);
        let text = if self.is_many() { self.among_many(record.event()) } else { self.text(record.event()) };
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(ReportError::Write)
    }

    fn recall(&mut self, record: &Record) {
        self.report.apply(record);
    }
}

impl<W> fmt::Debug for Terminal<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").field("ink", &self.ink).field("width", &self.width).finish_non_exhaustive()
    }
}
