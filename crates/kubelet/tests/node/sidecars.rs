//! Init containers that go on beside the others.

use serde_json::{Value, json};

use crate::{shell, world};

/// An init container that is a sidecar, with a folder to talk to the others through.
fn sidecar(name: &str, script: &str) -> Value {
    let mut container = member(name, script);
    container["restartPolicy"] = json!("Always");
    container
}

fn member(name: &str, script: &str) -> Value {
    let mut container = shell(script);
    container["name"] = json!(name);
    container["env"] = json!([{"name": "D", "value": "/data"}]);
    container["volumeMounts"] = json!([{"name": "d", "mountPath": "/data"}]);
    container
}

fn pod(policy: &str, init: Value, main: Value) -> Value {
    json!({"restartPolicy": policy, "initContainers": init, "containers": main, "volumes": [{"name": "d", "emptyDir": {}}]})
}

/// Tells its end to a file that all share. The shell may hear of the signal while it waits for `sleep`.
fn ending(name: &str) -> String {
    format!("trap 'echo {name} >> $D/ends; exit 0' TERM; echo {name} >> $D/starts; while :; do sleep 0.02; done")
}

#[tokio::test]
async fn they_start_in_order_and_end_after_the_others_the_latest_first() {
    let world = world().await;
    let init = json!([
        sidecar("one", &ending("one")),
        member("between", "until test -e $D/starts; do sleep 0.01; done; echo between >> $D/starts"),
        // It is the last to end: what it prints is what happened.
        sidecar(
            "two",
            "trap 'cat $D/starts; exit 0' TERM; echo two >> $D/starts; touch $D/ready; while :; do sleep 0.02; done"
        ),
    ]);
    let main = json!([member("app", "until test -e $D/ready; do sleep 0.01; done; echo app >> $D/starts")]);
    world.create_pod("p", pod("Never", init, main));
    let pod = world.await_phase("p", "Succeeded").await;
    assert_eq!(world.logs("p/two").await.1, "one\nbetween\ntwo\napp\n");
    let ends: Vec<_> = ["one", "two"]
        .iter()
        .map(|name| {
            let statuses = pod["status"]["initContainerStatuses"].as_array().expect("statuses");
            let status = statuses.iter().find(|status| status["name"] == *name).expect("status");
            assert_eq!(status["state"]["terminated"]["exitCode"], 0, "{status}");
            assert_eq!(status["restartCount"], 0);
            status["state"]["terminated"]["finishedAt"].as_str().expect("time").to_owned()
        })
        .collect();
    assert!(ends[1] <= ends[0], "{ends:?}");
    world.node.stop().await;
}

#[tokio::test]
async fn a_pod_runs_while_its_sidecar_does_and_ends_as_its_main_containers_did() {
    let world = world().await;
    let check = async |name: &str, script: &str, phase: &str| {
        // Killed in the end, whatever it does: it does not heed the request.
        let mut spec = pod(
            "Never",
            json!([sidecar("side", "trap '' TERM; touch $D/trapped; while :; do sleep 0.02; done")]),
            json!([member("app", &format!("until test -e $D/trapped; do sleep 0.01; done; {script}"))]),
        );
        spec["terminationGracePeriodSeconds"] = json!(0);
        world.create_pod(name, spec);
        let pod = world.await_phase(name, phase).await;
        let side = &pod["status"]["initContainerStatuses"][0];
        assert_eq!(side["state"]["terminated"]["exitCode"], 137, "{side}");
    };
    check("good", "exit 0", "Succeeded").await;
    check("bad", "exit 3", "Failed").await;
    world.node.stop().await;
}

#[tokio::test]
async fn the_next_container_waits_for_the_start_up_probe() {
    let world = world().await;
    let mut side = sidecar("side", "while :; do sleep 0.02; done");
    side["startupProbe"] =
        json!({"exec": {"command": ["sh", "-c", "test -e $D/go"]}, "periodSeconds": 1, "failureThreshold": 1000});
    world.create_pod("p", pod("Always", json!([side]), json!([member("app", "while :; do sleep 0.02; done")])));
    let status = world
        .await_that("sidecar probed", |api| {
            let pod = api.get("pods", "n", "p")?;
            let unhealthy = api.list("events").into_iter().any(|event| event["reason"] == "Unhealthy");
            let running = pod["status"]["initContainerStatuses"][0]["state"]["running"].is_object();
            (unhealthy && running).then(|| pod["status"].clone())
        })
        .await;
    assert_eq!(status["phase"], "Pending");
    assert_eq!(status["initContainerStatuses"][0]["started"], false);
    assert_eq!(status["containerStatuses"][0]["state"]["waiting"]["reason"], "PodInitializing");
    let uid = world.get("pods", "n", "p").expect("pod")["metadata"]["uid"].as_str().expect("uid").to_owned();
    std::fs::write(world.folder.path().join(uid).join("volumes/d/go"), "").expect("file must be written");
    let pod = world.await_phase("p", "Running").await;
    assert_eq!(pod["status"]["initContainerStatuses"][0]["started"], true);
    assert_eq!(pod["status"]["initContainerStatuses"][0]["ready"], true);
    let initialized =
        pod["status"]["conditions"].as_array().expect("conditions").iter().find(|it| it["type"] == "Initialized");
    assert_eq!(initialized.expect("condition")["status"], "True");
    world.node.stop().await;
}

#[tokio::test]
async fn a_sidecar_that_ends_is_started_again_whatever_the_pods_policy() {
    let world = world().await;
    let init = json!([sidecar("side", "test -e $D/again && exec sleep 600; touch $D/again; exit 0")]);
    world.create_pod("p", pod("Never", init, json!([member("app", "until test -e $D/done; do sleep 0.01; done")])));
    let side = world
        .await_that("sidecar restarted", |api| {
            let side = api.get("pods", "n", "p")?["status"]["initContainerStatuses"][0].clone();
            (side["restartCount"] == 1 && side["state"]["running"].is_object()).then_some(side)
        })
        .await;
    assert_eq!(side["lastState"]["terminated"]["exitCode"], 0);
    world.delete_pod("p", 30);
    world.await_gone("p").await;
    world.node.stop().await;
}

#[tokio::test]
async fn an_init_container_that_fails_ends_the_sidecar_and_the_pod() {
    let world = world().await;
    let init = json!([
        sidecar("side", &ending("side")),
        member("init", "until test -e $D/starts; do sleep 0.01; done; exit 3")
    ]);
    world.create_pod("p", pod("Never", init, json!([member("app", "exit 0")])));
    let pod = world.await_phase("p", "Failed").await;
    assert!(pod["status"]["initContainerStatuses"][0]["state"]["terminated"].is_object());
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"], "PodInitializing");
    world.node.stop().await;
}
