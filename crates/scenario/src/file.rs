//! The scenario file and the manifest beside it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::Access;
use crate::source::{self, SourceError};

/// The only version of the format so far.
const API_VERSION: &str = "crossfed.dev/v1alpha1";
/// Name of the file in a scenario's folder.
pub(crate) const FILE: &str = "scenario.yaml";
/// An object larger than this would not fit into a pod's log line.
const LARGEST_OBJECT: u64 = 256 * 1024;

/// A scenario with everything that its folder holds.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Name of its folder.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// What the cluster must look like.
    pub cluster: ClusterShape,
    /// Which webhooks are registered, in the order in which they are installed.
    pub webhooks: Vec<Webhook>,
    /// What is provisioned on AWS.
    pub aws: AwsResources,
    /// The pod, as `kubectl apply` takes it.
    pub pod: PodManifest,
    /// How the access is built.
    pub access: Access,
    /// The same as a document, for faults to change.
    pub access_document: Value,
    /// Ids of the faults that a plain run checks.
    pub refusals: Vec<String>,
    /// Where it was read from.
    pub folder: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    api_version: String,
    kind: Kind,
    title: String,
    cluster: ClusterShape,
    webhooks: Vec<Webhook>,
    aws: AwsDocument,
    pod: PathBuf,
    access: Access,
    #[serde(default)]
    refusals: Vec<String>,
}

#[derive(Deserialize)]
enum Kind {
    Scenario,
}

/// Whose cluster it is, as far as its issuer shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flavor {
    /// Azure Kubernetes Service: the issuer ends in a slash.
    Aks,
    /// Amazon EKS: it does not.
    Eks,
}

impl std::fmt::Display for Flavor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Flavor::Aks => "aks",
            Flavor::Eks => "eks",
        })
    }
}

/// The cluster that the scenario speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterShape {
    /// Shape of the issuer.
    pub flavor: Flavor,
    /// Region, part of the issuer.
    pub region: String,
}

/// A mutating webhook and how it is installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Webhook {
    /// amazon-eks-pod-identity-webhook, by its Helm chart.
    AwsPodIdentity {
        /// Chart value `config.defaultAwsRegion`.
        default_aws_region: String,
    },
}

/// What stands on AWS before the pod starts.
#[derive(Clone, Debug)]
pub struct AwsResources {
    /// Region of bucket and STS.
    pub region: String,
    /// Key of the object.
    pub object_key: String,
    /// Its content.
    pub object: Vec<u8>,
    /// Template of the permission policy.
    pub permission_policy: Template,
    /// Template of the trust policy.
    pub trust_policy: Template,
}

/// A template and the file that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// For messages.
    pub file: PathBuf,
    /// Text with `${variables}`.
    pub text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AwsDocument {
    region: String,
    object: ObjectDocument,
    permission_policy: PathBuf,
    trust_policy: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ObjectDocument {
    key: String,
    file: PathBuf,
}

/// A pod manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct PodManifest {
    /// Where it was read from.
    pub file: PathBuf,
    /// `metadata.name`.
    pub name: String,
    /// `spec.serviceAccountName`.
    pub service_account: String,
    /// The first container's name: the one whose log is read.
    pub container: String,
    /// The whole manifest.
    pub manifest: Value,
}

impl Scenario {
    /// Reads `<folder>/scenario.yaml` and the files that it names.
    ///
    /// # Errors
    /// When any of them is missing, malformed, or contradicts another.
    pub fn load(folder: &Path) -> Result<Self, SourceError> {
        let file = folder.join(FILE);
        let text = source::read(&file)?;
        let document: Document = source::parse(&file, &text)?;
        if document.api_version != API_VERSION {
            let message = format!("`{}` is not known; this version reads `{API_VERSION}`", document.api_version);
            return Err(SourceError::member(&file, "apiVersion", message));
        }
        let Kind::Scenario = document.kind;
        region(&file, "cluster.region", &document.cluster.region)?;
        region(&file, "aws.region", &document.aws.region)?;
        if document.webhooks.is_empty() {
            return Err(SourceError::member(
                &file,
                "webhooks",
                "at least one webhook is expected: without it no pod gets an identity",
            ));
        }
        for webhook in &document.webhooks {
            let Webhook::AwsPodIdentity { default_aws_region } = webhook;
            region(&file, "webhooks.defaultAwsRegion", default_aws_region)?;
        }
        let aws = document.aws.load(folder, &file)?;
        let access_document = serde_json::to_value(&document.access)
            .map_err(|error| SourceError::member(&file, "access", format!("cannot be written down: {error}")))?;
        Ok(Self {
            name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            title: document.title,
            cluster: document.cluster,
            webhooks: document.webhooks,
            aws,
            pod: PodManifest::load(&inside(folder, &file, "pod", &document.pod)?)?,
            access: document.access,
            access_document,
            refusals: document.refusals,
            folder: folder.to_owned(),
        })
    }
}

impl AwsDocument {
    fn load(self, folder: &Path, file: &Path) -> Result<AwsResources, SourceError> {
        let template = |member: &str, path: &Path| -> Result<Template, SourceError> {
            let path = inside(folder, file, member, path)?;
            Ok(Template { text: source::read(&path)?, file: path })
        };
        let object = inside(folder, file, "aws.object.file", &self.object.file)?;
        let length =
            std::fs::metadata(&object).map_err(|_| SourceError::whole(&object, "the file does not exist"))?.len();
        if length > LARGEST_OBJECT {
            let message = format!("the object has {length} bytes; a pod's log line carries at most {LARGEST_OBJECT}");
            return Err(SourceError::whole(&object, message));
        }
        Ok(AwsResources {
            region: self.region,
            object_key: self.object.key,
            object: std::fs::read(&object)
                .map_err(|error| SourceError::whole(&object, format!("the file cannot be read: {error}")))?,
            permission_policy: template("aws.permissionPolicy", &self.permission_policy)?,
            trust_policy: template("aws.trustPolicy", &self.trust_policy)?,
        })
    }
}

/// A region is part of host names.
fn region(file: &Path, member: &str, text: &str) -> Result<(), SourceError> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if plain {
        return Ok(());
    }
    Err(SourceError::member(file, member, format!("`{text}` is no region: lower-case letters, digits and dashes")))
}

/// A path of the scenario file, which must stay below its folder.
fn inside(folder: &Path, file: &Path, member: &str, path: &Path) -> Result<PathBuf, SourceError> {
    let plain =
        path.components().all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
    if path.as_os_str().is_empty() || !plain {
        let message = format!("`{}` must be a path below the scenario's folder", path.display());
        return Err(SourceError::member(file, member, message));
    }
    Ok(folder.join(path))
}

impl PodManifest {
    /// Reads one Pod from a YAML file.
    ///
    /// # Errors
    /// When the file holds no single Pod with a name, a service account and a container.
    pub fn load(file: &Path) -> Result<Self, SourceError> {
        let manifest: Value = source::parse(file, &source::read(file)?)?;
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
        Ok(Self {
            file: file.to_owned(),
            name: text("/metadata/name", "metadata.name")?,
            service_account: text("/spec/serviceAccountName", "spec.serviceAccountName")?,
            container: text("/spec/containers/0/name", "spec.containers[0].name")?,
            manifest,
        })
    }
}
