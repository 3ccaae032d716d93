//! Admission as users meet it: real webhooks over HTTPS, in order, again where needed, and failing in every way.

use crate::support::{Cluster, Fields, refusal};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

/// Environment variables of the pod's first container.
fn names(pod: &Pod) -> Vec<String> {
    let first = pod.spec.iter().filter_map(|spec| spec.containers.first());
    let variables = first.flat_map(|container| container.env.iter().flatten());
    variables.map(|variable| variable.name.clone()).collect()
}

async fn create(cluster: &Cluster, name: &str) -> kube::Result<Pod> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), "shop");
    let pod: Pod =
        Fields(json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}})).into();
    pods.create(&PostParams::default(), &pod).await
}

#[tokio::test]
async fn webhooks_run_by_configuration_name_and_see_each_others_work() {
    let cluster = Cluster::start().await;
    cluster.namespace("shop").await;
    for name in ["zz", "aa", "mm"] {
        cluster.webhook(name, "env", json!({})).await;
    }
    let pod = create(&cluster, "p").await.expect("must be admitted");
    assert_eq!(names(&pod), ["AA", "MM", "ZZ"]);
    assert_eq!(cluster.calls(), ["aa app", "mm app", "zz app"]);
    cluster.stop().await;
}

#[tokio::test]
async fn a_sidecar_calls_earlier_webhooks_again_and_gets_the_api_token() {
    let check = async |aa: &str, bb: &str, expected: &[&str]| {
        let cluster = Cluster::start().await;
        cluster.namespace("shop").await;
        cluster.webhook("aa", "env", json!({"reinvocationPolicy": aa})).await;
        cluster.webhook("bb", "sidecar", json!({"reinvocationPolicy": bb})).await;
        let pod = create(&cluster, "p").await.expect("must be admitted");
        let side = &pod.spec.expect("a spec").containers[1];
        assert_eq!(side.volume_mounts.iter().flatten().count(), 1, "the built-in plugin comes again");
        assert_eq!(cluster.calls(), expected);
        cluster.stop().await;
    };
    check("Never", "Never", &["aa app", "bb app"]).await;
    check("IfNeeded", "Never", &["aa app", "bb app", "aa app,side"]).await;
    // The mount that the plugin gave to the sidecar is a change to the webhook that added it.
    check("IfNeeded", "IfNeeded", &["aa app", "bb app", "aa app,side", "bb app,side"]).await;
}

#[tokio::test]
async fn failures_follow_the_policy_and_denials_do_not() {
    let check = async |mode: &str, policy: &str, code: u16, message: &str| {
        let cluster = Cluster::start().await;
        cluster.namespace("shop").await;
        cluster.webhook("aa", mode, json!({"failurePolicy": policy, "timeoutSeconds": 1})).await;
        let result = create(&cluster, "p").await;
        if code == 201 {
            assert!(result.is_ok(), "{mode} {policy}: {result:?}");
        } else {
            let error = refusal(result);
            assert_eq!(error.code, code, "{mode} {policy}: {}", error.message);
            assert!(error.message.contains(message), "{mode} {policy}: {}", error.message);
        }
        cluster.stop().await;
    };
    for mode in ["http500", "not-json", "wrong-uid", "refused", "untrusted"] {
        check(mode, "Ignore", 201, "").await;
    }
    let failed = r#"Internal error occurred: failed calling webhook "aa.example.test": "#;
    check("http500", "Fail", 500, &format!("{failed}failed to call webhook: an error on the server (\"boom\") has prevented the request from succeeding")).await;
    check(
        "not-json",
        "Fail",
        500,
        "couldn't get version/kind; json parse error: invalid character 'h' looking for beginning of value",
    )
    .await;
    check("wrong-uid", "Fail", 500, "received invalid webhook response: expected response.uid=").await;
    check("refused", "Fail", 500, "connect: connection refused").await;
    check("untrusted", "Fail", 500, "x509: certificate signed by unknown authority").await;
    check("slow", "Fail", 500, "context deadline exceeded").await;
    for policy in ["Fail", "Ignore"] {
        check("deny", policy, 400, r#"admission webhook "aa.example.test" denied the request: no thanks"#).await;
        check("bad-patch", policy, 500, "missing value").await;
        check("break-pod", policy, 422, r#"Pod "p" is invalid: spec.containers: Required value"#).await;
    }
}

#[tokio::test]
async fn old_answers_pass_under_v1beta1_alone() {
    let cluster = Cluster::start().await;
    cluster.namespace("shop").await;
    cluster.webhook("aa", "untyped", json!({"admissionReviewVersions": ["v1"]})).await;
    let error = refusal(create(&cluster, "p").await);
    assert!(
        error.message.ends_with("expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind="),
        "{}",
        error.message
    );
    cluster.webhook("aa", "untyped", json!({"admissionReviewVersions": ["v1beta1"]})).await;
    create(&cluster, "p").await.expect("must be admitted");
    cluster.stop().await;
}

#[tokio::test]
async fn dry_runs_are_announced_and_store_nothing_and_warnings_arrive() {
    let cluster = Cluster::start().await;
    cluster.namespace("shop").await;
    cluster.webhook("aa", "warn", json!({})).await;
    let pod =
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}, "nope": 1});
    let path = "/api/v1/namespaces/shop/pods?dryRun=All";
    let (status, warnings) = cluster.warnings("POST", path, &pod).await;
    assert_eq!(
        (status, warnings),
        (201, vec![r#"299 - "unknown field \"nope\"""#.to_owned(), r#"299 - "mind the gap""#.to_owned()])
    );
    assert_eq!(cluster.last_review()["request"]["dryRun"], true);
    assert_eq!(cluster.send("GET", "/api/v1/namespaces/shop/pods/p", None).await.0, 404);
    let (status, _) = cluster.warnings("POST", "/api/v1/namespaces/shop/pods?fieldValidation=Strict", &pod).await;
    assert_eq!(status, 400);
    cluster.stop().await;
}

#[tokio::test]
async fn a_service_that_is_not_there_is_a_failed_call() {
    let cluster = Cluster::start().await;
    cluster.namespace("shop").await;
    let client: Value =
        json!({"clientConfig": {"url": null, "service": {"name": "hook", "namespace": "shop", "path": "/mutate"}}});
    cluster.webhook("aa", "env", client).await;
    let error = refusal(create(&cluster, "p").await);
    assert!(
        error.message.ends_with(r#"Post "https://hook.shop.svc:443/mutate?timeout=10s": service "hook" not found"#),
        "{}",
        error.message
    );
    cluster.stop().await;
}
