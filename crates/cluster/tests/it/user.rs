//! What users write themselves, and how each webhook yields to it: upstream's rules, held in what is stored.

use cluster::AzureLayout;
use serde_json::{Value, json};

use crate::pods::annotated;
use crate::shape::{
    API_MOUNT, aws_env, aws_mount, aws_projection, azure_env, azure_mount, azure_projection, azure_volume, container,
    env, mounts, names, volumes,
};
use crate::support::{LAYOUTS, NAMESPACE, ORDERS, Order, World, pod};

fn with_env(variables: &[(&str, &str)]) -> Value {
    let env: Vec<Value> = variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    pod(json!({"spec": {"containers": [{"name": "app", "image": "app:1", "env": env}]}}))
}

/// Those of a list that begin so.
fn but(list: Vec<String>, left_out: &[&str]) -> Vec<String> {
    list.into_iter().filter(|entry| !left_out.iter().any(|name| entry.starts_with(name))).collect()
}

#[tokio::test]
async fn aws_leaves_out_a_whole_group_and_azure_a_single_variable() {
    for order in ORDERS {
        let layout = AzureLayout::V1_6;
        let world = World::both(order, layout).await;
        let check = async |own: &[(&str, &str)], aws_without: &[&str], azure_without: &[&str]| {
            let stored = world.stored(&with_env(own)).await.expect("must be admitted");
            let own: Vec<String> = own.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let (aws, azure) = (but(aws_env(), aws_without), but(azure_env(layout), azure_without));
            let expected = match order {
                Order::AwsFirst => [own, aws, azure].concat(),
                Order::AzureFirst => [own, azure, aws].concat(),
            };
            assert_eq!(env(container(&stored, "app")), expected, "{order:?}");
            let mounted = mounts(container(&stored, "app"));
            // A container that has all three groups is taken for a finished one.
            let is_finished = aws_without == ["AWS_"];
            assert_eq!(mounted.contains(&aws_mount()), !is_finished, "{order:?} {mounted:?}");
            assert!(mounted.contains(&azure_mount(layout)));
            // The volume is there, mounted or not.
            assert_eq!(names(&stored, "volumes"), ["aws-iam-token", "kube-api-access", &azure_volume(layout)]);
        };
        check(&[], &[], &[]).await;
        let identity = ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"];
        check(&[("AWS_ROLE_ARN", "mine")], &identity, &[]).await;
        check(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/mine")], &identity, &[]).await;
        check(&[("AWS_REGION", "mine")], &["AWS_DEFAULT_REGION", "AWS_REGION"], &[]).await;
        check(&[("AWS_STS_REGIONAL_ENDPOINTS", "legacy")], &["AWS_STS"], &[]).await;
        let all = [("AWS_STS_REGIONAL_ENDPOINTS", "legacy"), ("AWS_DEFAULT_REGION", "r"), ("AWS_ROLE_ARN", "a")];
        check(&all, &["AWS_"], &[]).await;
        for name in ["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST"] {
            check(&[(name, "mine")], &[], &[name]).await;
        }
        world.stop().await;
    }
}

#[tokio::test]
async fn skip_lists_are_written_twice_and_each_in_its_own_way() {
    for order in ORDERS {
        for layout in LAYOUTS {
            let world = World::both(order, layout).await;
            let check = async |aws: &str, azure: &str, aws_skips: &[&str], azure_skips: &[&str]| {
                let mut pod = annotated(json!({
                    "eks.amazonaws.com/skip-containers": aws, "azure.workload.identity/skip-containers": azure,
                }));
                pod["spec"]["containers"] = json!([{"name": "app", "image": "a:1"}, {"name": "side", "image": "s:1"}]);
                pod["spec"]["initContainers"] = json!([{"name": "init", "image": "i:1"}]);
                let stored = world.stored(&pod).await.expect("must be admitted");
                for name in ["app", "side", "init"] {
                    let (env, mounts) = (env(container(&stored, name)), mounts(container(&stored, name)));
                    let is_aws = !aws_skips.contains(&name);
                    let is_azure = !azure_skips.contains(&name);
                    let length = usize::from(is_aws) * 5 + usize::from(is_azure) * 4;
                    assert_eq!(env.len(), length, "{order:?} {layout} {aws:?} {azure:?} {name}: {env:?}");
                    assert_eq!(mounts.contains(&aws_mount()), is_aws);
                    assert_eq!(mounts.contains(&azure_mount(layout)), is_azure);
                }
                assert_eq!(names(&stored, "volumes").len(), 3, "volumes come all the same");
            };
            check("side,init", "side; init", &["side", "init"], &["side", "init"]).await;
            // White space belongs to a name for one, and not for the other.
            check("side, init", "side ;init", &["side"], &["side", "init"]).await;
            // Each in the other's way.
            check("side;init", "side,init", &[], &[]).await;
            check("\"side\",init", "", &["side", "init"], &[]).await;
            world.stop().await;
        }
    }
}

#[tokio::test]
async fn only_the_aws_token_file_knows_windows_and_only_from_the_node_selector() {
    for order in ORDERS {
        let layout = AzureLayout::V1_6;
        let world = World::both(order, layout).await;
        let check = async |spec: Value, file: &str| {
            let stored = world.stored(&pod(json!({"spec": spec}))).await.expect("must be admitted");
            let app = container(&stored, "app");
            let variables = env(app);
            assert!(variables.contains(&format!("AWS_WEB_IDENTITY_TOKEN_FILE={file}")), "{spec}: {variables:?}");
            assert!(variables.ends_with(&azure_env(layout)) || variables.starts_with(&azure_env(layout)));
            let mounts = mounts(app);
            assert!(mounts.contains(&aws_mount()) && mounts.contains(&azure_mount(layout)), "{mounts:?}");
        };
        let posix = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
        let windows = r"C:\var\run\secrets\eks.amazonaws.com\serviceaccount\token";
        check(json!({"nodeSelector": {"kubernetes.io/os": "windows"}}), windows).await;
        check(json!({"nodeSelector": {"beta.kubernetes.io/os": "windows"}}), windows).await;
        check(json!({"nodeSelector": {"kubernetes.io/os": "linux"}}), posix).await;
        check(json!({"os": {"name": "windows"}}), posix).await;
        world.stop().await;
    }
}

#[tokio::test]
async fn lifetimes_are_raised_by_one_and_refused_by_the_other() {
    let world = World::both(Order::AwsFirst, AzureLayout::V1_6).await;
    let (aws, azure) =
        ("eks.amazonaws.com/token-expiration", "azure.workload.identity/service-account-token-expiration");
    let role = ("eks.amazonaws.com/role-arn", "arn:aws:iam::123456789012:role/reader");
    world.account(NAMESPACE, "brief", json!({role.0: role.1, aws: "1200", azure: "4000"})).await;
    let check = async |account: &str, annotations: Value, aws: u32, azure: u32| {
        let mut pod = annotated(annotations.clone());
        pod["spec"]["serviceAccountName"] = account.into();
        let stored = world.stored(&pod).await.expect("must be admitted");
        let stored = volumes(&stored);
        assert_eq!(stored[0], aws_projection(aws), "{account} {annotations}");
        assert_eq!(stored[2], azure_projection(AzureLayout::V1_6, azure), "{account} {annotations}");
    };
    check("reader", json!({}), 86_400, 3600).await;
    check("brief", json!({}), 1200, 4000).await;
    // The pod's word beats the account's.
    check("brief", json!({aws: "900", azure: "7200"}), 900, 7200).await;
    check("reader", json!({aws: "60"}), 600, 3600).await;
    check("reader", json!({aws: "-1", azure: "86400"}), 600, 86_400).await;
    // No upper bound for one, and what is no number is not looked at.
    check("reader", json!({aws: "172800"}), 172_800, 3600).await;
    check("brief", json!({aws: "soon", azure: ""}), 1200, 4000).await;
    for bad in ["3599", "86401", "-1", "soon"] {
        let refused = world.stored(&annotated(json!({azure: bad}))).await.expect_err("must be refused");
        assert_eq!(refused.code, 400, "{bad}");
        let by = r#"admission webhook "mutation.azure-workload-identity.io" denied the request: "#;
        assert!(refused.message.starts_with(by), "{bad}: {}", refused.message);
    }
    world.stop().await;
}

#[tokio::test]
async fn a_proxy_is_refused_to_pods_of_the_nodes_network() {
    for order in ORDERS {
        let world = World::both(order, AzureLayout::V1_6).await;
        // Its presence counts, whatever it says.
        let asking = json!({"azure.workload.identity/inject-proxy-sidecar": "false"});
        let mut pod = annotated(asking);
        let stored = world.stored(&pod).await.expect("must be admitted");
        assert_eq!(names(&stored, "initContainers"), ["azwi-proxy", "azwi-proxy-init"]);
        pod["spec"]["hostNetwork"] = json!(true);
        let refused = world.stored(&pod).await.expect_err("must be refused");
        assert_eq!(refused.code, 400);
        assert!(
            refused.message.ends_with("denied the request: hostNetwork is set to true, cannot inject proxy sidecar"),
            "{}",
            refused.message
        );
        pod["metadata"]["annotations"] = json!({});
        world.stored(&pod).await.expect("hostNetwork alone is fine");
        world.stop().await;
    }
}

#[tokio::test]
async fn a_users_own_aws_volume_and_mount_stay_as_they_are() {
    for order in ORDERS {
        let layout = AzureLayout::V1_6;
        let world = World::both(order, layout).await;
        let stored = world
            .stored(&pod(json!({"spec": {
                "volumes": [{"name": "data", "emptyDir": {}}, {"name": "aws-iam-token", "emptyDir": {}}],
                "containers": [
                    {"name": "app", "image": "a:1", "volumeMounts": [{"name": "aws-iam-token", "mountPath": "/mine"}]},
                    {"name": "side", "image": "s:1"},
                ],
            }})))
            .await
            .expect("must be admitted");
        assert_eq!(volumes(&stored)[..2], ["data: emptyDir", "aws-iam-token: emptyDir"], "not prepended, not replaced");
        assert_eq!(mounts(container(&stored, "app"))[0], "/mine <- aws-iam-token");
        assert!(!mounts(container(&stored, "app")).contains(&aws_mount()));
        assert!(mounts(container(&stored, "side")).contains(&aws_mount()));
        world.stop().await;
    }
}

#[tokio::test]
async fn a_users_own_azure_volume_is_kept_by_one_layout_and_overwritten_by_the_other() {
    let token = |name: &str, path: &str| {
        json!({"name": name, "projected": {"sources": [
            {"serviceAccountToken": {"audience": "mine", "expirationSeconds": 900, "path": path}},
        ]}})
    };
    let with = |volume: Value| pod(json!({"spec": {"volumes": [volume]}}));

    let world = World::both(Order::AwsFirst, AzureLayout::V1_5).await;
    let stored = world.stored(&with(token("azure-identity-token", "azure-identity-token"))).await;
    let stored = stored.expect("must be admitted");
    assert_eq!(names(&stored, "volumes"), ["aws-iam-token", "azure-identity-token", "kube-api-access"]);
    assert_eq!(volumes(&stored)[1], "azure-identity-token: token for mine, 900 s, at azure-identity-token; mode 420");
    // Any volume with a token at that path is taken for the webhook's own, whose mount then leads nowhere.
    let refused = world.stored(&with(token("another", "azure-identity-token"))).await.expect_err("must be refused");
    assert_eq!(refused.code, 422);
    assert!(refused.message.contains(r#"Not found: "azure-identity-token""#), "{}", refused.message);
    world.stop().await;

    let world = World::both(Order::AwsFirst, AzureLayout::V1_6).await;
    let stored = world.stored(&with(token(&azure_volume(AzureLayout::V1_6), "elsewhere"))).await;
    let stored = stored.expect("must be admitted");
    // Where it stood.
    assert_eq!(names(&stored, "volumes")[1], azure_volume(AzureLayout::V1_6));
    assert_eq!(volumes(&stored)[1], azure_projection(AzureLayout::V1_6, 3600));
    let stored = world.stored(&with(token("another", "azure-identity-token"))).await.expect("must be admitted");
    assert_eq!(names(&stored, "volumes").len(), 4);
    world.stop().await;
}

#[tokio::test]
async fn an_account_of_one_cloud_gives_what_that_cloud_needs() {
    for order in ORDERS {
        let layout = AzureLayout::V1_6;
        let world = World::both(order, layout).await;
        let role = json!({"eks.amazonaws.com/role-arn": crate::support::ROLE});
        world.account(NAMESPACE, "aws-only", role).await;
        world.account(NAMESPACE, "azure-only", json!({"azure.workload.identity/tenant-id": "other"})).await;
        let stored = async |account: &str| {
            let pod = pod(json!({"spec": {"serviceAccountName": account, "automountServiceAccountToken": false}}));
            world.stored(&pod).await.expect("must be admitted")
        };
        // The Azure webhook looks at the pod's label: an account without a client id lacks only that.
        let aws_only = stored("aws-only").await;
        let without_client = but(azure_env(layout), &["AZURE_CLIENT_ID"]);
        let expected = match order {
            Order::AwsFirst => [aws_env(), without_client].concat(),
            Order::AzureFirst => [without_client, aws_env()].concat(),
        };
        assert_eq!(env(container(&aws_only, "app")), expected);

        let azure_only = stored("azure-only").await;
        let variables = env(container(&azure_only, "app"));
        assert_eq!((variables.len(), variables[0].as_str()), (3, "AZURE_TENANT_ID=other"));
        assert_eq!(mounts(container(&azure_only, "app")), [azure_mount(layout)]);
        assert_eq!(names(&azure_only, "volumes"), [azure_volume(layout)]);
        // Projected tokens are nobody's business but the webhooks', whatever becomes of the API's own.
        assert!(!mounts(container(&aws_only, "app")).contains(&API_MOUNT.to_owned()));
        world.stop().await;
    }
}
