//! Several scenarios at the same time: each is told as a whole when it ends, so that no two are mixed.
//!
//! At once comes only what a person should not wait for: a check or phase that failed, a note. It must not know how a line looks.

use std::io::Write;

use trust::Verdict;

use super::detail::needs_block;
use super::line::{DURATION, check_elsewhere, elsewhere, scenario_mark};
use super::paint::{Cell, Mark, Tone};
use super::summary::said_counts;
use super::{Progress, Terminal};
use crate::event::{Event, Outcome, Phase};
use crate::model::ScenarioReport;
use crate::text::{duration, visible, visible_line, width};

/// Most scenarios' names; a longer one takes two lines.
const NAME: usize = 24;

impl<W: Write + Send> Terminal<W> {
    /// Whether scenarios run side by side; it does not change within a run.
    pub(super) fn is_many(&self) -> bool {
        self.report.run.as_ref().is_some_and(|run| run.scenarios > 1)
    }

    pub(super) fn among_many(&mut self, event: &Event) -> String {
        let Some(scenario) = scenario_of(event) else {
            let cut_off = match event {
                Event::RunFinished { .. } => self.cut_off(),
                _ => String::new(),
            };
            return cut_off + &self.text(event);
        };
        let said = match event {
            Event::ScenarioStarted { .. } => String::new(),
            _ => {
                // Its block gets its header when it is written.
                self.current = Some(scenario.to_owned());
                self.text(event)
            }
        };
        self.blocks.entry(scenario.to_owned()).or_default().push_str(&said);
        match event {
            Event::ScenarioStarted { .. } if self.progress == Progress::Counter => self
                .ink
                .row(0, &[self.ink.mark(Mark::Running).gap(1), Cell::new(visible_line(scenario), NAME, Tone::Dim)]),
            Event::CheckFinished { check, .. } if needs_block(check) => {
                check_elsewhere(self.ink, self.width, scenario, check)
            }
            // What failed in it has been told by name.
            Event::PhaseFinished { phase: Phase::Checks, .. } => String::new(),
            Event::PhaseFinished { phase, outcome: Outcome::Failed { reason }, .. } => {
                elsewhere(self.ink, self.width, Mark::Bad, (scenario, phase.slug()), &visible_line(reason), Tone::Plain)
            }
            Event::Note { text, .. } => {
                self.labelled("note", &format!("{}: {}", visible_line(scenario), visible(text.trim_end())), Tone::Dim)
            }
            Event::ScenarioFinished { .. } => self.ended(scenario),
            _ => String::new(),
        }
    }

    /// One line for a scenario that ended, and its block if that does not say it all.
    fn ended(&mut self, scenario: &str) -> String {
        let block = self.blocks.remove(scenario).unwrap_or_default();
        let Some(entry) = self.report.scenario(scenario) else {
            return String::new();
        };
        let line = self.ended_line(entry);
        if !self.chains && is_told_by_its_line(entry) {
            return line;
        }
        format!("{line}{}{block}\n", self.scenario_header(scenario))
    }

    fn ended_line(&self, entry: &ScenarioReport) -> String {
        let mut cells = vec![self.ink.mark(scenario_mark(entry)).gap(1)];
        let mut taken = 2;
        if self.progress != Progress::None {
            let all = self.report.scenarios_planned();
            let ended = self.report.scenarios.iter().filter(|entry| entry.verdict.is_some()).count();
            let columns = 2 * width(&all.to_string()) + 1;
            cells.push(Cell::new(format!("{ended}/{all}"), columns, Tone::Dim).right().gap(1));
            taken += columns + 1;
        }
        let mut said = said_counts(&entry.counts()).join(", ");
        if let Some(verdict @ (Verdict::Skipped { reason } | Verdict::Flaky { reason })) = &entry.verdict {
            said = format!("{said}\n{}: {}", verdict.word(), visible_line(reason));
        }
        let room = self.width.saturating_sub(taken + NAME + 2 + 2 + DURATION);
        cells.extend([
            Cell::new(visible_line(&entry.scenario), NAME, Tone::Strong),
            Cell::new(said, room, Tone::Plain),
            Cell::new(entry.duration_ms.map(duration).unwrap_or_default(), DURATION, Tone::Dim).right(),
        ]);
        self.ink.row(0, &cells)
    }

    /// The blocks of scenarios that began and did not end.
    fn cut_off(&mut self) -> String {
        let blocks = std::mem::take(&mut self.blocks);
        blocks.into_iter().map(|(scenario, block)| self.scenario_header(&scenario) + &block).collect()
    }
}

/// Whether a person misses nothing who sees the scenario's line alone.
fn is_told_by_its_line(entry: &ScenarioReport) -> bool {
    matches!(entry.verdict, Some(Verdict::Passed | Verdict::Skipped { .. } | Verdict::Flaky { .. }))
        && entry.leaked() == 0
        && entry.kept == 0
        && !entry.checks.iter().any(needs_block)
}

fn scenario_of(event: &Event) -> Option<&str> {
    match event {
        Event::ScenarioStarted { scenario, .. }
        | Event::PhaseStarted { scenario, .. }
        | Event::PhaseFinished { scenario, .. }
        | Event::CheckFinished { scenario, .. }
        | Event::Leftover { scenario, .. }
        | Event::Vanished { scenario, .. }
        | Event::Kept { scenario, .. }
        | Event::ScenarioFinished { scenario, .. } => Some(scenario),
        Event::Note { scenario, .. } => scenario.as_deref(),
        Event::RunStarted { .. } | Event::RunResumed { .. } | Event::RunCleaned { .. } | Event::RunFinished { .. } => {
            None
        }
    }
}
