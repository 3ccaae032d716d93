//! Passes a request on to an endpoint elsewhere, as it is: signatures cover the `Host` header, so it stays.

use std::time::Duration;

use axum::body::Body;
use http::uri::Authority;
use http::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An endpoint has this long to accept and to begin its answer.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) async fn send(authority: &Authority, request: Request<Body>) -> Result<Response<Body>, String> {
    let exchange = async {
        let addr = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
        let stream = TcpStream::connect(addr).await.map_err(|error| error.to_string())?;
        let _ = stream.set_nodelay(true);
        let (mut sender, driver) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        tokio::spawn(driver);
        sender.send_request(request).await.map_err(|error| error.to_string())
    };
    match tokio::time::timeout(DEADLINE, exchange).await {
        Ok(answer) => answer.map(|response| response.map(Body::new)),
        Err(_) => Err(format!("no answer from {authority} within {} s", DEADLINE.as_secs())),
    }
}
