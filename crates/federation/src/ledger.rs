//! Where an intended creation is written down before it is tried. Knows nothing of clouds, and not
//! how or where the record is kept.

use std::error::Error;

/// A record of creations, kept so that a killed run can still be cleaned up.
///
/// `U` is what takes a creation back, such as [`crate::aws::Undo`]. An entry without `done` or `failed` means:
/// this may exist. Whoever cleans up then asks the cloud who made it before deleting.
pub trait Ledger<U>: Send + Sync {
    /// Writes the intention and returns its number. It must be on disk when this returns.
    fn intend(&self, label: &str, undo: &U) -> Result<u64, LedgerError>;
    /// The thing exists and is ours.
    fn done(&self, entry: u64) -> Result<(), LedgerError>;
    /// Nothing was created.
    fn failed(&self, entry: u64, reason: &str) -> Result<(), LedgerError>;
}

/// The record could not be written, so nothing may be created.
#[derive(Debug, thiserror::Error)]
#[error("journal could not be written; nothing was created, check the disk that holds it")]
pub struct LedgerError {
    source: Box<dyn Error + Send + Sync>,
}

impl LedgerError {
    /// Wraps what kept the record from being written.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: source.into() }
    }
}
