//! The cluster's side of a cell: plain calls to the Kubernetes API, written down before they are made.

use kube::Client;
use serde_json::{Value, json};

use super::federate::LiveCell;
use super::render::AccountTexts;
use crate::exit::{Exit, Stop};
use crate::journal::{Journal, KubernetesUndo, Undo};
use crate::naming::RunId;

/// Label of everything that a run creates in a cluster.
pub(crate) const RUN_LABEL: &str = "crossfed.dev/run";
/// Label of a cell's namespace: which cell it is.
pub(crate) const CELL_LABEL: &str = "crossfed.dev/cell";

/// Path of the mutating webhook configurations.
pub(crate) const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
/// Path of the namespaces.
pub(crate) const NAMESPACES: &str = "/api/v1/namespaces";

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
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
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

/// Registers a webhook.
pub(crate) async fn register(
    client: &Client,
    journal: &Journal,
    run: &RunId,
    configuration: &Value,
) -> Result<(), Stop> {
    let mut configuration = configuration.clone();
    configuration["metadata"]["labels"][RUN_LABEL] = Value::from(run.as_str());
    let name = configuration.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    journaled(client, journal, webhook_intention(&name), WEBHOOKS, &configuration).await
}

/// Creates a cell's namespace, what the pod refers to, and its service account as soon as its texts are known.
pub(crate) async fn furnish(
    client: &Client,
    journal: &Journal,
    run: &RunId,
    cell: &LiveCell,
    objects: &[(&str, Value)],
    account: impl Future<Output = Result<&AccountTexts, Stop>>,
) -> Result<(), Stop> {
    let namespace = &cell.names.namespace;
    let labels = json!({RUN_LABEL: run.as_str(), CELL_LABEL: cell.cell.id});
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}});
    journaled(client, journal, namespace_intention(namespace), NAMESPACES, &object).await?;
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

async fn journaled(
    client: &Client,
    journal: &Journal,
    (label, undo): (String, Undo),
    path: &str,
    object: &Value,
) -> Result<(), Stop> {
    let unwritten = |error: std::io::Error| {
        Stop::new(Exit::Provisioning, format!("the journal cannot be written, so nothing is created: {error}"))
    };
    let entry = journal.intend(&label, undo).map_err(unwritten)?;
    match create(client, path, object).await {
        Ok(_) => journal.done(entry).map_err(unwritten),
        Err(error) => {
            // An answer means that nothing was made; no answer means that it may have been.
            if matches!(error, kube::Error::Api(_)) {
                journal.failed(entry, &error.to_string()).map_err(unwritten)?;
            }
            Err(refused(&label, &error))
        }
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
