//! Choices that are the same for the same seed, and the loop over seeds. Knows no policies.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Cases a property.
const CASES: u64 = 20_000;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
pub(super) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `limit`, which is not 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("must fit what it is smaller than")
    }

    /// True once in `many`.
    pub(super) fn once_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// Up to `most` picks, with repetition.
    pub(super) fn some<T: Copy>(&mut self, list: &[T], least: usize, most: usize) -> Vec<T> {
        let count = least + self.below(most - least + 1);
        (0..count).map(|_| self.pick(list)).collect()
    }

    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}

/// Runs a property on every case; the seed of one that fails is printed.
pub(super) fn for_each_case(property: impl Fn(&mut Random)) {
    for seed in 0..CASES {
        for_seed(seed, &property);
    }
}

/// One case: what a failure is tried again with.
pub(super) fn for_seed(seed: u64, property: impl Fn(&mut Random)) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| property(&mut Random(seed)))) {
        eprintln!("failed for seed {seed}: try it alone with for_seed({seed}, …)");
        resume_unwind(panic);
    }
}
