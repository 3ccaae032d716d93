//! The seam between a cluster and whoever runs its API server. It must not know what runs on it.

use std::fmt;
use std::sync::Arc;

use trust::{IssuerUrl, KeyRing};

use crate::ClusterError;

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

    /// The issuer's private key, where whoever runs the cluster has it: the one that signs now. Waits until it is generated.
    async fn signing_key(&self) -> Option<Arc<KeyRing>>;

    /// Whether the issuer's keys are rotated when we ask: [`Provider::publish_next_key`], then [`Provider::sign_with_next_key`].
    fn rotates_keys(&self) -> bool;

    /// Makes a key and publishes it beside the old one, at the API server and at the issuer's site. The old one still signs.
    ///
    /// # Errors
    /// The keys are not ours to rotate, a next key is published already, or none can be made.
    async fn publish_next_key(&self) -> Result<(), ClusterError>;

    /// Signs with the next key from now on. The old one stays published, so that tokens in use stay good.
    ///
    /// # Errors
    /// The keys are not ours to rotate, or no next key is published.
    async fn sign_with_next_key(&self) -> Result<(), ClusterError>;

    /// Takes down what [`Provider::up`] brought up.
    async fn down(&self);
}
