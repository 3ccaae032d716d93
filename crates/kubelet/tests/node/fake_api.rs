//! An API server as small as a node needs: a store of JSON objects with watches, binding, status, tokens.
//! It admits and checks nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::{Method, StatusCode, Uri};
use kube::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use transport::{Authority, Server};
use trust::SystemClock;

type Key = (String, String, String);

#[derive(Default)]
struct Store {
    objects: BTreeMap<Key, Value>,
    version: u64,
    tokens: u64,
    uids: u64,
}

#[derive(Clone)]
pub(crate) struct FakeApi {
    store: Arc<Mutex<Store>>,
    changes: broadcast::Sender<(String, Key, Value)>,
    /// Lets a test wait for a condition.
    version: watch::Sender<u64>,
    pub(crate) token_lifetime: Duration,
}

pub(crate) struct Running {
    pub(crate) api: FakeApi,
    pub(crate) authority: Arc<Authority>,
    pub(crate) client: Client,
    _server: Server,
}

/// Starts one whose tokens live for `token_lifetime`.
pub(crate) async fn start(token_lifetime: Duration) -> Running {
    let authority = Arc::new(Authority::generate("cluster", &SystemClock).expect("authority must be made"));
    let api = FakeApi {
        store: Arc::default(),
        changes: broadcast::channel(1024).0,
        version: watch::channel(0).0,
        token_lifetime,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port must be free");
    let identity = authority.server_identity(&["127.0.0.1"]).expect("certificate must be made");
    let app = Router::new().fallback(serve).with_state(api.clone());
    let server = Server::tls(listener, identity, app).expect("server must start");
    let uri: Uri = format!("https://{}", server.addr()).parse().expect("uri must parse");
    let mut config = kube::Config::new(uri);
    config.root_cert = Some(vec![authority.root_der().to_vec()]);
    config.default_retry = false;
    let client = Client::try_from(config).expect("client must be made");
    Running { api, authority, client, _server: server }
}

impl FakeApi {
    fn put(&self, key: Key, mut object: Value, change: &str) -> Value {
        let mut store = self.store.lock().expect("lock");
        store.version += 1;
        object["metadata"]["resourceVersion"] = json!(store.version.to_string());
        if change == "DELETED" {
            store.objects.remove(&key);
        } else {
            store.objects.insert(key.clone(), object.clone());
        }
        // Sent under the lock: a watch that starts meanwhile sees it once.
        let _ = self.changes.send((change.to_owned(), key, object.clone()));
        self.version.send_replace(store.version);
        object
    }

    /// Makes an object; names, uid and creation are filled in.
    pub(crate) fn create(&self, plural: &str, namespace: &str, mut object: Value) -> Value {
        let uid = {
            let mut store = self.store.lock().expect("lock");
            store.uids += 1;
            format!("uid-{}", store.uids)
        };
        object["metadata"]["uid"] = json!(uid);
        if object["metadata"]["name"].is_null() {
            object["metadata"]["name"] = json!(format!("{plural}-{uid}"));
        }
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = json!(namespace);
        }
        let name = object["metadata"]["name"].as_str().expect("name").to_owned();
        self.put((plural.to_owned(), namespace.to_owned(), name), object, "ADDED")
    }

    pub(crate) fn create_pod(&self, name: &str, spec: Value) -> Value {
        self.create("pods", "n", json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": spec}))
    }

    pub(crate) fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        self.store.lock().expect("lock").objects.get(&key).cloned()
    }

    pub(crate) fn list(&self, plural: &str) -> Vec<Value> {
        let store = self.store.lock().expect("lock");
        store.objects.iter().filter(|(key, _)| key.0 == plural).map(|(_, object)| object.clone()).collect()
    }

    pub(crate) fn tokens(&self) -> u64 {
        self.store.lock().expect("lock").tokens
    }

    /// Changes an object in place and tells the watches.
    pub(crate) fn change(&self, plural: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.get(plural, "n", name).expect("object must exist");
        change(&mut object);
        self.put((plural.to_owned(), "n".to_owned(), name.to_owned()), object, "MODIFIED");
    }

    /// As a person's delete: the pod waits for its node.
    pub(crate) fn delete_pod(&self, name: &str, grace_seconds: u64) {
        self.change("pods", name, |pod| {
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace_seconds);
        });
    }

    pub(crate) fn delete_namespace(&self, name: &str) {
        let mut namespace = self.get("namespaces", "", name).expect("namespace must exist");
        namespace["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        self.put(("namespaces".to_owned(), String::new(), name.to_owned()), namespace, "MODIFIED");
    }

    fn delete_collection(&self, plural: &str, namespace: &str) {
        for object in self.list(plural) {
            let name = object["metadata"]["name"].as_str().expect("name");
            if plural == "pods" {
                self.delete_pod(name, 0);
            } else {
                self.put((plural.to_owned(), namespace.to_owned(), name.to_owned()), object.clone(), "DELETED");
            }
        }
    }

    /// Waits until the condition holds for what is stored.
    pub(crate) async fn await_that<T>(&self, what: &str, condition: impl Fn(&Self) -> Option<T>) -> T {
        let mut version = self.version.subscribe();
        let holds = async {
            loop {
                version.borrow_and_update();
                if let Some(found) = condition(self) {
                    return found;
                }
                version.changed().await.expect("api lives");
            }
        };
        match tokio::time::timeout(Duration::from_secs(20), holds).await {
            Ok(found) => found,
            Err(_) => panic!("{what}: not in time; pods: {:#?}", self.list("pods")),
        }
    }

    pub(crate) async fn await_phase(&self, pod: &str, phase: &str) -> Value {
        self.await_that(&format!("{pod} {phase}"), |api| {
            api.get("pods", "n", pod).filter(|pod| pod["status"]["phase"] == phase)
        })
        .await
    }

    pub(crate) async fn await_waiting(&self, pod: &str, reason: &str) -> Value {
        self.await_that(&format!("{pod} waiting with {reason}"), |api| {
            let waiting = api.get("pods", "n", pod)?["status"]["containerStatuses"][0]["state"]["waiting"].clone();
            (waiting["reason"] == reason).then_some(waiting)
        })
        .await
    }

    pub(crate) async fn await_gone(&self, pod: &str) {
        self.await_that(&format!("{pod} gone"), |api| api.get("pods", "n", pod).is_none().then_some(())).await;
    }
}

fn refused(code: u16, reason: &str) -> Response {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": code});
    answer(code, &status)
}

fn answer(code: u16, body: &Value) -> Response {
    let code = StatusCode::from_u16(code).expect("status");
    (code, [("content-type", "application/json")], body.to_string()).into_response()
}

async fn serve(
    State(api): State<FakeApi>,
    Query(query): Query<HashMap<String, String>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    match uri.path() {
        "/api" => return answer(200, &json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/apis" => {
            return answer(200, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []}));
        }
        "/api/v1" => return answer(200, &discovered()),
        _ => {}
    }
    let words: Vec<&str> = uri.path().trim_start_matches("/api/v1/").split('/').collect();
    let (namespace, words) = match words[..] {
        ["namespaces", namespace, ref rest @ ..] if !rest.is_empty() => (namespace, rest),
        ref all => ("", all),
    };
    let sent: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let key = |plural: &str, name: &str| (plural.to_owned(), namespace.to_owned(), name.to_owned());
    match (method, words) {
        (Method::GET, [plural]) if query.contains_key("watch") => watching(&api, plural, namespace, &query),
        (Method::GET, [plural]) => listed(&api, plural, namespace, &query),
        (Method::GET, [plural, name]) => match api.get(plural, namespace, name) {
            Some(object) => answer(200, &object),
            None => refused(404, "NotFound"),
        },
        (Method::POST, ["pods", name, "binding"]) => {
            let mut pod = api.get("pods", namespace, name).expect("pod must exist");
            pod["spec"]["nodeName"] = sent["target"]["name"].clone();
            api.put(key("pods", name), pod, "MODIFIED");
            answer(201, &json!({"kind": "Status", "apiVersion": "v1", "status": "Success", "code": 201}))
        }
        (Method::POST, ["serviceaccounts", account, "token"]) => {
            let number = {
                let mut store = api.store.lock().expect("lock");
                store.tokens += 1;
                store.tokens
            };
            let mut token = sent.clone();
            let expires = jiff::Timestamp::now() + api.token_lifetime;
            token["spec"]["expirationSeconds"] = json!(api.token_lifetime.as_secs());
            let pod = &sent["spec"]["boundObjectRef"]["uid"];
            let audience = &sent["spec"]["audiences"][0];
            token["status"] = json!({
                "token": format!("{number} {account} {pod} {audience}"), "expirationTimestamp": expires.to_string(),
            });
            answer(201, &token)
        }
        (Method::POST, [plural]) => {
            let name = sent["metadata"]["name"].as_str().unwrap_or_default();
            if api.get(plural, namespace, name).is_some() {
                return refused(409, "AlreadyExists");
            }
            answer(201, &api.create(plural, namespace, sent))
        }
        (Method::PATCH, [plural, name, "status"]) => match api.get(plural, namespace, name) {
            None => refused(404, "NotFound"),
            Some(object)
                if !sent["metadata"]["uid"].is_null() && sent["metadata"]["uid"] != object["metadata"]["uid"] =>
            {
                refused(409, "Conflict")
            }
            Some(mut object) => {
                merge(&mut object["status"], &sent["status"]);
                answer(200, &api.put(key(plural, name), object, "MODIFIED"))
            }
        },
        (Method::PUT, ["finalize"]) => {
            let key = ("namespaces".to_owned(), String::new(), namespace.to_owned());
            let empties = sent["spec"]["finalizers"].as_array().is_none_or(Vec::is_empty);
            answer(200, &api.put(key, sent, if empties { "DELETED" } else { "MODIFIED" }))
        }
        (Method::DELETE, [plural]) => {
            api.delete_collection(plural, namespace);
            answer(200, &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}))
        }
        (Method::DELETE, [plural, name]) => match api.get(plural, namespace, name) {
            Some(object) => answer(200, &api.put(key(plural, name), object, "DELETED")),
            None => refused(404, "NotFound"),
        },
        _ => refused(405, "MethodNotAllowed"),
    }
}

fn discovered() -> Value {
    let resource = |plural: &str, kind: &str| {
        json!({"name": plural, "singularName": "", "namespaced": true, "kind": kind,
            "verbs": ["create", "delete", "deletecollection", "get", "list", "watch"]})
    };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": [
        resource("pods", "Pod"), resource("configmaps", "ConfigMap"), resource("secrets", "Secret"),
        resource("serviceaccounts", "ServiceAccount"), resource("events", "Event"),
        {"name": "bindings", "singularName": "", "namespaced": true, "kind": "Binding", "verbs": ["create"]},
        {"name": "nodes", "singularName": "", "namespaced": false, "kind": "Node", "verbs": ["list", "deletecollection"]},
    ]})
}

fn merge(into: &mut Value, from: &Value) {
    match from {
        Value::Object(fields) => {
            if !into.is_object() {
                *into = json!({});
            }
            for (name, value) in fields {
                merge(&mut into[name], value);
            }
        }
        other => *into = other.clone(),
    }
}

fn selected(key: &Key, plural: &str, namespace: &str, query: &HashMap<String, String>) -> bool {
    let name = query.get("fieldSelector").and_then(|fields| fields.strip_prefix("metadata.name="));
    key.0 == plural && (namespace.is_empty() || key.1 == namespace) && name.is_none_or(|name| name == key.2)
}

fn listed(api: &FakeApi, plural: &str, namespace: &str, query: &HashMap<String, String>) -> Response {
    let store = api.store.lock().expect("lock");
    let items = store.objects.iter().filter(|(key, _)| selected(key, plural, namespace, query));
    let items: Vec<&Value> = items.map(|(_, object)| object).collect();
    let version = store.version.to_string();
    answer(200, &json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items}))
}

fn watching(api: &FakeApi, plural: &str, namespace: &str, query: &HashMap<String, String>) -> Response {
    let from: u64 = query.get("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or(0);
    let (missed, changes) = {
        let store = api.store.lock().expect("lock");
        let newer = |object: &Value| {
            object["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok()).unwrap_or(0) > from
        };
        let missed: Vec<_> = store
            .objects
            .iter()
            .filter(|(_, object)| newer(object))
            .map(|(key, object)| ("MODIFIED".to_owned(), key.clone(), object.clone()))
            .collect();
        (missed, api.changes.subscribe())
    };
    let live = stream::unfold(changes, |mut changes| async move { Some((changes.recv().await.ok()?, changes)) });
    let (plural, namespace, query) = (plural.to_owned(), namespace.to_owned(), query.clone());
    let lines = futures::StreamExt::filter_map(
        futures::StreamExt::chain(stream::iter(missed), live),
        move |(change, key, object)| {
            let line = selected(&key, &plural, &namespace, &query).then(|| {
                let mut object = object;
                object["apiVersion"] = json!("v1");
                Ok::<_, std::io::Error>(format!("{}\n", json!({"type": change, "object": object})))
            });
            std::future::ready(line)
        },
    );
    ([("content-type", "application/json")], Body::from_stream(lines)).into_response()
}
