//! The webhooks of an access, with the values that their charts are installed with.

use std::fmt;

use serde::{Deserialize, Serialize};

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
