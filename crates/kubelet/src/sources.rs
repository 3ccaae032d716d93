//! The ConfigMaps and Secrets that a pod refers to: what is wanted, fetched afresh, and awaited when missing.
//! It must not know whether a value becomes a variable or a file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Debug, Display};

use futures::StreamExt as _;
use futures::future::try_join_all;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Container, Secret};
use kube::runtime::watcher::watch_object;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

/// Names one object of the pod's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum SourceKey {
    ConfigMap(String),
    Secret(String),
}

impl Display for SourceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigMap(name) => write!(formatter, "configmap {name:?}"),
            Self::Secret(name) => write!(formatter, "secret {name:?}"),
        }
    }
}

/// Why a reference cannot be followed now. The wording is the kubelet's.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub(crate) enum SourceError {
    #[error("{0} not found")]
    NotFound(SourceKey),
    #[error("couldn't find key {key} in {source_key}")]
    KeyMissing { source_key: SourceKey, key: String },
}

impl SourceError {
    pub(crate) fn source_key(&self) -> &SourceKey {
        match self {
            Self::NotFound(source_key) | Self::KeyMissing { source_key, .. } => source_key,
        }
    }
}

/// The API server did not say what an object holds. The reason is the server's own message where it gave one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("failed to get {source_key}: {reason}")]
pub(crate) struct FetchError {
    source_key: SourceKey,
    reason: String,
}

/// An API server's message, or what went wrong on the way to it.
pub(crate) fn told(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(answer) => answer.message.clone(),
        other => other.to_string(),
    }
}

/// One object's content. No `Debug`: a Secret's must not be printed.
struct Content {
    resource_version: Option<String>,
    data: BTreeMap<String, Vec<u8>>,
}

/// What was found; an object that does not exist is remembered as such.
#[derive(Default)]
pub(crate) struct Sources(HashMap<SourceKey, Option<Content>>);

impl Sources {
    /// All keys of an object; `None` if it is absent and `optional`.
    pub(crate) fn all(
        &self,
        source_key: &SourceKey,
        optional: bool,
    ) -> Result<Option<&BTreeMap<String, Vec<u8>>>, SourceError> {
        match self.0.get(source_key) {
            Some(Some(content)) => Ok(Some(&content.data)),
            _ if optional => Ok(None),
            _ => Err(SourceError::NotFound(source_key.clone())),
        }
    }

    /// One key of an object; `None` if the object or key is absent and `optional`.
    pub(crate) fn key(&self, source_key: &SourceKey, key: &str, optional: bool) -> Result<Option<&[u8]>, SourceError> {
        match self.all(source_key, optional)?.and_then(|data| data.get(key)) {
            Some(value) => Ok(Some(value)),
            None if optional => Ok(None),
            None => Err(SourceError::KeyMissing { source_key: source_key.clone(), key: key.to_owned() }),
        }
    }

    /// The version that was seen, for [`until_changed`].
    pub(crate) fn version(&self, source_key: &SourceKey) -> Option<&str> {
        self.0.get(source_key)?.as_ref()?.resource_version.as_deref()
    }

    #[cfg(test)]
    pub(crate) fn of(contents: &[(SourceKey, &[(&str, &str)])]) -> Self {
        let content = |data: &[(&str, &str)]| Content {
            resource_version: None,
            data: data.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect(),
        };
        Self(contents.iter().map(|(key, data)| (key.clone(), Some(content(data)))).collect())
    }
}

/// Adds what a container's environment refers to.
pub(crate) fn wanted_by_container(container: &Container, wanted: &mut BTreeSet<SourceKey>) {
    for from in container.env_from.iter().flatten() {
        wanted.extend(from.config_map_ref.iter().map(|reference| SourceKey::ConfigMap(reference.name.clone())));
        wanted.extend(from.secret_ref.iter().map(|reference| SourceKey::Secret(reference.name.clone())));
    }
    for from in container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref()) {
        wanted.extend(from.config_map_key_ref.iter().map(|reference| SourceKey::ConfigMap(reference.name.clone())));
        wanted.extend(from.secret_key_ref.iter().map(|reference| SourceKey::Secret(reference.name.clone())));
    }
}

/// Gets all wanted objects at once.
pub(crate) async fn fetch(
    client: &Client,
    namespace: &str,
    wanted: BTreeSet<SourceKey>,
) -> Result<Sources, FetchError> {
    let found = try_join_all(wanted.into_iter().map(|source_key| async move {
        match content(client, namespace, &source_key).await {
            Ok(content) => Ok((source_key, content)),
            Err(error) => Err(FetchError { source_key, reason: told(&error) }),
        }
    }))
    .await?;
    Ok(Sources(found.into_iter().collect()))
}

async fn content(client: &Client, namespace: &str, source_key: &SourceKey) -> Result<Option<Content>, kube::Error> {
    Ok(match source_key {
        SourceKey::ConfigMap(name) => {
            let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
            api.get_opt(name).await?.map(|found| Content {
                resource_version: found.metadata.resource_version,
                data: text(found.data).chain(bytes(found.binary_data)).collect(),
            })
        }
        SourceKey::Secret(name) => {
            let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
            api.get_opt(name).await?.map(|found| Content {
                resource_version: found.metadata.resource_version,
                data: bytes(found.data).collect(),
            })
        }
    })
}

fn text(data: Option<BTreeMap<String, String>>) -> impl Iterator<Item = (String, Vec<u8>)> {
    data.into_iter().flatten().map(|(key, value)| (key, value.into_bytes()))
}

fn bytes(data: Option<BTreeMap<String, k8s_openapi::ByteString>>) -> impl Iterator<Item = (String, Vec<u8>)> {
    data.into_iter().flatten().map(|(key, value)| (key, value.0))
}

/// Returns when the object is no longer at the version that was seen (`None`: it was absent), or when
/// watching it fails. Give it a deadline.
pub(crate) async fn until_changed(client: &Client, namespace: &str, source_key: &SourceKey, seen: Option<&str>) {
    match source_key {
        SourceKey::ConfigMap(name) => changed::<ConfigMap>(client, namespace, name, seen).await,
        SourceKey::Secret(name) => changed::<Secret>(client, namespace, name, seen).await,
    }
}

async fn changed<K>(client: &Client, namespace: &str, name: &str, seen: Option<&str>)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let mut versions = std::pin::pin!(watch_object(api, name));
    while let Some(Ok(object)) = versions.next().await {
        if object.and_then(|object| object.resource_version()).as_deref() != seen {
            return;
        }
    }
}
