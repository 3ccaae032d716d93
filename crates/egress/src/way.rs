//! How a tunnel's requests come to whoever answers for its name. Those that leave this process go as they are: signatures cover the `Host`
//! header, so it stays.

use std::fmt::Display;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::uri::Authority;
use http::{Request, Response, StatusCode};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tower::ServiceExt;
use transport::{FetchError, Proxy, Roots};

use crate::table::Upstream;

/// An endpoint has this long to accept and to begin its answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// The way of one tunnel.
pub(crate) enum Way {
    /// Within this process.
    Service(Router),
    /// To an endpoint, by a connection for each request.
    Endpoint(Authority),
    /// To the host itself behind another proxy, by one connection that is opened anew when it has been closed.
    Beyond { host: String, proxy: Proxy, roots: Roots, open: Mutex<Option<SendRequest<Body>>> },
}

impl Way {
    /// `None` where the proxy behind which a host is looked for does not let it through, as if no entry of the table matched.
    pub(crate) async fn to(upstream: Upstream, host: &str) -> Option<Self> {
        match upstream {
            Upstream::Service { router, .. } => Some(Self::Service(router)),
            Upstream::Url { authority } => Some(Self::Endpoint(authority)),
            Upstream::Beyond { proxy, roots } => {
                let open = match within(host, connect(host, &proxy, &roots)).await {
                    Ok(Ok(open)) => Some(open),
                    Ok(Err(FetchError::Proxy { status, .. })) if status == StatusCode::FORBIDDEN.as_u16() => {
                        return None;
                    }
                    // The request that will be made tells it.
                    Ok(Err(_)) | Err(_) => None,
                };
                Some(Self::Beyond { host: host.to_owned(), proxy, roots, open: Mutex::new(open) })
            }
        }
    }

    /// # Errors
    /// When nobody answers, with the reason.
    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Response<Body>, String> {
        match self {
            Self::Service(router) => {
                let Ok(response) = router.clone().oneshot(request).await;
                Ok(response)
            }
            Self::Endpoint(authority) => within(authority, to_endpoint(authority, request)).await?,
            Self::Beyond { host, proxy, roots, open } => {
                let exchange = async {
                    let mut open = open.lock().await;
                    let mut request = request;
                    // What was kept may have been closed meanwhile: then, and only if nothing was sent, it is opened anew.
                    if let Some(mut kept) = open.take() {
                        match kept.try_send_request(request).await {
                            Ok(response) => {
                                *open = Some(kept);
                                return Ok(response.map(Body::new));
                            }
                            Err(mut error) => match error.take_message() {
                                Some(unsent) => request = unsent,
                                None => return Err(error.into_error().to_string()),
                            },
                        }
                    }
                    let mut sender = connect(host, proxy, roots).await.map_err(|error| error.to_string())?;
                    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
                    *open = Some(sender);
                    Ok(response.map(Body::new))
                };
                within(host, exchange).await?
            }
        }
    }
}

async fn within<T>(host: impl Display, exchange: impl Future<Output = T>) -> Result<T, String> {
    let done = tokio::time::timeout(DEADLINE, exchange).await;
    done.map_err(|_| format!("no answer from {host} within {} s", DEADLINE.as_secs()))
}

async fn to_endpoint(authority: &Authority, request: Request<Body>) -> Result<Response<Body>, String> {
    let addr = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(addr).await.map_err(|error| error.to_string())?;
    let _ = stream.set_nodelay(true);
    let mut sender = speak(stream).await.map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    Ok(response.map(Body::new))
}

async fn connect(host: &str, proxy: &Proxy, roots: &Roots) -> Result<SendRequest<Body>, FetchError> {
    let stream = transport::dial::tls(Some(proxy), roots, host, 443).await?;
    speak(stream).await.map_err(|error| FetchError::Http(error.to_string()))
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Body>, hyper::Error> {
    let (sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(driver);
    Ok(sender)
}
