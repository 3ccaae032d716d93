//! The proxy's front: accepts, asks for credentials, lets a CONNECT to a known name through.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::body::Body;
use base64::Engine;
use http::header::{PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use crate::Inner;
use crate::log::{Exchange, Outcome};
use crate::tunnel::Tunnel;
use crate::way::Way;

const SLOW_PEER: Duration = Duration::from_secs(10);

pub(crate) async fn listen(listener: TcpListener, inner: Arc<Inner>) {
    loop {
        let accepted = tokio::select! {
            () = inner.stopping.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let tunnel = connection(stream, peer, inner.clone());
                let stopping = inner.stopping.clone();
                inner.tasks.spawn(async move {
                    tokio::select! {
                        () = stopping.cancelled() => {}
                        () = tunnel => {}
                    }
                });
            }
            Err(error) => {
                tracing::debug!(%error, "accept failed");
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, inner: Arc<Inner>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let inner = inner.clone();
        async move { Ok::<_, Infallible>(answer(request, peer, &inner).await) }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SLOW_PEER)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = serving.await {
        tracing::debug!(%error, "proxy connection ended");
    }
}

async fn answer(request: Request<Incoming>, peer: SocketAddr, inner: &Arc<Inner>) -> Response<Body> {
    let host = request.uri().host().map_or_else(|| header_host(&request), str::to_owned);
    let Some(client) = client(&request, inner) else {
        record(inner, "", &host, Outcome::Unauthenticated);
        let mut response = refusal(
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            "crossfed: the wire needs this run's proxy credentials\n".into(),
        );
        response.headers_mut().insert(PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"crossfed\""));
        return response;
    };
    let upstream = inner.table.read().unwrap_or_else(PoisonError::into_inner).find(&host).cloned();
    // Asked without the lock: it is somebody else's code.
    let upstream = match upstream.filter(|upstream| upstream.knows(&host)) {
        Some(upstream) => Way::to(upstream, &host).await,
        None => None,
    };
    let Some(way) = upstream else {
        record(inner, &client, &host, Outcome::UnknownHost);
        return refusal(
            StatusCode::FORBIDDEN,
            format!("crossfed: host `{host}` is not in this run's host table; the run is offline\n"),
        );
    };
    if request.method() != Method::CONNECT {
        record(inner, &client, &host, Outcome::UnknownHost);
        return refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("crossfed: `{host}` is reached over https only (CONNECT)\n"),
        );
    }
    let tunnel = Tunnel { host, client, peer, way, inner: inner.clone() };
    let stopping = inner.stopping.clone();
    inner.tasks.spawn(async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = tunnel.run(request) => {}
        }
    });
    Response::new(Body::empty())
}

fn header_host(request: &Request<Incoming>) -> String {
    let host = request.headers().get(http::header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned()
}

fn client(request: &Request<Incoming>, inner: &Inner) -> Option<String> {
    let value = request.headers().get(PROXY_AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, password) = decoded.split_once(':')?;
    let clients = inner.clients.lock().unwrap_or_else(PoisonError::into_inner);
    let known = clients.get(user)?;
    (known.password.expose() == password).then(|| user.to_owned())
}

fn record(inner: &Inner, client: &str, host: &str, outcome: Outcome) {
    inner.log.push(Exchange {
        seq: 0,
        at: inner.clock.now(),
        client: client.to_owned(),
        host: host.to_owned(),
        method: "CONNECT".into(),
        path: String::new(),
        assertion: None,
        outcome,
        micros: 0,
    });
}

fn refusal(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}
