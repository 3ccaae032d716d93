//! The scenario file and the manifest beside it.

mod agreement;
mod cluster;
mod pod;
mod resources;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::access::{Access, Cloud};
use crate::source::{self, SourceError};

pub use cluster::{ClusterShape, Flavor, IssuerSite};
pub use pod::PodManifest;
pub use resources::{AwsResources, AzureResources, Template};

/// The only version of the format so far.
const API_VERSION: &str = "crossfed.dev/v1alpha1";
/// Name of the file in a scenario's folder.
pub(crate) const FILE: &str = "scenario.yaml";

/// A scenario with everything that its folder holds.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Name of its folder.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// What the cluster must look like.
    pub cluster: ClusterShape,
    /// What is provisioned on AWS, if the pod reads there.
    pub aws: Option<AwsResources>,
    /// What is provisioned on Azure, if the pod reads there.
    pub azure: Option<AzureResources>,
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
    aws: Option<resources::AwsDocument>,
    azure: Option<resources::AzureDocument>,
    pod: PathBuf,
    access: Access,
    #[serde(default)]
    refusals: Vec<String>,
}

#[derive(Deserialize)]
enum Kind {
    Scenario,
}

impl Scenario {
    /// Reads `<folder>/scenario.yaml` and the files that it names.
    ///
    /// # Errors
    /// When any of them is missing, malformed, or contradicts another.
    pub fn load(folder: &Path) -> Result<Self, SourceError> {
        Self::parse(folder, &source::read(&folder.join(FILE))?)
    }

    /// Reads the text of such a file; those that it names are looked for in the folder.
    ///
    /// # Errors
    /// As [`Scenario::load`].
    pub fn parse(folder: &Path, text: &str) -> Result<Self, SourceError> {
        let file = folder.join(FILE);
        let document: Document = source::parse(&file, text)?;
        if document.api_version != API_VERSION {
            let message = format!("`{}` is not known; this version reads `{API_VERSION}`", document.api_version);
            return Err(SourceError::member(&file, "apiVersion", message));
        }
        let Kind::Scenario = document.kind;
        document.cluster.check(&file)?;
        let pod = PodManifest::load(&inside(folder, &file, "pod", &document.pod)?)?;
        let first = pod.containers.first().cloned().unwrap_or_default();
        let mut access = document.access;
        if !access.pod.is_null() {
            let message = "the pod stands in a file of its own, which `pod` names; only faults change it here";
            return Err(SourceError::member(&file, "access.pod", message));
        }
        access.pod = pod.manifest.clone();
        let access_document = serde_json::to_value(&access)
            .map_err(|error| SourceError::member(&file, "access", format!("cannot be written down: {error}")))?;
        let scenario = Self {
            name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            title: document.title,
            cluster: document.cluster,
            aws: document.aws.map(|aws| aws.load(folder, &file, &first)).transpose()?,
            azure: document.azure.map(|azure| azure.load(folder, &file, &first)).transpose()?,
            pod,
            access,
            access_document,
            refusals: document.refusals,
            folder: folder.to_owned(),
        };
        agreement::check(&scenario, &file)?;
        Ok(scenario)
    }

    /// The clouds in which its pod reads.
    pub fn clouds(&self) -> Vec<Cloud> {
        let aws = self.aws.as_ref().map(|_| Cloud::Aws);
        aws.into_iter().chain(self.azure.as_ref().map(|_| Cloud::Azure)).collect()
    }

    /// The container that reads in a cloud, and what it must read.
    pub fn target(&self, cloud: Cloud) -> Option<(&str, &[u8])> {
        match cloud {
            Cloud::Aws => self.aws.as_ref().map(|aws| (aws.container.as_str(), aws.object.as_slice())),
            Cloud::Azure => self.azure.as_ref().map(|azure| (azure.container.as_str(), azure.secret.as_slice())),
        }
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
