//! Inside a tunnel: TLS ends here under the name that was asked for, and each request goes to whoever answers for it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;
use transport::PeerAddr;

use crate::assertion::{self, Assertion};
use crate::log::{ERROR_BODY, Exchange, Outcome};
use crate::table::Upstream;
use crate::way::Way;
use crate::{CLIENT_HEADER, Inner, body};

const SLOW_PEER: Duration = Duration::from_secs(10);
/// Error answers are small; a larger one is cut off rather than held.
const LARGEST_ERROR: usize = 1024 * 1024;

/// What is settled when a tunnel opens.
pub(crate) struct Tunnel {
    pub(crate) host: String,
    pub(crate) client: String,
    pub(crate) peer: SocketAddr,
    pub(crate) way: Way,
    pub(crate) inner: Arc<Inner>,
}

impl Tunnel {
    /// Serves what comes through, once the CONNECT request has been answered.
    pub(crate) async fn run(self, request: Request<Incoming>) {
        let Self { host, client, inner, .. } = &self;
        let upgraded = match hyper::upgrade::on(request).await {
            Ok(upgraded) => upgraded,
            Err(error) => return tracing::debug!(%host, %error, "tunnel was not taken up"),
        };
        let config = match tls_config(inner, host) {
            Ok(config) => config,
            Err(error) => return tracing::warn!(%host, %error, "no certificate"),
        };
        let handshake = tokio::time::timeout(SLOW_PEER, TlsAcceptor::from(config).accept(TokioIo::new(upgraded)));
        let stream = match handshake.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%host, %client, %error, "tls handshake failed"),
            Err(_) => return tracing::debug!(%host, %client, "tls handshake too slow"),
        };
        let tunnel = Arc::new(self);
        let service = service_fn(move |request| {
            let tunnel = tunnel.clone();
            async move { Ok::<_, Infallible>(tunnel.answer(request).await) }
        });
        let serving = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(SLOW_PEER)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = serving.await {
            tracing::debug!(%error, "tunnel ended");
        }
    }

    /// The service of this process that answers for the name by now, if one does.
    fn replaced(&self) -> Option<Router> {
        let table = self.inner.table.read().unwrap_or_else(PoisonError::into_inner);
        match (table.find(&self.host), &self.way) {
            (Some(Upstream::Service { router, .. }), Way::Service(_)) => Some(router.clone()),
            _ => None,
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let started = Instant::now();
        let method = request.method().to_string();
        let path = request.uri().path().to_owned();
        let (request, assertion) = presented(request).await;
        let (response, outcome) = self.pass(request).await;
        self.inner.log.push(Exchange {
            seq: 0,
            at: self.inner.clock.now(),
            client: self.client.clone(),
            host: self.host.clone(),
            method,
            path,
            assertion,
            outcome,
            micros: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        });
        response
    }

    /// Has the request answered by whoever answers for the name.
    async fn pass(&self, mut request: Request<Body>) -> (Response<Body>, Outcome) {
        if !names(request.headers(), &self.host) {
            let text = format!("crossfed: this tunnel is for `{}`\n", self.host);
            return keep_error(plain(StatusCode::MISDIRECTED_REQUEST, text)).await;
        }
        match HeaderValue::from_str(&self.client) {
            Ok(client) => request.headers_mut().insert(CLIENT_HEADER, client),
            Err(_) => request.headers_mut().remove(CLIENT_HEADER),
        };
        request.extensions_mut().insert(PeerAddr(self.peer));
        let answer = match self.replaced() {
            // A tunnel may be older than what answers for its name now.
            Some(router) => Way::Service(router).send(request).await,
            None => self.way.send(request).await,
        };
        match answer {
            Ok(response) => keep_error(response).await,
            Err(error) => {
                let text = format!("crossfed: the endpoint behind `{}` cannot be reached: {error}\n", self.host);
                (plain(StatusCode::BAD_GATEWAY, text), Outcome::Unreachable { error })
            }
        }
    }
}

/// The request as it came, and the token that its body presents where that is a small form.
async fn presented(request: Request<Incoming>) -> (Request<Body>, Option<Assertion>) {
    if !assertion::is_form(request.headers()) {
        return (request.map(Body::new), None);
    }
    let (head, body) = request.into_parts();
    let (form, body) = body::peek(body, assertion::LARGEST_FORM).await;
    let assertion = match form {
        Some(form) => Assertion::in_form(form).await,
        None => None,
    };
    (Request::from_parts(head, Body::new(body)), assertion)
}

/// Whether the request's `Host` is the name that the tunnel was opened for.
fn names(headers: &HeaderMap, host: &str) -> bool {
    let value = headers.get(http::header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = value.strip_suffix(":443").unwrap_or(value);
    name.eq_ignore_ascii_case(host)
}

/// Reads an error's body, keeps its start for the log and hands the answer on whole.
async fn keep_error(response: Response<Body>) -> (Response<Body>, Outcome) {
    let status = response.status().as_u16();
    if status < 400 {
        return (response, Outcome::Answered { status, error: None });
    }
    let (head, body) = response.into_parts();
    match Limited::new(body, LARGEST_ERROR).collect().await {
        Ok(collected) => {
            let bytes = collected.to_bytes();
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(ERROR_BODY)]).into_owned();
            let error = (!text.is_empty()).then(|| trust::redact(&text).into_owned());
            (Response::from_parts(head, Body::from(bytes)), Outcome::Answered { status, error })
        }
        Err(error) => {
            let what = if error.is::<LengthLimitError>() { "is too large" } else { "broke off" };
            let error = format!("an error answer {what}");
            (plain(StatusCode::BAD_GATEWAY, format!("crossfed: {error}\n")), Outcome::Unreachable { error })
        }
    }
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

fn tls_config(inner: &Inner, host: &str) -> Result<Arc<ServerConfig>, String> {
    if let Some(known) = inner.tls.lock().unwrap_or_else(PoisonError::into_inner).get(host) {
        return Ok(known.clone());
    }
    let identity = inner.authority.server_identity(&[host]).map_err(|error| error.to_string())?;
    let config = Arc::new(transport::server_config(identity).map_err(|error| error.to_string())?);
    let mut known = inner.tls.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(known.entry(host.to_owned()).or_insert(config).clone())
}
