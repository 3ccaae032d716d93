//! What an eventually consistent service shows: several copies of a state, each as far as the writes have come. A write reaches each
//! copy in its own time, and a reader meets now one copy, now another, so that what was seen once may be gone the next moment.
//! Must not know what is written.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Copies that are read.
const COPIES: u64 = 3;
/// A larger factor than this is taken for this one: a day is already more than anybody waits.
const MAX_FACTOR: f64 = 10_000.0;

/// At least and at most.
pub type Delay = (SignedDuration, SignedDuration);

/// One thing as it is after a write.
pub trait Write<S>: Clone {
    /// Whether both are about the same thing.
    fn is_same(&self, other: &Self) -> bool;

    /// Makes `state` hold the thing as it is after the write, or hold it no longer.
    fn put_into(self, state: &mut S);
}

/// The copies of a state. Which write takes how long at which copy, and which copy a read meets, follows from the seed alone.
pub struct Lag<S, W> {
    seed: u64,
    delay: Delay,
    copies: Mutex<Copies<S, W>>,
}

struct Copies<S, W> {
    writes: u64,
    reads: u64,
    all: [Copy<S, W>; COPIES as usize],
}

struct Copy<S, W> {
    state: S,
    /// In the order of the writes.
    pending: Vec<(Timestamp, W)>,
}

impl<S: Default, W: Write<S>> Lag<S, W> {
    /// Empty copies.
    pub fn new(seed: u64, delay: Delay) -> Self {
        let copy = || Copy { state: S::default(), pending: Vec::new() };
        Lag { seed, delay, copies: Mutex::new(Copies { writes: 0, reads: 0, all: [copy(), copy(), copy()] }) }
    }

    /// What is everywhere at once.
    pub fn open(&self, write: &W) {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        for copy in &mut copies.all {
            write.clone().put_into(&mut copy.state);
        }
    }

    /// Sends a write on its way to every copy.
    pub fn send(&self, write: &W, now: Timestamp) {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.writes += 1;
        let sent = copies.writes;
        for (number, copy) in (0..).zip(&mut copies.all) {
            let earlier = copy.pending.iter().filter(|(_, one)| one.is_same(write));
            // A later write does not overtake an earlier one to the same thing.
            let due = earlier.map(|(due, _)| *due).max().unwrap_or(now).max(self.due(now, sent * COPIES + number));
            copy.pending.push((due, write.clone()));
        }
    }

    /// Reads one of the copies.
    pub fn read<T>(&self, now: Timestamp, look: impl FnOnce(&S) -> T) -> T {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.reads += 1;
        // Less than COPIES.
        let chosen = (mixed(self.seed ^ copies.reads.rotate_left(32)) % COPIES) as usize;
        let copy = &mut copies.all[chosen];
        copy.settle(now);
        look(&copy.state)
    }

    fn due(&self, now: Timestamp, draw: u64) -> Timestamp {
        let (least, most) = self.delay;
        // 53 bits fill a float's mantissa.
        let share = (mixed(self.seed ^ draw) >> 11) as f64 / (1_u64 << 53) as f64;
        let spread = (most.saturating_sub(least).as_millis() as f64 * share) as i64;
        let delay = least.saturating_add(SignedDuration::from_millis(spread));
        now.saturating_add(delay).unwrap_or(Timestamp::MAX)
    }
}

impl<S, W: Write<S>> Copy<S, W> {
    fn settle(&mut self, now: Timestamp) {
        if self.pending.iter().all(|(due, _)| *due > now) {
            return;
        }
        let (due, pending) = std::mem::take(&mut self.pending).into_iter().partition(|(due, _)| *due <= now);
        self.pending = pending;
        let due: Vec<_> = due;
        due.into_iter().for_each(|(_, write)| write.put_into(&mut self.state));
    }
}

impl<S, W> fmt::Debug for Lag<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lag").field("seed", &self.seed).field("delay", &self.delay).finish_non_exhaustive()
    }
}

/// A delay between so many milliseconds, times `factor`. A factor that is negative or no number is 0.
pub fn scaled(factor: f64, (least, most): (u32, u32)) -> Delay {
    let factor = if factor.is_finite() { factor.clamp(0.0, MAX_FACTOR) } else { 0.0 };
    // At most 2^32 times 10^4, which an i64 holds.
    let millis = |base: u32| SignedDuration::from_millis((f64::from(base) * factor) as i64);
    (millis(least), millis(most))
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
fn mixed(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Clone)]
    struct Set(&'static str, Option<u8>);

    impl Write<BTreeMap<&'static str, u8>> for Set {
        fn is_same(&self, other: &Set) -> bool {
            self.0 == other.0
        }

        fn put_into(self, state: &mut BTreeMap<&'static str, u8>) {
            match self.1 {
                Some(value) => drop(state.insert(self.0, value)),
                None => drop(state.remove(self.0)),
            }
        }
    }

    fn seconds(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    /// Twenty looks at each second after a write: `.` for not there, `#` for there, `~` for both.
    fn watch(seed: u64, factor: f64) -> String {
        let lag = Lag::new(seed, scaled(factor, (5_000, 15_000)));
        lag.send(&Set("a", Some(1)), seconds(0));
        let look = |at| lag.read(at, |state| state.contains_key("a"));
        (0..=16)
            .map(|second| match (0..20).filter(|_| look(seconds(second))).count() {
                0 => '.',
                20 => '#',
                _ => '~',
            })
            .collect()
    }

    #[test]
    fn a_write_is_seen_late_then_now_and_then_and_at_last_always() {
        insta::assert_snapshot!(watch(1, 1.0), @r#".........~~######"#);
        insta::assert_snapshot!(watch(2, 1.0), @r#".........~~~~####"#);
        assert_eq!(watch(1, 1.0), watch(1, 1.0));
        assert_eq!(watch(1, 0.0), "#".repeat(17));
        assert_eq!(watch(1, -1.0), watch(1, 0.0));
        assert_eq!(watch(1, f64::NAN), watch(1, 0.0));
        assert_eq!(watch(1, 100.0), ".".repeat(17));
    }

    #[test]
    fn a_later_write_to_the_same_thing_stays_the_last() {
        for seed in 0..50 {
            let lag = Lag::new(seed, scaled(1.0, (5_000, 15_000)));
            for value in [Some(1), Some(2), None] {
                lag.send(&Set("a", value), seconds(0));
            }
            for _ in 0..20 {
                assert!(lag.read(seconds(15), BTreeMap::is_empty), "seed {seed}");
            }
        }
    }

    #[test]
    fn what_is_opened_is_everywhere_at_once() {
        let lag = Lag::new(1, scaled(1.0, (5_000, 15_000)));
        lag.open(&Set("a", Some(1)));
        assert!((0..20).all(|_| lag.read(seconds(0), |state| state.contains_key("a"))));
    }
}
