//! The one line that a workload prints: how `s3-reader` and `kv-read` tell what they saw.

use serde::{Deserialize, Serialize};

/// One JSON object on one line of standard output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Name of the program.
    pub workload: String,
    /// What happened.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a workload saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It read the object.
    Read {
        /// Bucket or vault.
        bucket: String,
        /// Object key or secret name.
        key: String,
        /// Length of the content.
        bytes: usize,
        /// Lower-case hex SHA-256 of the content.
        sha256: String,
        /// The content itself, standard base64.
        content_base64: String,
    },
    /// A cloud refused.
    Denied {
        /// How far it came.
        stage: Stage,
        /// Which service answered: `sts`, `s3`, …
        service: String,
        /// The service's error code.
        code: String,
        /// HTTP status, where there was an answer.
        status: Option<u16>,
        /// The service's own words.
        message: String,
    },
    /// No cloud answered: the workload could not get that far.
    Failed {
        /// How far it came.
        stage: Stage,
        /// The error with its causes.
        message: String,
    },
}

/// How far a workload came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Arguments and environment.
    Configuration,
    /// Token exchange.
    Credentials,
    /// The read itself.
    Read,
}
