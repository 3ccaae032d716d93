//! Probes and hooks of a pod's containers.

use serde_json::{Value, json};

use crate::{shell, world};

fn probe(script: &str, failures: u32) -> Value {
    json!({"exec": {"command": ["sh", "-c", script]}, "periodSeconds": 1, "failureThreshold": failures})
}

fn with_data(script: &str) -> Value {
    let mut container = shell(script);
    container["env"] = json!([{"name": "D", "value": "/data"}]);
    container["volumeMounts"] = json!([{"name": "d", "mountPath": "/data"}]);
    container
}

fn pod(policy: &str, container: &Value) -> Value {
    json!({"restartPolicy": policy, "containers": [container], "volumes": [{"name": "d", "emptyDir": {}}]})
}

#[tokio::test]
async fn a_pod_is_ready_while_its_readiness_probe_holds() {
    let world = world().await;
    let mut container = with_data("exec sleep 600");
    container["readinessProbe"] = probe("test -e $D/ready", 1);
    world.create_pod("p", pod("Always", &container));
    let await_ready = async |expected: &str| {
        world
            .await_that("readiness", |api| {
                let status = api.get("pods", "n", "p")?["status"].clone();
                let ready = status["conditions"].as_array()?.iter().find(|it| it["type"] == "Ready")?.clone();
                let told = ready["status"] == expected && status["phase"] == "Running";
                told.then(|| (status["containerStatuses"][0]["ready"].clone(), ready["message"].clone()))
            })
            .await
    };
    let (ready, message) = await_ready("False").await;
    assert_eq!((ready, message), (json!(false), json!("containers with unready status: [app]")));
    let uid = world.get("pods", "n", "p").expect("pod")["metadata"]["uid"].as_str().expect("uid").to_owned();
    let file = world.folder.path().join(uid).join("volumes/d/ready");
    std::fs::write(&file, "").expect("file must be written");
    assert_eq!(await_ready("True").await.0, true);
    std::fs::remove_file(&file).expect("file must be removed");
    assert_eq!(await_ready("False").await.0, false);
    world.node.stop().await;
}

#[tokio::test]
async fn a_container_that_fails_its_liveness_probe_is_killed_and_started_again() {
    let world = world().await;
    let mut container = with_data(
        "test -e $D/again && exec sleep 600; trap 'exit 7' TERM; touch $D/again; while :; do sleep 0.02; done",
    );
    // The trap is set by then.
    container["livenessProbe"] = probe("test -e $D/again || exit 0; echo sick; exit 1", 1);
    world.create_pod("p", pod("Always", &container));
    let status = world
        .await_that("restarted", |api| {
            let status = api.get("pods", "n", "p")?["status"]["containerStatuses"][0].clone();
            (status["restartCount"] == 1).then_some(status)
        })
        .await;
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 7);
    let event = |reason: &'static str| {
        world.await_that(reason, move |api| api.list("events").into_iter().find(|event| event["reason"] == reason))
    };
    assert_eq!(event("Unhealthy").await["message"], "Liveness probe failed: sick");
    assert_eq!(event("Killing").await["message"], "Container app failed liveness probe, will be restarted");
    world.node.stop().await;
}

#[tokio::test]
async fn hooks_run_after_the_start_and_before_the_end() {
    let world = world().await;
    let mut container = with_data("trap 'cat $D/hooks; exit 0' TERM; touch $D/trapped; while :; do sleep 0.02; done");
    let began = "until test -e $D/trapped; do sleep 0.01; done; echo began >> $D/hooks";
    container["lifecycle"] = json!({
        "postStart": {"exec": {"command": ["sh", "-c", began]}},
        "preStop": {"exec": {"command": ["sh", "-c", "echo ends >> $D/hooks"]}},
    });
    world.create_pod("p", pod("Always", &container));
    world
        .await_that("started", |api| {
            (api.get("pods", "n", "p")?["status"]["containerStatuses"][0]["started"] == true).then_some(())
        })
        .await;
    let follow = world.logs("p/app?follow=true");
    let delete = async { world.delete_pod("p", 30) };
    let ((_, lines), ()) = tokio::join!(follow, delete);
    assert!(lines.ends_with("began\nends\n"), "{lines}");
    world.await_gone("p").await;
    world.node.stop().await;
}

#[tokio::test]
async fn a_container_whose_first_hook_fails_is_killed() {
    let world = world().await;
    let mut container = with_data("exec sleep 600");
    container["lifecycle"] = json!({"postStart": {"exec": {"command": ["sh", "-c", "echo no; exit 1"]}}});
    world.create_pod("p", pod("Never", &container));
    let pod = world.await_phase("p", "Failed").await;
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 143);
    let told = |api: &crate::fake_api::FakeApi| {
        api.list("events").into_iter().find(|it| it["reason"] == "FailedPostStartHook")
    };
    let event = world.await_that("event", told).await;
    assert_eq!(event["message"], "PostStartHook failed: no\n");
    world.node.stop().await;
}
