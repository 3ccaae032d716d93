//! Pods as nodes and users see them: watched, bound, ended with grace, read through their node.

use crate::support::{Cluster, Fields, refusal};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};

fn pod(name: &str, spec: Value) -> Pod {
    let mut whole = json!({"containers": [{"name": "app", "image": "app:1"}]});
    for (key, value) in spec.as_object().into_iter().flatten() {
        whole[key] = value.clone();
    }
    Fields(json!({"metadata": {"name": name}, "spec": whole})).into()
}

#[tokio::test]
async fn a_watch_pushes_every_change_as_it_happens() {
    let cluster = Cluster::start().await;
    cluster.namespace("shop").await;
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), "shop");
    pods.create(&PostParams::default(), &pod("early", json!({}))).await.expect("must be created");
    let listed = pods.list(&ListParams::default()).await.expect("must list");
    let version = listed.metadata.resource_version.expect("a version");
    let mut events = pods.watch(&WatchParams::default().labels("app=web"), &version).await.expect("must watch").boxed();
    let labelled = |value: Value| Patch::Merge(json!({"metadata": {"labels": {"app": value}}}));
    let params = PatchParams::default();
    pods.patch("early", &params, &labelled(json!("web"))).await.expect("must be patched");
    pods.patch_status("early", &params, &Patch::Merge(json!({"status": {"phase": "Running"}})))
        .await
        .expect("must be patched");
    pods.patch("early", &params, &labelled(json!("other"))).await.expect("must be patched");
    pods.patch("early", &params, &labelled(json!("web"))).await.expect("must be patched");
    pods.delete("early", &DeleteParams::default()).await.expect("must be deleted");
    let mut seen = Vec::new();
    while seen.last() != Some(&"DELETED Running".to_owned()) || seen.len() < 6 {
        let event = tokio::time::timeout(cluster.patience, events.try_next())
            .await
            .expect("must come")
            .expect("must be an event");
        let (kind, pod) = match event.expect("the watch must go on") {
            WatchEvent::Added(pod) => ("ADDED", pod),
            WatchEvent::Modified(pod) => ("MODIFIED", pod),
            WatchEvent::Deleted(pod) => ("DELETED", pod),
            other => panic!("{other:?}"),
        };
        seen.push(format!("{kind} {}", pod.status.and_then(|status| status.phase).expect("a phase")));
    }
    // The pod has no node: its deletion is one change (marked) and then the end.
    assert_eq!(
        seen,
        [
            "ADDED Pending",
            "MODIFIED Running",
            "DELETED Running",
            "ADDED Running",
            "MODIFIED Running",
            "DELETED Running"
        ]
    );
    cluster.stop().await;
}

#[tokio::test]
async fn stopping_ends_watches() {
    let cluster = Cluster::start().await;
    let pods: Api<Pod> = Api::all(cluster.client.clone());
    let mut events = pods.watch(&WatchParams::default(), "0").await.expect("must watch").boxed();
    let patience = cluster.patience;
    cluster.stop().await;
    let ended = tokio::time::timeout(patience, async { while let Some(Ok(_)) = events.next().await {} }).await;
    ended.expect("a watch must end with its server");
}

#[tokio::test]
async fn a_pod_on_a_node_gets_its_grace_and_the_node_ends_it() {
    let cluster = Cluster::start().await;
    cluster.namespace("shop").await;
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), "shop");
    pods.create(&PostParams::default(), &pod("web", json!({}))).await.expect("must be created");
    let binding = json!({"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "n1"}});
    assert_eq!(cluster.send("POST", "/api/v1/namespaces/shop/pods/web/binding", Some(binding.clone())).await.0, 201);
    let (status, again) = cluster.send("POST", "/api/v1/namespaces/shop/pods/web/binding", Some(binding)).await;
    assert_eq!((status, again["reason"].as_str()), (409, Some("Conflict")));
    pods.delete("web", &DeleteParams::default()).await.expect("must be accepted");
    let marked = pods.get("web").await.expect("a pod on a node stays");
    assert_eq!(marked.metadata.deletion_grace_period_seconds, Some(30));
    let wrong = DeleteParams::default()
        .grace_period(0)
        .preconditions(kube::api::Preconditions { uid: Some("other".into()), resource_version: None });
    assert_eq!(refusal(pods.delete("web", &wrong).await.map(|_| ())).code, 409);
    pods.delete("web", &DeleteParams::default().grace_period(0)).await.expect("must be accepted");
    assert_eq!(refusal(pods.get("web").await).code, 404);
    cluster.stop().await;
}

#[tokio::test]
async fn logs_come_from_the_pods_node() {
    let cluster = Cluster::start().await;
    cluster.namespace("shop").await;
    let port = cluster.log_endpoint("hello from the node\n").await;
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    let node = json!({"metadata": {"name": "n1"}, "status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}});
    nodes.create(&PostParams::default(), &Fields(node).into()).await.expect("must be created");
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), "shop");
    pods.create(&PostParams::default(), &pod("idle", json!({}))).await.expect("must be created");
    pods.create(&PostParams::default(), &pod("web", json!({"nodeName": "n1"}))).await.expect("must be created");
    assert_eq!(pods.logs("idle", &LogParams::default()).await.expect("must be empty"), "");
    let asked = LogParams { tail_lines: Some(5), ..LogParams::default() };
    assert_eq!(
        pods.logs("web", &asked).await.expect("must be read"),
        "/containerLogs/shop/web/app?tailLines=5\nhello from the node\n"
    );
    let wrong = LogParams { container: Some("other".into()), ..LogParams::default() };
    let error = refusal(pods.logs("web", &wrong).await);
    assert_eq!((error.code, error.message.as_str()), (400, "container other is not valid for pod web"));
    assert_eq!(refusal(pods.logs("absent", &LogParams::default()).await).code, 404);
    cluster.stop().await;
}
