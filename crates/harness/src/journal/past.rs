//! The journals of an artifacts folder: which run is meant, and what each left.

use std::path::{Path, PathBuf};

use super::book::{Book, Entry};
use super::file::{self, OpenError};
use super::line::Start;

/// Name of the file in a run's folder.
pub const FILE: &str = "journal.jsonl";

/// A journal as it lies there.
#[derive(Clone, Debug)]
pub struct Past {
    /// The file.
    pub path: PathBuf,
    /// How its run began.
    pub start: Start,
    /// What it says.
    pub book: Book,
    /// A process holds it: the run, or who cleans it up.
    pub is_held: bool,
}

impl Past {
    /// Reads one, whoever holds it.
    ///
    /// # Errors
    /// When it is none, or cannot be read.
    pub fn read(path: &Path) -> Result<Self, OpenError> {
        let (book, is_held) = file::look(path)?;
        let start = book.start.clone().ok_or(OpenError::Strange)?;
        Ok(Self { path: path.to_owned(), start, book, is_held })
    }

    /// What may stand and did not end with the run's process, in the order in which it was written down.
    pub fn left(&self) -> impl Iterator<Item = &Entry> {
        self.book.open().filter(|entry| !self.start.place.ends(&entry.undo))
    }
}

/// The journals of all runs in a folder, the oldest first. What is no journal of this version is left out.
pub fn all(artifacts: &Path) -> Vec<Past> {
    let folders = std::fs::read_dir(artifacts).into_iter().flatten().filter_map(Result::ok);
    let mut runs: Vec<Past> = folders.filter_map(|folder| Past::read(&folder.path().join(FILE)).ok()).collect();
    runs.sort_by_key(|run| run.start.at);
    runs
}

/// The file of the journal that a word means: a run's id, a run's folder, the file itself, or `latest`.
pub fn find(word: &str, artifacts: &Path, working_dir: &Path) -> Option<PathBuf> {
    if word == "latest" {
        return all(artifacts).pop().map(|run| run.path);
    }
    let named = working_dir.join(word);
    [artifacts.join(word).join(FILE), named.join(FILE), named].into_iter().find(|file| file.is_file())
}

/// Name of this machine.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
