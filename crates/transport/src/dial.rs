//! How a connection comes to be: straight or through a proxy, then TLS against known roots.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use base64::Engine;
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use trust::Secret;

use crate::authority::Authority;
use crate::client::FetchError;

/// The one TLS provider of this house.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let make = || {
        use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
        // On loopback the post-quantum exchange only costs time.
        Arc::new(CryptoProvider {
            kx_groups: vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
            ..default_provider()
        })
    };
    PROVIDER.get_or_init(make).clone()
}

/// Certificates that a client trusts.
#[derive(Debug, Clone)]
pub struct Roots(Arc<WebPkiServerVerifier>);

/// Why a trust bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// Not PEM, or a certificate in it is damaged.
    #[error("the certificate bundle cannot be read: {0}")]
    Unreadable(String),
    /// It holds no certificate.
    #[error("the certificate bundle holds no certificate")]
    Empty,
}

impl Roots {
    /// The certificates of a PEM bundle.
    ///
    /// # Errors
    /// When it holds none or one cannot be read.
    pub fn pem(text: &str) -> Result<Self, RootsError> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        Self::certificates(certificates.map_err(|error| RootsError::Unreadable(error.to_string()))?)
    }

    /// The root of an authority.
    ///
    /// # Errors
    /// When the TLS library does not take it.
    pub fn of(authority: &Authority) -> Result<Self, RootsError> {
        Self::certificates(vec![authority.root_der().clone()])
    }

    fn certificates(certificates: Vec<CertificateDer<'static>>) -> Result<Self, RootsError> {
        let mut store = RootCertStore::empty();
        for certificate in certificates {
            store.add(certificate).map_err(|error| RootsError::Unreadable(error.to_string()))?;
        }
        if store.is_empty() {
            return Err(RootsError::Empty);
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider());
        Ok(Self(verifier.build().map_err(|error| RootsError::Unreadable(error.to_string()))?))
    }
}

/// A CONNECT proxy with its credentials.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Where it listens.
    pub addr: SocketAddr,
    /// User name.
    pub user: String,
    /// Password.
    pub password: Secret,
}

impl Proxy {
    /// The URL that clients take from `HTTPS_PROXY`. It holds the password.
    pub fn url(&self) -> Secret {
        Secret::new(format!("http://{}:{}@{}", self.user, self.password.expose(), self.addr))
    }
}

/// Opens TLS to a host, straight or through a CONNECT proxy.
///
/// # Errors
/// When there is no connection, the proxy refuses, or the host shows what the roots do not vouch for.
pub async fn tls(
    proxy: Option<&Proxy>,
    roots: &Roots,
    host: &str,
    port: u16,
) -> Result<Box<dyn Stream + 'static>, FetchError> {
    let stream = open(proxy, host, port).await?;
    Ok(Box::new(secure(stream, host, roots, false).await?.stream))
}

/// A TLS connection with what its server showed.
pub(crate) struct Connection<S> {
    pub(crate) stream: TlsStream<S>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) trusted: bool,
}

/// Anything that bytes go through.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Opens the byte stream to `host:port`.
pub(crate) async fn open(proxy: Option<&Proxy>, host: &str, port: u16) -> Result<Box<dyn Stream>, FetchError> {
    let connect_error =
        |error: std::io::Error| FetchError::Connect { host: format!("{host}:{port}"), error: error.to_string() };
    let Some(proxy) = proxy else {
        let stream = TcpStream::connect((host, port)).await.map_err(connect_error)?;
        stream.set_nodelay(true).map_err(connect_error)?;
        return Ok(Box::new(stream));
    };
    let stream = TcpStream::connect(proxy.addr).await.map_err(connect_error)?;
    stream.set_nodelay(true).map_err(connect_error)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| FetchError::Http(error.to_string()))?;
    tokio::spawn(connection.with_upgrades());
    let credentials =
        base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", proxy.user, proxy.password.expose()));
    let request = http::Request::connect(format!("{host}:{port}"))
        .header(http::header::HOST, format!("{host}:{port}"))
        .header(http::header::PROXY_AUTHORIZATION, format!("Basic {credentials}"))
        .body(Empty::<Bytes>::new())
        .map_err(|error| FetchError::Http(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(|error| FetchError::Http(error.to_string()))?;
    if response.status() != http::StatusCode::OK {
        return Err(FetchError::Proxy { host: host.to_owned(), status: response.status().as_u16() });
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(|error| FetchError::Http(error.to_string()))?;
    Ok(Box::new(TokioIo::new(upgraded)))
}

/// Ends TLS on an open stream.
pub(crate) async fn secure<S: Stream>(
    stream: S,
    host: &str,
    roots: &Roots,
    accept_untrusted: bool,
) -> Result<Connection<S>, FetchError> {
    let tls_error = |error: String| FetchError::Tls { host: host.to_owned(), error };
    let (config, untrusted) = config(roots, accept_untrusted).map_err(|error| tls_error(error.to_string()))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| tls_error(error.to_string()))?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| tls_error(error.to_string()))?;
    let chain =
        stream.get_ref().1.peer_certificates().unwrap_or_default().iter().map(|one| one.clone().into_owned()).collect();
    Ok(Connection { stream, chain, trusted: !untrusted.load(Ordering::Acquire) })
}

/// TLS settings of a client that trusts `roots`, or, where the caller has no say in the server's certificate, anything.
///
/// # Errors
/// When the TLS library refuses its own defaults.
pub fn client_config(roots: &Roots, accept_untrusted: bool) -> Result<ClientConfig, rustls::Error> {
    config(roots, accept_untrusted).map(|(config, _)| config)
}

fn config(roots: &Roots, accept_untrusted: bool) -> Result<(ClientConfig, Arc<AtomicBool>), rustls::Error> {
    let untrusted = Arc::new(AtomicBool::new(false));
    let verifier = Arc::new(Verifier { inner: roots.0.clone(), accept_untrusted, untrusted: untrusted.clone() });
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok((config, untrusted))
}

/// Verifies against the roots, and may let an untrusted chain pass while saying so. Handshake signatures are always checked.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    accept_untrusted: bool,
    untrusted: Arc<AtomicBool>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(_) if self.accept_untrusted => {
                self.untrusted.store(true, Ordering::Release);
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
