//! Reads `events.jsonl` back, also that of a run that was killed while it wrote, and opens it again for a run that goes on.
//! It must not know what the records mean.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::event::Record;

/// Why an event file could not be read, or not be written on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot go on writing {}", path.display())]
    Reopen {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}, line {line}: not a record of a run", path.display())]
    Malformed {
        path: PathBuf,
        /// From 1.
        line: usize,
        #[source]
        source: serde_json::Error,
    },
}

/// The records in the file, in order. A last line that was torn off is left out; fold the rest into a [`Report`](crate::Report).
///
/// # Errors
/// The file cannot be read, or a complete line of it is no record.
pub fn read_events(path: &Path) -> Result<Vec<Record>, ReadError> {
    read(path).map(|read| read.records)
}

/// Reads the file of a run that goes on, and opens it for what comes next: behind its last whole record. A last line that was torn
/// off is taken away, since the next record would be written behind it on the same line.
///
/// # Errors
/// The file cannot be read or changed, or a complete line of it is no record.
pub fn reopen_events(path: &Path) -> Result<(Vec<Record>, File), ReadError> {
    let Read { records, whole, is_ended } = read(path)?;
    let open = || {
        let mut file = File::options().append(true).open(path)?;
        file.set_len(whole)?;
        if !is_ended {
            file.write_all(b"\n")?;
        }
        Ok(file)
    };
    let file = open().map_err(|source| ReadError::Reopen { path: path.to_owned(), source })?;
    Ok((records, file))
}

struct Read {
    records: Vec<Record>,
    /// Bytes up to the end of the last whole record.
    whole: u64,
    /// Whether that record has its line end.
    is_ended: bool,
}

fn read(path: &Path) -> Result<Read, ReadError> {
    let bytes = std::fs::read(path).map_err(|source| ReadError::Open { path: path.to_owned(), source })?;
    let mut read = Read { records: Vec::new(), whole: 0, is_ended: true };
    for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let is_ended = line.ends_with(b"\n");
        if !line.trim_ascii().is_empty() {
            match serde_json::from_slice(line) {
                Ok(record) => read.records.push(record),
                // Each record is written with its line end: without one, the writer was stopped.
                Err(_) if !is_ended => break,
                Err(source) => return Err(ReadError::Malformed { path: path.to_owned(), line: at + 1, source }),
            }
        }
        read.whole += line.len() as u64;
        read.is_ended = is_ended;
    }
    Ok(read)
}
