//! Which input a target has at the moment, and since when: for a watcher that ends what takes too long, and, in a file, for
//! whoever finds the process dead. Knows no target.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How long one input may take. Far more than any takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The input at hand, shared with the watcher.
#[derive(Clone, Debug, Default)]
pub struct Watched(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    input: Vec<u8>,
    over: bool,
}

impl Watched {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A target begins with an input.
    pub fn begin(&self, input: &[u8]) {
        let mut state = self.state();
        state.input.clear();
        state.input.extend_from_slice(input);
        state.since = Some(Instant::now());
    }

    /// It is done with it.
    pub fn end(&self) {
        self.state().since = None;
    }

    /// No more inputs will come.
    pub fn close(&self) {
        self.state().over = true;
        self.0.1.notify_all();
    }

    /// Returns the input that takes longer than `patience`, or `None` when all is over before.
    pub fn await_late(&self, patience: Duration) -> Option<Vec<u8>> {
        let mut state = self.state();
        loop {
            if state.over {
                return None;
            }
            let left = state.since.map_or(patience, |since| patience.saturating_sub(since.elapsed()));
            if left.is_zero() {
                return Some(state.input.clone());
            }
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A file that always holds the latest input, so that it survives the process: its length, eight bytes in little-endian order,
/// and then the input.
#[derive(Debug)]
pub struct Latest(File);

impl Latest {
    /// Opens an existing file.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().write(true).open(path);
        file.map(Self).with_context(|| format!("cannot write to {}", path.display()))
    }

    /// Replaces what it holds.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub fn put(&mut self, input: &[u8]) -> Result<()> {
        let length = u64::try_from(input.len()).unwrap_or_default().to_le_bytes();
        self.0.seek(SeekFrom::Start(0)).context("cannot go back in the file of the latest input")?;
        self.0.write_all(&[&length, input].concat()).context("cannot write the latest input")
    }

    /// What the bytes of such a file hold, if they were written to the end.
    pub fn read(bytes: &[u8]) -> Option<&[u8]> {
        let (length, rest) = bytes.split_first_chunk()?;
        rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watcher_names_the_input_that_takes_too_long() {
        let watched = Watched::default();
        watched.begin(b"quick");
        watched.end();
        watched.begin(b"slow");
        assert_eq!(watched.await_late(Duration::from_millis(1)).as_deref(), Some(b"slow".as_slice()));
    }

    #[test]
    fn the_watcher_goes_when_all_is_over() {
        let watched = Watched::default();
        let watcher = std::thread::spawn({
            let watched = watched.clone();
            move || watched.await_late(Duration::from_secs(600))
        });
        watched.begin(b"quick");
        watched.end();
        watched.close();
        assert_eq!(watcher.join().expect("the watcher must end"), None);
    }

    #[test]
    fn the_latest_input_outlives_a_longer_one_before() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut latest = Latest::open(file.path()).expect("must open");
        let held = || std::fs::read(file.path()).expect("must be read");
        assert_eq!(Latest::read(&held()), None);
        latest.put(b"a longer one").expect("must be put");
        latest.put(b"short").expect("must be put");
        assert_eq!(Latest::read(&held()), Some(b"short".as_slice()));
    }
}
