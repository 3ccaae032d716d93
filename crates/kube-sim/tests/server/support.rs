//! What the tests of the server share: a running one, clients for it, a webhook with many habits, a node's log endpoint.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Status;
use kube_sim::{ApiServer, ApiServerConfig};
use serde_json::{Value, json};
use tower::ServiceExt;
use transport::{Authority, Client, Roots, Server};
use trust::{KeyRing, SharedClock, SigningKey, SystemClock};

pub(crate) const ISSUER: &str = "https://issuer.example.test/abc/";

/// JSON that becomes a typed object.
pub(crate) struct Fields(pub(crate) Value);

macro_rules! typed {
    ($($kind:ty),*) => { $(impl From<Fields> for $kind {
        fn from(fields: Fields) -> Self { serde_json::from_value(fields.0).expect("must be of its kind") }
    })* };
}
use k8s_openapi::api::{authentication::v1 as authn, core::v1 as core};
typed!(core::Pod, core::ConfigMap, core::ServiceAccount, core::Node, authn::TokenRequest, authn::TokenReview);

/// The Status behind a client's error.
pub(crate) fn refusal<T: std::fmt::Debug>(result: kube::Result<T>) -> Status {
    match result.expect_err("must be refused") {
        kube::Error::Api(status) => *status,
        other => panic!("{other:?}"),
    }
}

/// One key for all tests of a binary: making one is the slowest part.
fn ring() -> Arc<KeyRing> {
    static RING: OnceLock<Arc<KeyRing>> = OnceLock::new();
    RING.get_or_init(|| Arc::new(KeyRing::new(SigningKey::generate().expect("key must be made")))).clone()
}

pub(crate) struct Cluster {
    pub(crate) server: ApiServer,
    pub(crate) client: kube::Client,
    pub(crate) authority: Arc<Authority>,
    pub(crate) ring: Arc<KeyRing>,
    pub(crate) patience: Duration,
    hook: Server,
    seen: Seen,
    nodes: Mutex<Vec<Server>>,
}

type Seen = Arc<Mutex<Vec<(String, Value)>>>;

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::run(false).await
    }

    pub(crate) async fn start_bare() -> Self {
        Self::run(true).await
    }

    async fn run(bare: bool) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let authority = Arc::new(Authority::generate("test", &*clock).expect("must be made"));
        let (_, keys) = tokio::sync::watch::channel(Some(ring()));
        let config = ApiServerConfig {
            issuer: ISSUER.parse().expect("must parse"),
            jwks_path: "/openid/v1/jwks".into(),
            keys,
            authority: authority.clone(),
            clock,
            min_token_lifetime: Duration::from_secs(600),
            max_token_lifetime: Some(Duration::from_secs(7200)),
        };
        let server = if bare { ApiServer::start_bare(config).await } else { ApiServer::start(config).await }
            .expect("must start");
        let kubeconfig = Kubeconfig::from_yaml(server.kubeconfig()).expect("must be a kubeconfig");
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .expect("must be complete");
        config.default_retry = false;
        let client = kube::Client::try_from(config).expect("must connect");
        let seen = Seen::default();
        let app = Router::new().route("/{name}/{mode}", post(answer)).with_state(seen.clone());
        let hook = serve(&authority, app).await;
        Self {
            server,
            client,
            authority,
            ring: ring(),
            patience: Duration::from_secs(10),
            hook,
            seen,
            nodes: Mutex::default(),
        }
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }

    pub(crate) async fn namespace(&self, name: &str) {
        assert_eq!(self.send("POST", "/api/v1/namespaces", Some(json!({"metadata": {"name": name}}))).await.0, 201);
    }

    /// A request as the administrator.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.send_raw(
            method,
            path,
            "application/json",
            body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
        )
        .await
    }

    pub(crate) async fn send_raw(&self, method: &str, path: &str, media: &str, body: Vec<u8>) -> (u16, Value) {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", media)
            .body(kube::client::Body::from(body));
        let response = self.client.send(request.expect("must be a request")).await.expect("must be answered");
        let status = response.status().as_u16();
        let body =
            axum::body::to_bytes(axum::body::Body::new(response.into_body()), usize::MAX).await.expect("must be whole");
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// A request with a token, or with nothing.
    pub(crate) async fn send_as(
        &self,
        token: Option<&str>,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let client = Client::new(Roots::of(&self.authority).expect("must be roots"), self.patience);
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<(&str, &str)> = bearer.iter().map(|value| ("authorization", value.as_str())).collect();
        let url = format!("https://{}{path}", self.server.addr());
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let fetched =
            client.send(method.parse().expect("a method"), &url, &headers, body).await.expect("must be answered");
        (fetched.status, serde_json::from_slice(&fetched.body).unwrap_or(Value::Null))
    }

    /// Status and warnings of a request.
    pub(crate) async fn warnings(&self, method: &str, path: &str, body: &Value) -> (u16, Vec<String>) {
        let request = http::Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.body(kube::client::Body::from(body.to_string().into_bytes())).expect("must be a request");
        let response = self.client.send(request).await.expect("must be answered");
        let warnings = response
            .headers()
            .get_all("warning")
            .iter()
            .map(|value| value.to_str().expect("text").to_owned())
            .collect();
        (response.status().as_u16(), warnings)
    }

    /// What the issuer's public host answers.
    pub(crate) async fn site(&self, path: &str) -> (u16, Value) {
        let request = http::Request::get(path).body(axum::body::Body::empty()).expect("must be a request");
        let response = self.server.issuer_site().oneshot(request).await.expect("must be answered");
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("must be whole");
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Registers the test's webhook under a name, with a habit.
    pub(crate) async fn webhook(&self, name: &str, mode: &str, change: Value) {
        let stranger = Authority::generate("stranger", &SystemClock).expect("must be made");
        let trusted = if mode == "untrusted" { stranger.root_pem() } else { self.authority.root_pem() };
        let addr = if mode == "refused" { "127.0.0.1:1".to_owned() } else { self.hook.addr().to_string() };
        let mut webhook = json!({
            "name": format!("{name}.example.test"),
            "clientConfig": {"url": format!("https://{addr}/{name}/{mode}"), "caBundle": STANDARD.encode(trusted)},
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        });
        json_patch::merge(&mut webhook, &change);
        let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
        self.send("DELETE", &format!("{path}/{name}"), None).await;
        let (status, body) =
            self.send("POST", path, Some(json!({"metadata": {"name": name}, "webhooks": [webhook]}))).await;
        assert_eq!(status, 201, "{body}");
    }

    /// The calls so far: which webhook saw which containers.
    pub(crate) fn calls(&self) -> Vec<String> {
        let seen = self.seen.lock().expect("must not be poisoned");
        let containers = |review: &Value| {
            let list = review["request"]["object"]["spec"]["containers"].as_array().expect("containers");
            list.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>().join(",")
        };
        seen.iter().map(|(name, review)| format!("{name} {}", containers(review))).collect()
    }

    /// Every call so far.
    pub(crate) fn reviews(&self) -> Vec<(String, Value)> {
        self.seen.lock().expect("must not be poisoned").clone()
    }

    /// Where the webhooks listen.
    pub(crate) fn hook_addr(&self) -> std::net::SocketAddr {
        self.hook.addr()
    }

    pub(crate) fn last_review(&self) -> Value {
        self.seen.lock().expect("must not be poisoned").last().expect("a call").1.clone()
    }

    /// A node's endpoint that answers with the path that it was asked for and a text; gives its port.
    pub(crate) async fn log_endpoint(&self, text: &'static str) -> u16 {
        let app = Router::new().fallback(any(move |uri: http::Uri| async move { format!("{uri}\n{text}") }));
        let server = serve(&self.authority, app).await;
        let port = server.addr().port();
        self.nodes.lock().expect("must not be poisoned").push(server);
        port
    }
}

async fn serve(authority: &Authority, app: Router) -> Server {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("must listen");
    let identity = authority.server_identity(&["127.0.0.1"]).expect("must be made");
    Server::tls(listener, identity, app).expect("must serve")
}

async fn answer(State(seen): State<Seen>, Path((name, mode)): Path<(String, String)>, body: Bytes) -> Response {
    let review: Value = serde_json::from_slice(&body).expect("must be a review");
    seen.lock().expect("must not be poisoned").push((name.clone(), review.clone()));
    let object = &review["request"]["object"];
    let containers = object["spec"]["containers"].as_array().expect("containers");
    let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
    let variable = json!({"name": name.to_uppercase(), "value": "1"});
    let patch = match mode.as_str() {
        "env" => match containers[0].get("env").and_then(Value::as_array) {
            Some(known) if known.contains(&variable) => None,
            Some(_) => Some(json!([{"op": "add", "path": "/spec/containers/0/env/-", "value": variable}])),
            None => Some(json!([{"op": "add", "path": "/spec/containers/0/env", "value": [variable]}])),
        },
        "sidecar" if containers.len() == 1 => {
            Some(json!([{"op": "add", "path": "/spec/containers/-", "value": {"name": "side", "image": "side:1"}}]))
        }
        "bad-patch" => Some(json!([{"op": "add", "path": "/spec/nope/x", "value": 1}])),
        "break-pod" => Some(json!([{"op": "replace", "path": "/spec/containers", "value": []}])),
        _ => None,
    };
    if let Some(patch) = patch {
        response["patchType"] = "JSONPatch".into();
        response["patch"] = STANDARD.encode(patch.to_string()).into();
    }
    match mode.as_str() {
        "deny" => {
            response["allowed"] = false.into();
            response["status"] = json!({"message": "no thanks"});
        }
        "warn" => response["warnings"] = json!(["mind the gap"]),
        "wrong-uid" => response["uid"] = "other".into(),
        "http500" => return (http::StatusCode::INTERNAL_SERVER_ERROR, "boom").into_response(),
        "not-json" => return "hello".into_response(),
        // Longer than the time-out of any webhook under test; the caller hangs up first.
        "slow" => std::future::pending::<()>().await,
        "json-text" => return "\"text\"".into_response(),
        "patch-untyped" => response["patch"] = STANDARD.encode("[]").into(),
        _ => {}
    }
    let mut answer = json!({"response": response});
    if mode != "untyped" {
        answer["kind"] = "AdmissionReview".into();
        answer["apiVersion"] = review["apiVersion"].clone();
    }
    axum::Json(answer).into_response()
}
