//! The cluster's side of a cell: plain calls to the Kubernetes API, written down before they are made.

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

/// Deletes an object; one that is not there is done.
pub(crate) async fn delete(client: &Client, path: &str) -> Result<(), kube::Error> {
    let request = http::Request::delete(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    match client.request::<Value>(request).await {
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
    let request = http::Request::get(path).body(Vec::new()).map_err(|error| error.to_string())?;
    let found: Value = match client.request(request).await {
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

/// Where a run's objects are listed: kind and path.
pub(crate) fn collections(run: &RunId) -> [(&'static str, String); 2] {
    let selector = format!("?labelSelector={}%3D{run}", RUN_LABEL.replace('/', "%2F"));
    [("namespace", format!("{NAMESPACES}{selector}")), ("webhook configuration", format!("{WEBHOOKS}{selector}"))]
}

/// Names of the objects of a listing.
pub(crate) async fn names(client: &Client, path: &str) -> Result<Vec<String>, kube::Error> {
    let request = http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    let list: Value = client.request(request).await?;
    let items = list.get("items").and_then(Value::as_array);
    let name = |item: &Value| item.pointer("/metadata/name")?.as_str().map(str::to_owned);
    Ok(items.into_iter().flatten().filter_map(name).collect())
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
        metadata["labels"][RUN_LABEL] = Value::from(self.settings.run.as_str());
        metadata["labels"][TOOL_LABEL] = Value::from(TOOL);
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
