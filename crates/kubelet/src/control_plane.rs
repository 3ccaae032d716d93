//! The few parts of a control plane that pods cannot do without, for an API server that stands alone:
//! default service accounts, the root CA's ConfigMap, and the end of deleted namespaces.
//! It must not know of pods as processes.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::discovery::{Discovery, Scope, verbs};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::task::JoinSet;

const ROOT_CA: &str = "kube-root-ca.crt";
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Requests at once while a namespace is emptied.
const AT_ONCE: usize = 4;

/// Serves the namespaces that `selector` selects, present and to come, until it is dropped: others are not ours to furnish.
pub(crate) async fn run(client: Client, root_ca_pem: String, selector: String) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let mut events = watcher(namespaces, watcher::Config::default().labels(&selector)).default_backoff().boxed();
    let mut work = JoinSet::new();
    let mut under_way: HashSet<(String, bool)> = HashSet::new();
    loop {
        tokio::select! {
            event = events.next() => {
                let namespace = match event {
                    Some(Ok(Event::Apply(namespace) | Event::InitApply(namespace))) => namespace,
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => {
                        tracing::warn!(%error, "the watch on namespaces failed, trying again");
                        continue;
                    }
                    None => return,
                };
                let name = namespace.name_any();
                let ends = namespace.metadata.deletion_timestamp.is_some();
                if !under_way.insert((name.clone(), ends)) {
                    continue;
                }
                let (client, root_ca_pem) = (client.clone(), root_ca_pem.clone());
                work.spawn(async move {
                    let mut pause = FIRST_PAUSE;
                    loop {
                        let step = if ends { finish(&client, &name).await } else { furnish(&client, &name, &root_ca_pem).await };
                        match step {
                            Ok(true) => return (name, ends),
                            Ok(false) => {}
                            Err(kube::Error::Api(answer)) if matches!(answer.code, 403 | 404) && !ends => {
                                // The namespace is going or gone.
                                return (name, ends);
                            }
                            Err(error) => tracing::warn!(namespace = %name, %error, "namespace is not ready, trying again"),
                        }
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                });
            }
            Some(done) = work.join_next() => {
                if let Ok(done) = done {
                    under_way.remove(&done);
                }
            }
        }
    }
}

/// Makes what every namespace has.
async fn furnish(client: &Client, namespace: &str, root_ca_pem: &str) -> Result<bool, kube::Error> {
    let metadata = |name: &str| ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let account = ServiceAccount { metadata: metadata("default"), ..ServiceAccount::default() };
    let root_ca = ConfigMap {
        metadata: metadata(ROOT_CA),
        data: Some(BTreeMap::from([("ca.crt".to_owned(), root_ca_pem.to_owned())])),
        ..ConfigMap::default()
    };
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let parameters = PostParams::default();
    let (account, root_ca) =
        tokio::join!(accounts.create(&parameters, &account), config_maps.create(&parameters, &root_ca));
    there(account.map(drop))?;
    there(root_ca.map(drop))?;
    Ok(true)
}

fn there(created: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match created {
        Err(kube::Error::Api(answer)) if answer.code == 409 => Ok(()),
        other => other,
    }
}

/// Deletes what a namespace holds; lets the namespace go, and says `true`, once it is empty.
async fn finish(client: &Client, name: &str) -> Result<bool, kube::Error> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let Some(mut namespace) = namespaces.get_opt(name).await? else {
        return Ok(true);
    };
    let held: Vec<usize> = stream::iter(namespaced_resources(client).await?)
        .map(|resource| empty(client.clone(), name.to_owned(), resource))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    if held.iter().sum::<usize>() > 0 {
        return Ok(false);
    }
    if let Some(finalizers) = namespace.spec.as_mut().and_then(|spec| spec.finalizers.as_mut()) {
        finalizers.retain(|finalizer| finalizer != "kubernetes");
    }
    let body = serde_json::to_vec(&namespace).map_err(kube::Error::SerdeError)?;
    let request = http::Request::put(format!("/api/v1/namespaces/{name}/finalize"))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body)
        .map_err(kube::Error::HttpError)?;
    match client.request::<Namespace>(request).await {
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(true),
        // Someone else changed the namespace meanwhile: look again.
        Err(kube::Error::Api(answer)) if answer.code == 409 => Ok(false),
        other => other.map(|_| true),
    }
}

/// What can be listed and deleted in a namespace, each kind in one version.
async fn namespaced_resources(client: &Client) -> Result<Vec<ApiResource>, kube::Error> {
    // A server without aggregated discovery answers it in the plain form, which reads as nothing at all:
    // a namespace must not be taken for empty because of that.
    if let Ok(discovery) = Discovery::new(client.clone()).run_aggregated().await {
        let resources = emptiable(&discovery);
        if resources.iter().any(|resource| resource.plural == "pods") {
            return Ok(resources);
        }
    }
    Ok(emptiable(&Discovery::new(client.clone()).run().await?))
}

fn emptiable(discovery: &Discovery) -> Vec<ApiResource> {
    let resources = discovery.groups().flat_map(|group| group.resources_by_stability());
    resources
        .filter(|(_, capabilities)| {
            capabilities.scope == Scope::Namespaced
                && capabilities.supports_operation(verbs::LIST)
                && capabilities.supports_operation(verbs::DELETE_COLLECTION)
        })
        .map(|(resource, _)| resource)
        .collect()
}

/// Deletes all objects of one kind; gives how many were there.
async fn empty(client: Client, namespace: String, resource: ApiResource) -> Result<usize, kube::Error> {
    let objects: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &resource);
    let found = match objects.list(&ListParams::default().limit(500)).await {
        Ok(found) => found,
        // The kind went away since discovery.
        Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 405) => return Ok(0),
        Err(error) => return Err(error),
    };
    // What is on its way out already needs no second order.
    if found.items.iter().any(|object| object.metadata.deletion_timestamp.is_none()) {
        objects.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    }
    Ok(found.items.len())
}
