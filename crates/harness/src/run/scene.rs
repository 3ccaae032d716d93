//! A scenario's end: what was created is written down where something failed, taken down as the settings say, and looked for.

use std::time::Duration;

use futures::FutureExt;
use report::{Event, Phase};
use trust::Verdict;

use super::dump::{self, Dump};
use super::patience::Patience;
use super::takedown::{self, Leftover, Reach};
use super::{Events, Interrupts, Settings, inventory, kube_objects, places, scenario_run};
use crate::exit::{Exit, Stop};
use crate::journal::{Entry, Journal, Undo};

/// Work that may panic: whatever it made must be taken down all the same.
pub(super) async fn caught<T>(work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    let ended = std::panic::AssertUnwindSafe(work).catch_unwind().await;
    ended.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Stop::new(Exit::Internal, format!("panicked: {}", text.unwrap_or("no message"))))
    })
}

pub(super) fn tell_leftovers(events: &Events, scenario: &str, left: &[Leftover]) {
    for one in left {
        events.emit(Event::Leftover {
            scenario: scenario.to_owned(),
            kind: one.kind.clone(),
            id: one.id.clone(),
            why: one.why.clone(),
        });
    }
}

/// What a teardown needs.
pub(super) struct Scene<'a> {
    pub(super) settings: &'a Settings,
    pub(super) scenario: &'a str,
    pub(super) events: &'a Events,
    pub(super) interrupts: &'a Interrupts,
    pub(super) journal: &'a Journal,
    /// How evidence is collected.
    pub(super) evidence: Dump<'a>,
}

/// When evidence is collected first.
pub(super) const BEFORE_TEARDOWN: &str = "before teardown";

impl Scene<'_> {
    /// Writes down what is there before it goes.
    async fn collect(&self, occasion: &str, deadline: Duration) {
        let collecting = async { dump::collect(&Dump { occasion, deadline, ..self.evidence }).await };
        let Some(collected) = self.interrupts.or_given_up(collecting).await else { return };
        if let Some(text) = collected.note() {
            self.events.emit(Event::Note { scenario: Some(self.scenario.to_owned()), text });
        }
    }

    /// Takes down what the scenario created, as the settings say, and looks whether it is gone.
    pub(super) async fn teardown(&self, reach: &Reach, checked: &Result<Vec<Verdict>, Stop>) -> Vec<Leftover> {
        let phase = self.events.begin(self.scenario, Phase::Teardown);
        let passed = checked.as_ref().is_ok_and(|verdicts| scenario_run::judge(verdicts).0 == Exit::Passed);
        if !passed {
            let is_hurried = checked.as_ref().is_err_and(|stop| stop.exit.is_signal());
            self.collect(BEFORE_TEARDOWN, if is_hurried { dump::HURRIED } else { dump::DEADLINE }).await;
        }
        // What this process itself lives in goes last.
        let open: Vec<Entry> = self.journal.open_entries().into_iter().filter(|entry| !is_last(entry)).collect();
        let count = open.len();
        if !places::is_ephemeral(self.settings) && !self.settings.cleanup.applies(passed) {
            // Clouds of this process end with it, whatever was asked for.
            let place = places::recorded(self.settings);
            let resources = open.iter().filter(|entry| !place.ends(&entry.undo)).count();
            self.events.emit(Event::Kept { scenario: self.scenario.to_owned(), resources });
            phase.skipped(format!("left in place as --cleanup asks: {resources} resources, listed in journal.jsonl"));
            return Vec::new();
        }
        let left = match self.interrupts.or_given_up(caught(self.take_down(open, reach))).await {
            Some(Ok(left)) => left,
            Some(Err(stop)) => self.all_that_is_open(&stop.message),
            None => self.all_that_is_open("the teardown was given up"),
        };
        tell_leftovers(self.events, self.scenario, &left);
        if left.is_empty() {
            phase.done(Some(format!("{count} taken back, inventory empty")));
        } else {
            phase.failed(format!("{} of {count} left", left.len()));
        }
        left
    }

    async fn take_down(&self, open: Vec<Entry>, reach: &Reach) -> Result<Vec<Leftover>, Stop> {
        let patience = Patience::of(self.settings);
        let taken = takedown::to_the_last(self.journal, open, reach, patience, &|_, _| ()).await;
        if let Some(label) = taken.timed_out.first() {
            self.collect(&format!("deletion of {label} timed out"), dump::DEADLINE).await;
        }
        inventory::keep(self.settings, "inventory-after", &taken.seen);
        inventory::keep(self.settings, "leaks", &taken.left);
        Ok(taken.left)
    }

    /// What the process itself needed until now.
    pub(super) async fn last_things(&self, reach: &Reach) -> Vec<Leftover> {
        let open = self.journal.open_entries().into_iter().filter(is_last).collect();
        let left = takedown::takedown(self.journal, open, reach, &|_, _| ()).await.left;
        tell_leftovers(self.events, self.scenario, &left);
        left
    }

    fn all_that_is_open(&self, why: &str) -> Vec<Leftover> {
        let open = self.journal.open_entries().into_iter().filter(|entry| !is_last(entry));
        open.map(|entry| Leftover::entry(&entry.label, why)).collect()
    }
}

/// The folder and the node of this process: they are in use until everything else is down.
fn is_last(entry: &Entry) -> bool {
    match &entry.undo {
        Undo::Folder(_) => true,
        Undo::Kubernetes(undo) => undo.path.starts_with(kube_objects::NODES),
        Undo::Aws(_) | Undo::Azure(_) => false,
    }
}
