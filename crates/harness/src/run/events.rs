//! The run's event stream, shared by all that happens at the same time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use report::{Event, Outcome, Phase, Report, Stream};

use super::millis;

/// Emits events; clones emit into the same stream.
#[derive(Clone, Debug)]
pub(crate) struct Events(Arc<Mutex<Stream>>);

impl Events {
    pub(crate) fn new(stream: Stream) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    /// Tells every sink. A sink that fails (a closed pipe, a full disk) must not end a run that has things to take down.
    pub(crate) fn emit(&self, event: Event) {
        if let Err(error) = self.0.lock().unwrap_or_else(PoisonError::into_inner).emit(event) {
            tracing::warn!(%error, "an event was not written");
        }
    }

    pub(crate) fn report(&self) -> Report {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).report().clone()
    }

    /// Says that a phase begins.
    pub(crate) fn begin(&self, scenario: &str, phase: Phase) -> Running {
        self.emit(Event::PhaseStarted { scenario: scenario.to_owned(), phase });
        Running { events: self.clone(), scenario: scenario.to_owned(), phase, started: Instant::now() }
    }
}

/// A phase that has begun.
#[derive(Debug)]
pub(crate) struct Running {
    events: Events,
    scenario: String,
    phase: Phase,
    started: Instant,
}

impl Running {
    pub(crate) fn done(self, detail: Option<String>) {
        self.finish(Outcome::Done, detail);
    }

    pub(crate) fn failed(self, reason: impl Into<String>) {
        self.finish(Outcome::Failed { reason: reason.into() }, None);
    }

    pub(crate) fn skipped(self, reason: impl Into<String>) {
        self.finish(Outcome::Skipped { reason: reason.into() }, None);
    }

    fn finish(self, outcome: Outcome, detail: Option<String>) {
        let duration_ms = millis(self.started.elapsed());
        self.events.emit(Event::PhaseFinished {
            scenario: self.scenario,
            phase: self.phase,
            outcome,
            detail,
            duration_ms,
        });
    }
}
