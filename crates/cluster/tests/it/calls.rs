//! Which webhook is called, how often and in which version of the protocol, and what a failed call or a refusal makes of a pod.

use cluster::{AzureLayout, WebhookInstallation};
use serde_json::{Value, json};

use crate::pods;
use crate::shape::{aws_env, azure_env, container, env, names};
use crate::support::{LAYOUTS, NAMESPACE, ORDERS, Order, World, aws, azure, pod};

const AZURE_NAME: &str = "azure-wi-webhook-mutating-webhook-configuration";

/// Which identities the first container has.
fn identities(stored: &Value) -> Vec<&'static str> {
    let env = env(container(stored, "app"));
    let has = |name: &str| env.iter().any(|variable| variable.starts_with(name));
    [("AWS_ROLE_ARN=", "aws"), ("AZURE_FEDERATED_TOKEN_FILE=", "azure")]
        .into_iter()
        .filter_map(|(name, cloud)| has(name).then_some(cloud))
        .collect()
}

fn labelled(label: &str, value: &str) -> Value {
    json!({"metadata": {"labels": {label: value}}})
}

#[tokio::test]
async fn configurations_are_called_in_the_order_of_their_names_not_of_their_creation() {
    for order in ORDERS {
        let world = World::start().await;
        // In the other order than they are called in.
        match order {
            Order::AwsFirst => {
                world.install("azure", azure(AzureLayout::V1_5), json!({})).await;
                world.install("aws", aws(order), json!({})).await;
            }
            Order::AzureFirst => {
                world.install("aws", aws(order), json!({})).await;
                world.install("azure", azure(AzureLayout::V1_5), json!({})).await;
            }
        }
        let (_, calls) = world.admitted(&pod(json!({}))).await;
        assert_eq!(calls[0], if order == Order::AwsFirst { "aws" } else { "azure" });
        world.stop().await;
    }
}

#[tokio::test]
async fn a_name_of_ones_own_decides_about_the_order() {
    let world = World::start().await;
    let late = WebhookInstallation { name: Some("zz".into()), ..aws(Order::AwsFirst) };
    world.install("aws", late, json!({})).await;
    world.install("azure", azure(AzureLayout::V1_5), json!({})).await;
    let (_, calls) = world.admitted(&pod(json!({}))).await;
    assert_eq!(calls, ["azure", "aws", "azure -"]);
    world.stop().await;
}

#[tokio::test]
async fn what_a_built_in_plugin_changes_is_a_change() {
    for layout in LAYOUTS {
        let world = World::both(Order::AwsFirst, layout).await;
        let (_, calls) = world.admitted(&pods::proxied()).await;
        assert_eq!(calls.len(), 3, "the plugin mounts the API token into the proxies: {calls:?}");
        let mut pod = pods::proxied();
        pod["spec"]["automountServiceAccountToken"] = json!(false);
        let (stored, calls) = world.admitted(&pod).await;
        assert_eq!(calls, ["aws", "azure"], "it does not where it must not");
        assert_eq!(env(container(&stored, "azwi-proxy")), azure_env(layout));
        world.stop().await;
    }
}

#[tokio::test]
async fn a_patch_that_changes_nothing_is_no_change() {
    let world = World::both(Order::AzureFirst, AzureLayout::V1_5).await;
    let (stored, calls) = world.admitted(&pod(json!({}))).await;
    assert_eq!(calls, ["azure", "aws", "azure -"]);
    // The AWS webhook sends the containers always, and here as they were.
    let finished = json!({"spec": {
        "containers": stored["spec"]["containers"], "volumes": stored["spec"]["volumes"],
    }});
    let (_, calls) = world.admitted(&pod(finished)).await;
    assert_eq!(calls, ["azure -", "aws"]);
    world.stop().await;
}

#[tokio::test]
async fn aws_is_called_again_where_its_registration_asks_for_it() {
    let world = World::start().await;
    // As EKS registers it.
    world.install("aws", aws(Order::AwsFirst), json!({"reinvocationPolicy": "IfNeeded"})).await;
    world.install("azure", azure(AzureLayout::V1_5), json!({})).await;
    let (stored, calls) = world.admitted(&pods::proxied()).await;
    assert_eq!(calls, ["aws", "azure", "aws", "azure -"]);
    assert_eq!(env(container(&stored, "azwi-proxy")), [azure_env(AzureLayout::V1_5), aws_env()].concat());
    assert_eq!(env(container(&stored, "app")), [aws_env(), azure_env(AzureLayout::V1_5)].concat());
    world.stop().await;
}

#[tokio::test]
async fn a_webhook_that_did_not_match_is_not_called_for_the_first_time_in_the_second_round() {
    let check = async |labeller: &str, expected_calls: &[&str], expected: &[&str]| {
        let world = World::both(Order::AwsFirst, AzureLayout::V1_5).await;
        let label =
            json!([{"op": "add", "path": "/metadata/labels", "value": {"azure.workload.identity/use": "true"}}]);
        world.patcher(labeller, json!({}), label).await;
        let (stored, calls) = world.admitted(&pod(json!({"metadata": {"labels": null}}))).await;
        assert_eq!(calls, expected_calls);
        assert_eq!(identities(&stored), expected);
        assert_eq!(stored["metadata"]["labels"]["azure.workload.identity/use"], "true");
        world.stop().await;
    };
    check("zz-labeller", &["aws", "zz-labeller"], &["aws"]).await;
    check("aa-labeller", &["aa-labeller", "aws", "azure"], &["aws", "azure"]).await;
}

#[tokio::test]
async fn a_sidecar_that_comes_later_gets_the_identity_of_whoever_is_called_again() {
    let world = World::both(Order::AwsFirst, AzureLayout::V1_5).await;
    let sidecar = json!([{"op": "add", "path": "/spec/containers/1", "value": {"name": "late", "image": "late:1"}}]);
    world.patcher("zz-sidecar", json!({}), sidecar).await;
    let (stored, calls) = world.admitted(&pod(json!({}))).await;
    assert_eq!(calls, ["aws", "azure", "zz-sidecar", "azure"]);
    assert_eq!(env(container(&stored, "late")), azure_env(AzureLayout::V1_5));
    assert_eq!(identities(&stored), ["aws", "azure"]);
    world.stop().await;
}

#[tokio::test]
async fn selectors_say_whom_each_webhook_is_asked_about() {
    let world = World::both(Order::AwsFirst, AzureLayout::V1_6).await;
    let check = async |change: Value, expected: &[&str]| {
        let (stored, calls) = world.admitted(&pod(change.clone())).await;
        assert_eq!(
            (calls, identities(&stored)),
            (expected.iter().map(|name| (*name).to_owned()).collect(), expected.to_vec()),
            "{change}"
        );
    };
    check(json!({}), &["aws", "azure"]).await;
    check(json!({"metadata": {"labels": null}}), &["aws"]).await;
    // The label's exact value counts.
    check(labelled("azure.workload.identity/use", "True"), &["aws"]).await;
    // The label's presence counts.
    check(labelled("eks.amazonaws.com/skip-pod-identity-webhook", "false"), &["azure"]).await;
    // The chart's own pods come up without it.
    check(labelled("app.kubernetes.io/name", "amazon-eks-pod-identity-webhook"), &["azure"]).await;
    check(labelled("app.kubernetes.io/name", "another"), &["aws", "azure"]).await;
    world.stop().await;
}

#[tokio::test]
async fn a_namespace_selector_keeps_a_webhook_out_of_other_namespaces() {
    let world = World::start().await;
    let here = json!({"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}});
    let only_here = |installation: WebhookInstallation| WebhookInstallation {
        namespace_selector: Some(here.clone()),
        ..installation
    };
    world.install("aws", only_here(aws(Order::AwsFirst)), json!({})).await;
    world.install("azure", only_here(azure(AzureLayout::V1_6)), json!({})).await;
    world.furnish("elsewhere").await;
    let (stored, _) = world.admitted(&pod(json!({}))).await;
    assert_eq!(identities(&stored), ["aws", "azure"]);
    let stored = world.stored_in("elsewhere", &pod(json!({}))).await.expect("must be admitted");
    assert_eq!(identities(&stored), [""; 0]);
    assert_eq!(world.calls(), [""; 0]);
    world.stop().await;
}

#[tokio::test]
async fn each_is_asked_in_the_version_that_it_is_registered_for() {
    let check = async |aws_version: &str, azure_version: &str, expected: &[&str]| {
        let world = World::start().await;
        let versions = |version: &str| json!({"admissionReviewVersions": [version]});
        world.install("aws", aws(Order::AwsFirst), versions(aws_version)).await;
        world.install("azure", azure(AzureLayout::V1_6), versions(azure_version)).await;
        let stored = world.stored(&pod(json!({}))).await.expect("must be admitted");
        let reviews = world.reviews();
        assert_eq!(reviews.len(), 2);
        for (review, version) in reviews.iter().zip([aws_version, azure_version]) {
            let version = json!(format!("admission.k8s.io/{version}"));
            assert_eq!(review.question["apiVersion"], version);
            // The AWS webhook's released images answer without apiVersion and kind.
            let answered = if review.webhook == "aws" { Value::Null } else { version };
            assert_eq!(review.answer["apiVersion"], answered);
            assert_eq!(review.answer["response"]["uid"], review.question["request"]["uid"]);
        }
        assert_eq!(identities(&stored), expected);
        world.stop().await;
    };
    check("v1beta1", "v1", &["aws", "azure"]).await;
    check("v1beta1", "v1beta1", &["aws", "azure"]).await;
    // Such an answer is none in v1: a failed call, which is ignored.
    check("v1", "v1", &["azure"]).await;
}

#[tokio::test]
async fn an_outage_lets_pods_through_without_aws_and_not_without_azure() {
    let world = World::both(Order::AwsFirst, AzureLayout::V1_6).await;
    world.stop_webhook("amazon-eks-pod-identity-webhook").await;
    let (stored, _) = world.admitted(&pod(json!({}))).await;
    assert_eq!(identities(&stored), ["azure"]);
    world.stop_webhook(AZURE_NAME).await;
    let refused = world.stored(&pod(json!({}))).await.expect_err("must be refused");
    assert_eq!(refused.code, 500);
    let why = r#"Internal error occurred: failed calling webhook "mutation.azure-workload-identity.io": failed to call webhook: "#;
    assert!(refused.message.starts_with(why), "{}", refused.message);
    let (stored, _) = world.admitted(&pod(json!({"metadata": {"labels": null}}))).await;
    assert_eq!(identities(&stored), [""; 0]);
    world.stop().await;
}

#[tokio::test]
async fn an_outage_follows_the_failure_policy_and_a_denial_does_not() {
    let world = World::start().await;
    world.install("azure", azure(AzureLayout::V1_6), json!({"failurePolicy": "Ignore"})).await;
    let asking =
        |seconds: &str| pods::annotated(json!({"azure.workload.identity/service-account-token-expiration": seconds}));
    let denied = world.stored(&asking("3599")).await.expect_err("must be refused");
    assert_eq!(denied.code, 400);
    assert_eq!(
        denied.message,
        "admission webhook \"mutation.azure-workload-identity.io\" denied the request: token expiration 3599 not valid. \
         Expected value to be between 3600 and 86400"
    );
    assert_eq!(identities(&world.stored(&asking("3600")).await.expect("must be admitted")), ["azure"]);
    world.stop_webhook(AZURE_NAME).await;
    assert_eq!(identities(&world.stored(&asking("3599")).await.expect("must be admitted")), [""; 0]);
    world.stop().await;
}

#[tokio::test]
async fn an_account_that_was_created_a_moment_ago_is_found_by_both() {
    let world = World::both(Order::AwsFirst, AzureLayout::V1_6).await;
    for number in 0..20 {
        let name = format!("fresh-{number}");
        let both = json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/r", "azure.workload.identity/client-id": name});
        world.account(NAMESPACE, &name, both).await;
        let stored = world.stored(&pod(json!({"spec": {"serviceAccountName": name}}))).await.expect("must be admitted");
        assert_eq!(identities(&stored), ["aws", "azure"], "{name}");
        assert!(env(container(&stored, "app")).contains(&format!("AZURE_CLIENT_ID={name}")));
    }
    world.stop().await;
}

#[tokio::test]
async fn two_installations_of_one_webhook_live_side_by_side() {
    let world = World::start().await;
    world.install("azure", azure(AzureLayout::V1_5), json!({})).await;
    let second = WebhookInstallation { name: Some("azure-wi-second".into()), ..azure(AzureLayout::V1_6) };
    world.install("second", second, json!({})).await;
    let (stored, calls) = world.admitted(&pod(json!({}))).await;
    // Called again, the second one overwrites its volume: a change to the one that was called after it.
    assert_eq!(calls, ["second", "azure", "second", "azure -"]);
    // The variables are the first one's, which is why nobody should do this.
    assert_eq!(env(container(&stored, "app")), azure_env(AzureLayout::V1_6));
    assert_eq!(names(&stored, "volumes").len(), 3);
    world.stop().await;
}
