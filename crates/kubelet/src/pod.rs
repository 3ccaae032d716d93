//! One pod from binding to removal: a single task that runs its containers, writes its status and ends it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::context::Context;
use crate::namespace;
use crate::status::ContainerRecord;

mod backoff;
mod binding;
mod container;
mod launch;
mod lifecycle;
mod messages;
mod order;
mod running;
mod task;

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

/// What the work on a pod tells its task.
enum Report {
    /// A container's new state.
    Container { init: bool, index: usize, record: Box<ContainerRecord> },
    /// No container of the pod's own work is started any more: the sidecars shall end.
    WorkOver,
}

/// How a pod shall end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stop {
    /// When what still runs is killed.
    kill_at: Instant,
    /// Nobody waits for anything: no hook, no signal to end.
    at_once: bool,
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
    /// Set once the pod shall end.
    stop: watch::Receiver<Option<Stop>>,
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
        self.until(Option::is_some).await;
    }

    /// Returns when a container shall end: with the pod, or for a sidecar when its turn has come or the time is up.
    async fn asked_to_end(&self, turn: Option<watch::Receiver<bool>>) {
        self.stop_asked().await;
        if let Some(mut turn) = turn {
            tokio::select! {
                // One whose sender is gone shall end as well.
                _ = turn.wait_for(|turn| *turn) => {}
                () = self.time_is_up() => {}
            }
        }
    }

    /// Returns when what still runs is to be killed.
    async fn time_is_up(&self) {
        let mut stop = self.stop.clone();
        loop {
            let stopping = *stop.borrow_and_update();
            let timer = async {
                match stopping {
                    Some(stop) => tokio::time::sleep_until(stop.kill_at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = timer => return,
                changed = stop.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }

    async fn ends_at_once(&self) {
        self.until(|stop| stop.is_some_and(|stop| stop.at_once)).await;
    }

    fn is_ending_at_once(&self) -> bool {
        self.stop.borrow().is_some_and(|stop| stop.at_once)
    }

    async fn until(&self, condition: impl FnMut(&Option<Stop>) -> bool) {
        let mut stop = self.stop.clone();
        // The sender lives as long as the task that all this runs in.
        let _ = stop.wait_for(condition).await;
    }

    /// The time that the pod gives its containers to end.
    fn grace(&self) -> Duration {
        let seconds = self.bound.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
        Duration::from_secs(seconds.map_or(30, |seconds| u64::try_from(seconds).unwrap_or_default()))
    }

    fn is_stopping(&self) -> bool {
        self.stop.borrow().is_some()
    }
}

/// Binds the pod if `bind`, runs it, and returns when its object is gone or the node stops.
/// Nothing of it is left then: no process, no folder.
pub(crate) async fn run(node: Arc<Context>, wish: watch::Receiver<Wish>, bind: bool) {
    let mut pod = wish.borrow().pod.as_ref().clone();
    if bind && !binding::bound(&node, &pod, wish.clone()).await {
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
    task::Task::new(context.clone(), stop_sender).run().await;
    context.node.logs.close_pod(namespace, name, uid);
    if let Err(error) = namespace::remove(&context.folder) {
        tracing::warn!(pod = %name, %error, "the pod's folder was not removed");
    }
}
