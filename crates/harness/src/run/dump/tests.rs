//! Against the embedded cluster with a pod that fails, and against API servers that answer badly or not at all.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use cluster::{Cluster, Embedded, EmbeddedConfig, IssuerShape, LONGEST_TOKEN, NodeChoice, Surroundings, Watched};
use http::StatusCode;
use insta::assert_snapshot;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kubelet::Programs;
use serde_json::{Value, json};
use transport::Authority;
use trust::{SharedClock, SystemClock};

use super::*;
use crate::run::kube_objects::{NAMESPACES, RUN_LABEL, WEBHOOKS, create};

/// Longer than any of these takes.
const LONG: Duration = Duration::from_secs(30);

fn run_id() -> RunId {
    "r1".parse().expect("must be a run id")
}

fn dump<'a>(client: &'a Client, run: &'a RunId, artifacts: &'a Path, requests: &'a RequestLog) -> Dump<'a> {
    let (cluster, occasion) = ("embedded", "before teardown");
    Dump { client, run, artifacts, cluster, trusts_node: true, requests, occasion, deadline: LONG }
}

/// Files below a folder, by their paths.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).expect("must list") {
            let path = entry.expect("must list").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("must be below").display().to_string();
                found.insert(name, std::fs::read_to_string(&path).expect("must be text"));
            }
        }
    }
    found
}

async fn embedded(folder: &Path) -> Cluster {
    let clock: SharedClock = Arc::new(SystemClock);
    let authority = Arc::new(Authority::generate("test", &*clock).expect("must be made"));
    let provider = Embedded::new(EmbeddedConfig {
        issuer: cluster::issuer::aks("westeurope", "t", "c").expect("must parse"),
        shape: IssuerShape::Aks,
        authority: authority.clone(),
        clock: clock.clone(),
        kubeconfig: folder.join("kubeconfig"),
        longest_token: LONGEST_TOKEN,
    });
    let surroundings = Surroundings {
        folder: folder.to_owned(),
        authority,
        clock,
        programs: Programs::new().with("sh", "/bin/sh"),
        environment: BTreeMap::new(),
        node_name: "local".into(),
        node_labels: BTreeMap::new(),
        node_watch: cluster::NodeWatch::default(),
        namespaces: String::new(),
    };
    Cluster::up(Arc::new(provider), surroundings, NodeChoice::Process).await.expect("must come up")
}

fn shell(name: &str, script: &str) -> Value {
    json!({"name": name, "image": "sh", "args": ["-c", script]})
}

/// A namespace of a run, with a pod that failed, and a secret.
async fn furnish(client: &Client, run: &str) {
    let namespace = format!("cf-{run}-control");
    let labels = json!({RUN_LABEL: run});
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}});
    create(client, NAMESPACES, &object).await.expect("must be created");
    let path = |plural: &str| format!("{NAMESPACES}/{namespace}/{plural}");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "reader"}, "data": {"bucket": "b"}});
    create(client, &path("configmaps"), &map).await.expect("must be created");
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "hunter2"}});
    create(client, &path("secrets"), &secret).await.expect("must be created");
    let mut failing = shell("reader", "echo reader says; exit 3");
    failing["env"] = json!([{"name": "AWS_SECRET_ACCESS_KEY", "value": "hunter3"}]);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod", "labels": labels}, "spec": {
        "restartPolicy": "Never",
        "initContainers": [shell("first", "echo first says; echo AWS_SECRET_ACCESS_KEY=hunter4")],
        "containers": [failing, shell("beside", "echo beside says")]}});
    create(client, &path("pods"), &pod).await.expect("must be created");
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "reason": "BackOff", "type": "Warning",
        "involvedObject": {"kind": "Pod", "name": "pod", "namespace": namespace}});
    create(client, &path("events"), &event).await.expect("must be created");
    let pods = Watched::<Pod>::start(client.clone(), "").await;
    let ended = pods.wait(&namespace, "pod", LONG, |pod| {
        pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Failed")
    });
    ended.await.expect("must fail");
}

#[tokio::test]
async fn a_failing_pod_is_all_written_down_and_a_second_time_beside_the_first() {
    let folder = tempfile::tempdir().expect("temp folder must be made");
    let artifacts = folder.path().join("artifacts");
    let cluster = embedded(folder.path()).await;
    let client = cluster.client();
    furnish(client, "r1").await;
    furnish(client, "other").await;
    let hook = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "hook", "labels": {RUN_LABEL: "r1"}}, "webhooks": []});
    create(client, WEBHOOKS, &hook).await.expect("must be created");
    let (run, requests) = (run_id(), RequestLog::default());

    let collected = collect(&dump(client, &run, &artifacts, &requests)).await;
    assert_eq!(collected.missing, []);
    assert_eq!(collected.note(), None);
    let first = files(&artifacts);
    assert_eq!(collected.files, first.len() - 1, "all but the folder's mark");
    assert_snapshot!(first.keys().cloned().collect::<Vec<_>>().join("\n"), @r#"
        clouds/requests.jsonl
        clusters/embedded/collected.txt
        clusters/embedded/events.json
        clusters/embedded/podlogs/cf-r1-control_pod_beside.log
        clusters/embedded/podlogs/cf-r1-control_pod_first.log
        clusters/embedded/podlogs/cf-r1-control_pod_reader.log
        clusters/embedded/resources/configmaps_cf-r1-control_kube-root-ca.crt.json
        clusters/embedded/resources/configmaps_cf-r1-control_reader.json
        clusters/embedded/resources/namespaces_cf-r1-control.json
        clusters/embedded/resources/pods_cf-r1-control_pod.json
        clusters/embedded/resources/serviceaccounts_cf-r1-control_default.json
        clusters/embedded/webhooks.json
        "#);
    for (name, said) in [
        ("first", "first says\nAWS_SECRET_ACCESS_KEY=<redacted>\n"),
        ("reader", "reader says\n"),
        ("beside", "beside says\n"),
    ] {
        assert_eq!(first[&format!("clusters/embedded/podlogs/cf-r1-control_pod_{name}.log")], said);
    }
    let json =
        |name: &str| serde_json::from_str::<Value>(&first[&format!("clusters/embedded/{name}")]).expect("must be JSON");
    let pod = json("resources/pods_cf-r1-control_pod.json");
    assert_eq!((&pod["kind"], &pod["status"]["phase"]), (&json!("Pod"), &json!("Failed")));
    assert_eq!(pod["spec"]["containers"].as_array().map(Vec::len), Some(2));
    assert_eq!(pod["metadata"].get("managedFields"), None);
    let events = json("events.json");
    let events = events["items"].as_array().expect("must be a list");
    assert!(
        events.iter().any(|event| event["kind"] == "Event" && event["involvedObject"]["name"] == "pod"),
        "{events:?}"
    );
    assert_eq!(json("webhooks.json")["items"][0]["metadata"]["name"], "hook");
    let all: String = first.values().cloned().collect();
    assert!(!all.contains("hunter") && !all.contains("cf-other"), "{all}");

    let again =
        Dump { occasion: "deletion of namespace cf-r1-control timed out", ..dump(client, &run, &artifacts, &requests) };
    let collected = collect(&again).await;
    let place = "clusters/embedded/deletion-of-namespace-cf-r1-control-timed-out";
    assert_eq!(collected.folder, Path::new(place));
    let both = files(&artifacts);
    assert!(first.iter().all(|(name, text)| both[name] == *text), "the first stands as it was");
    assert!(both.contains_key(&format!("{place}/podlogs/cf-r1-control_pod_reader.log")));
    assert_eq!(collect(&again).await.folder, Path::new(&format!("{place}-2")));
    cluster.down().await;
}

/// A client of an API server on loopback.
async fn client(router: Router) -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("must listen");
    let address = listener.local_addr().expect("must have an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    reaching(address)
}

fn reaching(address: std::net::SocketAddr) -> Client {
    let url = format!("http://{address}").parse().expect("must be a URL");
    Client::try_from(kube::Config::new(url)).expect("must be a client")
}

fn list(items: Value) -> Response {
    axum::Json(json!({"kind": "List", "apiVersion": "v1", "items": items})).into_response()
}

/// One namespace with a pod that was started again; config maps are forbidden, and service accounts never come.
async fn half_broken(request: Request) -> Response {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
    match path.strip_prefix("/api/v1/namespaces").unwrap_or(&path) {
        "" => list(json!([{"metadata": {"name": "n/../../../evil"}}, {"metadata": {"name": "n"}}])),
        "/n/pods" => list(json!([{"metadata": {"name": "p", "namespace": "n"}, "status": {"containerStatuses": [
            {"name": "c", "restartCount": 1, "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}}]}}])),
        "/n/pods/p/log" if query.contains("previous=true") => "before".into_response(),
        "/n/pods/p/log" => "after".into_response(),
        "/n/events" => list(json!([{"metadata": {"name": "e"}, "reason": "BackOff"}])),
        "/n/configmaps" => {
            let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "not for you",
                "reason": "Forbidden", "code": 403});
            (StatusCode::FORBIDDEN, axum::Json(body)).into_response()
        }
        "/n/serviceaccounts" => std::future::pending().await,
        _ => "no JSON".into_response(),
    }
}

#[tokio::test]
async fn what_cannot_be_had_is_named_and_keeps_nothing_else_from_being_had() {
    let folder = tempfile::tempdir().expect("temp folder must be made");
    let client = client(Router::new().fallback(half_broken)).await;
    let (run, requests) = (run_id(), RequestLog::default());
    let wanted = Dump { deadline: Duration::from_secs(2), ..dump(&client, &run, folder.path(), &requests) };
    let collected = tokio::time::timeout(LONG, collect(&wanted)).await.expect("must end");
    let files = files(folder.path());
    assert_snapshot!(files.keys().cloned().collect::<Vec<_>>().join("\n"), @r#"
        clouds/requests.jsonl
        clusters/embedded/collected.txt
        clusters/embedded/events.json
        clusters/embedded/missing.txt
        clusters/embedded/podlogs/n_p_c.log
        clusters/embedded/podlogs/n_p_c.previous.log
        clusters/embedded/resources/namespaces_n-..-..-..-evil.json
        clusters/embedded/resources/namespaces_n.json
        clusters/embedded/resources/pods_n_p.json
        "#);
    assert_eq!(files["clusters/embedded/podlogs/n_p_c.log"], "after");
    assert_eq!(files["clusters/embedded/podlogs/n_p_c.previous.log"], "before");
    assert!(files["clusters/embedded/events.json"].contains("BackOff"));
    assert_snapshot!(files["clusters/embedded/missing.txt"], @r#"
        configmaps in n: not for you (403)
        configmaps in n/../../../evil: Error deserializing response: expected ident at line 1 column 2
        events in n/../../../evil: Error deserializing response: expected ident at line 1 column 2
        pods in n/../../../evil: Error deserializing response: expected ident at line 1 column 2
        serviceaccounts in n: no answer within 500 ms
        serviceaccounts in n/../../../evil: Error deserializing response: expected ident at line 1 column 2
        webhook configurations: Error deserializing response: expected ident at line 1 column 2
        "#);
    assert!(
        collected.note().expect("must tell").ends_with("see clusters/embedded/missing.txt"),
        "{:?}",
        collected.note()
    );
}

#[tokio::test]
async fn an_api_server_that_accepts_and_never_answers_costs_no_more_than_the_deadline() {
    let folder = tempfile::tempdir().expect("temp folder must be made");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("must listen");
    let client = reaching(listener.local_addr().expect("must have an address"));
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    let (run, requests) = (run_id(), RequestLog::default());
    let wanted = Dump { deadline: Duration::from_millis(400), ..dump(&client, &run, folder.path(), &requests) };
    let collected = tokio::time::timeout(LONG, collect(&wanted)).await.expect("must end");
    let missing: Vec<String> = collected.missing.iter().map(|one| format!("{}: {}", one.what, one.why)).collect();
    assert_eq!(missing, ["namespaces: no answer within 100 ms", "webhook configurations: no answer within 100 ms"]);
    assert_eq!(
        files(folder.path()).into_keys().collect::<Vec<_>>(),
        ["clouds/requests.jsonl", "clusters/embedded/collected.txt", "clusters/embedded/missing.txt",]
    );
    silent.abort();
}

#[tokio::test]
async fn where_no_folder_can_be_made_nothing_is_asked() {
    let folder = tempfile::tempdir().expect("temp folder must be made");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("must write");
    let client = reaching("127.0.0.1:1".parse().expect("must parse"));
    let (run, requests) = (run_id(), RequestLog::default());
    let collected = collect(&dump(&client, &run, &file, &requests)).await;
    assert_eq!((collected.files, collected.missing.len()), (0, 1));
    assert!(collected.missing[0].why.starts_with("no folder can be made"), "{:?}", collected.missing);
}

#[test]
fn an_occasion_names_a_folder_and_leads_nowhere_else() {
    let check = |occasion: &str, expected: &str| assert_eq!(slug(occasion), expected);
    check("after deletion timed out", "after-deletion-timed-out");
    check("../../etc/Passwd", "etc-passwd");
    check("", "again");
    assert_eq!(slug(&"long ".repeat(99)).len(), LONGEST_SLUG);
}
