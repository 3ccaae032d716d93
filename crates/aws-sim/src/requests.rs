//! The request log: who asked which service for what, and what came of it. It holds no header, no query, no body and no
//! credential. The egress proxy keeps its own; this one is for endpoints that clients reach straight.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// One request and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedRequest {
    /// Order of completion, from 1.
    pub seq: u64,
    /// When it came.
    pub at: Timestamp,
    /// `iam`, `sts` or `s3`; empty where no service is simulated.
    pub service: &'static str,
    /// `CreateRole`, `GetObject`; empty where the request did not come so far.
    pub operation: String,
    /// As the `Host` header has it.
    pub host: String,
    /// The HTTP method.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Of a signature that was verified, or of the session that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// ARN of the signer, or of the session that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
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
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) operation: String,
    pub(crate) signer: Option<Signer>,
    pub(crate) error: Option<String>,
}

/// Who signed, or whose session was made.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) access_key_id: String,
    pub(crate) arn: String,
}

/// The latest requests; older ones make way.
#[derive(Debug)]
pub(crate) struct RequestLog {
    kept: usize,
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    seq: u64,
    requests: VecDeque<LoggedRequest>,
}

impl RequestLog {
    pub(crate) fn new(kept: usize) -> RequestLog {
        RequestLog { kept, log: Mutex::default() }
    }

    /// Gives it its number.
    pub(crate) fn push(&self, mut request: LoggedRequest) {
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

    pub(crate) fn after(&self, seq: u64) -> Vec<LoggedRequest> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let first = log.requests.front().map_or(0, |request| request.seq);
        // What is left out is no longer than the log.
        let skipped = (seq + 1).saturating_sub(first) as usize;
        log.requests.iter().skip(skipped).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_request() -> LoggedRequest {
        LoggedRequest {
            seq: 0,
            at: Timestamp::UNIX_EPOCH,
            service: "s3",
            operation: "GetObject".to_owned(),
            host: "127.0.0.1".to_owned(),
            method: "GET".to_owned(),
            path: "/data/k".to_owned(),
            access_key_id: None,
            principal: None,
            source_ip: None,
            status: 200,
            error: None,
            request_id: "id".to_owned(),
            micros: 1,
        }
    }

    #[test]
    fn keeps_the_latest_and_counts_all() {
        let check = |kept: usize, pushed: usize, after: u64, expected: &[u64]| {
            let log = RequestLog::new(kept);
            (0..pushed).for_each(|_| log.push(mk_request()));
            let found: Vec<u64> = log.after(after).iter().map(|request| request.seq).collect();
            assert_eq!(found, expected, "{kept} {pushed} {after}");
        };
        check(3, 0, 0, &[]);
        check(3, 2, 0, &[1, 2]);
        check(3, 5, 0, &[3, 4, 5]);
        check(3, 5, 3, &[4, 5]);
        check(3, 5, 5, &[]);
        check(3, 5, 9, &[]);
        check(0, 5, 0, &[]);
    }
}
