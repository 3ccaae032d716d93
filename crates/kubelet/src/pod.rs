//! One pod from binding to removal: a single task that runs its containers, writes its status and ends it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{Container, Pod, PodStatus};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::context::Context;
use crate::schedule;
use crate::status::{ContainerRecord, PodRecord, RestartPolicy, State};

mod container;
mod lifecycle;

/// What becomes of the pod's object, as the node sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lives,
    /// The API server has no such object any more.
    Gone,
    /// The node stops and writes nothing more.
    NodeStops,
}

/// The newest that is known of the pod.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) pod: Arc<Pod>,
    pub(crate) fate: Fate,
}

impl Wish {
    fn is_deleting(&self) -> bool {
        self.pod.metadata.deletion_timestamp.is_some()
    }
}

/// A container's new state.
struct Report {
    init: bool,
    index: usize,
    record: ContainerRecord,
}

type Reports = mpsc::UnboundedSender<Report>;

/// What the parts of a pod share.
pub(crate) struct PodContext {
    pub(crate) node: Arc<Context>,
    namespace: String,
    name: String,
    uid: String,
    /// The pod's private folder.
    folder: PathBuf,
    /// The object as it was bound.
    bound: Arc<Pod>,
    wish: watch::Receiver<Wish>,
    /// Set once the pod shall end: when what still runs is killed.
    stop: watch::Receiver<Option<Instant>>,
}

impl PodContext {
    /// The newest object that knows its node.
    pub(crate) fn pod(&self) -> Arc<Pod> {
        let newest = self.wish.borrow().pod.clone();
        let placed = newest.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
        if placed { newest } else { self.bound.clone() }
    }

    /// Returns when labels or annotations differ from those of `seen`.
    pub(crate) async fn metadata_changed(&self, seen: &Pod) {
        let mut wish = self.wish.clone();
        let differs = |wish: &Wish| wish.pod.labels() != seen.labels() || wish.pod.annotations() != seen.annotations();
        if wish.wait_for(differs).await.is_err() {
            std::future::pending().await
        }
    }

    /// Returns when the pod shall end.
    async fn stop_asked(&self) {
        let mut stop = self.stop.clone();
        // The sender lives as long as the task that all this runs in.
        let _ = stop.wait_for(Option::is_some).await;
    }

    fn is_stopping(&self) -> bool {
        self.stop.borrow().is_some()
    }
}

/// Binds the pod if `bind`, runs it, and returns when its object is gone or the node stops.
/// Nothing of it is left then: no process, no folder.
pub(crate) async fn run(node: Arc<Context>, wish: watch::Receiver<Wish>, bind: bool) {
    let mut pod = wish.borrow().pod.as_ref().clone();
    if bind && !bound(&node, &pod, wish.clone()).await {
        return;
    }
    if let Some(spec) = &mut pod.spec {
        spec.node_name = Some(node.node.clone());
    }
    let (stop_sender, stop) = watch::channel(None);
    let uid = pod.uid().unwrap_or_default();
    let context = Arc::new(PodContext {
        namespace: pod.namespace().unwrap_or_default(),
        name: pod.name_any(),
        folder: node.root.join(&uid),
        uid,
        bound: Arc::new(pod),
        wish,
        stop,
        node,
    });
    let PodContext { namespace, name, uid, .. } = &*context;
    let spec = context.bound.spec.clone().unwrap_or_default();
    let names = spec.init_containers.iter().flatten().chain(&spec.containers).map(|it| it.name.as_str());
    context.node.logs.open_pod(namespace, name, uid, names);
    Task::new(context.clone(), stop_sender).run().await;
    context.node.logs.close_pod(namespace, name, uid);
    if let Err(error) = std::fs::remove_dir_all(&context.folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(pod = %name, %error, "the pod's folder was not removed");
    }
}

/// Binds, trying again until that is settled; `false` if the pod is not for this node any more.
async fn bound(node: &Context, pod: &Pod, mut wish: watch::Receiver<Wish>) -> bool {
    let mut pauses = Pauses::new(Duration::from_millis(200), Duration::from_secs(10));
    loop {
        match schedule::bind(&node.client, pod, &node.node).await {
            Ok(()) => return true,
            Err(kube::Error::Api(answer)) if answer.code == 404 => return false,
            // Bound already; by us, if an earlier answer was lost.
            Err(kube::Error::Api(answer)) if answer.code == 409 => {
                return is_bound_here(node, pod).await;
            }
            Err(error) => {
                tracing::warn!(pod = %pod.name_any(), %error, "pod was not bound, trying again")
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pauses.next()) => {}
            _ = wish.wait_for(|wish| wish.fate != Fate::Lives || wish.is_deleting()) => return false,
        }
    }
}

async fn is_bound_here(node: &Context, pod: &Pod) -> bool {
    let pods: Api<Pod> = Api::namespaced(node.client.clone(), &pod.namespace().unwrap_or_default());
    match pods.get_opt(&pod.name_any()).await {
        Ok(Some(found)) => {
            found.uid() == pod.uid()
                && found.spec.and_then(|spec| spec.node_name).as_deref() == Some(node.node.as_str())
        }
        Ok(None) | Err(_) => false,
    }
}

/// Doubling pauses between tries.
struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Written {
    Done,
    /// Try again with what is true then.
    Again,
    /// There is nothing to write to.
    Refused,
}

struct Task {
    context: Arc<PodContext>,
    stop: watch::Sender<Option<Instant>>,
    record: PodRecord,
    pods: Api<Pod>,
    /// The record has news that no write carries yet.
    dirty: bool,
    writable: bool,
    pauses: Pauses,
}

impl Task {
    fn new(context: Arc<PodContext>, stop: watch::Sender<Option<Instant>>) -> Self {
        let spec = context.bound.spec.clone().unwrap_or_default();
        let main_waits = if spec.init_containers.as_ref().is_none_or(Vec::is_empty) {
            "ContainerCreating"
        } else {
            "PodInitializing"
        };
        let mk_record = |waiting: &'static str| {
            move |container: &Container| {
                ContainerRecord::new(&container.name, container.image.as_deref().unwrap_or_default(), waiting)
            }
        };
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

    async fn run(mut self) {
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
        let spec = self.context.bound.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
        Duration::from_secs(u64::try_from(deletion.or(spec).unwrap_or(30)).unwrap_or_default())
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
        let at = Instant::now() + grace;
        self.record.stopping = true;
        self.stop.send_if_modified(|stop| {
            let earlier = stop.is_none_or(|before| at < before);
            if earlier {
                *stop = Some(at);
            }
            earlier
        });
    }

    fn take(&mut self, report: Report) {
        if let State::Waiting { reason, .. } = &report.record.state {
            let PodContext { namespace, name, .. } = &*self.context;
            self.context.node.logs.note_waiting(namespace, name, &report.record.name, reason);
        }
        let list = if report.init { &mut self.record.init } else { &mut self.record.main };
        if let Some(record) = list.get_mut(report.index) {
            *record = report.record;
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
