//! How long a container waits before it is started again.

use std::time::Duration;

pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A run of this length wipes out the failures before it.
const LONG_RUN: Duration = Duration::from_secs(600);

/// The runs of a container that ended too soon.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait after a run of this length.
    pub(super) fn after(&mut self, run: Duration) -> Duration {
        self.failures = if run >= LONG_RUN { 0 } else { self.failures + 1 };
        pause(self.failures)
    }
}

/// The first restart is immediate, the next ones wait 10 s, 20 s, … up to 5 minutes.
fn pause(failures: u32) -> Duration {
    match failures {
        0 | 1 => Duration::ZERO,
        _ => (FIRST_PAUSE * (1 << (failures - 2).min(10))).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_back_off_as_the_kubelet_does() {
        let check = |failures: u32, seconds: u64| {
            assert_eq!(pause(failures), Duration::from_secs(seconds), "{failures}");
        };
        check(1, 0);
        check(2, 10);
        check(3, 20);
        check(6, 160);
        check(7, 300);
        check(100, 300);
    }

    #[test]
    fn a_long_run_wipes_out_the_failures_before_it() {
        let mut backoff = Backoff::default();
        let mut check = |run: u64, seconds: u64| {
            assert_eq!(backoff.after(Duration::from_secs(run)), Duration::from_secs(seconds), "{run}");
        };
        check(1, 0);
        check(1, 10);
        check(599, 20);
        check(600, 0);
        check(1, 0);
    }
}
