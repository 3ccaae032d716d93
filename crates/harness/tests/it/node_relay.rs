//! Stands between the test's API server, which talks only to nodes whose certificate its own authority made, and the process node of a
//! run, which brings its own: kube-apiserver does not look at it unless `--kubelet-certificate-authority` is set.
//!
//! A mutating webhook puts the relay's port into each node, and the relay passes on what the API server asks of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use transport::{Authority, Client, Roots, Server};

const PORT: &str = "/status/daemonEndpoints/kubeletEndpoint/Port";

#[derive(Clone)]
struct Relay {
    own_port: u16,
    /// What the node announced last.
    node_port: Arc<AtomicU16>,
    nodes: Client,
}

/// Starts the relay and says which webhook configuration it needs.
pub(crate) async fn start(authority: &Authority) -> (Server, Value) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("must listen");
    let own_port = listener.local_addr().expect("must have an address").port();
    let roots = Roots::of(authority).expect("must be roots");
    let nodes = Client::new(roots, Duration::from_secs(10)).recording_untrusted();
    let relay = Relay { own_port, node_port: Arc::default(), nodes };
    let app = Router::new().route("/admit", routing::post(admit)).fallback(pass_on).with_state(relay);
    let identity = authority.server_identity(&["127.0.0.1"]).expect("must be made");
    let server = Server::tls(listener, identity, app).expect("must serve");
    let configuration = json!({"metadata": {"name": "node-relay"}, "webhooks": [{
        "name": "relay.example.test",
        "clientConfig": {"url": format!("https://127.0.0.1:{own_port}/admit"), "caBundle": STANDARD.encode(authority.root_pem())},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "rules": [{"operations": ["CREATE", "UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["nodes", "nodes/status"]}],
    }]});
    (server, configuration)
}

async fn admit(State(relay): State<Relay>, Json(review): Json<Value>) -> Json<Value> {
    let request = &review["request"];
    let mut response = json!({"uid": request["uid"], "allowed": true});
    let port = request["object"].pointer(PORT).and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    if let Some(port) = port.filter(|&port| port != relay.own_port) {
        relay.node_port.store(port, Ordering::SeqCst);
        let patch = json!([{"op": "replace", "path": PORT, "value": relay.own_port}]);
        response["patchType"] = "JSONPatch".into();
        response["patch"] = STANDARD.encode(patch.to_string()).into();
    }
    Json(json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}))
}

async fn pass_on(State(relay): State<Relay>, uri: Uri) -> Response {
    let port = relay.node_port.load(Ordering::SeqCst);
    match relay.nodes.get(&format!("https://127.0.0.1:{port}{uri}")).await {
        Ok(fetched) => (StatusCode::from_u16(fetched.status).expect("a status"), fetched.body).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
