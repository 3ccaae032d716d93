//! Where pods run: the embedded cluster, or any cluster that a kubeconfig names.
//!
//! A provider brings an API server up and says which issuer signs its tokens. What is common to all places,
//! the process node and the webhooks of this house, is added by [`Cluster`]. All access to the API server is
//! `kube` over HTTPS, the embedded one included. This crate knows no cloud and no scenario.

mod accounts;
mod discovery;
pub mod embedded;
mod error;
pub mod issuer;
mod keys;
pub mod kubeconfig;
mod provider;
mod watched;
mod webhook;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use kube::Client;
use kubelet::{ApiServerAddress, ControlPlane, NodeConfig, ProcessNode, Programs};
use tokio::sync::OnceCell;
use transport::Authority;
use trust::{IssuerUrl, KeyRing, SharedClock};

use accounts::WatchedAccounts;
use error::chain;

pub use embedded::{Embedded, EmbeddedConfig, IssuerShape, Kept, LONGEST_TOKEN};
pub use error::ClusterError;
pub use kubeconfig::Kubeconfig;
pub use provider::{ApiAccess, Provider};
pub use watched::{Watchable, Watched};
pub use webhook::{PreparedWebhook, Webhook, WebhookInstallation};
pub use webhooks::azure::Layout as AzureLayout;

/// Whether this process runs pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeChoice {
    /// It does.
    Process,
    /// It does where no node of the cluster is ready.
    WhereMissing,
}

/// What every place needs from its run.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Private folder of the run: pods' folders lie below it.
    pub folder: PathBuf,
    /// Signs the certificates of webhooks and of the node.
    pub authority: Arc<Authority>,
    /// Tells the time.
    pub clock: SharedClock,
    /// Images that are local programs.
    pub programs: Programs,
    /// Variables that every container starts with; the pod's own win.
    pub environment: BTreeMap<String, String>,
    /// Name of the process node.
    pub node_name: String,
    /// Its labels beside the usual ones.
    pub node_labels: BTreeMap<String, String>,
    /// Hears of the node before it is made.
    pub node_watch: NodeWatch,
    /// Label selector of the run's own namespaces.
    pub namespaces: String,
}

/// Who hears of the process node before it is made, and may keep it from being made.
#[derive(Clone)]
pub struct NodeWatch(Arc<dyn Fn() -> std::io::Result<()> + Send + Sync>);

impl NodeWatch {
    /// Calls this.
    pub fn new(hears: impl Fn() -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(hears))
    }
}

impl Default for NodeWatch {
    fn default() -> Self {
        Self::new(|| Ok(()))
    }
}

impl fmt::Debug for NodeWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeWatch")
    }
}

/// A place in use: its API server, and the process node if its pods are to run here.
pub struct Cluster {
    provider: Arc<dyn Provider>,
    api: ApiAccess,
    client: Client,
    surroundings: Surroundings,
    /// What the webhooks see, from the first one on.
    accounts: OnceCell<Arc<WatchedAccounts>>,
    node: Option<ProcessNode>,
}

impl Cluster {
    /// Brings a place up.
    ///
    /// # Errors
    /// When the API server or the node does not come up.
    pub async fn up(
        provider: Arc<dyn Provider>,
        surroundings: Surroundings,
        node: NodeChoice,
    ) -> Result<Self, ClusterError> {
        let api = provider.up().await?;
        let client = Client::try_from(api.config.clone()).map_err(|error| ClusterError::Start(error.to_string()))?;
        let mut cluster = Self { provider, api, client, surroundings, accounts: OnceCell::new(), node: None };
        if node == NodeChoice::Process || !cluster.api.has_nodes {
            let config = cluster.node_config()?;
            (cluster.surroundings.node_watch.0)()?;
            let node = ProcessNode::start(config).await;
            cluster.node = Some(node.map_err(|error| ClusterError::Node(chain(&error)))?);
        }
        Ok(cluster)
    }

    fn node_config(&self) -> Result<NodeConfig, ClusterError> {
        let root = self.surroundings.folder.join("pods");
        std::fs::create_dir_all(&root)?;
        let uri = &self.api.config.cluster_url;
        Ok(NodeConfig {
            client: self.client.clone(),
            name: self.surroundings.node_name.clone(),
            labels: self.surroundings.node_labels.clone(),
            programs: self.surroundings.programs.clone(),
            environment: self.surroundings.environment.clone(),
            root,
            authority: self.surroundings.authority.clone(),
            clock: self.surroundings.clock.clone(),
            control_plane: if self.api.bare {
                ControlPlane::Missing {
                    root_ca_pem: self.root_ca_pem(),
                    namespaces: self.surroundings.namespaces.clone(),
                }
            } else {
                ControlPlane::Present
            },
            api_server: ApiServerAddress {
                host: uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
                port: uri.port_u16().unwrap_or(443),
            },
        })
    }

    /// The certificates that pods are told to trust the API server by.
    fn root_ca_pem(&self) -> String {
        let certificates = self.api.config.root_cert.iter().flatten();
        certificates.map(|der| kubeconfig::pem_certificate(der)).collect()
    }

    /// The word for reports.
    pub fn title(&self) -> String {
        self.provider.title()
    }

    /// The API client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The issuer of its tokens.
    pub fn issuer(&self) -> &IssuerUrl {
        &self.api.issuer
    }

    /// What the issuer publishes.
    pub fn issuer_site(&self) -> axum::Router {
        self.api.issuer_site.clone()
    }

    /// Whether this place lets us have the issuer's private key.
    pub fn gives_signing_key(&self) -> bool {
        self.provider.gives_signing_key()
    }

    /// The issuer's private key, if this place lets us have it: the one that signs now.
    pub async fn signing_key(&self) -> Option<Arc<KeyRing>> {
        self.provider.signing_key().await
    }

    /// Whether this place rotates the issuer's keys when we ask.
    pub fn rotates_keys(&self) -> bool {
        self.provider.rotates_keys()
    }

    /// Publishes a new key beside the old one, which still signs.
    ///
    /// # Errors
    /// As [`Provider::publish_next_key`].
    pub async fn publish_next_key(&self) -> Result<(), ClusterError> {
        self.provider.publish_next_key().await
    }

    /// Signs with the new key from now on; the old one stays published.
    ///
    /// # Errors
    /// As [`Provider::sign_with_next_key`].
    pub async fn sign_with_next_key(&self) -> Result<(), ClusterError> {
        self.provider.sign_with_next_key().await
    }

    /// The API server's own discovery document and key set, as who runs a cluster uploads them to the issuer's host.
    ///
    /// The document's `jwks_uri` lies below the issuer: where it names another place (the API server's address, unless
    /// `--service-account-jwks-uri` is set), it is changed to `<issuer>/openid/v1/jwks`, the path that azure-workload-identity's docs
    /// for self-managed clusters have. The key set is as the API server gives it; where it makes its first key still, that is waited for.
    ///
    /// # Errors
    /// When the API server does not give them.
    pub async fn discovery(&self) -> Result<(Vec<u8>, Vec<u8>), ClusterError> {
        // The time-out of a call is for the API server, not for a key that is in the making.
        let _ = self.provider.signing_key().await;
        discovery::documents(&self.client, &self.api.issuer).await
    }

    /// Name of the process node, if there is one.
    pub fn process_node(&self) -> Option<&str> {
        self.node.as_ref().map(ProcessNode::name)
    }

    /// Whether the API server takes the process node's certificate for a kubelet's; else logs are asked for without looking at it.
    pub fn trusts_node(&self) -> bool {
        self.api.trusts_node
    }

    /// Whether there are ready nodes beside the process node.
    pub fn has_other_nodes(&self) -> bool {
        self.api.has_nodes
    }

    /// Starts a webhook's server; its registration is left to the caller, who writes it down first. All webhooks of a cluster see
    /// service accounts through one watch.
    ///
    /// # Errors
    /// When the server cannot be started, or the API server does not say of which version it is (the Azure webhook asks).
    pub async fn prepare_webhook(&self, installation: WebhookInstallation) -> Result<PreparedWebhook, ClusterError> {
        let accounts = self.accounts.get_or_init(async || Arc::new(WatchedAccounts::start(self.client.clone()).await));
        webhook::prepare(&self.client, &self.surroundings.authority, accounts.await.clone(), installation).await
    }

    /// Stops the node, then what the provider brought up.
    pub async fn down(self) {
        if let Some(node) = self.node {
            node.stop().await;
        }
        // Its watch ends before the server does.
        drop(self.accounts);
        self.provider.down().await;
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("provider", &self.provider)
            .field("issuer", &self.api.issuer)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
