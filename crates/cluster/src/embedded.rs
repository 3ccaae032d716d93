//! The embedded cluster: an API server in this process, shaped like a managed one.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube_sim::{ApiServer, ApiServerConfig, KeySource};
use tokio::sync::{Mutex, watch};
use transport::Authority;
use trust::{IssuerUrl, KeyRing, SharedClock, SigningKey};

use crate::kubeconfig::from_text;
use crate::{ApiAccess, ClusterError, Provider};

/// AKS caps requested lifetimes at 24 hours (AKS docs, "Use the OIDC issuer").
const LONGEST_TOKEN: Duration = Duration::from_secs(24 * 3600);
/// kube-apiserver refuses anything shorter (Kubernetes TokenRequest API).
const SHORTEST_TOKEN: Duration = Duration::from_secs(600);

/// Whose issuer the cluster's looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuerShape {
    /// AKS publishes its keys below `openid/v1/jwks`.
    Aks,
    /// EKS publishes them at `keys`.
    Eks,
}

/// The embedded cluster.
pub struct Embedded {
    issuer: IssuerUrl,
    shape: IssuerShape,
    authority: Arc<Authority>,
    clock: SharedClock,
    kubeconfig: PathBuf,
    keys: KeySource,
    server: Mutex<Option<ApiServer>>,
}

impl Embedded {
    /// Prepares it and begins to generate its signing key. `kubeconfig` is where a kubeconfig for people is written.
    pub fn new(
        issuer: IssuerUrl,
        shape: IssuerShape,
        authority: Arc<Authority>,
        clock: SharedClock,
        kubeconfig: PathBuf,
    ) -> Self {
        let (sender, keys) = watch::channel(None);
        tokio::task::spawn_blocking(move || match SigningKey::generate() {
            Ok(key) => {
                let _ = sender.send(Some(Arc::new(KeyRing::new(key))));
            }
            Err(error) => tracing::error!(%error, "no signing key"),
        });
        Self { issuer, shape, authority, clock, kubeconfig, keys, server: Mutex::new(None) }
    }
}

#[async_trait::async_trait]
impl Provider for Embedded {
    fn title(&self) -> String {
        "embedded".into()
    }

    async fn up(&self) -> Result<ApiAccess, ClusterError> {
        let server = ApiServer::start(ApiServerConfig {
            issuer: self.issuer.clone(),
            jwks_path: match self.shape {
                IssuerShape::Aks => "/openid/v1/jwks".into(),
                IssuerShape::Eks => "/keys".into(),
            },
            keys: self.keys.clone(),
            authority: self.authority.clone(),
            clock: self.clock.clone(),
            min_token_lifetime: SHORTEST_TOKEN,
            max_token_lifetime: Some(LONGEST_TOKEN),
        })
        .await
        .map_err(|error| ClusterError::Start(crate::chain(&error)))?;
        write_private(&self.kubeconfig, server.kubeconfig())?;
        let access = ApiAccess {
            config: from_text(server.kubeconfig(), None, &self.kubeconfig).await?,
            issuer: self.issuer.clone(),
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
        let mut keys = self.keys.clone();
        keys.wait_for(Option::is_some).await.ok()?.clone()
    }

    async fn down(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("issuer", &self.issuer)
            .field("kubeconfig", &self.kubeconfig)
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
