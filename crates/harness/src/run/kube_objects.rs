//! The cluster's side of a cell: plain calls to the Kubernetes API, written down before they are made.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::Settings;
use super::begun::Begun;
use super::federate::LiveCell;
use super::render::AccountTexts;
use crate::exit::{Exit, Stop};
use crate::journal::{Entry, Journal, Known, KubernetesUndo, Undo};
use crate::naming::RunId;
use federation::Intent;

/// Label of everything that a run creates in a cluster.
pub(crate) const RUN_LABEL: &str = "crossfed.dev/run";
/// Label of everything that this program creates in a cluster (Kubernetes documentation, "Recommended Labels").
pub(crate) const TOOL_LABEL: &str = "app.kubernetes.io/managed-by";
/// Its value.
pub(crate) const TOOL: &str = "crossfed";
/// Annotation that says until when an object may stand.
pub(crate) const EXPIRES: &str = "crossfed.dev/expires";
/// Label of a cell's namespace: which cell it is.
pub(crate) const CELL_LABEL: &str = "crossfed.dev/cell";

/// Path of the mutating webhook configurations.
pub(crate) const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
/// Path of the namespaces.
pub(crate) const NAMESPACES: &str = "/api/v1/namespaces";
/// Path of the nodes.
pub(crate) const NODES: &str = "/api/v1/nodes";

/// Creates an object at a collection's path.
pub(crate) async fn create(client: &Client, path: &str, object: &Value) -> Result<Value, kube::Error> {
    let body = serde_json::to_vec(object).map_err(kube::Error::SerdeError)?;
    let request = http::Request::post(path).header(http::header::CONTENT_TYPE, "application/json").body(body);
    client.request(request.map_err(kube::Error::HttpError)?).await
}

/// What an API server answers that is busy, starting or behind a balancer that is (Kubernetes API conventions, "HTTP Status codes").
const TRANSIENT: [u16; 5] = [429, 500, 502, 503, 504];
/// How often a call is sent while its refusal is transient, and the pause before the second time; it doubles.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(100);

/// Sends what may be sent twice, again while nobody answers or the answer is transient.
async fn patiently(client: &Client, method: http::Method, path: &str) -> Result<Value, kube::Error> {
    let mut attempt = 1;
    loop {
        let request = http::Request::builder().method(method.clone()).uri(path).body(Vec::new());
        let answer = client.request::<Value>(request.map_err(kube::Error::HttpError)?).await;
        let is_transient = match &answer {
            Err(kube::Error::Api(status)) => TRANSIENT.contains(&status.code),
            Err(kube::Error::HyperError(_) | kube::Error::Service(_)) => true,
            _ => false,
        };
        if !is_transient || attempt == ATTEMPTS {
            return answer;
        }
        tokio::time::sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
        attempt += 1;
    }
}

/// Deletes an object; one that is not there is done.
pub(crate) async fn delete(client: &Client, path: &str) -> Result<(), kube::Error> {
    match patiently(client, http::Method::DELETE, path).await {
        Ok(_) => Ok(()),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// What became of an object that is to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is gone.
    Deleted,
    /// It was not there.
    Absent,
    /// It is another's, and was left alone.
    Others,
}

/// Takes back what a run created, and waits until it is gone.
///
/// # Errors
/// When it is not, with the reason.
pub(crate) async fn take_back(client: &Client, path: &str, run: &str) -> Result<Fate, String> {
    let told = |error: kube::Error| error.to_string();
    let found = match patiently(client, http::Method::GET, path).await {
        Ok(found) => found,
        Err(error) if is_absent(&error) => return Ok(Fate::Absent),
        Err(error) => return Err(told(error)),
    };
    if found["metadata"]["labels"][RUN_LABEL] != run {
        return Ok(Fate::Others);
    }
    delete(client, path).await.map_err(told)?;
    gone(client, path, found["metadata"]["uid"].as_str().unwrap_or_default()).await?;
    Ok(Fate::Deleted)
}

/// Waits until a namespace, whose deletion takes time, is gone; everything else goes at once.
async fn gone(client: &Client, path: &str, uid: &str) -> Result<(), String> {
    let Some(name) = path.strip_prefix(NAMESPACES).and_then(|rest| rest.strip_prefix('/')) else {
        return Ok(());
    };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let deleted = await_condition(namespaces, name, conditions::is_deleted(uid));
    deleted.await.map(drop).map_err(|error| error.to_string())
}

/// Sorts objects into rounds to take back: webhooks first, so that they hinder nothing, then namespaces; the node that runs
/// their pods ends them, so it goes last.
pub(crate) fn undo_rounds(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let mut rounds: [Vec<Entry>; 3] = Default::default();
    for entry in entries {
        let at = match &entry.undo {
            Undo::Kubernetes(undo) if undo.path.starts_with(WEBHOOKS) => 0,
            Undo::Kubernetes(undo) if undo.path.starts_with(NODES) => 2,
            _ => 1,
        };
        rounds[at].push(entry);
    }
    rounds.into_iter().filter(|round| !round.is_empty()).collect()
}

/// What marks a run's objects.
pub(crate) fn labels(run: &RunId) -> BTreeMap<String, String> {
    let labels = [(RUN_LABEL, run.as_str()), (TOOL_LABEL, TOOL)];
    labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Where a run's objects are listed: kind and path.
pub(crate) fn collections(run: &RunId) -> [(&'static str, String); 2] {
    let selector = format!("?labelSelector={}%3D{run}", RUN_LABEL.replace('/', "%2F"));
    [("namespace", format!("{NAMESPACES}{selector}")), ("webhook configuration", format!("{WEBHOOKS}{selector}"))]
}

/// Names of the objects of a listing.
pub(crate) async fn names(client: &Client, path: &str) -> Result<Vec<String>, kube::Error> {
    let name = |item: &Value| item.pointer("/metadata/name")?.as_str().map(str::to_owned);
    Ok(items(client, path).await?.iter().filter_map(name).collect())
}

/// The objects of a listing.
pub(crate) async fn items(client: &Client, path: &str) -> Result<Vec<Value>, kube::Error> {
    let list = patiently(client, http::Method::GET, path).await?;
    Ok(list.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
}

/// Label and undo of a cell's namespace.
pub(crate) fn namespace_intention(namespace: &str) -> (String, Undo) {
    let path = format!("{NAMESPACES}/{namespace}");
    (format!("namespace {namespace}"), Undo::Kubernetes(KubernetesUndo { path }))
}

/// Label and undo of a webhook configuration.
pub(crate) fn webhook_intention(name: &str) -> (String, Undo) {
    let path = format!("{WEBHOOKS}/{name}");
    (format!("webhook configuration {name}"), Undo::Kubernetes(KubernetesUndo { path }))
}

/// Label and undo of the node that this process is.
pub(crate) fn node_intention(name: &str) -> (String, Undo) {
    (format!("node {name}"), Undo::Kubernetes(KubernetesUndo { path: format!("{NODES}/{name}") }))
}

/// How a scenario's objects are created.
#[derive(Clone)]
pub(crate) struct Creator {
    pub(crate) client: Client,
    pub(crate) journal: Journal,
    pub(crate) begun: Begun,
    pub(crate) settings: Settings,
}

impl Creator {
    /// Registers a webhook.
    pub(crate) async fn register(&self, configuration: &Value) -> Result<(), Stop> {
        let mut configuration = configuration.clone();
        self.mark(&mut configuration);
        let name = configuration.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.journaled(webhook_intention(&name), WEBHOOKS, configuration).await
    }

    /// Creates a cell's namespace, what the pod refers to, and its service account as soon as its texts are known.
    pub(crate) async fn furnish(
        &self,
        cell: &LiveCell,
        objects: &[(&str, Value)],
        account: impl Future<Output = Result<&AccountTexts, Stop>>,
    ) -> Result<(), Stop> {
        let (client, namespace) = (&self.client, &cell.names.namespace);
        let metadata = json!({"name": namespace, "labels": {CELL_LABEL: cell.cell.id}});
        let mut object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        self.mark(&mut object);
        self.journaled(namespace_intention(namespace), NAMESPACES, object).await?;
        // They go when the namespace goes, so they need no entry of their own.
        let make = |plural: &str, object: &Value| {
            let (what, path) = (format!("{plural} in {namespace}"), format!("{NAMESPACES}/{namespace}/{plural}"));
            let object = object.clone();
            async move { create(client, &path, &object).await.map(drop).map_err(|error| refused(&what, &error)) }
        };
        let account = async {
            let texts = account.await?;
            let metadata =
                json!({"name": cell.names.service_account, "annotations": texts.annotations, "labels": texts.labels});
            make("serviceaccounts", &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})).await
        };
        let objects = futures::future::try_join_all(objects.iter().map(|(plural, object)| make(plural, object)));
        futures::future::try_join(objects, account).await.map(drop)
    }

    /// What says whose an object is, and until when it may stand.
    fn mark(&self, object: &mut Value) {
        let metadata = &mut object["metadata"];
        for (name, value) in labels(&self.settings.run) {
            metadata["labels"][name] = Value::from(value);
        }
        metadata["annotations"][EXPIRES] = Value::from(self.settings.expires.to_string());
    }

    async fn journaled(&self, (label, undo): (String, Undo), path: &'static str, object: Value) -> Result<(), Stop> {
        let Intent { entry, known } = self.journal.intend(&label, undo).map_err(|error| Stop::unwritten(&error))?;
        if known != Known::New {
            return Err(Stop::new(Exit::Internal, format!("{label} of an earlier process was not taken down first")));
        }
        let Self { client, journal, begun, .. } = self.clone();
        let creation = async move {
            match create(&client, path, &object).await {
                Ok(_) => journal.done(entry).map_err(|error| Stop::unwritten(&error)),
                Err(error) => {
                    // An answer means that nothing was made; no answer means that it may have been.
                    if matches!(error, kube::Error::Api(_)) {
                        journal.failed(entry, &error.to_string()).map_err(|error| Stop::unwritten(&error))?;
                    }
                    Err(refused(&label, &error))
                }
            }
        };
        begun.to_the_end(creation).await?
    }
}

/// A creation that the API server did not do.
pub(crate) fn refused(what: &str, error: &kube::Error) -> Stop {
    let message = match error {
        kube::Error::Api(status) => format!("the API server refused {what}: {} ({})", status.message, status.code),
        other => format!("{what} could not be created: {other}"),
    };
    Stop::new(Exit::Provisioning, message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::http::{StatusCode, Uri};
    use axum::response::{IntoResponse, Response};
    use axum::{Json, Router};

    use super::*;

    /// An API server that answers `refusals` times with this status, and then as if the object were of this run.
    async fn server(
        status: u16,
        refusals: u32,
        run: &'static str,
    ) -> (Client, Arc<AtomicU32>, tokio::task::JoinHandle<()>) {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = calls.clone();
        let answer = move |_: Uri| async move {
            let refused = counted.fetch_add(1, Ordering::SeqCst) < refusals;
            let code = if refused { StatusCode::from_u16(status).expect("a status") } else { StatusCode::OK };
            let found = json!({"kind": "Node", "metadata": {"name": "n", "labels": {RUN_LABEL: run}}});
            let told = json!({"kind": "Status", "status": "Failure", "message": "busy", "reason": "", "code": status});
            let answer: Response = (code, Json(if refused { told } else { found })).into_response();
            answer
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address")).parse().expect("a URL");
        let serving = tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(answer)).await.expect("it must serve");
        });
        let mut config = kube::Config::new(url);
        config.default_retry = false;
        (Client::try_from(config).expect("a client"), calls, serving)
    }

    #[tokio::test]
    async fn what_is_transient_is_tried_again_and_nothing_else() {
        let check = async |status: u16, refusals: u32, expected: Result<Fate, &str>, calls: u32| {
            let (client, counted, serving) = server(status, refusals, "r1").await;
            let fate = take_back(&client, "/api/v1/nodes/n", "r1").await;
            match (&fate, expected) {
                (Ok(fate), Ok(expected)) => assert_eq!(*fate, expected, "{status}"),
                (Err(why), Err(part)) => assert!(why.contains(part), "{status}: {why}"),
                (fate, expected) => panic!("{status}: {fate:?} in place of {expected:?}"),
            }
            assert_eq!(counted.load(Ordering::SeqCst), calls, "{status}");
            serving.abort();
        };
        check(503, 0, Ok(Fate::Deleted), 2).await;
        check(503, 2, Ok(Fate::Deleted), 4).await;
        check(429, 1, Ok(Fate::Deleted), 3).await;
        check(500, 9, Err("busy"), 4).await;
        check(403, 9, Err("busy"), 1).await;
        check(404, 9, Ok(Fate::Absent), 1).await;
    }

    #[tokio::test]
    async fn what_another_run_made_is_left_alone() {
        let (client, calls, serving) = server(200, 0, "r2").await;
        assert_eq!(take_back(&client, "/api/v1/nodes/n", "r1").await, Ok(Fate::Others));
        assert_eq!(calls.load(Ordering::SeqCst), 1, "it is looked at, and nothing more");
        serving.abort();
    }
}
