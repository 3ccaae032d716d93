//! What stands in the clouds before the pod starts, and the limits that it must keep.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{inside, region};
use crate::source::{self, SourceError};

/// An object larger than this would not fit into a pod's log line.
const LARGEST_OBJECT: u64 = 256 * 1024;
/// Largest value of a secret (Azure Key Vault, "About secrets").
const LARGEST_SECRET: u64 = 25 * 1024;

/// What stands on AWS.
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
    /// The container that reads it.
    pub container: String,
}

/// What stands on Azure.
#[derive(Clone, Debug)]
pub struct AzureResources {
    /// Where everything stands.
    pub location: String,
    /// Name of the secret.
    pub secret_name: String,
    /// Its value.
    pub secret: Vec<u8>,
    /// The container that reads it.
    pub container: String,
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
pub(super) struct AwsDocument {
    region: String,
    object: ObjectDocument,
    permission_policy: PathBuf,
    trust_policy: PathBuf,
    container: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ObjectDocument {
    key: String,
    file: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AzureDocument {
    location: String,
    secret: SecretDocument,
    container: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretDocument {
    name: String,
    file: PathBuf,
}

impl AwsDocument {
    /// `first` is the pod's first container.
    pub(super) fn load(self, folder: &Path, file: &Path, first: &str) -> Result<AwsResources, SourceError> {
        region(file, "aws.region", &self.region)?;
        let template = |member: &str, path: &Path| -> Result<Template, SourceError> {
            let path = inside(folder, file, member, path)?;
            Ok(Template { text: source::read(&path)?, file: path })
        };
        let object = inside(folder, file, "aws.object.file", &self.object.file)?;
        let too_large =
            |length| format!("the object has {length} bytes; a pod's log line carries at most {LARGEST_OBJECT}");
        Ok(AwsResources {
            region: self.region,
            object_key: self.object.key,
            object: content(&object, LARGEST_OBJECT, too_large)?,
            permission_policy: template("aws.permissionPolicy", &self.permission_policy)?,
            trust_policy: template("aws.trustPolicy", &self.trust_policy)?,
            container: self.container.unwrap_or_else(|| first.to_owned()),
        })
    }
}

impl AzureDocument {
    /// `first` is the pod's first container.
    pub(super) fn load(self, folder: &Path, file: &Path, first: &str) -> Result<AzureResources, SourceError> {
        region(file, "azure.location", &self.location)?;
        let path = inside(folder, file, "azure.secret.file", &self.secret.file)?;
        let too_large =
            |length| format!("the secret has {length} bytes, and Key Vault takes {LARGEST_SECRET} (25 KB) at most");
        let secret = content(&path, LARGEST_SECRET, too_large)?;
        if std::str::from_utf8(&secret).is_err() {
            return Err(SourceError::whole(&path, "the value of a secret is text, and this file is not UTF-8"));
        }
        Ok(AzureResources {
            location: self.location,
            secret_name: self.secret.name,
            secret,
            container: self.container.unwrap_or_else(|| first.to_owned()),
        })
    }
}

fn content(path: &Path, largest: u64, too_large: impl Fn(u64) -> String) -> Result<Vec<u8>, SourceError> {
    let length = std::fs::metadata(path).map_err(|_| SourceError::whole(path, "the file does not exist"))?.len();
    if length > largest {
        return Err(SourceError::whole(path, too_large(length)));
    }
    std::fs::read(path).map_err(|error| SourceError::whole(path, format!("the file cannot be read: {error}")))
}
