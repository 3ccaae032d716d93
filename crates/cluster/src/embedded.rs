//! The embedded cluster: an API server in this process, shaped like a managed one.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube_sim::{ApiServer, ApiServerConfig, Snapshot};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use transport::Authority;
use trust::{IssuerUrl, KeyRing, Secret, SharedClock, SigningKey};

use crate::keys::Keys;
use crate::kubeconfig::from_text;
use crate::{ApiAccess, ClusterError, Provider};

/// The longest token of a managed cluster: AKS caps requested lifetimes at 24 hours (AKS docs, "Use the OIDC issuer").
pub const LONGEST_TOKEN: Duration = Duration::from_secs(24 * 3600);
/// kube-apiserver refuses anything shorter (Kubernetes TokenRequest API).
const SHORTEST_TOKEN: Duration = Duration::from_secs(600);

/// Whose issuer the cluster's looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuerShape {
    /// AKS publishes its keys below `openid/v1/jwks`.
    Aks,
    /// EKS publishes them at `keys`.
    Eks,
    /// Who runs the cluster publishes them below `openid/v1/jwks` (azure-workload-identity docs, "OpenID Connect Issuer").
    SelfManaged,
}

impl IssuerShape {
    /// Where the key set lies below the issuer, whose trailing slash goes first.
    fn jwks_path(self) -> &'static str {
        match self {
            Self::Aks | Self::SelfManaged => "/openid/v1/jwks",
            Self::Eks => "/keys",
        }
    }
}

/// What an embedded cluster is made of.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// The `iss` of its tokens.
    pub issuer: IssuerUrl,
    /// Whose issuer that looks like.
    pub shape: IssuerShape,
    /// Signs its certificates.
    pub authority: Arc<Authority>,
    /// Tells the time.
    pub clock: SharedClock,
    /// Where a kubeconfig for people is written.
    pub kubeconfig: PathBuf,
    /// Longer lifetimes that are asked for are shortened to this: [`LONGEST_TOKEN`] on a managed cluster. It may be of seconds, where a
    /// real API server asks for an hour at least; whole ones count.
    pub longest_token: Duration,
}

/// What is kept of an embedded cluster that is to outlive its process. It holds its private key and its secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// The issuer, which a later one must have, too.
    pub issuer: IssuerUrl,
    key: Secret,
    objects: Snapshot,
}

/// The embedded cluster.
pub struct Embedded {
    config: EmbeddedConfig,
    keys: Keys,
    /// What it begins with, once.
    kept: Mutex<Option<Snapshot>>,
    server: Mutex<Option<ApiServer>>,
}

impl Embedded {
    /// Prepares it and begins to generate its signing key.
    pub fn new(config: EmbeddedConfig) -> Self {
        Self { config, keys: Keys::generate(), kept: Mutex::default(), server: Mutex::new(None) }
    }

    /// Prepares it as it was: with its key and its objects.
    ///
    /// # Errors
    /// When the key is none.
    pub fn resuming(config: EmbeddedConfig, kept: Kept) -> Result<Self, ClusterError> {
        let key =
            SigningKey::from_pkcs8_pem(kept.key.expose()).map_err(|error| ClusterError::Keys(error.to_string()))?;
        let keys = Keys::of(key);
        Ok(Self { config, keys, kept: Mutex::new(Some(kept.objects)), server: Mutex::new(None) })
    }

    /// What is to be kept of it while it is up. Waits for its key.
    ///
    /// # Errors
    /// When it is not up, or has no key.
    pub async fn keep(&self) -> Result<Kept, ClusterError> {
        let none = || ClusterError::Keys("there is no key".into());
        let ring = self.keys.ring().await.ok_or_else(none)?;
        let key = ring.active().to_pkcs8_pem().map_err(|error| ClusterError::Keys(error.to_string()))?;
        let server = self.server.lock().await;
        let server = server.as_ref().ok_or_else(|| ClusterError::Start("it is not up".into()))?;
        Ok(Kept { issuer: self.config.issuer.clone(), key, objects: server.snapshot() })
    }
}

#[async_trait::async_trait]
impl Provider for Embedded {
    fn title(&self) -> String {
        "embedded".into()
    }

    async fn up(&self) -> Result<ApiAccess, ClusterError> {
        let EmbeddedConfig { issuer, shape, authority, clock, kubeconfig, longest_token } = self.config.clone();
        let server = ApiServer::start(ApiServerConfig {
            issuer: issuer.clone(),
            jwks_path: shape.jwks_path().into(),
            keys: self.keys.source(),
            authority,
            clock,
            min_token_lifetime: SHORTEST_TOKEN,
            max_token_lifetime: Some(longest_token),
        })
        .await
        .map_err(|error| ClusterError::Start(crate::chain(&error)))?;
        if let Some(kept) = self.kept.lock().await.take() {
            server.restore(kept);
        }
        write_private(&kubeconfig, server.kubeconfig())?;
        let access = ApiAccess {
            config: from_text(server.kubeconfig(), None, &kubeconfig).await?,
            issuer,
            issuer_site: server.issuer_site(),
            bare: false,
            has_nodes: false,
            trusts_node: true,
        };
        *self.server.lock().await = Some(server);
        Ok(access)
    }

    fn gives_signing_key(&self) -> bool {
        true
    }

    async fn signing_key(&self) -> Option<Arc<KeyRing>> {
        self.keys.ring().await
    }

    fn rotates_keys(&self) -> bool {
        true
    }

    async fn publish_next_key(&self) -> Result<(), ClusterError> {
        self.keys.publish_next().await
    }

    async fn sign_with_next_key(&self) -> Result<(), ClusterError> {
        self.keys.sign_with_next().await
    }

    async fn down(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
        let _ = std::fs::remove_file(&self.config.kubeconfig);
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("issuer", &self.config.issuer)
            .field("kubeconfig", &self.config.kubeconfig)
            .finish_non_exhaustive()
    }
}

/// A kubeconfig holds a private key: only its owner may read it.
fn write_private(file: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut out = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    out.write_all(text.as_bytes())
}
