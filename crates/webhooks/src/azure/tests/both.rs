//! Both webhooks on one pod, called as an API server calls them: in the order of their configurations' names,
//! and this one again when something changed after it.

use super::*;
use crate::aws;

/// An account of both clouds.
fn both() -> ServiceAccountView {
    let mut account = reader();
    account.annotations.insert("eks.amazonaws.com/role-arn".into(), "arn:aws:iam::123456789012:role/reader".into());
    account
}

fn by_aws(pod: &Value) -> Value {
    let config = aws::Config::chart(aws::ChartValues::default());
    let sources = aws::Sources::default();
    let mutation = aws::mutate(&config, &sources, "shop", pod, Some(&both()), &aws::Lowest);
    apply(pod, &ops(mutation.map_err(Denied::from)))
}

fn by_azure(layout: Layout, pod: &Value) -> Value {
    mutated(&chart(layout), pod, &both())
}

/// `amazon-eks-…` sorts before `azure-wi-…`, and is not called again.
fn aws_first(layout: Layout, pod: &Value) -> Value {
    by_azure(layout, &by_aws(pod))
}

/// As with `irsa-amazon-eks-…` or `pod-identity-webhook`. The AWS webhook's changes bring a second call.
fn azure_first(layout: Layout, pod: &Value) -> Value {
    let pod = by_aws(&by_azure(layout, pod));
    assert_eq!(
        mutate(&chart(layout), &pod, Some(&both())),
        Ok(Mutation::Unchanged),
        "the second call must find nothing to do"
    );
    pod
}

/// Named things by their names, so that the order they were added in does not count.
fn sorted(list: &Value) -> Vec<&Value> {
    let mut list: Vec<&Value> = list.as_array().into_iter().flatten().collect();
    list.sort_by_key(|entry| entry["name"].as_str());
    list
}

#[test]
fn gives_a_pod_both_identities_in_either_order() {
    let pod = mk_pod(json!({"spec": {
        "containers": [{"name": "app", "env": [{"name": "MINE", "value": "1"}]}, {"name": "side"}],
        "initContainers": [{"name": "native", "restartPolicy": "Always"}, {"name": "init"}],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }}));
    for layout in LAYOUTS {
        let one = aws_first(layout, &pod);
        let other = azure_first(layout, &pod);
        assert_eq!(one["spec"]["volumes"], other["spec"]["volumes"]);
        for list in ["initContainers", "containers"] {
            for (one, other) in std::iter::zip(
                one["spec"][list].as_array().expect("list"),
                other["spec"][list].as_array().expect("list"),
            ) {
                assert_eq!(one["name"], other["name"]);
                assert_eq!(sorted(&one["env"]), sorted(&other["env"]));
                assert_eq!(sorted(&one["volumeMounts"]), sorted(&other["volumeMounts"]));
            }
        }
    }
}

#[test]
fn collides_in_no_name_and_no_path() {
    let unique = |mut list: Vec<&str>| {
        let length = list.len();
        list.sort_unstable();
        list.dedup();
        assert_eq!(list.len(), length, "{list:?}");
        length
    };
    for layout in LAYOUTS {
        for pod in [aws_first(layout, &mk_pod(json!({}))), azure_first(layout, &mk_pod(json!({})))] {
            let app = &pod["spec"]["containers"][0];
            assert_eq!(unique(names(&app["env"])), 9);
            assert_eq!(unique(names(&pod["spec"]["volumes"])), 2);
            let mounts = app["volumeMounts"].as_array().expect("mounts");
            let paths = mounts.iter().filter_map(|mount| mount["mountPath"].as_str());
            assert_eq!(unique(paths.collect()), 2);
        }
    }
}

#[test]
fn encloses_the_users_volumes_and_appends_variables_in_the_order_of_the_calls() {
    let pod = mk_pod(json!({"spec": {"volumes": [{"name": "data"}, {"name": "kube-api-access"}]}}));
    let check = |pod: Value, first: &str, last: &str| {
        assert_eq!(names(&pod["spec"]["volumes"]), ["aws-iam-token", "data", "kube-api-access", WEB_VOLUME]);
        let env = names(&pod["spec"]["containers"][0]["env"]);
        assert_eq!((env[0], env[8]), (first, last));
    };
    let layout = Layout::V1_6;
    check(aws_first(layout, &pod), "AWS_STS_REGIONAL_ENDPOINTS", "AZURE_AUTHORITY_HOST");
    check(azure_first(layout, &pod), "AZURE_CLIENT_ID", "AWS_WEB_IDENTITY_TOKEN_FILE");
}

#[test]
fn leaves_a_proxy_without_aws_where_aws_was_first() {
    let pod = mk_pod(annotated(&[("inject-proxy-sidecar", "true")]));
    let check = |pod: Value, want: bool| {
        let init = pod["spec"]["initContainers"].as_array().expect("proxies");
        assert_eq!(init.len(), 2);
        for proxy in init {
            let env = names(&proxy["env"]);
            assert!(env.contains(&"AZURE_CLIENT_ID"));
            assert_eq!(env.contains(&"AWS_ROLE_ARN"), want);
            assert_eq!(names(&proxy["volumeMounts"]).contains(&"aws-iam-token"), want);
        }
    };
    for layout in LAYOUTS {
        check(aws_first(layout, &pod), false);
        check(azure_first(layout, &pod), true);
    }
}

#[test]
fn needs_a_container_to_be_skipped_twice() {
    let skipping = |azure: &str, aws: &str| {
        mk_pod(json!({"metadata": {"annotations": {
            "azure.workload.identity/skip-containers": azure,
            "eks.amazonaws.com/skip-containers": aws,
        }}, "spec": {"containers": [{"name": "app"}, {"name": "side"}, {"name": "log"}]}}))
    };
    let has = |pod: &Value, index: usize| {
        let env = &pod["spec"]["containers"][index];
        let env = names(&env["env"]);
        (env.contains(&"AZURE_CLIENT_ID"), env.contains(&"AWS_ROLE_ARN"))
    };
    for order in [aws_first, azure_first] {
        let pod = order(Layout::V1_6, &skipping("side; log", "side,log"));
        assert_eq!([0, 1, 2].map(|index| has(&pod, index)), [(true, true), (false, false), (false, false)]);
        // Each in the other's way to write a list.
        let pod = order(Layout::V1_6, &skipping("side,log", "side; log"));
        assert_eq!([0, 1, 2].map(|index| has(&pod, index)), [(true, true); 3]);
    }
}

#[test]
fn projects_two_tokens_with_lifetimes_of_their_own() {
    let pod = aws_first(Layout::V1_6, &mk_pod(json!({})));
    let volumes = pod["spec"]["volumes"].as_array().expect("volumes");
    let tokens: Vec<_> = volumes
        .iter()
        .map(|volume| &volume["projected"]["sources"][0]["serviceAccountToken"])
        .map(|token| (token["audience"].as_str(), token["expirationSeconds"].as_i64()))
        .collect();
    assert_eq!(tokens, [(Some("sts.amazonaws.com"), Some(86_400)), (Some("api://AzureADTokenExchange"), Some(3600)),]);
}
