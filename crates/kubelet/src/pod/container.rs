//! One container: from its specification to a process, and again after its end as the policy says.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Container;
use tokio::sync::watch;
use tokio::time::Instant;

use super::backoff::{Backoff, FIRST_PAUSE};
use super::launch::{Refusal, Start};
use super::{PodContext, Report, Reports};
use crate::events;
use crate::mounts::Shelf;
use crate::namespace::Tool;
use crate::paths::PathMap;
use crate::pauses::Pauses;
use crate::sources::{self, SourceKey, Sources};
use crate::status::{ContainerRecord, RestartPolicy, State};

/// How often a missing object is looked for when no watch tells of it.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// How a container's last run ended, for the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Succeeded,
    Failed,
    /// The pod shall end; the container did not reach an end of its own.
    Stopped,
}

pub(super) struct Supervisor {
    pub(super) context: Arc<PodContext>,
    pub(super) reports: Reports,
    pub(super) init: bool,
    pub(super) index: usize,
    pub(super) record: ContainerRecord,
    pub(super) container: Container,
    pub(super) paths: PathMap,
    pub(super) shelf: Arc<Shelf>,
    /// Makes its mount namespace, if it has one.
    pub(super) tool: Option<Tool>,
    pub(super) policy: RestartPolicy,
    /// For a sidecar: set when those that it serves have ended, and it may.
    pub(super) turn: Option<watch::Receiver<bool>>,
    /// Whether it runs and is past its start-up probe.
    pub(super) started: watch::Sender<bool>,
}

impl Supervisor {
    /// Runs the container until the policy ends it. `fetched` serves the first start.
    pub(super) async fn run(mut self, mut fetched: Option<Arc<Sources>>) -> Ending {
        let mut backoff = Backoff::default();
        loop {
            let start = match self.await_start(fetched.take()).await {
                Some(start) if !self.context.is_stopping() => start,
                _ => return Ending::Stopped,
            };
            let began = Instant::now();
            let end = self.run_once(start).await;
            let exit_code = end.exit_code;
            self.record.state = State::Terminated(end);
            self.report();
            if self.context.is_stopping() || !self.policy.restarts(exit_code) {
                return if exit_code == 0 { Ending::Succeeded } else { Ending::Failed };
            }
            if self.pause(backoff.after(began.elapsed())).await.is_none() {
                return Ending::Stopped;
            }
            self.record.restarts += 1;
        }
    }

    /// Waits before the next start as the kubelet does; `None` when the pod shall end.
    async fn pause(&mut self, pause: Duration) -> Option<()> {
        if pause.is_zero() {
            return Some(());
        }
        let last = match &self.record.state {
            State::Terminated(end) => Some(end.clone()),
            _ => None,
        };
        self.record.last = last;
        let PodContext { namespace, name, uid, .. } = &*self.context;
        let (container, pod) = (&self.container.name, format!("{name}_{namespace}({uid})"));
        let seconds = pause.as_secs();
        let message = format!("back-off {seconds}s restarting failed container={container} pod={pod}");
        let told = format!("Back-off restarting failed container {container} in pod {pod}");
        self.record.state = State::Waiting { reason: "CrashLoopBackOff", message: Some(message) };
        self.report();
        self.tell("BackOff", told);
        tokio::select! {
            () = tokio::time::sleep(pause) => Some(()),
            () = self.context.stop_asked() => None,
        }
    }

    /// Prepares the start, waiting for what is missing; `None` when the pod shall end.
    async fn await_start(&mut self, mut fetched: Option<Arc<Sources>>) -> Option<Start> {
        loop {
            let sources = match fetched.take() {
                Some(sources) => sources,
                None => self.fetch().await?,
            };
            let (reason, message, source) = match self.start(&sources) {
                Ok(start) => return Some(start),
                Err(Refusal::Image { message }) => {
                    self.wait_for_image(&message).await;
                    return None;
                }
                Err(Refusal::Final { reason, message }) => (reason, message, None),
                Err(Refusal::Source { error, seen }) => {
                    ("CreateContainerConfigError", error.to_string(), Some((error.source_key().clone(), seen)))
                }
            };
            self.wait_with(reason, message).await;
            let context = self.context.clone();
            let changes = async {
                match &source {
                    Some((source_key, seen)) => until_changed(&context, source_key, seen.as_deref()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = changes => {}
                () = context.stop_asked() => return None,
            }
        }
    }

    /// Gets what the environment refers to, until it is there.
    async fn fetch(&mut self) -> Option<Arc<Sources>> {
        let mut wanted = BTreeSet::new();
        sources::wanted_by_container(&self.container, &mut wanted);
        if wanted.is_empty() {
            return Some(Arc::default());
        }
        let context = self.context.clone();
        let mut pauses = Pauses::new(Duration::from_millis(250), LOOK_AGAIN);
        loop {
            let message = tokio::select! {
                found = sources::fetch(&context.node.client, &context.namespace, wanted.clone()) => match found {
                    Ok(sources) => return Some(Arc::new(sources)),
                    Err(error) => error.to_string(),
                },
                () = context.stop_asked() => return None,
            };
            self.wait_with("CreateContainerConfigError", message).await;
            tokio::select! {
                () = tokio::time::sleep(pauses.next()) => {}
                () = context.stop_asked() => return None,
            }
        }
    }

    /// An image that stands for nothing stays so while the node runs: returns when the pod shall end.
    async fn wait_for_image(&mut self, message: &str) {
        self.wait_with("ErrImagePull", message.to_owned()).await;
        let context = self.context.clone();
        tokio::select! {
            () = tokio::time::sleep(FIRST_PAUSE) => {}
            () = context.stop_asked() => return,
        }
        let image = self.container.image.as_deref().unwrap_or_default();
        self.wait_with("ImagePullBackOff", format!("Back-off pulling image {image:?}: ErrImagePull: {message}")).await;
        context.stop_asked().await;
    }

    /// Tells the status and, when it is news, an event why the container waits.
    async fn wait_with(&mut self, reason: &'static str, message: String) {
        let state = State::Waiting { reason, message: Some(message.clone()) };
        if self.record.state == state {
            return;
        }
        if let State::Terminated(end) = std::mem::replace(&mut self.record.state, state) {
            self.record.last = Some(end);
        }
        self.report();
        events::warn(&self.context.node, &self.context.bound, "Failed", &format!("Error: {message}")).await;
    }

    pub(super) fn report(&self) {
        self.started.send_if_modified(|started| std::mem::replace(started, self.record.is_started()) != *started);
        let record = Box::new(self.record.clone());
        // Refused only when the pod's task is over.
        let _ = self.reports.send(Report::Container { init: self.init, index: self.index, record });
    }
}

/// Returns when the object may have changed.
async fn until_changed(context: &PodContext, source_key: &SourceKey, seen: Option<&str>) {
    let began = Instant::now();
    let watching = sources::until_changed(&context.node.client, &context.namespace, source_key, seen);
    if tokio::time::timeout(LOOK_AGAIN, watching).await.is_ok() && began.elapsed() < Duration::from_millis(20) {
        // A watch that cannot be had ends at once: it must not make the caller spin.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
