//! A node that runs nothing: it takes every pod and reports of it what the pod's image asks for.

use futures::StreamExt;
use kube::api::{Api, DynamicObject, WatchEvent, WatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use crate::support::Cluster;

pub(crate) const NODE: &str = "node-1";

/// Objects of a kind in a namespace.
pub(crate) fn objects(cluster: &Cluster, version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    if namespace.is_empty() {
        Api::all_with(cluster.client.clone(), &resource)
    } else {
        Api::namespaced_with(cluster.client.clone(), namespace, &resource)
    }
}

/// Waits until an object is as it should be; `None` is one that is gone.
pub(crate) async fn until(api: &Api<DynamicObject>, name: &str, is_so: impl Fn(Option<&Value>) -> bool) -> Value {
    let condition = move |object: Option<&DynamicObject>| {
        let value = object.map(|object| serde_json::to_value(object).expect("must be JSON"));
        is_so(value.as_ref())
    };
    let waited =
        tokio::time::timeout(std::time::Duration::from_secs(20), await_condition(api.clone(), name, condition));
    match waited.await {
        Ok(found) => serde_json::to_value(found.expect("must be watched")).expect("must be JSON"),
        Err(_) => panic!("{name} is {:?}", api.get_opt(name).await),
    }
}

/// Registers the node, and takes pods as long as the test runs.
pub(crate) async fn start(cluster: &Cluster, log_port: u16) {
    let status = json!({"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}], "daemonEndpoints": {"kubeletEndpoint": {"Port": log_port}},
        "nodeInfo": {"kubeletVersion": "v1.36.2", "osImage": "none", "kernelVersion": "0", "containerRuntimeVersion": "none://1",
            "architecture": "amd64", "bootID": "", "kubeProxyVersion": "", "machineID": "", "operatingSystem": "linux", "systemUUID": ""}});
    let node = json!({"metadata": {"name": NODE, "labels": {"kubernetes.io/os": "linux"}}, "status": status});
    assert_eq!(cluster.send("POST", "/api/v1/nodes", Some(node)).await.0, 201);
    let pods = objects(cluster, "v1", "Pod", "");
    let client = cluster.client.clone();
    let mut seen = pods.watch(&WatchParams::default().timeout(290), "0").await.expect("must watch").boxed();
    tokio::spawn(async move {
        while let Some(Ok(event)) = seen.next().await {
            if let WatchEvent::Added(pod) | WatchEvent::Modified(pod) = event {
                // Whoever deletes it meanwhile is right.
                let _ = step(&client, &serde_json::to_value(&pod).expect("must be JSON")).await;
            }
        }
    });
}

async fn send(client: &kube::Client, method: &str, path: &str, body: &Value) -> kube::Result<()> {
    let media = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let request = http::Request::builder().method(method).uri(path).header("content-type", media);
    let request = request.body(body.to_string().into_bytes()).expect("must be a request");
    client.request::<Value>(request).await.map(drop)
}

/// One step of a pod's life.
async fn step(client: &kube::Client, pod: &Value) -> kube::Result<()> {
    let metadata = &pod["metadata"];
    let (namespace, name) =
        (metadata["namespace"].as_str().expect("a namespace"), metadata["name"].as_str().expect("a name"));
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
    if metadata.get("deletionTimestamp").is_some() {
        return send(client, "DELETE", &path, &json!({"gracePeriodSeconds": 0})).await;
    }
    if pod["spec"]["schedulerName"] != "default-scheduler" {
        return Ok(());
    }
    if pod["spec"].get("nodeName").is_none() {
        let binding = json!({"metadata": {"name": name}, "target": {"kind": "Node", "name": NODE}});
        return send(client, "POST", &format!("{path}/binding"), &binding).await;
    }
    if pod["status"]["phase"] != "Pending" {
        return Ok(());
    }
    let now = k8s_openapi::jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let image = pod["spec"]["containers"][0]["image"].as_str().expect("an image");
    let ended = |code: i64| json!({"terminated": {"exitCode": code, "startedAt": now, "finishedAt": now}});
    let (phase, state) = match image {
        "ends:1" => ("Succeeded", ended(0)),
        "fails:1" => ("Failed", ended(1)),
        "starts:1" => return Ok(()),
        _ => ("Running", json!({"running": {"startedAt": now}})),
    };
    let runs = phase == "Running";
    let containers: Vec<Value> = pod["spec"]["containers"].as_array().expect("containers").iter().map(|one| {
        json!({"name": one["name"], "image": one["image"], "imageID": "", "ready": runs, "started": runs, "restartCount": 0, "state": state})
    }).collect();
    let ready = json!({"type": "Ready", "status": if runs { "True" } else { "False" }, "lastTransitionTime": now});
    let status = json!({"phase": phase, "podIP": "10.0.0.9", "startTime": now, "conditions": [ready], "containerStatuses": containers});
    send(client, "PATCH", &format!("{path}/status"), &json!({"status": status})).await
}
