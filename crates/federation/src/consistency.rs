//! How soon a cloud shows what was written to it. Knows no service: which refusals a lag explains, each cloud lists.

use std::time::Duration;

/// How soon a service sees what was written a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// At once (simulators, emulators). An unexpected refusal is final.
    Immediate,
    /// Later (IAM User Guide: "changes that I make are not always immediately visible"). A refusal that such a lag explains
    /// is tried again until the deadline.
    Eventual {
        /// For each call.
        deadline: Duration,
    },
}
