//! Watching: the state now, then every change as it happens, until the time-out, the client or the server ends it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::stream;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::read::{self, Selection};
use crate::api::{Answer, Api, Call};
use crate::object::Object;
use crate::resources::Resource;
use crate::respond::{self, Form};
use crate::status::Status;
use crate::store::Event;
use crate::table::{self, Table};
use crate::yaml;

/// How long a watch lasts that asks for no other time; the real server picks between this and twice it.
const DEFAULT: Duration = Duration::from_secs(1800);
/// How often a client that takes bookmarks is told how far it is.
const BOOKMARK: Duration = Duration::from_secs(60);
/// It is told once more so long before the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// How an object is shown in an event.
enum View {
    Plain,
    Metadata,
    /// The columns are named once.
    Table(Table, bool),
}

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
    view: View,
    /// When the next bookmark is due, if the client takes any.
    bookmark: Option<Instant>,
}

pub(super) fn watch(call: &Call<'_>) -> Answer {
    if yaml::is_preferred(&call.headers) {
        return Err(Status::only_these_types("application/json, application/json;stream=watch"));
    }
    let view = match respond::form(&call.headers)? {
        Form::Plain => View::Plain,
        Form::Metadata => View::Metadata,
        Form::Table => View::Table(Table::of(call.resource, read::include(call)?), false),
    };
    let selection = Selection::of(call)?;
    let version = read::resource_version(call)?;
    read::versions::check_watch(&call.params)?;
    let sends = call.params.has("sendInitialEvents").then(|| call.params.flag("sendInitialEvents"));
    let current = call.api.store.version();
    if sends == Some(true) && version > current {
        return Err(Status::from_the_future(version, current));
    }
    let seconds = call
        .params
        .number("timeoutSeconds")?
        .and_then(|seconds| u64::try_from(seconds).ok())
        .filter(|seconds| *seconds > 0);
    let (now, lasts) = (Instant::now(), seconds.map_or(DEFAULT, Duration::from_secs));
    let bookmark = call.params.flag("allowWatchBookmarks").then(|| now + BOOKMARK.min(lasts.saturating_sub(FAREWELL)));
    // Subscribed before the first look, so that nothing falls between.
    let changed = call.api.store.subscribe();
    let mut watch = Watch {
        api: call.api.clone(),
        resource: call.resource,
        namespace: call.info.namespace.clone(),
        selection,
        version,
        changed,
        deadline: now + lasts,
        waiting: VecDeque::new(),
        is_over: false,
        view,
        bookmark,
    };
    if sends.unwrap_or(version == 0) {
        let (objects, now) = watch.api.store.list(watch.resource, &watch.namespace, None);
        for object in objects.iter().filter(|object| watch.selection.matches(object.value())) {
            let line = watch.view.line("ADDED", object, watch.resource, &watch.api);
            watch.waiting.push_back(line);
        }
        watch.version = now;
        if sends.is_some() && watch.bookmark.is_some() {
            watch.mark(true);
        }
    } else if version == 0 {
        watch.version = current;
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
            let (due, is_due) = (watch.bookmark.unwrap_or(watch.deadline), watch.bookmark.is_some());
            tokio::select! {
                changed = watch.changed.changed() => watch.is_over |= changed.is_err(),
                () = tokio::time::sleep_until(due), if is_due => watch.mark(false),
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
                for event in &events {
                    if let Some(kind) = self.kind(event) {
                        let line = self.view.line(kind, &event.object, self.resource, &self.api);
                        self.waiting.push_back(line);
                    }
                }
                self.version = version;
            }
            Err(too_old) => {
                self.waiting.push_back(error_line(&Status::expired(self.version, too_old.oldest)));
                self.is_over = true;
            }
        }
    }

    /// An object that ceases to match is reported as deleted, one that begins to as added.
    fn kind(&self, event: &Event) -> Option<&'static str> {
        let is_in = !event.deleted && self.selection.matches(event.object.value());
        let was_in = event.before.as_ref().is_some_and(|before| self.selection.matches(before.value()));
        match (was_in, is_in) {
            (false, true) => Some("ADDED"),
            (true, true) => Some("MODIFIED"),
            (true, false) => Some("DELETED"),
            (false, false) => None,
        }
    }

    /// Tells how far the watch is, and when it will be told again; once, that what there was is told.
    fn mark(&mut self, is_start: bool) {
        let (kind, api_version) = match self.view {
            View::Plain => (self.resource.kind, self.resource.api_version()),
            View::Metadata => ("PartialObjectMetadata", "meta.k8s.io/v1".to_owned()),
            View::Table(..) => ("Table", "meta.k8s.io/v1".to_owned()),
        };
        let mut metadata = json!({"resourceVersion": self.version.to_string()});
        if is_start {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let mut object = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
        if let View::Table(table, _) = &self.view {
            object = table.of_rows([].into_iter(), &object["metadata"], false, self.api.issuer.clock.now());
        }
        self.waiting.push_back(line("BOOKMARK", &object));
        let last = self.deadline.checked_sub(FAREWELL).filter(|last| *last > Instant::now());
        self.bookmark = last.map(|last| last.min(Instant::now() + BOOKMARK));
    }
}

impl View {
    fn line(&mut self, kind: &str, object: &Object, resource: &Resource, api: &Api) -> Bytes {
        match self {
            View::Plain => object.event_json(kind, resource),
            View::Metadata => line(kind, &table::metadata_of(object.value())),
            View::Table(table, is_named) => {
                let metadata = json!({"resourceVersion": object.resource_version().to_string()});
                let header = !std::mem::replace(is_named, true);
                line(kind, &table.of_rows([object.value()].into_iter(), &metadata, header, api.issuer.clock.now()))
            }
        }
    }
}

fn line(kind: &str, object: &Value) -> Bytes {
    Bytes::from(format!("{}\n", json!({"type": kind, "object": object})))
}

fn error_line(status: &Status) -> Bytes {
    line("ERROR", &status.to_value())
}
