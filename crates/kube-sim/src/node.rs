//! The way to a node's own endpoint, as the API server takes it for logs: HTTPS, trusted by the cluster's authority, body streamed.
//!
//! It knows addresses, not pods.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use transport::{Authority, Roots};

/// A node has this long to take a connection and to begin an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects to nodes.
#[derive(Clone)]
pub(crate) struct Nodes {
    verified: TlsConnector,
    /// For `insecureSkipTLSVerifyBackend`.
    unverified: TlsConnector,
}

/// Why a node gave no answer; the text is the real server's, less the URL in front.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    #[error("dial tcp {at}: {why}")]
    Connect { at: String, why: String },
    #[error("tls: {0}")]
    Tls(String),
    #[error("context deadline exceeded")]
    Deadline,
    #[error("{0}")]
    Http(String),
}

impl Nodes {
    pub(crate) fn trusting(authority: &Authority) -> Result<Self, rustls::Error> {
        let roots = Roots::of(authority).map_err(|error| rustls::Error::General(error.to_string()))?;
        let connector =
            |accept| transport::client_config(&roots, accept).map(|config| TlsConnector::from(Arc::new(config)));
        Ok(Self { verified: connector(false)?, unverified: connector(true)? })
    }

    /// Asks a node for `path` and passes its answer on as it comes.
    pub(crate) async fn get(
        &self,
        host: &str,
        port: u16,
        path: &str,
        verify: bool,
    ) -> Result<Response<Body>, NodeError> {
        let connector = if verify { &self.verified } else { &self.unverified };
        tokio::time::timeout(PATIENCE, Self::exchange(connector, host, port, path))
            .await
            .map_err(|_| NodeError::Deadline)?
    }

    async fn exchange(
        connector: &TlsConnector,
        host: &str,
        port: u16,
        path: &str,
    ) -> Result<Response<Body>, NodeError> {
        let at = format!("{host}:{port}");
        let why = |error: &std::io::Error| match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
            _ => format!("connect: {error}"),
        };
        let stream = TcpStream::connect((host, port))
            .await
            .map_err(|error| NodeError::Connect { at: at.clone(), why: why(&error) })?;
        stream.set_nodelay(true).map_err(|error| NodeError::Connect { at: at.clone(), why: why(&error) })?;
        let name = ServerName::try_from(host.to_owned()).map_err(|error| NodeError::Tls(error.to_string()))?;
        let stream = connector.connect(name, stream).await.map_err(|error| NodeError::Tls(error.to_string()))?;
        let http = |error: hyper::Error| NodeError::Http(error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
        tokio::spawn(connection);
        let request = Request::get(path)
            .header(header::HOST, &at)
            .body(Empty::<Bytes>::new())
            .map_err(|error| NodeError::Http(error.to_string()))?;
        Ok(sender.send_request(request).await.map_err(http)?.map(Body::new))
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nodes")
    }
}
