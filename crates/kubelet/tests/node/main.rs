//! The node against a small API server over HTTPS, with programs of every Unix system as images.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod fake_api;
mod images;
mod messages;
mod probes;
mod sidecars;
mod volumes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fake_api::Running;
use kubelet::{ApiServerAddress, ControlPlane, NodeConfig, NodeError, ProcessNode, Programs};
use serde_json::{Value, json};
use tempfile::TempDir;
use transport::{Client as HttpsClient, Roots};
use trust::SystemClock;

pub(crate) struct World {
    pub(crate) running: Running,
    pub(crate) node: ProcessNode,
    pub(crate) folder: TempDir,
}

impl std::ops::Deref for World {
    type Target = fake_api::FakeApi;

    fn deref(&self) -> &Self::Target {
        &self.running.api
    }
}

pub(crate) fn mk_config(running: &Running, folder: &TempDir) -> NodeConfig {
    NodeConfig {
        labels: BTreeMap::new(),
        client: running.client.clone(),
        name: "local".to_owned(),
        programs: Programs::new().with("sh", "/bin/sh").with("env", "/usr/bin/env"),
        environment: BTreeMap::new(),
        root: folder.path().to_owned(),
        authority: running.authority.clone(),
        clock: Arc::new(SystemClock),
        control_plane: ControlPlane::Present,
        api_server: ApiServerAddress { host: "127.0.0.1".to_owned(), port: 6443 },
    }
}

async fn world_with_tokens_of(lifetime: Duration) -> World {
    let running = fake_api::start(lifetime).await;
    let folder = tempfile::tempdir().expect("temp folder must be made");
    let node = ProcessNode::start(mk_config(&running, &folder)).await.expect("node must start");
    World { running, node, folder }
}

pub(crate) async fn world() -> World {
    world_with_tokens_of(Duration::from_secs(3600)).await
}

pub(crate) fn shell(script: &str) -> Value {
    json!({"name": "app", "image": "sh:1", "args": ["-c", script]})
}

impl World {
    pub(crate) async fn logs(&self, path_and_query: &str) -> (u16, String) {
        let node = self.get("nodes", "", "local").expect("node must be registered");
        let port = &node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"];
        let client = HttpsClient::new(Roots::of(&self.running.authority).expect("roots"), Duration::from_secs(20));
        let url = format!("https://127.0.0.1:{port}/containerLogs/n/{path_and_query}");
        let fetched = client.get(&url).await.expect("log endpoint must answer");
        (fetched.status, String::from_utf8(fetched.body.to_vec()).expect("text"))
    }

    fn pod_folders(&self) -> usize {
        std::fs::read_dir(self.folder.path()).expect("folder").count()
    }
}

#[tokio::test]
async fn pod_goes_from_pending_to_succeeded() {
    let world = world().await;
    world.create_pod("p", json!({"restartPolicy": "Never", "containers": [shell("echo out; echo err >&2")]}));
    let pod = world.await_phase("p", "Succeeded").await;
    assert_eq!(pod["spec"]["nodeName"], "local");
    let state = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&state["exitCode"], &state["reason"]), (&json!(0), &json!("Completed")));
    let (status, mut lines) = world.logs("p/app").await;
    assert_eq!(status, 200);
    // Two pipes have no order between them.
    let mut sorted: Vec<&str> = lines.lines().collect();
    sorted.sort_unstable();
    lines = sorted.join(" ");
    assert_eq!(lines, "err out");
    world.node.stop().await;
}

#[tokio::test]
async fn environment_is_the_specification_and_nothing_else() {
    let world = world().await;
    world.create("configmaps", "n", json!({"metadata": {"name": "c"}, "data": {"REGION": "eu-central-1"}}));
    world.create("secrets", "n", json!({"metadata": {"name": "s"}, "data": {"k": "aGlkZGVu"}}));
    world.create_pod(
        "p",
        json!({"restartPolicy": "Never", "containers": [{
            "name": "app", "image": "env",
            "envFrom": [{"configMapRef": {"name": "c"}}],
            "env": [
                {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            ],
        }]}),
    );
    world.await_phase("p", "Succeeded").await;
    let (_, lines) = world.logs("p/app").await;
    let mut names: Vec<&str> =
        lines.lines().filter(|line| !line.starts_with("HOME=") && !line.starts_with("KUBERNETES_PORT")).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "HOSTNAME=p",
            "KUBERNETES_SERVICE_HOST=127.0.0.1",
            "KUBERNETES_SERVICE_PORT=6443",
            "KUBERNETES_SERVICE_PORT_HTTPS=6443",
            "NODE=local",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "REGION=eu-central-1",
            "SECRET=hidden",
        ]
    );
    world.node.stop().await;
}

#[tokio::test]
async fn projected_token_is_read_where_the_specification_says() {
    let world = world().await;
    world.create_pod(
        "p",
        json!({
            "restartPolicy": "Never", "serviceAccountName": "web",
            "volumes": [{"name": "t", "projected": {"sources": [
                {"serviceAccountToken": {"audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token"}},
            ]}}],
            "containers": [{
                "name": "app", "image": "sh", "args": ["-c", "cat $TOKEN_FILE; cat $0", "/var/run/secrets/t/token"],
                "env": [{"name": "TOKEN_FILE", "value": "/var/run/secrets/t/token"}],
                "volumeMounts": [{"name": "t", "mountPath": "/var/run/secrets/t", "readOnly": true}],
            }],
        }),
    );
    let pod = world.await_phase("p", "Succeeded").await;
    let token = format!("1 web {} \"sts.amazonaws.com\"", pod["metadata"]["uid"]);
    assert_eq!(world.logs("p/app").await, (200, format!("{token}{token}")));
    world.node.stop().await;
}

#[tokio::test]
async fn token_is_replaced_before_it_expires() {
    let world = world_with_tokens_of(Duration::from_secs(1)).await;
    world.create_pod(
        "p",
        json!({
            "restartPolicy": "Never",
            "volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
            "containers": [{
                "name": "app", "image": "sh",
                "args": ["-c", "read first rest < t/token; now=$first; while test $now = $first; do sleep 0.02; read now rest < t/token; done; exit 0"],
                "workingDir": "/",
                "volumeMounts": [{"name": "t", "mountPath": "/t"}],
            }],
        }),
    );
    world.await_phase("p", "Succeeded").await;
    assert!(world.tokens() >= 2);
    world.node.stop().await;
}

#[tokio::test]
async fn init_containers_run_first_and_share_volumes() {
    let world = world().await;
    let script = |name: &str, script: &str| {
        let mut container = shell(script);
        container["name"] = json!(name);
        container["env"] = json!([{"name": "D", "value": "/data"}]);
        container["volumeMounts"] = json!([{"name": "d", "mountPath": "/data"}]);
        container
    };
    world.create_pod(
        "p",
        json!({
            "restartPolicy": "Never",
            "volumes": [{"name": "d", "emptyDir": {}}],
            "initContainers": [script("one", "echo 1 >> $D/f"), script("two", "echo 2 >> $D/f")],
            "containers": [script("app", "cat $D/f; exit 5")],
        }),
    );
    let pod = world.await_phase("p", "Failed").await;
    assert_eq!(world.logs("p/app").await.1, "1\n2\n");
    assert_eq!(pod["status"]["initContainerStatuses"][1]["state"]["terminated"]["exitCode"], 0);
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 5);
    world.node.stop().await;
}

#[tokio::test]
async fn failed_init_container_fails_the_pod() {
    let world = world().await;
    let mut init = shell("exit 3");
    init["name"] = json!("init");
    world.create_pod("p", json!({"restartPolicy": "Never", "initContainers": [init], "containers": [shell("exit 0")]}));
    let pod = world.await_phase("p", "Failed").await;
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"], "PodInitializing");
    world.node.stop().await;
}

#[tokio::test]
async fn missing_config_map_is_named_and_awaited() {
    let world = world().await;
    let mut container = shell("echo $K");
    container["env"] = json!([{"name": "K", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]);
    world.create_pod("p", json!({"restartPolicy": "Never", "containers": [container]}));
    let waiting = world.await_waiting("p", "CreateContainerConfigError").await;
    assert_eq!(waiting["message"], r#"configmap "c" not found"#);
    assert_eq!(
        world.logs("p/app").await,
        (400, r#"container "app" in pod "p" is waiting to start: CreateContainerConfigError"#.to_owned())
    );
    world.create("configmaps", "n", json!({"metadata": {"name": "c"}, "data": {"other": "x"}}));
    world
        .await_that("missing key is named", |api| {
            let pod = api.get("pods", "n", "p")?;
            let message = &pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"];
            (message == r#"couldn't find key k in configmap "c""#).then_some(())
        })
        .await;
    world.change("configmaps", "c", |map| map["data"]["k"] = json!("found"));
    world.await_phase("p", "Succeeded").await;
    assert_eq!(world.logs("p/app").await.1, "found\n");
    world.node.stop().await;
}

#[tokio::test]
async fn missing_volume_source_is_named_and_awaited() {
    let world = world().await;
    let mut container = shell("cat $F");
    container["env"] = json!([{"name": "F", "value": "/etc/s/k"}]);
    container["volumeMounts"] = json!([{"name": "s", "mountPath": "/etc/s"}]);
    world.create_pod(
        "p",
        json!({"restartPolicy": "Never", "containers": [container],
            "volumes": [{"name": "s", "secret": {"secretName": "s"}}]}),
    );
    world
        .await_that("event FailedMount", |api| api.list("events").into_iter().find(|it| it["reason"] == "FailedMount"))
        .await;
    let waiting = world.await_waiting("p", "ContainerCreating").await;
    assert_eq!(waiting["message"], r#"MountVolume.SetUp failed for volume "s" : secret "s" not found"#);
    world.create("secrets", "n", json!({"metadata": {"name": "s"}, "data": {"k": "eA=="}}));
    world.await_phase("p", "Succeeded").await;
    assert_eq!(world.logs("p/app").await.1, "x");
    world.node.stop().await;
}

#[tokio::test]
async fn what_cannot_run_says_why() {
    let world = world().await;
    let check = async |name: &str, spec: Value, reason: &str, part: &str| {
        world.create_pod(name, spec);
        let waiting = world.await_waiting(name, reason).await;
        let message = waiting["message"].as_str().expect("message");
        assert!(message.contains(part), "{message}");
        world.delete_pod(name, 30);
        world.await_gone(name).await;
    };
    let app = |changes: Value| {
        let mut container = json!({"name": "app", "image": "sh"});
        for (field, value) in changes.as_object().expect("object") {
            container[field] = value.clone();
        }
        json!({"containers": [container]})
    };
    check("image", app(json!({"image": "reader:2"})), "ErrImagePull", "--image reader:2=PROGRAM").await;
    check(
        "command",
        app(json!({"command": ["cat"]})),
        "CreateContainerError",
        r#"command "cat" is not the program "sh""#,
    )
    .await;
    let mut host_path = app(json!({}));
    host_path["volumes"] = json!([{"name": "h", "hostPath": {"path": "/"}}]);
    check("volume", host_path, "CreateContainerError", r#"volume "h": hostPath is not supported"#).await;
    let field = json!({"env": [{"name": "C", "valueFrom": {"resourceFieldRef": {"resource": "limits.gpu"}}}]});
    check("resource", app(field), "CreateContainerConfigError", "unsupported container resource : limits.gpu").await;
    let removed = async {
        while world.pod_folders() > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), removed).await.expect("folders must be removed in time");
    world.node.stop().await;
}

#[tokio::test]
async fn failed_container_is_restarted_and_keeps_its_last_log() {
    let world = world().await;
    let mut container = shell("echo run; test -e $D/f || { touch $D/f; exit 4; }");
    container["env"] = json!([{"name": "D", "value": "/data"}]);
    container["volumeMounts"] = json!([{"name": "d", "mountPath": "/data"}]);
    world.create_pod(
        "p",
        json!({"restartPolicy": "OnFailure", "containers": [container], "volumes": [{"name": "d", "emptyDir": {}}]}),
    );
    let pod = world.await_phase("p", "Succeeded").await;
    let status = &pod["status"]["containerStatuses"][0];
    assert_eq!(status["restartCount"], 1);
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 4);
    assert_eq!(world.logs("p/app?previous=true").await.1, "run\n");
    world.node.stop().await;
}

#[tokio::test]
async fn crash_loop_backs_off() {
    let world = world().await;
    world.create_pod("p", json!({"containers": [shell("exit 1")]}));
    world.await_waiting("p", "CrashLoopBackOff").await;
    let pod = world.get("pods", "n", "p").expect("pod must exist");
    assert_eq!(pod["status"]["phase"], "Running");
    let told = format!(
        "Back-off restarting failed container app in pod p_n({})",
        pod["metadata"]["uid"].as_str().unwrap_or_default()
    );
    let is_told = |event: &Value| event["reason"] == "BackOff" && event["message"] == told.as_str();
    world.await_that("an event", |api| api.list("events").iter().any(is_told).then_some(())).await;
    world.delete_pod("p", 30);
    world.await_gone("p").await;
    world.node.stop().await;
}

/// The container says `ready` then.
async fn trap_is_set(world: &World) {
    while world.logs("p/app").await.1 != "ready\n" {}
}

#[tokio::test]
async fn deleted_pod_is_asked_to_end_and_its_last_status_is_written() {
    let world = world().await;
    let script = "trap 'echo bye; exit 6' TERM; echo ready; while :; do sleep 0.02; done";
    world.create_pod("p", json!({"containers": [shell(script)]}));
    world.await_phase("p", "Running").await;
    let follow = world.logs("p/app?follow=true");
    let delete = async {
        trap_is_set(&world).await;
        world.delete_pod("p", 30);
    };
    let ((_, lines), ()) = tokio::join!(follow, delete);
    // The shell may tell first that its `sleep` was terminated too.
    assert!(lines.starts_with("ready\n") && lines.contains("bye\n"), "{lines}");
    world.await_gone("p").await;
    world.node.stop().await;
    assert_eq!(world.folder.path().read_dir().expect("folder").count(), 0);
}

#[tokio::test]
async fn pod_that_will_not_end_is_killed_after_its_grace() {
    let world = world().await;
    let script = "trap '' TERM; echo ready; while :; do sleep 0.02; done";
    world.create_pod("p", json!({"containers": [shell(script)]}));
    world.await_phase("p", "Running").await;
    trap_is_set(&world).await;
    world.delete_pod("p", 1);
    let began = std::time::Instant::now();
    world.await_gone("p").await;
    let took = began.elapsed();
    assert!(Duration::from_secs(1) <= took && took < Duration::from_secs(10), "{took:?}");
    world.node.stop().await;
}

#[tokio::test]
async fn deadline_fails_the_pod() {
    let world = world().await;
    world.create_pod("p", json!({"activeDeadlineSeconds": 1, "containers": [shell("exec sleep 600")]}));
    let pod = world.await_phase("p", "Failed").await;
    assert_eq!(pod["status"]["reason"], "DeadlineExceeded");
    world.node.stop().await;
}

#[tokio::test]
async fn what_a_process_cannot_honour_is_told_in_an_event() {
    let world = world().await;
    let mut container = shell("exit 0");
    container["readinessProbe"] = json!({"grpc": {"port": 1}});
    world.create_pod("p", json!({"restartPolicy": "Never", "containers": [container]}));
    let event =
        world.await_that("event", |api| api.list("events").into_iter().find(|it| it["reason"] == "Unsupported")).await;
    assert_eq!(event["message"], "a process node runs this pod without: spec.containers[app].readinessProbe");
    world.await_phase("p", "Succeeded").await;
    world.node.stop().await;
}

#[tokio::test]
async fn stopping_ends_everything_and_takes_the_node_away() {
    let world = world().await;
    world.create_pod("p", json!({"containers": [shell("echo $$; exec sleep 600")]}));
    world.await_phase("p", "Running").await;
    let pid = loop {
        let (_, lines) = world.logs("p/app").await;
        if let Some(line) = lines.lines().next() {
            break line.to_owned();
        }
    };
    let World { running, node, folder } = world;
    node.stop().await;
    assert!(running.api.get("nodes", "", "local").is_none());
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(folder.path().read_dir().expect("folder").count(), 0);
    assert!(running.api.get("pods", "n", "p").is_some());
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused() {
    let running = fake_api::start(Duration::from_secs(3600)).await;
    let folder = tempfile::tempdir().expect("temp folder must be made");
    running.api.create("nodes", "", json!({"metadata": {"name": "local"}}));
    let refused = ProcessNode::start(mk_config(&running, &folder)).await;
    assert!(matches!(refused, Err(NodeError::NameTaken(name)) if name == "local"));
}

#[tokio::test]
async fn log_requests_for_nothing_are_refused() {
    let world = world().await;
    assert_eq!(world.logs("absent/app").await, (404, r#"pod "absent" does not exist"#.to_owned()));
    world.create_pod("p", json!({"restartPolicy": "Never", "containers": [shell("echo a; echo b")]}));
    world.await_phase("p", "Succeeded").await;
    assert_eq!(world.logs("p/other").await.0, 400);
    assert_eq!(world.logs("p/app?tailLines=1").await.1, "b\n");
    assert_eq!(world.logs("p/app?limitBytes=3").await.1, "a\nb");
    assert_eq!(world.logs("p/app?previous=true").await.0, 400);
    world.node.stop().await;
}

#[tokio::test]
async fn bare_api_server_gets_what_namespaces_need() {
    let running = fake_api::start(Duration::from_secs(3600)).await;
    let folder = tempfile::tempdir().expect("temp folder must be made");
    let control_plane = ControlPlane::Missing { root_ca_pem: "PEM".to_owned(), namespaces: String::new() };
    let config = NodeConfig { control_plane, ..mk_config(&running, &folder) };
    running.api.create("namespaces", "", json!({"metadata": {"name": "n"}, "spec": {"finalizers": ["kubernetes"]}}));
    let node = ProcessNode::start(config).await.expect("node must start");
    let world = World { running, node, folder };
    let root_ca = world.await_that("root CA", |api| api.get("configmaps", "n", "kube-root-ca.crt")).await;
    assert_eq!(root_ca["data"]["ca.crt"], "PEM");
    world.await_that("default account", |api| api.get("serviceaccounts", "n", "default")).await;

    world.create_pod("p", json!({"terminationGracePeriodSeconds": 0, "containers": [shell("exec sleep 600")]}));
    world.await_phase("p", "Running").await;
    world.delete_namespace("n");
    world.await_that("namespace gone", |api| api.get("namespaces", "", "n").is_none().then_some(())).await;
    // The node let the pod end before the namespace went, and nothing is left.
    assert!(world.list("pods").is_empty() && world.list("configmaps").is_empty());
    world.node.stop().await;
}
