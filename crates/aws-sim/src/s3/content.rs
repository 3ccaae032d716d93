//! The bytes of objects, counted as long as anything refers to them, and no more of them than the simulator may hold.
//! Must not know objects.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::refusal::Refusal;

/// How many bytes are held, of how many.
#[derive(Clone, Debug)]
pub(super) struct Space {
    held: Arc<AtomicUsize>,
    limit: usize,
}

/// Bytes that are counted until the last clone is gone.
#[derive(Clone, Debug)]
pub(super) struct Content {
    bytes: Bytes,
    _claim: Arc<Claim>,
}

#[derive(Debug)]
struct Claim {
    held: Arc<AtomicUsize>,
    size: usize,
}

impl Space {
    pub(super) fn new(limit: usize) -> Space {
        Space { held: Arc::default(), limit }
    }

    /// # Errors
    /// `InsufficientStorage`, which the real service has no need of, where the limit would be passed.
    pub(super) fn hold(&self, bytes: Bytes) -> Result<Content, Refusal> {
        let size = bytes.len();
        let fits = |held: usize| held.checked_add(size).filter(|sum| *sum <= self.limit);
        let held = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        held.map_err(|_| {
            Refusal::new(507, "InsufficientStorage", "The simulator holds no more than it was allowed to")
        })?;
        Ok(Content { bytes, _claim: Arc::new(Claim { held: self.held.clone(), size }) })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.held.fetch_sub(self.size, Ordering::Relaxed);
    }
}

impl Content {
    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_makes_room() {
        let space = Space::new(4);
        let hold = |text: &'static str| space.hold(Bytes::from_static(text.as_bytes()));
        let three = hold("abc").expect("three of four must fit");
        let clone = three.clone();
        assert_eq!(hold("de").expect_err("five must not fit").status, 507);
        drop(three);
        assert_eq!(hold("de").expect_err("a clone must count").code, "InsufficientStorage");
        drop(clone);
        hold("de").expect("two must fit");
        hold("defg").expect("all must be free again");
    }
}
