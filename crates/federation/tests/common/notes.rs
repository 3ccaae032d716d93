//! A ledger in memory: the undo of each entry, and how it ended. It says of each creation what the test wants.

use std::sync::Mutex;

use federation::{Intent, Known, Ledger, LedgerError};

pub(crate) struct Notes<U> {
    known: Known,
    entries: Mutex<Vec<(U, &'static str)>>,
}

impl<U> Default for Notes<U> {
    fn default() -> Self {
        Self::after(Known::New)
    }
}

impl<U> Notes<U> {
    /// Of a run that has lived before, if it is not `New`.
    pub(crate) fn after(known: Known) -> Self {
        Self { known, entries: Mutex::default() }
    }

    pub(crate) fn entries(&self) -> Vec<(U, &'static str)>
    where
        U: Clone,
    {
        self.entries.lock().expect("notes must be whole").clone()
    }

    pub(crate) fn ends(&self) -> Vec<&'static str>
    where
        U: Clone,
    {
        self.entries().into_iter().map(|(_, end)| end).collect()
    }

    fn close(&self, entry: u64, end: &'static str) -> Result<(), LedgerError> {
        let mut notes = self.entries.lock().map_err(|_| LedgerError::new("poisoned"))?;
        let index = usize::try_from(entry).map_err(LedgerError::new)?;
        notes[index].1 = end;
        Ok(())
    }
}

impl<U: Clone + Send + Sync> Ledger<U> for Notes<U> {
    fn intend(&self, _: &str, undo: &U) -> Result<Intent, LedgerError> {
        let mut notes = self.entries.lock().map_err(|_| LedgerError::new("poisoned"))?;
        notes.push((undo.clone(), "open"));
        Ok(Intent { entry: notes.len() as u64 - 1, known: self.known })
    }
    fn done(&self, entry: u64) -> Result<(), LedgerError> {
        self.close(entry, "done")
    }
    fn failed(&self, entry: u64, _: &str) -> Result<(), LedgerError> {
        self.close(entry, "failed")
    }
}
