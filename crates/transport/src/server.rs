//! Serves a router on loopback: over TLS, or plain for programs that are given an endpoint.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::dial::provider;

/// A peer has this long to finish its TLS handshake, and as long to send a request's head.
const SLOW_PEER: Duration = Duration::from_secs(10);
/// Answers that are under way when the server stops get this long.
const GRACE: Duration = Duration::from_millis(500);

/// Who a verified client certificate says the peer is; a request extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Subject's common name.
    pub common_name: String,
    /// Subject's organizations.
    pub organizations: Vec<String>,
}

/// Where a request came from; a request extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// TLS configuration was refused.
    #[error("tls cannot be configured: {0}")]
    Tls(String),
    /// The socket does not answer.
    #[error("the listening socket failed")]
    Socket(#[from] std::io::Error),
}

/// A running server. Dropping it stops it at once; [`Server::stop`] waits for answers under way.
pub struct Server {
    addr: SocketAddr,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    /// Serves `app` with one certificate.
    ///
    /// # Errors
    /// When TLS cannot be configured or the socket is not usable.
    pub fn tls(listener: TcpListener, identity: Arc<CertifiedKey>, app: Router) -> Result<Self, ServerError> {
        Self::start(listener, Some(server_config(identity)?), app)
    }

    /// Serves `app` without TLS.
    ///
    /// # Errors
    /// When the socket is not usable.
    pub fn plain(listener: TcpListener, app: Router) -> Result<Self, ServerError> {
        Self::start(listener, None, app)
    }

    /// Serves `app`, asking for client certificates: none is fine, one that does not lead to `client_root` ends the connection.
    ///
    /// # Errors
    /// When TLS cannot be configured or the socket is not usable.
    pub fn tls_with_client_ca(
        listener: TcpListener,
        identity: Arc<CertifiedKey>,
        client_root: &CertificateDer<'static>,
        app: Router,
    ) -> Result<Self, ServerError> {
        let tls = |error: &dyn fmt::Display| ServerError::Tls(error.to_string());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(client_root.clone()).map_err(|error| tls(&error))?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .allow_unauthenticated()
            .build()
            .map_err(|error| tls(&error))?;
        let config = builder()?.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(One(identity)));
        Self::start(listener, Some(speaking_http(config)), app)
    }

    fn start(listener: TcpListener, config: Option<ServerConfig>, app: Router) -> Result<Self, ServerError> {
        let addr = listener.local_addr()?;
        let (stopping, tasks) = (CancellationToken::new(), TaskTracker::new());
        let acceptor = config.map(|config| TlsAcceptor::from(Arc::new(config)));
        let (inner, tracker) = (stopping.clone(), tasks.clone());
        tasks.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = inner.cancelled() => break,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok((stream, peer)) => {
                        tracker.spawn(connection(stream, peer, acceptor.clone(), app.clone(), inner.clone()));
                    }
                    // Out of descriptors, or a peer that left while it waited: the next accept decides.
                    Err(error) => {
                        tracing::debug!(%error, "accept failed");
                        tokio::task::yield_now().await;
                    }
                }
            }
        });
        Ok(Self { addr, stopping, tasks })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops listening and waits, within a bound, for answers under way.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.tasks.close();
        if tokio::time::timeout(GRACE, self.tasks.wait()).await.is_err() {
            tracing::debug!(addr = %self.addr, "connections still open at stop");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addr", &self.addr).finish_non_exhaustive()
    }
}

/// TLS settings of a server that shows one certificate, asks for none and speaks HTTP/1.1.
///
/// # Errors
/// When the TLS library refuses its own defaults.
pub fn server_config(identity: Arc<CertifiedKey>) -> Result<ServerConfig, ServerError> {
    let config = builder()?.with_no_client_auth().with_cert_resolver(Arc::new(One(identity)));
    Ok(speaking_http(config))
}

fn speaking_http(mut config: ServerConfig) -> ServerConfig {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

fn builder() -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, ServerError> {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| ServerError::Tls(error.to_string()))
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    app: Router,
    stopping: CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        return serve(stream, peer, None, app, stopping).await;
    };
    let handshake = tokio::time::timeout(SLOW_PEER, acceptor.accept(stream));
    let stream = tokio::select! {
        () = stopping.cancelled() => return,
        stream = handshake => match stream {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%peer, %error, "tls handshake failed"),
            Err(_) => return tracing::debug!(%peer, "tls handshake too slow"),
        },
    };
    let identity = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).and_then(identity);
    serve(stream, peer, identity, app, stopping).await;
}

/// HTTP/1.1 on a connection, until its peer or the server ends it.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    identity: Option<PeerIdentity>,
    app: Router,
    stopping: CancellationToken,
) {
    let service = app.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(PeerAddr(peer));
        if let Some(identity) = &identity {
            request.extensions_mut().insert(identity.clone());
        }
        request.map(Body::new)
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SLOW_PEER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stopping.cancelled() => {
            serving.as_mut().graceful_shutdown();
            match tokio::time::timeout(GRACE, serving).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

fn identity(certificate: &CertificateDer<'_>) -> Option<PeerIdentity> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let subject = certificate.subject();
    let text = |value: &x509_parser::x509::AttributeTypeAndValue<'_>| value.as_str().ok().map(str::to_owned);
    Some(PeerIdentity {
        common_name: subject.iter_common_name().next().and_then(text)?,
        organizations: subject.iter_organization().filter_map(text).collect(),
    })
}

/// The one certificate of a server, whatever name the client asks for.
#[derive(Debug)]
struct One(Arc<CertifiedKey>);

impl ResolvesServerCert for One {
    fn resolve(&self, _hello: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}
