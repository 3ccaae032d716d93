//! The part of the kubelet's HTTP interface that an API server asks for logs:
//! `GET /containerLogs/{namespace}/{pod}/{container}`.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures::stream;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use trust::SharedClock;

use super::LogShelf;
use super::reader::{Reader, Selection};
use crate::logs::FindError;

#[derive(Clone)]
struct Endpoint {
    shelf: LogShelf,
    clock: SharedClock,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct LogQuery {
    follow: Option<bool>,
    previous: Option<bool>,
    timestamps: Option<bool>,
    tail_lines: Option<usize>,
    limit_bytes: Option<usize>,
    since_seconds: Option<i64>,
    since_time: Option<Timestamp>,
}

/// The node's HTTP interface.
pub(crate) fn router(shelf: LogShelf, clock: SharedClock) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/containerLogs/{namespace}/{pod}/{container}", get(container_logs))
        .with_state(Endpoint { shelf, clock })
}

async fn container_logs(
    State(endpoint): State<Endpoint>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    Query(query): Query<LogQuery>,
) -> Response {
    let log = match endpoint.shelf.find(&namespace, &pod, &container, query.previous.unwrap_or(false)) {
        Ok(log) => log,
        Err(error @ FindError::Pod(_)) => {
            return (StatusCode::NOT_FOUND, error.to_string()).into_response();
        }
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let reader = match Reader::open(log) {
        Ok(reader) => reader,
        Err(error) => {
            return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
        }
    };
    let ago =
        query.since_seconds.map(|seconds| endpoint.clock.now().saturating_sub(SignedDuration::from_secs(seconds)));
    let serving = Serving {
        reader,
        selection: Selection {
            tail_lines: query.tail_lines,
            since: query.since_time.or(ago.and_then(Result::ok)),
            timestamps: query.timestamps.unwrap_or(false),
        },
        follow: query.follow.unwrap_or(false),
        left: query.limit_bytes.unwrap_or(usize::MAX),
        started: false,
    };
    let body = Body::from_stream(stream::try_unfold(serving, Serving::next));
    ([(http::header::CONTENT_TYPE, "text/plain")], body).into_response()
}

struct Serving {
    reader: Reader,
    selection: Selection,
    follow: bool,
    /// Bytes that may still be sent.
    left: usize,
    started: bool,
}

impl Serving {
    async fn next(mut self) -> std::io::Result<Option<(Bytes, Self)>> {
        loop {
            if self.left == 0 {
                return Ok(None);
            }
            let first = !std::mem::replace(&mut self.started, true);
            let mut shown =
                if first { self.reader.start(&self.selection)? } else { self.reader.more(&self.selection)? };
            if !shown.is_empty() {
                shown.truncate(self.left);
                self.left -= shown.len();
                return Ok(Some((shown.into(), self)));
            }
            // The first answer may be empty although more is there: `tailLines=0` skips it.
            if first {
                continue;
            }
            if !self.follow || !self.reader.grows().await {
                return Ok(None);
            }
        }
    }
}
