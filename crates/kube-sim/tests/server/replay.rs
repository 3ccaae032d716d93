//! Calls that a real kube-apiserver 1.36 answered, sent again: status, headers, body and the webhooks' calls must be the same.
//!
//! `fixtures/kube-api.jsonl` has a call a line. A line without a status only prepares the next one.

mod normal;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::{Value, json};
use transport::{Client, Roots};

use crate::support::{Cluster, ISSUER};
use normal::{differences, normal};

const RECORDED: &str = include_str!("../../../../fixtures/kube-api.jsonl");
const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

/// Calls that are answered in another way: the first not yet, the second because the recorded server had a storage without progress.
const OPEN: [&str; 2] = ["discovery/apis", "watch/streaming-list"];

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: Value,
}

/// What later calls refer to: tokens by name, and the last list's `continue`.
#[derive(Default)]
struct Saved {
    tokens: Vec<(String, String)>,
    page: String,
}

impl Saved {
    fn fill(&self, text: &str) -> String {
        let mut text = text.replace("<c>", &self.page);
        for (name, token) in &self.tokens {
            text = text.replace(&format!("<{name}>"), token);
        }
        text
    }
}

#[tokio::test]
async fn a_real_servers_answers_are_given_again() {
    let cluster = Cluster::start_bare().await;
    let mut saved = Saved::default();
    let (mut same, mut differing) = (0, Vec::new());
    for line in RECORDED.lines() {
        let call: Value = serde_json::from_str(&line.replace("<issuer>", ISSUER)).expect("must be JSON");
        let id = call["id"].as_str().expect("an id");
        let seen = cluster.calls().len();
        let hooks = register(&cluster, &call, id).await;
        let answer = send(&cluster, &call["request"], &saved).await;
        for hook in &hooks {
            cluster.send("DELETE", &format!("{CONFIGURATIONS}/{hook}"), None).await;
        }
        if let Some(page) = answer.body.pointer("/metadata/continue").and_then(Value::as_str) {
            saved.page = page.to_owned();
        }
        if let Some(name) = call["save"].as_str() {
            let token = answer.body.pointer("/status/token").and_then(Value::as_str).expect("a token");
            saved.tokens.push((name.to_owned(), token.to_owned()));
        }
        if call.get("status").is_none() {
            continue;
        }
        let found = compare(&cluster, &call, &answer, seen);
        if found.is_empty() == OPEN.contains(&id) && found.is_empty() {
            differing.push(format!("## {id} is the same now"));
        } else if found.is_empty() || OPEN.contains(&id) {
            same += 1
        } else {
            differing.push(format!("## {id}\n{}", found.join("\n")))
        }
    }
    println!("{same} same; {} differ", differing.len());
    assert!(differing.is_empty(), "{} of {} differ\n{}", differing.len(), same + differing.len(), differing.join("\n"));
    cluster.stop().await;
}

fn compare(cluster: &Cluster, call: &Value, answer: &Answer, seen: usize) -> Vec<String> {
    let mut found = Vec::new();
    if call["status"] != answer.status {
        found.push(format!("  status {}, recorded {}", answer.status, call["status"]));
    }
    for (name, wanted) in call["headers"].as_object().into_iter().flatten() {
        let given = answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if wanted != given {
            found.push(format!("  header {name}: {given:?}, recorded {wanted}"));
        }
    }
    differences("", &normal(&answer.body), &normal(&call["body"]), &mut found);
    if let Some(calls) = call.get("calls") {
        let given = Value::Array(cluster.reviews()[seen..].iter().map(summary).collect());
        differences("calls", &given, calls, &mut found);
    }
    if let Some(token) = call.get("token").filter(|_| answer.status == 201) {
        let text = answer.body.pointer("/status/token").and_then(Value::as_str).unwrap_or_default();
        let part = |index: usize| -> Value {
            let bytes = URL_SAFE_NO_PAD.decode(text.split('.').nth(index).unwrap_or_default()).expect("base64");
            serde_json::from_slice(&bytes).expect("must be JSON")
        };
        let (header, claims) = (part(0), part(1));
        let names = |value: &Value| {
            let mut names: Vec<String> = value.as_object().expect("an object").keys().cloned().collect();
            names.sort();
            names
        };
        let lifetime = claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat);
        if lifetime != token["lifetime"].as_i64()
            || names(&claims) != names(&token["claims"])
            || names(&header) != names(&token["header"])
        {
            found.push(format!("  token {header} {claims}"));
        }
    }
    found
}

/// What was recorded of a webhook's call.
fn summary((hook, review): &(String, Value)) -> Value {
    let request = &review["request"];
    let containers = request["object"]["spec"]["containers"].as_array().expect("containers");
    let names =
        |of: &Value| -> Vec<Value> { of.as_array().into_iter().flatten().map(|one| one["name"].clone()).collect() };
    let mut keys: Vec<&String> = request.as_object().expect("an object").keys().collect();
    keys.sort();
    json!({"apiVersion": review["apiVersion"], "containers": names(&request["object"]["spec"]["containers"]), "dryRun": request["dryRun"],
        "envs": names(&containers[0]["env"]), "hook": hook, "name": request.get("name").cloned().unwrap_or_else(|| "".into()),
        "namespace": request["namespace"], "operation": request["operation"], "requestKeys": keys})
}

/// Registers the webhooks that were registered when the call was recorded; gives the names of those that were accepted.
async fn register(cluster: &Cluster, call: &Value, id: &str) -> Vec<String> {
    let mut names = Vec::new();
    for hook in call["request"]["hooks"].as_array().into_iter().flatten() {
        let name = hook["config"].as_str().expect("a name");
        let mode = match hook["mode"].as_str().expect("a mode") {
            "breakpod" => "break-pod",
            "nogvk" => "untyped",
            "wronguid" => "wrong-uid",
            "notjson" => "json-text",
            "notype" => "patch-untyped",
            other => other,
        };
        let addr = cluster.hook_addr();
        let url = match mode {
            "x" => "https://127.0.0.1:1/x".to_owned(),
            _ if id.contains("wrong-host") => format!("https://localhost:{}/{name}/{mode}", addr.port()),
            _ => format!("https://{addr}/{name}/{mode}"),
        };
        let mut webhook = json!({"admissionReviewVersions": hook["versions"], "clientConfig": {"caBundle": bundle(cluster), "url": url},
            "failurePolicy": hook["failurePolicy"], "name": format!("{name}.rec.example"), "reinvocationPolicy": hook["reinvocationPolicy"],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "rec"}}, "sideEffects": "None",
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "timeoutSeconds": if id.contains("config-invalid-timeout") { 31 } else { 1 }});
        for member in ["objectSelector", "matchConditions"] {
            if !hook[member].is_null() {
                webhook[member] = hook[member].clone();
            }
        }
        let body = json!({"metadata": {"name": name}, "webhooks": [webhook]});
        if cluster.send("POST", CONFIGURATIONS, Some(body)).await.0 == 201 {
            names.push(name.to_owned());
        }
    }
    names
}

fn bundle(cluster: &Cluster) -> String {
    STANDARD.encode(cluster.authority.root_pem())
}

async fn send(cluster: &Cluster, request: &Value, saved: &Saved) -> Answer {
    let member = |name: &str| request[name].as_str().unwrap_or_default();
    let path = saved.fill(member("path"));
    let body = match &request["body"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let body = saved.fill(&body).replace("<ca>", &bundle(cluster)).replace("<hook>", &cluster.hook_addr().to_string());
    let mut headers = vec![("accept", member("accept"))];
    if !member("contentType").is_empty() {
        headers.push(("content-type", member("contentType")));
    }
    let (status, headers, body) = if member("auth") == "admin" {
        let mut builder = http::Request::builder().method(member("method")).uri(path);
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        let request = builder.body(kube::client::Body::from(body.into_bytes())).expect("must be a request");
        let (head, body) = cluster.client.send(request).await.expect("must be answered").into_parts();
        let body = axum::body::to_bytes(axum::body::Body::new(body), usize::MAX).await.expect("must be whole");
        (head.status.as_u16(), head.headers, body)
    } else {
        let bearer = member("auth").strip_prefix("token ").map(|token| format!("Bearer {}", saved.fill(token)));
        headers.extend(bearer.iter().map(|value| ("authorization", value.as_str())));
        let client = Client::new(Roots::of(&cluster.authority).expect("must be roots"), cluster.patience);
        let url = format!("https://{}{path}", cluster.server.addr());
        let method = member("method").parse().expect("a method");
        let fetched = client.send(method, &url, &headers, Bytes::from(body)).await.expect("must be answered");
        (fetched.status, fetched.headers, fetched.body)
    };
    let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
    Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or_else(|_| text()) }
}
