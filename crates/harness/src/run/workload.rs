//! One cell in the cluster: furnish a namespace, create the pod, wait for its end, fetch its logs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::Watched;
use egress::Exchange;
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use report::Observed;
use scenario::{Cloud, Scenario};
use serde_json::{Value, json};
use trust::workload::Line;
use trust::{IssuerUrl, KeyRing};

use super::answering::password;
use super::diagnose::published::{Published, key_ids};
use super::federate::LiveCell;
use super::kube_objects::Creator;
use super::places::Places;
use super::planted::{self, Planted};
use super::{Settings, kube_objects, overlay};
use crate::exit::{Exit, Stop};

/// A call to the API server has this long.
const CALL: Duration = Duration::from_secs(20);
/// Log that is fetched, in bytes; the workload prints one line of bounded size.
const LOG_LIMIT: usize = 1024 * 1024;

/// What was seen of one pod.
#[derive(Debug)]
pub(crate) struct Observation {
    /// The pod as it was admitted.
    pub(crate) admitted: Value,
    /// How it ended before there was a container: refused by a cloud or by the API server.
    pub(crate) early: Option<Observed>,
    /// Its tokens that the run itself put there.
    pub(crate) planted: Vec<Planted>,
    /// Its containers that read.
    pub(crate) seen: Vec<Seen>,
    /// What it sent over the wire.
    pub(crate) requests: Vec<Exchange>,
    /// The last request that was logged before it was created.
    before: u64,
    /// From creation to log.
    pub(crate) duration: Duration,
}

/// What was seen of one container.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Where it reads.
    pub(crate) cloud: Cloud,
    /// How it ended, or what was last seen of it.
    pub(crate) end: End,
    /// Its whole log.
    pub(crate) log: String,
    /// The workload's last line, if it printed one.
    pub(crate) line: Option<Line>,
}

/// How a pod ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It ended.
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
    pub(crate) creator: &'a Creator,
    pub(crate) pods: &'a Watched<Pod>,
}

impl Stage<'_> {
    /// What a simulated cloud's token service has asked of issuers so far; nothing is seen of another one's.
    pub(crate) fn fetches(&self, cloud: Cloud) -> Vec<Exchange> {
        self.places.wire().log().of(match cloud {
            Cloud::Aws => clouds::aws::STS_CLIENT,
            Cloud::Azure => clouds::azure::ENTRA_CLIENT,
        })
    }
}

impl Stage<'_> {
    /// What an issuer publishes, looked at through the wire. `None` where this process cannot look.
    pub(crate) async fn published(&self, issuer: &IssuerUrl, fetches: &[Exchange]) -> Option<Published> {
        let set = http::Request::get("/openid/v1/jwks").body(Vec::new()).ok()?;
        let own = self.places.cluster.client().request::<Value>(set);
        let cluster_keys = own.await.ok().as_ref().and_then(key_ids).unwrap_or_default();
        let answers = fetches.iter().any(|exchange| {
            let url = format!("{}{}", exchange.host, exchange.path);
            url.starts_with(issuer.without_scheme().trim_end_matches('/'))
        });
        let client = self.places.issuer_client();
        Some(Published::look(client, issuer, answers, cluster_keys).await)
    }
}

/// Creates everything of a cell but its pod. Waits for nothing of the clouds but the identity that the service account names.
pub(crate) async fn furnish(stage: &Stage<'_>, cell: &LiveCell) -> Result<(), Stop> {
    let proxy = stage.places.wire().admit(&cell.names.namespace, password());
    let wire = overlay::wire_secret(&proxy, stage.places.wire().root_pem());
    let mut objects = vec![("secrets", wire)];
    objects.extend(targets(stage.scenario, cell).into_iter().map(|target| ("configmaps", target)));
    let account = cell.account(stage.scenario, stage.places.cluster.issuer());
    stage.creator.furnish(cell, &objects, account).await
}

/// What the containers read, one config map each, by the container's name.
fn targets(scenario: &Scenario, cell: &LiveCell) -> Vec<Value> {
    let map = |container: &str, data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": container}, "data": data});
    let aws = scenario
        .aws
        .as_ref()
        .zip(cell.names.aws.as_ref())
        .map(|(aws, names)| map(&aws.container, json!({"bucket": names.bucket, "key": aws.object_key})));
    let azure = scenario.azure.as_ref().zip(cell.names.azure.as_ref()).map(|(azure, names)| {
        map(&azure.container, json!({"vault-url": names.vault_url(), "secret": azure.secret_name}))
    });
    aws.into_iter().chain(azure).collect()
}

/// What is seen of a cell for which no pod runs.
fn without_pod(early: Observed, started: Instant) -> Observation {
    let (planted, seen, requests) = (Vec::new(), Vec::new(), Vec::new());
    let duration = started.elapsed();
    Observation { admitted: Value::Null, early: Some(early), planted, seen, requests, before: 0, duration }
}

/// Puts the cell's tokens in place, creates its pod and follows it to its end.
pub(crate) async fn observe(
    stage: &Stage<'_>,
    cell: &LiveCell,
    ring: Option<Arc<KeyRing>>,
) -> Result<Observation, Stop> {
    let started = Instant::now();
    if let Some(refusal) = cell.refused.get() {
        return Ok(without_pod(refusal.observed(), started));
    }
    let planted = planted::plant(stage, cell, ring).await?;
    try_once(stage, cell, planted, 0).await
}

/// Takes the pod of an observation away and follows another of its name to its end.
pub(crate) async fn observe_again(stage: &Stage<'_>, cell: &LiveCell, last: Observation) -> Result<Observation, Stop> {
    let (namespace, name) = (&cell.names.namespace, &stage.scenario.pod.name);
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}?gracePeriodSeconds=0");
    let gone = within(kube_objects::delete(stage.places.cluster.client(), &path)).await?;
    gone.map_err(|error| Stop::new(Exit::Infrastructure, format!("the pod in {namespace} is not deleted: {error}")))?;
    let before = last.requests.last().map_or(last.before, |exchange| exchange.seq);
    try_once(stage, cell, last.planted, before).await
}

async fn try_once(stage: &Stage<'_>, cell: &LiveCell, planted: Vec<Planted>, before: u64) -> Result<Observation, Stop> {
    let started = Instant::now();
    let namespace = &cell.names.namespace;
    let admitted = match start(stage, cell, None).await? {
        Started::Admitted(admitted) => admitted,
        Started::Rejected { status, message } => {
            return Ok(without_pod(Observed::Rejected { status, message }, started));
        }
    };
    let name = &stage.scenario.pod.name;
    let deadline = stage.settings.pod_timeout;
    // One of the same name may have been there before.
    let uid = admitted["metadata"]["uid"].as_str();
    let ended = stage.pods.wait(namespace, name, deadline, |pod| {
        pod.metadata.uid.as_deref() == uid && phase(pod).is_some_and(|phase| ENDED.contains(&phase))
    });
    let pod = match ended.await {
        Ok(pod) => Some(pod),
        Err(last_seen) => last_seen,
    };
    let mut seen = Vec::new();
    for cloud in stage.scenario.clouds() {
        seen.push(look(stage, namespace, name, cloud, pod.as_deref()).await?);
    }
    let mut requests = stage.places.wire().log().of(namespace);
    requests.retain(|exchange| exchange.seq > before);
    Ok(Observation { admitted, early: None, planted, seen, requests, before, duration: started.elapsed() })
}

/// A pod that reads again and again.
pub(crate) struct Lasting<'a> {
    /// Its name, in place of the manifest's.
    pub(crate) name: &'a str,
    /// Seconds between two reads.
    pub(crate) every: &'a str,
}

/// What came of a pod's creation.
pub(crate) enum Started {
    /// The pod as it was admitted.
    Admitted(Value),
    /// The API server said no.
    Rejected {
        /// HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
}

impl Started {
    /// The pod, where nothing but a pod will do.
    pub(crate) fn admitted(self, namespace: &str) -> Result<Value, Stop> {
        match self {
            Self::Admitted(pod) => Ok(pod),
            Self::Rejected { status, message } => {
                let message = format!("the API server refused the pod in {namespace}: {message} ({status})");
                Err(Stop::new(Exit::Infrastructure, message))
            }
        }
    }
}

/// Creates the pod.
pub(crate) async fn start(stage: &Stage<'_>, cell: &LiveCell, lasting: Option<&Lasting<'_>>) -> Result<Started, Stop> {
    let namespace = &cell.names.namespace;
    let mut pod = manifest(stage, cell);
    if let Some(lasting) = lasting {
        overlay::every(&mut pod, lasting.every);
        pod["metadata"]["name"] = Value::from(lasting.name);
    }
    let path = format!("/api/v1/namespaces/{namespace}/pods");
    match within(kube_objects::create(stage.places.cluster.client(), &path, &pod)).await? {
        Ok(pod) => Ok(Started::Admitted(pod)),
        Err(kube::Error::Api(status)) if (400..500).contains(&status.code) => {
            Ok(Started::Rejected { status: status.code, message: status.message.clone() })
        }
        Err(error) => Err(Stop {
            exit: Exit::Infrastructure,
            ..kube_objects::refused(&format!("the pod in {namespace}"), &error)
        }),
    }
}

/// What is to be seen of the container that reads in a cloud.
pub(crate) async fn look(
    stage: &Stage<'_>,
    namespace: &str,
    name: &str,
    cloud: Cloud,
    pod: Option<&Pod>,
) -> Result<Seen, Stop> {
    let container = stage.scenario.target(cloud).map(|(name, _)| name).unwrap_or_default();
    let end = pod.and_then(|pod| exited(pod, container)).unwrap_or_else(|| End::Unfinished(describe(pod, container)));
    // A container that never started has no log: that is no error.
    let log = match (within(log(stage, namespace, name, container)).await?, &end) {
        (Ok(log), _) => log,
        (Err(_), End::Unfinished(_)) => String::new(),
        (Err(error), End::Exited { .. }) => {
            return Err(Stop::new(
                Exit::Infrastructure,
                format!("the log of the pod in {namespace} cannot be read: {error}"),
            ));
        }
    };
    let line = log.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    Ok(Seen { cloud, end, log, line })
}

/// The cell's pod with what the run adds.
fn manifest(stage: &Stage<'_>, cell: &LiveCell) -> Value {
    let mut pod = cell.cell.access.pod.clone();
    overlay::wire_overlay(&mut pod);
    for cloud in planted::clouds(stage.scenario, cell) {
        overlay::token_overlay(&mut pod, cloud);
    }
    if let Some(texts) = cell.account.get() {
        for cloud in stage.scenario.clouds().into_iter().filter(|&cloud| cell.cell.concerns(cloud)) {
            let container = stage.scenario.target(cloud).map(|(name, _)| name).unwrap_or_default();
            overlay::variables(&mut pod, container, &texts.env);
        }
    }
    // Beside other nodes the scheduler could choose one of them.
    let node = stage.places.cluster.process_node().filter(|_| stage.places.cluster.has_other_nodes());
    overlay::placement(&mut pod, node, stage.settings.run.as_str());
    pod
}

async fn within<T>(call: impl Future<Output = T>) -> Result<T, Stop> {
    let message = || format!("the API server did not answer within {} s", CALL.as_secs());
    tokio::time::timeout(CALL, call).await.map_err(|_| Stop::new(Exit::Infrastructure, message()))
}

async fn log(stage: &Stage<'_>, namespace: &str, name: &str, container: &str) -> Result<String, kube::Error> {
    let skip = if stage.places.cluster.trusts_node() { "" } else { "&insecureSkipTLSVerifyBackend=true" };
    let path =
        format!("/api/v1/namespaces/{namespace}/pods/{name}/log?container={container}&limitBytes={LOG_LIMIT}{skip}");
    let request = http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    stage.places.cluster.client().request_text(request).await
}

/// Phases of a pod that has ended.
const ENDED: [&str; 2] = ["Succeeded", "Failed"];

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

/// The end of a container once it has ended.
fn exited(pod: &Pod, container: &str) -> Option<End> {
    let terminated = state(pod, container)?.terminated.as_ref()?;
    let message = terminated
        .message
        .as_ref()
        .map(|message| format!("{}: {message}", terminated.reason.as_deref().unwrap_or_default()));
    Some(End::Exited { code: terminated.exit_code, message })
}

fn state<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerState> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find(|status| status.name == container)?.state.as_ref()
}

/// What is known of a container that has not ended.
fn describe(pod: Option<&Pod>, container: &str) -> String {
    let Some(pod) = pod else {
        return "the pod was not seen at all".to_owned();
    };
    let waiting = state(pod, container).and_then(|state| state.waiting.as_ref()).map(|waiting| {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("; waiting: {} {}", part(&waiting.reason), part(&waiting.message))
    });
    format!("pod {}{}", phase(pod).unwrap_or("no phase yet"), waiting.unwrap_or_default())
}
