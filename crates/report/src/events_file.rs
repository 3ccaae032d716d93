//! Reads `events.jsonl` back, also that of a run that was killed while it wrote.
//! It must not know what the records mean.

use std::path::{Path, PathBuf};

use crate::event::Record;

/// Why an event file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read {}", path.display())]
    Open {
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
    let bytes = std::fs::read(path).map_err(|source| ReadError::Open { path: path.to_owned(), source })?;
    let mut records = Vec::new();
    for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(record) => records.push(record),
            // Each record is written with its line end: without one, the writer was stopped.
            Err(_) if !line.ends_with(b"\n") => break,
            Err(source) => {
                return Err(ReadError::Malformed { path: path.to_owned(), line: at + 1, source });
            }
        }
    }
    Ok(records)
}
