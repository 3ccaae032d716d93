//! Where pods run: the embedded cluster, or any cluster that a kubeconfig names.
//!
//! A provider brings an API server up and says which issuer signs its tokens. What is common to all places,
//! the process node and the webhooks of this house, is added by [`Cluster`]. All access to the API server is
//! `kube` over HTTPS, the embedded one included. This crate knows no cloud and no scenario.

mod accounts;
pub mod embedded;
mod identity_webhook;
pub mod issuer;
pub mod kubeconfig;
mod watched;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use kube::Client;
use kubelet::{ApiServerAddress, ControlPlane, NodeConfig, ProcessNode, Programs};
use transport::Authority;
use trust::{IssuerUrl, KeyRing, SharedClock};

pub use embedded::{Embedded, IssuerShape};
pub use identity_webhook::{AwsWebhook, PreparedWebhook};
pub use kubeconfig::Kubeconfig;
pub use watched::{Watchable, Watched};

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The kubeconfig.
    #[error("the kubeconfig {} cannot be used: {message}", file.display())]
    Kubeconfig {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The API server does not answer.
    #[error("the API server at {url} does not answer: {message}")]
    Unreachable {
        /// Its address.
        url: String,
        /// What was seen.
        message: String,
    },
    /// It tells no issuer.
    #[error("the API server's issuer cannot be found out: {0}")]
    Issuer(String),
    /// The embedded server.
    #[error("the embedded API server did not start: {0}")]
    Start(String),
    /// The process node.
    #[error("the process node did not start: {0}")]
    Node(String),
    /// A webhook's server.
    #[error("the webhook's server did not start: {0}")]
    Webhook(String),
    /// A file in the run's folder.
    #[error("a file of the cluster cannot be written")]
    File(#[from] std::io::Error),
    /// Certificates.
    #[error("a certificate of the cluster cannot be made")]
    Certificate(#[from] transport::AuthorityError),
}

/// An API server that is up, and its issuer.
#[derive(Debug)]
pub struct ApiAccess {
    /// How to reach it.
    pub config: kube::Config,
    /// What signs its tokens.
    pub issuer: IssuerUrl,
    /// What the issuer publishes at its public host: discovery document and key set.
    pub issuer_site: axum::Router,
    /// Whether the parts of a control plane beside the API server are missing (service account and namespace controllers, scheduler).
    pub bare: bool,
    /// Whether real kubelets are ready.
    pub has_nodes: bool,
    /// Whether the API server takes the process node's certificate for a kubelet's.
    pub trusts_node: bool,
}

/// A place with an API server. The same set of files, and the same checks, for every one.
#[async_trait::async_trait]
pub trait Provider: Send + Sync + fmt::Debug {
    /// The word on the command line and in reports.
    fn title(&self) -> String;

    /// Brings the API server up, or finds it.
    ///
    /// # Errors
    /// When it cannot be reached or its issuer cannot be found out.
    async fn up(&self) -> Result<ApiAccess, ClusterError>;

    /// Whether [`Provider::signing_key`] will give one.
    fn gives_signing_key(&self) -> bool;

    /// The issuer's private key, where whoever runs the cluster has it. Waits until it is generated.
    async fn signing_key(&self) -> Option<Arc<KeyRing>>;

    /// Takes down what [`Provider::up`] brought up.
    async fn down(&self);
}

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
    /// Name of the process node.
    pub node_name: String,
    /// Label selector of the run's own namespaces.
    pub namespaces: String,
}

/// A place in use: its API server, and the process node if its pods are to run here.
pub struct Cluster {
    provider: Arc<dyn Provider>,
    api: ApiAccess,
    client: Client,
    surroundings: Surroundings,
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
        let mut cluster = Self { provider, api, client, surroundings, node: None };
        if node == NodeChoice::Process || !cluster.api.has_nodes {
            let node = ProcessNode::start(cluster.node_config()?).await;
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
            programs: self.surroundings.programs.clone(),
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

    /// The issuer's private key, if this place lets us have it.
    pub async fn signing_key(&self) -> Option<Arc<KeyRing>> {
        self.provider.signing_key().await
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

    /// Starts the AWS webhook's server; its registration is left to the caller, who writes it down first.
    ///
    /// # Errors
    /// When the server cannot be started.
    pub async fn prepare_aws_webhook(&self, values: AwsWebhook) -> Result<PreparedWebhook, ClusterError> {
        identity_webhook::prepare(&self.client, &self.surroundings.authority, values).await
    }

    /// Stops the node, then what the provider brought up.
    pub async fn down(self) {
        if let Some(node) = self.node {
            node.stop().await;
        }
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

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
