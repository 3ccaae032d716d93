//! How much of what callers store is held, in bytes: there is an end to it.
//! Must not know what is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room for all blobs and secrets.
#[derive(Debug)]
pub(crate) struct Space {
    limit: usize,
    used: Arc<AtomicUsize>,
}

/// Some bytes of it; given back when dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    bytes: usize,
    used: Arc<AtomicUsize>,
}

impl Space {
    pub(crate) fn new(limit: usize) -> Space {
        Space { limit, used: Arc::default() }
    }

    /// None if there is not enough left.
    pub(crate) fn take(&self, bytes: usize) -> Option<Arc<Taken>> {
        let grown = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).ok()?;
        Some(Arc::new(Taken { bytes, used: self.used.clone() }))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_can_be_taken_again() {
        let space = Space::new(10);
        let first = space.take(6).expect("there must be room");
        assert!(space.take(5).is_none());
        let second = first.clone();
        drop(first);
        assert!(space.take(5).is_none());
        drop(second);
        assert!(space.take(10).is_some());
        assert!(space.take(usize::MAX).is_none());
    }
}
