//! The request log: what each client asked of each host, and what came back. It holds no header and no credential.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// Exchanges kept; the oldest go first. A run has some hundreds.
const KEPT: usize = 100_000;
/// Bytes of an error body that are kept.
pub(crate) const ERROR_BODY: usize = 4096;

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// Order of completion, from 1.
    pub seq: u64,
    /// When the answer's head was there.
    pub at: Timestamp,
    /// Whose credentials were used; empty when there were none that are known.
    pub client: String,
    /// Host asked for.
    pub host: String,
    /// `CONNECT` for refused tunnels, else the method inside.
    pub method: String,
    /// Path without its query.
    pub path: String,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Microseconds until the answer's head.
    pub micros: u64,
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Someone answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// Start of the body where the status is 400 or above, redacted.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// The name is not in the host table.
    UnknownHost,
    /// Credentials missing or wrong.
    Unauthenticated,
    /// The upstream could not be reached.
    Unreachable {
        /// Why.
        error: String,
    },
}

/// All exchanges of a wire; clones are the same log.
#[derive(Debug, Clone, Default)]
pub struct RequestLog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    seq: u64,
    exchanges: std::collections::VecDeque<Exchange>,
}

impl RequestLog {
    pub(crate) fn push(&self, mut exchange: Exchange) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.seq += 1;
        exchange.seq = state.seq;
        if state.exchanges.len() == KEPT {
            state.exchanges.pop_front();
        }
        state.exchanges.push_back(exchange);
    }

    /// Everything, oldest first.
    pub fn all(&self) -> Vec<Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).exchanges.iter().cloned().collect()
    }

    /// What one client did, oldest first.
    pub fn of(&self, client: &str) -> Vec<Exchange> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.exchanges.iter().filter(|exchange| exchange.client == client).cloned().collect()
    }
}
