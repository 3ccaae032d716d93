//! The AWS pod identity webhook as this house installs it: a server on loopback, registered by URL.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use serde_json::Value;
use tokio::net::TcpListener;
use transport::{Authority, Server};
use webhooks::aws::{ChartValues, Config, Profile, Registration, Target, configuration, router};

use crate::accounts::WatchedAccounts;
use crate::{ClusterError, Watched};

/// How long the webhook waits for an account that its watch has not shown yet; upstream's README recommends it, its code defaults to none.
const LOOKUP_GRACE: Duration = Duration::from_millis(500);

/// Chart values that a scenario sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsWebhook {
    /// `config.defaultAwsRegion`.
    pub default_aws_region: String,
    /// Name of the Helm release: part of the configuration's name.
    pub release: String,
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
    values: AwsWebhook,
) -> Result<PreparedWebhook, ClusterError> {
    let accounts = Arc::new(WatchedAccounts(Watched::start(client.clone(), "").await));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let addr = listener.local_addr()?;
    let config = Config::chart(ChartValues {
        default_aws_region: values.default_aws_region,
        service_account_lookup_grace: LOOKUP_GRACE,
        ..ChartValues::default()
    });
    let identity = authority.server_identity(&["127.0.0.1"])?;
    let server = Server::tls(listener, identity, router(config, accounts))
        .map_err(|error| ClusterError::Webhook(crate::chain(&error)))?;
    let target = Target::Url(format!("https://{addr}/mutate"));
    let mut registration = Registration::new(Profile::Chart, target, Some(authority.root_pem().to_owned()));
    registration.release = values.release;
    Ok(PreparedWebhook { configuration: configuration(&registration), name: registration.name(), server })
}
