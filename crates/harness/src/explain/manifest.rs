//! Pods and service accounts as manifests or as a cluster tells them. It must not know what is right about them.

use std::path::Path;

use serde_json::Value;

use super::files::{Files, shell_word, wrong};
use crate::exit::Stop;

/// An object of Kubernetes, and the file that it came from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    pub(crate) file: String,
    value: Value,
}

/// A token that the kubelet puts into a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Projection {
    /// Absent: the API server's own.
    pub(crate) audience: Option<String>,
    /// Seconds; the API server's default is 3600.
    pub(crate) seconds: i64,
}

impl Object {
    /// Reads the only object of a kind.
    ///
    /// # Errors
    /// Exit 2 when the file has none or several.
    pub(crate) fn read(files: &mut Files<'_>, file: &Path, kind: &str) -> Result<Self, Stop> {
        let (text, objects) = files.objects(file)?;
        let mut of_kind: Vec<Value> = objects.iter().filter(|object| object["kind"] == kind).cloned().collect();
        match (of_kind.len(), of_kind.pop()) {
            (1, Some(value)) => Ok(Self { file: text.name, value }),
            (0, _) => {
                let mut kinds: Vec<&str> = objects.iter().filter_map(|object| object["kind"].as_str()).collect();
                kinds.dedup();
                let found = if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") };
                Err(wrong(&text.name, format!("a {kind} is expected, and {found} is there")))
            }
            (many, _) => Err(wrong(&text.name, format!("{many} objects of kind {kind} are there: give one"))),
        }
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer)?.as_str()
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.text("/metadata/name")
    }

    /// Absent in most manifests.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.text("/metadata/namespace")
    }

    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.value.pointer("/metadata/labels")?.get(name)?.as_str()
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.value.pointer("/metadata/annotations")?.get(name)?.as_str()
    }

    /// The service account that a pod runs as.
    pub(crate) fn service_account(&self) -> &str {
        let written = self.text("/spec/serviceAccountName").or_else(|| self.text("/spec/serviceAccount"));
        written.filter(|name| !name.is_empty()).unwrap_or("default")
    }

    /// Whether a cluster has taken the pod: it then has an id of its own.
    pub(crate) fn is_stored(&self) -> bool {
        self.text("/metadata/uid").is_some()
    }

    /// The Deployment behind a pod of a ReplicaSet.
    pub(crate) fn deployment(&self) -> Option<String> {
        let owners = self.value.pointer("/metadata/ownerReferences")?.as_array()?;
        let set = owners.iter().find(|owner| owner["kind"] == "ReplicaSet")?["name"].as_str()?;
        let hash = self.label("pod-template-hash")?;
        Some(set.strip_suffix(hash)?.trim_end_matches('-').to_owned())
    }

    fn containers(&self) -> impl Iterator<Item = &Value> {
        let of = |pointer: &str| self.value.pointer(pointer).and_then(Value::as_array);
        ["/spec/containers", "/spec/initContainers"].into_iter().filter_map(of).flatten()
    }

    /// The first container that has this variable, and its value; empty where it comes from elsewhere.
    pub(crate) fn env(&self, name: &str) -> Option<(&str, &str)> {
        self.containers().find_map(|container| {
            let variable = container.get("env")?.as_array()?.iter().find(|variable| variable["name"] == name)?;
            Some((container["name"].as_str().unwrap_or_default(), variable["value"].as_str().unwrap_or_default()))
        })
    }

    /// The projected token that a container reads at this path: by mount, volume and path.
    pub(crate) fn projection(&self, container: &str, file: &str) -> Option<Projection> {
        let volumes = self.value.pointer("/spec/volumes")?.as_array()?;
        let mounts = self.mounts(container)?;
        let token = mounts.iter().find_map(|mount| {
            let path = file.strip_prefix(mount["mountPath"].as_str()?)?.trim_start_matches('/');
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"])?;
            let sources = volume.pointer("/projected/sources")?.as_array()?;
            sources.iter().filter_map(|source| source.get("serviceAccountToken")).find(|token| token["path"] == path)
        })?;
        Some(Projection {
            audience: token["audience"].as_str().filter(|audience| !audience.is_empty()).map(str::to_owned),
            seconds: token["expirationSeconds"].as_i64().unwrap_or(3600),
        })
    }

    /// Whether anything is mounted in a container where this path lies.
    pub(crate) fn mounts_at(&self, container: &str, file: &str) -> bool {
        let holds =
            |path: &str| file.strip_prefix(path.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
        self.mounts(container).into_iter().flatten().any(|mount| mount["mountPath"].as_str().is_some_and(holds))
    }

    fn mounts(&self, container: &str) -> Option<&Vec<Value>> {
        self.containers().find(|one| one["name"] == container)?.get("volumeMounts")?.as_array()
    }

    /// Whether this text stands in a variable, an argument, a command or a mount of a container.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        let parts = ["env", "args", "command", "volumeMounts"];
        let mut said = self.containers().flat_map(|container| parts.iter().filter_map(|part| container.get(*part)));
        said.any(|part| part.to_string().contains(text))
    }

    /// ` -n NAMESPACE` where one is known.
    pub(crate) fn namespace_flag(&self) -> String {
        self.namespace().map(|namespace| format!(" -n {}", shell_word(namespace))).unwrap_or_default()
    }

    /// A command that makes the pod anew, so that it is admitted once more.
    pub(crate) fn replace(&self) -> String {
        let name = shell_word(self.name().unwrap_or("POD"));
        match self.deployment() {
            Some(deployment) => {
                format!("kubectl rollout restart deployment {}{}", shell_word(&deployment), self.namespace_flag())
            }
            None => {
                let namespace = self.namespace_flag();
                format!("kubectl get pod {name}{namespace} -o yaml | kubectl replace --force -f -")
            }
        }
    }

    /// A command that puts a label on the pod, or on what makes it.
    pub(crate) fn add_label(&self, key: &str, value: &str) -> String {
        match self.deployment() {
            Some(deployment) => {
                let patch = serde_json::json!({"spec": {"template": {"metadata": {"labels": {key: value}}}}});
                let (name, namespace) = (shell_word(&deployment), self.namespace_flag());
                format!("kubectl patch deployment {name}{namespace} --type merge -p {}", shell_word(&patch.to_string()))
            }
            // A label that comes later is not seen: webhooks are called when a pod is created.
            None => {
                let file = if self.file == "standard input" { "POD_FILE" } else { &self.file };
                format!(
                    "kubectl label --local -f {} --overwrite {key}={value} -o yaml | kubectl replace --force -f -",
                    shell_word(file)
                )
            }
        }
    }
}
