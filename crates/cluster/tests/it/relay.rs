//! A server that stands before webhooks, writes down each call, and passes it on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use transport::{Authority, Client, Roots, Server};

/// What is behind a name.
#[derive(Clone)]
pub(crate) enum Behind {
    /// A webhook at this URL.
    Url(String),
    /// A patch to every pod.
    Patch(Value),
}

/// One review: what was asked, and what was answered.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) webhook: String,
    pub(crate) question: Value,
    pub(crate) answer: Value,
}

#[derive(Default)]
struct Book {
    behind: HashMap<String, Behind>,
    calls: Vec<Call>,
}

#[derive(Clone)]
struct Shared {
    book: Arc<Mutex<Book>>,
    client: Client,
}

pub(crate) struct Relay {
    shared: Shared,
    server: Server,
}

impl Relay {
    pub(crate) async fn start(authority: &Authority) -> Self {
        let client = Client::new(Roots::of(authority).expect("roots"), Duration::from_secs(10));
        let shared = Shared { book: Arc::default(), client };
        let app = Router::new().route("/{name}", post(pass)).with_state(shared.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("must listen");
        let identity = authority.server_identity(&["127.0.0.1"]).expect("must be signed");
        Self { shared, server: Server::tls(listener, identity, app).expect("must serve") }
    }

    /// Where a webhook is reached through this server.
    pub(crate) fn before(&self, name: &str, behind: Behind) -> String {
        self.shared.book.lock().expect("lock").behind.insert(name.to_owned(), behind);
        format!("https://{}/{name}", self.server.addr())
    }

    /// The calls since the last time.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.shared.book.lock().expect("lock").calls)
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

async fn pass(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let question: Value = serde_json::from_slice(&body).expect("a review");
    let behind = shared.book.lock().expect("lock").behind.get(&name).cloned().expect("a known name");
    let answer = match behind {
        Behind::Url(url) => {
            let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let headers = [("content-type", content_type.unwrap_or_default())];
            match shared.client.send(Method::POST, &url, &headers, body).await {
                Ok(fetched) => serde_json::from_slice(&fetched.body).expect("a review"),
                Err(error) => return (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
            }
        }
        Behind::Patch(patch) => json!({
            "apiVersion": question["apiVersion"],
            "kind": question["kind"],
            "response": {
                "uid": question["request"]["uid"], "allowed": true,
                "patchType": "JSONPatch", "patch": STANDARD.encode(patch.to_string()),
            },
        }),
    };
    let body = answer.to_string();
    shared.book.lock().expect("lock").calls.push(Call { webhook: name, question, answer });
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
