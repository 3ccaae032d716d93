//! The pauses while another run does its part. Every wait has a deadline.

use std::time::Duration;

use tokio::time::Instant;

use crate::Consistency;

/// Where writes are seen at once, another run's part takes milliseconds.
const DEADLINE_IMMEDIATE: Duration = Duration::from_secs(30);

/// The pauses of one wait.
pub(super) struct Pace {
    until: Instant,
    next: Duration,
    most: Duration,
}

impl Pace {
    pub(super) fn of(consistency: Consistency) -> Self {
        let (deadline, next, most) = match consistency {
            Consistency::Immediate => (DEADLINE_IMMEDIATE, Duration::from_millis(2), Duration::from_millis(50)),
            // A second is what the SDKs' own IAM waiters use.
            Consistency::Eventual { deadline } => (deadline, Duration::from_millis(100), Duration::from_secs(1)),
        };
        Self { until: Instant::now() + deadline, next, most }
    }

    /// Sleeps; false when the time is up.
    pub(super) async fn pause(&mut self) -> bool {
        if Instant::now() + self.next > self.until {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(self.most);
        true
    }
}
