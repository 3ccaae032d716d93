//! Called again on what was made of a pod: by the API server in its second round, or by somebody who posts a stored pod once more.

use serde_json::{Value, json};

use crate::pods;
use crate::shape::{again, aws_env, azure_env, container, env, names};
use crate::support::{LAYOUTS, NAMESPACE, ORDERS, Order, World, pod};

#[tokio::test]
async fn a_second_call_sees_the_pod_as_it_is_stored_and_changes_nothing() {
    for layout in LAYOUTS {
        let world = World::both(Order::AzureFirst, layout).await;
        let stored = world.stored(&pods::rich()).await.expect("must be admitted");
        let calls = world.reviews();
        let last = calls.last().expect("a call");
        assert_eq!((calls.len(), last.webhook.as_str()), (3, "azure"));
        assert_eq!(last.question["request"]["object"]["spec"], stored["spec"], "{layout}");
        world.stop().await;
    }
}

#[tokio::test]
async fn a_pod_that_is_mutated_already_is_stored_as_it_is() {
    for order in ORDERS {
        for layout in LAYOUTS {
            let world = World::both(order, layout).await;
            world.furnish("copies").await;
            for pod in [pods::rich(), pods::proxied()] {
                let (once, _) = world.admitted(&pod).await;
                // The proxies come after the AWS webhook's only call where it is first: it finds them the second time.
                let is_late = order == Order::AwsFirst && names(&once, "initContainers")[0] == "azwi-proxy";
                let twice = world.stored_in("copies", &reposted(&once)).await.expect("must be admitted");
                if is_late {
                    assert_ne!(twice["spec"], once["spec"]);
                    assert_eq!(env(container(&twice, "azwi-proxy")), [azure_env(layout), aws_env()].concat());
                } else {
                    assert_eq!(twice["spec"], once["spec"], "{order:?} {layout}");
                }
                world.reviews();
                let thrice = world.stored_in(NAMESPACE, &reposted(&twice)).await.expect("must be admitted");
                assert_eq!(thrice["spec"], twice["spec"], "{order:?} {layout}");
                let expected = match order {
                    Order::AwsFirst => ["aws", again(layout)],
                    Order::AzureFirst => [again(layout), "aws"],
                };
                assert_eq!(world.calls(), expected, "whoever was called before the other is not called again");
            }
            world.stop().await;
        }
    }
}

/// What somebody posts who has copied a stored pod.
fn reposted(stored: &Value) -> Value {
    let metadata = &stored["metadata"];
    json!({
        "metadata": {"name": metadata["name"], "labels": metadata["labels"], "annotations": metadata["annotations"]},
        "spec": stored["spec"],
    })
}

#[tokio::test]
async fn a_copy_under_another_name_has_two_volumes_at_one_path_in_the_newer_layout() {
    for (layout, refused) in LAYOUTS.into_iter().zip([false, true]) {
        let world = World::both(Order::AwsFirst, layout).await;
        let (stored, _) = world.admitted(&pod(json!({}))).await;
        let copy = pod(json!({"metadata": {"name": "copy"}, "spec": stored["spec"]}));
        let copied = world.stored(&copy).await;
        match (refused, copied) {
            (false, copied) => assert_eq!(copied.expect("must be admitted")["spec"], stored["spec"]),
            (true, copied) => {
                let refusal = copied.expect_err("must be refused");
                assert_eq!(refusal.code, 422);
                let why = r#"volumeMounts[3].mountPath: Invalid value: "/var/run/secrets/azure/wi": must be unique"#;
                assert!(refusal.message.contains(why), "{}", refusal.message);
            }
        }
        world.stop().await;
    }
}
