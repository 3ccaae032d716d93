//! Starting and stopping: the listening server, its kubeconfig, and the site that the issuer publishes.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use transport::{Authority, AuthorityError, PemIdentity, Server, ServerError};
use trust::{IssuerUrl, KeyRing, SharedClock};

use crate::api::{self, Api};
use crate::snapshot::{self, Snapshot};
use crate::tokens::{self, Issuer};
use crate::{bootstrap, discovery};

/// Where the signing key comes from. It may still be in the making when the server starts: only what needs it waits for it.
pub type KeySource = watch::Receiver<Option<Arc<KeyRing>>>;

/// What a server is made of.
#[derive(Debug, Clone)]
pub struct ApiServerConfig {
    /// The `iss` of its tokens, and the only API audience.
    pub issuer: IssuerUrl,
    /// Path of the key set, appended to the issuer without its trailing slash: `/openid/v1/jwks` on AKS, `/keys` on EKS.
    pub jwks_path: String,
    /// The keys that sign and that are published. A new ring rotates them at once.
    pub keys: KeySource,
    /// Signs the serving certificate and the client certificates, and vouches for nodes.
    pub authority: Arc<Authority>,
    /// Time of objects and tokens.
    pub clock: SharedClock,
    /// Shortest token lifetime that may be asked for; 600 s on a real server.
    pub min_token_lifetime: Duration,
    /// Longer requests are shortened to this, with a warning, as by `--service-account-max-token-expiration`; 24 h on AKS. Unlike that
    /// flag, which must be an hour at least, it may be of seconds, so that a renewal can be waited for.
    pub max_token_lifetime: Option<Duration>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No socket on loopback.
    #[error("cannot listen on loopback")]
    Listen(#[source] std::io::Error),
    /// No certificate.
    #[error("cannot make the server's certificates")]
    Certificate(#[from] AuthorityError),
    /// TLS was refused.
    #[error("cannot serve")]
    Serve(#[from] ServerError),
    /// The connection to nodes cannot be configured.
    #[error("cannot set up the connection to nodes")]
    Nodes(#[source] rustls::Error),
}

/// A running API server. Dropping it stops it.
pub struct ApiServer {
    server: Server,
    api: Arc<Api>,
    kubeconfig: String,
    stopping: CancellationToken,
    /// What runs beside it ends with it, even when it is dropped.
    _ending: DropGuard,
}

impl ApiServer {
    /// Starts a cluster's control plane: the API server with the controllers that give every namespace its `default` account and
    /// `kube-root-ca.crt`, and that empty a namespace which is deleted.
    ///
    /// # Errors
    /// When it cannot listen, or a certificate or TLS is refused.
    pub async fn start(config: ApiServerConfig) -> Result<Self, StartError> {
        Self::run(config, true).await
    }

    /// Starts the API server alone, as a bare kube-apiserver runs without its controllers.
    ///
    /// # Errors
    /// As [`ApiServer::start`].
    pub async fn start_bare(config: ApiServerConfig) -> Result<Self, StartError> {
        Self::run(config, false).await
    }

    async fn run(config: ApiServerConfig, has_controllers: bool) -> Result<Self, StartError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(StartError::Listen)?;
        let addr = listener.local_addr().map_err(StartError::Listen)?;
        let names = [
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "localhost",
            "127.0.0.1",
        ];
        let identity = config.authority.server_identity(&names)?;
        let admin = config.authority.client_certificate("kubernetes-admin", "system:masters")?;
        let kubeconfig = kubeconfig(addr, &config.authority, &admin);
        let stopping = CancellationToken::new();
        let issuer = Issuer {
            url: config.issuer,
            jwks_path: config.jwks_path,
            keys: config.keys,
            clock: config.clock,
            min_lifetime: tokens::seconds(config.min_token_lifetime),
            max_lifetime: config.max_token_lifetime.map(tokens::seconds),
        };
        let api =
            Api::new(issuer, &config.authority, addr, stopping.clone(), has_controllers).map_err(StartError::Nodes)?;
        bootstrap::fill(&api);
        let api = Arc::new(api);
        let server =
            Server::tls_with_client_ca(listener, identity, config.authority.root_der(), api::router(api.clone()))?;
        let _ending = stopping.clone().drop_guard();
        Ok(Self { server, api, kubeconfig, stopping, _ending })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// A kubeconfig, in YAML, with the cluster's certificate and a client certificate in `system:masters`. It holds a private key.
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// What a managed cloud publishes at the issuer's public host: the discovery document and the key set, to anyone; nothing else.
    pub fn issuer_site(&self) -> Router {
        discovery::issuer_site(&self.api.issuer)
    }

    /// The objects, as they are to be kept.
    pub fn snapshot(&self) -> Snapshot {
        snapshot::take(&self.api)
    }

    /// Puts back what was kept of one like it. Call it before anybody uses the server.
    pub fn restore(&self, snapshot: Snapshot) {
        snapshot::put_back(&self.api, snapshot);
    }

    /// Ends watches and followed logs, and waits within a bound for other answers under way.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.server.stop().await;
    }
}

impl fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiServer")
            .field("addr", &self.addr())
            .field("issuer", &self.api.issuer.url)
            .finish_non_exhaustive()
    }
}

fn kubeconfig(addr: SocketAddr, authority: &Authority, admin: &PemIdentity) -> String {
    let data = |pem: &str| STANDARD.encode(pem);
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: embedded\nclusters:\n- name: embedded\n  cluster:\n    server: https://{addr}\n    \
         certificate-authority-data: {}\nusers:\n- name: admin\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n\
         contexts:\n- name: embedded\n  context:\n    cluster: embedded\n    user: admin\n",
        data(authority.root_pem()),
        data(&admin.cert_pem),
        data(admin.key_pem.expose()),
    )
}
