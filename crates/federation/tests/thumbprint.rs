//! Thumbprints of issuers that are served over real TLS on loopback, by hosts with chains of their own.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say what it missed")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use federation::thumbprint::{self, ThumbprintError};
use transport::{Authority, Client, Roots, Server};
use trust::{IssuerUrl, SystemClock};

fn authority(name: &str) -> Authority {
    Authority::generate(name, &SystemClock).expect("authority must generate")
}

async fn serve(authority: &Authority, app: impl FnOnce(SocketAddr) -> Router) -> (Server, SocketAddr) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback must bind");
    let addr = listener.local_addr().expect("listener must have an address");
    let identity = authority.server_identity(&["127.0.0.1"]).expect("identity must be issued");
    (Server::tls(listener, identity, app(addr)).expect("server must start"), addr)
}

fn discovery(jwks_uri: String) -> Router {
    let document = format!(r#"{{"issuer":"https://unread","jwks_uri":"{jwks_uri}"}}"#);
    Router::new().route("/t/.well-known/openid-configuration", get(async move || document))
}

fn issuer(addr: SocketAddr) -> IssuerUrl {
    format!("https://{addr}/t/").parse().expect("issuer must parse")
}

fn client(authority: &Authority) -> Client {
    Client::new(Roots::of(authority).expect("root must be taken"), Duration::from_secs(5)).recording_untrusted()
}

#[tokio::test]
async fn one_host_gives_one_thumbprint_and_it_is_the_intermediate_s() {
    let (own, other) = (authority("own"), authority("other"));
    let (server, addr) = serve(&own, |addr| discovery(format!("https://{addr}/t/keys"))).await;
    let found = thumbprint::of_issuer(&client(&own), &issuer(addr)).await.expect("thumbprint must be found");
    let chain = client(&own).get(&issuer(addr).discovery_url()).await.expect("discovery must be fetched").chain;
    assert_eq!(chain.len(), 2, "leaf and intermediate are served");
    assert_eq!(found, [thumbprint::from_chain(&chain[1..]).expect("a certificate has a thumbprint")]);
    assert_ne!(found[0], thumbprint::from_chain(&chain[..1]).expect("a certificate has a thumbprint"));
    // The chain need not be trusted to be registered: that is what thumbprints are for.
    let untrusted = thumbprint::of_issuer(&client(&other), &issuer(addr)).await.expect("thumbprint must be found");
    assert_eq!(untrusted, found);
    server.stop().await;
}

#[tokio::test]
async fn key_host_comes_first_where_it_is_another_one() {
    let (own, other) = (authority("own"), authority("other"));
    let (keys, keys_addr) = serve(&other, |_| Router::new()).await;
    let (server, addr) = serve(&own, |_| discovery(format!("https://{keys_addr}/keys"))).await;
    let (alone, alone_addr) = serve(&own, |addr| discovery(format!("https://{addr}/keys"))).await;
    let both = thumbprint::of_issuer(&client(&own), &issuer(addr)).await.expect("thumbprints must be found");
    let one = thumbprint::of_issuer(&client(&own), &issuer(alone_addr)).await.expect("thumbprint must be found");
    assert_eq!((both.len(), one.len()), (2, 1));
    assert_eq!(both[1], one[0]);
    for server in [keys, server, alone] {
        server.stop().await;
    }
}

#[tokio::test]
async fn an_issuer_that_gives_no_document_has_no_thumbprint() {
    let own = authority("own");
    let (missing, missing_addr) = serve(&own, |_| Router::new()).await;
    let (plain, plain_addr) = serve(&own, |_| discovery("http://h/keys".to_owned())).await;
    let (broken, broken_addr) = serve(&own, |_| Router::new().fallback(async || StatusCode::SERVICE_UNAVAILABLE)).await;
    let error = async |addr| thumbprint::of_issuer(&client(&own), &issuer(addr)).await.expect_err("must fail");
    assert!(matches!(error(missing_addr).await, ThumbprintError::Status { status: 404, .. }));
    assert!(matches!(error(plain_addr).await, ThumbprintError::NoKeySet(_)));
    assert!(matches!(error(broken_addr).await, ThumbprintError::Status { status: 503, .. }));
    for server in [missing, plain, broken] {
        server.stop().await;
    }
    assert!(matches!(error(missing_addr).await, ThumbprintError::Fetch { .. }));
}
