//! The order of a pod's containers: init containers one by one, sidecars as soon as their turn comes and then on,
//! the others together; sidecars end last, the latest first.

use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::container::{Ending, Supervisor};
use super::{PodContext, Report, Reports};
use crate::mounts::Shelf;
use crate::namespace::Tool;
use crate::paths::PathMap;
use crate::sources::Sources;
use crate::status::{ContainerRecord, RestartPolicy, is_sidecar};

/// What was made for the containers.
pub(super) struct Laid {
    /// One a container, init containers first.
    pub(super) paths: Vec<PathMap>,
    /// For those whose paths are real.
    pub(super) tool: Option<Tool>,
    pub(super) shelf: Shelf,
    /// What the [`first`] containers refer to.
    pub(super) sources: Sources,
}

/// Those that are started first: what they refer to is fetched with the volumes.
pub(super) fn first(spec: &PodSpec) -> &[Container] {
    match spec.init_containers.as_deref() {
        Some([first, ..]) => std::slice::from_ref(first),
        _ => &spec.containers,
    }
}

/// A sidecar that runs.
struct Sidecar {
    task: AbortOnDropHandle<Ending>,
    turn: watch::Sender<bool>,
}

/// Returns when all containers are over, or have ended because the pod shall.
pub(super) async fn run(context: &Arc<PodContext>, spec: &PodSpec, reports: &Reports, laid: Laid) {
    let mut sidecars = Vec::new();
    own_work(context, spec, reports, laid, &mut sidecars).await;
    if sidecars.is_empty() {
        return;
    }
    // Refused only when the pod's task is over.
    let _ = reports.send(Report::WorkOver);
    for sidecar in sidecars.into_iter().rev() {
        sidecar.turn.send_replace(true);
        if sidecar.task.await.is_err() {
            tracing::error!(pod = %context.name, "a sidecar's task failed");
        }
    }
}

/// Everything but the end of the sidecars, which are added as they start.
async fn own_work(
    context: &Arc<PodContext>,
    spec: &PodSpec,
    reports: &Reports,
    laid: Laid,
    sidecars: &mut Vec<Sidecar>,
) {
    let policy = RestartPolicy::of(spec.restart_policy.as_deref());
    let shelf = Arc::new(laid.shelf);
    let tool = laid.tool;
    let mut paths = laid.paths.into_iter();
    // Serves the first containers only: later ones look again.
    let mut fetched = Some(Arc::new(laid.sources));
    let mk_supervisor = |init: bool, index: usize, container: &Container, paths: PathMap| Supervisor {
        context: context.clone(),
        reports: reports.clone(),
        init,
        index,
        record: ContainerRecord::of(container, "ContainerCreating"),
        container: container.clone(),
        shelf: shelf.clone(),
        tool: tool.clone().filter(|_| paths.is_real()),
        paths,
        policy: match policy {
            // An init container that has done its work is not run again.
            RestartPolicy::Always if init => RestartPolicy::OnFailure,
            policy => policy,
        },
        turn: None,
        started: watch::channel(false).0,
    };
    for ((index, init), paths) in spec.init_containers.iter().flatten().enumerate().zip(&mut paths) {
        let mut supervisor = mk_supervisor(true, index, init, paths);
        let settled = if is_sidecar(init) {
            let (turn, turns) = watch::channel(false);
            (supervisor.policy, supervisor.turn) = (RestartPolicy::Always, Some(turns));
            let mut started = supervisor.started.subscribe();
            let task = AbortOnDropHandle::new(tokio::spawn(supervisor.run(fetched.take())));
            sidecars.push(Sidecar { task, turn });
            tokio::select! {
                started = started.wait_for(|started| *started) => started.is_ok(),
                () = context.stop_asked() => false,
            }
        } else {
            supervisor.run(fetched.take()).await == Ending::Succeeded
        };
        if !settled || context.is_stopping() {
            return;
        }
    }
    let main = spec.containers.iter().enumerate().zip(paths);
    join_all(
        main.map(|((index, container), paths)| mk_supervisor(false, index, container, paths).run(fetched.clone())),
    )
    .await;
}
