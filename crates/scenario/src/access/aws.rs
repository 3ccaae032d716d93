//! AWS's part of an access: provider, role with its policies, bucket and object.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::patch::{Step, Values};

/// What AWS holds for one pod. Texts may hold `${variables}`; they are filled in when names are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsAccess {
    /// The IAM OIDC provider; `null` means that the account has none.
    pub provider: Option<Provider>,
    /// The provider's thumbprints.
    #[serde(default)]
    pub thumbprints: Thumbprints,
    /// Variables of the trust policy's template.
    pub trust_policy: BTreeMap<String, String>,
    /// Steps over the trust policy that the template gives.
    #[serde(default)]
    pub trust_policy_patch: Vec<Step>,
    /// Variables of the permission policy's template; lists become JSON arrays.
    pub permission_policy: BTreeMap<String, Values>,
    /// Steps over the permission policy that the template gives.
    #[serde(default)]
    pub permission_policy_patch: Vec<Step>,
    /// Whether the permission policy is attached to the role.
    #[serde(default = "yes")]
    pub attach: bool,
    /// A policy document in the role itself, besides the attached one; `null` means none.
    #[serde(default)]
    pub inline_policy: Option<Value>,
    /// The policy document that bounds the role; `null` means none.
    #[serde(default)]
    pub permissions_boundary: Option<Value>,
    /// The bucket's own policy document; `null` means none.
    #[serde(default)]
    pub bucket_policy: Option<Value>,
    /// The object, besides its key and content.
    #[serde(default)]
    pub object: Object,
    /// One more call once everything stands, which AWS refuses; `null` means none.
    #[serde(default)]
    pub probe: Option<Probe>,
}

/// An IAM OIDC provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provider {
    /// Its URL: the issuer, byte by byte.
    pub url: String,
    /// Its client id list.
    pub audiences: Vec<String>,
}

/// Thumbprints of a provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Thumbprints {
    /// Those of the certificates that the issuer shows.
    #[default]
    Seen,
    /// One that belongs to no certificate.
    Wrong,
}

/// The object that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Object {
    /// Whether it is in the bucket.
    pub exists: bool,
}

impl Default for Object {
    fn default() -> Self {
        Self { exists: true }
    }
}

/// A call of the provisioning that AWS refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// The provider is created a second time.
    CreateProviderAgain,
    /// The role is deleted while its policy is attached.
    DeleteAttachedRole,
}

fn yes() -> bool {
    true
}
