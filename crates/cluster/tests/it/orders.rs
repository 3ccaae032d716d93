//! Both identities in one pod, as it is stored, in both registration orders and both layouts of the Azure webhook.

use cluster::AzureLayout;
use serde_json::{Value, json};

use crate::pods;
use crate::shape::{
    API_MOUNT, again, aws_env, aws_mount, aws_projection, azure_env, azure_mount, azure_projection, azure_volume,
    container, env, mounts, names, volumes,
};
use crate::support::{LAYOUTS, ORDERS, Order, World, pod};

/// What stands in a list after what was there: the webhook's that is called first comes first.
fn appended<T: Clone>(order: Order, before: &[T], aws: &[T], azure: &[T]) -> Vec<T> {
    match order {
        Order::AwsFirst => [before, aws, azure].concat(),
        Order::AzureFirst => [before, azure, aws].concat(),
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn every_container_gets_both_identities_in_the_order_of_the_calls() {
    for order in ORDERS {
        for layout in LAYOUTS {
            let world = World::both(order, layout).await;
            let (stored, calls) = world.admitted(&pods::rich()).await;
            let expected: &[&str] = match order {
                Order::AwsFirst => &["aws", "azure"],
                // The AWS webhook changed the pod after the first call.
                Order::AzureFirst => &["azure", "aws", again(layout)],
            };
            assert_eq!(calls, expected, "{order:?} {layout}");
            assert_eq!(
                volumes(&stored),
                [
                    aws_projection(86_400),
                    "data: emptyDir".into(),
                    "kube-api-access: token for the API server, 3607 s, at token, configMap, downwardAPI; mode 420"
                        .into(),
                    azure_projection(layout, 3600),
                ],
                "{order:?} {layout}"
            );
            let check = |name: &str, own_env: &[&str], own_mounts: &[&str]| {
                let container = container(&stored, name);
                let expected = appended(order, &owned(own_env), &aws_env(), &azure_env(layout));
                assert_eq!(env(container), expected, "{order:?} {layout} {name}");
                let expected = appended(order, &owned(own_mounts), &[aws_mount()], &[azure_mount(layout)]);
                assert_eq!(mounts(container), expected, "{order:?} {layout} {name}");
            };
            check("app", &["MINE=1", "POD <- fieldRef"], &["/data <- data", API_MOUNT]);
            for name in ["side", "native", "setup"] {
                check(name, &[], &[API_MOUNT]);
            }
            assert_eq!(container(&stored, "side")["livenessProbe"]["grpc"], json!({"port": 1, "service": ""}));
            assert_eq!(names(&stored, "initContainers"), ["native", "setup"]);
            assert_eq!(container(&stored, "native")["restartPolicy"], "Always");
            world.stop().await;
        }
    }
}

#[tokio::test]
async fn proxies_are_decorated_by_aws_only_where_it_is_called_after_azure() {
    for order in ORDERS {
        for layout in LAYOUTS {
            let world = World::both(order, layout).await;
            let (stored, calls) = world.admitted(&pods::proxied()).await;
            let expected: &[&str] = match order {
                // What calls it again is the API token's mount, which a built-in plugin gives to the proxies.
                Order::AwsFirst => &["aws", "azure", again(layout)],
                Order::AzureFirst => &["azure", "aws", again(layout)],
            };
            assert_eq!(calls, expected, "{order:?} {layout}");
            // This API server is 1.36, so that the proxy is a native sidecar.
            assert_eq!(names(&stored, "initContainers"), ["azwi-proxy", "setup", "azwi-proxy-init"]);
            assert_eq!(container(&stored, "azwi-proxy")["restartPolicy"], "Always");
            let (aws, mounted): (Vec<String>, Vec<String>) = match order {
                Order::AwsFirst => (Vec::new(), Vec::new()),
                Order::AzureFirst => (aws_env(), vec![aws_mount()]),
            };
            let azure = [azure_mount(layout)];
            for (name, own) in [("azwi-proxy", &[][..]), ("azwi-proxy-init", &["PROXY_PORT=8000"])] {
                let proxy = container(&stored, name);
                let expected = [&owned(own)[..], &azure_env(layout), &aws].concat();
                assert_eq!(env(proxy), expected, "{order:?} {layout} {name}");
                assert_eq!(
                    mounts(proxy),
                    [&azure[..], &mounted, &owned(&[API_MOUNT])].concat(),
                    "{order:?} {layout} {name}"
                );
            }
            for name in ["setup", "app"] {
                let expected = appended(order, &[], &aws_env(), &azure_env(layout));
                assert_eq!(env(container(&stored, name)), expected, "{order:?} {layout} {name}");
            }
            let expected = ["aws-iam-token".into(), "kube-api-access".into(), azure_volume(layout)];
            assert_eq!(names(&stored, "volumes"), expected);
            world.stop().await;
        }
    }
}

#[tokio::test]
async fn siblings_of_a_replica_set_share_the_name_of_the_azure_volume() {
    for order in ORDERS {
        for layout in LAYOUTS {
            let world = World::both(order, layout).await;
            let generated = json!({"metadata": {"name": null, "generateName": "my-app-7d9f8b6c5-"}});
            let expected = match layout {
                AzureLayout::V1_5 => "azure-identity-token",
                // azure-workload-identity v1.6.0, of `my-app-7d9f8b6c5- (prefix)`.
                AzureLayout::V1_6 => "azure-workload-identity-reserved-3dc984a9a5223dc897aeb3fb62aee0",
            };
            let mut pod_names = Vec::new();
            for _ in 0..2 {
                world.reviews();
                let stored = world.stored(&pod(generated.clone())).await.expect("must be admitted");
                assert_eq!(names(&stored, "volumes"), ["aws-iam-token", "kube-api-access", expected]);
                // No name is known while webhooks are asked, in neither round.
                for review in world.reviews() {
                    let request = &review.question["request"];
                    assert_eq!(
                        (&request["name"], &request["object"]["metadata"]["name"]),
                        (&Value::Null, &Value::Null)
                    );
                }
                pod_names.push(stored["metadata"]["name"].clone());
            }
            assert_ne!(pod_names[0], pod_names[1]);
            world.stop().await;
        }
    }
}
