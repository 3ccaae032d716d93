//! The settings of the AWS webhook: its flags, and the profiles that people run. It must not read them
//! from anywhere.

use std::time::Duration;

use trust::{AccountId, Audience};

/// No token may be asked for with a shorter lifetime; what is shorter is raised. Kubernetes' own lower limit.
pub(crate) const MIN_TOKEN_EXPIRATION: i64 = 600;
/// A day, in seconds: the default lifetime.
pub(crate) const DEFAULT_TOKEN_EXPIRATION: i64 = 86_400;

/// The flags that change what is done to a pod, and what is answered.
///
/// Source: amazon-eks-pod-identity-webhook, `main.go`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `--annotation-prefix`.
    pub annotation_prefix: String,
    /// `--token-audience`: for accounts that name none.
    pub token_audience: Audience,
    /// `--token-mount-path`.
    pub token_mount_path: String,
    /// `--token-expiration`, in seconds. Raised to 600 where it is less; never lowered.
    pub token_expiration: i64,
    /// `--aws-default-region`. Empty: no region is injected.
    pub region: String,
    /// `--sts-regional-endpoint`.
    pub sts_regional_endpoint: bool,
    /// `--service-account-lookup-grace-period`. Zero: an account that is not in the cache is given up at once.
    pub service_account_lookup_grace: Duration,
    /// `--compose-role-arn`: an annotation that holds no `arn:` names a role of this account. On a machine that
    /// is not in EC2 upstream cannot start with it.
    pub compose_role_arn: Option<RoleArnComposition>,
    /// `--watch-config-map`: whether [`Sources::config_map`](super::Sources) is looked at.
    pub watch_config_map: bool,
    /// `--container-credentials-*`.
    pub container_credentials: ContainerCredentials,
    /// Answer without `apiVersion` and `kind`, as images up to v0.6.17 do. An API server accepts that only from
    /// a webhook that is registered with `admissionReviewVersions: [v1beta1]`.
    pub answer_without_type_meta: bool,
}

/// What EKS Pod Identity injects.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerCredentials {
    /// Audience of the projected token.
    pub audience: Audience,
    /// Where the token volume is mounted.
    pub token_mount_path: String,
    /// Name of the token volume.
    pub token_volume_name: String,
    /// File of the token in its volume.
    pub token_path: String,
    /// The agent's address on the node.
    pub full_uri: String,
}

impl Default for ContainerCredentials {
    fn default() -> Self {
        Self {
            audience: Audience::new("pods.eks.amazonaws.com"),
            token_mount_path: "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount".into(),
            token_volume_name: "eks-pod-identity-token".into(),
            token_path: "eks-pod-identity-token".into(),
            full_uri: "http://169.254.170.23/v1/credentials".into(),
        }
    }
}

/// What a role name is completed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleArnComposition {
    partition: &'static str,
    account: AccountId,
}

impl RoleArnComposition {
    /// For roles of the account that the webhook's machine stands in.
    pub fn new(region: &str, account: AccountId) -> Self {
        let partition = match region {
            r if r.starts_with("cn-") => "aws-cn",
            r if r.starts_with("us-gov-") => "aws-us-gov",
            r if r.starts_with("us-iso-") => "aws-iso",
            r if r.starts_with("us-isob-") => "aws-iso-b",
            r if r.starts_with("eusc-") => "aws-eusc",
            _ => "aws",
        };
        Self { partition, account }
    }

    /// The ARN of a role, its path included in `name`.
    pub(crate) fn role_arn(&self, name: &str) -> String {
        format!("arn:{}:iam::{}:role/{name}", self.partition, self.account)
    }
}

/// The values of jkroepke's Helm chart (2.6.5) that people set, with the chart's defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartValues {
    /// `config.annotationPrefix`.
    pub annotation_prefix: String,
    /// `config.defaultAwsRegion`: `us-east-1` unless set, and so injected on any cluster; empty turns it off.
    pub default_aws_region: String,
    /// `config.stsRegionalEndpoint`.
    pub sts_regional_endpoint: bool,
    /// `config.tokenAudience`.
    pub token_audience: Audience,
    /// `config.tokenExpiration`, in seconds.
    pub token_expiration: i64,
    /// `config.tokenMountPath`.
    pub token_mount_path: String,
    /// `config.podIdentityWebhookMap.enabled`.
    pub pod_identity_webhook_map: bool,
    /// `--service-account-lookup-grace-period` in `config.extraArgs`, the only way to set it.
    pub service_account_lookup_grace: Duration,
}

impl Default for ChartValues {
    fn default() -> Self {
        let bare = Config::bare();
        Self {
            annotation_prefix: bare.annotation_prefix,
            default_aws_region: "us-east-1".into(),
            sts_regional_endpoint: true,
            token_audience: bare.token_audience,
            token_expiration: bare.token_expiration,
            token_mount_path: bare.token_mount_path,
            pod_identity_webhook_map: false,
            service_account_lookup_grace: Duration::ZERO,
        }
    }
}

impl Config {
    /// The binary's own defaults, with the answers of its newest source: type metadata echoed.
    pub fn bare() -> Self {
        Self {
            annotation_prefix: "eks.amazonaws.com".into(),
            token_audience: Audience::new(Audience::AWS_STS),
            token_mount_path: "/var/run/secrets/eks.amazonaws.com/serviceaccount".into(),
            token_expiration: DEFAULT_TOKEN_EXPIRATION,
            region: String::new(),
            sts_regional_endpoint: false,
            service_account_lookup_grace: Duration::ZERO,
            compose_role_arn: None,
            watch_config_map: false,
            container_credentials: ContainerCredentials::default(),
            answer_without_type_meta: false,
        }
    }

    /// jkroepke's chart with image v0.6.17, the usual way on a cluster that is not EKS.
    pub fn chart(values: ChartValues) -> Self {
        Self {
            annotation_prefix: values.annotation_prefix,
            token_audience: values.token_audience,
            token_mount_path: values.token_mount_path,
            token_expiration: values.token_expiration,
            region: values.default_aws_region,
            sts_regional_endpoint: values.sts_regional_endpoint,
            service_account_lookup_grace: values.service_account_lookup_grace,
            watch_config_map: values.pod_identity_webhook_map,
            answer_without_type_meta: true,
            ..Self::bare()
        }
    }

    /// What EKS runs for a cluster in `region`. Its flags are not published: these are what its pods show.
    pub fn eks(region: impl Into<String>) -> Self {
        Self { region: region.into(), sts_regional_endpoint: true, answer_without_type_meta: true, ..Self::bare() }
    }

    /// The lifetime for accounts that ask for none.
    pub(crate) fn effective_token_expiration(&self) -> i64 {
        self.token_expiration.max(MIN_TOKEN_EXPIRATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chart_injects_a_region_on_any_cluster_unless_it_is_emptied() {
        let region = |values| Config::chart(values).region;
        assert_eq!(region(ChartValues::default()), "us-east-1");
        assert_eq!(region(ChartValues { default_aws_region: String::new(), ..ChartValues::default() }), "");
        assert_eq!(Config::bare().region, "");
    }

    #[test]
    fn composes_role_arns_in_the_partition_of_the_region() {
        let check = |region: &str, want: &str| {
            let account = "123456789012".parse().expect("account");
            assert_eq!(RoleArnComposition::new(region, account).role_arn("a/b"), want);
        };
        check("eu-central-1", "arn:aws:iam::123456789012:role/a/b");
        check("cn-north-1", "arn:aws-cn:iam::123456789012:role/a/b");
        check("us-gov-west-1", "arn:aws-us-gov:iam::123456789012:role/a/b");
        check("us-iso-east-1", "arn:aws-iso:iam::123456789012:role/a/b");
        check("us-isob-east-1", "arn:aws-iso-b:iam::123456789012:role/a/b");
        check("eusc-de-east-1", "arn:aws-eusc:iam::123456789012:role/a/b");
    }
}
