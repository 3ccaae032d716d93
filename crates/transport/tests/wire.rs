//! Servers, clients and certificates against each other, on loopback.
#![expect(clippy::expect_used, reason = "a test that cannot go on says what it needed")]

use std::sync::Arc;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Extension, Router};
use rustls::ClientConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use transport::{Authority, Client, FetchError, PeerIdentity, PemIdentity, Roots, Server};
use trust::SystemClock;

const DEADLINE: Duration = Duration::from_secs(5);

fn authority(name: &str) -> Authority {
    Authority::generate(name, &SystemClock).expect("authority must be made")
}

async fn serve(authority: &Authority, app: Router) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("must bind");
    let identity = authority.server_identity(&["localhost", "127.0.0.1"]).expect("identity must be made");
    Server::tls_with_client_ca(listener, identity, authority.root_der(), app).expect("must serve")
}

#[tokio::test]
async fn the_chain_served_is_leaf_then_intermediate() {
    let authority = authority("one");
    let server = serve(&authority, Router::new().route("/a", get(|| async { "hello" }))).await;
    let client = Client::new(Roots::of(&authority).expect("roots"), DEADLINE);
    let url = format!("https://127.0.0.1:{}/a", server.addr().port());
    let fetched = client.get(&url).await.expect("must fetch");
    assert_eq!(
        (fetched.status, &fetched.body[..], fetched.chain.len(), fetched.trusted),
        (200, &b"hello"[..], 2, true)
    );
    assert_ne!(fetched.chain[1], *authority.root_der(), "the root is not served");
    let again = client.get(&url).await.expect("must fetch over the idle connection");
    assert_eq!(again.chain, fetched.chain);
    server.stop().await;
    assert!(matches!(client.get(&url).await, Err(FetchError::Connect { .. })), "nobody listens after stop");
}

#[tokio::test]
async fn a_foreign_root_is_refused_unless_the_client_only_records_it() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let server = serve(&theirs, Router::new().route("/", get(|| async { "x" }))).await;
    let client = Client::new(Roots::of(&ours).expect("roots"), DEADLINE);
    let url = format!("https://localhost:{}/", server.addr().port());
    assert!(matches!(client.get(&url).await, Err(FetchError::Tls { .. })));
    let seen = client.recording_untrusted().get(&url).await.expect("must fetch");
    assert!(!seen.trusted);
}

#[tokio::test]
async fn a_name_that_the_certificate_lacks_is_refused() {
    let authority = authority("one");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("must bind");
    let identity = authority.server_identity(&["other.example"]).expect("identity");
    let server = Server::tls(listener, identity, Router::new()).expect("must serve");
    let client = Client::new(Roots::of(&authority).expect("roots"), DEADLINE);
    let answer = client.get(&format!("https://localhost:{}/", server.addr().port())).await;
    assert!(matches!(answer, Err(FetchError::Tls { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_slow_answer_ends_at_the_deadline() {
    let authority = authority("one");
    let app = Router::new().route("/", get(std::future::pending::<()>));
    let server = serve(&authority, app).await;
    let client = Client::new(Roots::of(&authority).expect("roots"), Duration::from_millis(150));
    let answer = client.get(&format!("https://127.0.0.1:{}/", server.addr().port())).await;
    assert!(matches!(answer, Err(FetchError::Deadline { .. })), "{answer:?}");
}

#[tokio::test]
async fn bodies_go_up_and_statuses_are_answers() {
    let authority = authority("one");
    let app = Router::new().route("/", post(|body: String| async move { (http::StatusCode::FORBIDDEN, body) }));
    let server = serve(&authority, app).await;
    let client = Client::new(Roots::of(&authority).expect("roots"), DEADLINE);
    let url = format!("https://127.0.0.1:{}/", server.addr().port());
    let sent = client
        .send(http::Method::POST, &url, &[("content-type", "text/plain")], "echo".into())
        .await
        .expect("must send");
    assert_eq!((sent.status, &sent.body[..]), (403, &b"echo"[..]));
    assert!(matches!(client.get("http://127.0.0.1/").await, Err(FetchError::BadUrl(_))));
}

#[tokio::test]
async fn a_client_certificate_becomes_user_and_groups() {
    let ours = authority("one");
    let who = |peer: Option<Extension<PeerIdentity>>| async move {
        peer.map_or_else(
            || "nobody".to_owned(),
            |Extension(peer)| format!("{} {:?}", peer.common_name, peer.organizations),
        )
    };
    let server = serve(&ours, Router::new().route("/", get(who))).await;
    let check = async |identity: Option<&PemIdentity>| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ours.root_der().clone()).expect("root must be taken");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let config = config.with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                assert!(!format!("{identity:?}").contains("PRIVATE KEY"));
                let chain = CertificateDer::pem_slice_iter(identity.cert_pem.as_bytes())
                    .collect::<Result<Vec<_>, _>>()
                    .expect("pem");
                let key = PrivateKeyDer::from_pem_slice(identity.key_pem.expose().as_bytes()).expect("key");
                config.with_client_auth_cert(chain, key).expect("client certificate must be taken")
            }
        };
        let stream = TcpStream::connect(server.addr()).await.expect("must connect");
        let name = ServerName::try_from("localhost").expect("name");
        let mut stream =
            TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| error.to_string())?;
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .map_err(|error| error.to_string())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map_err(|error| error.to_string())?;
        Ok::<_, String>(answer.rsplit("\r\n").next().unwrap_or_default().to_owned())
    };
    let admin = ours.client_certificate("admin", "system:masters").expect("must be made");
    assert_eq!(check(Some(&admin)).await.as_deref(), Ok(r#"admin ["system:masters"]"#));
    assert_eq!(check(None).await.as_deref(), Ok("nobody"));
    let stranger = authority("two").client_certificate("admin", "system:masters").expect("must be made");
    assert!(check(Some(&stranger)).await.is_err(), "a certificate of another authority must end the connection");
}
