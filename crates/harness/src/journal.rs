//! The run's journal: what may exist is on disk before it is created, with what takes it back.
//!
//! One JSON object a line. All creations of a plan are written and synced at once before the first of them is
//! tried; `done` and `failed` follow unsynced, since losing one only means asking the cloud again.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use federation::{Intent, Known, Ledger, LedgerError};
use serde::{Deserialize, Serialize};
use trust::SharedClock;

/// What takes a creation back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// In an AWS account.
    Aws(federation::aws::Undo),
    /// In an Azure subscription.
    Azure(federation::azure::Undo),
    /// In the cluster.
    Kubernetes(KubernetesUndo),
}

/// An object of the cluster, by the path of its API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubernetesUndo {
    /// Such as `/api/v1/namespaces/cf-…`.
    pub path: String,
}

/// A line of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Line {
    /// Whose journal it is.
    Run {
        /// The run.
        run: String,
        /// When it began.
        at: jiff::Timestamp,
    },
    /// This may exist from now on.
    Intended {
        /// Counts from 1.
        entry: u64,
        /// The scenario that it belongs to.
        scenario: String,
        /// What people call it.
        label: String,
        /// How it is taken back.
        undo: Undo,
    },
    /// It exists.
    Done {
        /// Which.
        entry: u64,
    },
    /// It was not created.
    Failed {
        /// Which.
        entry: u64,
        /// Why.
        reason: String,
    },
    /// It is gone again.
    Undone {
        /// Which.
        entry: u64,
    },
}

/// State of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// May exist.
    Intended,
    /// Exists.
    Done,
    /// Was not created, or is gone.
    Gone,
}

/// An entry and its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// The scenario that it belongs to.
    pub scenario: String,
    /// What people call it.
    pub label: String,
    /// How it is taken back.
    pub undo: Undo,
    /// What is known of it.
    pub state: State,
}

/// An open journal, as one scenario of the run sees it: its own entries, in the file of all.
#[derive(Clone, Debug)]
pub struct Journal {
    inner: Arc<Mutex<Inner>>,
    scenario: String,
}

#[derive(Debug)]
struct Inner {
    file: File,
    entries: Vec<Entry>,
    /// Entries that were announced and not asked for yet, by scenario and label.
    announced: HashMap<(String, String), u64>,
}

impl Journal {
    /// Begins the journal of a run. What is written through this handle belongs to no scenario.
    ///
    /// # Errors
    /// When the file is there already or cannot be written.
    pub fn create(path: &Path, run: &str, clock: &SharedClock) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).append(true).open(path)?;
        let mut inner = Inner { file, entries: Vec::new(), announced: HashMap::new() };
        inner.write(&[Line::Run { run: run.to_owned(), at: clock.now() }], false)?;
        Ok(Self { inner: Arc::new(Mutex::new(inner)), scenario: String::new() })
    }

    /// The same journal, as a scenario sees it.
    #[must_use]
    pub fn of(&self, scenario: &str) -> Self {
        Self { inner: self.inner.clone(), scenario: scenario.to_owned() }
    }

    /// Writes down all of these, with one sync. Asking for each by its label later costs nothing more.
    ///
    /// # Errors
    /// When they are not on disk: then none may be created.
    pub fn announce(&self, wanted: impl IntoIterator<Item = (String, Undo)>) -> io::Result<()> {
        let mut inner = self.lock();
        let mut lines = Vec::new();
        let first = inner.entries.len();
        for (label, undo) in wanted {
            let (number, scenario) = (inner.entries.len() as u64 + 1, self.scenario.clone());
            inner.entries.push(Entry {
                number,
                scenario: scenario.clone(),
                label: label.clone(),
                undo: undo.clone(),
                state: State::Intended,
            });
            inner.announced.insert((scenario.clone(), label.clone()), number);
            lines.push(Line::Intended { entry: number, scenario, label, undo });
        }
        let written = inner.write(&lines, true);
        if written.is_err() {
            for entry in inner.entries.split_off(first) {
                inner.announced.remove(&(entry.scenario, entry.label));
            }
        }
        written
    }

    /// Writes down one creation, unless it was announced.
    ///
    /// # Errors
    /// When it is not on disk.
    pub fn intend(&self, label: &str, undo: Undo) -> io::Result<u64> {
        let key = (self.scenario.clone(), label.to_owned());
        if let Some(number) = self.lock().announced.remove(&key) {
            return Ok(number);
        }
        self.announce([(label.to_owned(), undo)])?;
        Ok(self.lock().announced.remove(&key).unwrap_or_default())
    }

    /// It exists.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn done(&self, entry: u64) -> io::Result<()> {
        self.mark(entry, State::Done, Line::Done { entry })
    }

    /// It was not created.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn failed(&self, entry: u64, reason: &str) -> io::Result<()> {
        self.mark(entry, State::Gone, Line::Failed { entry, reason: trust::redact(reason).into_owned() })
    }

    /// It is gone again.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn undone(&self, entry: u64) -> io::Result<()> {
        self.mark(entry, State::Gone, Line::Undone { entry })
    }

    /// What exists or may exist of this scenario, in the order in which it was written down.
    pub fn open_entries(&self) -> Vec<Entry> {
        let inner = self.lock();
        let ours = inner.entries.iter().filter(|entry| entry.state != State::Gone && entry.scenario == self.scenario);
        ours.cloned().collect()
    }

    fn mark(&self, number: u64, state: State, line: Line) -> io::Result<()> {
        let mut inner = self.lock();
        if let Some(entry) = inner.entries.iter_mut().find(|entry| entry.number == number) {
            entry.state = state;
        }
        inner.write(&[line], false)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn write(&mut self, lines: &[Line], sync: bool) -> io::Result<()> {
        let mut text = String::new();
        for line in lines {
            text.push_str(&serde_json::to_string(line)?);
            text.push('\n');
        }
        self.file.write_all(text.as_bytes())?;
        if sync { self.file.sync_data() } else { Ok(()) }
    }
}

impl Ledger<federation::aws::Undo> for Journal {
    fn intend(&self, label: &str, undo: &federation::aws::Undo) -> Result<Intent, LedgerError> {
        let entry = Journal::intend(self, &aws_label(label, undo), Undo::Aws(undo.clone()));
        Ok(Intent { entry: entry.map_err(LedgerError::new)?, known: Known::New })
    }

    fn done(&self, entry: u64) -> Result<(), LedgerError> {
        Journal::done(self, entry).map_err(LedgerError::new)
    }

    fn failed(&self, entry: u64, reason: &str) -> Result<(), LedgerError> {
        Journal::failed(self, entry, reason).map_err(LedgerError::new)
    }
}

impl Ledger<federation::azure::Undo> for Journal {
    fn intend(&self, label: &str, undo: &federation::azure::Undo) -> Result<Intent, LedgerError> {
        let entry = Journal::intend(self, &azure_label(label, undo), Undo::Azure(undo.clone()));
        Ok(Intent { entry: entry.map_err(LedgerError::new)?, known: Known::New })
    }

    fn done(&self, entry: u64) -> Result<(), LedgerError> {
        Journal::done(self, entry).map_err(LedgerError::new)
    }

    fn failed(&self, entry: u64, reason: &str) -> Result<(), LedgerError> {
        Journal::failed(self, entry, reason).map_err(LedgerError::new)
    }
}

/// Labels of Azure resources hold their subscription.
pub fn azure_label(label: &str, undo: &federation::azure::Undo) -> String {
    format!("{label} in subscription {}", undo.subscription())
}

/// Labels of AWS resources hold their account: the same provider may be made in several.
pub fn aws_label(label: &str, undo: &federation::aws::Undo) -> String {
    format!("{label} in account {}", undo.account())
}

#[cfg(test)]
mod tests {
    use trust::SystemClock;

    use super::*;

    fn undo(path: &str) -> Undo {
        Undo::Kubernetes(KubernetesUndo { path: path.into() })
    }

    #[test]
    fn what_may_exist_is_on_disk_before_it_is_created() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("journal.jsonl");
        let clock: SharedClock = Arc::new(SystemClock);
        let journal = Journal::create(&path, "r", &clock).expect("must begin");
        let lines = || std::fs::read_to_string(&path).expect("must read").lines().count();

        journal.announce([("a".to_owned(), undo("/a")), ("b".to_owned(), undo("/b"))]).expect("must write");
        assert_eq!(lines(), 3, "run and both intentions");
        let a = journal.intend("a", undo("/a")).expect("announced");
        assert_eq!(lines(), 3, "an announced one is not written twice");
        let c = journal.intend("c", undo("/c")).expect("must write");
        assert_eq!((a, c, lines()), (1, 3, 4));

        journal.done(a).expect("must write");
        journal.failed(c, "password=hunter2").expect("must write");
        let open: Vec<_> = journal.open_entries().into_iter().map(|entry| (entry.label, entry.state)).collect();
        assert_eq!(open, [("a".to_owned(), State::Done), ("b".to_owned(), State::Intended)]);
        journal.undone(a).expect("must write");
        let text = std::fs::read_to_string(&path).expect("must read");
        assert!(!text.contains("hunter2"));
        for line in text.lines() {
            serde_json::from_str::<Line>(line).expect("every line must read back");
        }
        assert!(Journal::create(&path, "r", &clock).is_err(), "a journal is never begun twice");
    }

    #[test]
    fn a_scenario_sees_its_own_entries_in_the_file_of_all() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("journal.jsonl");
        let clock: SharedClock = Arc::new(SystemClock);
        let journal = Journal::create(&path, "r", &clock).expect("must begin");
        let (one, two) = (journal.of("one"), journal.of("two"));
        one.announce([("same".to_owned(), undo("/one"))]).expect("must write");
        two.announce([("same".to_owned(), undo("/two"))]).expect("must write");
        assert_eq!(two.intend("same", undo("/two")).expect("announced"), 2);
        let open = |journal: &Journal| journal.open_entries().into_iter().map(|entry| entry.number).collect::<Vec<_>>();
        assert_eq!((open(&one), open(&two), open(&journal)), (vec![1], vec![2], vec![]));
    }
}
