//! What one pod's access is built from: the document that a fault changes one thing of.

mod aws;
mod azure;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use aws::{AwsAccess, Provider, Values};
pub use azure::{
    AccessPolicy, AzureAccess, FederatedCredential, Network, PermissionModel, Principal, RoleAssignment, Secret, Vault,
    VaultRole,
};

/// The parts of an access: what is installed in the cluster, what each cloud holds, what the pod shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Access {
    /// The webhooks that the pod meets.
    pub webhooks: Webhooks,
    /// What AWS holds, if the pod reads there.
    pub aws: Option<AwsAccess>,
    /// What Azure holds, if the pod reads there.
    pub azure: Option<AzureAccess>,
    /// The service account.
    #[serde(default)]
    pub service_account: ServiceAccount,
    /// Where the pod's token comes from.
    #[serde(default)]
    pub token: Token,
    /// The pod's manifest. A scenario names its file (`pod`), and a fault may change any of it.
    #[serde(default)]
    pub pod: Value,
}

/// The webhooks that a pod meets, each with the values that its chart is installed with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Webhooks {
    /// amazon-eks-pod-identity-webhook.
    pub aws_pod_identity: Option<AwsPodIdentity>,
    /// azure-workload-identity.
    pub azure_workload_identity: Option<AzureWorkloadIdentity>,
}

/// How amazon-eks-pod-identity-webhook is installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsPodIdentity {
    /// By whom.
    #[serde(default)]
    pub installed_by: Installer,
    /// Chart value `config.defaultAwsRegion`; the chart's own default is us-east-1. On EKS it is the cluster's own region.
    pub default_aws_region: String,
    /// Name of the Helm release. It begins the name of the webhook's configuration, and so decides which webhook is called
    /// first: the default comes before the Azure webhook, `irsa` after it. EKS has no release.
    #[serde(default = "AwsPodIdentity::release")]
    pub release: String,
}

/// Who installs the AWS webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Installer {
    /// Its Helm chart.
    #[default]
    Chart,
    /// EKS itself.
    Eks,
}

impl AwsPodIdentity {
    fn release() -> String {
        "amazon-eks-pod-identity-webhook".to_owned()
    }
}

/// Chart values of azure-workload-identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureWorkloadIdentity {
    /// Release line of the webhook.
    #[serde(default)]
    pub layout: Layout,
}

/// Where the Azure webhook puts the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Layout {
    /// Up to v1.5.1: below `/var/run/secrets/azure/tokens`.
    #[serde(rename = "v1.5")]
    V1_5,
    /// v1.6.0: below `/var/run/secrets/azure/wi`.
    #[default]
    #[serde(rename = "v1.6")]
    V1_6,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_5 => "v1.5",
            Self::V1_6 => "v1.6",
        })
    }
}

/// A cloud in which something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
}

impl Cloud {
    /// The word in files, names and check ids.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
        }
    }

    /// The name in running text.
    pub fn title(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Azure => "Azure",
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

/// The service account of the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceAccount {
    /// Its annotations. Texts may hold `${variables}`.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Where the token in the pod comes from. Without any of these the kubelet projects it, as always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Token {
    /// A copy of the pod's token, signed with the issuer's own key, that expired this many seconds ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_for_seconds: Option<u32>,
    /// A copy of the pod's token with its own `kid` under a signature that the issuer's key did not make.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forged: bool,
}

impl Token {
    /// Whether the kubelet's own token is used.
    pub fn is_projected(&self) -> bool {
        *self == Token::default()
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Applies a JSON merge patch (RFC 7396).
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(members) = target {
        for (name, value) in patch {
            if value.is_null() {
                members.remove(name);
            } else {
                merge(members.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merges_as_rfc_7396_says() {
        let check = |target: Value, patch: Value, expected: Value| {
            let mut merged = target;
            merge(&mut merged, &patch);
            assert_eq!(merged, expected);
        };
        check(json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"}));
        check(json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"}));
        check(json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"}));
        check(json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}}));
        check(json!({"a": 1}), json!({"b": {"c": null}}), json!({"a": 1, "b": {}}));
    }
}
