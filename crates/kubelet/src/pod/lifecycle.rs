//! A pod's way: check what it asks for, make its folders and volumes, run its containers, keep the volumes fresh.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::{PodContext, Report, Reports, messages, order};
use crate::atomic::create_folder;
use crate::mounts::Shelf;
use crate::namespace::Tool;
use crate::paths::PathMap;
use crate::pauses::Pauses;
use crate::sources::{self, FetchError, Sources};
use crate::status::{ContainerRecord, State};
use crate::token::TokenError;
use crate::unsupported::unsupported;
use crate::volumes::{VolumeError, Volumes};
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
    let tool = namespace_tool(context, &spec).await;
    let paths = match lay_out(context, &spec, tool.is_some()) {
        Ok(paths) => paths,
        Err(message) => return refuse(context, &spec, &reports, "FailedMount", &message).await,
    };
    let shelf = Shelf::new(&context.folder, &spec);
    let volumes = match Volumes::create(&shelf.volumes(), &spec) {
        Ok(volumes) => volumes,
        Err(error) => {
            return refuse(context, &spec, &reports, "FailedMount", &error.to_string()).await;
        }
    };
    let Some((volumes, sources)) = fill(context, &spec, &reports, volumes).await else {
        return;
    };
    tokio::select! {
        () = order::run(context, &spec, &reports, order::Laid { paths, tool, shelf, sources }) => {}
        never = volumes.keep_fresh(context) => match never {},
    }
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
        let mut record = Box::new(ContainerRecord::of(container, reason));
        record.state = State::Waiting { reason, message: Some(message.to_owned()) };
        // Refused only when the pod's task is over.
        let _ = reports.send(Report::Container { init, index, record });
    }
}

fn wants_real_paths(context: &PodContext, container: &Container) -> bool {
    let image = container.image.as_deref().unwrap_or_default();
    context.node.programs.image(image).is_some_and(|image| image.real_paths)
}

/// What makes a mount namespace, if a container wants one and the system permits; that it does not is told in an event.
async fn namespace_tool(context: &Arc<PodContext>, spec: &PodSpec) -> Option<Tool> {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let names: Vec<_> =
        containers.filter(|it| wants_real_paths(context, it)).map(|container| container.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let reason = match context.node.namespaces.tool(&context.node.root).await {
        Ok(tool) => return Some(tool),
        Err(reason) => reason,
    };
    let message = format!(
        "this system permits no private mount namespace ({reason}): in {}, values, commands and arguments that begin with a mount path are \
         rewritten, and a path that a program has built in is not found",
        names.join(", ")
    );
    let context = context.clone();
    tokio::spawn(async move { events::warn(&context.node, &context.bound, "RewrittenPaths", &message).await });
    None
}

/// Makes the private folders, and says where each container's paths lie; init containers first.
fn lay_out(context: &PodContext, spec: &PodSpec, real_paths: bool) -> Result<Vec<PathMap>, String> {
    let told = |error: io::Error| format!("failed to make the pod's folder: {error}");
    // The node's folder is there; only what is ours is made, for our eyes only.
    create_folder(&context.folder, 0o700).map_err(told)?;
    create_folder(&context.folder.join("logs"), 0o700).map_err(told)?;
    create_folder(&context.folder.join(messages::FOLDER), 0o700).map_err(told)?;
    let mut maps = Vec::new();
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        let root = context.folder.join("root").join(&container.name);
        create_folder(&root, 0o700).map_err(told)?;
        create_folder(&home(&context.folder, &container.name), 0o700).map_err(told)?;
        let mounts = container.volume_mounts.as_deref().unwrap_or_default();
        let map = PathMap::new(root, &context.folder, mounts)
            .map_err(|error| format!("container {:?}: {error}", container.name))?;
        let map = match messages::path(container) {
            Some(path) => map.with_file(path, messages::file(&context.folder, &container.name)),
            None => map,
        };
        maps.push(if real_paths && wants_real_paths(context, container) { map.real() } else { map });
    }
    Ok(maps)
}

/// A container's home folder.
pub(super) fn home(folder: &Path, container: &str) -> std::path::PathBuf {
    folder.join("home").join(container)
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
    for container in order::first(spec) {
        sources::wanted_by_container(container, &mut wanted);
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
            volumes.write((&pod, node.capacity), Some(&sources)).map_err(|error| Failure::new(error, &sources))?;
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
        path: environment::CONTAINER_PATH.to_owned(),
        capacity: context.node.capacity,
        node: context.node.environment.clone(),
    }
}
