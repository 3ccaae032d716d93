//! The program as a pod runs it: a process with nothing but an environment, the real host names, and a proxy that leads
//! them to a server of a few lines.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say what it missed")]

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use transport::{Authority, Server};
use trust::SystemClock;
use trust::workload::{Line, Outcome, Stage};

const VAULT: &str = "cf-r1.vault.azure.net";
const ENTRA: &str = "login.microsoftonline.com";
const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const TOKEN: (u16, &str) =
    (200, r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"canary-access"}"#);
const SECRET: (u16, &str) = (
    200,
    r#"{"value":"abc","id":"https://cf-r1.vault.azure.net/secrets/test-file/0123456789abcdef0123456789abcdef","attributes":{"enabled":true}}"#,
);
const CHALLENGE: &str = r#"Bearer authorization="https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111", resource="https://vault.azure.net""#;

/// What is said to a token exchange, and to a read with a token.
#[derive(Clone, Copy)]
struct Answers {
    entra: (u16, &'static str),
    vault: (u16, &'static str),
    /// To a read without a token.
    challenge: &'static str,
}

const GOOD: Answers = Answers { entra: TOKEN, vault: SECRET, challenge: CHALLENGE };

/// Both clouds behind one proxy.
struct Place {
    proxy: String,
    root: PathBuf,
    seen: Arc<Mutex<Vec<String>>>,
    server: Server,
}

impl Place {
    async fn up(name: &str, answers: Answers) -> Self {
        let authority = Authority::generate("azure", &SystemClock).expect("authority must generate");
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let notes = seen.clone();
        let app = Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let answer = answer(answers, &method, &uri, &headers, &body);
            let host = headers["host"].to_str().unwrap_or_default().to_owned();
            notes.lock().expect("notes must be whole").push(format!("{method} {host}{}", uri.path()));
            async move { answer }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback must bind");
        let identity = authority.server_identity(&[VAULT, ENTRA]).expect("identity must be issued");
        let server = Server::tls(listener, identity, app).expect("server must start");
        let root = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("kv-root-{}-{name}.pem", std::process::id()));
        tokio::fs::write(&root, authority.root_pem()).await.expect("root must be written");
        let proxy = proxy(server.addr(), seen.clone()).await;
        Self { proxy, root, seen, server }
    }

    async fn down(self) -> Vec<String> {
        self.server.stop().await;
        tokio::fs::remove_file(&self.root).await.expect("root must be removed");
        self.seen.lock().expect("notes must be whole").clone()
    }
}

fn answer(answers: Answers, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    let reply = |(status, content): (u16, &'static str)| {
        (
            axum::http::StatusCode::from_u16(status).expect("status must be valid"),
            [("content-type", "application/json")],
            content,
        )
            .into_response()
    };
    if headers["host"] == ENTRA {
        let form = String::from_utf8_lossy(body);
        let asked = *method == Method::POST
            && uri.path() == format!("/{TENANT}/oauth2/v2.0/token")
            && form.contains("client_assertion=canary-token")
            && form.contains("scope=https%3A%2F%2Fvault.azure.net%2F.default");
        return if asked { reply(answers.entra) } else { reply((400, "{}")) };
    }
    if headers.get("authorization").is_some_and(|value| value == "Bearer canary-access") {
        return reply(answers.vault);
    }
    let mut challenge = reply((
        401,
        r#"{"error":{"code":"Unauthorized","message":"AKV10000: Request is missing a Bearer or PoP token."}}"#,
    ));
    challenge.headers_mut().insert("www-authenticate", answers.challenge.parse().expect("challenge must be a header"));
    challenge
}

/// A proxy that leads every name to `to`, and notes which names it was asked for.
async fn proxy(to: std::net::SocketAddr, seen: Arc<Mutex<Vec<String>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback must bind");
    let url = format!("http://{}", listener.local_addr().expect("listener must have an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(tunnel(BufReader::new(stream), to, seen.clone()));
        }
    });
    url
}

async fn tunnel(
    mut client: BufReader<TcpStream>,
    to: std::net::SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut first = String::new();
    client.read_line(&mut first).await?;
    let mut line = first.clone();
    while line.trim() != "" {
        line.clear();
        client.read_line(&mut line).await?;
    }
    seen.lock().expect("notes must be whole").push(first.trim_end().trim_end_matches(" HTTP/1.1").to_owned());
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let mut server = TcpStream::connect(to).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The program in an environment of its own; `{token}` in a value is the path of a token file.
async fn run(name: &str, environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let token =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kv-token-{}-{name}", std::process::id()));
    tokio::fs::write(&token, "canary-token").await.expect("token must be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_kv-read"));
    command
        .args(["--vault-url", &format!("https://{VAULT}"), "--secret", "test-file"])
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command.envs([
        ("AZURE_CLIENT_ID", "22222222-2222-2222-2222-222222222222"),
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/"),
    ]);
    for (name, value) in environment {
        command.env(name, value.replace("{token}", &token.to_string_lossy()));
    }
    let output = tokio::time::timeout(Duration::from_secs(30), command.output()).await;
    let output = output.expect("program must end").expect("program must start");
    tokio::fs::remove_file(&token).await.expect("token must be removed");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output must be text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Runs against a place with these answers; gives the exit code, the outcome and what was seen.
async fn outcome(name: &str, answers: Answers) -> (Option<i32>, Outcome, Vec<String>) {
    let place = Place::up(name, answers).await;
    let root = place.root.to_string_lossy().into_owned();
    let (code, out, err) = run(
        name,
        &[("HTTPS_PROXY", &place.proxy), ("SSL_CERT_FILE", &root), ("AZURE_FEDERATED_TOKEN_FILE", "{token}")],
    )
    .await;
    assert!(!out.contains("canary") && !err.contains("canary"), "a secret is shown: {out}{err}");
    assert_eq!(out.lines().count(), 1, "one line is printed: {out}");
    let line: Line = serde_json::from_str(&out).expect("the line must be JSON");
    assert_eq!(line.workload, "kv-read");
    (code, line.outcome, place.down().await)
}

fn denied(stage: Stage, service: &str, code: &str, status: u16, message: &str) -> Outcome {
    Outcome::Denied { stage, service: service.into(), code: code.into(), status: Some(status), message: message.into() }
}

#[tokio::test]
async fn answers_the_challenge_and_reads_by_the_real_names_through_proxy_and_root_of_the_environment() {
    let (code, outcome, seen) = outcome("read", GOOD).await;
    let expected = Outcome::Read {
        bucket: "cf-r1".into(),
        key: "test-file".into(),
        bytes: 3,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into(),
        content_base64: "YWJj".into(),
    };
    assert_eq!((code, outcome), (Some(0), expected));
    assert_eq!(
        seen,
        [
            "CONNECT cf-r1.vault.azure.net:443",
            "GET cf-r1.vault.azure.net/secrets/test-file/",
            "CONNECT login.microsoftonline.com:443",
            "POST login.microsoftonline.com/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token",
            "GET cf-r1.vault.azure.net/secrets/test-file/",
        ]
    );
}

#[tokio::test]
async fn a_refused_exchange_is_told_with_its_code_and_nothing_is_read() {
    let refusal = r#"{"error":"invalid_client","error_description":"AADSTS700213: No matching federated identity record found. Trace ID: t","error_codes":[700213],"timestamp":"2026-11-23 12:00:00Z","trace_id":"t","correlation_id":"c"}"#;
    let (code, outcome, seen) = outcome("exchange", Answers { entra: (401, refusal), ..GOOD }).await;
    let expected = denied(
        Stage::Credentials,
        "entra",
        "AADSTS700213",
        401,
        "AADSTS700213: No matching federated identity record found. Trace ID: t",
    );
    assert_eq!((code, outcome), (Some(1), expected));
    assert_eq!(seen.iter().filter(|line| line.starts_with("GET")).count(), 1, "{seen:?}");
}

#[tokio::test]
async fn a_refused_read_is_told_with_the_code_that_tells() {
    let check = async |name: &str, answer: (u16, &'static str), expected: Outcome| {
        let (code, outcome, _) = outcome(name, Answers { vault: answer, ..GOOD }).await;
        assert_eq!((code, outcome), (Some(1), expected));
    };
    let rbac = r#"{"error":{"code":"Forbidden","message":"Caller is not authorized to perform action on resource.\r\nCaller: appid=a","innererror":{"code":"ForbiddenByRbac"}}}"#;
    let words = "Caller is not authorized to perform action on resource.\r\nCaller: appid=a";
    check("rbac", (403, rbac), denied(Stage::Read, "keyvault", "ForbiddenByRbac", 403, words)).await;
    let missing = r#"{"error":{"code":"SecretNotFound","message":"A secret with (name/id) test-file was not found in this key vault."}}"#;
    let words = "A secret with (name/id) test-file was not found in this key vault.";
    check("missing", (404, missing), denied(Stage::Read, "keyvault", "SecretNotFound", 404, words)).await;
}

#[tokio::test]
async fn a_challenge_for_another_domain_gets_no_token() {
    let challenge =
        r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.example.net""#;
    let (code, outcome, seen) = outcome("challenge", Answers { challenge, ..GOOD }).await;
    let Outcome::Failed { stage: Stage::Read, message } = outcome else { panic!("must fail: {outcome:?}") };
    assert!(message.contains("doesn't match the requested domain"), "{message}");
    assert_eq!((code, seen.iter().any(|line| line.contains("POST"))), (Some(1), false));
}

#[tokio::test]
async fn an_ailing_vault_is_asked_three_times_and_soon_given_up() {
    let started = Instant::now();
    let busy = (503, r#"{"error":{"code":"ServiceUnavailable","message":"later"}}"#);
    let (code, outcome, seen) = outcome("busy", Answers { vault: busy, ..GOOD }).await;
    let expected =
        Outcome::Failed { stage: Stage::Read, message: "keyvault answered 503 ServiceUnavailable: later".into() };
    assert_eq!((code, outcome), (Some(1), expected));
    // The first without a token.
    assert_eq!(seen.iter().filter(|line| line.starts_with("GET")).count(), 4, "{seen:?}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn trusts_only_the_roots_of_the_environment() {
    let place = Place::up("roots", GOOD).await;
    let other = Authority::generate("other", &SystemClock).expect("authority must generate");
    tokio::fs::write(&place.root, other.root_pem()).await.expect("root must be written");
    let root = place.root.to_string_lossy().into_owned();
    let (code, out, _) = run(
        "roots",
        &[("HTTPS_PROXY", &place.proxy), ("SSL_CERT_FILE", &root), ("AZURE_FEDERATED_TOKEN_FILE", "{token}")],
    )
    .await;
    assert_eq!(code, Some(1));
    assert!(out.contains(r#""outcome":"failed","stage":"read""#) && out.contains("certificate"), "{out}");
    assert!(place.down().await.iter().all(|line| line.starts_with("CONNECT")));
}

#[tokio::test]
async fn without_a_token_file_nobody_is_asked() {
    let check = async |name: &str, file: &[(&str, &str)], words: &str| {
        let place = Place::up(name, GOOD).await;
        let mut environment = vec![("HTTPS_PROXY", place.proxy.as_str())];
        environment.extend(file);
        let (code, out, _) = run(name, &environment).await;
        assert_eq!(code, Some(1));
        assert!(out.contains(r#""outcome":"failed","stage":"credentials""#) && out.contains(words), "{out}");
        assert!(place.down().await.is_empty());
    };
    check("nowhere", &[("AZURE_FEDERATED_TOKEN_FILE", "/nowhere/token")], "No such file").await;
    check("unset", &[], "no token file specified").await;
}

#[tokio::test]
async fn exit_status_tells_usage_from_refusal() {
    let run = async |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_kv-read"))
            .args(arguments)
            .env_clear()
            .output()
            .await
            .expect("program must start");
        (output.status.code(), output.stdout.is_empty(), output.stderr.is_empty())
    };
    assert_eq!(run(&["--help"]).await, (Some(0), false, true));
    assert_eq!(run(&["--secret", "s"]).await, (Some(2), true, false));
    assert_eq!(run(&["--vault-url", "http://cf-r1.vault.azure.net", "--secret", "s"]).await, (Some(1), false, false));
}
