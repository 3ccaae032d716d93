//! The pod of a scenario, as `kubectl apply` takes it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::source::{self, SourceError};

/// A pod manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct PodManifest {
    /// Where it was read from.
    pub file: PathBuf,
    /// `metadata.name`.
    pub name: String,
    /// `spec.serviceAccountName`.
    pub service_account: String,
    /// Names of its containers, in order; at least one.
    pub containers: Vec<String>,
    /// The whole manifest.
    pub manifest: Value,
}

impl PodManifest {
    /// Reads one Pod from a YAML file.
    ///
    /// # Errors
    /// When the file holds no single Pod with a name, a service account and a container.
    pub fn load(file: &Path) -> Result<Self, SourceError> {
        Self::parse(file, &source::read(file)?)
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// As [`PodManifest::load`].
    pub fn parse(file: &Path, text: &str) -> Result<Self, SourceError> {
        let manifest: Value = source::parse(file, text)?;
        let text = |pointer: &str, path: &str| {
            let value = manifest.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
            value.map(str::to_owned).ok_or_else(|| SourceError::member(file, path, "a text is expected here"))
        };
        if (text("/apiVersion", "apiVersion")?.as_str(), text("/kind", "kind")?.as_str()) != ("v1", "Pod") {
            return Err(SourceError::member(file, "kind", "a v1 Pod is expected"));
        }
        if manifest.pointer("/metadata/namespace").is_some() {
            return Err(SourceError::member(file, "metadata.namespace", "the run chooses the namespace: leave it out"));
        }
        let (name, service_account) =
            (text("/metadata/name", "metadata.name")?, text("/spec/serviceAccountName", "spec.serviceAccountName")?);
        let count = manifest.pointer("/spec/containers").and_then(Value::as_array).map_or(1, |list| list.len().max(1));
        let containers = (0..count)
            .map(|at| text(&format!("/spec/containers/{at}/name"), &format!("spec.containers[{at}].name")))
            .collect::<Result<_, _>>()?;
        Ok(Self { file: file.to_owned(), name, service_account, containers, manifest })
    }

    /// The value of a label, if it has it.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.manifest.get("metadata")?.get("labels")?.get(name)?.as_str()
    }
}
