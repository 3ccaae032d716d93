//! The node itself: registration, heartbeat, the watch on pods, and the end of all of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use transport::{Authority, AuthorityError, Server, ServerError};
use trust::{Clock, SharedClock};

use crate::context::{ApiServerAddress, Context};
use crate::downward::HOST_IP;
use crate::logs::{self, LogShelf};
use crate::namespace::Namespaces;
use crate::pod::{self, Fate, Wish};
use crate::programs::Programs;
use crate::resources::Capacity;
use crate::schedule::{self, Placement};
use crate::{control_plane, events};

/// Well below the 40 s after which a cluster's own controllers call a node lost.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long the end of all pods may take when the node stops; their processes are killed at once.
const STOP: Duration = Duration::from_secs(10);

/// Whether the cluster has controllers of its own.
#[derive(Debug, Clone)]
pub enum ControlPlane {
    /// It has, or its API server does their work.
    Present,
    /// It is a bare API server: the node also makes each namespace's `default` service account and
    /// `kube-root-ca.crt` ConfigMap, and empties and finalises namespaces that are deleted.
    Missing {
        /// The authority of the API server's certificate.
        root_ca_pem: String,
        /// Label selector of the namespaces that are looked after; others are left as they are.
        namespaces: String,
    },
}

/// What a node needs.
pub struct NodeConfig {
    /// Reaches the API server. Set `default_retry = false` in its configuration: the client's own
    /// retries of a 503 take minutes, and the node retries where it makes sense.
    pub client: Client,
    /// The node's name, unused so far.
    pub name: String,
    /// Labels beside the usual ones.
    pub labels: BTreeMap<String, String>,
    pub programs: Programs,
    /// Variables that every container starts with, as a container runtime can be told for proxies; the pod's own win.
    pub environment: BTreeMap<String, String>,
    /// An existing private folder. Each pod has one below it, named by its uid, until its object is gone.
    pub root: PathBuf,
    /// Signs the certificate under which logs are served to the API server.
    pub authority: Arc<Authority>,
    pub clock: SharedClock,
    pub control_plane: ControlPlane,
    /// What pods are told as `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`.
    pub api_server: ApiServerAddress,
}

impl std::fmt::Debug for NodeConfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("NodeConfig")
            .field("name", &self.name)
            .field("programs", &self.programs)
            .field("root", &self.root)
            .field("api_server", &self.api_server)
            .finish_non_exhaustive()
    }
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("node folder {0:?} is not a folder that exists")]
    Root(PathBuf),
    #[error("node {0:?} exists already; a process node takes over no other's name")]
    NameTaken(String),
    #[error("failed to register the node")]
    Register(#[source] Box<kube::Error>),
    #[error("failed to listen for log requests")]
    Listen(#[source] io::Error),
    #[error("failed to make the log endpoint's certificate")]
    Certificate(#[source] AuthorityError),
    #[error("failed to serve logs")]
    Serve(#[source] ServerError),
}

/// A running node. Dropping it kills its pods' processes but leaves its `Node` object; [`stop`](Self::stop) it.
///
/// It binds pods that have no node, whose scheduler is `default-scheduler` and whose node selector it meets,
/// and runs those and any other pods bound to it. Beside another scheduler the first binding wins. It
/// carries no taint: use it in clusters where it is the only node, or give pods a `nodeName` or a selector.
#[derive(Debug)]
pub struct ProcessNode {
    name: String,
    nodes: Api<Node>,
    stop: CancellationToken,
    main: AbortOnDropHandle<()>,
    _helpers: Vec<AbortOnDropHandle<()>>,
    server: Server,
}

impl ProcessNode {
    /// Registers the node and begins to run pods.
    ///
    /// # Errors
    /// When the folder is not there, the name is taken, the API server refuses the node, or no port can be had.
    pub async fn start(config: NodeConfig) -> Result<Self, NodeError> {
        let NodeConfig {
            client,
            name,
            labels: more,
            programs,
            environment,
            root,
            authority,
            clock,
            control_plane,
            api_server,
        } = config;
        if !root.is_dir() {
            return Err(NodeError::Root(root));
        }
        let shelf = LogShelf::default();
        let listener = TcpListener::bind((HOST_IP, 0)).await.map_err(NodeError::Listen)?;
        let identity = authority.server_identity(&[HOST_IP, &name]).map_err(NodeError::Certificate)?;
        let server =
            Server::tls(listener, identity, logs::router(shelf.clone(), clock.clone())).map_err(NodeError::Serve)?;

        let nodes: Api<Node> = Api::all(client.clone());
        let mut labels = mk_labels(&name);
        labels.extend(more);
        let capacity = Capacity::of_this_machine();
        let node = mk_node(&name, &labels, server.addr().port(), capacity, clock.as_ref());
        register(&nodes, &name, &node).await?;

        let stop = CancellationToken::new();
        let mut helpers =
            vec![AbortOnDropHandle::new(tokio::spawn(heartbeat(nodes.clone(), name.clone(), clock.clone())))];
        if let ControlPlane::Missing { root_ca_pem, namespaces } = control_plane {
            helpers.push(AbortOnDropHandle::new(tokio::spawn(control_plane::run(
                client.clone(),
                root_ca_pem,
                namespaces,
            ))));
        }
        let context = Context {
            client,
            node: name.clone(),
            programs,
            environment: Arc::new(environment),
            root,
            clock,
            api_server,
            logs: shelf,
            capacity,
            namespaces: Namespaces::default(),
        };
        let context = Arc::new(context);
        let runner = Runner { context, labels, pods: HashMap::new(), tasks: JoinSet::new(), told: HashSet::new() };
        let main = AbortOnDropHandle::new(tokio::spawn(runner.run(stop.clone())));
        Ok(Self { name, nodes, stop, main, _helpers: helpers, server })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Kills and reaps every pod's processes, removes their folders and deletes the `Node` object.
    /// The pods' objects stay as they are.
    pub async fn stop(self) {
        self.stop.cancel();
        if self.main.await.is_err() {
            tracing::warn!(node = %self.name, "the node's task failed");
        }
        let parameters = DeleteParams::default();
        let deleted = self.nodes.delete(&self.name, &parameters);
        match tokio::time::timeout(STOP, deleted).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(node = %self.name, %error, "the node's object was not deleted")
            }
            Err(_) => {
                tracing::warn!(node = %self.name, "the node's object was not deleted in time")
            }
        }
        self.server.stop().await;
    }
}

fn mk_labels(name: &str) -> BTreeMap<String, String> {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    [
        ("crossfed.dev/process-node", "true"),
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", arch),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

fn mk_node(
    name: &str,
    labels: &BTreeMap<String, String>,
    log_port: u16,
    capacity: Capacity,
    clock: &dyn Clock,
) -> serde_json::Value {
    let memory = format!("{}Ki", capacity.memory_bytes / 1024);
    let capacity = json!({"pods": "110", "cpu": capacity.cpus.to_string(), "memory": memory});
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": HOST_IP},
                {"type": "Hostname", "address": name},
            ],
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [mk_ready(clock)],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": log_port}},
            "nodeInfo": {
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kernelVersion": "",
                "osImage": "local processes",
                "operatingSystem": "linux",
                "architecture": labels.get("kubernetes.io/arch"),
                "containerRuntimeVersion": concat!("process://", env!("CARGO_PKG_VERSION")),
                "kubeletVersion": concat!("v", env!("CARGO_PKG_VERSION"), "-crossfed"),
                "kubeProxyVersion": "",
            },
        },
    })
}

fn mk_ready(clock: &dyn Clock) -> serde_json::Value {
    let now = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "process node is ready",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    })
}

async fn register(nodes: &Api<Node>, name: &str, node: &serde_json::Value) -> Result<(), NodeError> {
    let refused = |error: kube::Error| NodeError::Register(Box::new(error));
    let typed: Node = serde_json::from_value(node.clone()).map_err(|error| refused(kube::Error::SerdeError(error)))?;
    let created = match nodes.create(&PostParams::default(), &typed).await {
        Ok(created) => created,
        Err(kube::Error::Api(answer)) if answer.code == 409 => {
            return Err(NodeError::NameTaken(name.to_owned()));
        }
        Err(error) => return Err(refused(error)),
    };
    // A server that takes status only through its own path has left it out.
    if created.status.is_none_or(|status| status.daemon_endpoints.is_none()) {
        let patch = json!({"status": node["status"]});
        nodes.patch_status(name, &PatchParams::default(), &Patch::Merge(&patch)).await.map_err(refused)?;
    }
    Ok(())
}

async fn heartbeat(nodes: Api<Node>, name: String, clock: SharedClock) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let patch = json!({"status": {"conditions": [mk_ready(clock.as_ref())]}});
        if let Err(error) = nodes.patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch)).await {
            tracing::warn!(node = %name, %error, "heartbeat was not written");
        }
    }
}

/// Keeps one task for each pod of the node.
struct Runner {
    context: Arc<Context>,
    labels: BTreeMap<String, String>,
    pods: HashMap<String, watch::Sender<Wish>>,
    tasks: JoinSet<String>,
    /// Pods that were told why they do not fit.
    told: HashSet<String>,
}

impl Runner {
    async fn run(mut self, stop: CancellationToken) {
        let api: Api<Pod> = Api::all(self.context.client.clone());
        let mut events: BoxStream<'_, _> = watcher(api, watcher::Config::default()).default_backoff().boxed();
        let mut listed = HashSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                event = events.next() => match event {
                    Some(Ok(Event::Init)) => listed.clear(),
                    Some(Ok(Event::InitApply(pod))) => {
                        listed.extend(pod.uid());
                        self.see(pod);
                    }
                    Some(Ok(Event::InitDone)) => self.keep_only(&listed),
                    Some(Ok(Event::Apply(pod))) => self.see(pod),
                    Some(Ok(Event::Delete(pod))) => self.forget(&pod.uid().unwrap_or_default()),
                    Some(Err(error)) => tracing::warn!(%error, "the watch on pods failed, trying again"),
                    None => break,
                },
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(uid) => drop(self.pods.remove(&uid)),
                    Err(error) => tracing::error!(%error, "a pod's task failed"),
                },
            }
        }
        drop(events);
        for wish in self.pods.values() {
            wish.send_modify(|wish| wish.fate = Fate::NodeStops);
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP, all).await.is_err() {
            // Aborted tasks drop their processes, which kills them.
            tracing::warn!("pods did not end in time");
            self.tasks.shutdown().await;
        }
    }

    fn see(&mut self, pod: Pod) {
        let uid = pod.uid().unwrap_or_default();
        // It names a folder that is removed with all it holds.
        if uid.is_empty() || !uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            tracing::warn!(pod = %pod.name_any(), "pod has no proper uid and is left alone");
            return;
        }
        let pod = Arc::new(pod);
        if let Some(wish) = self.pods.get(&uid) {
            wish.send_modify(|wish| wish.pod = pod);
            return;
        }
        match schedule::placement(&pod, &self.context.node, &self.labels) {
            Placement::Here => self.start(uid, pod, false),
            Placement::Bind => self.start(uid, pod, true),
            Placement::Unsuitable(message) => {
                if self.told.insert(uid) {
                    let context = self.context.clone();
                    tokio::spawn(async move { tell_unsuitable(&context, &pod, &message).await });
                }
            }
            Placement::Elsewhere => {}
        }
    }

    fn start(&mut self, uid: String, pod: Arc<Pod>, bind: bool) {
        let over =
            matches!(pod.status.as_ref().and_then(|status| status.phase.as_deref()), Some("Succeeded" | "Failed"));
        if over && pod.metadata.deletion_timestamp.is_none() {
            return;
        }
        let (sender, wish) = watch::channel(Wish { pod, fate: Fate::Lives });
        self.pods.insert(uid.clone(), sender);
        let context = self.context.clone();
        self.tasks.spawn(async move {
            pod::run(context, wish, bind).await;
            uid
        });
    }

    fn forget(&mut self, uid: &str) {
        self.told.remove(uid);
        if let Some(wish) = self.pods.get(uid) {
            wish.send_modify(|wish| wish.fate = Fate::Gone);
        }
    }

    /// After a fresh list: what it does not hold is gone.
    fn keep_only(&mut self, listed: &HashSet<String>) {
        let gone: Vec<String> = self.pods.keys().filter(|uid| !listed.contains(*uid)).cloned().collect();
        for uid in gone {
            self.forget(&uid);
        }
    }
}

/// What a scheduler says of a pod that it cannot place.
async fn tell_unsuitable(context: &Context, pod: &Pod, message: &str) {
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &pod.namespace().unwrap_or_default());
    let patch = json!({"metadata": {"uid": pod.uid()}, "status": {"conditions": [{
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
        "lastTransitionTime": context.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }]}});
    if let Err(error) = pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await {
        tracing::warn!(pod = %pod.name_any(), %error, "condition was not written");
    }
    events::warn(context, pod, "FailedScheduling", message).await;
}
