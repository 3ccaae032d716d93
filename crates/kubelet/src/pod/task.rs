//! A pod's main loop: heeds what becomes of its object, and writes its status. It must not know how containers are run.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{Container, Pod, PodStatus};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::{Fate, PodContext, Report, Stop, Wish, lifecycle};
use crate::pauses::Pauses;
use crate::status::{ContainerRecord, PodRecord, RestartPolicy, State};

#[derive(Debug, PartialEq, Eq)]
enum Written {
    Done,
    /// Try again with what is true then.
    Again,
    /// There is nothing to write to.
    Refused,
}

pub(super) struct Task {
    context: Arc<PodContext>,
    stop: watch::Sender<Option<Stop>>,
    record: PodRecord,
    pods: Api<Pod>,
    /// The record has news that no write carries yet.
    dirty: bool,
    writable: bool,
    pauses: Pauses,
}

impl Task {
    pub(super) fn new(context: Arc<PodContext>, stop: watch::Sender<Option<Stop>>) -> Self {
        let spec = context.bound.spec.clone().unwrap_or_default();
        let main_waits = if spec.init_containers.as_ref().is_none_or(Vec::is_empty) {
            "ContainerCreating"
        } else {
            "PodInitializing"
        };
        let mk_record = |waiting: &'static str| move |container: &Container| ContainerRecord::of(container, waiting);
        let record = PodRecord::new(
            RestartPolicy::of(spec.restart_policy.as_deref()),
            spec.init_containers.iter().flatten().map(mk_record("PodInitializing")).collect(),
            spec.containers.iter().map(mk_record(main_waits)).collect(),
            context.node.clock.now(),
        );
        let pods = Api::namespaced(context.node.client.clone(), &context.namespace);
        let pauses = Pauses::new(Duration::from_millis(200), Duration::from_secs(5));
        Self { context, stop, record, pods, dirty: false, writable: true, pauses }
    }

    pub(super) async fn run(mut self) {
        let mut wish = self.context.wish.clone();
        wish.mark_changed();
        let (sender, mut reports) = mpsc::unbounded_channel();
        let context = self.context.clone();
        let mut work = std::pin::pin!(lifecycle::run(&context, sender).fuse());
        let mut deadline = std::pin::pin!(self.deadline().fuse());
        let mut writing: Option<BoxFuture<'static, Written>> = None;
        // Closed when the work is over and its last report was taken.
        let mut reporting = true;
        let mut confirmed = false;
        // The node went without a word: as if it had stopped.
        let mut orphaned = false;
        loop {
            if self.dirty && self.writable && writing.is_none() {
                self.dirty = false;
                writing = Some(self.write());
            }
            if !reporting && writing.is_none() {
                let (fate, deleting) = {
                    let wish = wish.borrow();
                    (wish.fate, wish.is_deleting())
                };
                if fate != Fate::Lives || orphaned {
                    return;
                }
                if deleting && !confirmed {
                    confirmed = self.confirm_deletion(wish.clone()).await;
                    continue;
                }
            }
            tokio::select! {
                biased;
                report = reports.recv(), if reporting => match report {
                    Some(report) => self.take(report),
                    None => {
                        reporting = false;
                        // What never started has no more say in the phase of a stopping pod.
                        self.dirty |= self.record.stopping;
                    }
                },
                () = &mut work => {}
                outcome = written(&mut writing) => {
                    writing = None;
                    match outcome {
                        Written::Done => self.pauses = Pauses::new(Duration::from_millis(200), Duration::from_secs(5)),
                        Written::Again => self.dirty = true,
                        Written::Refused => self.writable = false,
                    }
                }
                changed = wish.changed(), if !orphaned => {
                    orphaned = changed.is_err();
                    let newest = wish.borrow_and_update().clone();
                    self.heed(if orphaned { Fate::NodeStops } else { newest.fate }, &newest);
                }
                () = &mut deadline => {
                    self.record.ended =
                        Some(("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"));
                    self.end_within(self.grace(None));
                }
            }
        }
    }

    /// Ends when `activeDeadlineSeconds` have passed, if the pod has them.
    fn deadline(&self) -> impl Future<Output = ()> + Send + 'static {
        let seconds = self.context.bound.spec.as_ref().and_then(|spec| spec.active_deadline_seconds);
        let duration = seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        async move {
            match duration {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        }
    }

    fn grace(&self, deletion: Option<i64>) -> Duration {
        let asked = deletion.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or_default()));
        asked.unwrap_or_else(|| self.context.grace())
    }

    fn heed(&mut self, fate: Fate, wish: &Wish) {
        match fate {
            Fate::Lives if wish.is_deleting() => {
                self.end_within(self.grace(wish.pod.metadata.deletion_grace_period_seconds));
            }
            Fate::Lives => {}
            Fate::Gone | Fate::NodeStops => {
                self.writable = false;
                self.end_within(Duration::ZERO);
            }
        }
    }

    /// Lets the containers end, and kills them after `grace`; an earlier time than before holds.
    fn end_within(&mut self, grace: Duration) {
        let wanted = Stop { kill_at: Instant::now() + grace, at_once: grace.is_zero() };
        self.record.stopping = true;
        self.stop.send_if_modified(|stop| {
            let earlier = stop.is_none_or(|before| wanted.kill_at < before.kill_at);
            if earlier {
                *stop = Some(wanted);
            }
            earlier
        });
    }

    fn take(&mut self, report: Report) {
        let Report::Container { init, index, record } = report else {
            return self.end_within(self.grace(None));
        };
        if let State::Waiting { reason, .. } = &record.state {
            let PodContext { namespace, name, .. } = &*self.context;
            self.context.node.logs.note_waiting(namespace, name, &record.name, reason);
        }
        let list = if init { &mut self.record.init } else { &mut self.record.main };
        if let Some(known) = list.get_mut(index) {
            *known = *record;
            self.dirty = true;
        }
    }

    /// Writes the status as it is now.
    fn write(&mut self) -> BoxFuture<'static, Written> {
        let status: PodStatus = self.record.status(self.context.node.clock.now());
        let (pods, context, pause) = (self.pods.clone(), self.context.clone(), self.pauses.next());
        async move {
            // The uid keeps this from a later pod of the same name.
            let patch = json!({"metadata": {"uid": context.uid}, "status": status});
            match pods.patch_status(&context.name, &PatchParams::default(), &Patch::Merge(&patch)).await {
                Ok(_) => Written::Done,
                Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409 | 422) => {
                    tracing::debug!(pod = %context.name, message = %answer.message, "status was refused");
                    Written::Refused
                }
                Err(error) => {
                    tracing::warn!(pod = %context.name, %error, "status was not written, trying again");
                    tokio::time::sleep(pause).await;
                    Written::Again
                }
            }
        }
        .boxed()
    }

    /// Tells the API server that nothing of the pod runs any more. `true` when that is settled.
    async fn confirm_deletion(&mut self, mut wish: watch::Receiver<Wish>) -> bool {
        let parameters = DeleteParams::default()
            .grace_period(0)
            .preconditions(Preconditions { uid: Some(self.context.uid.clone()), resource_version: None });
        match self.pods.delete(&self.context.name, &parameters).await {
            Ok(_) => return true,
            Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => return true,
            Err(error) => {
                tracing::warn!(pod = %self.context.name, %error, "deletion was not confirmed, trying again")
            }
        }
        tokio::select! {
            () = tokio::time::sleep(self.pauses.next()) => {}
            _ = wish.wait_for(|wish| wish.fate != Fate::Lives) => {}
        }
        false
    }
}

/// What a status write came to; never, if none is under way. May be cancelled and called again.
async fn written(writing: &mut Option<BoxFuture<'static, Written>>) -> Written {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}
