//! Where an intended creation is written down before it is tried. Knows nothing of clouds, and not
//! how or where the record is kept.

use std::error::Error;

/// A record of creations, kept so that a killed run can still be cleaned up.
///
/// `U` is what takes a creation back, such as [`crate::aws::Undo`]. An entry without `done` or `failed` means:
/// this may exist. Whoever cleans up then asks the cloud who made it before deleting.
pub trait Ledger<U>: Send + Sync {
    /// Writes the intention, unless it stands there already. It must be on disk when this returns.
    fn intend(&self, label: &str, undo: &U) -> Result<Intent, LedgerError>;
    /// The thing exists and is ours.
    fn done(&self, entry: u64) -> Result<(), LedgerError>;
    /// Nothing was created.
    fn failed(&self, entry: u64, reason: &str) -> Result<(), LedgerError>;
}

/// An intention that is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Number of its entry.
    pub entry: u64,
    /// What the record tells of it.
    pub known: Known,
}

/// What the record tells of a creation before it is tried in this life of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It was never tried.
    New,
    /// An earlier life of the run wrote the intention, and no outcome.
    MayStand,
    /// An earlier life of the run created it.
    Stands,
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
