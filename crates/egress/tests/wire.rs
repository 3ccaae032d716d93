//! The wire as its clients meet it.
#![expect(clippy::expect_used, reason = "a test that cannot go on says what it needed")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::{any, get};
use egress::{CLIENT_HEADER, Egress, EgressConfig, Outcome, Upstream};
use tokio::net::TcpListener;
use transport::{Authority, Client, FetchError, PeerAddr, Proxy, Roots};
use trust::{Secret, SystemClock};

struct Wire {
    egress: Egress,
    client: Client,
}

async fn wire() -> Wire {
    let authority = Arc::new(Authority::generate("wire", &SystemClock).expect("authority"));
    let egress = Egress::start(EgressConfig { authority: authority.clone(), clock: Arc::new(SystemClock) })
        .await
        .expect("must start");
    let proxy = egress.admit("pod-a", Secret::new("right"));
    let client = Client::new(Roots::of(&authority).expect("roots"), Duration::from_secs(5)).through(proxy);
    Wire { egress, client }
}

fn hello() -> Upstream {
    Upstream::service("hello", Router::new().route("/", get(|| async { "hello" })))
}

#[tokio::test]
async fn a_known_name_is_answered_under_its_own_certificate_and_logged_under_the_client() {
    let wire = wire().await;
    wire.egress.route("sts.amazonaws.com".parse().expect("pattern"), hello());
    let fetched = wire.client.get("https://sts.amazonaws.com/?secret=1").await.expect("must fetch");
    assert_eq!((fetched.status, &fetched.body[..], fetched.trusted), (200, &b"hello"[..], true));
    assert_eq!(fetched.chain.len(), 2, "leaf and intermediate");
    let log = wire.egress.log().of("pod-a");
    assert_eq!(log.len(), 1);
    assert_eq!((log[0].host.as_str(), log[0].path.as_str()), ("sts.amazonaws.com", "/"), "no query in the log");
    assert_eq!(log[0].outcome, Outcome::Answered { status: 200, error: None });
    assert_eq!(wire.egress.log().of("pod-b"), vec![]);
    wire.egress.stop().await;
}

#[tokio::test]
async fn every_other_name_is_refused_by_name() {
    let wire = wire().await;
    wire.egress.route("sts.amazonaws.com".parse().expect("pattern"), hello());
    let refused = wire.client.get("https://example.com/").await;
    assert_eq!(refused.err(), Some(FetchError::Proxy { host: "example.com".into(), status: 403 }));
    let log = wire.egress.log().all();
    assert_eq!((log[0].host.as_str(), &log[0].outcome), ("example.com", &Outcome::UnknownHost));
}

#[tokio::test]
async fn wrong_credentials_get_407_and_right_ones_pass() {
    let wire = wire().await;
    wire.egress.route("a.example".parse().expect("pattern"), hello());
    let root = wire.egress.root_pem().to_owned();
    let check = async |user: &str, password: &str| {
        let proxy = Proxy { addr: wire.egress.addr(), user: user.into(), password: Secret::new(password) };
        let client = Client::new(Roots::pem(&root).expect("roots"), Duration::from_secs(5)).through(proxy);
        client.get("https://a.example/").await.map(|fetched| fetched.status)
    };
    let refused = Err(FetchError::Proxy { host: "a.example".into(), status: 407 });
    assert_eq!(check("pod-a", "wrong").await, refused);
    assert_eq!(check("nobody", "right").await, refused);
    assert_eq!(check("pod-a", "right").await, Ok(200));
}

#[tokio::test]
async fn errors_pass_whole_and_are_logged_redacted() {
    let wire = wire().await;
    let body = "<Error><Code>AccessDenied</Code><SessionToken>CANARY</SessionToken></Error>";
    let app = Router::new().fallback(any(move || async move { (http::StatusCode::FORBIDDEN, body) }));
    wire.egress.route("s3.example".parse().expect("pattern"), Upstream::service("s3", app));
    let fetched = wire.client.get("https://s3.example/x").await.expect("must fetch");
    assert_eq!((fetched.status, &fetched.body[..]), (403, body.as_bytes()));
    let log = serde_json::to_string(&wire.egress.log().all()).expect("log must serialise");
    assert!(log.contains("AccessDenied") && !log.contains("CANARY"), "{log}");
}

#[tokio::test]
async fn a_client_cannot_name_itself_or_another_host() {
    let wire = wire().await;
    let who = |request: Request| async move { format!("{:?}", request.headers().get(CLIENT_HEADER)) };
    wire.egress.route("a.example".parse().expect("pattern"), Upstream::service("a", Router::new().fallback(any(who))));
    let send = |headers: Vec<(&'static str, &'static str)>| {
        let client = wire.client.clone();
        async move {
            client
                .send(http::Method::GET, "https://a.example/", &headers, bytes::Bytes::new())
                .await
                .expect("must answer")
        }
    };
    let fetched = send(vec![(CLIENT_HEADER, "admin")]).await;
    assert_eq!(&fetched.body[..], br#"Some("pod-a")"#);
}

#[tokio::test]
async fn an_upstream_in_this_process_learns_the_clients_address() {
    let wire = wire().await;
    let whence = |request: Request| async move {
        request.extensions().get::<PeerAddr>().map(|peer| peer.0.to_string()).unwrap_or_default()
    };
    wire.egress
        .route("a.example".parse().expect("pattern"), Upstream::service("a", Router::new().fallback(any(whence))));
    let address = async |client: &Client| {
        let fetched = client.get("https://a.example/").await.expect("must fetch");
        let text = String::from_utf8(fetched.body.to_vec()).expect("must be text");
        text.parse::<std::net::SocketAddr>().expect("must be an address")
    };
    let first = address(&wire.client).await;
    assert!(first.ip().is_loopback() && first != wire.egress.addr(), "{first}");
    assert_eq!(address(&wire.client).await, first, "the connection is kept");
    let other = wire.client.clone().through(wire.egress.admit("pod-b", Secret::new("p")));
    assert_ne!(address(&other).await, first);
}

#[tokio::test]
async fn a_name_that_its_service_does_not_have_is_refused_as_an_unknown_one() {
    let wire = wire().await;
    let hello = || Router::new().route("/", get(|| async { "hello" }));
    wire.egress.route("*.example".parse().expect("pattern"), Upstream::service("all", hello()));
    let knows = Arc::new(|host: &str| host == "here.vault.example");
    let vaults = Upstream::service_for("vaults", hello(), knows);
    assert_eq!(format!("{vaults:?} {vaults} {}", vaults.clone()), "Upstream(vaults) vaults vaults");
    wire.egress.route("*.vault.example".parse().expect("pattern"), vaults);
    let status = async |url: &str| wire.client.get(url).await.map(|fetched| fetched.status);
    assert_eq!(status("https://here.vault.example/").await, Ok(200));
    assert_eq!(status("https://HERE.vault.example/").await, Ok(200));
    let refused = Err(FetchError::Proxy { host: "gone.vault.example".into(), status: 403 });
    assert_eq!(status("https://gone.vault.example/").await, refused, "the wider entry must not answer either");
    let seen = wire.egress.log().wait_for("pod-a", Duration::from_secs(5), |seen| seen.len() == 3).await;
    let last = seen.expect("must be logged").remove(2);
    assert_eq!(
        (last.host.as_str(), last.method.as_str(), last.outcome),
        ("gone.vault.example", "CONNECT", Outcome::UnknownHost)
    );
}

#[tokio::test]
async fn an_endpoint_elsewhere_gets_the_request_with_its_host_name() {
    let wire = wire().await;
    let app =
        Router::new().fallback(any(|request: Request| async move { format!("{:?}", request.headers().get("host")) }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("must bind");
    let endpoint = format!("http://{}", listener.local_addr().expect("addr"));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    wire.egress.route(
        "*.s3.eu-central-1.amazonaws.com".parse().expect("pattern"),
        Upstream::url(&endpoint).expect("endpoint"),
    );
    let fetched = wire.client.get("https://b.s3.eu-central-1.amazonaws.com/k").await.expect("must fetch");
    assert_eq!(&fetched.body[..], br#"Some("b.s3.eu-central-1.amazonaws.com")"#);
    server.abort();
    let _ = server.await;
    let gone = wire.client.get("https://b.s3.eu-central-1.amazonaws.com/k").await.expect("the wire must answer");
    assert_eq!(gone.status, 502);
    assert!(matches!(
        wire.egress.log().all().last().map(|last| last.outcome.clone()),
        Some(Outcome::Unreachable { .. })
    ));
}

#[tokio::test]
async fn what_lies_beyond_another_wire_is_answered_there_under_its_own_name() {
    let (near, far) = (wire().await, wire().await);
    let names = Router::new().route("/", any(async |request: Request| format!("{:?}", request.headers().get("host"))));
    far.egress.route("a.example".parse().expect("pattern"), Upstream::service("far", names));
    let beyond = |password: &str| Upstream::Beyond {
        proxy: Proxy { addr: far.egress.addr(), user: "pod-a".into(), password: Secret::new(password) },
        roots: Roots::pem(far.egress.root_pem()).expect("roots"),
    };
    near.egress.route("*.example".parse().expect("pattern"), beyond("right"));
    for _ in 0..2 {
        let fetched = near.client.get("https://a.example/").await.expect("must fetch");
        assert_eq!((fetched.status, &fetched.body[..], fetched.trusted), (200, &br#"Some("a.example")"#[..], true));
    }
    assert_eq!((near.egress.log().all().len(), far.egress.log().of("pod-a").len()), (2, 2), "each wire logs it");
    let refused = near.client.get("https://b.example/").await;
    assert_eq!(refused.err(), Some(FetchError::Proxy { host: "b.example".into(), status: 403 }), "it has no such name");
    near.egress.route("c.example".parse().expect("pattern"), beyond("wrong"));
    let fetched = near.client.get("https://c.example/").await.expect("the wire must answer");
    assert_eq!(fetched.status, 502);
    assert!(String::from_utf8_lossy(&fetched.body).contains("407"), "{fetched:?}");
    far.egress.stop().await;
    let gone = near.client.get("https://a.example/").await.expect("the wire must answer");
    assert_eq!(gone.status, 502);
    near.egress.stop().await;
}

#[tokio::test]
async fn a_tunnel_that_is_open_leads_to_what_answers_for_its_name_by_now() {
    let wire = wire().await;
    let pattern = || "issuers.example".parse().expect("pattern");
    wire.egress.route(pattern(), hello());
    let status = async |url: &str| wire.client.get(url).await.map(|fetched| fetched.status);
    assert_eq!(status("https://issuers.example/other").await, Ok(404));
    // The client has kept its connection.
    let both = Router::new().route("/", get(|| async { "hello" })).route("/other", get(|| async { "other" }));
    wire.egress.route(pattern(), Upstream::service("both", both));
    assert_eq!(status("https://issuers.example/other").await, Ok(200));
    assert_eq!(status("https://issuers.example/").await, Ok(200));
}
