//! What happens to which pod.

use super::*;

const ALL: [&str; 4] = ["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST"];

/// Name and value of what `container` has in the end.
fn env_of(pod: &Value, container: &str) -> Vec<(String, String)> {
    let env = pod.pointer(container).expect("container")["env"].as_array();
    env.into_iter()
        .flatten()
        .map(|variable| {
            let text = |key: &str| variable[key].as_str().unwrap_or("-").to_owned();
            (text("name"), text("value"))
        })
        .collect()
}

#[test]
fn injects_the_typical_pod_in_either_layout() {
    let pod = mk_pod(json!({"spec": {"volumes": [{"name": "data", "emptyDir": {}}]}}));
    let check = |layout: Layout, volume: &str, mount: &str, path: &str| {
        let want = json!({"spec": {
            "containers": [{
                "name": "app",
                "image": "app:1",
                "env": [
                    {"name": "AZURE_CLIENT_ID", "value": CLIENT},
                    {"name": "AZURE_TENANT_ID", "value": TENANT},
                    {"name": "AZURE_FEDERATED_TOKEN_FILE", "value": format!("{mount}/{path}")},
                    {"name": "AZURE_AUTHORITY_HOST", "value": "https://login.microsoftonline.com/"},
                ],
                "volumeMounts": [{"name": volume, "readOnly": true, "mountPath": mount}],
            }],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": volume, "projected": {"sources": [{
                "serviceAccountToken": {"audience": "api://AzureADTokenExchange", "expirationSeconds": 3600, "path": path},
            }]}}],
        }});
        assert_eq!(mutated(&chart(layout), &pod, &reader()), mk_pod(want));
    };
    check(Layout::V1_5, "azure-identity-token", "/var/run/secrets/azure/tokens", "azure-identity-token");
    check(Layout::V1_6, WEB_VOLUME, "/var/run/secrets/azure/wi", "token/azure-identity-token");
}

#[test]
fn looks_neither_at_the_label_nor_at_annotations_that_are_missing() {
    let mut pod = mk_pod(json!({}));
    pod["metadata"]["labels"] = Value::Null;
    let pod = mutated(&chart(Layout::V1_6), &pod, &ServiceAccountView::default());
    let names: Vec<_> = env_of(&pod, "/spec/containers/0").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ALL[1..], "all but the client id");
}

#[test]
fn takes_the_accounts_tenant_at_its_word() {
    let check = |annotations: &[(&str, &str)], want: Option<&str>| {
        let pod = mutated(&chart(Layout::V1_5), &mk_pod(json!({})), &account(annotations));
        let env = env_of(&pod, "/spec/containers/0");
        let tenant = env.iter().find(|(name, _)| name == "AZURE_TENANT_ID");
        assert_eq!(tenant.map(|(_, value)| value.as_str()), want);
    };
    check(&[], Some(TENANT));
    check(&[("tenant-id", "other")], Some("other"));
    check(&[("tenant-id", "")], None);
}

#[test]
fn appends_each_variable_unless_its_own_name_is_taken() {
    for bits in 0..1_u32 << ALL.len() {
        let taken: Vec<&str> =
            ALL.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, name)| *name).collect();
        let env: Vec<Value> = taken
            .iter()
            .map(|name| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}))
            .collect();
        let pod = mk_pod(json!({"spec": {"containers": [{"name": "app", "env": env}]}}));
        let pod = mutated(&chart(Layout::V1_6), &pod, &reader());
        let got = env_of(&pod, "/spec/containers/0");
        let got: Vec<(&str, bool)> = got.iter().map(|(name, value)| (name.as_str(), value == "-")).collect();
        let kept = taken.iter().map(|name| (*name, true));
        let added = ALL.iter().filter(|name| !taken.contains(name));
        let want: Vec<_> = kept.chain(added.map(|name| (*name, false))).collect();
        assert_eq!(got, want);
        assert_eq!(
            names(&pod["spec"]["containers"][0]["volumeMounts"]),
            [WEB_VOLUME],
            "the mount depends on no variable"
        );
    }
}

#[test]
fn shadows_what_comes_from_elsewhere() {
    let from = json!([{"configMapRef": {"name": "azure"}}]);
    let pod = mk_pod(json!({"spec": {"containers": [{"name": "app", "envFrom": from}]}}));
    let pod = mutated(&chart(Layout::V1_6), &pod, &reader());
    assert_eq!(env_of(&pod, "/spec/containers/0").len(), ALL.len());
    assert_eq!(pod["spec"]["containers"][0]["envFrom"], from);
}

#[test]
fn injects_every_container_that_is_not_skipped() {
    let check = |skip: &str, want: [bool; 4]| {
        let mut pod = mk_pod(annotated(&[("skip-containers", skip)]));
        pod["spec"]["initContainers"] = json!([
            {"name": "init"},
            {"name": "native", "restartPolicy": "Always"},
        ]);
        pod["spec"]["containers"] = json!([{"name": "app"}, {"name": "side"}]);
        pod["spec"]["ephemeralContainers"] = json!([{"name": "debug"}]);
        let pod = mutated(&chart(Layout::V1_6), &pod, &reader());
        let spec = &pod["spec"];
        let containers =
            [&spec["initContainers"][0], &spec["initContainers"][1], &spec["containers"][0], &spec["containers"][1]];
        let got = containers.map(|container| container.get("volumeMounts").is_some());
        assert_eq!(got, want, "{skip}");
        let envs = containers.map(|container| container.get("env").is_some());
        assert_eq!(envs, want, "{skip}");
        assert_eq!(spec["ephemeralContainers"], json!([{"name": "debug"}]));
        assert_eq!(names(&spec["volumes"]), [WEB_VOLUME], "{skip}");
    };
    check("", [true, true, true, true]);
    check("side", [true, true, true, false]);
    check(" native ;app", [true, false, false, true]);
    check("init;native;app;side", [false; 4]);
    // The AWS webhook's way to write a list.
    check("init,native", [true, true, true, true]);
}

#[test]
fn leaves_windows_its_slashes() {
    let linux = mk_pod(json!({}));
    let windows = mk_pod(json!({"spec": {"nodeSelector": {"kubernetes.io/os": "windows"}, "os": {"name": "windows"}}}));
    for layout in LAYOUTS {
        let ops_of = |pod: &Value| ops(mutate(&chart(layout), pod, Some(&reader())));
        assert_eq!(ops_of(&windows), ops_of(&linux));
    }
}

#[test]
fn names_the_volume_of_pods_without_a_name_after_their_prefix() {
    let mut pod = mk_pod(json!({}));
    pod["metadata"] = json!({"generateName": "my-app-7d9f8b6c5-"});
    let check = |layout: Layout, want: &str| {
        let pod = mutated(&chart(layout), &pod, &reader());
        assert_eq!(names(&pod["spec"]["volumes"]), [want]);
        assert_eq!(names(&pod["spec"]["containers"][0]["volumeMounts"]), [want]);
    };
    check(Layout::V1_5, "azure-identity-token");
    check(Layout::V1_6, "azure-workload-identity-reserved-3dc984a9a5223dc897aeb3fb62aee0");
}

#[test]
fn asks_for_the_token_that_is_configured() {
    let config = Config {
        audience: Audience::new("api://AzureADTokenExchangeUSGov"),
        ..chart(Layout::V1_6).in_environment(Environment::UsGovernment)
    };
    let pod = mk_pod(annotated(&[("service-account-token-expiration", "7200")]));
    let pod = mutated(&config, &pod, &reader());
    let token = &pod["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"];
    assert_eq!(
        (&token["audience"], &token["expirationSeconds"]),
        (&json!("api://AzureADTokenExchangeUSGov"), &json!(7200))
    );
    let env = env_of(&pod, "/spec/containers/0");
    assert_eq!(env[3].1, "https://login.microsoftonline.us/");
}

#[test]
fn keeps_fields_that_no_webhook_has_heard_of() {
    let pod = mk_pod(json!({
        "metadata": {"newInMeta": 1},
        "spec": {"newInSpec": {"a": []}, "containers": [{"name": "app", "newInContainer": [null]}], "volumes": [{"name": "v", "newKind": {}}]},
        "status": null,
    }));
    let after = mutated(&chart(Layout::V1_6), &pod, &reader());
    for pointer in ["/metadata", "/spec/newInSpec", "/spec/containers/0/newInContainer", "/spec/volumes/0"] {
        assert_eq!(after.pointer(pointer), pod.pointer(pointer), "{pointer}");
    }
}

#[test]
fn takes_absent_and_null_members_for_empty_ones() {
    let check = |pod: Value| {
        let pod = mutated(&chart(Layout::V1_5), &pod, &reader());
        assert_eq!(names(&pod["spec"]["volumes"]), ["azure-identity-token"]);
        for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
            assert_eq!(names(&container["env"]), ALL);
            assert_eq!(names(&container["volumeMounts"]), ["azure-identity-token"]);
        }
    };
    check(json!({}));
    check(json!({"metadata": null, "spec": null}));
    check(json!({"spec": {"volumes": null, "initContainers": null, "containers": []}}));
    check(json!({"spec": {"volumes": [], "containers": [null, {"env": null, "volumeMounts": null}]}}));
    check(json!({"spec": {"containers": [{"env": [], "volumeMounts": []}]}}));
}
