//! A pod's way: check, make volumes, run init containers one by one, then the others together.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::container::{Ending, Supervisor};
use super::{Pauses, PodContext, Report, Reports};
use crate::atomic::create_folder;
use crate::paths::PathMap;
use crate::sources::{self, FetchError, Sources};
use crate::status::{ContainerRecord, RestartPolicy, State};
use crate::token::TokenError;
use crate::unsupported::unsupported;
use crate::volumes::{self, VolumeError, Volumes};
use crate::{environment, events};

/// Runs the pod until all of it is over, or until it shall stop and has stopped.
pub(super) async fn run(context: &Arc<PodContext>, reports: Reports) {
    let spec = context.bound.spec.clone().unwrap_or_default();
    let found = unsupported(&spec);
    if !found.refused.is_empty() {
        return refuse(context, &spec, &reports, "Unsupported", &found.refused.join("; ")).await;
    }
    if !found.ignored.is_empty() {
        let message = format!("a process node runs this pod without: {}", found.ignored.join(", "));
        let context = context.clone();
        // An event is for people: the pod does not wait for it.
        tokio::spawn(async move { events::warn(&context.node, &context.bound, "Unsupported", &message).await });
    }
    let paths = match lay_out(context, &spec) {
        Ok(paths) => paths,
        Err(message) => return refuse(context, &spec, &reports, "FailedMount", &message).await,
    };
    let volumes = match Volumes::create(&context.folder.join("volumes"), &spec) {
        Ok(volumes) => volumes,
        Err(error) => {
            return refuse(context, &spec, &reports, "FailedMount", &error.to_string()).await;
        }
    };
    let Some((volumes, sources)) = fill(context, &spec, &reports, volumes).await else {
        return;
    };
    if let Err(error) = link_mounts(context, &paths) {
        let message = format!("failed to link the volumes: {error}");
        return refuse(context, &spec, &reports, "FailedMount", &message).await;
    }
    tokio::select! {
        () = run_containers(context, &spec, &reports, paths, sources) => {}
        never = volumes.keep_fresh(context) => match never {},
    }
}

async fn run_containers(
    context: &Arc<PodContext>,
    spec: &PodSpec,
    reports: &Reports,
    paths: Vec<PathMap>,
    sources: Sources,
) {
    let policy = RestartPolicy::of(spec.restart_policy.as_deref());
    let mut paths = paths.into_iter();
    // What was fetched with the volumes serves the first containers only: later ones look again.
    let mut fetched = Some(Arc::new(sources));
    let mk_supervisor = |init: bool, index: usize, container: &Container, paths: PathMap| Supervisor {
        context: context.clone(),
        reports: reports.clone(),
        init,
        index,
        record: ContainerRecord::new(
            &container.name,
            container.image.as_deref().unwrap_or_default(),
            "ContainerCreating",
        ),
        container: container.clone(),
        paths,
        // An init container that has done its work is not run again.
        policy: if init && policy == RestartPolicy::Always { RestartPolicy::OnFailure } else { policy },
    };
    for ((index, init), paths) in spec.init_containers.iter().flatten().enumerate().zip(&mut paths) {
        let ending = mk_supervisor(true, index, init, paths).run(fetched.take()).await;
        if ending != Ending::Succeeded || context.is_stopping() {
            return;
        }
    }
    let main = spec.containers.iter().enumerate().zip(paths);
    join_all(
        main.map(|((index, container), paths)| mk_supervisor(false, index, container, paths).run(fetched.clone())),
    )
    .await;
}

/// Tells all containers why they do not start, and waits for the pod's end.
async fn refuse(context: &PodContext, spec: &PodSpec, reports: &Reports, event: &str, message: &str) {
    report_waiting(spec, reports, "CreateContainerError", message);
    events::warn(&context.node, &context.bound, event, message).await;
    context.stop_asked().await;
}

fn report_waiting(spec: &PodSpec, reports: &Reports, reason: &'static str, message: &str) {
    let init = spec.init_containers.iter().flatten().enumerate().map(|(index, container)| (true, index, container));
    let main = spec.containers.iter().enumerate().map(|(index, container)| (false, index, container));
    for (init, index, container) in init.chain(main) {
        let mut record = ContainerRecord::new(&container.name, container.image.as_deref().unwrap_or_default(), reason);
        record.state = State::Waiting { reason, message: Some(message.to_owned()) };
        // Refused only when the pod's task is over.
        let _ = reports.send(Report { init, index, record });
    }
}

/// Makes the private folders, and says where each container's paths lie; init containers first.
fn lay_out(context: &PodContext, spec: &PodSpec) -> Result<Vec<PathMap>, String> {
    let told = |error: io::Error| format!("failed to make the pod's folder: {error}");
    // The node's folder is there; only what is ours is made, for our eyes only.
    create_folder(&context.folder, 0o700).map_err(told)?;
    create_folder(&context.folder.join("logs"), 0o700).map_err(told)?;
    let mut maps = Vec::new();
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        let root = context.folder.join("root").join(&container.name);
        create_folder(&root, 0o700).map_err(told)?;
        create_folder(&home(&context.folder, &container.name), 0o700).map_err(told)?;
        let mounts = container.volume_mounts.as_deref().unwrap_or_default();
        let map = PathMap::new(root, &context.folder, mounts)
            .map_err(|error| format!("container {:?}: {error}", container.name))?;
        maps.push(map);
    }
    Ok(maps)
}

/// A container's home folder.
pub(super) fn home(folder: &Path, container: &str) -> std::path::PathBuf {
    folder.join("home").join(container)
}

/// Puts each mounted volume where its container looks for it.
fn link_mounts(context: &PodContext, paths: &[PathMap]) -> io::Result<()> {
    for mount in paths.iter().flat_map(PathMap::mounts) {
        if let Some(folder) = mount.private.parent() {
            create_folder(folder, 0o755)?;
        }
        let shown = volumes::mounted(&context.folder.join("volumes"), &mount.volume, &mount.sub_path)?;
        symlink(shown, &mount.private)?;
    }
    Ok(())
}

/// Fetches tokens and all that the volumes and the first containers refer to, and writes the volumes; tries
/// until it is done, at once when a missing object appears. `None` when the pod shall end before.
async fn fill(
    context: &PodContext,
    spec: &PodSpec,
    reports: &Reports,
    mut volumes: Volumes,
) -> Option<(Volumes, Sources)> {
    let mut wanted = BTreeSet::new();
    volumes.wanted(&mut wanted);
    match spec.init_containers.iter().flatten().next() {
        Some(first) => sources::wanted_by_container(first, &mut wanted),
        None => spec.containers.iter().for_each(|container| sources::wanted_by_container(container, &mut wanted)),
    }
    let mut pauses = Pauses::new(Duration::from_millis(250), Duration::from_secs(60));
    let mut told = String::new();
    loop {
        let pod = context.pod();
        let node = &context.node;
        let attempt = async {
            let (tokens, sources) = tokio::join!(
                volumes.fetch_tokens(&node.client, &pod, node.clock.now()),
                sources::fetch(&node.client, &context.namespace, wanted.clone()),
            );
            tokens?;
            let sources = sources?;
            volumes.write(&pod, Some(&sources)).map_err(|error| Failure::new(error, &sources))?;
            Ok::<_, Failure>(sources)
        };
        let outcome = tokio::select! {
            outcome = attempt => outcome,
            () = context.stop_asked() => return None,
        };
        let Failure { error, missing } = match outcome {
            Ok(sources) => return Some((volumes, sources)),
            Err(failure) => failure,
        };
        let message = error.to_string();
        if message != told {
            report_waiting(spec, reports, "ContainerCreating", &message);
            events::warn(node, &pod, "FailedMount", &message).await;
            told = message;
        }
        let appears = async {
            match &missing {
                Some((source_key, seen)) => {
                    sources::until_changed(&node.client, &context.namespace, source_key, seen.as_deref()).await;
                    // A watch that cannot be had ends at once: it must not make this loop spin.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = appears => {}
            () = tokio::time::sleep(pauses.next()) => {}
            () = context.stop_asked() => return None,
        }
    }
}

/// Why volumes could not be filled, and the object (with the version seen) whose change may mend it.
struct Failure {
    error: VolumeError,
    missing: Option<(sources::SourceKey, Option<String>)>,
}

impl Failure {
    fn new(error: VolumeError, sources: &Sources) -> Self {
        let missing = match &error {
            VolumeError::Source { reason, .. } => {
                let source_key = reason.source_key().clone();
                let seen = sources.version(&source_key).map(str::to_owned);
                Some((source_key, seen))
            }
            _ => None,
        };
        Self { error, missing }
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        Self { error: error.into(), missing: None }
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self { error: error.into(), missing: None }
    }
}

/// What every container of the pod has in its environment.
pub(super) fn base(context: &PodContext, container: &str) -> environment::Base {
    let hostname = context.bound.spec.as_ref().and_then(|spec| spec.hostname.clone());
    let mut hostname = hostname.unwrap_or_else(|| context.name.clone());
    hostname.truncate(63);
    environment::Base {
        hostname: hostname.trim_end_matches(['-', '.']).to_owned(),
        home: home(&context.folder, container).to_string_lossy().into_owned(),
        api_host: context.node.api_server.host.clone(),
        api_port: context.node.api_server.port,
        node: context.node.environment.clone(),
    }
}
