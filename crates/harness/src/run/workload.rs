//! One cell in the cluster: furnish a namespace, create the pod, wait for its end, fetch its log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::Watched;
use egress::Exchange;
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::Client;
use scenario::Scenario;
use serde_json::{Value, json};
use trust::workload::Line;
use trust::{KeyRing, UnverifiedToken};

use super::federate::LiveCell;
use super::places::{Places, password};
use super::{Settings, kube_objects, overlay, token};
use crate::exit::{Exit, Stop};
use crate::journal::Journal;

/// A call to the API server has this long.
const CALL: Duration = Duration::from_secs(20);
/// Log that is fetched, in bytes; the workload prints one line of bounded size.
const LOG_LIMIT: usize = 1024 * 1024;

/// What was seen of one pod.
#[derive(Debug)]
pub(crate) struct Observation {
    /// The pod as it was admitted.
    pub(crate) admitted: Value,
    /// Its token, where the run itself put it there.
    pub(crate) token: Option<UnverifiedToken>,
    /// How it ended, or what was last seen of it.
    pub(crate) end: End,
    /// Its whole log.
    pub(crate) log: String,
    /// The workload's line, if it printed one.
    pub(crate) line: Option<Line>,
    /// What it sent over the wire.
    pub(crate) requests: Vec<Exchange>,
    /// From creation to log.
    pub(crate) duration: Duration,
}

/// How a pod ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// Its first container ended.
    Exited {
        /// Exit code.
        code: i32,
        /// What the node says of it, where it is more than the code.
        message: Option<String>,
    },
    /// It was still there at the deadline.
    Unfinished(String),
}

/// What all cells share.
pub(crate) struct Stage<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) scenario: &'a Scenario,
    pub(crate) places: &'a Places,
    pub(crate) journal: &'a Journal,
    pub(crate) pods: &'a Watched<Pod>,
}

/// Creates everything of a cell but its pod. Needs nothing from the clouds: all names are known beforehand.
pub(crate) async fn furnish(stage: &Stage<'_>, cell: &LiveCell) -> Result<(), Stop> {
    let scenario = stage.scenario;
    let proxy = stage.places.wire.admit(&cell.names.namespace, password());
    let target = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": scenario.pod.name},
        "data": {"bucket": cell.names.bucket, "key": scenario.aws.object_key}});
    let wire = overlay::wire_secret(&proxy, stage.places.wire.root_pem());
    let objects = [("configmaps", target), ("secrets", wire)];
    kube_objects::furnish(stage.places.cluster.client(), stage.journal, &stage.settings.run, cell, &objects).await
}

/// Puts the token of a fault into the cell; `None` where the kubelet's own is used.
pub(crate) async fn plant_token(
    client: &Client,
    cell: &LiveCell,
    ring: Option<Arc<KeyRing>>,
) -> Result<Option<UnverifiedToken>, Stop> {
    let fault = &cell.cell.access.token;
    if fault.is_projected() {
        return Ok(None);
    }
    let genuine = token::genuine(client, cell).await?;
    let altered = token::altered(&genuine, fault, ring.as_deref())?;
    let secret = overlay::secret(overlay::TOKEN_SECRET, &[("token", altered.expose())]);
    let path = format!("/api/v1/namespaces/{}/secrets", cell.names.namespace);
    kube_objects::create(client, &path, &secret)
        .await
        .map_err(|error| kube_objects::refused("the fault's token", &error))?;
    UnverifiedToken::decode(altered.expose()).map(Some).map_err(|error| Stop::caused(Exit::Internal, error))
}

/// Creates the pod and follows it to its end.
pub(crate) async fn observe(
    stage: &Stage<'_>,
    cell: &LiveCell,
    token: Option<UnverifiedToken>,
) -> Result<Observation, Stop> {
    let started = Instant::now();
    let (scenario, client) = (stage.scenario, stage.places.cluster.client());
    let namespace = &cell.names.namespace;
    let pod = manifest(stage, cell);
    let path = format!("/api/v1/namespaces/{namespace}/pods");
    let admitted = within(kube_objects::create(client, &path, &pod)).await?.map_err(|error| Stop {
        exit: Exit::Infrastructure,
        ..kube_objects::refused(&format!("the pod in {namespace}"), &error)
    })?;
    let ended =
        stage.pods.wait(namespace, &scenario.pod.name, stage.settings.pod_timeout, |pod| exited(pod).is_some()).await;
    let end = match &ended {
        Ok(pod) => exited(pod).unwrap_or_else(|| End::Unfinished(describe(Some(pod)))),
        Err(last_seen) => End::Unfinished(describe(last_seen.as_deref())),
    };
    // A pod that never started has no log: that is no error.
    let log = match (within(log(stage, namespace)).await?, &end) {
        (Ok(log), _) => log,
        (Err(_), End::Unfinished(_)) => String::new(),
        (Err(error), End::Exited { .. }) => {
            return Err(Stop::new(
                Exit::Infrastructure,
                format!("the log of the pod in {namespace} cannot be read: {error}"),
            ));
        }
    };
    Ok(Observation {
        admitted,
        token,
        end,
        line: log.lines().rev().find_map(|line| serde_json::from_str(line).ok()),
        log,
        requests: stage.places.wire.log().of(namespace),
        duration: started.elapsed(),
    })
}

/// The scenario's pod with what the run adds.
fn manifest(stage: &Stage<'_>, cell: &LiveCell) -> Value {
    let mut pod = stage.scenario.pod.manifest.clone();
    overlay::wire_overlay(&mut pod);
    overlay::token_overlay(&mut pod, &cell.cell.access.token);
    // Beside other nodes the scheduler could choose one of them.
    let node = stage.places.cluster.process_node().filter(|_| stage.places.cluster.has_other_nodes());
    overlay::placement(&mut pod, node, stage.settings.run.as_str());
    pod
}

async fn within<T>(call: impl Future<Output = T>) -> Result<T, Stop> {
    let message = || format!("the API server did not answer within {} s", CALL.as_secs());
    tokio::time::timeout(CALL, call).await.map_err(|_| Stop::new(Exit::Infrastructure, message()))
}

async fn log(stage: &Stage<'_>, namespace: &str) -> Result<String, kube::Error> {
    let pod = &stage.scenario.pod;
    let skip = if stage.places.cluster.trusts_node() { "" } else { "&insecureSkipTLSVerifyBackend=true" };
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods/{}/log?container={}&limitBytes={LOG_LIMIT}{skip}",
        pod.name, pod.container
    );
    let request = http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    stage.places.cluster.client().request_text(request).await
}

/// The end of the first container once the pod has ended.
fn exited(pod: &Pod) -> Option<End> {
    let status = pod.status.as_ref()?;
    if !matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) {
        return None;
    }
    let terminated = state(pod)?.terminated.as_ref()?;
    let message = terminated
        .message
        .as_ref()
        .map(|message| format!("{}: {message}", terminated.reason.as_deref().unwrap_or_default()));
    Some(End::Exited { code: terminated.exit_code, message })
}

fn state(pod: &Pod) -> Option<&ContainerState> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()?.state.as_ref()
}

/// What is known of a pod that has not ended.
fn describe(pod: Option<&Pod>) -> String {
    let Some(pod) = pod else {
        return "the pod was not seen at all".to_owned();
    };
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("no phase yet");
    let waiting = state(pod).and_then(|state| state.waiting.as_ref()).map(|waiting| {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("; waiting: {} {}", part(&waiting.reason), part(&waiting.message))
    });
    format!("pod {phase}{}", waiting.unwrap_or_default())
}
