//! A simulator's request log: who asked which service for what, and what came of it. It holds no header, no query, no body and no
//! credential. The egress proxy keeps its own; this one is for endpoints that clients reach straight.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// Texts that a caller chose are cut after so many bytes.
const MAX_TEXT: usize = 1024;

/// One request and its answer; `W` is how a cloud names who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedRequest<W> {
    /// Order of completion, from 1.
    pub seq: u64,
    /// When it came.
    pub at: Timestamp,
    /// As the cloud's own tools abbreviate it; empty where no service is simulated.
    pub service: &'static str,
    /// `CreateRole`, `GetSecret`; empty where the request did not come so far.
    pub operation: String,
    /// As the `Host` header has it.
    pub host: String,
    /// The HTTP method.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Of a signature or token that was verified, or of the credentials that were made.
    #[serde(flatten)]
    pub who: Option<W>,
    /// Of the peer, where the server says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<IpAddr>,
    /// HTTP status.
    pub status: u16,
    /// The code of a refusal, `AccessDenied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// As the answer's header names it.
    pub request_id: String,
    /// Microseconds until the answer's head.
    pub micros: u64,
}

/// What a service tells of a request that it answered, as an extension of the answer.
#[derive(Clone, Debug)]
pub struct Told<W> {
    /// The operation.
    pub operation: String,
    /// Who asked, as far as that is proven.
    pub who: Option<W>,
    /// The code of a refusal.
    pub error: Option<String>,
}

impl<W> Default for Told<W> {
    fn default() -> Told<W> {
        Told { operation: String::new(), who: None, error: None }
    }
}

impl<W> LoggedRequest<W> {
    /// A request that has just come.
    pub fn of(at: Timestamp, host: &str, method: &str, path: &str) -> LoggedRequest<W> {
        LoggedRequest {
            seq: 0,
            at,
            service: "",
            operation: String::new(),
            host: cut(host),
            method: cut(method),
            path: cut(path),
            who: None,
            source_ip: None,
            status: 0,
            error: None,
            request_id: String::new(),
            micros: 0,
        }
    }

    /// Takes over what the service tells.
    pub fn tell(&mut self, told: Told<W>) {
        self.operation = told.operation;
        self.who = told.who;
        self.error = told.error;
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT)].to_owned()
}

/// The latest requests; older ones make way.
#[derive(Debug)]
pub struct RequestLog<W> {
    kept: usize,
    log: Mutex<Log<W>>,
}

#[derive(Debug)]
struct Log<W> {
    seq: u64,
    requests: VecDeque<LoggedRequest<W>>,
}

impl<W: Clone> RequestLog<W> {
    /// An empty log that holds so many.
    pub fn new(kept: usize) -> RequestLog<W> {
        RequestLog { kept, log: Mutex::new(Log { seq: 0, requests: VecDeque::new() }) }
    }

    /// Gives it its number.
    pub fn push(&self, mut request: LoggedRequest<W>) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.seq += 1;
        request.seq = log.seq;
        if log.requests.len() >= self.kept {
            log.requests.pop_front();
        }
        if self.kept > 0 {
            log.requests.push_back(request);
        }
    }

    /// Those that were answered after the one numbered `seq`, oldest first, as far as they are still held.
    pub fn after(&self, seq: u64) -> Vec<LoggedRequest<W>> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let first = log.requests.front().map_or(0, |request| request.seq);
        // What is left out is no longer than the log.
        let skipped = usize::try_from(seq.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        log.requests.iter().skip(skipped).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_latest_and_counts_all() {
        let check = |kept: usize, pushed: usize, after: u64, expected: &[u64]| {
            let log = RequestLog::<()>::new(kept);
            (0..pushed).for_each(|_| log.push(LoggedRequest::of(Timestamp::UNIX_EPOCH, "127.0.0.1", "GET", "/data/k")));
            let found: Vec<u64> = log.after(after).iter().map(|request| request.seq).collect();
            assert_eq!(found, expected, "{kept} {pushed} {after}");
        };
        check(3, 0, 0, &[]);
        check(3, 2, 0, &[1, 2]);
        check(3, 5, 0, &[3, 4, 5]);
        check(3, 5, 3, &[4, 5]);
        check(3, 5, 5, &[]);
        check(3, 5, 9, &[]);
        check(3, 5, u64::MAX, &[]);
        check(0, 5, 0, &[]);
    }

    #[test]
    fn a_callers_texts_are_cut() {
        let long = "ü".repeat(100_000);
        let entry = LoggedRequest::<()>::of(Timestamp::UNIX_EPOCH, &long, &long, &long);
        assert_eq!((entry.host.len(), entry.method.len(), entry.path.len()), (MAX_TEXT, MAX_TEXT, MAX_TEXT));
    }
}
