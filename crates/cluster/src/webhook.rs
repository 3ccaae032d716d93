//! The identity webhooks as this house installs them: a server on loopback each, registered by URL. It must not know why a scenario
//! wants them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use kube::Client;
use serde_json::Value;
use tokio::net::TcpListener;
use transport::{Authority, Server};
use webhooks::{aws, azure};

use crate::ClusterError;
use crate::accounts::WatchedAccounts;

/// How long the AWS webhook waits for an account that its watch has not shown yet; upstream's README recommends it, its code defaults to none,
/// and what EKS sets is not published.
const LOOKUP_GRACE: Duration = Duration::from_millis(500);

/// Which webhook, with the values that a scenario sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Webhook {
    /// amazon-eks-pod-identity-webhook by its chart.
    Aws {
        /// `config.defaultAwsRegion`.
        default_aws_region: String,
        /// Name of the Helm release: part of the configuration's name, and so of the order in which API servers call webhooks.
        release: String,
    },
    /// amazon-eks-pod-identity-webhook as EKS itself installs it.
    AwsOnEks {
        /// The cluster's region.
        region: String,
    },
    /// azure-workload-identity by its chart.
    Azure {
        /// Release line, which decides about paths and names.
        layout: azure::Layout,
        /// `azureTenantID`.
        tenant: String,
    },
}

/// A webhook to install.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookInstallation {
    /// Which.
    pub webhook: Webhook,
    /// In place of the chart's own name for the MutatingWebhookConfiguration (a second installation in one cluster needs one).
    pub name: Option<String>,
    /// Chart value, a label selector; `None` is all namespaces, as shipped.
    pub namespace_selector: Option<Value>,
}

impl WebhookInstallation {
    /// Name of its MutatingWebhookConfiguration, known before anything exists. API servers call webhooks in the order of these names.
    pub fn configuration_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| match &self.webhook {
            Webhook::Aws { release, .. } => aws::Profile::Chart.configuration_name(release),
            Webhook::AwsOnEks { .. } => aws::Profile::Eks.configuration_name(""),
            Webhook::Azure { .. } => azure::NAME.to_owned(),
        })
    }

    /// The configuration that its chart would create, for a server at this address.
    fn configuration(&self, host: &str, ca_bundle_pem: &str) -> Value {
        let (target, bundle) =
            (|path: &str| aws::Target::Url(format!("https://{host}{path}")), ca_bundle_pem.to_owned());
        let mut configuration = match &self.webhook {
            Webhook::Aws { release, .. } => aws::configuration(&aws::Registration {
                release: release.clone(),
                namespace_selector: self.namespace_selector.clone(),
                ..aws::Registration::new(aws::Profile::Chart, target(aws::PATH), Some(bundle))
            }),
            Webhook::AwsOnEks { .. } => aws::configuration(&aws::Registration {
                namespace_selector: self.namespace_selector.clone(),
                ..aws::Registration::new(aws::Profile::Eks, target(aws::PATH), Some(bundle))
            }),
            Webhook::Azure { .. } => azure::configuration(&azure::Registration {
                namespace_selector: self.namespace_selector.clone(),
                ..azure::Registration::new(target(azure::PATH), Some(bundle))
            }),
        };
        configuration["metadata"]["name"] = self.configuration_name().into();
        configuration
    }
}

/// A webhook whose server runs and which is not registered yet.
#[derive(Debug)]
pub struct PreparedWebhook {
    /// The MutatingWebhookConfiguration to create.
    pub configuration: Value,
    /// Its name.
    pub name: String,
    server: Server,
}

impl PreparedWebhook {
    /// Stops the server. The configuration must be gone first, or pods meet its failure policy.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

pub(crate) async fn prepare(
    client: &Client,
    authority: &Authority,
    accounts: Arc<WatchedAccounts>,
    installation: WebhookInstallation,
) -> Result<PreparedWebhook, ClusterError> {
    let app = router(client, accounts, &installation.webhook).await?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let addr = listener.local_addr()?;
    let identity = authority.server_identity(&["127.0.0.1"])?;
    let server = Server::tls(listener, identity, app).map_err(|error| ClusterError::Webhook(crate::chain(&error)))?;
    Ok(PreparedWebhook {
        configuration: installation.configuration(&addr.to_string(), authority.root_pem()),
        name: installation.configuration_name(),
        server,
    })
}

async fn router(client: &Client, accounts: Arc<WatchedAccounts>, webhook: &Webhook) -> Result<Router, ClusterError> {
    match webhook {
        Webhook::Aws { default_aws_region, .. } => {
            let config = aws::Config::chart(aws::ChartValues {
                default_aws_region: default_aws_region.clone(),
                service_account_lookup_grace: LOOKUP_GRACE,
                ..aws::ChartValues::default()
            });
            Ok(aws::router(config, accounts))
        }
        Webhook::AwsOnEks { region } => {
            let config = aws::Config { service_account_lookup_grace: LOOKUP_GRACE, ..aws::Config::eks(region) };
            Ok(aws::router(config, accounts))
        }
        Webhook::Azure { layout, tenant } => {
            // Once at its start, as upstream does: it decides whether proxies are native sidecars.
            let version = client.apiserver_version().await;
            let version = version.map_err(|error| ClusterError::Webhook(crate::chain(&error)))?.git_version;
            let config = azure::Config::chart(*layout, tenant).on_server(&version);
            Ok(azure::router(config.map_err(|error| ClusterError::Webhook(error.to_string()))?, accounts))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn aws_by(release: &str) -> Webhook {
        Webhook::Aws { default_aws_region: "us-east-1".into(), release: release.into() }
    }

    fn azure() -> Webhook {
        Webhook::Azure { layout: azure::Layout::V1_6, tenant: "t".into() }
    }

    #[test]
    fn a_configuration_has_the_charts_name_or_the_one_that_is_given() {
        let check = |webhook: Webhook, name: Option<&str>, want: &str| {
            let installation = WebhookInstallation {
                webhook,
                name: name.map(str::to_owned),
                namespace_selector: Some(json!({"matchLabels": {"a": "b"}})),
            };
            assert_eq!(installation.configuration_name(), want);
            let configuration = installation.configuration("127.0.0.1:1", "PEM");
            assert_eq!(configuration["metadata"]["name"], want);
            assert_eq!(configuration["webhooks"][0]["namespaceSelector"], json!({"matchLabels": {"a": "b"}}));
        };
        check(aws_by("irsa"), None, "irsa-amazon-eks-pod-identity-webhook");
        check(aws_by("irsa"), Some("mine"), "mine");
        check(Webhook::AwsOnEks { region: "eu-central-1".into() }, None, "pod-identity-webhook");
        check(azure(), None, "azure-wi-webhook-mutating-webhook-configuration");
        check(azure(), Some("second"), "second");
    }

    #[test]
    fn a_configuration_leads_to_the_webhooks_own_path() {
        let url = |webhook| {
            let installation = WebhookInstallation { webhook, name: None, namespace_selector: None };
            installation.configuration("127.0.0.1:1", "PEM")["webhooks"][0]["clientConfig"]["url"].clone()
        };
        assert_eq!(url(aws_by("irsa")), "https://127.0.0.1:1/mutate");
        assert_eq!(url(azure()), "https://127.0.0.1:1/mutate-v1-pod");
    }
}
