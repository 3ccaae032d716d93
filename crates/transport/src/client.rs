//! A small HTTPS client that tells what the server's certificates were.
//!
//! HTTP/1.1 over TLS, bounded in time and size, straight or through a CONNECT proxy. Idle connections are kept for the next request to the same host.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls_pki_types::CertificateDer;

use crate::dial::{self, Proxy, Roots};

/// Largest body that is read, in bytes.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// Why nothing was fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The whole exchange took too long.
    #[error("no answer from {host} within {millis} ms")]
    Deadline {
        /// Host asked.
        host: String,
        /// Time allowed.
        millis: u128,
    },
    /// No TCP connection.
    #[error("cannot connect to {host}: {error}")]
    Connect {
        /// Host and port asked.
        host: String,
        /// The system's words.
        error: String,
    },
    /// No TLS session.
    #[error("tls with {host} failed: {error}")]
    Tls {
        /// Host asked.
        host: String,
        /// The TLS library's words.
        error: String,
    },
    /// The proxy did not connect.
    #[error("the proxy answered {status} for {host}")]
    Proxy {
        /// Host asked.
        host: String,
        /// The proxy's status.
        status: u16,
    },
    /// Broken HTTP.
    #[error("http exchange failed: {0}")]
    Http(String),
    /// The body is larger than a client of this kind reads.
    #[error("the body is larger than {MAX_BODY} bytes")]
    TooLarge,
    /// Not an https URL with a host.
    #[error("`{0}` is no https URL")]
    BadUrl(String),
}

/// An answer, with what was seen on the way.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// HTTP status.
    pub status: u16,
    /// Response headers.
    pub headers: HeaderMap,
    /// Response body.
    pub body: Bytes,
    /// Certificates in the order in which the server sent them, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Whether the chain leads to the client's roots for this host.
    pub trusted: bool,
}

/// Connections that wait for another request, by `host:port`.
type Idle = Arc<Mutex<HashMap<String, Vec<Ready>>>>;

struct Ready {
    sender: SendRequest<Full<Bytes>>,
    chain: Vec<CertificateDer<'static>>,
    trusted: bool,
}

/// The client; clones share their idle connections.
#[derive(Clone)]
pub struct Client {
    roots: Roots,
    proxy: Option<Arc<Proxy>>,
    deadline: Duration,
    /// A host that gets another deadline.
    exception: Option<(Arc<str>, Duration)>,
    accept_untrusted: bool,
    idle: Idle,
}

impl Client {
    /// A client that trusts `roots` and gives every exchange `deadline`, from connecting to the body's last byte.
    pub fn new(roots: Roots, deadline: Duration) -> Self {
        Self { roots, proxy: None, deadline, exception: None, accept_untrusted: false, idle: Idle::default() }
    }

    /// Goes through a CONNECT proxy.
    #[must_use]
    pub fn through(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(Arc::new(proxy));
        self.idle = Idle::default();
        self
    }

    /// Gives exchanges with one host another deadline.
    #[must_use]
    pub fn granting(mut self, host: &str, deadline: Duration) -> Self {
        self.exception = Some((host.into(), deadline));
        self
    }

    /// Completes handshakes with chains that are not trusted, and says so in [`Fetched::trusted`].
    #[must_use]
    pub fn recording_untrusted(mut self) -> Self {
        self.accept_untrusted = true;
        self.idle = Idle::default();
        self
    }

    /// A GET.
    ///
    /// # Errors
    /// When no complete answer came. Any HTTP status is an answer.
    pub async fn get(&self, url: &str) -> Result<Fetched, FetchError> {
        self.send(Method::GET, url, &[], Bytes::new()).await
    }

    /// Any request with a whole body.
    ///
    /// # Errors
    /// When no complete answer came. Any HTTP status is an answer.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Fetched, FetchError> {
        let target = Target::parse(url)?;
        let exception = self.exception.as_ref().filter(|(host, _)| **host == *target.host);
        let deadline = exception.map_or(self.deadline, |(_, deadline)| *deadline);
        let exchange = self.exchange(&target, method, headers, body);
        tokio::time::timeout(deadline, exchange)
            .await
            .map_err(|_| FetchError::Deadline { host: target.host.clone(), millis: deadline.as_millis() })?
    }

    async fn exchange(
        &self,
        target: &Target,
        method: Method,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Fetched, FetchError> {
        let request = |body| {
            let mut request = Request::builder()
                .method(method.clone())
                .uri(&target.path)
                .header(http::header::HOST, &target.authority);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.body(Full::new(body)).map_err(|error| FetchError::Http(error.to_string()))
        };
        // An idle connection may have been closed by its server meanwhile: then, and only if nothing was sent, a new one is opened.
        if let Some(mut ready) = self.take_idle(&target.key) {
            match ready.sender.try_send_request(request(body.clone())?).await {
                Ok(response) => return self.finish(target, ready, response).await,
                Err(mut error) => {
                    if error.take_message().is_none() {
                        return Err(FetchError::Http(error.into_error().to_string()));
                    }
                }
            }
        }
        let mut ready = self.connect(target).await?;
        let response =
            ready.sender.send_request(request(body)?).await.map_err(|error| FetchError::Http(error.to_string()))?;
        self.finish(target, ready, response).await
    }

    async fn connect(&self, target: &Target) -> Result<Ready, FetchError> {
        let stream = dial::open(self.proxy.as_deref(), &target.host, target.port).await?;
        let connection = dial::secure(stream, &target.host, &self.roots, self.accept_untrusted).await?;
        let (sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(connection.stream))
            .await
            .map_err(|error| FetchError::Http(error.to_string()))?;
        tokio::spawn(driver);
        Ok(Ready { sender, chain: connection.chain, trusted: connection.trusted })
    }

    async fn finish(
        &self,
        target: &Target,
        ready: Ready,
        response: http::Response<hyper::body::Incoming>,
    ) -> Result<Fetched, FetchError> {
        let (head, mut incoming) = response.into_parts();
        let mut body = BytesMut::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| FetchError::Http(error.to_string()))?;
            if let Some(data) = frame.data_ref() {
                if body.len() + data.len() > MAX_BODY {
                    return Err(FetchError::TooLarge);
                }
                body.extend_from_slice(data);
            }
        }
        let fetched = Fetched {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.freeze(),
            chain: ready.chain.clone(),
            trusted: ready.trusted,
        };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.entry(target.key.clone()).or_default().push(ready);
        Ok(fetched)
    }

    fn take_idle(&self, key: &str) -> Option<Ready> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.get_mut(key)?;
        while let Some(ready) = waiting.pop() {
            if ready.sender.is_ready() {
                return Some(ready);
            }
        }
        None
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("proxy", &self.proxy)
            .field("deadline", &self.deadline)
            .field("accept_untrusted", &self.accept_untrusted)
            .finish_non_exhaustive()
    }
}

/// Where a request goes.
struct Target {
    host: String,
    port: u16,
    authority: String,
    path: String,
    key: String,
}

impl Target {
    fn parse(url: &str) -> Result<Self, FetchError> {
        let bad = || FetchError::BadUrl(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| bad())?;
        if uri.scheme_str() != Some("https") {
            return Err(bad());
        }
        let authority = uri.authority().ok_or_else(bad)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(443);
        let path = uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        Ok(Self { key: format!("{host}:{port}"), host, port, authority: authority.to_string(), path })
    }
}
