//! The run's journal: what may exist is on disk before it is created, with what takes it back.
//!
//! One JSON object a line. All creations of a plan are written and synced at once before the first of them is
//! tried; `done` and `failed` follow unsynced, since losing one only means asking the cloud again. Whoever reads it
//! needs nothing else to take the run down: no secret stands in it, and it names the places by what can be asked.

mod book;
mod file;
mod line;
mod past;
mod trap;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use federation::{Intent, Ledger, LedgerError};
use trust::SharedClock;

use file::JournalFile;

pub use book::{Book, Entry, State};
pub use federation::Known;
pub use file::OpenError;
pub use line::{ClusterPlace, FORMAT, FolderUndo, KubernetesUndo, Line, Place, Start, Undo};
pub use past::{FILE, Past, all, find, host};
pub use trap::{BadTrap, Trap};

/// An open journal, as one scenario of the run sees it: its own entries, in the file of all.
#[derive(Clone, Debug)]
pub struct Journal {
    inner: Arc<Mutex<Inner>>,
    scenario: String,
}

#[derive(Debug)]
struct Inner {
    file: JournalFile,
    book: Book,
    /// Entries that were announced and not asked for yet, by scenario and label.
    announced: HashMap<(String, String), Intent>,
}

impl Journal {
    /// Begins the journal of a run. What is written through this handle belongs to no scenario.
    ///
    /// # Errors
    /// When the file is there already or cannot be written.
    pub fn create(path: &Path, start: Start, trap: Option<Trap>) -> Result<Self, OpenError> {
        let file = JournalFile::create(path, trap)?;
        let journal = Self::holding(file, Book::default());
        journal.lock().write(&[Line::Run(start)], true)?;
        Ok(journal)
    }

    /// Takes up the journal of a run that has ended, to go on with it or to take it down.
    ///
    /// # Errors
    /// When it is held by another process, is not of this version, or cannot be written.
    pub fn take_up(path: &Path, verb: &str, clock: &SharedClock, trap: Option<Trap>) -> Result<Self, OpenError> {
        let (file, book) = JournalFile::open(path, trap)?;
        let journal = Self::holding(file, book);
        let line = Line::Continued { at: clock.now(), verb: verb.to_owned(), host: host() };
        journal.lock().write(&[line], true)?;
        Ok(journal)
    }

    fn holding(file: JournalFile, book: Book) -> Self {
        let inner = Inner { file, book, announced: HashMap::new() };
        Self { inner: Arc::new(Mutex::new(inner)), scenario: String::new() }
    }

    /// The same journal, as a scenario sees it.
    #[must_use]
    pub fn of(&self, scenario: &str) -> Self {
        Self { inner: self.inner.clone(), scenario: scenario.to_owned() }
    }

    /// Whose entries these are; none of them for those of the run itself.
    pub fn scenario(&self) -> &str {
        &self.scenario
    }

    /// What it says so far.
    pub fn book(&self) -> Book {
        self.lock().book.clone()
    }

    /// The scenario goes under this id from now on.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn goes_as(&self, run: &str) -> io::Result<()> {
        let line = Line::Scenario { scenario: self.scenario.clone(), run: run.to_owned() };
        self.lock().write(&[line], false)
    }

    /// The id under which the scenario goes.
    pub fn run(&self) -> String {
        self.lock().book.run_of(&self.scenario).unwrap_or_default().to_owned()
    }

    /// The account that a cell has to itself, if it has one.
    pub fn account_of(&self, cell: &str) -> Option<String> {
        self.lock().book.account_of(&self.scenario, cell).map(str::to_owned)
    }

    /// A cell has an account to itself.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn has_account(&self, cell: &str, account: &str) -> io::Result<()> {
        let (scenario, cell, account) = (self.scenario.clone(), cell.to_owned(), account.to_owned());
        self.lock().write(&[Line::Account { scenario, cell, account }], false)
    }

    /// Writes down all of these, with one sync. Asking for each by its label later costs nothing more. What an earlier process wrote down and
    /// may stand is not written again.
    ///
    /// # Errors
    /// When they are not on disk: then none may be created.
    pub fn announce(&self, wanted: impl IntoIterator<Item = (String, Undo)>) -> io::Result<()> {
        let mut inner = self.lock();
        let (mut lines, mut announced) = (Vec::new(), Vec::new());
        for (label, undo) in wanted {
            let scenario = self.scenario.clone();
            let known = inner.book.standing(&scenario, &label).map(|entry| {
                let known = if entry.state == State::Done { Known::Stands } else { Known::MayStand };
                Intent { entry: entry.number, known }
            });
            let next = (inner.book.entries.len() + lines.len()) as u64 + 1;
            let intent = known.unwrap_or(Intent { entry: next, known: Known::New });
            announced.push(((scenario.clone(), label.clone()), intent));
            if intent.known == Known::New {
                lines.push(Line::Intended { entry: next, scenario, label, undo });
            }
        }
        inner.write(&lines, true)?;
        inner.announced.extend(announced);
        Ok(())
    }

    /// Writes down one creation, unless it was announced, and says what is known of it.
    ///
    /// # Errors
    /// When it is not on disk.
    pub fn intend(&self, label: &str, undo: Undo) -> io::Result<Intent> {
        let key = (self.scenario.clone(), label.to_owned());
        if let Some(intent) = self.lock().announced.remove(&key) {
            return Ok(intent);
        }
        self.announce([(label.to_owned(), undo)])?;
        self.lock().announced.remove(&key).ok_or_else(|| io::Error::other("an entry was asked for twice"))
    }

    /// It exists.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn done(&self, entry: u64) -> io::Result<()> {
        self.lock().write(&[Line::Done { entry }], false)
    }

    /// It was not created.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn failed(&self, entry: u64, reason: &str) -> io::Result<()> {
        self.lock().write(&[Line::Failed { entry, reason: trust::redact(reason).into_owned() }], false)
    }

    /// What was created for the scenario is about to be taken down.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn goes_down(&self) -> io::Result<()> {
        self.lock().write(&[Line::Teardown { scenario: self.scenario.clone() }], false)
    }

    /// It is gone again, or was left to its owner.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn undone(&self, entry: u64) -> io::Result<()> {
        self.lock().write(&[Line::Undone { entry }], false)
    }

    /// Whether an earlier process, or this one, wrote down something of this name that may stand.
    pub fn may_stand(&self, label: &str) -> bool {
        self.lock().book.standing(&self.scenario, label).is_some()
    }

    /// What exists or may exist of this scenario, in the order in which it was written down.
    pub fn open_entries(&self) -> Vec<Entry> {
        self.lock().book.open().filter(|entry| entry.scenario == self.scenario).cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// An intention that is not on disk is none; what has happened has happened, written or not.
    fn write(&mut self, lines: &[Line], sync: bool) -> io::Result<()> {
        let written = self.file.write(lines, self.book.lines, sync);
        let is_fact = |line: &Line| matches!(line, Line::Done { .. } | Line::Failed { .. } | Line::Undone { .. });
        for line in lines.iter().filter(|line| written.is_ok() || is_fact(line)) {
            self.book.enter(line);
        }
        written
    }
}

impl Ledger<federation::aws::Undo> for Journal {
    fn intend(&self, label: &str, undo: &federation::aws::Undo) -> Result<Intent, LedgerError> {
        let intent = Journal::intend(self, &aws_label(label, undo), Undo::Aws(undo.clone()));
        intent.map_err(LedgerError::new)
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
        let intent = Journal::intend(self, &azure_label(label, undo), Undo::Azure(undo.clone()));
        intent.map_err(LedgerError::new)
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
mod tests;
