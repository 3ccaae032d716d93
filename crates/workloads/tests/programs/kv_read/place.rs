//! Both of its clouds as servers of a few lines, behind one proxy.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use transport::{Authority, Server};
use trust::SystemClock;

pub(super) const VAULT: &str = "cf-r1.vault.azure.net";
const ENTRA: &str = "login.microsoftonline.com";
pub(super) const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const TOKEN: (u16, &str) =
    (200, r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"canary-access"}"#);
pub(super) const NO_MATCH: (u16, &str) = (
    401,
    r#"{"error":"invalid_client","error_description":"AADSTS700213: No matching federated identity record found. Trace ID: t","error_codes":[700213],"timestamp":"2026-11-23 12:00:00Z","trace_id":"t","correlation_id":"c"}"#,
);
const SECRET: (u16, &str) = (
    200,
    r#"{"value":"abc","id":"https://cf-r1.vault.azure.net/secrets/test-file/0123456789abcdef0123456789abcdef","attributes":{"enabled":true}}"#,
);
const CHALLENGE: &str = r#"Bearer authorization="https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111", resource="https://vault.azure.net""#;

/// What is said to a token exchange, and to a read with a token. An assertion that says so itself is refused.
#[derive(Clone, Copy)]
pub(super) struct Answers {
    pub(super) entra: (u16, &'static str),
    pub(super) vault: (u16, &'static str),
    /// To a read without a token.
    pub(super) challenge: &'static str,
}

pub(super) const GOOD: Answers = Answers { entra: TOKEN, vault: SECRET, challenge: CHALLENGE };

/// Both clouds behind one proxy.
pub(super) struct Place {
    pub(super) proxy: String,
    pub(super) root: PathBuf,
    seen: Arc<Mutex<Vec<String>>>,
    server: Server,
}

impl Place {
    pub(super) async fn up(name: &str, answers: Answers) -> Self {
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
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kv-root-{}-{name}.pem", std::process::id()));
        tokio::fs::write(&root, authority.root_pem()).await.expect("root must be written");
        let proxy = proxy(server.addr(), seen.clone()).await;
        Self { proxy, root, seen, server }
    }

    pub(super) async fn down(self) -> Vec<String> {
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
            && form.contains("client_assertion=canary-")
            && form.contains("scope=https%3A%2F%2Fvault.azure.net%2F.default");
        return match asked {
            true if form.contains("client_assertion=canary-refused") => reply(NO_MATCH),
            true => reply(answers.entra),
            false => reply((400, "{}")),
        };
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
async fn proxy(to: SocketAddr, seen: Arc<Mutex<Vec<String>>>) -> String {
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
    to: SocketAddr,
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
