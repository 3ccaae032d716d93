//! Watching: the state now, then every change as it happens, until the time-out, the client or the server ends it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::stream;
use http::StatusCode;
use serde_json::json;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::read::{self, Selection};
use crate::api::{Answer, Api, Call};
use crate::resources::Resource;
use crate::respond;
use crate::status::Status;
use crate::store::Event;

/// How long a watch lasts that asks for no other time; the real server picks between this and twice it.
const DEFAULT: Duration = Duration::from_secs(1800);

struct Watch {
    api: Arc<Api>,
    resource: &'static Resource,
    namespace: String,
    selection: Selection,
    version: u64,
    changed: Receiver<u64>,
    deadline: Instant,
    waiting: VecDeque<Bytes>,
    is_over: bool,
}

pub(super) fn watch(call: &Call<'_>) -> Answer {
    let selection = Selection::of(call)?;
    let version = read::resource_version(call)?;
    // As a server whose storage cannot report progress: clients fall back to list and watch.
    if call.params.flag("sendInitialEvents") {
        let mut status = Status::plain(
            500,
            "a watch stream was requested by the client but the required storage feature RequestWatchProgress is disabled",
        );
        status.reason = Some("InternalError".to_owned());
        return Ok(respond::json(StatusCode::OK, error_line(&status)));
    }
    let seconds = call
        .params
        .number("timeoutSeconds")
        .and_then(|seconds| u64::try_from(seconds).ok())
        .filter(|seconds| *seconds > 0);
    // Subscribed before the first look, so that nothing falls between.
    let changed = call.api.store.subscribe();
    let mut watch = Watch {
        api: call.api.clone(),
        resource: call.resource,
        namespace: call.info.namespace.clone(),
        selection,
        version,
        changed,
        deadline: Instant::now() + seconds.map_or(DEFAULT, Duration::from_secs),
        waiting: VecDeque::new(),
        is_over: false,
    };
    if version == 0 {
        let (objects, now) = watch.api.store.list(watch.resource, &watch.namespace, None);
        let matching = objects.iter().filter(|object| watch.selection.matches(object.value()));
        watch.waiting = matching.map(|object| object.event_json("ADDED", watch.resource)).collect();
        watch.version = now;
    }
    Ok(respond::json(StatusCode::OK, Body::from_stream(stream::unfold(watch, next))))
}

/// All lines that are ready, in one piece.
async fn next(mut watch: Watch) -> Option<(Result<Bytes, Infallible>, Watch)> {
    loop {
        if !watch.waiting.is_empty() {
            let lines = watch.waiting.drain(..).fold(BytesMut::new(), |mut all, line| {
                all.extend_from_slice(&line);
                all
            });
            return Some((Ok(lines.freeze()), watch));
        }
        if watch.is_over {
            return None;
        }
        watch.changed.borrow_and_update();
        watch.collect();
        if watch.waiting.is_empty() {
            let stopping = watch.api.stopping.clone();
            tokio::select! {
                changed = watch.changed.changed() => watch.is_over |= changed.is_err(),
                () = tokio::time::sleep_until(watch.deadline) => watch.is_over = true,
                () = stopping.cancelled() => watch.is_over = true,
            }
        }
    }
}

impl Watch {
    fn collect(&mut self) {
        match self.api.store.events_after(self.version, self.resource, &self.namespace) {
            Ok((events, version)) => {
                let lines: Vec<Bytes> = events.iter().filter_map(|event| self.line(event)).collect();
                self.waiting.extend(lines);
                self.version = version;
            }
            Err(too_old) => {
                self.waiting.push_back(error_line(&Status::expired(self.version, too_old.oldest)));
                self.is_over = true;
            }
        }
    }

    /// An object that ceases to match is reported as deleted, one that begins to as added.
    fn line(&self, event: &Event) -> Option<Bytes> {
        let is_in = !event.deleted && self.selection.matches(event.object.value());
        let was_in = event.before.as_ref().is_some_and(|before| self.selection.matches(before.value()));
        let kind = match (was_in, is_in) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return None,
        };
        Some(event.object.event_json(kind, self.resource))
    }
}

fn error_line(status: &Status) -> Bytes {
    Bytes::from(format!("{}\n", json!({"type": "ERROR", "object": status.to_value()})))
}
