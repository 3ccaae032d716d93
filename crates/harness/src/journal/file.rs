//! The file of a journal: whole lines, synced where they must be, held by one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::book::Book;
use super::line::{FORMAT, Line};
use super::trap::{Trap, When};

/// Why a journal cannot be read or taken up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error("another process holds it: the run is still going, or is being cleaned up")]
    Held,
    /// It does not begin as one of this version does.
    #[error("it is no journal of this version of crossfed")]
    Strange,
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An open file. Dropping it lets others have it.
#[derive(Debug)]
pub(super) struct JournalFile {
    file: File,
    /// Its length, up to the last whole line.
    length: u64,
    /// Something torn stands behind that and could not be cut.
    torn: bool,
    trap: Option<Trap>,
}

impl JournalFile {
    /// Makes a new one.
    pub(super) fn create(path: &Path, trap: Option<Trap>) -> Result<Self, OpenError> {
        let file = OpenOptions::new().create_new(true).append(true).read(true).open(path)?;
        // Nobody else can have a new file for long: who looks for runs may be reading it just now.
        file.lock()?;
        // Else the name may be gone after a crash of the machine, whatever is synced below.
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self { file, length: 0, torn: false, trap })
    }

    /// Takes one up, as far as it is whole.
    pub(super) fn open(path: &Path, trap: Option<Trap>) -> Result<(Self, Book), OpenError> {
        let mut file = OpenOptions::new().append(true).read(true).open(path)?;
        hold(&file)?;
        let (book, length) = read(&mut file)?;
        file.set_len(length)?;
        Ok((Self { file, length, torn: false, trap }, book))
    }

    /// Writes whole lines or, if that fails, nothing. `written` is how many lines there are.
    pub(super) fn write(&mut self, lines: &[Line], written: u64, sync: bool) -> io::Result<()> {
        let mut pending = Vec::new();
        for (number, line) in (written + 1..).zip(lines) {
            let mut text = serde_json::to_vec(line)?;
            text.push(b'\n');
            let Some(trap) = self.trap.filter(|trap| trap.line == number && trap.when != When::Check) else {
                pending.extend(text);
                continue;
            };
            match trap.when {
                When::Before | When::Check => {}
                When::Torn => pending.extend(&text[..text.len() / 2]),
                When::After => pending.extend(&text),
            }
            self.append(&pending, true)?;
            pending.clear();
            self.trap = None;
            trap.spring();
            match trap.when {
                When::Before | When::Check => pending.extend(text),
                When::Torn => pending.extend(&text[text.len() / 2..]),
                When::After => {}
            }
        }
        self.append(&pending, sync)
    }

    fn append(&mut self, text: &[u8], sync: bool) -> io::Result<()> {
        if std::mem::take(&mut self.torn) {
            self.file.write_all(b"\n").inspect_err(|_| self.torn = true)?;
            self.length = self.file.metadata()?.len();
        }
        let written = self.file.write_all(text).and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        match &written {
            Ok(()) => self.length += text.len() as u64,
            // What came of it must not run into the next line. Even a full disk takes a cut.
            Err(_) => self.torn = self.file.set_len(self.length).is_err(),
        }
        written
    }
}

fn hold(file: &File) -> Result<(), OpenError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::Held,
        TryLockError::Error(error) => OpenError::Io(error),
    })
}

/// What the lines come to, and where the last whole one ends.
fn read(file: &mut File) -> Result<(Book, u64), OpenError> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let mut book = Book::default();
    // A line that was torn was never synced, so nothing was created for it.
    let lines = bytes[..whole].split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    lines.for_each(|line: Line| book.enter(&line));
    match &book.start {
        Some(start) if start.format == FORMAT => Ok((book, whole as u64)),
        _ => Err(OpenError::Strange),
    }
}

/// Reads one that may be held by another.
pub(super) fn look(path: &Path) -> Result<(Book, bool), OpenError> {
    let mut file = File::open(path)?;
    let is_held = match file.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(error)) => return Err(error.into()),
    };
    let (book, _) = read(&mut file)?;
    Ok((book, is_held))
}
