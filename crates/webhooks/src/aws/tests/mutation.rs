//! Which pods are changed, and into what.

use super::*;

fn mutated(config: &Config, sources: &Sources, pod: &Value, account: &ServiceAccountView) -> Value {
    apply(pod, &ops(mutate(config, sources, "shop", pod, Some(account), &Lowest).expect("must be a pod")))
}

/// `NAME=value` of the first container (or `NAME` where there is no literal value), then its mounts.
fn seen_by_container(pod: &Value) -> Vec<String> {
    let container = &pod["spec"]["containers"][0];
    let list = |key: &str| container[key].as_array().cloned().unwrap_or_default();
    let variable = |var: &Value| match var["value"].as_str() {
        Some(value) => format!("{}={value}", var["name"].as_str().expect("name")),
        None => var["name"].as_str().expect("name").to_owned(),
    };
    let mount = |mount: &Value| {
        format!("{}:{}", mount["name"].as_str().expect("name"), mount["mountPath"].as_str().expect("path"))
    };
    list("env").iter().map(variable).chain(list("volumeMounts").iter().map(mount)).collect()
}

/// The token source of the first volume.
fn token_of(pod: &Value) -> &Value {
    &pod["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]
}

#[test]
fn mutates_only_pods_whose_account_has_a_role() {
    let config = &Config { watch_config_map: true, ..Config::bare() };
    let check = |sources: &Sources, account: Option<&ServiceAccountView>, want: Option<&str>| {
        let pod = mk_pod(json!({"metadata": {"namespace": "lies"}}));
        let mutation = mutate(config, sources, "shop", &pod, account, &Lowest).expect("must be a pod");
        let role = match mutation {
            Mutation::Unchanged => None,
            Mutation::Patch(ops) => Some(seen_by_container(&apply(&pod, &ops))[0].clone()),
        };
        assert_eq!(role, want.map(|role| format!("AWS_ROLE_ARN={role}")));
    };
    let none = &Sources::default();
    let map = |entries: &str| Sources { config_map: RoleMap::parse(entries).expect("map"), ..Sources::default() };
    let mapped = &map(r#"{"shop/reader": {"RoleARN": "mapped"}}"#);
    check(none, None, None);
    check(none, Some(&account(&[])), None);
    check(none, Some(&account(&[("role-arn", "")])), None);
    check(none, Some(&account(&[("role-arn", "no-arn-at-all")])), Some("no-arn-at-all"));
    check(none, Some(&reader()), Some(ROLE));
    check(mapped, None, Some("mapped"));
    check(mapped, Some(&account(&[])), Some("mapped"));
    check(mapped, Some(&reader()), Some(ROLE));
    check(&map(r#"{"lies/reader": {"RoleARN": "mapped"}}"#), None, None);
    check(&map(r#"{"*/reader": {"RoleARN": "mapped"}}"#), None, Some("mapped"));
    check(&map(r#"{"shop/reader": {}, "*/reader": {"RoleARN": "mapped"}}"#), None, None);
}

#[test]
fn reads_annotations_under_the_configured_prefix_only() {
    let config = Config { annotation_prefix: "irsa.example.com".into(), ..Config::bare() };
    let pod = mk_pod(json!({}));
    let other = ServiceAccountView { annotations: [("irsa.example.com/role-arn".into(), ROLE.into())].into() };
    let is_mutated = |account: &ServiceAccountView| {
        mutate(&config, &Sources::default(), "shop", &pod, Some(account), &Lowest).expect("pod") != Mutation::Unchanged
    };
    assert!(is_mutated(&other));
    assert!(!is_mutated(&reader()));
}

#[test]
fn adds_each_group_of_variables_whole_or_not_at_all() {
    const STS: &str = "AWS_STS_REGIONAL_ENDPOINTS=regional";
    const REGION: [&str; 2] = ["AWS_DEFAULT_REGION=eu-west-1", "AWS_REGION=eu-west-1"];
    const IDENTITY: [&str; 2] = [
        "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/reader",
        "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
    ];
    const MOUNT: &str = "aws-iam-token:/var/run/secrets/eks.amazonaws.com/serviceaccount";
    let check = |config: &Config, present: &[&str], want: &[&[&str]]| {
        let env: Vec<Value> = present.iter().map(|name| json!({"name": name, "valueFrom": {}})).collect();
        let pod = mk_pod(json!({"spec": {"containers": [{"name": "app", "env": env}]}}));
        let got = seen_by_container(&mutated(config, &Sources::default(), &pod, &reader()));
        assert_eq!(got, [&[present], want].concat().concat(), "{present:?}");
    };
    let chart = &chart("eu-west-1");
    check(chart, &[], &[&[STS], &REGION, &IDENTITY, &[MOUNT]]);
    check(chart, &["OTHER"], &[&[STS], &REGION, &IDENTITY, &[MOUNT]]);
    check(chart, &["AWS_STS_REGIONAL_ENDPOINTS"], &[&REGION, &IDENTITY, &[MOUNT]]);
    check(chart, &["AWS_REGION"], &[&[STS], &IDENTITY, &[MOUNT]]);
    check(chart, &["AWS_DEFAULT_REGION"], &[&[STS], &IDENTITY, &[MOUNT]]);
    check(chart, &["AWS_ROLE_ARN"], &[&[STS], &REGION, &[MOUNT]]);
    check(chart, &["AWS_WEB_IDENTITY_TOKEN_FILE"], &[&[STS], &REGION, &[MOUNT]]);
    check(chart, &["AWS_CONTAINER_CREDENTIALS_FULL_URI"], &[&[STS], &REGION, &IDENTITY, &[MOUNT]]);
    check(chart, &["AWS_ROLE_ARN", "AWS_REGION"], &[&[STS], &[MOUNT]]);
    // All three present: a finished container, which gets no mount either, whatever would have been injected.
    let all = &["AWS_ROLE_ARN", "AWS_REGION", "AWS_STS_REGIONAL_ENDPOINTS"];
    check(chart, all, &[]);
    check(&Config::bare(), all, &[]);
    check(&Config::bare(), &[], &[&IDENTITY, &[MOUNT]]);
    check(&Config { region: String::new(), ..chart.clone() }, &[], &[&[STS], &IDENTITY, &[MOUNT]]);
    check(&Config { sts_regional_endpoint: false, ..chart.clone() }, &[], &[&REGION, &IDENTITY, &[MOUNT]]);
    check(&Config::eks("eu-west-1"), &[], &[&[STS], &REGION, &IDENTITY, &[MOUNT]]);
}

#[test]
fn does_not_see_variables_that_come_from_elsewhere() {
    let pod = mk_pod(json!({"spec": {"containers": [{"name": "app", "envFrom": [{"secretRef": {"name": "aws"}}]}]}}));
    let got = seen_by_container(&mutated(&Config::bare(), &Sources::default(), &pod, &reader()));
    assert_eq!(got.len(), 3, "{got:?}");
}

#[test]
fn leaves_a_mount_and_a_volume_of_the_name_alone_whatever_they_are() {
    let container = json!({"name": "app", "volumeMounts": [{"name": "aws-iam-token", "mountPath": "/mine"}]});
    let pod = mk_pod(json!({"spec": {
        "containers": [container],
        "volumes": [{"name": "aws-iam-token", "emptyDir": {}}],
    }}));
    let got = mutated(&Config::bare(), &Sources::default(), &pod, &reader());
    assert_eq!(got["spec"]["volumes"], pod["spec"]["volumes"]);
    assert_eq!(got["spec"]["containers"][0]["volumeMounts"], pod["spec"]["containers"][0]["volumeMounts"]);
    assert_eq!(got["spec"]["containers"][0]["env"].as_array().map(Vec::len), Some(2));
}

#[test]
fn skips_the_containers_that_the_pod_names() {
    let check = |skip: &str, want: &[&str]| {
        let pod = mk_pod(json!({
            "metadata": {"annotations": {"eks.amazonaws.com/skip-containers": skip}},
            "spec": {"initContainers": [{"name": "init"}], "containers": [{"name": "app"}, {"name": "side"}]},
        }));
        let got = mutated(&Config::bare(), &Sources::default(), &pod, &reader());
        let spec = &got["spec"];
        let all = [&spec["initContainers"][0], &spec["containers"][0], &spec["containers"][1]];
        let injected: Vec<_> =
            all.iter().filter(|c| c["env"].is_array()).map(|c| c["name"].as_str().expect("name")).collect();
        assert_eq!(injected, want, "{skip:?}");
        // The volume is there even if nobody mounts it, and each container has been through the Go types.
        assert_eq!(spec["volumes"][0]["name"], "aws-iam-token");
        assert!(all.iter().all(|c| c["resources"] == json!({})));
    };
    check("", &["init", "app", "side"]);
    check("side", &["init", "app"]);
    check("side,init", &["app"]);
    check("side, init", &["init", "app"]);
    check("\"side\",init", &["app"]);
    check("side,\"init", &["init", "app", "side"]);
    check("init,app,side", &[]);
}

#[test]
fn asks_for_the_lifetime_of_the_pod_then_of_the_account_then_of_the_flag() {
    let check = |flag: i64, on_account: Option<&str>, on_pod: Option<&str>, want: i64| {
        let mut annotations = vec![("role-arn", ROLE)];
        annotations.extend(on_account.map(|value| ("token-expiration", value)));
        let pod = mk_pod(json!({"metadata": {"annotations": {"eks.amazonaws.com/token-expiration": on_pod}}}));
        let config = Config { token_expiration: flag, ..Config::bare() };
        let got = mutated(&config, &Sources::default(), &pod, &account(&annotations));
        assert_eq!(token_of(&got)["expirationSeconds"], want, "{flag} {on_account:?} {on_pod:?}");
    };
    check(86_400, None, None, 86_400);
    check(60, None, None, 600);
    check(86_400, Some("7200"), None, 7200);
    check(86_400, Some("7200"), Some("1200"), 1200);
    check(86_400, Some("7200"), Some("1"), 600);
    check(86_400, Some("7200"), Some("soon"), 7200);
    check(3600, Some("soon"), Some("soon"), 3600);
    check(86_400, None, Some("604800"), 604_800);
}

#[test]
fn leaves_an_empty_audience_out_of_the_token() {
    let check = |audience: Option<&str>, want: Value| {
        let mut annotations = vec![("role-arn", ROLE)];
        annotations.extend(audience.map(|value| ("audience", value)));
        let got = mutated(&Config::bare(), &Sources::default(), &mk_pod(json!({})), &account(&annotations));
        assert_eq!(token_of(&got)["audience"], want);
    };
    check(None, json!("sts.amazonaws.com"));
    check(Some("sts.amazonaws.com.cn"), json!("sts.amazonaws.com.cn"));
    check(Some(""), Value::Null);
}

#[test]
fn turns_only_the_token_file_round_for_windows() {
    let check = |selector: Value, want: &str| {
        let pod = mk_pod(json!({"spec": {"nodeSelector": selector, "os": {"name": "windows"}}}));
        let got = seen_by_container(&mutated(&Config::bare(), &Sources::default(), &pod, &reader()));
        assert_eq!(got[1], format!("AWS_WEB_IDENTITY_TOKEN_FILE={want}"));
        assert_eq!(got[2], "aws-iam-token:/var/run/secrets/eks.amazonaws.com/serviceaccount");
    };
    const POSIX: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
    const WINDOWS: &str = r"C:\var\run\secrets\eks.amazonaws.com\serviceaccount\token";
    check(json!({}), POSIX);
    check(json!({"kubernetes.io/os": "linux"}), POSIX);
    check(json!({"kubernetes.io/os": "Windows"}), POSIX);
    check(json!({"kubernetes.io/os": "windows"}), WINDOWS);
    check(json!({"beta.kubernetes.io/os": "windows"}), WINDOWS);
}

#[test]
fn spreads_a_day_only_for_pod_identity() {
    #[derive(Debug)]
    struct Highest;
    impl Randomness for Highest {
        fn between(&self, low: i64, high: i64) -> i64 {
            assert_eq!(low, 79_200);
            high - 1
        }
    }
    let check = |sources: &Sources, on_pod: Option<&str>, account: Option<&ServiceAccountView>, want: i64| {
        let mut pod = mk_pod(json!({}));
        if let Some(value) = on_pod {
            pod["metadata"]["annotations"] = json!({"eks.amazonaws.com/token-expiration": value});
        }
        let config = Config { token_expiration: 3600, ..Config::bare() };
        let patch = ops(mutate(&config, sources, "shop", &pod, account, &Highest).expect("pod"));
        assert_eq!(token_of(&apply(&pod, &patch))["expirationSeconds"], want, "{on_pod:?} {account:?}");
    };
    let identity = &pod_identity();
    let irsa = &Sources::default();
    let day = &account(&[("role-arn", ROLE), ("token-expiration", "86400")]);
    check(identity, None, Some(&account(&[])), 3600);
    check(identity, None, Some(day), 86_399);
    check(identity, Some("86400"), Some(&account(&[])), 86_399);
    check(identity, Some("86401"), Some(day), 86_401);
    // An account that is not known leaves a day, whatever the flag.
    check(identity, None, None, 86_399);
    check(irsa, None, Some(day), 86_400);
    check(irsa, Some("86400"), Some(&reader()), 86_400);
}

#[test]
fn pod_identity_takes_sts_from_the_account_or_its_own_entry_but_not_from_the_flag() {
    let config = Config { watch_config_map: true, ..Config::eks("") };
    let map = |entries: &str| Sources { config_map: RoleMap::parse(entries).expect("map"), ..pod_identity() };
    let check = |sources: &Sources, account: Option<&ServiceAccountView>, want: bool| {
        let pod = mk_pod(json!({}));
        let patch = ops(mutate(&config, sources, "shop", &pod, account, &Lowest).expect("pod"));
        let got = seen_by_container(&apply(&pod, &patch));
        assert_eq!(got[0] == "AWS_STS_REGIONAL_ENDPOINTS=regional", want, "{got:?}");
        assert!(got.contains(&"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials".to_owned()));
    };
    check(&pod_identity(), Some(&account(&[])), true);
    check(&pod_identity(), Some(&account(&[("sts-regional-endpoints", "false")])), false);
    check(&pod_identity(), None, false);
    check(&map(r#"{"shop/reader": {"UseRegionalSTS": true}}"#), None, true);
    check(&map(r#"{"*/reader": {"UseRegionalSTS": true}}"#), None, false);
}

#[test]
fn adds_its_label_beside_others() {
    let check = |labels: Value, want: Value| {
        let mut pod = mk_pod(json!({}));
        pod["metadata"]["labels"] = labels;
        let got = mutated(&Config::eks("eu-west-1"), &pod_identity(), &pod, &reader());
        assert_eq!(got["metadata"]["labels"], want);
    };
    const LABEL: &str = "eks.amazonaws.com/pod-identity";
    check(Value::Null, json!({LABEL: "enabled"}));
    check(json!({}), json!({LABEL: "enabled"}));
    check(json!({"app": "web"}), json!({"app": "web", LABEL: "enabled"}));
    check(json!({LABEL: "no"}), json!({LABEL: "enabled"}));
}

#[test]
fn refuses_an_object_that_is_no_pod() {
    let error = mutate(&Config::bare(), &Sources::default(), "shop", &json!({"spec": []}), None, &Lowest);
    assert!(error.is_err());
}
