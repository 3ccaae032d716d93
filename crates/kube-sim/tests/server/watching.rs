//! Lists in pages and watches, as clients keep themselves informed by them.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, WatchEvent, WatchParams};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use serde_json::{Value, json};

use crate::support::{Cluster, refusal};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn put(cluster: &Cluster, name: &str) {
    let (status, body) =
        cluster.send("POST", MAPS, Some(json!({"metadata": {"name": name, "labels": {"test": "yes"}}}))).await;
    assert_eq!(status, 201, "{body}");
}

/// Events of a watch that ends by itself, as type and name.
async fn events(cluster: &Cluster, query: &str) -> Vec<(String, Value)> {
    let request = http::Request::get(format!("{MAPS}?watch=1&{query}")).body(kube::client::Body::empty());
    let response = cluster.client.send(request.expect("a request")).await.expect("must be answered");
    let body = axum::body::to_bytes(axum::body::Body::new(response.into_body()), usize::MAX).await.expect("must end");
    let text = String::from_utf8(body.to_vec()).expect("must be text");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("must be JSON"));
    lines.map(|line| (line["type"].as_str().unwrap_or_default().to_owned(), line["object"].clone())).collect()
}

#[tokio::test]
async fn a_reflector_holds_what_the_server_holds_however_it_began() {
    let cluster = Cluster::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), "default");
    for config in [
        watcher::Config::default(),
        watcher::Config::default().streaming_lists(),
        watcher::Config::default().page_size(1),
    ] {
        for name in ["a", "b", "c"] {
            put(&cluster, name).await;
        }
        let (reader, writer) = reflector::store();
        let mut seen =
            watcher(maps.clone(), config.clone().labels("test=yes")).default_backoff().reflect(writer).boxed();
        while !matches!(seen.try_next().await.expect("no error").expect("no end"), watcher::Event::InitDone) {}
        let held = |reader: &reflector::Store<ConfigMap>| -> Vec<String> {
            let names: BTreeSet<String> = reader.state().iter().map(|map| map.name_any()).collect();
            names.into_iter().collect()
        };
        assert_eq!(held(&reader), ["a", "b", "c"]);
        maps.delete("b", &DeleteParams::default()).await.expect("must be deleted");
        put(&cluster, "d").await;
        while !matches!(seen.try_next().await.expect("no error").expect("no end"), watcher::Event::Apply(map) if map.name_any() == "d")
        {
        }
        assert_eq!(held(&reader), ["a", "c", "d"]);
        cluster.send("DELETE", &format!("{MAPS}?labelSelector=test"), None).await;
    }
    cluster.stop().await;
}

#[tokio::test]
async fn initial_events_end_with_a_bookmark_that_says_so() {
    let cluster = Cluster::start().await;
    put(&cluster, "a").await;
    let asked = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=test&timeoutSeconds=1";
    let seen = events(&cluster, asked).await;
    assert_eq!((seen[0].0.as_str(), &seen[0].1["metadata"]["name"]), ("ADDED", &json!("a")));
    assert_eq!(seen[1].0, "BOOKMARK");
    assert_eq!(seen[1].1["metadata"]["annotations"], json!({"k8s.io/initial-events-end": "true"}));
    let version = seen[1].1["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
    put(&cluster, "b").await;
    let seen = events(&cluster, &format!("resourceVersion={version}&labelSelector=test&timeoutSeconds=1")).await;
    let names: Vec<&Value> = seen.iter().map(|(_, object)| &object["metadata"]["name"]).collect();
    assert_eq!(names, ["b"]);
    let none = events(
        &cluster,
        "sendInitialEvents=false&resourceVersionMatch=NotOlderThan&labelSelector=test&timeoutSeconds=1",
    )
    .await;
    assert!(none.is_empty(), "{none:?}");
    for (query, message) in [
        (
            "watch=1&sendInitialEvents=true",
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
        (
            "watch=1&resourceVersionMatch=NotOlderThan",
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
        (
            "sendInitialEvents=true",
            "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
        ),
        (
            "resourceVersionMatch=Exact",
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
    ] {
        let (status, body) = cluster.send("GET", &format!("{MAPS}?{query}"), None).await;
        assert_eq!((status, body["message"].as_str()), (422, Some(message)));
    }
    cluster.stop().await;
}

#[tokio::test]
async fn pages_show_the_state_that_the_first_one_began_with() {
    let cluster = Cluster::start().await;
    for name in ["a", "b", "c", "d"] {
        put(&cluster, name).await;
    }
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), "default");
    let page = |token: Option<String>| {
        let mut params = ListParams::default().labels("test").limit(2);
        params.continue_token = token;
        params
    };
    let first = maps.list(&page(None)).await.expect("a list");
    cluster.send("DELETE", &format!("{MAPS}/c"), None).await;
    put(&cluster, "e").await;
    let second = maps.list(&page(first.metadata.continue_.clone())).await.expect("a list");
    let names: Vec<String> = first.items.iter().chain(&second.items).map(|map| map.name_any()).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    assert_eq!(first.metadata.resource_version, second.metadata.resource_version);
    let version = first.metadata.resource_version.expect("a version");
    let then = cluster
        .send("GET", &format!("{MAPS}?labelSelector=test&resourceVersion={version}&resourceVersionMatch=Exact"), None)
        .await
        .1;
    assert_eq!(then["items"].as_array().map(Vec::len), Some(4));
    let now = cluster.send("GET", &format!("{MAPS}?labelSelector=test&resourceVersion={version}"), None).await.1;
    assert_eq!(now["items"].as_array().map(Vec::len), Some(4));
    assert_eq!(now["items"][3]["metadata"]["name"], "e");
    cluster.stop().await;
}

#[tokio::test]
async fn what_lies_before_the_history_is_gone() {
    let cluster = Cluster::start().await;
    for name in ["a", "b"] {
        put(&cluster, name).await;
    }
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), "default");
    let first = maps.list(&ListParams::default().labels("test").limit(1)).await.expect("a list");
    let version = first.metadata.resource_version.clone().expect("a version");
    futures::stream::iter(0..8300)
        .for_each_concurrent(16, |at| {
            let body = json!({"metadata": {"annotations": {format!("n{}", at % 50): at.to_string()}}}).to_string();
            let cluster = &cluster;
            async move {
                let path = format!("{MAPS}/b");
                let (status, _) =
                    cluster.send_raw("PATCH", &path, "application/merge-patch+json", body.into_bytes()).await;
                assert!([200, 409].contains(&status), "{status}");
            }
        })
        .await;
    let mut watch = maps.watch(&WatchParams::default(), &version).await.expect("must begin").boxed();
    match watch.next().await {
        Some(Ok(WatchEvent::Error(status))) => assert_eq!((status.code, status.reason.as_str()), (410, "Expired")),
        other => panic!("{other:?}"),
    }
    let mut again = ListParams::default().labels("test").limit(1);
    again.continue_token = first.metadata.continue_;
    let status = refusal(maps.list(&again).await);
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
    let token = again.continue_token.take().unwrap_or_default();
    let (_, body) = cluster.send("GET", &format!("{MAPS}?labelSelector=test&limit=1&continue={token}"), None).await;
    let token = body["metadata"]["continue"].as_str().expect("a token that goes on").to_owned();
    again.continue_token = Some(token);
    assert_eq!(maps.list(&again).await.expect("a list").items[0].name_any(), "b");
    let path = format!("{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact");
    assert_eq!(cluster.send("GET", &path, None).await.0, 410);
    // The reflector's client begins anew by itself.
    let mut seen = watcher(maps, watcher::Config::default().labels("test")).applied_objects().boxed();
    assert_eq!(seen.try_next().await.expect("no error").expect("no end").name_any(), "a");
    cluster.stop().await;
}
