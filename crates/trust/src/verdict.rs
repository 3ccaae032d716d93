//! What a check came to.

use serde::{Deserialize, Serialize};

/// The verdict on a check or a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// What was expected was seen.
    Passed,
    /// Something else was seen.
    Failed {
        /// What differs.
        reason: String,
    },
    /// Not tried, and why.
    Skipped {
        /// What is missing for it.
        reason: String,
    },
    /// Seen only after a retry.
    Flaky {
        /// What the first tries gave.
        reason: String,
    },
    /// It could not be found out: the place, not the product, failed.
    Infra {
        /// What failed.
        reason: String,
    },
    /// It passed and something stayed behind.
    Leaked {
        /// What stayed.
        reason: String,
    },
}

impl Verdict {
    /// The word in tables and files.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed { .. } => "failed",
            Verdict::Skipped { .. } => "skipped",
            Verdict::Flaky { .. } => "flaky",
            Verdict::Infra { .. } => "infra",
            Verdict::Leaked { .. } => "leaked",
        }
    }

    /// Why, unless it simply passed.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Verdict::Passed => None,
            Verdict::Failed { reason }
            | Verdict::Skipped { reason }
            | Verdict::Flaky { reason }
            | Verdict::Infra { reason }
            | Verdict::Leaked { reason } => Some(reason),
        }
    }
}
