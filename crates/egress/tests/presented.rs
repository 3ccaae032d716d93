//! What the wire tells of tokens that pass through it, and what it leaves alone.
#![expect(clippy::expect_used, reason = "a test that cannot go on says what it needed")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use egress::{Assertion, Egress, EgressConfig, Upstream};
use http::Method;
use tokio::net::TcpListener;
use transport::{Authority, Client, Roots};
use trust::{Secret, SystemClock};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
/// What the wire looks at, in bytes.
const LIMIT: usize = 64 * 1024;

/// A wire with an in-process upstream at `inside.example` and an endpoint at `outside.example`; both give back the body that they got.
async fn wire() -> (Egress, Client) {
    let authority = Arc::new(Authority::generate("wire", &SystemClock).expect("authority"));
    let egress = Egress::start(EgressConfig { authority: authority.clone(), clock: Arc::new(SystemClock) })
        .await
        .expect("must start");
    let echo = Router::new().fallback(any(async |body: Bytes| body));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("must bind");
    let endpoint = format!("http://{}", listener.local_addr().expect("addr"));
    let outside = echo.clone();
    tokio::spawn(async move { axum::serve(listener, outside).await });
    egress.route("inside.example".parse().expect("pattern"), Upstream::service("echo", echo));
    egress.route("outside.example".parse().expect("pattern"), Upstream::url(&endpoint).expect("endpoint"));
    let proxy = egress.admit("pod-a", Secret::new("p"));
    let client = Client::new(Roots::of(&authority).expect("roots"), Duration::from_secs(5)).through(proxy);
    (egress, client)
}

/// Posts the body to both upstreams, which must get it byte by byte; gives the assertion that the log has.
async fn posted(header: (&str, &str), body: &str) -> Option<Assertion> {
    let (egress, client) = wire().await;
    for host in ["inside.example", "outside.example"] {
        let url = format!("https://{host}/token");
        let sent = client.send(Method::POST, &url, &[header], Bytes::from(body.to_owned())).await;
        assert!(sent.expect("must answer").body == body, "{host} got another body");
    }
    let log = egress.log().of("pod-a");
    let json = serde_json::to_string(&log).expect("log must serialise");
    assert!(!json.contains("c2lnbmF0dXJl") && !json.contains("canary"), "more than the claims is told: {json}");
    egress.stop().await;
    assert_eq!((log.len(), &log[0].assertion), (2, &log[1].assertion), "both are logged alike");
    log[0].assertion.clone()
}

fn token() -> String {
    let claims = r#"{"iss":"https://issuer.example/","sub":"system:serviceaccount:n:a","aud":"sts.amazonaws.com","iat":1700000000,"exp":1700003600}"#;
    format!(
        "{}.{}.c2lnbmF0dXJl",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"k1"}"#),
        URL_SAFE_NO_PAD.encode(claims)
    )
}

#[tokio::test]
async fn a_token_in_a_form_is_told_without_its_signature() {
    let expected = Assertion {
        kid: Some("k1".into()),
        alg: "RS256".into(),
        typ: None,
        azp: None,
        iss: Some("https://issuer.example/".into()),
        sub: Some("system:serviceaccount:n:a".into()),
        aud: vec!["sts.amazonaws.com".into()],
        iat: Some(1_700_000_000),
        exp: Some(1_700_003_600),
    };
    assert_eq!(posted(FORM, &format!("Action=A&secret=canary&Token={}", token())).await, Some(expected));
}

#[tokio::test]
async fn what_holds_no_token_or_is_no_form_has_none() {
    assert_eq!(posted(FORM, "Action=A&secret=canary").await, None);
    assert_eq!(posted(("content-type", "text/plain"), &format!("Token={}", token())).await, None);
}

#[tokio::test]
async fn a_form_is_looked_at_up_to_its_limit_and_passes_whole_beyond() {
    let start = format!("Token={}&fill=", token());
    let fill = "x".repeat(LIMIT - start.len());
    assert!(posted(FORM, &format!("{start}{fill}")).await.is_some(), "at the limit");
    assert_eq!(posted(FORM, &format!("{start}{fill}x")).await, None, "one byte beyond");
}
