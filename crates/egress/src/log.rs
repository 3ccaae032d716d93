//! The request log: what each client asked of each host, which token it presented, and what came back. It holds no header
//! and no credential: of a token only what anybody may read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Notify;

use crate::assertion::Assertion;

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
    /// The token that was presented, where the body was a form of at most 64 KiB that held one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Assertion>,
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
    /// The name is not in the host table, or whoever answers for its family does not have it.
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
pub struct RequestLog(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    pushed: Notify,
}

#[derive(Debug, Default)]
struct State {
    seq: u64,
    exchanges: VecDeque<Exchange>,
}

impl RequestLog {
    pub(crate) fn push(&self, mut exchange: Exchange) {
        let mut state = self.state();
        state.seq += 1;
        exchange.seq = state.seq;
        if state.exchanges.len() == KEPT {
            state.exchanges.pop_front();
        }
        state.exchanges.push_back(exchange);
        drop(state);
        self.0.pushed.notify_waiters();
    }

    /// Everything, oldest first.
    pub fn all(&self) -> Vec<Exchange> {
        self.state().exchanges.iter().cloned().collect()
    }

    /// What one client did, oldest first.
    pub fn of(&self, client: &str) -> Vec<Exchange> {
        self.state().exchanges.iter().filter(|exchange| exchange.client == client).cloned().collect()
    }

    /// Waits until `condition` holds for what one client did, and gives that, oldest first. It is asked at once, and again
    /// whenever something has passed.
    ///
    /// # Errors
    /// What the client did until the deadline, when the condition did not hold by then.
    pub async fn wait_for(
        &self,
        client: &str,
        deadline: Duration,
        condition: impl Fn(&[Exchange]) -> bool,
    ) -> Result<Vec<Exchange>, Vec<Exchange>> {
        let held = async {
            loop {
                // Before the look: what is pushed after it wakes.
                let pushed = self.0.pushed.notified();
                let seen = self.of(client);
                if condition(&seen) {
                    return seen;
                }
                pushed.await;
            }
        };
        tokio::time::timeout(deadline, held).await.map_err(|_| self.of(client))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_exchange(client: &str) -> Exchange {
        Exchange {
            seq: 0,
            at: Timestamp::UNIX_EPOCH,
            client: client.to_owned(),
            host: "a.example".into(),
            method: "GET".into(),
            path: "/".into(),
            assertion: None,
            outcome: Outcome::Answered { status: 200, error: None },
            micros: 0,
        }
    }

    #[tokio::test]
    async fn waiting_ends_when_the_condition_holds_for_that_client() {
        let log = RequestLog::default();
        let waiting = tokio::spawn({
            let log = log.clone();
            async move { log.wait_for("a", Duration::from_secs(30), |seen| seen.len() == 2).await }
        });
        for client in ["a", "b", "b", "a"] {
            // So that the waiting one looks in between.
            tokio::task::yield_now().await;
            log.push(mk_exchange(client));
        }
        let seen = waiting.await.expect("must end").expect("must hold");
        assert_eq!(seen.iter().map(|one| one.seq).collect::<Vec<_>>(), [1, 4]);
        let at_once = log.wait_for("b", Duration::ZERO, |seen| seen.len() == 2).await;
        assert_eq!(at_once, Ok(log.of("b")));
    }

    #[tokio::test]
    async fn a_condition_that_never_holds_gives_what_was_seen() {
        let log = RequestLog::default();
        log.push(mk_exchange("a"));
        log.push(mk_exchange("b"));
        let seen = log.wait_for("a", Duration::from_millis(10), |seen| seen.len() == 2).await;
        assert_eq!(seen, Err(log.of("a")));
    }
}
